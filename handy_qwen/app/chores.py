"""The thread for what is neither quick nor part of a dictation: start-up, settings file, list of models."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from handy_qwen.core.pulse import Pulse

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
        self._pulse = Pulse()
        self._is_stopping = False
        self._thread = self._new_thread()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def add(self, chore: Chore) -> None:
        """Have ``chore`` done after those added before. Any thread; never blocks."""
        self._inbox.put(chore)

    def stop(self, timeout_s: float) -> None:
        """End the thread after the chores already added. Safe to call twice."""
        self._is_stopping = True
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def has_died(self) -> bool:
        """Whether the thread ended without being told to."""
        return self._thread.ident is not None and not self._thread.is_alive() and not self._is_stopping

    def piece(self) -> int | None:
        """The number of the chore under way."""
        return self._pulse.piece

    def revive(self) -> None:
        """Start the thread again; the chore it died of is left out."""
        self._pulse.end()
        self._thread = self._new_thread()
        self._thread.start()

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._loop, name="chores", daemon=True)

    def _loop(self) -> None:
        while (chore := self._next()) is not None:
            self._pulse.begin()
            try:
                chore()
            except Exception:  # the top of this thread
                logger.exception("a chore failed")
            self._pulse.end()

    def _next(self) -> Chore | None:
        try:
            return self._inbox.get(timeout=self._every_s)
        except queue.Empty:
            return self._routine
