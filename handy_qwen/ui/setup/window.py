"""The guide: six steps, each of which can be skipped, gone back to, and found again.

Nothing here is a stand-in: the level is the recorder's, the hotkey is heard by the listener, texts come by
the way all texts come. With the demo model it works for the sentence it offers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetricsF,
    QHideEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShortcut,
    QShowEvent,
    QWindowStateChangeEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from handy_qwen.core.events import Request
from handy_qwen.core.models import ModelCommands, ModelList
from handy_qwen.core.view import Commands, Meter, View
from handy_qwen.ui import strings
from handy_qwen.ui.icons import drawing
from handy_qwen.ui.setup import words
from handy_qwen.ui.setup.hotkey_page import HotkeyPage
from handy_qwen.ui.setup.page import Page, Progress
from handy_qwen.ui.setup.pages import AutostartPage, DictationPage, DonePage, MicrophonePage, ModelPage
from handy_qwen.ui.style import scheme
from handy_qwen.ui.widgets import button
from handy_qwen.ui.window import MARGIN_PX, AppWindow

SIZE_PX = QSize(780, 540)
_STEPS_LINES = (
    34  # as wide as so many lines are high: a window that is narrower has no room for the list of steps
)


class SetupWindow(AppWindow):
    """Shows the last view and shelf it was given. Lives on Qt's thread."""

    def __init__(
        self, ask: Callable[[Request], None], commands: Commands, meter: Meter, keeper: ModelCommands
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

    def show_shelf(self, shelf: ModelList) -> None:
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


_INSET_PX, _GAP_PX = 12, 10
_HEIGHT, _DOT = 2.1, 1.2  # lines of text
_RADIUS_PX = 7.0
_HERE_ALPHA, _HOVER_ALPHA = 36, 18


class StepList(QWidget):
    """One entry below the other."""

    wanted = Signal(int)

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.entries = [StepEntry(place, name) for place, name in enumerate(names)]
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        for place, entry in enumerate(self.entries):
            entry.clicked.connect(lambda _checked, place=place: self.wanted.emit(place))
            column.addWidget(entry)
        column.addStretch()

    def show_step(self, here: int) -> None:
        """Mark the step that is up."""
        for place, entry in enumerate(self.entries):
            entry.show_state(is_here=place == here, progress=entry.progress)

    def show_progress(self, place: int, progress: Progress) -> None:
        """Mark how far a step is."""
        entry = self.entries[place]
        entry.show_state(is_here=entry.is_here, progress=progress)


class StepEntry(QAbstractButton):
    """A number or a check mark, and the name of the step."""

    def __init__(self, place: int, name: str) -> None:
        super().__init__()
        self.setText(name)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self._number = str(place + 1)
        self.is_here, self.progress = False, Progress.OPEN

    @property
    def is_done(self) -> bool:
        """Whether the step has been shown to work."""
        return self.progress is Progress.DONE

    def show_state(self, *, is_here: bool, progress: Progress) -> None:
        """Show whether it is up, and how far it is."""
        self.is_here, self.progress = is_here, progress
        self.setAccessibleName(words.STEP_DONE.format(title=self.text()) if self.is_done else self.text())
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        width = QFontMetricsF(self.font()).horizontalAdvance(self.text())
        return QSize(
            round(width * 1.1) + 2 * _INSET_PX + self._dot_px + _GAP_PX, round(self._line_px * _HEIGHT)
        )

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors, area = scheme(), QRectF(self.rect()).adjusted(1, 1, -1, -1)
        painter.setPen(QPen(colors.color("working"), 1.5) if self.hasFocus() else Qt.PenStyle.NoPen)
        alpha = _HERE_ALPHA if self.is_here else _HOVER_ALPHA if self.underMouse() else 0
        painter.setBrush(colors.color("working", alpha))
        painter.drawRoundedRect(area, _RADIUS_PX, _RADIUS_PX)
        size_px = self._dot_px
        dot = QRectF(_INSET_PX, (self.height() - size_px) / 2, size_px, size_px)
        if self.is_done:
            drawing("mark-good", colors.good).render(painter, dot)
        elif self.progress is Progress.SETTLED:
            drawing("mark-dot", colors.quiet).render(painter, dot)
        else:
            painter.setPen(QPen(colors.color("working" if self.is_here else "quiet"), 1.3))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(dot.adjusted(1.5, 1.5, -1.5, -1.5))
            font = self.font()
            font.setPointSizeF(font.pointSizeF() * 0.8)
            painter.setFont(font)
            painter.drawText(dot, Qt.AlignmentFlag.AlignCenter, self._number)
        font = self.font()
        font.setBold(self.is_here)
        painter.setFont(font)
        painter.setPen(
            colors.color("quiet" if self.progress is Progress.OPEN and not self.is_here else "text")
        )
        place = QRectF(dot.right() + _GAP_PX, 0, self.width(), self.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.text())
        painter.end()

    @property
    def _line_px(self) -> int:
        return self.fontMetrics().height()

    @property
    def _dot_px(self) -> int:
        return round(self._line_px * _DOT)
