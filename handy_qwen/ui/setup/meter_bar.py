"""A bar that follows the voice. It asks for the level only while it is shown and something is recorded."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QHideEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QProgressBar, QSizePolicy

from handy_qwen.core.view import Meter
from handy_qwen.ui.setup import words
from handy_qwen.ui.style import outline, scheme

QUIET_DB, LOUD_DB = -60.0, -6.0  # the ends of the bar
VOICE_DB = -40.0  # what a voice reaches with a microphone that serves
_FRAME_MS = 50
_FALL = 0.08  # of the bar for each frame: it rises at once and falls softly
_PARTS = 32
_GAP_SHARE = 0.3


class MeterBar(QProgressBar):
    """Shows ``meter`` while it runs; a screen reader finds the level as its value, in percent."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(words.LEVEL)
        self._meter = meter
        self.setTextVisible(False)
        self._level = 0.0
        self.loudest_db = -100.0
        self._timer = QTimer(self)
        self._timer.setInterval(_FRAME_MS)
        self._timer.timeout.connect(self._on_frame)

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return QSize(240, 22)

    def run(self, is_running: bool) -> None:
        """Follow the voice, or fall to rest."""
        if is_running and not self._timer.isActive():
            self.loudest_db = -100.0
            self._timer.start()
        elif not is_running and self._timer.isActive():
            self._timer.stop()
            self._show(0.0)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        self.run(False)
        super().hideEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Paint the parts: those reached in color. Called by Qt."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        step = self.width() / _PARTS
        for part in range(_PARTS):
            is_reached = self._level * _PARTS > part + 0.5
            painter.setBrush(scheme().color(_color(part)) if is_reached else outline(self.palette()))
            box = QRectF(part * step, 2, step * (1 - _GAP_SHARE), self.height() - 4)
            painter.drawRoundedRect(box, 2, 2)
        painter.end()

    def _on_frame(self) -> None:
        level_db = self._meter()
        self.loudest_db = max(self.loudest_db, level_db)
        share = (level_db - QUIET_DB) / (LOUD_DB - QUIET_DB)
        level = max(0.0, min(1.0, share), self._level - _FALL)
        if level != self._level:
            self._show(level)

    def _show(self, level: float) -> None:
        self._level = level
        self.setValue(round(level * 100))
        self.update()


def _color(part: int) -> str:
    """Green for a voice, another color for what is about to clip."""
    return "problem" if part >= _PARTS - 3 else "good"
