"""Repairs the history at startup, while no other process writes.

open --damaged--> set aside, start a new one, copy what can be read
|
`--> finish deletions --> files without a row get one --> rows whose file is gone lose it
--> what was RECORDING is WAITING --> what failed its tries is FAILED
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

from handy_qwen.core.events import Recovered
from handy_qwen.core.types import EntryState, Keep
from handy_qwen.history import retention, wav
from handy_qwen.history.retention import OFFERED_S
from handy_qwen.history.store import DamagedError, NewerError, Row, Store, is_file_name, set_aside
from handy_qwen.history.wav import Stage
from handy_qwen.message import Message, messages

logger = logging.getLogger(__name__)

MOST_REPLAYS = 2  # a take during whose transcription the program ended this often may be the cause
RECENT = 10
LOST = "The text was lost when the history was damaged."
GAVE_UP = "Handy Qwen crashed each time it transcribed this."
UNREADABLE = "Its recording is damaged."

_HEAD_BYTES = 100  # of an SQLite file; the page size is at 16, the number of pages at 28
_MOST_PADDING = 64
_STATES = {
    Stage.OPEN: EntryState.WAITING,
    Stage.COMPLETE: EntryState.WAITING,
    Stage.SETTLED: EntryState.FAILED,
    Stage.CANCELLED: EntryState.CANCELLED,
}


def open_or_renew(path: Path, *, busy_s: float) -> tuple[Store, Message]:
    """Open the history, and return a message for the user if it was damaged.

    In that case it is set aside and what can be read is copied. Raises NewerError, sqlite3.Error, OSError.
    """
    try:
        return _open_checked(path, busy_s), Message()
    except DamagedError:
        aside = set_aside(path)
    store = Store(path, busy_s=busy_s)
    copied = sum(1 for row in _readable_rows(aside) if _is_copied(store, row))
    logger.warning("the history was damaged: set aside as %s, %d entries copied", aside.name, copied)
    return store, messages(
        "It was set aside as {name}. {count} entry could be saved.",
        "It was set aside as {name}. {count} entries could be saved.",
        copied,
        name=aside.name,
    )


def _open_checked(path: Path, busy_s: float) -> Store:
    store = Store(path, busy_s=busy_s)
    try:
        store.check()
    except BaseException:
        store.close()
        raise
    return store


def _readable_rows(path: Path) -> Iterator[Row]:
    """The readable rows of a damaged database: from its start up to the damage, and from its end."""
    try:
        _pad(path)
        store = Store(path, busy_s=1.0)
    except (sqlite3.Error, DamagedError, NewerError, OSError):
        return
    with closing(store):
        last = 0
        for is_forwards in (True, False):
            at = 0 if is_forwards else 2**62
            try:
                while (row := store.beside(at, is_before=not is_forwards)) is not None and row.id > last:
                    yield row
                    at = row.id
                    last = at if is_forwards else last
            except sqlite3.Error:
                logger.info("the damaged history can be read to entry %d", at)
            else:
                return


def _pad(path: Path) -> None:
    """Extend a truncated file to the length in its header: SQLite reads nothing of a shorter one."""
    with path.open("r+b") as file:
        head = file.read(_HEAD_BYTES)
        size = file.seek(0, os.SEEK_END)
        if len(head) == _HEAD_BYTES:
            wanted = int.from_bytes(head[16:18], "big") * int.from_bytes(head[28:32], "big")
            if size < wanted <= _MOST_PADDING * size:
                file.truncate(wanted)


def _is_copied(store: Store, row: Row) -> bool:
    try:
        store.add(asdict(row))
    except sqlite3.IntegrityError:  # the same id twice, due to the damage
        return False
    return True


def put_in_order(
    store: Store, takes: Path, *, in_use: Collection[str] = (), now_s: float | None = None
) -> tuple[Recovered, int]:
    """Make rows and files consistent; return what to offer, and how many takes were given up.

    Nobody else may be adding to ``store``. ``in_use``: names of files being written. ``now_s``: since 1970.
    Raises sqlite3.Error: the database cannot be written; OSError: ``takes`` cannot be read.
    """
    now_s = time.time() if now_s is None else now_s
    retention.finish_deletions(store, takes)
    with os.scandir(takes) as found:
        present = {one.name for one in found if is_file_name(one.name) and one.is_file(follow_symlinks=False)}
    files = store.files()
    for name in sorted(present - set(files) - set(in_use)):
        _adopt_file(store, takes / name)
    for name in set(files) - present - set(in_use):
        store.change(files[name], {"file": "", "size_bytes": 0})
    for row in list(store.empty()):
        retention.delete(store, takes, row)
    unfinished, undelivered, given_up = [], [], 0
    for row in list(store.unsettled()):
        if row.file and row.file in in_use:
            continue
        now = row if row.state is EntryState.DONE else _unfinished(store, takes, row)
        if now is None:
            continue
        if now.state is EntryState.WAITING:
            unfinished.append(now.entry)
        elif now.entry.is_undelivered and abs(now_s - now.entry.created_s) <= OFFERED_S:
            undelivered.append(now.entry)
        given_up += now.state is EntryState.FAILED
    texts = (row.entry for row in store.newest() if row.state is EntryState.DONE and row.text)
    return Recovered(tuple(unfinished), tuple(undelivered), tuple(islice(texts, RECENT))), given_up


def _adopt_file(store: Store, path: Path) -> None:
    """Add a row for audio that has none."""
    try:
        sound = wav.look(path)
    except wav.NotATakeError:
        if _is_stub(path):
            path.unlink(missing_ok=True)
        return
    except OSError as exc:
        logger.info("a file among the recordings cannot be read: %s", exc.strerror)
        return
    state = _STATES[sound.stage]
    store.add(
        {
            "created_ms": sound.created_ms,
            "state": state,
            "keep": Keep.AUDIO_AND_TEXT,
            "file": path.name,
            "duration_s": sound.duration_s,
            "size_bytes": path.stat().st_size,
            "error": LOST if state is EntryState.FAILED else "",
            "settled_ms": 0 if state is EntryState.WAITING else _now_ms(),
        }
    )


def _unfinished(store: Store, takes: Path, row: Row) -> Row | None:
    """Repair a row that has no text yet; None: nothing is left of it, or it must wait."""
    try:
        sound = wav.repair(takes / row.file, Stage.COMPLETE) if row.file else None
    except OSError as exc:  # it may be readable at the next start
        logger.warning("an unfinished recording cannot be read: %s", exc.strerror)
        return None
    except wav.NotATakeError:
        if not _is_stub(takes / row.file):
            return _changed(store, row, state=EntryState.FAILED, error=UNREADABLE, settled_ms=_now_ms())
        sound = None  # killed before the first block
    if sound is None or not sound.samples:
        if row.text:  # it was being transcribed again
            return _changed(store, row, state=EntryState.DONE)
        retention.delete(store, takes, row)
        return None
    size_bytes = wav.HEADER_BYTES + sound.samples * wav.SAMPLE_BYTES
    row = _changed(store, row, duration_s=sound.duration_s, size_bytes=size_bytes)
    if row.replays >= MOST_REPLAYS:
        return _changed(store, row, state=EntryState.FAILED, error=GAVE_UP, settled_ms=_now_ms())
    return _changed(store, row, state=EntryState.WAITING)


def _is_stub(path: Path) -> bool:
    """Whether its writer was killed before anything was recorded."""
    return path.stat().st_size < wav.HEADER_BYTES


def _changed(store: Store, row: Row, **columns: object) -> Row:
    new = replace(row, **columns)  # type: ignore[arg-type]  # each call has the columns of a row
    if new != row:
        store.change(row.id, columns)
    return new


def _now_ms() -> int:
    return int(time.time() * 1000)
