"""The history for viewing and changing entries: used by the command line and a window.

May be used while the program runs; that alone repairs the history and creates files. SQLite serializes
writers. For the thread that opened it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from handy_qwen.core.types import Delivery, Entry, EntryState, Retried
from handy_qwen.errors import HistoryError
from handy_qwen.history import retention, wav
from handy_qwen.history.store import Places, Row, Store, is_locked
from handy_qwen.message import Message

BUSY_S = 5.0


class Archive:
    """The entries of a history; empty if there is none in ``folder`` yet.

    All methods raise ``HistoryError`` if it cannot be read or written. ``is_app_running``: whether the app
    may be working on entries; called when it matters.
    """

    def __init__(self, folder: Path, *, is_app_running: Callable[[], bool] = lambda: True) -> None:
        self._places = Places(folder)
        self._is_app_running = is_app_running
        self._store: Store | None = None
        with self._explained():
            if self._places.database.is_file():
                self._store = Store(self._places.database, busy_s=BUSY_S)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        if self._store is not None:
            self._store.close()
            self._store = None

    # --- looking -------------------------------------------------------------------------------------

    def newest(self, most: int = -1) -> Iterator[Entry]:
        """Entries, newest first; ``most`` -1: all. Read one at a time: there may be many."""
        return self._entries(lambda store: store.newest(most=most))

    def oldest(self) -> Iterator[Entry]:
        """All entries, oldest first."""
        return self._entries(Store.oldest)

    def matching(self, words: Sequence[str], most: int = -1) -> Iterator[Entry]:
        """Entries whose text or application contains all ``words``, newest first."""
        return self._entries(lambda store: store.matching(words, most=most))

    def entry(self, number: int) -> Entry:
        """The entry with this id. Raises HistoryError: there is none."""
        return self._row(number).entry

    def asked_language(self, number: int) -> str:
        """The language requested for the recording; "" if it was to be detected."""
        return self._row(number).asked_language

    def audio(self, number: int) -> Path:
        """Its audio file. Raises HistoryError: there is none."""
        row = self._row(number)
        path = self._places.takes / row.file
        if not row.file or not path.is_file():
            title = Message("Entry {number} has no recording.", number=number)
            hint = Message("It was deleted, or only the text was kept.")
            raise HistoryError(title, hint)
        return path

    # --- changing ------------------------------------------------------------------------------------

    def star(self, number: int, *, is_starred: bool) -> None:
        """Exempt an entry from automatic deletion, or not."""
        self._change(number, {"is_starred": int(is_starred)})

    def correct(self, number: int, text: str) -> None:
        """Store a corrected text; the original is kept beside it while they differ."""
        row = self._row(number)
        original = row.original or row.text
        is_undone = text.strip() == original.strip()
        columns = {"text": original, "original": ""} if is_undone else {"text": text, "original": original}
        self._change(number, dict(columns))

    def check_is_free(self, number: int) -> None:
        """Raise a HistoryError if the running app is working on an entry, or there is none."""
        state = self._row(number).state
        if state in {EntryState.RECORDING, EntryState.WAITING} and self._is_app_running():
            title = Message("The app is working on entry {number}.", number=number)
            hint = Message("Wait until it's transcribed.")
            raise HistoryError(title, hint)

    def delete(self, number: int) -> None:
        """Delete an entry and its audio. Raises HistoryError: there is none, or it is in use or locked."""
        self.check_is_free(number)
        row = self._row(number)
        with self._explained():
            assert self._store is not None, "it has a row"
            if not retention.delete(self._store, self._places.takes, row):
                title = Message("The recording of entry {number} couldn't be deleted.", number=number)
                hint = Message("Check {path}.", path=self._places.takes)
                raise HistoryError(title, hint)

    def forget_traces(self) -> None:
        """Overwrite deleted data in SQLite's log. To be called after deleting."""
        if self._store is not None:
            with suppress(sqlite3.Error):  # in use by a reader: the running program does it later
                self._store.checkpoint()

    def transcribed(self, number: int, found: Retried) -> None:
        """Store a new text that the user has seen. Raises HistoryError: it is empty."""
        row = self._row(number)
        if row.text and not found.text:
            raise HistoryError(
                Message("No speech was found this time."), Message("The previous text is unchanged.")
            )
        columns = {
            **asdict(found),
            "state": EntryState.DONE,
            "error": "",
            "settled_ms": int(time.time() * 1000),
            "replays": 0,
        }
        if not row.delivery.is_settled:
            columns["delivery"] = Delivery.PRINTED
        self._change(number, columns)
        if row.file:
            with suppress(OSError):  # the row has it; the file only matters if that is lost
                wav.note_stage(self._places.takes / row.file, wav.Stage.SETTLED)

    # --- inside --------------------------------------------------------------------------------------

    def _entries(self, rows_of: Callable[[Store], Iterator[Row]]) -> Iterator[Entry]:
        with self._explained():
            for row in rows_of(self._store) if self._store is not None else ():
                yield row.entry

    def _row(self, number: int) -> Row:
        with self._explained():
            row = self._store.row(number) if self._store is not None else None
        if row is None:
            raise HistoryError(
                Message("There is no entry {number}.", number=number), Message("See: handy-qwen history list")
            )
        return row

    def _change(self, number: int, columns: dict[str, object]) -> None:
        self._row(number)
        with self._explained():
            assert self._store is not None, "it has a row"
            self._store.change(number, columns, is_durable=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            if is_locked(exc):
                raise HistoryError(
                    Message("Another program is using the history."), Message("Try again in a moment.")
                ) from exc
            title = Message("Can't read or write the history.")
            hint = Message("Check {path}.", path=self._places.database)
            raise HistoryError(title, hint) from exc
        except OSError as exc:
            title = Message(
                "{folder} cannot be used: {reason}.", folder=self._places.folder, reason=exc.strerror
            )
            hint = Message("Check its permissions.")
            raise HistoryError(title, hint) from exc
