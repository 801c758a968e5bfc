"""The overlay: a small window that shows the program's state and never gets in the way.

It never takes the focus, and clicks only where it offers an action; others go to what is behind it. It is
placed on the screen with the cursor, and repainted only when something has changed: a timer runs while a
recording is shown, and none while the overlay is hidden.

A Wayland client cannot place its windows: there the compositor shows it, on a layer above all of them, and Qt
keeps its window off the screen. Screen readers use that window; the visible overlay is its picture.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from PySide6.QtCore import (
    QEasingCurve,
    QEvent,
    QPoint,
    QRect,
    QSignalBlocker,
    QSocketNotifier,
    Qt,
    QTimer,
    QVariantAnimation,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QCursor,
    QGuiApplication,
    QHideEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QWidget

from handy_qwen.core.types import Overlay
from handy_qwen.core.view import SETTINGS, Meter, View
from handy_qwen.ui import strings
from handy_qwen.ui.overlay_card import MARGIN_PX, CardPainter, Content, Mark, card_of, card_shape, content_of
from handy_qwen.ui.style import application, desktop_scheme
from handy_qwen.ui.widgets import announce, spoken

_FRAME_MS = 50  # 20 frames a second while something moves
_FADE_MS = 140
GAP_PX = 40 - MARGIN_PX  # to the edge of the screen: 40 from the card
_QUIET_DB, _LOUD_DB = -55.0, -12.0  # ends of the meter: a quiet room, a close voice
_USUAL_WIDTH_PX = 1280  # of a screen, if there is none: Qt then reports one without size
_FALL_PER_FRAME = 0.12  # the meter rises at once and falls slowly
_URGENT = {Mark.DEAD_MICROPHONE, Mark.FAILED}
_FLAGS = (
    Qt.WindowType.FramelessWindowHint
    | Qt.WindowType.WindowStaysOnTopHint
    | Qt.WindowType.WindowDoesNotAcceptFocus
    | Qt.WindowType.WindowTransparentForInput
    | Qt.WindowType.NoDropShadowWindowHint
    | Qt.WindowType.Tool
)


class OverlayWindow(QWidget):
    """Shows the latest view. Created and used on Qt's thread."""

    clicked = Signal(object)  # Remedy: the action that was clicked

    def __init__(self, meter: Meter, is_composited: Callable[[], bool] = lambda: True) -> None:
        flags = _FLAGS
        if sys.platform.startswith("linux"):
            flags |= Qt.WindowType.X11BypassWindowManagerHint  # no window manager can focus it
        super().__init__(None, flags)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(Qt.WidgetAttribute.WA_MacAlwaysShowToolWindow)  # also behind another program
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(strings.APP_TITLE)
        self._meter, self._is_composited = meter, is_composited
        self._level = 0.0  # of the meter, 0 to 1
        self._frame = 0  # frames since the overlay appeared
        self._view = View()
        self._wanted: Content | None = None
        self._content: Content | None = None  # what is painted, also while it fades out
        self._is_at_top = False
        self._opacity = 0.0
        self._card = CardPainter(self.font())
        self._timer = QTimer(self, interval=_FRAME_MS)
        self._timer.timeout.connect(self._on_frame)
        self._fade = QVariantAnimation(self)
        self._fade.setDuration(_FADE_MS)
        self._fade.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._fade.valueChanged.connect(self._set_opacity)
        self._fade.finished.connect(self._on_faded)
        # When a window closes, Qt reports only that its widget has lost the focus, and too early.
        for changed in (application().focusWindowChanged, application().focusChanged):
            changed.connect(self._on_focus_changed, Qt.ConnectionType.QueuedConnection)

    def has_place(self) -> bool:
        """Whether it is visible: a Wayland client can neither place a window nor keep it from the focus."""
        return not QGuiApplication.platformName().startswith("wayland")

    def show_view(self, view: View) -> None:
        """Show ``view``, or disappear."""
        self._view = view
        if view.notices and self._covers_window():  # the main and the Settings window show notices themselves
            view = replace(view, notices=tuple(one for one in view.notices if one.subject != SETTINGS))
        content = content_of(view)
        if content is not None and content.mark is Mark.HELD and not view.notices and self._covers_window():
            content = None
        is_at_top = view.choices.overlay == "top"
        if content == self._wanted and is_at_top == self._is_at_top:
            return
        self._wanted, self._is_at_top = content, is_at_top
        if content is None:
            self._timer.stop()
            self._take_clicks(False)
            self._fade_to(0.0)
            return
        self._appear(content)
        moves = content.mark is Mark.BUSY or content.began_s is not None
        self._timer.start() if moves else self._timer.stop()

    def _covers_window(self) -> bool:
        """Whether a window of this program has the focus: its buttons would stay covered."""
        return QGuiApplication.focusWindow() not in {None, self.windowHandle()}

    def _on_focus_changed(self) -> None:
        self.show_view(self._view)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802  the name is Qt's
        """Handle a click on the offered action. Called by Qt."""
        if event.button() is Qt.MouseButton.LeftButton:
            self._take_click()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        with QPainter(self) as painter:
            if not self.mask().isEmpty():  # the background for the card's edge
                painter.fillRect(self.rect(), desktop_scheme().color("edge"))
            self._paint(painter)

    def _paint(self, painter: QPainter) -> None:
        if self._content is None:
            return
        began_s = self._content.began_s
        clock = "" if began_s is None else strings.clock(time.monotonic() - began_s)
        self._card.paint(
            painter,
            self.rect(),
            self._content,
            desktop_scheme(),
            level=self._level,
            frame=self._frame,
            clock=clock,
        )

    def _repaint(self) -> None:
        self.update()

    def _take_click(self) -> None:
        if self._wanted is not None and self._wanted.remedy is not None:
            self.clicked.emit(self._wanted.remedy)

    def _appear(self, content: Content) -> None:
        is_new = self._content is None or not self.isVisible()
        before, self._content = self._content, content
        news = _news(content)
        self.setAccessibleDescription(spoken(content.title, content.rest, content.foot))
        self._place(content, keep_screen=not is_new)
        if is_new:
            self._level, self._frame = 0.0, 0
            self._set_opacity(0.0)
            self.show()
        self._take_clicks(content.remedy is not None)
        if is_new or before is None or news != _news(before):
            announce(self, news, is_urgent=content.mark in _URGENT)
        self._fade_to(1.0)
        self._repaint()

    def _take_clicks(self, is_offered: bool) -> None:
        """Change the native window only: a widget whose flags change is hidden and recreated."""
        if (window := self.windowHandle()) is not None:
            window.setFlag(Qt.WindowType.WindowTransparentForInput, not is_offered)
        self.setCursor(Qt.CursorShape.PointingHandCursor if is_offered else Qt.CursorShape.ArrowCursor)

    def _fade_to(self, opacity: float) -> None:
        self._fade.stop()
        with QSignalBlocker(self._fade):  # it would report the intermediate value it was stopped at
            self._fade.setStartValue(self._opacity)
            self._fade.setEndValue(opacity)
        self._fade.start()

    def _set_opacity(self, opacity: float) -> None:
        self._opacity = opacity
        self.setWindowOpacity(opacity)

    def _on_faded(self) -> None:
        if self._opacity == 0.0:
            self._content = None
            self.hide()

    def _place(self, content: Content, *, keep_screen: bool) -> None:
        """Resize for the content, and center near the edge of the screen with the cursor."""
        screen = (keep_screen and self.screen()) or QGuiApplication.screenAt(QCursor.pos())
        area = (screen or QGuiApplication.primaryScreen()).availableGeometry()
        size = self._card.size_for(content, area.width())
        left = area.center().x() - size.width() // 2
        ends = (area.bottom() - GAP_PX - size.height(), area.top() + GAP_PX)
        wanted, other = (QRect(QPoint(left, y), size) for y in (ends[::-1] if self._is_at_top else ends))
        window = QGuiApplication.focusWindow()
        if window is not None and self._covers_window():
            taken = window.frameGeometry()
            if wanted.intersects(taken) and not other.intersects(taken):
                wanted = other  # else it would cover the buttons of a window of this program
        self.setGeometry(wanted)
        if self._is_composited():
            self.clearMask()
        else:
            self.setMask(card_shape(self.rect()))

    def _on_frame(self) -> None:
        level = (self._meter() - _QUIET_DB) / (_LOUD_DB - _QUIET_DB)
        self._level = max(min(max(level, 0.0), 1.0), self._level - _FALL_PER_FRAME)
        self._frame += 1
        self._repaint()


Area = tuple[int, int, int, int]
"""Left, top, width, height."""


class Surface(Protocol):
    """A surface on the compositor's layer, until it is closed: see ``system/wayland/layer.py``."""

    def fileno(self) -> int:
        """Readable when ``take_in`` has something to do."""

    def take_in(self) -> None:
        """Process the compositor's events."""

    def show(self, width: int, height: int, *, is_at_top: bool, gap: int, clicks: Area | None) -> None:
        """Show it in that size, ``gap`` away from the edge, with a new picture."""

    def close(self) -> None:
        """Remove it from the screen."""


Paint = Callable[[int, int, float], bytes]
"""Paints a picture of that width and height in pixels, at that many pixels per unit of Qt."""
OpenSurface = Callable[[Paint, Callable[[], object], Callable[[], object]], Surface | None]
"""Opens a surface, given the functions to paint, to handle a click, and its loss. None: impossible."""


class LayerOverlay(OverlayWindow):
    """As ``OverlayWindow``. Has a surface while it is shown, and nothing runs while it is hidden.

    A lost surface is replaced only when the overlay appears again or the screens change: the compositor, or
    the last screen, is gone.
    """

    def __init__(self, meter: Meter, open_surface: OpenSurface) -> None:
        super().__init__(meter)
        self.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
        self.setUpdatesEnabled(False)  # the window is never visible
        self._open_surface = open_surface
        self._surface: Surface | None = None
        self._listener: QSocketNotifier | None = None
        self._takes_clicks = False
        for changed in (application().screenAdded, application().screenRemoved):
            changed.connect(self._on_screens_changed)

    def has_place(self) -> bool:
        """See ``OverlayWindow``."""
        return True

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        super().showEvent(event)
        self._open()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        super().hideEvent(event)
        self._close()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  the name is Qt's
        """Follow the desktop's switch between dark and light. Called by Qt."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._repaint()

    def _open(self) -> None:
        self._surface = self._open_surface(self._picture, self._take_click, self._close)
        if self._surface is not None:
            self._listener = QSocketNotifier(self._surface.fileno(), QSocketNotifier.Type.Read, self)
            self._listener.activated.connect(self._surface.take_in)

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.setEnabled(False)
            self._listener.deleteLater()
        if self._surface is not None:
            self._surface.close()
        self._surface = self._listener = None

    def _on_screens_changed(self) -> None:
        """Replace the surface: sway does not report that its screen was switched off."""
        if self.isVisible():
            self._close()
            self._open()
            self._repaint()

    def _place(self, content: Content, *, keep_screen: bool) -> None:  # noqa: ARG002  the compositor does
        """Resize for the content; its screen is unknown."""
        widths_px = [screen.geometry().width() for screen in QGuiApplication.screens()]
        narrowest_px = min((one for one in widths_px if one > 0), default=_USUAL_WIDTH_PX)
        self.resize(self._card.size_for(content, narrowest_px))

    def _take_clicks(self, is_offered: bool) -> None:
        self._takes_clicks = is_offered

    def _set_opacity(self, opacity: float) -> None:
        self._opacity = opacity
        self._repaint()

    def _repaint(self) -> None:
        if self._surface is None:
            return
        card = card_of(self.rect())
        clicks = (card.x(), card.y(), card.width(), card.height()) if self._takes_clicks else None
        self._surface.show(self.width(), self.height(), is_at_top=self._is_at_top, gap=GAP_PX, clicks=clicks)

    def _picture(self, width: int, height: int, scale: float) -> bytes:
        picture = QImage(width, height, QImage.Format.Format_ARGB32_Premultiplied)
        picture.setDevicePixelRatio(scale)
        picture.fill(Qt.GlobalColor.transparent)
        with QPainter(picture) as painter:
            self._paint(painter)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_DestinationIn)
            painter.fillRect(self.rect(), QColor.fromRgbF(0.0, 0.0, 0.0, self._opacity))
        return bytes(picture.constBits())


def _news(content: Content) -> str:
    """What a screen reader says: of live text only warnings, since the microphone would record the rest."""
    if content.is_live or content.mark in {Mark.METER, Mark.STARTING}:
        return content.remark
    return spoken(content.title, content.rest)


def has_overlay(view: View) -> bool:
    """Whether the overlay shows and announces notices: if not, something else has to."""
    return view.choices.overlay != Overlay.OFF
