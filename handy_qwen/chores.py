"""Threads for what is neither quick nor part of a dictation.

``chores`` starts the program up, reads its settings file and lists the models; the windows that look at
models and history have two each, of which one does what takes minutes; and each of the effects that the
desktop may keep waiting has one.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable

from handy_qwen.errors import UNEXPECTED, HandyError
from handy_qwen.watched import WatchedThread

logger = logging.getLogger(__name__)

Chore = Callable[[], None]


class Chores:
    """Does chores one after the other, and one that comes round when none was added for a while.

    Threads: ``add`` may be called from any; the chores and all that is handed in run on the thread ``name``.

    Args:
        routine: The chore that comes round.
        pause_s: After how many seconds without another; None: not now. Asked after each chore.
        name: The thread's.
        on_error: Told why a chore failed, in words for the user. Without it the log is.
    """

    def __init__(
        self,
        routine: Chore = lambda: None,
        pause_s: Callable[[], float | None] = lambda: None,
        *,
        name: str = "chores",
        on_error: Callable[[HandyError], None] | None = None,
    ) -> None:
        self._routine = routine
        self._pause_s = pause_s
        self._on_error = on_error
        self._inbox: queue.SimpleQueue[Chore | None] = queue.SimpleQueue()
        self.thread = WatchedThread(name, self._loop)

    def start(self) -> None:
        """Start the thread, unless it was started before."""
        self.thread.start()

    def add(self, chore: Chore) -> None:
        """Have ``chore`` done after those added before. Any thread; never blocks."""
        self._inbox.put(chore)

    def do(self, chore: Chore) -> None:
        """As ``add``, on a thread that is started with the first."""
        self.start()
        self.add(chore)

    def stop(self, timeout_s: float) -> None:
        """End the thread after the chores already added. Safe to call twice."""
        self.thread.may_end()
        self._inbox.put(None)
        self.thread.join(timeout_s)

    def _loop(self) -> None:
        while (chore := self._next()) is not None:
            self.thread.begin(is_own=chore == self._routine)
            try:
                chore()
            except Exception as exc:  # the top of this thread
                self._tell(exc)
            self.thread.end()

    def _tell(self, exc: Exception) -> None:
        is_foreseen = isinstance(exc, HandyError)
        if not is_foreseen or self._on_error is None:
            logger.error("a chore failed on the thread %s", self.thread.name, exc_info=exc)
        if self._on_error is not None:
            self._on_error(exc if isinstance(exc, HandyError) else HandyError(*UNEXPECTED))

    def _next(self) -> Chore | None:
        try:
            return self._inbox.get(timeout=self._pause_s())
        except queue.Empty:
            return self._routine
