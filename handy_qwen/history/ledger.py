"""The takes of the running program that the history must still update: a row and a file each.

Runs on the history's thread, and may wait for the disk. Failed writes are retried and reported once.
"""

from __future__ import annotations

import errno
import logging
import math
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from handy_qwen.core.effects import KeepText
from handy_qwen.core.events import Failed, Kept, Replayed
from handy_qwen.core.ports import Post, Sink
from handy_qwen.core.types import RATE_HZ, Delivery, EntryState, Samples
from handy_qwen.errors import HandyError, HistoryError
from handy_qwen.history import recovery, retention, wav
from handy_qwen.history.retention import SHORTEST_S, RetentionRules
from handy_qwen.history.store import (
    NewerError,
    Places,
    Row,
    Store,
    error_code,
    is_damage,
    is_locked,
    new_file_name,
)
from handy_qwen.history.wav import Journal, Stage
from handy_qwen.message import Message, sentences

logger = logging.getLogger(__name__)

SYNC_S = 1.0  # interval for syncing audio to disk
RETRY_S = 1.0
TIDY_S = 900.0  # cancelled and old takes are deleted even if nobody dictates
BUSY_S = 0.25  # audio waits meanwhile
QUIET_S = 600.0  # without an error, before it is reported again
GOES_ON = Message("Dictation still works. Recordings stay in memory until they can be saved.")
NO_SOUND = HistoryError(
    Message("The recording no longer exists."), Message("It was deleted, or only the text was kept.")
)
STILL_SPOKEN = HistoryError(
    Message("This dictation is still being recorded."), Message("Try again when it's finished.")
)
_COLUMNS = frozenset(Row.__slots__) - {"id"}


class LiveTake:
    """A take that can still change. What cannot be written now stays due here."""

    def __init__(self, take: int, row: Row, journal: Journal | None = None) -> None:
        self.take = take  # its number in this session
        self.row = row  # the desired row; its id is 0 until it was added
        self.before: Row | None = None  # of a replayed take: its earlier row
        self.journal = journal  # its audio; None if that was written in an earlier session
        self.is_gone = False  # the user has deleted it
        self.is_leaving = False  # nothing more will happen to it, whatever its state says
        self.is_unwanted = False  # it only needs to be deleted
        self._due = set() if row.id else set(_COLUMNS)
        self._is_urgent = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen to it."""
        if self.is_gone or self.is_leaving or self.row.state in {EntryState.FAILED, EntryState.CANCELLED}:
            return True
        return self.row.state is EntryState.DONE and (not self.row.text or self.row.delivery.is_settled)

    @property
    def is_row_saved(self) -> bool:
        """Whether its row is up to date."""
        return self.is_gone or not self._due

    @property
    def is_nothing(self) -> bool:
        """Whether it is of this session and holds nothing worth keeping."""
        if self.journal is None or self.journal.is_of_before or self.before is not None or self.row.text:
            return False
        if self.row.state is EntryState.CANCELLED:
            return self.journal.duration_s < SHORTEST_S
        return self.row.state in {EntryState.FAILED, EntryState.DONE} and not self.journal.samples

    def set(self, *, is_urgent: bool = False, **columns: object) -> None:
        """Change the desired row; ``is_urgent``: the change must survive a power cut."""
        self.row = replace(self.row, **columns)  # type: ignore[arg-type]  # each call has the columns of a row
        self._due.update(columns)
        self._is_urgent |= is_urgent

    def save(self, store: Store) -> None:
        """Bring its row up to date. Raises sqlite3.Error: not possible now; it stays due."""
        columns = {name: getattr(self.row, name) for name in self._due}
        if not self.row.id:
            self.row = replace(self.row, id=store.add(columns))
        elif not store.change(self.row.id, columns, is_durable=self._is_urgent):
            self.is_gone = True  # the user has deleted it meanwhile
        self._due.clear()
        self._is_urgent = False

    def has_new_store(self, store: Store) -> None:
        """The database was replaced: add the row again, unless it could be copied."""
        there = store.row(self.row.id)
        # A new history counts from 1: another take may have this number by now.
        if there is None or (there.created_ms, there.file) != (self.row.created_ms, self.row.file):
            self.row = replace(self.row, id=0)
            self._due = set(_COLUMNS)


class Ledger:
    """The files and the database, and the takes being written. See ``disk.DiskHistory``."""

    def __init__(
        self,
        post: Post,
        folder: Path,
        rules: Callable[[], RetentionRules],
        reporter: ErrorReporter,
        *,
        clock: Callable[[], float],
        wall_s: Callable[[], float],
    ) -> None:
        self.places = Places(folder)
        self.store: Store | None = None
        # The takes of this session that can still change, by number
        self.live: dict[int, LiveTake] = {}
        self.fed_samples = 0  # samples received
        self.taken_samples = 0  # those of them that are written, or no longer wanted
        self._post = post
        self._rules = rules
        self._reporter = reporter
        self._clock = clock
        self._wall_s = wall_s
        self._is_recovered = False
        self._is_sound_failing = False
        self._sync_at_s = math.inf
        self._retry_at_s = math.inf
        self._tidy_at_s = clock() + TIDY_S

    # --- what happens to a take ----------------------------------------------------------------------

    def begin(self, take: int, created_ms: int, language: str, model: str) -> None:
        """A take begins: its row first, then its file."""
        if self.store is not None and not self.store.is_in_place():
            logger.warning("the history was taken away: a new one is begun")
            self._close_store()
        self.open()
        name = new_file_name(created_ms)
        keep = self._rules().keep
        row = Row(0, created_ms, EntryState.RECORDING, keep, file=name, asked_language=language, model=model)
        live = self.live[take] = LiveTake(take, row, Journal(self.places.takes / name, created_ms))
        self._save(live)

    def feed(self, take: int, block: Samples) -> None:
        """The next block."""
        self.fed_samples += len(block)
        live = self.live.get(take)
        if live is not None and live.journal is not None:
            live.journal.add(block)
            self._write(live)
        self._count()

    def complete(self, take: int) -> None:
        """The recording has ended."""
        live = self.live.get(take)
        if live is not None and live.row.state is EntryState.RECORDING:
            self._advance(live, Stage.COMPLETE, state=EntryState.WAITING)

    def done(self, kept: KeepText) -> None:
        """Store the text; an empty one does not replace an earlier text."""
        live = self.live.get(kept.take)
        if live is None:
            return
        if live.before is not None and live.before.text and not kept.text:
            live.is_leaving = True
            self._settle(live)
            return
        known = {"language": kept.language, "model": kept.model, "application": kept.application}
        self._advance(
            live,
            Stage.COMPLETE if kept.text else Stage.SETTLED,
            is_urgent=True,
            state=EntryState.DONE,
            text=kept.text,
            original=kept.original,
            is_truncated=kept.is_truncated,
            settled_ms=int(self._wall_s() * 1000),
            error="",
            delivery=Delivery.NOWHERE,
            replays=0,
            **{name: value for name, value in known.items() if value},
        )

    def failed(self, take: int, title: str) -> None:
        """There is no text; an earlier one stays."""
        live = self.live.get(take)
        if live is None:
            return
        live.is_leaving = live.before is not None and live.before.state is EntryState.DONE
        if live.is_leaving or live.row.state is EntryState.DONE:
            self._settle(live)
        else:
            now_ms = int(self._wall_s() * 1000)
            self._advance(
                live, Stage.SETTLED, state=EntryState.FAILED, error=title, settled_ms=now_ms, replays=0
            )

    def cancelled(self, take: int) -> None:
        """The user cancelled it; a replay leaves its entry unchanged."""
        live = self.live.get(take)
        if live is None:
            return
        if live.before is not None:
            live.is_leaving = True
            self._advance(live, None, state=live.before.state, replays=live.before.replays)
        else:
            now_ms = int(self._wall_s() * 1000)
            self._advance(live, Stage.CANCELLED, state=EntryState.CANCELLED, settled_ms=now_ms, replays=0)

    def went(self, take: int, where: Delivery) -> None:
        """The text was delivered, or is about to be."""
        live = self.live.get(take)
        if live is not None and live.row.state is EntryState.DONE:
            stage = Stage.SETTLED if where.is_settled else None
            self._advance(live, stage, is_urgent=True, delivery=where)

    def adopt(self, take: int, entry: int) -> None:
        """From now on ``take`` stands for ``entry``, if that exists."""
        row = self._row(entry)
        if row is not None:
            self.live[take] = LiveTake(take, row)

    def replay(self, take: int, entry: int, sink: Sink) -> None:
        """Adopt ``entry`` and pass its audio to ``sink``."""
        if any(
            live.row.id == entry and live.row.state is EntryState.RECORDING for live in self.live.values()
        ):
            self._post(Failed(take, STILL_SPOKEN))
            return
        self.adopt(take, entry)
        live = self.live.get(take)
        if live is None or not live.row.file:
            self.live.pop(take, None)
            self._post(Failed(take, NO_SOUND))
            return
        live.before = live.row
        if live.row.state is not EntryState.DONE:  # an existing text stays until there is a better one
            live.set(is_urgent=True, state=EntryState.WAITING, replays=live.row.replays + 1)
            self._save(live)
        work = partial(_read, self.places.takes / live.row.file, take, sink, self._post)
        threading.Thread(target=work, name="history-read", daemon=True).start()

    # --- time ----------------------------------------------------------------------------------------

    def pause_s(self) -> float:
        """For how long nothing is due."""
        return max(0.0, min(self._sync_at_s, self._retry_at_s, self._tidy_at_s) - self._clock())

    def work(self) -> None:
        """Do what is due."""
        now_s = self._clock()
        if now_s >= self._retry_at_s:
            self._retry_at_s = math.inf
            self._write_all()
        if now_s >= self._sync_at_s:
            self._sync_at_s = math.inf
            self._sync_all()
        if now_s >= self._tidy_at_s:
            self._tidy_at_s = now_s + TIDY_S
            self._tidy()

    def tidy_soon(self) -> None:
        """Apply the retention rules when there is nothing else to do."""
        self._tidy_at_s = self._clock()

    # --- opening and closing -------------------------------------------------------------------------

    def open(self) -> None:
        """Open and repair the database, unless that is done."""
        if self.store is not None and self._is_recovered and self.places.takes.is_dir():
            return
        try:
            self.places.make()
            if self.store is None:
                self.store = self._opened_store()
            if not self._is_recovered:
                self._recover(self.store)
        except NewerError as exc:
            self._reporter.report(exc)
        except (sqlite3.Error, OSError) as exc:
            self._rows_failed(exc)

    def _opened_store(self) -> Store:
        store, damage = recovery.open_or_renew(self.places.database, busy_s=BUSY_S)
        if damage:
            self._post(Failed(0, HistoryError(Message("The history was damaged."), damage)))
        try:
            for live in self.live.values():
                live.has_new_store(store)
        except sqlite3.Error:
            store.close()  # not used before every take knows of it: it is opened again
            raise
        return store

    def _recover(self, store: Store) -> None:
        in_use = {live.row.file for live in self.live.values()}
        takes, now_s = self.places.takes, self._wall_s()
        recovered, given_up = recovery.put_in_order(store, takes, in_use=in_use, now_s=now_s)
        self._is_recovered = True
        self.tidy_soon()
        if given_up:
            hint = Message("It's saved. See: handy-qwen history list")
            self._post(Failed(0, HistoryError(Message("A recording couldn't be transcribed."), hint)))
        self._post(recovered)

    def _row(self, entry: int) -> Row | None:
        """The row of an entry; None also if it cannot be read now."""
        self.open()
        try:
            return self.store.row(entry) if self.store is not None else None
        except sqlite3.Error as exc:
            self._rows_failed(exc)
            return None

    def close(self) -> None:
        """Write what is left. Unfinished takes are found at the next start."""
        self._retry_at_s = math.inf  # retry at once
        self._write_all()
        self._sync_all()
        for live in self.live.values():
            if live.journal is not None:
                live.journal.close()
        self._close_store()
        self._retry_at_s = self._sync_at_s = math.inf  # a retry would open it again
        self._tidy_at_s = self._clock() + TIDY_S

    def _close_store(self) -> None:
        if self.store is not None:
            self.store.close()
            self.store = None

    # --- writing -------------------------------------------------------------------------------------

    def _advance(
        self, live: LiveTake, stage: Stage | None, *, is_urgent: bool = False, **columns: object
    ) -> None:
        """Update the row of a take and, unless ``stage`` is None, the stage in its file."""
        live.set(is_urgent=is_urgent, **columns)
        if stage is not None and live.journal is None and live.row.file:
            live.journal = Journal(self.places.takes / live.row.file, is_of_before=True)
        if stage is not None and live.journal is not None:
            live.journal.finish(stage)
            if not live.journal.is_of_before:
                size_bytes = wav.HEADER_BYTES + live.journal.samples * wav.SAMPLE_BYTES
                live.set(duration_s=live.journal.duration_s, size_bytes=size_bytes)
        self._settle(live)

    def _settle(self, live: LiveTake) -> None:
        """Write what is due of a take, and drop it when it cannot change any more."""
        if live.is_unwanted or live.is_nothing:
            self._forget(live)
            return
        self._write(live)
        self._save(live)
        if live.is_over:
            self.tidy_soon()
            if live.is_row_saved and (live.journal is None or live.journal.is_written):
                del self.live[live.take]
            else:
                self._retry_soon()

    def _forget(self, live: LiveTake) -> None:
        """Delete a take that was an accidental press, or had no speech.

        While its row cannot be deleted it stays live: otherwise it would be recovered at the next start.
        """
        live.is_unwanted = True
        if live.journal is not None:
            live.journal.abandon()
        try:
            row = self.store.row(live.row.id) if self.store is not None else None
            if row is not None and self.store is not None:
                retention.delete(self.store, self.places.takes, row)
            elif live.journal is not None:
                live.journal.path.unlink(missing_ok=True)
        except sqlite3.Error as exc:
            self._rows_failed(exc)
        except OSError as exc:
            self._sound_failed(exc)
        else:
            if live.row.id and self.store is None:
                self._retry_soon()  # it may have a row
            else:
                del self.live[live.take]
        self._count()

    def _save(self, live: LiveTake) -> None:
        """Bring the row of a take up to date, or schedule a retry."""
        if live.is_row_saved:
            return
        if self.store is None:
            self._retry_soon()
            return
        is_new = not live.row.id
        try:
            live.save(self.store)
        except sqlite3.Error as exc:
            self._rows_failed(exc)
            return
        if is_new:
            self._post(Kept(live.take, live.row.id))

    def _write(self, live: LiveTake) -> None:
        """Write the audio of a take, or schedule a retry."""
        if (
            live.journal is None
            or live.journal.is_written
            or (self._is_sound_failing and self._retry_at_s < math.inf)
        ):
            return  # retried soon; not with every block
        try:
            live.journal.write()
        except OSError as exc:
            self._sound_failed(exc)
            return
        self._is_sound_failing = False
        if not live.journal.is_synced:
            self._sync_at_s = min(self._sync_at_s, self._clock() + SYNC_S)

    def _write_all(self) -> None:
        self.open()
        for live in list(self.live.values()):
            self._settle(live)
        self._count()

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
            retention.tidy(self.store, self.places.takes, self._rules(), self._wall_s())
        except sqlite3.Error as exc:
            self._rows_failed(exc)

    # --- trouble -------------------------------------------------------------------------------------

    def _sound_failed(self, exc: OSError) -> None:
        self._is_sound_failing = True
        self._reporter.report(_sound_error(exc, self.places.takes))
        self._retry_soon()

    def _rows_failed(self, exc: sqlite3.Error | OSError) -> None:
        if isinstance(exc, sqlite3.Error) and is_damage(exc):
            self._close_store()  # checked, and set aside if damaged, when it is opened again
        self._reporter.report(_row_error(exc, self.places.database))
        self._retry_soon()

    def _retry_soon(self) -> None:
        self._retry_at_s = min(self._retry_at_s, self._clock() + RETRY_S)

    def _count(self) -> None:
        waiting = sum(live.journal.waiting_samples for live in self.live.values() if live.journal)
        self.taken_samples = self.fed_samples - waiting


def _read(path: Path, take: int, sink: Sink, post: Post) -> None:
    """Pass the audio of a file to ``sink``. Runs on ``history-read``."""
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
        post(
            Failed(
                take,
                HistoryError(Message("The recording couldn't be read."), Message("See the log for details.")),
            )
        )
    else:
        post(Replayed(take, samples / RATE_HZ))


class ErrorReporter:
    """Reports a failure once while it lasts, and again if it returns after a while. Any thread."""

    def __init__(self, post: Post, clock: Callable[[], float]) -> None:
        self._post = post
        self._clock = clock
        self._last_s: dict[str, float] = {}  # by title

    def report(self, error: HandyError, *, is_logged: bool = True) -> None:
        """``error`` has occurred. Logging may block, if the log is on the disk that hangs."""
        now_s = self._clock()
        last_s, self._last_s[error.title] = self._last_s.get(error.title, -math.inf), now_s
        if now_s - last_s >= QUIET_S:
            if is_logged:
                logger.warning("history: %s", error)
            self._post(Failed(0, error))


def _sound_error(exc: OSError, folder: Path) -> HistoryError:
    if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
        return HistoryError(Message("The disk is full."), GOES_ON)
    return HistoryError(
        Message("Can't save what you say to {folder}: {reason}.", folder=folder, reason=exc.strerror), GOES_ON
    )


def _row_error(exc: sqlite3.Error | OSError, path: Path) -> HistoryError:
    if is_locked(exc):
        return HistoryError(Message("Another program is using the history."), GOES_ON)
    if error_code(exc) == sqlite3.SQLITE_FULL or getattr(exc, "errno", None) in {errno.ENOSPC, errno.EDQUOT}:
        return HistoryError(Message("The disk is full."), GOES_ON)
    title = Message("Can't write the history {path}.", path=path)
    hint = sentences(Message("Check its permissions."), GOES_ON)
    return HistoryError(title, hint)
