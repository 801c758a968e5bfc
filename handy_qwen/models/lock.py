"""One process at a time for each model, by a lock that the system gives back when its holder dies."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from handy_qwen.filelock import try_lock
from handy_qwen.models.fetching import disk_error

_POLL_S = 0.2


@contextmanager
def locked(path: Path, poll: Callable[[], None]) -> Iterator[None]:
    """Hold the lock ``path``; wait for it as long as ``poll`` lets us.

    Raises:
        InstallationError: The file cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise disk_error(path, exc) from exc
    never = threading.Event()
    try:
        while not try_lock(handle):
            never.wait(_POLL_S)
            poll()
        yield
    finally:
        os.close(handle)
