"""Brings what was written through a power cut: without being asked, a system may keep it in memory for long.

A file that takes another's place, or whose source is deleted then, must be on the disk before.
"""

from __future__ import annotations

import os
from pathlib import Path

_MAY_SYNC_WHAT_IT_READS = os.name == "posix"  # Windows flushes only what is open for writing


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
