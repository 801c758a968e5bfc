"""Tells when keys are being pressed by us, for those who listen for the user's keys.

The listener hears our keys as well, on a thread of its own, and on a busy machine much later. So it asks
about the time at which a key was pressed; the answer is "yes" also for a short time after the system has
confirmed the last one, since nobody knows that time to the millisecond.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

LISTENER_LAG_S = 0.05
STAMP_S = 0.005  # a system's time stamps are coarse: a key may be dated a little before it was pressed
_REMEMBERED = 64  # chords and texts; a listener is not that late


class Injection:
    """When keys of ours were on their way. Safe on any thread."""

    def __init__(self, lag_s: float = LISTENER_LAG_S) -> None:
        self._lock = threading.Lock()
        self._lag_s = lag_s
        self._depth = 0
        self._since_s = 0.0
        self._past: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Keys are sent inside; before leaving, the system must have dealt with the last one."""
        with self._lock:
            if not self._depth:
                self._since_s = time.monotonic() - STAMP_S
            self._depth += 1
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1
                if not self._depth:
                    self._past.append((self._since_s, time.monotonic() + self._lag_s))

    def was_injecting(self, at_s: float) -> bool:
        """Whether an injected key event of ``at_s`` (``time.monotonic()``) may be ours."""
        with self._lock:
            is_now = self._depth > 0 and at_s >= self._since_s
            return is_now or any(since_s <= at_s <= until_s for since_s, until_s in self._past)
