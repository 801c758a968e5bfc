"""Ending many parts: none waits for another, and none keeps another from being ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

logger = logging.getLogger(__name__)

Close = Callable[[float], object]
"""Ends a part, and waits for that so many seconds at most."""


def in_order(*steps: Callable[[], object]) -> None:
    """Take ``steps`` one after the other, whatever becomes of those before."""
    for step in steps:
        try:
            step()
        except Exception:  # the others must be taken as well
            logger.exception("a part of the program did not end in order")


class Ending:
    """The end of the program: parts are ended side by side, all of them within the same seconds.

    Args:
        within_s: How long all of it may take.
    """

    def __init__(self, within_s: float) -> None:
        self._until_s = time.monotonic() + within_s
        self._threads: list[threading.Thread] = []  # one for each part

    def left_s(self) -> float:
        """How much time is left."""
        return max(0.0, self._until_s - time.monotonic())

    def begin(self, parts: Mapping[str, Close]) -> Sequence[threading.Thread]:
        """End ``parts``, each on a thread of its own if it can be had. Returns the threads, for ``wait``."""
        begun = [
            threading.Thread(target=self._end, args=(close,), name=f"end-{name}", daemon=True)
            for name, close in parts.items()
        ]
        self._threads += begun
        for thread, close in zip(begun, parts.values(), strict=True):
            try:
                thread.start()
            except RuntimeError:  # the system gives no more: one after the other, then
                self._end(close)
        return begun

    def wait(self, threads: Sequence[threading.Thread], within_s: float) -> None:
        """Wait for ``threads``, but no longer than ``within_s`` nor than there is time."""
        until_s = min(time.monotonic() + within_s, self._until_s)
        for thread in [one for one in threads if one.is_alive()]:
            thread.join(max(0.0, until_s - time.monotonic()))

    def leave(self) -> None:
        """Wait for all as long as there is time; the end of the process ends what has not ended by then."""
        self.wait(self._threads, self.left_s())
        stuck = [thread.name.removeprefix("end-") for thread in self._threads if thread.is_alive()]
        if stuck:
            logger.warning("did not end in time: %s", ", ".join(stuck))

    def _end(self, close: Close) -> None:
        in_order(lambda: close(self.left_s()))
