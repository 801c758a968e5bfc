"""What is kept and for how long, and the deletion of the rest.

The rules never apply to starred entries, nor to takes that are recorded or wait for their text. A text that
the user may not have received is limited by age only. Changing "keep" does not affect older entries:
"nothing" does not mean that the past should be deleted.

Deletion can be interrupted anywhere: mark the row, delete the file, delete the row. Marked rows are visible
only to the code that completes deletions. So a file without a row is audio whose row was lost: see
``recovery``.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from handy_qwen.core.types import EntryState, Keep
from handy_qwen.history.store import Row, Store

logger = logging.getLogger(__name__)

CANCELLED_S = 3600.0  # for how long a cancelled take can be restored
FAILED_S = 86_400.0
"""For how long a failed take can be retried if nothing is to be kept; likewise, if only text is to be kept,
the audio of a take in which words may be missing."""
OFFERED_S = 7 * 86_400.0
"""For how long an undelivered text is offered again at startup; later it is in the list only."""
SHORTEST_S = 1.0
"""A shorter cancelled take was not a dictation: the hotkey was part of a shortcut, or hit by mistake."""


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """What the user wants kept; a limit of 0 is none. Starred entries are exempt."""

    keep: Keep = Keep.AUDIO_AND_TEXT
    most_entries: int = 1000
    longest_s: float = 90 * 86_400.0
    most_bytes: int = 2 * 10**9  # of sound


class Removal(enum.Enum):
    """What to delete of an entry."""

    ENTRY = enum.auto()
    AUDIO = enum.auto()


def plan(rows: Iterable[Row], rules: RetentionRules, now_s: float) -> Iterator[tuple[Row, Removal]]:
    """What to delete of ``rows``, newest first.

    ``now_s``, since 1970, may be wrong: entries from the future are not old.
    """
    entries = size_bytes = 0
    for row in rows:
        if row.is_starred or row.state in {EntryState.RECORDING, EntryState.WAITING}:
            continue
        if _is_over(row, rules, now_s):
            yield row, Removal.ENTRY
            continue
        if row.entry.is_undelivered:
            continue
        entries += 1
        if rules.most_entries and entries > rules.most_entries:
            yield row, Removal.ENTRY
            continue
        if not row.file:
            continue
        size_bytes += row.size_bytes
        is_too_much = rules.most_bytes and size_bytes > rules.most_bytes
        is_done = row.state is EntryState.DONE and not (row.is_truncated and _age_s(row, now_s) <= FAILED_S)
        if is_too_much or (row.keep is Keep.TEXT and is_done):
            yield row, Removal.AUDIO if row.text else Removal.ENTRY


def _is_over(row: Row, rules: RetentionRules, now_s: float) -> bool:
    """Whether it must be deleted, regardless of other entries."""
    settled_ago_s = _age_s(row, now_s)
    if row.state is EntryState.CANCELLED:
        return row.keep is Keep.NOTHING or settled_ago_s > CANCELLED_S
    if rules.longest_s and now_s - row.created_ms / 1000 > rules.longest_s:
        return True
    if row.state is EntryState.FAILED:
        return not row.file or (row.keep is Keep.NOTHING and settled_ago_s > FAILED_S)
    if row.text:
        return row.keep is Keep.NOTHING and row.delivery.is_settled
    return row.keep is not Keep.AUDIO_AND_TEXT or not row.file


def _age_s(row: Row, now_s: float) -> float:
    """Time since it was settled; large if the clock was set back by more than a limit."""
    return abs(now_s - row.settled_ms / 1000)


def delete(store: Store, takes: Path, row: Row) -> bool:
    """Delete an entry with its audio. False: the file cannot be deleted now. Raises sqlite3.Error."""
    store.change(row.id, {"is_deleting": 1, "text": "", "original": ""})
    return _finish(store, takes, row)


def delete_audio(store: Store, takes: Path, row: Row) -> bool:
    """Delete the audio of an entry, but not its text. False: not possible now. Raises sqlite3.Error."""
    if not _unlink(takes, row.file):
        return False
    store.change(row.id, {"file": "", "size_bytes": 0})
    return True


def finish_deletions(store: Store, takes: Path) -> int:
    """Complete interrupted deletions; return how many. Raises sqlite3.Error: a row cannot be changed."""
    return sum(_finish(store, takes, row) for row in list(store.being_deleted()))


def tidy(store: Store, takes: Path, rules: RetentionRules, now_s: float) -> int:
    """Delete what the rules do not keep; return how many. Raises sqlite3.Error: a row cannot be changed."""
    gone = finish_deletions(store, takes)
    for row, going in list(plan(store.newest(), rules, now_s)):
        act = delete if going is Removal.ENTRY else delete_audio
        gone += act(store, takes, row)
    if gone:
        store.checkpoint()
    return gone


def _finish(store: Store, takes: Path, row: Row) -> bool:
    if not _unlink(takes, row.file):
        return False
    store.remove(row.id)
    return True


def _unlink(takes: Path, name: str) -> bool:
    if not name:
        return True
    try:
        (takes / name).unlink(missing_ok=True)
    except OSError as exc:
        logger.info("a recording could not be deleted: %s", exc.strerror)
        return False
    return True
