"""A file that names the model running on a device: if the program crashes, it is left behind.

Users of a device hold a lock on the file; the system releases it with the process, however that ends. So
a file with contents and without a lock means a crash.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from handy_qwen import paths
from handy_qwen.files import try_lock

_LONGEST_PATH = 32_767  # of Windows; others have shorter ones
_held: set[int] = set()  # handles of the file, with the lock
_guard = threading.Lock()


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Have the file name the model in ``folder`` while the block runs. Any thread.

    If the file already names one, or cannot be written, this one is not recorded.
    """
    handle = _mark(folder)
    try:
        yield
    finally:
        _unmark({handle})


def no_crash() -> None:
    """The process is about to end normally although a device may be busy. Any thread."""
    _unmark(set(_held))


def crashed() -> Path | None:
    """The model in use when a program crashed; returned once. Any thread."""
    with suppress(OSError):
        handle = os.open(_file(), os.O_RDWR)
        try:
            if os.fstat(handle).st_size and try_lock(handle):
                name = os.read(
                    handle, _LONGEST_PATH
                )  # empty if the owner of the lock has just ended normally
                os.ftruncate(handle, 0)
                return Path(os.fsdecode(name)) if name else None
        finally:
            os.close(handle)
    return None


def _mark(folder: Path) -> int | None:
    with suppress(OSError):
        handle, is_written = os.open(_file(), os.O_RDWR | os.O_CREAT, 0o600), False
        try:
            # One without a lock is from a crash that nobody has asked about.
            if is_written := try_lock(handle) and not os.fstat(handle).st_size:
                os.write(handle, os.fsencode(folder.absolute()))
        except OSError:
            is_written = False
        if is_written:
            with _guard:
                _held.add(handle)
            return handle
        os.close(handle)
    return None


def _unmark(handles: set[int | None]) -> None:
    with _guard:
        for handle in _held & handles:
            _held.remove(handle)
            with suppress(OSError):
                os.ftruncate(handle, 0)
            os.close(handle)


def _file() -> Path:
    return paths.data_dir() / "device-in-use"
