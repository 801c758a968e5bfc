"""The overlay: a small window that shows what is going on and never gets in the way.

It takes neither the focus nor the mouse, stands on the screen with the cursor, and paints only when something
has changed: a timer runs while a recording is shown, and none does while the overlay is hidden.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from PySide6.QtCore import QEasingCurve, QPropertyAnimation, QRect, Qt, QTimer
from PySide6.QtGui import QCursor, QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from handy_qwen.core.view import Meter, View
from handy_qwen.ui import strings
from handy_qwen.ui.overlay_card import MARGIN_PX, Content, Mark, OverlayPainter, card_shape, content_of
from handy_qwen.ui.style import scheme
from handy_qwen.ui.widgets import announce, spoken
from handy_qwen.ui.window import application

_FRAME_MS = 50  # 20 pictures a second while something moves
_FADE_MS = 140
_GAP_PX = 40  # to the edge of the screen
_QUIET_DB, _LOUD_DB = -55.0, -12.0  # ends of the meter: a quiet room, a voice close by
_FALL_PER_FRAME = 0.12  # the meter rises at once and falls softly

_URGENT = {Mark.SILENT, Mark.PROBLEM}
_FLAGS = (
    Qt.WindowType.FramelessWindowHint
    | Qt.WindowType.WindowStaysOnTopHint
    | Qt.WindowType.WindowDoesNotAcceptFocus
    | Qt.WindowType.WindowTransparentForInput
    | Qt.WindowType.NoDropShadowWindowHint
    | Qt.WindowType.Tool
)


class OverlayWindow(QWidget):
    """Shows the last view it was given. Lives on Qt's thread."""

    def __init__(self, meter: Meter, is_composited: Callable[[], bool] = lambda: True) -> None:
        flags = _FLAGS
        if sys.platform.startswith("linux"):
            flags |= Qt.WindowType.X11BypassWindowManagerHint  # no window manager can give it the focus
        super().__init__(None, flags)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(strings.APP_TITLE)
        self.setAttribute(Qt.WidgetAttribute.WA_MacAlwaysShowToolWindow)  # also behind another program
        self._meter = meter
        self._is_composited = is_composited
        self._level = 0.0  # 0 to 1, what the meter shows
        self._turn = 0  # pictures since the overlay appeared, for what turns
        self._view = View()
        self._wanted: Content | None = None
        self._content: Content | None = None  # what is painted: the last one wanted, also while it fades
        self._is_at_top = False
        self._painter = OverlayPainter(self.font())
        self._timer = QTimer(self)
        self._timer.setInterval(_FRAME_MS)
        self._timer.timeout.connect(self._on_frame)
        self._fade = QPropertyAnimation(self, b"windowOpacity", self)
        self._fade.setDuration(_FADE_MS)
        self._fade.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._fade.finished.connect(self._on_faded)
        # Of a window that is closed Qt tells only that its widget has lost the focus, and that too early.
        application().focusWindowChanged.connect(self._on_focus_changed, Qt.ConnectionType.QueuedConnection)
        application().focusChanged.connect(self._on_focus_changed, Qt.ConnectionType.QueuedConnection)

    def show_view(self, view: View) -> None:
        """Show what ``view`` says, or disappear.

        A text that waits is not told of over a window of this program: it would cover its buttons for good.
        """
        self._view = view
        content = content_of(view) if _can_be_placed() else None
        if (
            content is not None
            and content.mark is Mark.WAITING
            and not view.notices
            and self._is_beside_another()
        ):
            content = None
        is_at_top = view.choices.overlay == "top"
        if content == self._wanted and is_at_top == self._is_at_top:
            return
        self._wanted, self._is_at_top = content, is_at_top
        if content is None:
            self._disappear()
        else:
            self._appear(content)
        moves = content is not None and (content.mark is Mark.BUSY or content.began_s is not None)
        self._timer.start() if moves else self._timer.stop()

    def _is_beside_another(self) -> bool:
        """Whether another window of this program has the keyboard."""
        return QGuiApplication.focusWindow() not in {None, self.windowHandle()}

    def _on_focus_changed(self) -> None:
        self.show_view(self._view)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Paint the content. Called by Qt."""
        if self._content is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.mask().isEmpty():  # what an edge is blended with
            painter.fillRect(self.rect(), scheme().color("edge"))
        began_s = self._content.began_s
        clock = "" if began_s is None else strings.clock(time.monotonic() - began_s)
        self._painter.paint(
            painter, self.rect(), self._content, scheme(), level=self._level, turn=self._turn, clock=clock
        )
        painter.end()

    def _appear(self, content: Content) -> None:
        is_new = self._content is None or not self.isVisible()
        before, self._content = self._content, content
        said = _news(content)
        self.setAccessibleDescription(spoken(content.title, content.rest))
        self._place(keep_screen=not is_new)
        if is_new:
            self._level, self._turn = 0.0, 0
            self.setWindowOpacity(0.0)
            self.show()
        if is_new or before is None or said != _news(before):
            announce(self, said, is_urgent=content.mark in _URGENT)
        self._fade_to(1.0)
        self.update()

    def _disappear(self) -> None:
        self._timer.stop()
        self._fade_to(0.0)

    def _fade_to(self, opacity: float) -> None:
        self._fade.stop()
        self._fade.setStartValue(self.windowOpacity())
        self._fade.setEndValue(opacity)
        self._fade.start()

    def _on_faded(self) -> None:
        if self.windowOpacity() == 0.0:
            self._content = None
            self.hide()

    def _place(self, *, keep_screen: bool) -> None:
        """Size for the content, centered near the edge of the screen with the cursor."""
        assert self._content is not None
        screen = (keep_screen and self.screen()) or QGuiApplication.screenAt(QCursor.pos())
        area = (screen or QGuiApplication.primaryScreen()).availableGeometry()
        size = self._painter.size_for(self._content, area.width())
        left = area.center().x() - size.width() // 2
        gap = _GAP_PX - MARGIN_PX
        top = area.top() + gap if self._is_at_top else area.bottom() - gap - size.height()
        self.setGeometry(QRect(left, top, size.width(), size.height()))
        if self._is_composited():
            self.clearMask()
        else:
            self.setMask(card_shape(self.rect()))

    def _on_frame(self) -> None:
        level = (self._meter() - _QUIET_DB) / (_LOUD_DB - _QUIET_DB)
        self._level = max(min(max(level, 0.0), 1.0), self._level - _FALL_PER_FRAME)
        self._turn += 1
        self.update()


def _news(content: Content) -> str:
    """What a screen reader says of ``content``.

    While somebody speaks only a warning is said: anything else would get into the microphone.
    """
    if content.is_live or content.mark in {Mark.METER, Mark.STARTING}:
        return content.remark
    return spoken(content.title, content.rest)


def has_overlay(view: View) -> bool:
    """Whether notices are seen, and announced, in the overlay: else somebody else has to tell them."""
    return view.choices.overlay != "off" and _can_be_placed()


def _can_be_placed() -> bool:
    """Whether a window may choose its place and stay without the focus: not as a client of Wayland."""
    return not QGuiApplication.platformName().startswith("wayland")
