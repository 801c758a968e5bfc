"""What the guide's pages share: a heading, a sentence, a row for what went wrong, and how far the step is."""

from __future__ import annotations

import enum

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QWidget

from handy_qwen.core.view import NoticeKind, View
from handy_qwen.ui.layouts import SMALL_GAP_PX, Part, column
from handy_qwen.ui.overlay import has_overlay
from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import Message, Text, Title

_TROUBLES = {
    NoticeKind.NO_SPEECH,
    NoticeKind.DEAD_MICROPHONE,
    NoticeKind.MICROPHONE_LOST,
    NoticeKind.COPIED,
    NoticeKind.HELD,
    NoticeKind.FAILED,
}
# Translators: in a list at the end: "First text: not done yet".
_STEP_IS_OPEN = tr("not done yet")
# Translators: in a list at the end: "Microphone: works".
_STEP_IS_DONE = tr("works")


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
        self._noticed = View()
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
        self._noticed = view
        self._show_trouble()

    def _show_trouble(self) -> None:
        view = self._noticed
        for notice in reversed(view.notices):
            if notice.kind in _TROUBLES and (notice.is_lasting or notice.number > self._seen):
                self.trouble.say(notice.title, hint=notice.hint, is_silent=has_overlay(view))
                return
        self.trouble.say("")

    @property
    def summary(self) -> str:
        """How far the step is, in a word or two."""
        return _STEP_IS_DONE if self.is_done else _STEP_IS_OPEN

    @property
    def is_done(self) -> bool:
        """Whether the step has been shown to work."""
        return self.progress is Progress.DONE

    def dismiss_notices(self) -> None:
        """Show no notice any more that came until now, unless it lasts."""
        self._seen = self._newest
        self._show_trouble()

    def set_progress(self, progress: Progress) -> None:
        """Say how far the step is."""
        if progress is not self.progress:
            self.progress = progress
            self.progress_changed.emit()
