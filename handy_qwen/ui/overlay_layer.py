"""The overlay of a client of Wayland: shown by the compositor on a layer above all windows.

Qt keeps its window off the screen. That is what screen readers know of it; what is seen is its picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QEvent, QSocketNotifier, Qt
from PySide6.QtGui import QColor, QGuiApplication, QHideEvent, QImage, QPainter, QShowEvent

from handy_qwen.core.view import Meter
from handy_qwen.ui.overlay import GAP_PX, OverlayWindow
from handy_qwen.ui.overlay_card import Content, card_of
from handy_qwen.ui.style import application

_USUAL_WIDTH_PX = 1280  # of a screen, while there is none: Qt has one without size then

Area = tuple[int, int, int, int]
"""Left, top, width, height."""


class Surface(Protocol):
    """A place on the compositor's layer, until it is closed: see ``system/wayland/layer.py``."""

    def fileno(self) -> int:
        """Readable when ``take_in`` has something to do."""

    def take_in(self) -> None:
        """Deal with what the compositor has told."""

    def show(self, width: int, height: int, *, is_at_top: bool, gap: int, clicks: Area | None) -> None:
        """Show it in that size, ``gap`` away from the edge, with a new picture."""

    def close(self) -> None:
        """Take it off the screen."""


Paint = Callable[[int, int, float], bytes]
"""Paints a picture of that width and height in pixels, at that many pixels for one of Qt's."""
OpenSurface = Callable[[Paint, Callable[[], object], Callable[[], object]], Surface | None]
"""Opens one: how it is painted, what a click does, what is done when it is lost. None: there can be none."""


class LayerOverlay(OverlayWindow):
    """As ``OverlayWindow``. Has a surface while it is shown, and nothing runs while it is hidden.

    A surface that is lost is not replaced before the overlay appears again or a screen comes or goes: the
    compositor, or the last screen, has gone.
    """

    def __init__(self, meter: Meter, open_surface: OpenSurface) -> None:
        super().__init__(meter)
        self.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
        self.setUpdatesEnabled(False)  # Qt would paint what nobody sees
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
        """Follow the desktop when it becomes dark or light. Called by Qt."""
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
        """Have another surface: sway does not say that the screen of this one was switched off."""
        if self.isVisible():
            self._close()
            self._open()
            self._repaint()

    def _place(self, content: Content, *, keep_screen: bool) -> None:  # noqa: ARG002  the compositor does
        """Size for the content; which screen that will be on is not known."""
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
