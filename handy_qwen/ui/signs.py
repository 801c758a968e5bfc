"""The sign at the left of the overlay: what it is about, told without words.

The meter and the busy ring are painted, since they move; the others are drawings of ours, tinted.
"""

from __future__ import annotations

import functools
import math

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtSvg import QSvgRenderer

from handy_qwen import paths
from handy_qwen.ui.overlay_content import Mark
from handy_qwen.ui.style import PANEL_DARK_INK, Scheme

SIGN_PX = 34
_BARS = 5
_BAR_SHAPE = (0.55, 0.8, 1.0, 0.8, 0.55)
_DRAWINGS = {  # mark -> file, color in the scheme
    Mark.STARTING: ("mark-microphone", "quiet"),
    Mark.INFO: ("mark-info", "working"),
    Mark.NO_SPEECH: ("mark-nospeech", "problem"),
    Mark.SILENT: ("mark-silent", "problem"),
    Mark.COPIED: ("mark-copied", "good"),
    Mark.WAITING: ("mark-held", "problem"),
    Mark.PROBLEM: ("mark-warning", "recording"),
}


def paint_sign(
    painter: QPainter, area: QRectF, mark: Mark, scheme: Scheme, *, level: float, turn: int
) -> None:
    """Paint ``mark`` into ``area``. ``level`` 0 to 1 moves the meter, ``turn`` counts pictures."""
    if mark is Mark.METER:
        _paint_meter(painter, area, scheme, level, turn)
    elif mark is Mark.BUSY:
        _paint_busy(painter, area, scheme, turn)
    else:
        name, color = _DRAWINGS[mark]
        drawing(name, getattr(scheme, color)).render(painter, area.adjusted(4, 4, -4, -4))


@functools.cache
def drawing(name: str, color: str) -> QSvgRenderer:
    """A drawing in ``color`` (#rrggbb) instead of its ink."""
    svg = paths.asset(f"icons/{name}.svg").read_bytes()
    return QSvgRenderer(QByteArray(svg.replace(PANEL_DARK_INK.encode(), color.encode())))


def _paint_meter(painter: QPainter, area: QRectF, scheme: Scheme, level: float, turn: int) -> None:
    """Bars that follow the voice; a soft ripple runs through them, so that they never look frozen."""
    width = area.width() / (_BARS * 2 - 1)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(scheme.color("recording"))
    for bar in range(_BARS):
        ripple = 0.85 + 0.15 * math.sin(turn / 3 + bar * 1.3)
        height = width + (area.height() - width) * level * _BAR_SHAPE[bar] * ripple
        box = QRectF(area.left() + bar * width * 2, area.center().y() - height / 2, width, height)
        painter.drawRoundedRect(box, width / 2, width / 2)


def _paint_busy(painter: QPainter, area: QRectF, scheme: Scheme, turn: int) -> None:
    """An arc that goes round once a second."""
    ring = area.adjusted(5, 5, -5, -5)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(scheme.color("edge"), 3.5))
    painter.drawEllipse(ring)
    pen = QPen(scheme.color("working"), 3.5)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    painter.drawArc(ring, (90 - turn * 18) * 16, 100 * 16)
