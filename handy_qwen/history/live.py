"""A take of the running program: what its row should say, and its sound while it is being written.

What cannot be written now stays here as a change that is due. Threads: the history's.
"""

from __future__ import annotations

from typing import Any

from handy_qwen.core.entries import Keep, State, Whereabouts
from handy_qwen.history.journal import Journal
from handy_qwen.history.store import Row, Store


class LiveTake:
    """One take.

    Attributes:
        take: Its number in this session.
        columns: What its row should say.
        row: Its id, None until it was added.
        before: Of a take that is replayed: the state its entry was in.
        replays_before: How often it had been replayed then.
        journal: Its sound, None if that was written in an earlier session.
        is_gone: The user has deleted it.
        is_leaving: All has happened to it that will; it is only to be written.
        is_unwanted: It is only to be deleted.
    """

    def __init__(self, take: int, columns: dict[str, Any], journal: Journal | None) -> None:
        self.take = take
        self.columns = columns
        self.row: int | None = None
        self.before: State | None = None
        self.replays_before = 0
        self.journal = journal
        self.is_gone = False
        self.is_leaving = False
        self.is_unwanted = False
        self._due = dict(columns)
        self._is_urgent = False

    @classmethod
    def adopted(cls, take: int, row: Row) -> LiveTake:
        """The take of an entry from before."""
        live = cls(take, {name: getattr(row, name) for name in Row.__slots__ if name != "id"}, None)
        live.row = row.id
        live._due.clear()
        return live

    @property
    def state(self) -> State:
        """How far it has come."""
        return State(self.columns["state"])

    @property
    def keep(self) -> Keep:
        """What is to be kept of it."""
        return Keep(self.columns["keep"])

    @property
    def whereabouts(self) -> Whereabouts:
        """Where its text is."""
        return Whereabouts(self.columns["whereabouts"])

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen to it."""
        if self.is_gone or self.state in {State.FAILED, State.CANCELLED}:
            return True
        return self.state is State.DONE and (not self.columns["text"] or self.whereabouts.is_settled)

    @property
    def is_saved(self) -> bool:
        """Whether its row says what it should, and its file has all of its sound."""
        return (self.is_gone or not self._due) and (self.journal is None or self.journal.is_written)

    def set(self, *, is_urgent: bool = False, **columns: object) -> None:
        """Change what its row should say; ``is_urgent``: that must outlast a power cut."""
        self.columns.update(columns)
        self._due.update(columns)
        self._is_urgent |= is_urgent

    def save(self, store: Store) -> None:
        """Make its row say so.

        Raises:
            sqlite3.Error: Not possible now; it stays due.
        """
        if self.is_gone or not self._due:
            return
        if self.row is None:
            self.row = store.add(self.columns)
        elif not store.change(self.row, self._due, is_durable=self._is_urgent):
            self.is_gone = True  # the user has deleted it meanwhile
        self._due.clear()
        self._is_urgent = False

    def has_new_store(self, store: Store) -> None:
        """The database was begun anew: add the row again, unless it could be copied."""
        there = store.row(self.row) if self.row is not None else None
        # A new history counts from 1: another take may have this number by now.
        if there is None or (there.created_ms, there.file) != (
            self.columns["created_ms"],
            self.columns["file"],
        ):
            self.row = None
            self._due = dict(self.columns)
