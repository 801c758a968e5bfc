"""What the windows are built of besides Qt's own widgets. All of it follows a change of the color scheme."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QFont,
    QFontMetricsF,
    QGuiApplication,
    QHideEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPalette,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from handy_qwen.core.view import Meter
from handy_qwen.ui import strings
from handy_qwen.ui.icons import drawing
from handy_qwen.ui.setup import words
from handy_qwen.ui.style import blended, grounds, outline, readable, scheme

_RADIUS_PX = 8.0
_GAP_PX, _SMALL_GAP_PX = 12, 6
_PILL_SHARE = 0.13  # a breath of the text's color behind it


class Button(QPushButton):
    """Leaves Enter to its window, which presses the button with the focus once, however long it is held."""

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            event.ignore()
        else:
            super().keyPressEvent(event)


def button(text: str = "", do: Callable[[], object] | None = None) -> QPushButton:
    """A button that is pressed when it has the keyboard, and never because it happens to be the first."""
    made = Button(text)
    made.setAutoDefault(False)
    if do is not None:
        made.clicked.connect(lambda _checked: do())
    return made


class Text(QLabel):
    """Words that wrap. ``color`` is a field of ``style.Scheme``; ``is_line``: they only wrap if they must.

    Text from elsewhere (a model's name, what somebody said) is shown as it is, never read as markup.
    """

    def __init__(
        self,
        text: str = "",
        *,
        color: str = "text",
        scale: float = 1.0,
        is_bold: bool = False,
        is_line: bool = False,
    ) -> None:
        super().__init__()
        self._color, self._is_line = color, is_line
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setText(text)
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * scale)
        if is_bold:
            font.setWeight(QFont.Weight.DemiBold)
        self.setFont(font)
        self._tint()

    def setText(self, text: str) -> None:  # noqa: N802  the name is Qt's
        """Show ``text``; a screen reader says it without the marks that order both directions."""
        super().setText(text)
        self.setAccessibleName(spoken(text))

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if not self._is_line:
            return super().sizeHint()
        margins = self.contentsMargins()
        size = QFontMetricsF(self.font()).size(0, self.text())
        around = QSize(margins.left() + margins.right(), margins.top() + margins.bottom())
        return QSize(math.ceil(size.width()) + 1, math.ceil(size.height())) + around

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
        wanted = readable(scheme().color(self._color), *grounds(QGuiApplication.palette()))
        if self.palette().color(QPalette.ColorRole.WindowText) != wanted:  # each change is told to us again
            palette = QPalette()
            palette.setColor(QPalette.ColorRole.WindowText, wanted)
            self.setPalette(palette)


class Title(Text):
    """The head of a window's part."""

    def __init__(self, text: str = "", *, scale: float = 1.2, is_line: bool = False) -> None:
        super().__init__(text, scale=scale, is_bold=True, is_line=is_line)


class SecondaryText(Text):
    """What is there to be read by who looks for it."""

    def __init__(self, text: str = "", *, scale: float = 1.0, is_line: bool = False) -> None:
        super().__init__(text, color="quiet", scale=scale, is_line=is_line)


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
        color, base = scheme().color(self._color), self.palette().color(QPalette.ColorRole.Base)
        ground = blended(color, base, _PILL_SHARE)
        painter.setBrush(ground)
        painter.drawRoundedRect(area, area.height() / 2, area.height() / 2)
        painter.setPen(readable(color, ground))
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self.text())
        painter.end()


class Card(QFrame):
    """A card: a rounded ground with an outline. ``accent`` draws that in a color of the scheme."""

    def __init__(self) -> None:
        super().__init__()
        self._accent = ""

    def set_accent(self, color: str) -> None:
        """Draw the outline in ``color``, a field of ``style.Scheme``; the usual one if empty."""
        if color != self._accent:
            self._accent = color
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Paint ground and outline. Called by Qt."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = 2.0 if self._accent else 1.0
        area = QRectF(self.rect()).adjusted(width / 2, width / 2, -width / 2, -width / 2)
        painter.setBrush(self.palette().color(QPalette.ColorRole.Base))
        pen = painter.pen()
        pen.setColor(scheme().color(self._accent) if self._accent else outline(self.palette()))
        pen.setWidthF(width)
        painter.setPen(pen)
        painter.drawRoundedRect(area, _RADIUS_PX, _RADIUS_PX)
        painter.end()


class Icon(QWidget):
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


class Alert(QWidget):
    """A sign, what is wrong, and what to do about it. ``color`` is a field of ``style.Scheme``."""

    def __init__(self, color: str) -> None:
        super().__init__()
        self._title, self._hint = Text(color=color), SecondaryText()
        for label in (self._title, self._hint):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words_column = QVBoxLayout()
        words_column.setSpacing(2)
        words_column.addWidget(self._title)
        words_column.addWidget(self._hint)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, _SMALL_GAP_PX, 0, _SMALL_GAP_PX)
        line.setSpacing(_GAP_PX)
        line.addWidget(Icon("mark-warning", color), 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(words_column, 1)
        self.hide()

    def say(self, title: str, hint: str = "", *, is_silent: bool = False) -> None:
        """Show both, or nothing at all without a title. ``is_silent``: something else announces it."""
        is_new = self.isHidden() or title != self._title.text()
        self._title.setText(title)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self.setVisible(bool(title))
        if is_new and not is_silent:
            announce(self, title, hint)


_MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))


def spoken(*parts: str) -> str:
    """``parts`` as sentences, each of them once, without the marks that order text of both directions."""
    plain = (" ".join(part.translate(_MARKS).split()) for part in parts)
    said = list(dict.fromkeys(filter(None, plain)))
    return " ".join(part if part[-1] in ".!?…" or part is said[-1] else f"{part}." for part in said)


def announce(widget: QWidget, *parts: str, is_urgent: bool = False) -> None:
    """Have a screen reader say ``parts``, which ``widget`` shows, as soon as it has finished what it says.

    Or at once, if urgent. Not at all while the widget, or the page it is on, is hidden.
    """
    words = spoken(*parts)
    if not words or not widget.isVisible() or not QAccessible.isActive():
        return
    event = QAccessibleAnnouncementEvent(widget, words)
    if is_urgent:
        event.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
    QAccessible.updateAccessibility(event)


def confirm(
    parent: QWidget, question: str, detail: str, *, yes: str, no: str, do: Callable[[], None]
) -> QMessageBox:
    """Ask over the window of ``parent``, and ``do`` it on ``yes``. Enter and Escape are ``no``."""
    box = QMessageBox(QMessageBox.Icon.Question, strings.APP_TITLE, question, parent=parent.window())
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setInformativeText(detail)
    agree = box.addButton(yes, QMessageBox.ButtonRole.DestructiveRole)
    keep = box.addButton(no, QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keep)
    box.setEscapeButton(keep)
    agree.clicked.connect(do)
    box.open()
    return box


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
