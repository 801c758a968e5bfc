"""Brings what was written through a power cut: without being asked, a system may keep it in memory for long.

A file that takes another's place, or whose source is deleted then, must be on the disk before.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

_MAY_SYNC_WHAT_IT_READS = os.name == "posix"  # Windows flushes only what is open for writing


def replace_file(
    path: Path, data: bytes, *, mode: int = 0o600, check: Callable[[], None] = lambda: None
) -> None:
    """Put ``data`` into ``path``, whole or not at all. Makes its folder; ``mode`` is for POSIX.

    Where ``path`` is a link, the file it names is replaced and the link stays: that is how people keep their
    files in another folder. A file that is write-protected stays as well, though its folder would allow it.
    ``check`` is called last, and may raise.

    Raises:
        OSError: It cannot be written; what there was is unchanged.
    """
    path = Path(os.path.realpath(path))  # unlike resolve(), not stopped by links in a circle
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        check()
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sync_tree(folder: Path) -> None:
    """Wait until the files in ``folder``, and their names, are on the disk.

    Raises:
        OSError: The disk is full, or fails.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            _sync_file(path)
        elif path.is_dir():
            sync_folder(path)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Wait until the names in ``folder`` are on the disk, where the system can.

    Raises:
        OSError: The disk fails.
    """
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
