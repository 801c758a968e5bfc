"""Files that outlive a power cut, and a lock between processes.

Unasked, a system may keep what was written in memory for long: a file that takes another's place, or whose
source is deleted then, must be on the disk before.
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
_MAY_SYNC_WHAT_IT_READS = os.name == "posix"  # Windows flushes only what is open for writing


def replace_file(
    path: Path, data: bytes, *, mode: int = 0o600, check: Callable[[], None] = lambda: None
) -> None:
    """Put ``data`` into ``path`` as ``replacing`` does, and make its folder. Raises OSError as that does."""
    Path(os.path.realpath(path)).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with replacing(path, mode=mode, check=check) as file:
        file.write(data)


def is_stream(path: Path) -> bool:
    """Whether what is written to ``path`` goes on from there and replaces nothing: a pipe, /dev/stdout."""
    return path.parent in _STREAMS or (path.exists() and not path.is_file())


@contextmanager
def replacing(
    path: Path, *, mode: int = 0o666, check: Callable[[], None] = lambda: None
) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of ``path`` at the end, whole; not if body or ``check`` raises.

    Where ``path`` is a link, the file it names is replaced and the link stays: that is how people keep their
    files in another folder. A file that is write-protected stays as well, though its folder would allow it. A
    pipe or a device, such as /dev/stdout, is written to. ``mode`` is for POSIX, less the umask and what the
    replaced file does not allow. Raises OSError: it cannot be written; what there was is unchanged.
    """
    if is_stream(path):
        with path.open("ab") as stream:  # behind what the shell has in it, where it is a file
            yield stream
        return
    path = Path(os.path.realpath(path))  # unlike resolve(), not stopped by links in a circle
    if path.exists():
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        mode &= stat.S_IMODE(path.stat().st_mode)  # what was private stays so
    # Not made of the file's name, which may be long.
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
    """A new file to write at ``path``; it is on the disk at the end, and gone again if the body raises.

    ``mode`` is for POSIX, less the umask. Raises FileExistsError: something is there, if only a link;
    OSError: it cannot be written.
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
    """Wait until all in ``folder`` is on the disk. Raises OSError: the disk is full, or fails."""
    for path in folder.rglob("*"):
        if path.is_file():
            _sync_file(path)
        elif path.is_dir():
            sync_folder(path)
    sync_folder(folder)


def replace_folder(new: Path, place: Path, aside: Path) -> None:
    """Rename ``new`` to ``place``. What was there goes to ``aside``, and comes back before an OSError."""
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
    """Wait until the names in ``folder`` are on the disk, where the system can. Raises OSError: it fails."""
    if _MAY_SYNC_WHAT_IT_READS:
        _sync(folder, os.O_RDONLY)


def _sync_file(path: Path) -> None:
    if _MAY_SYNC_WHAT_IT_READS:
        _sync(path, os.O_RDONLY)
    elif os.access(path, os.W_OK):  # what may not be written was not written now: it is linked from a cache
        _sync(path, os.O_RDWR)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_in_use(error: OSError) -> bool:
    """Whether Windows refused because somebody has the file, or one in the folder, open.

    Source: "System Error Codes", learn.microsoft.com: ERROR_ACCESS_DENIED, which a folder with open files
    gives, ERROR_SHARING_VIOLATION, ERROR_USER_MAPPED_FILE.
    """
    return getattr(error, "winerror", None) in {5, 32, 1224}


def try_lock(handle: int) -> bool:
    """Lock the open file ``handle``, at once and until it is closed. False: another holds the lock."""
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
