"""What the History window shows, and what it may ask for.

Whoever keeps the history hands a new ``Past`` to its listener after every question and every change, on a
thread of its own; the UI carries it over to its own. It holds what the user said, so it is never logged.

Deleting takes two steps. What is deleted is out of sight at once and can be taken back for a while; it is
gone from the disk when the window is closed, when the program ends, or when that while is over.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from handy_qwen.core.entries import Entry, State
from handy_qwen.core.shelf import Problem


class Only(enum.Enum):
    """Which entries are to be seen."""

    ALL = enum.auto()
    STARRED = enum.auto()
    OPEN = enum.auto()  # what the user may still want to have: not delivered, failed, cancelled

    def admits(self, entry: Entry) -> bool:
        """Whether ``entry`` is one of them."""
        match self:
            case Only.ALL:
                return True
            case Only.STARRED:
                return entry.is_starred
            case Only.OPEN:
                return entry.is_undelivered or entry.state in {State.FAILED, State.CANCELLED, State.WAITING}


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be seen: the newest ``most`` entries that hold all ``words``."""

    words: str = field(default="", repr=False)
    only: Only = Only.ALL
    most: int = 200


@dataclass(frozen=True, slots=True)
class Past:
    """The answer to a question."""

    question: Question = field(default_factory=Question)
    entries: tuple[Entry, ...] = ()  # newest first
    has_more: bool = False
    retried: frozenset[int] = frozenset()  # ids of those that are being transcribed again
    deleted: int = 0  # how many entries an undo would bring back
    exported: Path | None = None  # where entries were written to, as the answer to ``export``
    problem: Problem | None = None


PastListener = Callable[[Past], None]
"""Takes what is to be shown. Called on a thread of the keeper's; must neither block nor raise."""


class PastKeeper(Protocol):
    """What the window asks for. Called on Qt's thread; every method returns at once."""

    def look(self, question: Question) -> None:
        """Answer ``question`` now, and again after every change, whoever makes it, until ``leave``."""

    def copy(self, entry: Entry) -> None:
        """Put the text on the clipboard."""

    def insert(self, entry: Entry, *, is_here: bool) -> None:
        """Insert the text into the focused window, or let it wait for one that the user will choose."""

    def retry(self, entry: Entry, *, model: str = "", language: str | None = None) -> None:
        """Transcribe the sound again, also of what was cancelled.

        With the model in use if ``model`` is empty, and in the language it was recorded in if that is
        None ("" is automatic).
        """

    def star(self, ids: Sequence[int], *, is_starred: bool) -> None:
        """Exempt entries from being deleted by themselves, or no longer."""

    def delete(self, ids: Sequence[int]) -> None:
        """Take entries out of sight; see above."""

    def undo_delete(self) -> None:
        """Bring back what was deleted and is not gone yet."""

    def leave(self) -> None:
        """The window is closed: answer no more, and let what was deleted be gone for good."""

    def export(self, target: Path, ids: Sequence[int] | None) -> None:
        """Write entries (None: all) to ``target``; its ending says how: .txt, .csv or .jsonl."""
