"""The history: whether its database is whole, and how much there is of it. No text is read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, fine, problem
from handy_qwen.history.places import Places, default_folder

NAME = "history"
BUSY_S = 2.0


def check(_context: Context) -> Iterator[Finding]:
    """Look at the database without changing it."""
    places = Places(default_folder())
    if not places.database.exists():
        yield fine(NAME, "There is no history yet.", dictations=0, size_bytes=0)
        return
    size = sum(path.stat().st_size for path in places.folder.rglob("*") if path.is_file())
    try:
        damage, count = _look(places.database)
    except sqlite3.OperationalError as exc:  # locked for long, or not to be opened
        yield problem(
            NAME,
            f"The history in {places.folder} cannot be opened ({exc.sqlite_errorname}).",
            "Look at its owner and permissions, and whether another program has it open.",
            size_bytes=size,
        )
        return
    except sqlite3.DatabaseError:
        damage, count = "it is no database any more", 0
    if damage:
        yield problem(
            NAME,
            f"The history in {places.folder} is damaged.",
            "Start the app: it sets the damaged file aside and begins a new one.",
            size_bytes=size,
        )
    else:
        yield fine(NAME, f"{count} dictations, {size / 1e6:.1f} MB.", dictations=count, size_bytes=size)


def _look(database: Path) -> tuple[str, int]:
    """What SQLite finds wrong ("" if nothing), and the number of rows.

    Raises:
        sqlite3.DatabaseError: It cannot be read.
    """
    # Without a journal beside it nobody writes, and SQLite need not make files of its own to read it.
    is_resting = not database.with_name(f"{database.name}-wal").exists()
    address = f"file:{quote(str(database))}?mode=ro{'&immutable=1' if is_resting else ''}"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_S)) as connection:
        (told,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        (count,) = connection.execute("SELECT count(*) FROM take").fetchone()
    return "" if told == "ok" else "damaged", int(count)
