"""What the guide's pages share: a heading, a sentence, a row for what went wrong, and how far the step is."""

from __future__ import annotations

import enum
from difflib import SequenceMatcher

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QWidget

from handy_qwen.core.corrections import words_in
from handy_qwen.core.models import DEMO
from handy_qwen.core.view import Choices, NoticeKind, View
from handy_qwen.ui.layouts import SMALL_GAP_PX, Part, column
from handy_qwen.ui.overlay import has_overlay
from handy_qwen.ui.setup import words
from handy_qwen.ui.widgets import Message, Text, Title

_TROUBLES = {
    NoticeKind.NO_SPEECH,
    NoticeKind.DEAD_MICROPHONE,
    NoticeKind.MICROPHONE_LOST,
    NoticeKind.COPIED,
    NoticeKind.HELD,
    NoticeKind.FAILED,
}


class Progress(enum.Enum):
    """How far a step is."""

    OPEN = enum.auto()  # nothing was tried
    SETTLED = enum.auto()  # nothing is missing, but nothing was shown to work either
    DONE = enum.auto()  # shown to work


class Page(QWidget):
    """One step. A subclass fills the page once and calls ``set_progress`` when the step was shown to work."""

    progress_changed = Signal()

    def __init__(self, name: str, title: str, lead: str) -> None:
        super().__init__()
        self.name = name  # in the list of steps
        self.progress = Progress.OPEN
        self.title, self.lead, self.trouble = Title(title, scale=1.5), Text(lead), Message()
        self._newest, self._seen = 0, 0  # numbers of the newest notice, and of the last one dealt with

    def fill(self, *parts: Part) -> None:
        """Put ``parts`` below the heading."""
        column(self.title, self.lead, SMALL_GAP_PX, (column(*parts), 1), self.trouble, parent=self)

    def enter(self) -> None:
        """The page comes up."""
        self.dismiss_notices()

    def leave(self) -> None:
        """Another page comes up, or the window is closed."""

    def first_focus(self) -> QWidget | None:
        """The widget that has the keyboard when the page comes up."""
        return None

    def primary(self) -> QPushButton | None:
        """The button that Enter presses where no button has the focus; None: the one that goes on."""
        return None

    def show_view(self, view: View) -> None:
        """Show what concerns the page. Called for every view, also while another page is up."""
        self._newest = max([self._newest, *(notice.number for notice in view.notices)])
        for notice in reversed(view.notices):
            if notice.kind in _TROUBLES and (notice.is_lasting or notice.number > self._seen):
                self.trouble.say(notice.title, hint=notice.hint, is_silent=has_overlay(view))
                return
        self.trouble.say("")

    @property
    def summary(self) -> str:
        """How far the step is, in a word or two."""
        return words.STEP_IS_DONE if self.is_done else words.STEP_IS_OPEN

    @property
    def is_done(self) -> bool:
        """Whether the step has been shown to work."""
        return self.progress is Progress.DONE

    def dismiss_notices(self) -> None:
        """Show no notice any more that came until now, unless it lasts."""
        self._seen = self._newest
        self.trouble.say("")

    def set_progress(self, progress: Progress) -> None:
        """Say how far the step is."""
        if progress is not self.progress:
            self.progress = progress
            self.progress_changed.emit()


def is_demo(choices: Choices) -> bool:
    """Whether the demo model transcribes, which knows the guide's sentence and few others."""
    return choices.model in {"", DEMO}


def spoken_words(text: str) -> list[str]:
    """The words of ``text`` as they sound: without punctuation and capitals."""
    text = text.lower().replace("\u2019", "'")
    return [text[start:end] for start, end in words_in(text)]


def missed(sentence: str, text: str) -> list[str]:
    """The words of ``sentence`` that are not in ``text`` in their order."""
    wanted, found = spoken_words(sentence), spoken_words(text)
    blocks = SequenceMatcher(None, wanted, found, autojunk=False).get_matching_blocks()
    right = {block.a + n for block in blocks for n in range(block.size)}
    return [word for place, word in enumerate(wanted) if place not in right]


def keep_space_when_hidden(*widgets: QWidget) -> None:
    """Let ``widgets`` keep their place while hidden, so that nothing moves when they come up."""
    for widget in widgets:
        policy = widget.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        widget.setSizePolicy(policy)
