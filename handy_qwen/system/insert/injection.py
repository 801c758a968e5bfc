"""Tells when keys are being pressed by us, for those who listen for the user's keys.

The listener hears our keys as well, a moment later and on a thread of its own. So the answer stays
"yes" for a short time after the system has confirmed the last one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LISTENER_LAG_S = 0.05


class Injection:
    """Whether keys of ours are on their way. Safe on any thread."""

    def __init__(self, lag_s: float = LISTENER_LAG_S) -> None:
        self._lock = threading.Lock()
        self._lag_s = lag_s
        self._depth = 0
        self._until_s = 0.0

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Keys are sent inside; before leaving, the system must have dealt with the last one."""
        with self._lock:
            self._depth += 1
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1
                self._until_s = time.monotonic() + self._lag_s

    def is_injecting(self) -> bool:
        """Whether an injected key event that is heard now may be ours."""
        with self._lock:
            return self._depth > 0 or time.monotonic() < self._until_s
