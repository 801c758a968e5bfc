"""What is kept and for how long, and deleting what is not.

Never touched by the rules: starred entries, and takes that are recorded or wait for their text. A text that
the user may never have got goes by age only. What was kept by an earlier choice of "keep" stays: who keeps
nothing from today on has not said that the past is to go.

Deleting survives a kill anywhere: mark the row, delete the file, delete the row. Nobody sees a marked row but
who finishes the work. So a file without a row is sound whose row was lost: see ``recovery``.
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

CANCELLED_S = 3600.0  # for how long a cancelled take can be brought back
FAILED_S = 86_400.0
"""For how long a take that failed is there to be tried again, if nothing is to be kept; likewise, if the text
is to be kept, the sound of one in which words may be missing."""
OFFERED_S = 7 * 86_400.0
"""For how long a text that was not delivered is offered again at each start; later it is in the list only."""
SHORTEST_S = 1.0
"""A cancelled take that is shorter was no dictation: the hotkey was part of a chord, or hit by mistake."""


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """The user's settings for the history. A limit of 0 is none; starred entries are exempt from all."""

    keep: Keep = Keep.AUDIO_AND_TEXT
    most_entries: int = 1000
    longest_s: float = 90 * 86_400.0
    most_bytes: int = 2 * 10**9  # of sound


class Removal(enum.Enum):
    """What goes of an entry."""

    ENTRY = enum.auto()
    AUDIO = enum.auto()


def plan(rows: Iterable[Row], rules: RetentionRules, now_s: float) -> Iterator[tuple[Row, Removal]]:
    """What has to go, of ``rows`` from the newest on.

    ``now_s``, since 1970, may be wrong: what seems to come from the future is not old.
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
    """Whether nothing of it is wanted any more, whatever there is besides."""
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
    """How long ago it was settled. A clock set back by more than a limit says nothing: then it is over."""
    return abs(now_s - row.settled_ms / 1000)


def delete(store: Store, takes: Path, row: Row) -> bool:
    """Delete an entry with its sound. False: the file cannot be deleted now. Raises sqlite3.Error."""
    store.change(row.id, {"is_deleting": 1, "text": "", "original": ""})
    return _finish(store, takes, row)


def delete_audio(store: Store, takes: Path, row: Row) -> bool:
    """Delete the sound of an entry; its text stays. False: it cannot be deleted. Raises sqlite3.Error."""
    if not _unlink(takes, row.file):
        return False
    store.change(row.id, {"file": "", "size_bytes": 0})
    return True


def finish_deletions(store: Store, takes: Path) -> int:
    """Finish deletions that were begun before; how many. Raises sqlite3.Error: a row cannot be changed."""
    return sum(_finish(store, takes, row) for row in list(store.being_deleted()))


def tidy(store: Store, takes: Path, rules: RetentionRules, now_s: float) -> int:
    """Let go of what the rules say; how many entries. Raises sqlite3.Error: a row cannot be changed."""
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
