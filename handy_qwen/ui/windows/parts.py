"""What the windows are built of besides Qt's own widgets. All of it follows a change of the color scheme."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QSizePolicy, QWidget

from handy_qwen.ui.signs import drawing
from handy_qwen.ui.style import scheme

_RADIUS_PX = 8.0
_PILL_ALPHA = 34  # of 255: a breath of the text's color behind it


def button(text: str = "", do: Callable[[], object] | None = None) -> QPushButton:
    """A button that is pressed when it has the keyboard, and never because it happens to be the first."""
    made = QPushButton(text)
    made.setAutoDefault(False)
    if do is not None:
        made.clicked.connect(lambda _checked: do())
    return made


class Text(QLabel):
    """Words that wrap. ``color`` is a field of ``style.Scheme``.

    Text from elsewhere (a model's name, what somebody said) is shown as it is, never read as markup.
    """

    def __init__(
        self, text: str = "", *, color: str = "text", scale: float = 1.0, is_bold: bool = False
    ) -> None:
        super().__init__(text)
        self._color = color
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * scale)
        if is_bold:
            font.setWeight(QFont.Weight.DemiBold)
        self.setFont(font)
        self._tint()

    def set_color(self, color: str) -> None:
        """Show the words in another color of the scheme."""
        if color != self._color:
            self._color = color
            self._tint()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  the name is Qt's
        """Follow the scheme. Called by Qt."""
        super().changeEvent(event)
        if event.type() in {QEvent.Type.PaletteChange, QEvent.Type.ThemeChange}:
            self._tint()

    def _tint(self) -> None:
        wanted = scheme().color(self._color)
        if self.palette().color(QPalette.ColorRole.WindowText) != wanted:  # each change is told to us again
            palette = QPalette()
            palette.setColor(QPalette.ColorRole.WindowText, wanted)
            self.setPalette(palette)


class Title(Text):
    """The head of a window's part."""

    def __init__(self, text: str = "", *, scale: float = 1.2) -> None:
        super().__init__(text, scale=scale, is_bold=True)


class Quiet(Text):
    """What is there to be read by who looks for it."""

    def __init__(self, text: str = "", *, scale: float = 1.0) -> None:
        super().__init__(text, color="quiet", scale=scale)


class Pill(QLabel):
    """A word or two on a ground of the same hue: a state."""

    def __init__(self) -> None:
        super().__init__()
        self._color = "quiet"
        self.setContentsMargins(9, 2, 9, 2)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * 0.9)
        font.setWeight(QFont.Weight.DemiBold)
        self.setFont(font)

    def say(self, words: str, color: str) -> None:
        """Show ``words`` in ``color``, a field of ``style.Scheme``; nothing is shown for no words."""
        self.setVisible(bool(words))
        self.setText(words)
        self._color = color
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Paint ground and words. Called by Qt."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(scheme().color(self._color, _PILL_ALPHA))
        painter.drawRoundedRect(area, area.height() / 2, area.height() / 2)
        painter.setPen(scheme().color(self._color))
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self.text())
        painter.end()


class Panel(QFrame):
    """A card: a rounded ground with a fine edge. ``accent`` draws the edge in a color of the scheme."""

    def __init__(self) -> None:
        super().__init__()
        self._accent = ""

    def set_accent(self, color: str) -> None:
        """Draw the edge in ``color``, a field of ``style.Scheme``; the usual one if empty."""
        if color != self._accent:
            self._accent = color
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Paint ground and edge. Called by Qt."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(0.75, 0.75, -0.75, -0.75)
        painter.setBrush(self.palette().color(QPalette.ColorRole.Base))
        edge = QColor(scheme().color(self._accent or "edge"))
        pen = painter.pen()
        pen.setColor(edge)
        pen.setWidthF(1.5 if self._accent else 1.0)
        painter.setPen(pen)
        painter.drawRoundedRect(area, _RADIUS_PX, _RADIUS_PX)
        painter.end()


class Sign(QWidget):
    """One of the program's drawings, tinted. ``name`` is its file among the icons."""

    def __init__(self, name: str, color: str, size_px: int = 20) -> None:
        super().__init__()
        self._name, self._color = name, color
        self.setFixedSize(QSize(size_px, size_px))

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Paint the drawing. Called by Qt."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color = getattr(scheme(), self._color)
        drawing(self._name, color).render(painter, QRectF(self.rect()))
        painter.end()
