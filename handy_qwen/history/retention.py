"""Which entries have to go, and of which only the sound. Decides; deletes nothing (see ``tidying``).

Never touched: starred entries, and takes that are recorded or wait for their text. A text that the user
may never have got goes by age only. What was kept by an earlier choice of "keep" is left as it is: who
keeps nothing from today on has not said that the past is to go.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

from handy_qwen.core.entries import Keep, State
from handy_qwen.history.rules import CANCELLED_S, FAILED_S, Rules
from handy_qwen.history.store import Row


class Going(enum.Enum):
    """What goes of an entry."""

    ENTRY = enum.auto()
    AUDIO = enum.auto()


def plan(rows: Iterable[Row], rules: Rules, now_s: float) -> Iterator[tuple[Row, Going]]:
    """What has to go.

    Args:
        rows: Newest first.
        rules: The user's.
        now_s: Seconds since 1970. May be wrong: what seems to come from the future is not old.
    """
    entries = size_bytes = 0
    for row in rows:
        if row.is_starred or row.state in {State.RECORDING, State.WAITING}:
            continue
        if _is_over(row, rules, now_s):
            yield row, Going.ENTRY
            continue
        if row.entry.is_undelivered:
            continue
        entries += 1
        if rules.most_entries and entries > rules.most_entries:
            yield row, Going.ENTRY
            continue
        if not row.file:
            continue
        size_bytes += row.size_bytes
        is_too_much = rules.most_bytes and size_bytes > rules.most_bytes
        if is_too_much or (row.keep is Keep.TEXT and row.state is State.DONE):
            yield row, Going.AUDIO if row.text else Going.ENTRY


def _is_over(row: Row, rules: Rules, now_s: float) -> bool:
    """Whether nothing of it is wanted any more, whatever there is besides."""
    # Of a clock that was set back by more than that nobody knows how long ago it was.
    settled_ago_s = abs(now_s - row.settled_ms / 1000)
    if row.state is State.CANCELLED:
        return row.keep is Keep.NOTHING or settled_ago_s > CANCELLED_S
    if rules.longest_s and now_s - row.created_ms / 1000 > rules.longest_s:
        return True
    if row.state is State.FAILED:
        return not row.file or (row.keep is Keep.NOTHING and settled_ago_s > FAILED_S)
    if row.text:
        return row.keep is Keep.NOTHING and row.whereabouts.is_settled
    return row.keep is not Keep.AUDIO_AND_TEXT or not row.file
