"""What the windows show of the user's words and replacements, and the commands they offer.

The UI gets a new ``VocabularyPage`` after every change from anywhere. Each one is complete. It holds the
user's words, so it is never logged.
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
    """How many of the tokens that the current model reads the words take, and which words do not fit."""

    tokens: int
    limit: int
    left_out: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class ReplacementRow:
    """A replacement as it was entered.

    Attributes:
        entered: What the row shows.
        saved: The corresponding entry in the settings; None: none yet.
        problem: Why ``entered`` is not saved, as a sentence; "" if it is.
    """

    entered: Replacement = field(repr=False)
    saved: Replacement | None = field(default=None, repr=False)
    problem: Message = Message()


@dataclass(frozen=True, slots=True)
class Tried:
    """``written`` is what the settings make of ``text``, as if dictated in ``language``.

    ``slow`` are the patterns that were skipped because they took too long.
    """

    text: str = field(repr=False)
    written: str = field(repr=False)
    language: str = ""
    slow: tuple[Replacement, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class VocabularyPage:
    """Words, the most important first, and replacements."""

    words: tuple[str, ...] = field(default=(), repr=False)
    fit: Fit | None = None  # None: not counted yet, no words, or the model cannot be read
    rows: tuple[ReplacementRow, ...] = ()
    told: Told = field(default_factory=Told)
    can_undo: bool = False
    tried: Tried | None = None
    handy: Path | None = None  # Handy's settings on this machine, whose words can be imported


VocabularyListener = Callable[[VocabularyPage], None]
"""Shows a page. Called on any thread; must neither block nor raise."""


class VocabularyCommands(Protocol):
    """Called on Qt's thread; every method returns at once. Every change is saved at once.

    Words and rows are identified by what a page showed, even if they have changed since. One that no longer
    exists is skipped; what was typed for it is added as new.
    """

    def look(self) -> None:
        """Answer now, and after every command; to be called again when the settings have changed."""

    def leave(self) -> None:
        """Stop answering."""

    def add_words(self, text: str) -> None:
        """Add the words in ``text``, one per line, before the others."""

    def edit_word(self, was: str, text: str) -> None:
        """Replace ``was`` by ``text``; an empty text deletes the word, further lines are added."""

    def delete_words(self, words: Sequence[str]) -> None:
        """Delete these."""

    def move_words(self, words: Sequence[str], by: int) -> None:
        """Move these by this many places, towards the first if negative."""

    def set_replacement(self, row: ReplacementRow | None, entered: Replacement) -> None:
        """Change ``row``, or add one. Values that the settings reject stay in the row, with the reason."""

    def delete_rows(self, rows: Sequence[ReplacementRow]) -> None:
        """Delete these."""

    def learn(self, corrections: Sequence[Correction]) -> None:
        """Add words for the model, and replacements, as a single change."""

    def import_file(self, path: Path) -> None:
        """Import words and replacements from a file: see ``vocabulary.exchange``."""

    def export_words(self, path: Path) -> None:
        """Write the words to a file; its extension sets the format."""

    def export_replacements(self, path: Path) -> None:
        """Write the replacements to a file; its extension sets the format."""

    def undo(self) -> None:
        """Undo the last change, unless the lists were changed elsewhere since."""

    def try_text(self, text: str) -> None:
        """Show what the settings make of ``text``, now and after every change; "" shows nothing."""
