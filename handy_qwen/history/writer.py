"""Writing what the running program's history is to hold, and trying again what could not be written.

Everything here may wait for the disk, and runs on the history's thread. What fails because of the disk
stays due and is told once; ``work`` tries again.
"""

from __future__ import annotations

import enum
import errno
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from handy_qwen.core.events import Failed, Kept, Recovered
from handy_qwen.core.ports import Post
from handy_qwen.core.types import Delivery, EntryState, Keep
from handy_qwen.errors import HandyError, HistoryError
from handy_qwen.history import recovery, retention, wav
from handy_qwen.history.retention import SHORTEST_S, Rules
from handy_qwen.history.store import NewerError, Places, Row, Store, is_damage
from handy_qwen.history.wav import Journal, Stage

logger = logging.getLogger(__name__)

SYNC_S = 1.0  # between two times that the sound is brought through a power cut
RETRY_S = 1.0
TIDY_S = 900.0  # cancelled takes and old ones go even if nobody dictates
BUSY_S = 0.25  # sound waits meanwhile


class Writer:
    """The files and the database, and the takes that are being written. See ``disk.DiskHistory``.

    Attributes:
        live: The takes of this session to which something can still happen, by number.
        taken_samples: How much of what was fed is written, or not wanted any more.
    """

    def __init__(
        self,
        post: Post,
        folder: Path,
        rules: Callable[[], Rules],
        troubles: Troubles,
        *,
        clock: Callable[[], float],
        wall_s: Callable[[], float],
    ) -> None:
        self.taken_samples = 0
        self.post = post
        self.places = Places(folder)
        self.rules = rules
        self._troubles = troubles
        self._clock = clock
        self.wall_s = wall_s
        self.store: Store | None = None
        self._is_recovered = False
        self.live: dict[int, LiveTake] = {}
        self.fed_samples = 0
        self._sync_at_s: float | None = None
        self._retry_at_s: float | None = None
        self._tidy_at_s = clock() + TIDY_S

    # --- time ----------------------------------------------------------------------------------------

    def pause_s(self) -> float:
        """For how long nothing is due."""
        times = [at_s for at_s in (self._sync_at_s, self._retry_at_s, self._tidy_at_s) if at_s is not None]
        return max(0.0, min(times) - self._clock())

    def is_due(self) -> bool:
        """Whether ``work`` has something to do."""
        return self.pause_s() == 0.0

    def work(self) -> None:
        """Do what is due."""
        now_s = self._clock()
        if self._retry_at_s is not None and now_s >= self._retry_at_s:
            self._retry_at_s = None
            self._write_all()
        if self._sync_at_s is not None and now_s >= self._sync_at_s:
            self._sync_at_s = None
            self._sync_all()
        if now_s >= self._tidy_at_s:
            self._tidy_at_s = now_s + TIDY_S
            self._tidy()

    def tidy_soon(self) -> None:
        """Have the rules looked at when there is nothing else to do."""
        self._tidy_at_s = self._clock()

    # --- opening and closing -------------------------------------------------------------------------

    def open(self) -> None:
        """Open the database and put it in order, as far as that was not done yet."""
        if self.store is not None and self._is_recovered and self.places.takes.is_dir():
            return
        try:
            self.places.make()
            if self.store is None:
                self._open_store()
            if not self._is_recovered:
                self._recover()
        except NewerError as exc:
            self._troubles.begin(Kind.ROWS, exc)
        except (sqlite3.Error, OSError) as exc:
            self.rows_failed(exc)
        else:
            self._troubles.end(Kind.ROWS)

    def open_again(self) -> None:
        """Open the database, also if somebody has taken it away meanwhile."""
        if self.store is not None and not self.store.is_in_place():
            logger.warning("the history was taken away: a new one is begun")
            self.store.close()
            self.store = None
        self.open()

    def row(self, entry: int) -> Row | None:
        """The row of an entry; None also if it cannot be read now."""
        self.open()
        if self.store is None:
            return None
        try:
            return self.store.row(entry)
        except sqlite3.Error as exc:
            self.rows_failed(exc)
            return None

    def _open_store(self) -> None:
        store, damage = recovery.open_or_renew(self.places.database, busy_s=BUSY_S)
        if damage is not None:
            hint = f"It was set aside as {damage.aside.name}. {damage.copied} entries could be saved."
            self.post(Failed(0, HistoryError("The history was damaged.", hint)))
        try:
            for live in self.live.values():
                live.has_new_store(store)
        except sqlite3.Error:
            store.close()  # not in use before every take knows of it: it is opened again
            raise
        self.store = store

    def _recover(self) -> None:
        assert self.store is not None, "opened before"
        in_use = {live.columns["file"] for live in self.live.values()}
        found = recovery.put_in_order(self.store, self.places.takes, in_use=in_use, now_s=self.wall_s())
        self._is_recovered = True
        self.tidy_soon()
        if found.given_up:
            hint = "It is kept: handy-qwen history list"
            self.post(Failed(0, HistoryError("A recording could not be transcribed.", hint)))
        self.post(Recovered(found.unfinished, found.undelivered, found.recent))

    def close(self) -> None:
        """Write what is left. What is unfinished is found at the next start."""
        self._retry_at_s = None  # it is tried at once
        self._write_all()
        self._sync_all()
        for live in self.live.values():
            if live.journal is not None:
                live.journal.close()
        if self.store is not None:
            self.store.close()
            self.store = None

    # --- writing -------------------------------------------------------------------------------------

    def finish(self, live: LiveTake, stage: Stage) -> None:
        """The sound is complete, or has come further."""
        if live.journal is None and live.columns["file"]:
            live.journal = Journal.of_before(self.places.takes / live.columns["file"])
        if live.journal is None:
            return
        live.journal.finish(stage)
        if live.before is None and not live.journal.is_of_before:
            size_bytes = wav.HEADER_BYTES + live.journal.samples * wav.SAMPLE_BYTES
            live.set(duration_s=live.journal.duration_s, size_bytes=size_bytes)
        self.write(live)

    def settle(self, take: int, live: LiveTake, *, is_over: bool = False) -> None:
        """Save what is known of the take, and let go of it if that was all."""
        if _is_nothing(live):
            self.forget(take, live)
            return
        self.save(live)
        if is_over or live.is_over:
            self.tidy_soon()
            if live.is_saved:
                del self.live[take]
            else:
                live.is_leaving = True
                self.retry_soon()

    def forget(self, take: int, live: LiveTake) -> None:
        """Nothing of the take is wanted: a press by mistake, or one that nobody spoke into.

        While its row cannot be deleted it stays live: left alone, it would be rescued at the next start.
        """
        live.is_unwanted = True
        if live.journal is not None:
            live.journal.abandon()
        try:
            is_gone = self._delete(live)
        except sqlite3.Error as exc:
            self.rows_failed(exc)
        except OSError as exc:
            self._sound_failed(exc)
        else:
            if is_gone:
                del self.live[take]
            else:
                self.retry_soon()
        self.count()

    def _delete(self, live: LiveTake) -> bool:
        """Delete row and sound. False: the database is not open, and may have a row."""
        if live.row is not None and self.store is None:
            return False
        row = self.store.row(live.row) if self.store is not None and live.row is not None else None
        if row is not None and self.store is not None:
            retention.delete(self.store, self.places.takes, row)
        elif live.journal is not None:
            live.journal.path.unlink(missing_ok=True)
        return True

    def save(self, live: LiveTake) -> None:
        """Make the row of a take say what it should, or see that it is tried again."""
        if self.store is None:
            self.retry_soon()
            return
        had_row = live.row is not None
        try:
            live.save(self.store)
        except sqlite3.Error as exc:
            self.rows_failed(exc)
            return
        self._troubles.end(Kind.ROWS)
        if not had_row and live.row is not None:
            self.post(Kept(live.take, live.row))

    def write(self, live: LiveTake) -> None:
        """Write the sound of a take, or see that it is tried again."""
        if live.journal is None or (Kind.SOUND in self._troubles and self._retry_at_s is not None):
            return  # it is tried again soon; not with every block
        try:
            live.journal.write()
        except OSError as exc:
            self._sound_failed(exc)
            return
        self._troubles.end(Kind.SOUND)
        if not live.journal.is_synced and self._sync_at_s is None:
            self._sync_at_s = self._clock() + SYNC_S

    def _write_all(self) -> None:
        """Try once more what did not work."""
        self.open()
        for take, live in list(self.live.items()):
            if live.is_unwanted:
                self.forget(take, live)
                continue
            self.write(live)
            if not live.is_saved:
                self.save(live)
            if live.is_leaving and live.is_saved:
                del self.live[take]
        self.count()

    def _sync_all(self) -> None:
        for live in self.live.values():
            if live.journal is not None and not live.journal.is_synced:
                try:
                    live.journal.sync()
                except OSError as exc:
                    self._sound_failed(exc)

    def _tidy(self) -> None:
        if self.store is None:
            return
        try:
            retention.tidy(self.store, self.places.takes, self.rules(), self.wall_s())
        except sqlite3.Error as exc:
            self.rows_failed(exc)

    # --- trouble -------------------------------------------------------------------------------------

    def _sound_failed(self, exc: OSError) -> None:
        self._troubles.begin(Kind.SOUND, sound_error(exc, self.places.takes))
        self.retry_soon()

    def rows_failed(self, exc: sqlite3.Error | OSError) -> None:
        """The database could not be read or written."""
        if isinstance(exc, sqlite3.Error) and is_damage(exc) and self.store is not None:
            self.store.close()
            self.store = None  # it is looked at, and set aside, when it is opened again
        self._troubles.begin(Kind.ROWS, row_error(exc, self.places.database))
        self.retry_soon()

    def retry_soon(self) -> None:
        """Have what is due tried again."""
        if self._retry_at_s is None:
            self._retry_at_s = self._clock() + RETRY_S

    def count(self) -> None:
        """Tell how much of what was fed is done with."""
        waiting = sum(live.journal.waiting_samples for live in self.live.values() if live.journal)
        self.taken_samples = self.fed_samples - waiting

    def now_ms(self) -> int:
        """What the clock on the wall says."""
        return int(self.wall_s() * 1000)


def _is_nothing(live: LiveTake) -> bool:
    """Whether a take of this session left nothing that anybody could want."""
    if live.journal is None or live.journal.is_of_before or live.before is not None or live.columns["text"]:
        return False
    if live.state is EntryState.CANCELLED:
        return live.journal.duration_s < SHORTEST_S
    return live.state in {EntryState.FAILED, EntryState.DONE} and not live.journal.samples


class LiveTake:
    """One take.

    Attributes:
        take: Its number in this session.
        columns: What its row should say.
        row: Its id, None until it was added.
        before: Of a take that is replayed: the state its entry was in.
        replays_before: How often it had been replayed then.
        journal: Its sound, None if that was written in an earlier session.
        is_gone: The user has deleted it.
        is_leaving: All has happened to it that will; it is only to be written.
        is_unwanted: It is only to be deleted.
    """

    def __init__(self, take: int, columns: dict[str, Any], journal: Journal | None) -> None:
        self.take = take
        self.columns = columns
        self.row: int | None = None
        self.before: EntryState | None = None
        self.replays_before = 0
        self.journal = journal
        self.is_gone = False
        self.is_leaving = False
        self.is_unwanted = False
        self._due = dict(columns)
        self._is_urgent = False

    @classmethod
    def adopted(cls, take: int, row: Row) -> LiveTake:
        """The take of an entry from before."""
        live = cls(take, {name: getattr(row, name) for name in Row.__slots__ if name != "id"}, None)
        live.row = row.id
        live._due.clear()
        return live

    @property
    def state(self) -> EntryState:
        """How far it has come."""
        return EntryState(self.columns["state"])

    @property
    def keep(self) -> Keep:
        """What is to be kept of it."""
        return Keep(self.columns["keep"])

    @property
    def whereabouts(self) -> Delivery:
        """Where its text is."""
        return Delivery(self.columns["whereabouts"])

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen to it."""
        if self.is_gone or self.state in {EntryState.FAILED, EntryState.CANCELLED}:
            return True
        return self.state is EntryState.DONE and (not self.columns["text"] or self.whereabouts.is_settled)

    @property
    def is_saved(self) -> bool:
        """Whether its row says what it should, and its file has all of its sound."""
        return (self.is_gone or not self._due) and (self.journal is None or self.journal.is_written)

    def set(self, *, is_urgent: bool = False, **columns: object) -> None:
        """Change what its row should say; ``is_urgent``: that must outlast a power cut."""
        self.columns.update(columns)
        self._due.update(columns)
        self._is_urgent |= is_urgent

    def save(self, store: Store) -> None:
        """Make its row say so.

        Raises:
            sqlite3.Error: Not possible now; it stays due.
        """
        if self.is_gone or not self._due:
            return
        if self.row is None:
            self.row = store.add(self.columns)
        elif not store.change(self.row, self._due, is_durable=self._is_urgent):
            self.is_gone = True  # the user has deleted it meanwhile
        self._due.clear()
        self._is_urgent = False

    def has_new_store(self, store: Store) -> None:
        """The database was begun anew: add the row again, unless it could be copied."""
        there = store.row(self.row) if self.row is not None else None
        # A new history counts from 1: another take may have this number by now.
        if there is None or (there.created_ms, there.file) != (
            self.columns["created_ms"],
            self.columns["file"],
        ):
            self.row = None
            self._due = dict(self.columns)


logger = logging.getLogger(__name__)

TOLD_AGAIN_S = 600.0
GOES_ON = "Dictating goes on; what is said is kept in memory and written when that is possible again."


class Kind(enum.Enum):
    """What does not work."""

    SOUND = enum.auto()
    ROWS = enum.auto()
    SLOW = enum.auto()


class Troubles:
    """Tells the user of each kind of trouble once while it lasts.

    Threads: any; each kind belongs to one of them.
    """

    def __init__(self, post: Post, clock: Callable[[], float]) -> None:
        self._post = post
        self._clock = clock
        self._lasting: set[Kind] = set()
        self._told_s: dict[str, float] = {}  # by title: two kinds may say the same

    def __contains__(self, kind: Kind) -> bool:
        return kind in self._lasting

    def begin(self, kind: Kind, error: HandyError) -> None:
        """Something of this kind does not work."""
        if kind not in self._lasting:
            logger.warning("history: %s", error)
        self.begin_quietly(kind, error)

    def begin_quietly(self, kind: Kind, error: HandyError) -> None:
        """The same without the log: that may lie on the very disk that is stuck, and hold up the caller."""
        if kind in self._lasting:
            return
        self._lasting.add(kind)
        told_s = self._told_s.get(error.title)
        if told_s is None or self._clock() - told_s >= TOLD_AGAIN_S:
            self._told_s[error.title] = self._clock()
            self._post(Failed(0, error))

    def end(self, kind: Kind) -> None:
        """It works again."""
        if kind in self._lasting:
            self._lasting.discard(kind)
            logger.info("history: trouble is over: %s", kind.name.lower())


def sound_error(exc: OSError, folder: Path) -> HistoryError:
    """What to tell when sound cannot be written."""
    if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
        return HistoryError("The disk is full.", GOES_ON)
    return HistoryError(f"What you say cannot be written to {folder}: {exc.strerror}.", GOES_ON)


def row_error(exc: sqlite3.Error | OSError, path: Path) -> HistoryError:
    """What to tell when the database cannot be written."""
    if is_locked(exc):
        return HistoryError("Another program holds the history.", GOES_ON)
    if _code(exc) == sqlite3.SQLITE_FULL or getattr(exc, "errno", None) in {errno.ENOSPC, errno.EDQUOT}:
        return HistoryError("The disk is full.", GOES_ON)
    return HistoryError(f"The history {path} cannot be written.", f"Look at its permissions. {GOES_ON}")


def slow_error() -> HistoryError:
    """What to tell when the disk does not come back."""
    return HistoryError("The disk does not answer.", GOES_ON)


def cut_error() -> HistoryError:
    """What to tell when more waits for the disk than memory should hold."""
    return HistoryError(
        "Only the beginning of this recording is kept.", "The disk does not answer. Its text will be whole."
    )


def is_locked(exc: BaseException) -> bool:
    """Whether another process was at work for too long."""
    return _code(exc) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _code(exc: BaseException) -> int:
    """SQLite's primary result code; 0 if there is none."""
    return (getattr(exc, "sqlite_errorcode", None) or 0) & 0xFF
