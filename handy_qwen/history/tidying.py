"""Deleting, in an order that survives a kill anywhere: mark the row, delete the file, delete the row.

A row that is marked is seen by nobody; whoever finds one finishes the work. A file without a row is
therefore never a leftover of deleting, but sound whose row was lost: see ``recovery``.
"""

from __future__ import annotations

import logging
from pathlib import Path

from handy_qwen.history.retention import Going, plan
from handy_qwen.history.rules import Rules
from handy_qwen.history.store import Row, Store

logger = logging.getLogger(__name__)


def delete(store: Store, takes: Path, row: Row) -> bool:
    """Delete an entry with its sound. False: the file could not be deleted; it is tried again later.

    Raises:
        sqlite3.Error: The row could not be changed.
    """
    store.change(row.id, {"is_deleting": 1, "text": ""})
    return _finish(store, takes, row)


def delete_audio(store: Store, takes: Path, row: Row) -> bool:
    """Delete the sound of an entry; its text stays. False: the file could not be deleted.

    Raises:
        sqlite3.Error: The row could not be changed; it is cleaned at the next start.
    """
    if not _unlink(takes, row.file):
        return False
    store.change(row.id, {"file": "", "size_bytes": 0})
    return True


def finish_deletions(store: Store, takes: Path) -> int:
    """Finish what was begun before, and return how many were finished.

    Raises:
        sqlite3.Error: A row could not be changed.
    """
    return sum(_finish(store, takes, row) for row in list(store.being_deleted()))


def tidy(store: Store, takes: Path, rules: Rules, now_s: float) -> int:
    """Let go of what the rules say, and return how many entries that concerned.

    Raises:
        sqlite3.Error: A row could not be changed.
    """
    gone = finish_deletions(store, takes)
    for row, going in list(plan(store.newest(), rules, now_s)):
        act = delete if going is Going.ENTRY else delete_audio
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
