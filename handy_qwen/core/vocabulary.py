"""What the windows show of the user's words and replacements, and what they may ask for.

The UI gets a new ``VocabularyPage`` after every change by anybody. A page is complete: the last one is all
that is needed. It holds the user's words, so it is never logged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from handy_qwen.core.corrections import Correction
from handy_qwen.core.models import Told
from handy_qwen.core.text import Replacement
from handy_qwen.message import Message


@dataclass(frozen=True, slots=True)
class Fit:
    """How many tokens the words take of those that the model in use reads, and which words do not fit."""

    tokens: int
    limit: int
    left_out: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class ReplacementRow:
    """A replacement as it was entered.

    Attributes:
        entered: What the row shows.
        saved: What the settings have, and dictation uses, in its place; None: nothing yet.
        problem: Why ``entered`` is not saved, as a sentence; "" if it is.
    """

    entered: Replacement = field(repr=False)
    saved: Replacement | None = field(default=None, repr=False)
    problem: Message = Message()


@dataclass(frozen=True, slots=True)
class Tried:
    """What the settings make of a text: ``written``, as if ``text`` had been dictated in ``language``.

    ``slow`` are the patterns that took too long and were left out.
    """

    text: str = field(repr=False)
    written: str = field(repr=False)
    language: str = ""
    slow: tuple[Replacement, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class VocabularyPage:
    """Words, the most important first, and replacements."""

    words: tuple[str, ...] = field(default=(), repr=False)
    fit: Fit | None = None  # None: not counted yet, or no words, or the model cannot be read
    rows: tuple[ReplacementRow, ...] = ()
    told: Told = field(default_factory=Told)
    can_undo: bool = False
    tried: Tried | None = None
    handy: Path | None = None  # the settings of Handy on this machine, whose words can be imported


VocabularyListener = Callable[[VocabularyPage], None]
"""Shows a page. Called on any thread; must neither block nor raise."""


class VocabularyCommands(Protocol):
    """Called on Qt's thread; every method returns at once. Every change is in the settings file at once.

    Words and rows are named by what a page showed, also where they were changed since. One that has gone
    meanwhile is passed over; what was typed for it is added as new.
    """

    def look(self) -> None:
        """Answer now, and after every command; to be called again when the settings have changed."""

    def leave(self) -> None:
        """Nobody looks any more."""

    def add_words(self, text: str) -> None:
        """Add the words in ``text``, one a line, in front of the others."""

    def edit_word(self, was: str, text: str) -> None:
        """Write ``text`` instead of ``was``; empty, it deletes the word, and more lines are added."""

    def delete_words(self, words: Sequence[str]) -> None:
        """Delete these."""

    def move_words(self, words: Sequence[str], by: int) -> None:
        """Move these by so many places, towards the first if negative."""

    def set_replacement(self, row: ReplacementRow | None, entered: Replacement) -> None:
        """Change ``row``, or add one. What the settings do not take is kept in the row, with the reason."""

    def delete_rows(self, rows: Sequence[ReplacementRow]) -> None:
        """Delete these."""

    def learn(self, corrections: Sequence[Correction]) -> None:
        """Add words for the model, and replacements: all of them is one change."""

    def import_file(self, path: Path) -> None:
        """Add what a file holds: see ``vocabulary.exchange``."""

    def export_words(self, path: Path) -> None:
        """Write the words to a file; its extension says how."""

    def export_replacements(self, path: Path) -> None:
        """Write the replacements to a file; its extension says how."""

    def undo(self) -> None:
        """Take the last change back, unless the lists were changed elsewhere since."""

    def try_text(self, text: str) -> None:
        """Show what the settings make of ``text``, now and after every change; "" shows nothing."""
