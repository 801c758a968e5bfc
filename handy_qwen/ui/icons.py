"""The tray's icons, rendered from SVG for the panel they stand on.

Each state has a shape of its own, so that it is told without color, and at 16 pixels.
"""

from __future__ import annotations

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from handy_qwen import paths
from handy_qwen.core.view import Phase
from handy_qwen.ui.style import PANEL_DARK_INK, PANEL_LIGHT_INK

_FILES = {
    Phase.IDLE: "tray-idle",
    Phase.LOADING: "tray-loading",
    Phase.RECORDING: "tray-recording",
    Phase.TRANSCRIBING: "tray-transcribing",
    Phase.PROBLEM: "tray-problem",
}
_SIZES_PX = (16, 20, 22, 24, 32, 48, 64)


def tray_icon(phase: Phase, *, is_dark: bool) -> QIcon:
    """The icon of ``phase`` for a dark or a light panel."""
    return _rendered(_FILES[phase], PANEL_LIGHT_INK if is_dark else PANEL_DARK_INK)


def app_icon() -> QIcon:
    """The program's own icon."""
    return _rendered("handy-qwen", PANEL_DARK_INK)


def _rendered(name: str, ink: str) -> QIcon:
    drawing = paths.asset(f"icons/{name}.svg").read_bytes()
    renderer = QSvgRenderer(QByteArray(drawing.replace(PANEL_DARK_INK.encode(), ink.encode())))
    icon = QIcon()
    for size in _SIZES_PX:
        pixmap = QPixmap(size, size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        renderer.render(painter)
        painter.end()
        icon.addPixmap(pixmap)
    return icon
