"""The guide: six steps, and one more on macOS, each of which can be skipped and revisited.

Nothing here is simulated: level, hotkey and texts come from the program's own parts. With the demo model it
works for the suggested sentence.
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
)
from PySide6.QtWidgets import QAbstractButton, QFrame, QPushButton, QSizePolicy, QWidget

from handy_qwen.core.events import Request
from handy_qwen.core.models import ModelCommands, ModelList
from handy_qwen.core.permissions import PermissionCommands
from handy_qwen.core.view import Commands, Meter, View
from handy_qwen.settings import SettingsView
from handy_qwen.ui import strings
from handy_qwen.ui.icons import drawing
from handy_qwen.ui.layouts import MARGIN_PX, boxed, column, row
from handy_qwen.ui.setup.pages import (
    PROGRESS_ICONS,
    AutostartPage,
    DonePage,
    HotkeyPage,
    ModelPage,
    Page,
    Progress,
)
from handy_qwen.ui.setup.permissions import PermissionsPage
from handy_qwen.ui.setup.reading import DictationPage, MicrophonePage
from handy_qwen.ui.style import draw_rounded, scheme
from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import Button, scaled_font
from handy_qwen.ui.window import AppWindow

_SIZE_PX = QSize(780, 540)
_STEPS_LINES = 34  # the list of steps is shown if the window is at least as wide as this many lines are high
_INSET_PX, _GAP_PX, _RADIUS_PX = 12, 10, 7.0
_STEP_LINES, _DOT_LINES = 2.1, 1.2  # heights, in lines of text
_HERE_ALPHA, _HOVER_ALPHA = 36, 18
_SKIP = tr("S&kip")


class SetupWindow(AppWindow):
    """Shows the latest view and model list. Created and used on Qt's thread.

    ``permission_commands`` is given on systems with permissions.
    """

    def __init__(
        self,
        ask: Callable[[Request], None],
        commands: Commands,
        meter: Meter,
        model_commands: ModelCommands,
        permission_commands: PermissionCommands | None = None,
    ) -> None:
        super().__init__("setup", tr("Set up"), _SIZE_PX)
        self._is_minimized = False
        self.model, self.hotkey = ModelPage(model_commands, commands), HotkeyPage(ask, commands)
        steps: list[Page] = [
            self.model,  # early, so that it is downloaded during the others
            MicrophonePage(ask, commands, meter),
            self.hotkey,
            DictationPage(commands),
            AutostartPage(commands),
        ]
        if permission_commands is not None:  # before the model: it may require a restart
            permissions = PermissionsPage(permission_commands, commands)
            permissions.moved_on.connect(lambda: self.first_focus().setFocus())
            steps.insert(0, permissions)
        self._last = DonePage(steps)
        self._last.wanted.connect(self.go_to)
        self.pages: list[Page] = [*steps, self._last]
        self.place = 0  # of the visible page
        self.steps, self._edge = _StepList([page.name for page in self.pages]), QFrame()
        self.steps.wanted.connect(self.go_to)
        self.back = Button(tr("&Back"), lambda: self.go_to(self.place - 1))
        self.forward = Button(_SKIP, self._on_forward)
        for place, page in enumerate(self.pages):
            if page is not self.page:
                page.hide()
            page.progress_changed.connect(lambda place=place: self._on_progress(place))
        QShortcut(QKeySequence(QKeySequence.StandardKey.Back), self, self.back.click)
        self._edge.setFrameShape(QFrame.Shape.VLine)
        self.body.addWidget(boxed(row(self.steps, self._edge, (column(*self.pages), 1), gap_px=MARGIN_PX)), 1)
        self.close_button.setText(tr("Close set&up"))
        self.foot.removeWidget(self.close_button)
        self.buttons.addWidget(self.close_button)
        self.foot.addWidget(self.back)
        self.foot.addWidget(self.forward)
        self._mark_enter_button()
        self._update()

    @property
    def page(self) -> Page:
        """The visible page."""
        return self.pages[self.place]

    def alternatives(self) -> Sequence[QWidget]:
        """See ``AppWindow``."""
        return self.pages

    def first_focus(self) -> QWidget:
        """The page's choice; before it has anything, the page itself, which ignores keys."""
        return self.page.first_focus() or self.scrolled

    def show_view(self, view: View) -> None:
        """Show what ``view`` says."""
        for page in self.pages:
            page.show_view(view)

    def show_settings(self, shown: SettingsView) -> None:
        """Show what the settings say."""
        self.hotkey.show_settings(shown.values)

    def show_models(self, models: ModelList) -> None:
        """Show which models there are."""
        self.model.show_models(models)
        self._mark_enter_button()
        if self.scrolled.hasFocus():  # the page was shown before there was anything to press
            self.first_focus().setFocus(Qt.FocusReason.OtherFocusReason)

    def go_to(self, place: int) -> None:
        """Show a page."""
        if place == self.place or not 0 <= place < len(self.pages):
            return
        self.page.leave()
        self._bring_up(place)
        self._update()
        if self.isVisible():
            self.page.enter()
        (self.page.first_focus() or self.forward).setFocus()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if not event.spontaneous():
            if self.page is self._last:
                self._bring_up(0)
            self._update()
            self.page.enter()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if not event.spontaneous():
            self.page.leave()
        super().hideEvent(event)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  the name is Qt's
        """Release the hotkey and the microphone while the window is minimized. Called by Qt."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.WindowStateChange:  # sent twice on some systems
            was_minimized, self._is_minimized = self._is_minimized, self.isMinimized()
            if self.isVisible() and self._is_minimized and not was_minimized:
                self.page.leave()
            elif self.isVisible() and was_minimized and not self._is_minimized:
                self.page.enter()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        super().resizeEvent(event)
        is_wide = self.width() >= _STEPS_LINES * self.fontMetrics().height()
        self.steps.setVisible(is_wide)
        self._edge.setVisible(is_wide)

    def _bring_up(self, place: int) -> None:
        """Show one page, from its top; hidden pages take no room, so that none is as high as the highest."""
        former, self.place = self.page, place
        former.hide()
        self.page.show()
        self.scrolled.verticalScrollBar().setValue(0)

    def _on_forward(self) -> None:
        if self.page is self._last:
            self.close()
        else:
            self.go_to(self.place + 1)

    def _on_progress(self, place: int) -> None:
        self.steps.show_progress(place, self.pages[place].progress)
        if self.page is self._last:
            self._last.show_progress()
        self._update()

    def _update(self) -> None:
        """Update the title and the buttons for the visible page."""
        is_last = self.page is self._last
        self.back.setEnabled(self.place > 0)
        self.close_button.setHidden(is_last)
        onward = _SKIP if self.page.progress is Progress.OPEN else tr("&Next")
        self.forward.setText(tr("&Finish") if is_last else onward)
        (self.page.primary() or self.forward).setDefault(True)
        self.steps.show_step(self.place)
        self.setWindowTitle(strings.window_title(tr("Set up: {step}").format(step=self.page.name)))
        step = tr("Step {number} of {count}").format(
            number=strings.whole(self.place + 1), count=strings.whole(len(self.pages))
        )
        self.setAccessibleDescription(f"{step}: {self.page.name}")

    def _mark_enter_button(self) -> None:
        """Style the focused button as the one that Enter presses."""
        for one in self.findChildren(QPushButton):
            one.setAutoDefault(True)


class _StepList(QWidget):
    """The steps as a list: the current one, finished ones, and a way to any of them."""

    wanted = Signal(int)

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.entries = [_StepEntry(place, name) for place, name in enumerate(names)]
        for place, entry in enumerate(self.entries):
            entry.clicked.connect(lambda _checked, place=place: self.wanted.emit(place))
        column(*self.entries, None, gap_px=2, parent=self)

    def show_step(self, here: int) -> None:
        for place, entry in enumerate(self.entries):
            entry.show_state(entry.progress, is_here=place == here)

    def show_progress(self, place: int, progress: Progress) -> None:
        self.entries[place].show_state(progress, is_here=self.entries[place].is_here)


class _StepEntry(QAbstractButton):
    """A number or a check mark, and the name of the step."""

    def __init__(self, place: int, name: str) -> None:
        super().__init__()
        self.setText(name)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self._number = strings.whole(place + 1)
        self.is_here, self.progress = False, Progress.OPEN

    @property
    def is_done(self) -> bool:
        return self.progress is Progress.DONE

    def show_state(self, progress: Progress, *, is_here: bool) -> None:
        self.is_here, self.progress = is_here, progress
        name = tr("{title}, done").format(title=self.text()) if self.is_done else self.text()
        self.setAccessibleName(tr("{title}, current step").format(title=name) if is_here else name)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        width = QFontMetricsF(self.font()).horizontalAdvance(self.text())
        height = round(self.fontMetrics().height() * _STEP_LINES)
        return QSize(round(width * 1.1) + 2 * _INSET_PX + self._dot_px + _GAP_PX, height)

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        colors, font = scheme(), self.font()
        focus = QPen(colors.color("working"), 1.5) if self.hasFocus() else None
        background = colors.color("working", _HERE_ALPHA if self.is_here else _HOVER_ALPHA)
        is_marked = self.is_here or self.underMouse()
        dot = QRectF(_INSET_PX, (self.height() - self._dot_px) / 2, self._dot_px, self._dot_px)
        text = QRectF(self.rect()).adjusted(dot.right() + _GAP_PX, 0, 0, 0)
        if self.isRightToLeft():
            for area in (dot, text):
                area.moveRight(self.width() - area.left())
        is_open = self.progress is Progress.OPEN
        with QPainter(self) as painter:
            area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
            draw_rounded(painter, area, _RADIUS_PX, background if is_marked else None, focus)
            if is_open:
                ring = QPen(colors.color("working" if self.is_here else "quiet"), 1.3)
                draw_rounded(painter, dot.adjusted(1, 1, -1, -1), self._dot_px / 2, None, ring)
                painter.setPen(ring)
                painter.setFont(scaled_font(self, 0.8))
                painter.drawText(dot, Qt.AlignmentFlag.AlignCenter, self._number)
            else:
                name, color = PROGRESS_ICONS[self.progress]
                drawing(name, getattr(colors, color)).render(painter, dot)
            font.setBold(self.is_here)
            painter.setFont(font)
            painter.setPen(colors.color("quiet" if is_open and not self.is_here else "text"))
            painter.drawText(text, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.text())

    @property
    def _dot_px(self) -> int:
        return round(self.fontMetrics().height() * _DOT_LINES)
