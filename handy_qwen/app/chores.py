"""The thread for what is neither quick nor part of a dictation: start-up, settings file, list of models."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

Chore = Callable[[], None]


class Chores:
    """Does chores one after the other, and ``every`` so many seconds one that comes round.

    Threads: ``add`` may be called from any; the chores run on the thread ``chores``.
    """

    def __init__(self, routine: Chore, every_s: float) -> None:
        self._routine = routine
        self._every_s = every_s
        self._inbox: queue.SimpleQueue[Chore | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="chores", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def add(self, chore: Chore) -> None:
        """Have ``chore`` done after those added before. Any thread; never blocks."""
        self._inbox.put(chore)

    def stop(self, timeout_s: float) -> None:
        """End the thread after the chores already added. Safe to call twice."""
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _loop(self) -> None:
        while (chore := self._next()) is not None:
            try:
                chore()
            except Exception:  # the top of this thread
                logger.exception("a chore failed")

    def _next(self) -> Chore | None:
        try:
            return self._inbox.get(timeout=self._every_s)
        except queue.Empty:
            return self._routine
