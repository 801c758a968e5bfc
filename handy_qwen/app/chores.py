"""The thread for what is neither quick nor part of a dictation: start-up, settings file, list of models."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable

from handy_qwen.core.watched import WatchedThread

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
        self.thread = WatchedThread("chores", self._loop)

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    def add(self, chore: Chore) -> None:
        """Have ``chore`` done after those added before. Any thread; never blocks."""
        self._inbox.put(chore)

    def stop(self, timeout_s: float) -> None:
        """End the thread after the chores already added. Safe to call twice."""
        self.thread.may_end()
        self._inbox.put(None)
        self.thread.join(timeout_s)

    def _loop(self) -> None:
        while (chore := self._next()) is not None:
            self.thread.begin()
            try:
                chore()
            except Exception:  # the top of this thread
                logger.exception("a chore failed")
            self.thread.end()

    def _next(self) -> Chore | None:
        try:
            return self._inbox.get(timeout=self._every_s)
        except queue.Empty:
            return self._routine
