"""Files that survive a power cut, and a lock between processes.

A system may keep written data in memory for long: a file that replaces another, or whose source is then
deleted, must be synced to disk first.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from handy_qwen.errors import HandyError
from handy_qwen.message import Message

_STREAMS = {Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd")}
_MAY_SYNC_WHAT_IT_READS = os.name == "posix"  # Windows flushes only files opened for writing


def replace_file(
    path: Path, data: bytes, *, mode: int = 0o600, check: Callable[[], None] = lambda: None
) -> None:
    """Write ``data`` to ``path`` as ``replacing`` does, and create its folder. Raises OSError."""
    Path(os.path.realpath(path)).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with replacing(path, mode=mode, check=check) as file:
        file.write(data)


def is_stream(path: Path) -> bool:
    """Whether writing to ``path`` appends and replaces nothing: a pipe, /dev/stdout."""
    return path.parent in _STREAMS or (path.exists() and not path.is_file())


@contextmanager
def replacing(
    path: Path, *, mode: int = 0o666, check: Callable[[], None] = lambda: None
) -> Iterator[IO[bytes]]:
    """A file to write that replaces ``path`` at the end, complete; not if the body or ``check`` raises.

    If ``path`` is a link, its target is replaced and the link stays: people keep their files in another
    folder that way. A write-protected file is not replaced, even if its folder would allow it. A pipe or a
    device, such as /dev/stdout, is written to. ``mode`` is for POSIX, less the umask and what the replaced
    file does not allow. Raises OSError: it cannot be written; an existing file is unchanged.
    """
    if is_stream(path):
        with path.open("ab") as stream:  # after the shell's own output, if it is a file
            yield stream
        return
    path = Path(os.path.realpath(path))  # unlike resolve(), does not fail for links in a circle
    if path.exists():
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        mode &= stat.S_IMODE(path.stat().st_mode)  # a private file stays private
    # Not derived from the file name, which may be long.
    unfinished = path.parent / f".{secrets.token_hex(8)}.tmp"
    with creating(unfinished, mode=mode) as file:
        yield file
    try:
        check()
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def creating(path: Path, *, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """A new file to write at ``path``; it is synced to disk at the end, and deleted if the body raises.

    ``mode`` is for POSIX, less the umask. Raises FileExistsError: something is there, even a link; OSError:
    it cannot be written.
    """
    file = open(path, "xb", opener=partial(os.open, mode=mode))  # noqa: SIM115  what is there is not ours
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise a HandyError for an OSError of the body, which writes ``path``, chosen by the user."""
    try:
        yield
    except OSError as exc:
        title = Message("{path} could not be written: {reason}.", path=path, reason=exc.strerror)
        raise HandyError(title, Message("Choose another place.")) from exc


def sync_tree(folder: Path) -> None:
    """Sync all files in ``folder`` to disk. Raises OSError: the disk is full, or fails."""
    for path in folder.rglob("*"):
        if path.is_file():
            _sync_file(path)
        elif path.is_dir():
            sync_folder(path)
    sync_folder(folder)


def replace_folder(new: Path, place: Path, aside: Path) -> None:
    """Rename ``new`` to ``place``. An existing folder goes to ``aside``, and is restored on an OSError."""
    is_replacing = place.exists()
    if is_replacing:
        place.rename(aside)
    try:
        new.rename(place)
    except BaseException:
        if is_replacing:
            aside.rename(place)
        raise
    sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Sync the names in ``folder`` to disk, where the system supports it. Raises OSError."""
    if _MAY_SYNC_WHAT_IT_READS:
        _sync(folder, os.O_RDONLY)


def _sync_file(path: Path) -> None:
    if _MAY_SYNC_WHAT_IT_READS:
        _sync(path, os.O_RDONLY)
    elif os.access(path, os.W_OK):  # a read-only file was not written now: it is linked from a cache
        _sync(path, os.O_RDWR)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_in_use(error: OSError) -> bool:
    """Whether Windows refused because a file, or one in the folder, is open.

    Source: "System Error Codes", learn.microsoft.com: ERROR_ACCESS_DENIED, which a folder with open files
    gives, ERROR_SHARING_VIOLATION, ERROR_USER_MAPPED_FILE.
    """
    return getattr(error, "winerror", None) in {5, 32, 1224}


def try_lock(handle: int) -> bool:
    """Lock the open file ``handle``, without waiting, until it is closed. False: it is locked."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
