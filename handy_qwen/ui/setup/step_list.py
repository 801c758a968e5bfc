"""The list of steps at the side: where one is, what is done, and a way to any of them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QVBoxLayout, QWidget

from handy_qwen.ui.setup import words
from handy_qwen.ui.setup.page import Progress
from handy_qwen.ui.signs import drawing
from handy_qwen.ui.style import scheme

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
