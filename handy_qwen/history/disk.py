"""The history of the running program: the port ``core.ports.History`` on files and a database.

    any method --> inbox --> thread "history" --> journal (sound), store (row)

Nobody waits for the disk. What cannot be written stays due in memory and is tried again every second;
the user is told once. Sound is brought through a power cut (fsync) once a second while it comes, and at
its end; rows where text is at stake.

With "keep nothing", and with "text only" until the text was delivered, the sound lies on the disk all
the same: a crash must not cost a dictation. In private nothing is ever written.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from handy_qwen.core.events import Failed, Replayed
from handy_qwen.core.ports import Post, Sink
from handy_qwen.core.types import RATE_HZ, Delivery, EntryState, Samples
from handy_qwen.errors import HistoryError
from handy_qwen.history import wav
from handy_qwen.history.retention import Rules
from handy_qwen.history.store import new_file_name
from handy_qwen.history.wav import Journal, Stage
from handy_qwen.history.writer import Kind, LiveTake, Troubles, Writer, cut_error, slow_error
from handy_qwen.runtime.worker import WatchedThread

logger = logging.getLogger(__name__)

SLOW_S = 3.0
"""A disk that takes longer than this for one thing is not well, and the user should know."""
MOST_WAITING_S = 3600.0
"""How much sound may wait in memory for the disk: 230 MB. What comes then is in the take, but not here."""


class DiskHistory:
    """Implements ``core.ports.History`` in a folder.

    Args:
        post: Where the events go.
        folder: Where it lies; it is created, readable by its owner only.
        rules: What is to be kept; asked when it matters.
        clock: Monotonic seconds.
        wall_s: Seconds since 1970.
    """

    def __init__(
        self,
        post: Post,
        folder: Path,
        rules: Callable[[], Rules],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._post = post
        self._clock = clock
        self._wall_s = wall_s
        self._troubles = Troubles(post, clock)
        self._writer = Writer(post, folder, rules, self._troubles, clock=clock, wall_s=wall_s)
        self._ledger = Ledger(self._writer)
        self._inbox: queue.SimpleQueue[Callable[[], None] | tuple[int, Samples] | None] = queue.SimpleQueue()
        self._busy_since_s: float | None = None  # written by the history's thread
        self._fed_samples = 0  # written by the microphone's thread
        self._cut: set[int] = set()  # takes being recorded of which not all can be kept
        self._is_private = False
        self.thread = WatchedThread("history", self._loop)  # revived, it goes on with the inbox

    def start(self) -> None:
        """Open the history, put it in order and post Recovered: all of that on its own thread."""
        self.thread.start()

    # --- the port ------------------------------------------------------------------------------------

    def begin(self, take: int, *, language: str = "", model: str = "") -> None:
        """Take ``take`` begins."""
        if self._is_private:
            return
        created_ms = int(self._wall_s() * 1000)
        self._do(partial(self._ledger.begin, take, created_ms, language, model))

    def feed(self, take: int, block: Samples) -> None:
        """The next block. Called on the microphone's thread: a few microseconds, whatever the disk does."""
        if take in self._cut:
            return
        waiting = self._fed_samples - self._writer.taken_samples
        if waiting > MOST_WAITING_S * RATE_HZ:
            self._cut.add(take)
            self._post(Failed(0, cut_error()))
            return
        self._fed_samples += len(block)
        self._inbox.put((take, block))
        since_s = self._busy_since_s
        if since_s is not None and self._clock() - since_s > SLOW_S:
            self._troubles.begin_quietly(Kind.SLOW, slow_error())

    def complete(self, take: int) -> None:
        """The recording has ended."""
        self._end(partial(self._ledger.complete, take), take)

    def done(
        self, take: int, text: str, *, language: str = "", model: str = "", application: str = ""
    ) -> None:
        """The text is there."""
        self._do(partial(self._ledger.done, take, text, language, model, application))

    def failed(self, take: int, title: str) -> None:
        """There is no text."""
        self._end(partial(self._ledger.failed, take, title), take)

    def cancelled(self, take: int) -> None:
        """The user gave it up."""
        self._end(partial(self._ledger.cancelled, take), take)

    def delivered(self, take: int, how: Delivery) -> None:
        """What became of the text."""
        self._do(partial(self._ledger.went, take, how))

    def adopt(self, take: int, entry: int) -> None:
        """From now on ``take`` means ``entry``."""
        self._do(partial(self._ledger.adopt, take, entry))

    def replay(self, take: int, entry: int, sink: Sink) -> None:
        """Adopt ``entry`` and hand its sound to ``sink``, on a thread of its own."""
        self._do(partial(self._ledger.replay, take, entry, sink))

    def set_private(self, is_private: bool) -> None:
        """Keep nothing of the takes that begin from now on. Any thread."""
        self._is_private = is_private

    def tidy(self) -> None:
        """The rules have changed: let go of what they do not cover any more. Any thread."""
        self._do(self._writer.tidy_soon)

    def close(self, timeout_s: float) -> None:
        """Write what is left and end the thread."""
        if not self.thread.is_alive():
            return
        self.thread.may_end()
        self._inbox.put(None)
        self.thread.join(timeout_s)
        if self.thread.is_alive():
            logger.warning("the history's thread did not end in time: the disk does not answer")

    # --- the history's thread ------------------------------------------------------------------------

    def _do(self, work: Callable[[], None]) -> None:
        self._inbox.put(work)

    def _end(self, work: Callable[[], None], take: int) -> None:
        """Do what ends a recording. A block that comes after it is left out by the journal."""
        self._inbox.put(work)
        self._cut.discard(take)

    def _loop(self) -> None:
        self._guarded(self._writer.open)
        while True:
            try:
                item = self._inbox.get(timeout=self._writer.pause_s())
            except queue.Empty:
                self._guarded(self._writer.work, is_own=True)
                continue
            if item is None:
                break
            self._guarded(partial(self._ledger.feed, *item) if isinstance(item, tuple) else item)
            if self._writer.is_due():
                self._guarded(self._writer.work)
        self._guarded(self._writer.close)

    def _guarded(self, work: Callable[[], None], *, is_own: bool = False) -> None:
        """Do one thing; whatever goes wrong, the next one is done as well."""
        self._busy_since_s = self._clock()
        self.thread.begin(is_own=is_own)
        try:
            work()
        except (OSError, sqlite3.Error) as exc:
            logger.warning("the history met an error: %s", type(exc).__name__, exc_info=exc)
        except Exception:
            logger.exception("the history's thread met an unexpected error")
            error = HistoryError("The history failed.", "Dictating goes on. The log has the details.")
            self._post(Failed(0, error))
        self.thread.end()
        self._busy_since_s = None
        self._troubles.end(Kind.SLOW)


logger = logging.getLogger(__name__)

NO_SOUND = HistoryError("The recording is not there any more.", "It was deleted, or only its text was kept.")
STILL_SPOKEN = HistoryError("This dictation is still being spoken.", "Try again when it has ended.")


class Ledger:
    """Which take is in which entry, and how far it has come."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._live = writer.live

    # --- what happens to a take ----------------------------------------------------------------------

    def begin(self, take: int, created_ms: int, language: str, model: str) -> None:
        """A take begins: its row first, then its file."""
        self._writer.open_again()
        name = new_file_name(created_ms)
        columns = {
            "created_ms": created_ms,
            "state": EntryState.RECORDING,
            "keep": self._writer.rules().keep,
            "file": name,
            "text": "",
            "asked_language": language,
            "model": model,
            "whereabouts": Delivery.NOWHERE,
        }
        live = LiveTake(take, columns, Journal(self._writer.places.takes / name, created_ms))
        self._live[take] = live
        self._writer.save(live)

    def feed(self, take: int, block: Samples) -> None:
        """The next block."""
        self._writer.fed_samples += len(block)
        live = self._live.get(take)
        if live is not None and live.journal is not None:
            live.journal.add(block)
            self._writer.write(live)
        self._writer.count()

    def complete(self, take: int) -> None:
        """The recording has ended."""
        live = self._live.get(take)
        if live is not None and live.state is EntryState.RECORDING:
            live.set(state=EntryState.WAITING)
            self._writer.finish(live, Stage.COMPLETE)
            self._writer.settle(take, live)

    def done(self, take: int, text: str, language: str, model: str, application: str) -> None:
        """The text is there."""
        live = self._live.get(take)
        if live is None:
            return
        known = {"language": language, "model": model, "application": application}
        live.set(
            is_urgent=True,
            state=EntryState.DONE,
            text=text,
            error="",
            whereabouts=Delivery.NOWHERE,
            replays=0,
            **{name: value for name, value in known.items() if value},
        )
        self._writer.finish(live, Stage.COMPLETE if text else Stage.SETTLED)
        self._writer.settle(take, live)

    def failed(self, take: int, title: str) -> None:
        """There is no text; that of an earlier time stays."""
        live = self._live.get(take)
        if live is None:
            return
        if live.before is EntryState.DONE or live.state is EntryState.DONE:
            self._writer.settle(take, live, is_over=live.before is EntryState.DONE)
            return
        live.set(state=EntryState.FAILED, error=title, settled_ms=self._writer.now_ms(), replays=0)
        self._writer.finish(live, Stage.SETTLED)
        self._writer.settle(take, live)

    def cancelled(self, take: int) -> None:
        """The user gave it up; of a replay, the entry stays what it was."""
        live = self._live.get(take)
        if live is None:
            return
        if live.before is not None:
            live.set(state=live.before, replays=live.replays_before)
            self._writer.settle(take, live, is_over=True)
            return
        live.set(state=EntryState.CANCELLED, settled_ms=self._writer.now_ms(), replays=0)
        self._writer.finish(live, Stage.CANCELLED)
        self._writer.settle(take, live)

    def went(self, take: int, where: Delivery) -> None:
        """The text is there, or on its way."""
        live = self._live.get(take)
        if live is None or live.state is not EntryState.DONE:
            return
        live.set(is_urgent=True, whereabouts=where)
        if where.is_settled:
            self._writer.finish(live, Stage.SETTLED)
        self._writer.settle(take, live)

    # --- what was there before -----------------------------------------------------------------------

    def adopt(self, take: int, entry: int) -> None:
        """From now on ``take`` means ``entry``."""
        self._adopted(take, entry)

    def replay(self, take: int, entry: int, sink: Sink) -> None:
        """Hand the sound of ``entry`` to ``sink``."""
        if any(live.row == entry and live.state is EntryState.RECORDING for live in self._live.values()):
            self._writer.post(Failed(take, STILL_SPOKEN))
            return
        live = self._adopted(take, entry)
        if live is None or not live.columns["file"]:
            self._live.pop(take, None)
            self._writer.post(Failed(take, NO_SOUND))
            return
        live.before, live.replays_before = live.state, live.columns["replays"]
        if live.state is not EntryState.DONE:  # a text that is there stays until there is a better one
            live.set(is_urgent=True, state=EntryState.WAITING, replays=live.columns["replays"] + 1)
            self._writer.save(live)
        path = self._writer.places.takes / live.columns["file"]
        work = partial(_read, path, take, sink, self._writer.post)
        threading.Thread(target=work, name="history-read", daemon=True).start()

    def _adopted(self, take: int, entry: int) -> LiveTake | None:
        row = self._writer.row(entry)
        if row is None:
            return None
        live = self._live[take] = LiveTake.adopted(take, row)
        return live


def _read(path: Path, take: int, sink: Sink, post: Post) -> None:
    """Hand the sound of a file to ``sink``. Runs on ``history-read``."""
    samples = 0
    try:
        with wav.blocks(path) as blocks:
            for block in blocks:
                samples += len(block)
                sink(block)
    except HistoryError as exc:
        post(Failed(take, exc))
    except OSError as exc:
        logger.warning("a recording cannot be read: %s", exc.strerror)
        post(Failed(take, NO_SOUND))
    except Exception:
        logger.exception("a recording could not be replayed")
        post(Failed(take, HistoryError("The recording could not be replayed.", "The log has the details.")))
    else:
        post(Replayed(take, samples / RATE_HZ))
