"""The guide: six steps, each of which can be skipped, gone back to, and found again.

Nothing here is a stand-in: the level is the recorder's, the hotkey is heard by the listener, texts come by
the way all texts come. With the demo model it works for the sentence it offers.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import (
    QHideEvent,
    QKeySequence,
    QResizeEvent,
    QShortcut,
    QShowEvent,
    QWindowStateChangeEvent,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from handy_qwen.core.events import Request
from handy_qwen.core.shelf import Shelf, ShelfKeeper
from handy_qwen.core.view import Commands, Meter, View
from handy_qwen.ui import strings
from handy_qwen.ui.setup import words
from handy_qwen.ui.setup.dictation_page import DictationPage
from handy_qwen.ui.setup.hotkey_page import HotkeyPage
from handy_qwen.ui.setup.last_pages import AutostartPage, DonePage
from handy_qwen.ui.setup.microphone_page import MicrophonePage
from handy_qwen.ui.setup.model_page import ModelPage
from handy_qwen.ui.setup.page import Page, Progress
from handy_qwen.ui.setup.step_list import StepList
from handy_qwen.ui.windows.parts import button
from handy_qwen.ui.windows.window import MARGIN_PX, AppWindow

SIZE_PX = QSize(780, 540)
_STEPS_LINES = (
    34  # as wide as so many lines are high: a window that is narrower has no room for the list of steps
)


class SetupWindow(AppWindow):
    """Shows the last view and shelf it was given. Lives on Qt's thread."""

    def __init__(
        self, ask: Callable[[Request], None], commands: Commands, meter: Meter, keeper: ShelfKeeper
    ) -> None:
        super().__init__("setup", words.TITLE, SIZE_PX)
        self.model = ModelPage(keeper)
        steps: list[Page] = [
            self.model,  # first, so that it is downloaded behind the others
            MicrophonePage(ask, commands, meter),
            HotkeyPage(ask, commands),
            DictationPage(),
            AutostartPage(commands),
        ]
        self._last = DonePage(steps)
        self._last.wanted.connect(self.go_to)
        self.pages: list[Page] = [*steps, self._last]
        self.place = 0  # of the page that is up
        self.steps, self._edge = StepList([page.name for page in self.pages]), QFrame()
        self.steps.wanted.connect(self.go_to)
        self.back = button(words.BACK, lambda: self.go_to(self.place - 1))
        self.forward = button(words.SKIP, self._on_forward)
        for place, page in enumerate(self.pages):
            page.setVisible(page is self.page)
            page.progress_changed.connect(lambda place=place: self._on_progress(place))
        QShortcut(QKeySequence(QKeySequence.StandardKey.Back), self, self.back.click)
        self._build()
        self._label()

    @property
    def page(self) -> Page:
        """The page that is up."""
        return self.pages[self.place]

    def first_focus(self) -> QWidget:
        """What the page says; before it has anything, the page itself, which takes no key."""
        return self.page.first_focus() or self.scrolled

    def show_view(self, view: View) -> None:
        """Show what ``view`` says."""
        for page in self.pages:
            page.show_view(view)

    def show_shelf(self, shelf: Shelf) -> None:
        """Show which models there are."""
        self.model.show_shelf(shelf)
        if self.scrolled.hasFocus():  # the page came up before there was anything to press
            self.first_focus().setFocus(Qt.FocusReason.OtherFocusReason)

    def go_to(self, place: int) -> None:
        """Bring a page up."""
        if place == self.place or not 0 <= place < len(self.pages):
            return
        self.page.leave()
        self._bring_up(place)
        self._label()
        if self.isVisible():
            self.page.enter()
        (self.page.first_focus() or self.forward).setFocus()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if not event.spontaneous():
            if self.place == len(self.pages) - 1:
                self._bring_up(0)
            self._label()
            self.page.enter()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if not event.spontaneous():
            self.page.leave()
        super().hideEvent(event)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  the name is Qt's
        """A page that nobody sees does not keep the hotkey or the microphone. Called by Qt."""
        super().changeEvent(event)
        if isinstance(event, QWindowStateChangeEvent) and self.isVisible():
            was_minimized = bool(event.oldState() & Qt.WindowState.WindowMinimized)
            if self.isMinimized() and not was_minimized:
                self.page.leave()
            elif was_minimized and not self.isMinimized():
                self.page.enter()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        super().resizeEvent(event)
        is_wide = self.width() >= _STEPS_LINES * self.fontMetrics().height()
        for widget in (self.steps, self._edge):
            widget.setVisible(is_wide)

    def _bring_up(self, place: int) -> None:
        """Show one page, from its top; the others take no room, so that none is as high as the highest."""
        former, self.place = self.page, place
        former.hide()
        self.page.show()
        self.scrolled.verticalScrollBar().setValue(0)

    def _on_forward(self) -> None:
        if self.place == len(self.pages) - 1:
            self.close()
        else:
            self.go_to(self.place + 1)

    def _on_progress(self, place: int) -> None:
        self.steps.show_progress(place, self.pages[place].progress)
        if self.page is self._last:
            self._last.show_progress()
        self._label()

    def _label(self) -> None:
        """Word the buttons for the page that is up."""
        is_last = self.place == len(self.pages) - 1
        self.back.setEnabled(self.place > 0)
        self.close_button.setHidden(is_last)
        onward = words.SKIP if self.page.progress is Progress.OPEN else words.NEXT
        self.forward.setText(words.FINISH if is_last else onward)
        (self.page.primary() or self.forward).setDefault(True)
        self.steps.show_step(self.place)
        self.setWindowTitle(strings.window_title(words.TITLE_OF_STEP.format(step=self.page.name)))
        step = words.STEP.format(number=self.place + 1, count=len(self.pages))
        self.setAccessibleDescription(f"{step}: {self.page.name}")

    def _build(self) -> None:
        line = QHBoxLayout()
        line.setSpacing(MARGIN_PX)
        self._edge.setFrameShape(QFrame.Shape.VLine)
        line.addWidget(self.steps)
        line.addWidget(self._edge)
        column = QVBoxLayout()
        for page in self.pages:
            column.addWidget(page)
        line.addLayout(column, 1)
        self.body.addLayout(line, 1)
        self.close_button.setText(words.LATER)
        self._foot.removeWidget(self.close_button)
        self.buttons.addWidget(self.close_button)
        self._foot.addWidget(self.back)
        self._foot.addWidget(self.forward)
        for one in self.findChildren(QPushButton):
            one.setAutoDefault(True)  # the one with the keyboard looks like the one that Enter presses
