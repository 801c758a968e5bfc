"""A thread that can be watched: whether it died, is stuck or spins, and how it starts again."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from handy_qwen.errors import UNEXPECTED, HandyError

LEAVE_S = 2.0  # for one that spins, to get to the end of its piece of work


class WatchedThread:
    """The thread a part of the program works on, as the watchdog sees it (``core.ports.Watched``).

    There is no clock in it: who watches sees that the same piece of work is under way again and again, or
    that the thread begins more pieces of its own accord than any timer has reason for: it spins.

    Threads: ``begin`` and ``end`` belong to the thread itself, ``start`` and ``join`` to the part that
    holds it, ``revive`` to the watchdog. Any may read.

    Args:
        name: The thread's.
        run: What it does; when it returns, the thread ends.
        on_revive: What is to be put in order before it starts again: what it was at when it died.
    """

    def __init__(
        self, name: str, run: Callable[[], None], on_revive: Callable[[], None] | None = None
    ) -> None:
        self.name = name
        self._run = run
        self._on_revive = on_revive
        self._count = 0
        self._own_count = 0
        self._leaving: threading.Thread | None = None  # is to end with its next piece
        self._piece: int | None = None
        self._is_ending = False
        self._starting = threading.Lock()
        self._thread = self._new_thread()

    # --- for the part that holds it ------------------------------------------------------------------

    def start(self) -> None:
        """Start it, unless that was done before. Any thread."""
        with self._starting:
            if not self._was_started():
                self._thread.start()

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def is_ending(self) -> bool:
        """Whether it was told to end."""
        return self._is_ending

    def may_end(self) -> None:
        """From now on its end is no death."""
        self._is_ending = True

    def join(self, timeout_s: float) -> None:
        """Wait for its end: not if it was never started, nor on itself."""
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def begin(self, *, is_own: bool = False) -> None:
        """A piece of work begins, or goes on after a step that could have been its last.

        ``is_own`` says that nobody asked for it: a time has come, or there was more to do.
        """
        self._count += 1
        self._own_count += is_own
        self._piece = self._count

    def end(self) -> None:
        """The thread waits for more.

        Raises:
            SystemExit: Another thread goes on in place of this one. Here and nowhere else: what was taken out
                of an inbox is done by then.
        """
        self._piece = None
        if self._leaving is threading.current_thread():
            raise SystemExit

    # --- for the watchdog ----------------------------------------------------------------------------

    def has_died(self) -> bool:
        """Whether it ended without being told to."""
        return self._was_started() and not self._thread.is_alive() and not self._is_ending

    def piece(self) -> int | None:
        """The number of the piece of work under way; None while it waits."""
        return self._piece

    def own_pieces(self) -> int:
        """How many pieces of work it has begun of its own accord, in all."""
        return self._own_count

    def revive(self) -> None:
        """Start it again, unless it was told to end; the piece of work it died of is left out.

        Raises:
            HandyError: It still runs, and does not get to its next piece; or the system gives no thread.
        """
        if self.is_alive():
            self._leaving = self._thread
            self._thread.join(LEAVE_S)
            if self.is_alive():
                self._leaving = None
                raise HandyError(f"The thread {self.name} does not end.")
        if self._is_ending:
            return
        self._piece = None
        if self._on_revive is not None:
            self._on_revive()
        with self._starting:  # a start at this moment would be a second one of the same thread
            dead, self._thread = self._thread, self._new_thread()
            try:
                self._thread.start()
            except RuntimeError as exc:
                self._thread = dead  # so that everybody knows
                raise HandyError(f"The thread {self.name} cannot be started.") from exc

    def _was_started(self) -> bool:
        return self._thread.ident is not None

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name=self.name, daemon=True)


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
