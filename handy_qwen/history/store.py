"""The database of the history: its rows, how it is opened and brought up to date, and set aside when damaged.

Knows SQL, but not threads or rules. Rows are validated as if anyone had written them: an invalid number
becomes 0, an unknown state FAILED, a file name that is not one of ours none.

SQLite in WAL mode lets the command line read while the program writes, and a killed process leaves a
consistent file. Deleted data is overwritten (``secure_delete``): it is what somebody said.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from handy_qwen import paths
from handy_qwen.core.search import fold
from handy_qwen.core.types import Delivery, Entry, EntryState, Keep
from handy_qwen.errors import HistoryError
from handy_qwen.message import Message

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE take (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created_ms INTEGER NOT NULL,              -- UTC, since 1970
        state TEXT NOT NULL,                      -- core.types.EntryState
        keep TEXT NOT NULL,                       -- core.types.Keep, as it was when the take began
        file TEXT NOT NULL DEFAULT '',            -- name in the folder of takes, '' if there is no sound
        duration_s REAL NOT NULL DEFAULT 0,
        size_bytes INTEGER NOT NULL DEFAULT 0,
        text TEXT NOT NULL DEFAULT '',
        asked_language TEXT NOT NULL DEFAULT '',
        language TEXT NOT NULL DEFAULT '',
        model TEXT NOT NULL DEFAULT '',
        application TEXT NOT NULL DEFAULT '',
        whereabouts TEXT NOT NULL DEFAULT '',     -- core.types.Delivery
        error TEXT NOT NULL DEFAULT '',
        settled_ms INTEGER NOT NULL DEFAULT 0,    -- when it was cancelled, failed or transcribed
        replays INTEGER NOT NULL DEFAULT 0,       -- how often a start of the program tried it again
        is_starred INTEGER NOT NULL DEFAULT 0,
        is_deleting INTEGER NOT NULL DEFAULT 0    -- its file goes first, then it
    );
    CREATE INDEX take_file ON take (file);
    CREATE INDEX take_state ON take (state);
    """,
    "ALTER TABLE take ADD COLUMN is_truncated INTEGER NOT NULL DEFAULT 0",  # words may be missing in its text
    # What was said, if the text differs: it was corrected, or nothing of it was to be inserted.
    "ALTER TABLE take ADD COLUMN original TEXT NOT NULL DEFAULT ''",
)
"""Each updates the schema from its index to the next version. Never changed once released."""


_LATEST_S = 32_503_593_600.0
MOST_CHARS = 1_000_000  # of a text; no take has more
_MOST_INT = 2**62
_FILE_NAME = re.compile(r"take-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}\.wav")
T = TypeVar("T", EntryState, Delivery, Keep)


class DamagedError(HistoryError):
    """The file is not a database, or is damaged."""

    def __init__(self) -> None:
        super().__init__(
            Message("The history is damaged."),
            Message("Start Handy Qwen: it sets it aside and starts a new one."),
        )


class NewerError(HistoryError):
    """Written by a later version of the program: it must not be touched."""

    def __init__(self) -> None:
        super().__init__(
            Message("The history is from a newer version of Handy Qwen."), Message("Update this one.")
        )


@dataclass(frozen=True, slots=True)
class Places:
    """The files of a history in ``folder``."""

    folder: Path

    @property
    def database(self) -> Path:
        """The database. SQLite keeps its -wal and -shm beside it."""
        return self.folder / "history.db"

    @property
    def takes(self) -> Path:
        """The folder of the audio files, one per take."""
        return self.folder / "takes"

    def make(self) -> None:
        """Create the folders. Raises OSError: that is not possible."""
        paths.make_private(self.folder)
        paths.make_private(self.takes)


def default_folder() -> Path:
    """The user's history."""
    return paths.data_dir() / "history"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the database. See ``MIGRATIONS`` for the columns; ``delivery`` is ``whereabouts`` there."""

    id: int
    created_ms: int
    state: EntryState
    keep: Keep
    file: str = ""
    duration_s: float = 0.0
    size_bytes: int = 0
    text: str = ""
    asked_language: str = ""
    language: str = ""
    model: str = ""
    application: str = ""
    delivery: Delivery = Delivery.NOWHERE
    error: str = ""
    settled_ms: int = 0
    replays: int = 0
    is_starred: bool = False
    is_deleting: bool = False
    is_truncated: bool = False
    original: str = ""

    @property
    def entry(self) -> Entry:
        """Its public part."""
        return Entry(
            self.id,
            self.created_ms / 1000,
            self.state,
            duration_s=self.duration_s,
            text=self.text,
            language=self.language or self.asked_language,
            model=self.model,
            application=self.application,
            delivery=self.delivery,
            error=self.error,
            is_starred=self.is_starred,
            has_audio=bool(self.file),
            is_truncated=self.is_truncated,
            original=self.original,
        )


def column_of(name: str) -> str:
    """The column of a field of ``Row``."""
    return "whereabouts" if name == "delivery" else name


_NAMES = tuple(one.name for one in fields(Row))
_COLUMNS = ", ".join(
    f"substr({name}, 1, {MOST_CHARS})" if name in {"text", "original"} else column_of(name) for name in _NAMES
)

# As bytes: other programs may have written invalid UTF-8.
_SEARCHED = "fold(CAST(text || char(10) || application AS BLOB))"


class Store:
    """An open database, for the thread that opened it.

    Methods raise ``sqlite3.Error`` if it is locked, full, damaged or not there.
    """

    def __init__(self, path: Path, *, busy_s: float) -> None:
        """Open ``path``, create it if there is none, and migrate it.

        ``busy_s`` is how long to wait for another process. Raises DamagedError: it is unusable;
        NewerError; sqlite3.Error: not now (locked, full, not permitted); OSError: it cannot be created.
        """
        self.path = path
        self._connection = _connected(path, busy_s)
        self._connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        self._connection.create_function("fold", 1, fold, deterministic=True)
        self._inode = path.stat().st_ino

    def check(self) -> None:
        """Check its integrity. Reads all of it: for startup. Raises DamagedError."""
        try:
            found = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as exc:
            if is_damage(exc):
                raise DamagedError from exc
            raise
        if found != ("ok",):
            raise DamagedError

    def is_in_place(self) -> bool:
        """Whether the file is still in place: it may have been deleted meanwhile."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    # --- writing -------------------------------------------------------------------------------------

    def add(self, values: dict[str, Any]) -> int:
        """Add a row and return its id."""
        columns, marks = ", ".join(map(column_of, values)), ", ".join("?" for _ in values)
        statement = f"INSERT INTO take ({columns}) VALUES ({marks})"
        number = self._connection.execute(statement, _storable(values)).lastrowid
        assert number is not None, "an INSERT has a row"
        return number

    def change(self, number: int, values: dict[str, Any], *, is_durable: bool = False) -> bool:
        """Change fields of a row; ``is_durable``: the change survives a power cut. False: no such row."""
        changes = ", ".join(f"{column_of(name)} = ?" for name in values)
        if is_durable:
            self._connection.execute("PRAGMA synchronous=FULL")
        try:
            statement = f"UPDATE take SET {changes} WHERE id = ?"
            done = self._connection.execute(statement, [*_storable(values), number])
        finally:
            if is_durable:
                self._connection.execute("PRAGMA synchronous=NORMAL")
        return done.rowcount == 1

    def remove(self, number: int) -> None:
        """Delete a row."""
        self._connection.execute("DELETE FROM take WHERE id = ?", [number])

    def checkpoint(self) -> None:
        """Move the log into the database and truncate it: it may contain deleted data."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    # --- reading -------------------------------------------------------------------------------------

    def row(self, number: int) -> Row | None:
        """The row with this id, unless it is being deleted."""
        if abs(number) > _MOST_INT:
            return None
        return next(self._select("id = ? AND NOT is_deleting", [number]), None)

    def files(self) -> dict[str, int]:
        """The file names in all rows, with their ids, including rows being deleted."""
        found = self._connection.execute("SELECT file, id FROM take WHERE file != ''")
        return {_text(name): number for name, number in found}

    def unsettled(self) -> Iterator[Row]:
        """Rows of takes that have no text yet, or whose text may not have arrived; oldest first."""
        return self._select(
            "NOT is_deleting AND (state IN ('recording', 'waiting')"
            " OR (state = 'done' AND text != '' AND whereabouts IN ('', 'begun', 'held')))",
            [],
        )

    def empty(self) -> Iterator[Row]:
        """Rows of takes of which nothing is left."""
        return self._select(
            "NOT is_deleting AND file = '' AND text = '' AND original = ''"
            " AND state NOT IN ('recording', 'waiting')",
            [],
        )

    def newest(self, *, most: int = -1) -> Iterator[Row]:
        """Rows, newest first; ``most`` -1: all."""
        return self._select("NOT is_deleting", [], order="id DESC", most=most)

    def oldest(self) -> Iterator[Row]:
        """All rows, oldest first."""
        return self._select("NOT is_deleting", [])

    def being_deleted(self) -> Iterator[Row]:
        """Rows whose deletion was begun."""
        return self._select("is_deleting", [])

    def beside(self, number: int, *, is_before: bool) -> Row | None:
        """The row with the next greater or smaller id, including rows being deleted."""
        condition, order = ("id < ?", "id DESC") if is_before else ("id > ?", "id")
        return next(self._select(condition, [number], order=order, most=1), None)

    def matching(self, words: Iterable[str], *, most: int = -1) -> Iterator[Row]:
        """Rows whose text or application contains each word, newest first. Accents and case are ignored.

        Every text is scanned: a word may be part of another (as in German) or between others without spaces
        (as in Chinese), which full-text indexes of words do not find.
        """
        folded = [fold(word) for word in words]
        condition = " AND ".join(["NOT is_deleting", *[f"instr({_SEARCHED}, ?) > 0"] * len(folded)])
        return self._select(condition, folded, order="id DESC", most=most)

    def _select(
        self, condition: str, values: list[Any], *, order: str = "id", most: int = -1
    ) -> Iterator[Row]:
        found = self._connection.execute(
            f"SELECT {_COLUMNS} FROM take WHERE {condition} ORDER BY {order} LIMIT ?", [*values, most]
        )
        return map(_row, found)


def moment_of(created_s: float) -> datetime:
    """When that was, in UTC, limited to the year 3000: Windows knows no later local time."""
    return datetime.fromtimestamp(min(max(0.0, created_s), _LATEST_S), UTC)


def new_file_name(created_ms: int) -> str:
    """A name that no other take has."""
    created = moment_of(created_ms / 1000)
    return f"take-{created:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}.wav"


def is_file_name(name: str) -> bool:
    """Whether ``new_file_name`` could have made ``name``: no other file is ever touched."""
    return _FILE_NAME.fullmatch(name) is not None


def _storable(columns: dict[str, Any]) -> list[Any]:
    """The values, with texts made valid UTF-8: an application's name may be any bytes."""
    return [
        value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for value in columns.values()
    ]


def _row(found: tuple[Any, ...]) -> Row:
    return Row(**{name: _READERS.get(name, _text)(value) for name, value in zip(_NAMES, found, strict=True)})


def _whole(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < _MOST_INT else 0


def _real(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e9 else 0.0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _file(value: object) -> str:
    return value if isinstance(value, str) and is_file_name(value) else ""


def _one_of(kind: type[T], otherwise: T) -> Callable[[object], T]:
    words: dict[object, T] = {one.value: one for one in kind}
    return lambda value: words.get(value, otherwise)


_READERS: dict[str, Callable[[Any], Any]] = {
    "id": int,
    "created_ms": _whole,
    "state": _one_of(EntryState, EntryState.FAILED),
    "keep": _one_of(Keep, Keep.AUDIO_AND_TEXT),
    "file": _file,
    "duration_s": _real,
    "size_bytes": _whole,
    "delivery": _one_of(Delivery, Delivery.KEPT),
    "settled_ms": _whole,
    "replays": _whole,
    "is_starred": bool,
    "is_deleting": bool,
    "is_truncated": bool,
}


def _connected(path: Path, busy_s: float) -> sqlite3.Connection:
    """The open database, created if missing, and migrated."""
    # Created here to set its mode, which its -wal and -shm inherit. SQLite alone opens an existing file:
    # closing any descriptor of it drops all locks of the process on it, also those of a connection on another
    # thread, and then another process may delete the -wal that this one keeps writing to.
    # Source: https://www.sqlite.org/howtocorrupt.html, section 2.2.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    # One thread at a time, but a thread that died is replaced.
    connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
        connection.execute("PRAGMA synchronous=NORMAL")  # FULL where a row must survive a power cut
        connection.execute("PRAGMA secure_delete=ON").fetchone()
        connection.execute("PRAGMA trusted_schema=OFF")
        migrate(connection)
        _check_columns(connection)
    except BaseException as exc:
        connection.close()
        # SQLITE_ERROR: "unsupported file format".
        is_unusable = getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
        if isinstance(exc, sqlite3.Error) and (is_damage(exc) or is_unusable):
            raise DamagedError from exc
        raise
    return connection


def _check_columns(connection: sqlite3.Connection) -> None:
    found = {row[1] for row in connection.execute("PRAGMA table_info(take)")}
    if not found.issuperset(map(column_of, _NAMES)):
        raise DamagedError  # another program's


def migrate(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Run the missing migrations, all or none. Raises NewerError, sqlite3.Error."""
    version = _version(connection)
    if version > len(migrations):
        raise NewerError
    if version == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been faster
        for script in migrations[version:]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # when the disk is full, SQLite has rolled back itself
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_damage(error: sqlite3.Error) -> bool:
    """Whether ``error`` means that the file is damaged or not ours, so that waiting will not help."""
    return error_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def set_aside(path: Path) -> Path:
    """Rename a damaged database and its side files to make room for a new one. Raises OSError."""
    stem = f"{path.stem}.broken-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    aside, count = path.with_name(f"{stem}{path.suffix}"), 1
    while aside.exists():
        count += 1
        aside = path.with_name(f"{stem}-{count}{path.suffix}")
    path.replace(aside)
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists():
        wal.replace(aside.with_name(f"{aside.name}-wal"))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)  # recreated from the others
    return aside


def is_locked(error: BaseException) -> bool:
    """Whether another process held the lock for too long."""
    return error_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def error_code(error: BaseException) -> int:
    """SQLite's primary result code; 0 if there is none, as for errors of the module itself."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
