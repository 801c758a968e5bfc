"""What the pages of the guide have in common: a head, a sentence, a row for what went wrong, a progress."""

from __future__ import annotations

import enum
import re
from difflib import SequenceMatcher

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from handy_qwen.core.models import DEMO
from handy_qwen.core.view import Choices, NoticeKind, Phase, View
from handy_qwen.ui.overlay import has_overlay
from handy_qwen.ui.setup import words
from handy_qwen.ui.widgets import Alert, Icon, Text, Title, announce
from handy_qwen.ui.window import GAP_PX, SMALL_GAP_PX

TROUBLES = {
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
    """One step. A subclass fills ``body`` and calls ``set_done`` when the step has been shown to work."""

    progress_changed = Signal()

    def __init__(self, name: str, title: str, lead: str) -> None:
        super().__init__()
        self.name = name  # in the list of steps
        self.progress = Progress.OPEN
        self.title, self.lead, self.trouble = Title(title, scale=1.5), Text(lead), Alert("problem")
        self.body = QVBoxLayout()
        self.body.setSpacing(GAP_PX)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(GAP_PX)
        whole.addWidget(self.title)
        whole.addWidget(self.lead)
        whole.addSpacing(SMALL_GAP_PX)
        whole.addLayout(self.body, 1)
        whole.addWidget(self.trouble)
        self._told = 0  # the newest notice when the page came up, or when it was dealt with
        self._newest = 0

    def enter(self) -> None:
        """The page comes up."""
        self.forgive()

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
        told = [one for one in view.notices if one.kind in TROUBLES]
        new = [one for one in told if one.number > self._told or one.is_lasting]
        if new:
            self.trouble.say(new[-1].title, new[-1].hint, is_silent=has_overlay(view))
        else:
            self.trouble.hide()

    @property
    def summary(self) -> str:
        """How far the step is, in a word or two."""
        return words.STEP_IS_DONE if self.is_done else words.STEP_IS_OPEN

    @property
    def is_done(self) -> bool:
        """Whether the step has been shown to work."""
        return self.progress is Progress.DONE

    def forgive(self) -> None:
        """What was told until now is of no interest any more."""
        self._told = self._newest
        self.trouble.hide()

    def set_done(self, is_done: bool = True) -> None:
        """Say whether the step has been shown to work."""
        self.set_progress(Progress.DONE if is_done else Progress.OPEN)

    def set_progress(self, progress: Progress) -> None:
        """Say how far the step is."""
        if progress is not self.progress:
            self.progress = progress
            self.progress_changed.emit()


class LastText:
    """The text of the last dictation made since ``forget``: a field may hold it, or what the user typed."""

    def __init__(self) -> None:
        self._is_new = False
        self._recent: tuple[str, ...] = ()

    def show_view(self, view: View) -> None:
        """Take what ``view`` says."""
        self._recent = view.recent
        self._is_new = self._is_new or view.phase is Phase.TRANSCRIBING

    def forget(self) -> None:
        """What was dictated until now does not count."""
        self._is_new = False

    def is_in(self, text: str) -> bool:
        """Whether ``text`` holds what was dictated."""
        return self._is_new and bool(self._recent) and bool(self._recent[0]) and self._recent[0] in text


def is_demo(choices: Choices) -> bool:
    """Whether the demo model writes, which knows the guide's sentence and few others."""
    return choices.model in {"", DEMO}


def spoken_words(text: str) -> list[str]:
    """The words of ``text`` as they sound: without punctuation and capitals."""
    return re.findall(r"\w+(?:'\w+)*", text.lower().replace("\u2019", "'"))


def missed(sentence: str, text: str) -> list[str]:
    """The words of ``sentence`` that are not in ``text`` in their order."""
    wanted, found = spoken_words(sentence), spoken_words(text)
    blocks = SequenceMatcher(None, wanted, found, autojunk=False).get_matching_blocks()
    right = {block.a + n for block in blocks for n in range(block.size)}
    return [word for place, word in enumerate(wanted) if place not in right]


def keep_space_when_hidden(widget: QWidget) -> None:
    """Let ``widget`` keep its place while it is hidden, so that nothing moves when it comes up."""
    policy = widget.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    widget.setSizePolicy(policy)


class Verdict(QWidget):
    """A check mark and a sentence, or nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._sign, self._text = Icon("mark-good", "good"), Text()
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(SMALL_GAP_PX)
        line.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self._text, 1)
        self.hide()

    def stay_on_one_line(self) -> None:
        """Take no more room than the words do."""
        self._text.setWordWrap(False)

    def say(self, words: str, color: str) -> None:
        """Show ``words`` in ``color``, a field of ``style.Scheme``; with a check mark if that is good."""
        is_new = words != self.words
        self._text.setText(words)
        self._text.set_color(color)
        self._sign.setVisible(color == "good")
        self.setVisible(bool(words))
        if is_new:
            announce(self, words)

    @property
    def words(self) -> str:
        """What it says; "" if nothing."""
        return "" if self.isHidden() else self._text.text()
