"""The program's drawings, and the icons made from them.

Each state has its own shape in the tray, distinguishable without color and at 16 pixels.
"""

from __future__ import annotations

import functools

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from handy_qwen import paths
from handy_qwen.core.view import Phase
from handy_qwen.ui.style import PANEL_DARK_INK, PANEL_LIGHT_INK

_SIZES_PX = (16, 20, 22, 24, 32, 48, 64)
_HALO_OPACITY = 0.35


@functools.cache
def drawing(name: str, color: str) -> QSvgRenderer:
    """A drawing in ``color`` (#rrggbb) instead of its own."""
    svg = paths.asset(f"icons/{name}.svg").read_bytes()
    return QSvgRenderer(QByteArray(svg.replace(PANEL_DARK_INK.encode(), color.encode())))


def tray_icon(phase: Phase, *, is_dark: bool) -> QIcon:
    """The icon of ``phase`` for a dark or a light panel.

    No desktop tells what its panel looks like, only whether its windows are dark. A faint halo in the
    opposite color keeps the icon visible if that guess is wrong.
    """
    inks = (PANEL_LIGHT_INK, PANEL_DARK_INK)
    ink, halo = inks if is_dark else inks[::-1]
    name = f"tray-{phase.name.lower()}"
    return _icon(drawing(name, ink), drawing(name, halo))


def app_icon() -> QIcon:
    """The program's own icon."""
    return _icon(drawing("handy-qwen", PANEL_DARK_INK))


def tinted_icon(name: str, color: str, selected: str, side_px: int) -> QIcon:
    """The drawing ``name`` in ``color`` (#rrggbb), and in ``selected`` where it is selected.

    It is sharp on screens of up to 200 %.
    """
    icon = QIcon()
    for ink, mode in ((color, QIcon.Mode.Normal), (selected, QIcon.Mode.Selected)):
        for size in (side_px, 2 * side_px):
            icon.addPixmap(_pixmap(size, drawing(name, ink)), mode)
    return icon


def _icon(renderer: QSvgRenderer, halo: QSvgRenderer | None = None) -> QIcon:
    icon = QIcon()
    for size in _SIZES_PX:
        icon.addPixmap(_pixmap(size, renderer, halo))
    return icon


def _pixmap(size: int, renderer: QSvgRenderer, halo: QSvgRenderer | None = None) -> QPixmap:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    with QPainter(pixmap) as painter:
        if halo is not None:
            painter.setOpacity(_HALO_OPACITY)
            spread = size / 24
            for x, y in ((-spread, 0), (spread, 0), (0, -spread), (0, spread)):
                halo.render(painter, QRectF(x, y, size, size))
            painter.setOpacity(1.0)
        renderer.render(painter)
    return pixmap
