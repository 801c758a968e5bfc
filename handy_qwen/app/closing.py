"""Shuts down many parts in parallel, so that none delays or prevents the end of another."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

logger = logging.getLogger(__name__)

Close = Callable[[float], object]
"""Ends a part, waiting for at most this many seconds."""


def in_order(*steps: Callable[[], object]) -> None:
    """Run ``steps`` in order, even if some fail."""
    for step in steps:
        try:
            step()
        except Exception:  # the others must run as well
            logger.exception("a part of the program did not end in order")


class Ending:
    """Shutdown: parts are ended in parallel, within a common time limit.

    Args:
        within_s: The limit for all of it.
    """

    def __init__(self, within_s: float) -> None:
        self._until_s = time.monotonic() + within_s
        self._threads: list[threading.Thread] = []  # one per part

    def left_s(self) -> float:
        """The time that is left."""
        return max(0.0, self._until_s - time.monotonic())

    def begin(self, parts: Mapping[str, Close]) -> Sequence[threading.Thread]:
        """End ``parts``, each on its own thread if possible. Returns the threads, for ``wait``."""
        begun = [
            threading.Thread(target=self._end, args=(close,), name=f"end-{name}", daemon=True)
            for name, close in parts.items()
        ]
        self._threads += begun
        for thread, close in zip(begun, parts.values(), strict=True):
            try:
                thread.start()
            except RuntimeError:  # the system allows no more threads: end it here
                self._end(close)
        return begun

    def wait(self, threads: Sequence[threading.Thread], within_s: float) -> None:
        """Wait for ``threads``, at most ``within_s`` and at most the time left."""
        until_s = min(time.monotonic() + within_s, self._until_s)
        for thread in [one for one in threads if one.is_alive()]:
            thread.join(max(0.0, until_s - time.monotonic()))

    def leave(self) -> None:
        """Wait for all while time is left; the end of the process ends the rest."""
        self.wait(self._threads, self.left_s())
        stuck = [thread.name.removeprefix("end-") for thread in self._threads if thread.is_alive()]
        if stuck:
            logger.warning("did not end in time: %s", ", ".join(stuck))

    def _end(self, close: Close) -> None:
        in_order(lambda: close(self.left_s()))
