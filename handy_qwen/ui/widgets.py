"""Shared widgets, and their screen reader texts. All follow the color scheme."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QEvent, QMetaObject, QObject, QRectF, QSize, Qt, QTimer, Signal
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
    QPen,
)
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QListWidget,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from handy_qwen.core.view import VOICE_DB, Meter
from handy_qwen.ui import strings
from handy_qwen.ui.icons import drawing
from handy_qwen.ui.layouts import MARGIN_PX, SMALL_GAP_PX, Part, column, row
from handy_qwen.ui.style import blended, draw_rounded, grounds, outline, readable, scheme

_RADIUS_PX = 8.0
_PILL_SHARE = 0.13  # how much of the text's color its background has
_BIDI_MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))

_ENDS = ".!?…\u3002\uff01\uff1f\u061f\u0964"  # of a sentence: also in Chinese, Arabic and Hindi


def spoken(*parts: str) -> str:
    """``parts`` as sentences without duplicates and direction marks."""
    plain = (" ".join(part.translate(_BIDI_MARKS).split()) for part in parts)
    said = list(dict.fromkeys(filter(None, plain)))
    return " ".join(part if part[-1] in _ENDS or part is said[-1] else f"{part}." for part in said)


def announce(widget: QWidget, *parts: str, is_urgent: bool = False) -> None:
    """Have a screen reader say ``parts``, shown by ``widget``: next, or at once if urgent.

    Not while the widget, or its page, is hidden.
    """
    words = spoken(*parts)
    if not words or not widget.isVisible() or not QAccessible.isActive():
        return
    event = QAccessibleAnnouncementEvent(widget, words)
    if is_urgent:
        event.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
    QAccessible.updateAccessibility(event)


def text_in(field: QPlainTextEdit) -> str:
    """The exact text: ``toPlainText`` would replace no-break spaces by ordinary ones."""
    return field.document().toRawText().replace("\u2029", "\n").replace("\u2028", "\n")


class ClipboardText(QPlainTextEdit):
    """Reads the clipboard; never visible.

    ``QClipboard`` blocks other Python threads while it waits for the clipboard's owner, when reading and on
    Windows also when writing. The owner is often this program, with what it has copied or restored: it could
    not answer. So Qt pastes, between two events, into a field; ``Commands.copy_text`` copies, and
    ``KeysFirst`` keeps Qt's own copying and pasting by keys out of Python.
    """

    came = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.hide()
        self.setUndoRedoEnabled(False)
        self.textChanged.connect(self._on_changed)

    def fetch(self) -> None:
        """Request the text. ``came`` delivers it, unless there is none."""
        QMetaObject.invokeMethod(self, "paste", Qt.ConnectionType.QueuedConnection)

    def _on_changed(self) -> None:
        if text := text_in(self):
            self.clear()
            self.came.emit(text)


class KeysFirst(QObject):
    """Passes each key pressed in ``widget`` to ``take`` first; if that returns true, it is consumed.

    For widgets with copy and paste, instead of a ``keyPressEvent`` that calls Qt's: see ``ClipboardText``.
    """

    def __init__(self, widget: QWidget, take: Callable[[QKeyEvent], bool]) -> None:
        super().__init__(widget)
        self._take = take
        widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and self._take(event)


class Button(QPushButton):
    """Pressed by Enter only through its window: once, when it has the focus, however long Enter is held."""

    def __init__(self, text: str = "", do: Callable[[], object] | None = None) -> None:
        super().__init__(text)
        self.setAutoDefault(False)
        if do is not None:
            self.clicked.connect(lambda _checked: do())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            event.ignore()
        else:
            super().keyPressEvent(event)


def labelled(title: str, field: QWidget) -> QLabel:
    """A label whose mnemonic focuses ``field``."""
    label = QLabel(title)
    label.setBuddy(field)
    return label


class ShortList(QListWidget):
    """A list of a fixed number of ``rows`` in height."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._rows = rows

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        line = max(self.sizeHintForRow(0), self.fontMetrics().height())
        return QSize(super().sizeHint().width(), self._rows * line + 2 * self.frameWidth())

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return QSize(super().minimumSizeHint().width(), self.sizeHint().height())


def scaled_font(widget: QWidget, scale: float, *, is_bold: bool = False) -> QFont:
    """The font of ``widget`` in another size."""
    font = QFont(widget.font())
    font.setPointSizeF(font.pointSizeF() * scale)
    if is_bold:
        font.setWeight(QFont.Weight.DemiBold)
    return font


class Text(QLabel):
    """Words that wrap. ``color`` is a field of ``style.Scheme``; ``is_line``: wrap only if necessary.

    Text from elsewhere (a model's name, what somebody said) is shown unchanged, never parsed as markup.
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
        self.setFont(scaled_font(self, scale, is_bold=is_bold))
        self._tint()

    def setText(self, text: str) -> None:  # noqa: N802  the name is Qt's
        """Show ``text``; screen readers get it without direction marks."""
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
        """Change the color, a field of ``style.Scheme``."""
        self._color = color
        self._tint()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  the name is Qt's
        """Follow the scheme. Called by Qt."""
        super().changeEvent(event)
        if event.type() in {QEvent.Type.PaletteChange, QEvent.Type.ThemeChange}:
            self._tint()

    def _tint(self) -> None:
        wanted = readable(scheme().color(self._color), *grounds(QGuiApplication.palette()))
        if self.palette().color(QPalette.ColorRole.WindowText) != wanted:  # which changes the palette again
            palette = QPalette()
            palette.setColor(QPalette.ColorRole.WindowText, wanted)
            self.setPalette(palette)


class Title(Text):
    """The heading of a window, a page or a card."""

    def __init__(self, text: str = "", *, scale: float = 1.2, is_line: bool = False) -> None:
        super().__init__(text, scale=scale, is_bold=True, is_line=is_line)


class SecondaryText(Text):
    """Text in a quieter color."""

    def __init__(self, text: str = "", *, scale: float = 1.0, is_line: bool = False) -> None:
        super().__init__(text, color="quiet", scale=scale, is_line=is_line)


class Pill(QLabel):
    """A badge: a word or two on a background of the same hue."""

    def __init__(self) -> None:
        super().__init__()
        self._color = "quiet"
        self.setContentsMargins(9, 2, 9, 2)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFont(scaled_font(self, 0.9, is_bold=True))

    def say(self, words: str, color: str) -> None:
        """Show ``words`` in ``color``, a field of ``style.Scheme``; hidden without words."""
        self.setVisible(bool(words))
        self.setText(words)
        self._color = color
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        area, color = QRectF(self.rect()), scheme().color(self._color)
        ground = blended(color, self.palette().color(QPalette.ColorRole.Base), _PILL_SHARE)
        with QPainter(self) as painter:
            draw_rounded(painter, area, area.height() / 2, ground)
            painter.setPen(readable(color, ground))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self.text())


class Card(QFrame):
    """A rounded, outlined background, with ``parts`` below each other on it."""

    def __init__(self, *parts: Part, gap_px: int = SMALL_GAP_PX) -> None:
        super().__init__()
        self._accent = ""
        self.body = column(*parts, gap_px=gap_px, parent=self)
        self.body.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)

    def set_accent(self, color: str) -> None:
        """Set the outline's color, a field of ``style.Scheme``; the usual one if empty."""
        self._accent = color
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        edge = scheme().color(self._accent) if self._accent else outline(self.palette())
        pen = QPen(edge, 2.0 if self._accent else 1.0)
        with QPainter(self) as painter:
            draw_rounded(painter, QRectF(self.rect()), _RADIUS_PX, self.palette().base().color(), pen)


_ICON_PX, _ICON_LINES = 20, 1.2  # minimum; height in lines of text


class Icon(QWidget):
    """One of the program's drawings, tinted, and scaled with the text beside it."""

    def __init__(self) -> None:
        super().__init__()
        self._name, self._color = "mark-info", "quiet"
        side_px = max(_ICON_PX, round(self.fontMetrics().height() * _ICON_LINES))
        self.setFixedSize(QSize(side_px, side_px))

    def set_drawing(self, name: str, color: str) -> None:
        """Show the drawing of the file ``name`` in ``color``, a field of ``style.Scheme``."""
        self._name, self._color = name, color
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        with QPainter(self) as painter:
            drawing(self._name, getattr(scheme(), self._color)).render(painter, QRectF(self.rect()))


_MESSAGE_ICONS = {"good": "mark-good", "problem": "mark-warning", "recording": "mark-warning"}


class Message(QWidget):
    """An icon, a sentence, and a remedy. Hidden while empty."""

    def __init__(self) -> None:
        super().__init__()
        self._icon, self._title, self._hint = Icon(), Text(), SecondaryText()
        for label in (self._title, self._hint):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        said = column(self._title, self._hint, gap_px=2)
        line = row(self._icon, (said, 1), gap_px=SMALL_GAP_PX, parent=self)
        line.setAlignment(self._icon, Qt.AlignmentFlag.AlignTop)
        line.setContentsMargins(0, 3, 0, 3)
        self.hide()

    @property
    def words(self) -> str:
        """The shown text, or ""."""
        return "" if self.isHidden() else self._title.text()

    def say(self, title: str, color: str = "problem", *, hint: str = "", is_silent: bool = False) -> None:
        """Show ``title`` in ``color``, a field of ``style.Scheme``, and ``hint``; hidden without a title.

        Screen readers announce them, unless ``is_silent``: something else does.
        """
        is_new = title != self.words
        self._title.setText(title)
        self._title.set_color(color)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self._icon.setVisible(color in _MESSAGE_ICONS)
        if color in _MESSAGE_ICONS:
            self._icon.set_drawing(_MESSAGE_ICONS[color], color)
        self.setVisible(bool(title))
        if is_new and not is_silent:
            announce(self, title, hint)


class Outcome(QWidget):
    """The outcome of a command, and an undo button. Hidden while empty."""

    def __init__(self, undo: str) -> None:
        super().__init__()
        self.message, self.undo_button = Message(), Button(undo)
        line = row((self.message, 1), self.undo_button, gap_px=SMALL_GAP_PX, parent=self)
        line.setContentsMargins(0, 0, 0, 0)
        self.hide()

    def say(self, title: str, hint: str = "", *, is_problem: bool = False, can_undo: bool = False) -> None:
        """Show and announce it, even if repeated; hidden without a title."""
        self.setVisible(bool(title))
        self.message.say("")
        self.message.say(title, "problem" if is_problem else "good", hint=hint)
        self.undo_button.setVisible(can_undo and not is_problem)


class MeterBar(QProgressBar):
    """Follows ``meter`` while it runs; screen readers get the level as its value, in percent."""

    QUIET_DB, LOUD_DB = -60.0, -6.0  # the ends of the bar
    WIDTH_PX = 240
    _FRAME_MS = 50
    _FALL = 0.08  # of the bar in each frame: it rises at once and falls slowly
    _SEGMENTS, _CLIPPING = 32, 3
    _LEAST_SEGMENT_PX = 7.0  # a narrow bar has fewer: else they look like a fence

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(strings.LEVEL)
        self.setTextVisible(False)
        self._meter, self._level = meter, 0.0
        self.loudest_db = -100.0
        self._timer = QTimer(self, interval=self._FRAME_MS)
        self._timer.timeout.connect(self._on_frame)

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return QSize(self.WIDTH_PX, 22)

    @classmethod
    def zones(cls) -> tuple[float, float]:
        """Where a voice is loud enough, and where it is too loud: shares of the bar, from 0 to 1."""
        good = (VOICE_DB - cls.QUIET_DB) / (cls.LOUD_DB - cls.QUIET_DB)
        return good, 1 - cls._CLIPPING / cls._SEGMENTS

    def run(self, is_running: bool) -> None:
        """Follow the voice, or fall to zero."""
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
        """Called by Qt."""
        count = max(4, min(self._SEGMENTS, int(self.width() / self._LEAST_SEGMENT_PX)))
        step, colors, unlit = self.width() / count, scheme(), outline(self.palette())
        _, clipping = self.zones()
        with QPainter(self) as painter:
            for segment in range(count):
                lit = "problem" if segment >= round(clipping * count) else "good"
                is_lit = self._level * count > segment + 0.5
                box = QRectF(segment * step, 2, step * 0.7, self.height() - 4)
                draw_rounded(painter, box, 2, colors.color(lit) if is_lit else unlit)

    def _on_frame(self) -> None:
        level_db = self._meter()
        self.loudest_db = max(self.loudest_db, level_db)
        share = (level_db - self.QUIET_DB) / (self.LOUD_DB - self.QUIET_DB)
        self._show(max(0.0, min(1.0, share), self._level - self._FALL))

    def _show(self, level: float) -> None:
        if level != self._level:
            self._level = level
            self.setValue(round(level * 100))
            self.update()
