"""The history of the running program: the port ``core.ports.History`` on files and a database.

    any method --> inbox --> thread "history" --> ledger: a file for the sound, a row for the rest

Nobody waits for the disk. What cannot be written stays in memory and is retried every second; the user is
notified once. Audio is synced once a second and at its end; rows where text is at stake.

Even with "keep nothing", and with "text only" until delivery, the audio is written to disk: a crash must not
cost a dictation. In private mode nothing is ever written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from handy_qwen.core.effects import KeepText
from handy_qwen.core.events import Failed
from handy_qwen.core.ports import Post, Sink
from handy_qwen.core.types import RATE_HZ, Delivery, Samples
from handy_qwen.errors import HistoryError
from handy_qwen.history.ledger import GOES_ON, ErrorReporter, Ledger
from handy_qwen.history.retention import RetentionRules
from handy_qwen.message import Message
from handy_qwen.runtime.worker import Worker

logger = logging.getLogger(__name__)

SLOW_S = 3.0  # a disk that takes longer for one operation has a problem, and the user should know
MOST_WAITING_S = 3600.0
"""How much audio may wait in memory for the disk: 230 MB. The rest goes to the engine only."""
SLOW = HistoryError(Message("The disk isn't responding."), GOES_ON)
FAILED = HistoryError(
    Message("The history failed."), Message("Dictation still works. See the log for details.")
)
CUT = HistoryError(
    Message("Only the start of this recording is saved."),
    Message("The disk isn't responding. The text will be complete."),
)


class DiskHistory:
    """Implements ``core.ports.History`` in ``folder``, which is created, readable by its owner only.

    ``rules`` returns the retention rules; ``clock`` is monotonic, ``wall_s`` counts from 1970.
    """

    def __init__(
        self,
        post: Post,
        folder: Path,
        rules: Callable[[], RetentionRules],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._post = post
        self._clock = clock
        self._wall_s = wall_s
        self._reporter = ErrorReporter(post, clock)
        self._ledger = Ledger(post, folder, rules, self._reporter, clock=clock, wall_s=wall_s)
        self._fed_samples = 0  # written by the microphone's thread, as is the next
        self._seen_piece: int | None = None  # the current piece of work, and since when
        self._seen_s = 0.0
        self._cut: set[int] = set()  # takes being recorded that cannot be stored completely
        self._is_private = False
        self.thread = Worker(  # when revived, it continues with the inbox
            "history",
            routine=self._ledger.work,
            pause_s=self._ledger.pause_s,
            after=self._after,
            on_error=lambda _: post(Failed(0, FAILED)),
        )

    def start(self) -> None:
        """Open and repair the history and post Recovered, on its own thread."""
        self.thread.do(self._ledger.open)
        self.thread.start()

    # --- the port ------------------------------------------------------------------------------------

    def begin(self, take: int, *, language: str = "", model: str = "") -> None:
        """Take ``take`` begins."""
        if self._is_private:
            return
        created_ms = int(self._wall_s() * 1000)
        self.thread.do(partial(self._ledger.begin, take, created_ms, language, model))

    def feed(self, take: int, block: Samples) -> None:
        """The next block. Called on the microphone's thread: takes microseconds, whatever the disk does."""
        if take in self._cut:
            return
        waiting = self._fed_samples - self._ledger.taken_samples
        if waiting > MOST_WAITING_S * RATE_HZ:
            self._cut.add(take)
            self._post(Failed(0, CUT))
            return
        self._fed_samples += len(block)
        self.thread.do(partial(self._ledger.feed, take, block))
        piece, now_s = self.thread.piece(), self._clock()
        if piece is None or piece != self._seen_piece:
            self._seen_piece, self._seen_s = piece, now_s
        elif now_s - self._seen_s > SLOW_S:
            self._reporter.report(SLOW, is_logged=False)

    def complete(self, take: int) -> None:
        """The recording has ended."""
        self._end(partial(self._ledger.complete, take), take)

    def done(self, kept: KeepText) -> None:
        """The text is there."""
        self.thread.do(partial(self._ledger.done, kept))

    def failed(self, take: int, title: str) -> None:
        """There is no text."""
        self._end(partial(self._ledger.failed, take, title), take)

    def cancelled(self, take: int) -> None:
        """The user cancelled it."""
        self._end(partial(self._ledger.cancelled, take), take)

    def delivered(self, take: int, how: Delivery) -> None:
        """How the text was delivered."""
        self.thread.do(partial(self._ledger.went, take, how))

    def adopt(self, take: int, entry: int) -> None:
        """From now on ``take`` stands for ``entry``."""
        self.thread.do(partial(self._ledger.adopt, take, entry))

    def replay(self, take: int, entry: int, sink: Sink) -> None:
        """Adopt ``entry`` and pass its audio to ``sink``, on a thread of its own."""
        self.thread.do(partial(self._ledger.replay, take, entry, sink))

    def set_private(self, is_private: bool) -> None:
        """Store nothing of the takes that begin from now on. Any thread."""
        self._is_private = is_private

    def tidy(self) -> None:
        """The rules have changed: delete what they no longer keep. Any thread."""
        self.thread.do(self._ledger.tidy_soon)

    def close(self, timeout_s: float) -> None:
        """Write what is left and end the thread."""
        if not self.thread.is_alive():
            return
        self.thread.do(self._ledger.close)
        self.thread.stop(timeout_s)
        if self.thread.is_alive():
            logger.warning("the history's thread did not end in time: the disk does not answer")

    def _end(self, work: Callable[[], None], take: int) -> None:
        """Do what ends a recording. The journal ignores later blocks."""
        self.thread.do(work)
        self._cut.discard(take)

    def _after(self) -> None:
        """Do what has become due while calls kept arriving."""
        if not self._ledger.pause_s():
            self._ledger.work()
