"""One instance for each runtime folder: whoever holds the lock on a file there.

The system gives the lock back when its holder dies, however that happens, so there is nothing stale
to detect. Of two started at once exactly one gets it.
"""

from __future__ import annotations

import os
from pathlib import Path

from handy_qwen.control.endpoint import claim
from handy_qwen.errors import ControlError
from handy_qwen.filelock import try_lock

FILE = "instance.lock"


class InstanceLock:
    """The right to be the running program. Held until ``release`` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock, at once. False: another process holds it.

        Raises:
            ControlError: The folder cannot be written, or is somebody else's.
        """
        try:
            claim(self._path.parent)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise ControlError(
                f"The folder {self._path.parent} cannot be written.", "Look at its owner and permissions."
            ) from exc
        if not try_lock(handle):
            os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Let another instance start. Safe to call twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
