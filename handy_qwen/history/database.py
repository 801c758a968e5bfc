"""The database file: how it is opened, brought up to date, and set aside when it is damaged.

SQLite in WAL mode, so that the command line reads while the program writes, and a process that is killed
leaves a sound file behind. What is deleted is overwritten (``secure_delete``): it is what somebody said.
``PRAGMA user_version`` counts the migrations that were run.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from handy_qwen.errors import HistoryError

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE take (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created_ms INTEGER NOT NULL,              -- UTC, since 1970
        state TEXT NOT NULL,                      -- core.entries.State
        keep TEXT NOT NULL,                       -- core.entries.Keep, as it was when the take began
        file TEXT NOT NULL DEFAULT '',            -- name in the folder of takes, '' if there is no sound
        duration_s REAL NOT NULL DEFAULT 0,
        size_bytes INTEGER NOT NULL DEFAULT 0,
        text TEXT NOT NULL DEFAULT '',
        asked_language TEXT NOT NULL DEFAULT '',
        language TEXT NOT NULL DEFAULT '',
        model TEXT NOT NULL DEFAULT '',
        application TEXT NOT NULL DEFAULT '',
        whereabouts TEXT NOT NULL DEFAULT '',     -- core.entries.Whereabouts
        error TEXT NOT NULL DEFAULT '',
        settled_ms INTEGER NOT NULL DEFAULT 0,    -- when it was cancelled or failed
        replays INTEGER NOT NULL DEFAULT 0,       -- how often a start of the program tried it again
        is_starred INTEGER NOT NULL DEFAULT 0,
        is_deleting INTEGER NOT NULL DEFAULT 0    -- its file goes first, then it
    );
    CREATE INDEX take_file ON take (file);
    CREATE INDEX take_state ON take (state);
    """,
)
"""Each brings the schema from its index to the next version. Never changed once released."""

COLUMNS = frozenset(
    [
        "id",
        "created_ms",
        "state",
        "keep",
        "file",
        "duration_s",
        "size_bytes",
        "text",
        "asked_language",
        "language",
        "model",
        "application",
        "whereabouts",
        "error",
        "settled_ms",
        "replays",
        "is_starred",
        "is_deleting",
    ]
)


class DamagedError(HistoryError):
    """The file is no database, or its contents are damaged."""

    def __init__(self) -> None:
        super().__init__(
            "The history is damaged.", "Start the program: it sets it aside and begins a new one."
        )


class NewerError(HistoryError):
    """A later version of the program has written it; to touch it would be to break it."""

    def __init__(self) -> None:
        super().__init__("The history was written by a newer version of the program.", "Update this one.")


def connect(path: Path, busy_s: float) -> sqlite3.Connection:
    """Open the database, create it if there is none, and bring it up to date.

    Args:
        path: Its folder must be there.
        busy_s: How long to wait for another process before giving up.

    Raises:
        DamagedError: It cannot be used any more.
        NewerError: Its version is not known.
        sqlite3.Error: It cannot be opened now: locked, full, not permitted.
        OSError: It cannot be created.
    """
    # Made here for its mode, which its -wal and -shm inherit. One that is there is opened by SQLite alone:
    # closing any descriptor of a file ends all locks that the process has on it, also those of a connection
    # on another thread, and then another process deletes the -wal that this one goes on writing to.
    # Source: https://www.sqlite.org/howtocorrupt.html, section 2.2.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    # One thread at a time; but a history's thread that died is followed by another.
    connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
        connection.execute("PRAGMA synchronous=NORMAL")  # FULL where a row must outlast a power cut
        connection.execute("PRAGMA secure_delete=ON").fetchone()
        connection.execute("PRAGMA trusted_schema=OFF")
        migrate(connection)
        _look_for_columns(connection)
    except BaseException as exc:
        connection.close()
        if isinstance(exc, sqlite3.Error) and (is_damage(exc) or _is_unusable(exc)):
            raise DamagedError from exc
        raise
    return connection


def migrate(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Run the migrations that were not run yet, all or none.

    Raises:
        NewerError: It is further than we are.
        sqlite3.Error: One of them failed; nothing was changed.
    """
    version = _version(connection)
    if version > len(migrations):
        raise NewerError
    if version == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been quicker
        for script in migrations[version:]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _look_for_columns(connection: sqlite3.Connection) -> None:
    found = {row[1] for row in connection.execute("PRAGMA table_info(take)")}
    if not found >= COLUMNS:
        raise DamagedError  # some other program's


def check(connection: sqlite3.Connection) -> None:
    """Look whether the database is whole. Reads all of it: for the start.

    Raises:
        DamagedError: It is not.
        sqlite3.Error: It cannot be read now.
    """
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as exc:
        if is_damage(exc):
            raise DamagedError from exc
        raise
    if found != ("ok",):
        raise DamagedError


def is_damage(error: sqlite3.Error) -> bool:
    """Whether ``error`` says that the file is damaged or none of ours, and waiting will not help."""
    code = getattr(error, "sqlite_errorcode", None)  # none where it comes from the module itself
    return code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _is_unusable(error: sqlite3.Error) -> bool:
    """Whether what every history understands is not understood by this one: "unsupported file format"."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR


def set_aside(path: Path) -> Path:
    """Rename a damaged database, with what belongs to it, so that a new one can be begun.

    Raises:
        OSError: That is not possible.
    """
    stem = f"{path.stem}.broken-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    aside, count = path.with_name(f"{stem}{path.suffix}"), 1
    while aside.exists():
        count += 1
        aside = path.with_name(f"{stem}-{count}{path.suffix}")
    path.replace(aside)
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists():
        wal.replace(aside.with_name(f"{aside.name}-wal"))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)  # made anew from the others
    return aside
