"""What the pages of the guide have in common: a head, a sentence, and a row for what went wrong."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from handy_qwen.core.view import NoticeKind, View
from handy_qwen.ui.setup import words
from handy_qwen.ui.windows.parts import Quiet, Sign, Text, Title
from handy_qwen.ui.windows.window import GAP_PX, SMALL_GAP_PX

TROUBLES = {
    NoticeKind.NO_SPEECH,
    NoticeKind.DEAD_MICROPHONE,
    NoticeKind.MICROPHONE_LOST,
    NoticeKind.COPIED,
    NoticeKind.HELD,
    NoticeKind.FAILED,
}


class Page(QWidget):
    """One step. A subclass fills ``body`` and calls ``set_done`` when the step has been shown to work."""

    done_changed = Signal()

    def __init__(self, name: str, title: str, lead: str) -> None:
        super().__init__()
        self.name = name  # in the list of steps
        self.is_done = False
        self.title, self.lead, self.trouble = Title(title, scale=1.5), Text(lead), Trouble()
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

    def show_view(self, view: View) -> None:
        """Show what concerns the page. Called for every view, also while another page is up."""
        self._newest = max([self._newest, *(notice.number for notice in view.notices)])
        told = [one for one in view.notices if one.kind in TROUBLES]
        new = [one for one in told if one.number > self._told or one.is_lasting]
        self.trouble.say(new[-1].title, new[-1].hint) if new else self.trouble.hide()

    @property
    def summary(self) -> str:
        """How the step stands, in a word or two."""
        return words.STEP_IS_DONE if self.is_done else words.STEP_IS_OPEN

    def forgive(self) -> None:
        """What was told until now is of no interest any more."""
        self._told = self._newest
        self.trouble.hide()

    def set_done(self, is_done: bool = True) -> None:
        """Say whether the step has been shown to work."""
        if is_done != self.is_done:
            self.is_done = is_done
            self.done_changed.emit()


class Trouble(QWidget):
    """A sign, what is wrong, and what to do about it."""

    def __init__(self) -> None:
        super().__init__()
        self._title, self._hint = Text(color="problem"), Quiet()
        column = QVBoxLayout()
        column.setSpacing(2)
        column.addWidget(self._title)
        column.addWidget(self._hint)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(GAP_PX)
        line.addWidget(Sign("mark-warning", "problem"), 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(column, 1)
        self.hide()

    def say(self, title: str, hint: str = "") -> None:
        """Show both."""
        self._title.setText(title)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self.show()


class Verdict(QWidget):
    """A check mark and a sentence, or nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._sign, self._text = Sign("mark-good", "good"), Text()
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(SMALL_GAP_PX)
        line.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self._text, 1)
        self.hide()

    def stay_on_one_line(self) -> None:
        """Take no more room than the words do."""
        self._text.setWordWrap(False)

    def retain(self) -> None:
        """Keep its place while there is nothing to say, so that nothing moves."""
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)

    def say(self, words: str, color: str) -> None:
        """Show ``words`` in ``color``, a field of ``style.Scheme``; with a check mark if that is good."""
        self._text.setText(words)
        self._text.set_color(color)
        self._sign.setVisible(color == "good")
        self.setVisible(bool(words))

    @property
    def words(self) -> str:
        """What it says; "" if nothing."""
        return "" if self.isHidden() else self._text.text()
