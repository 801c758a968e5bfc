"""What the overlay says for a view. No widget in it, so that every state can be told by a test."""

from __future__ import annotations

import enum
import math
import textwrap
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QBitmap,
    QFont,
    QFontMetricsF,
    QPainter,
    QPen,
    QRegion,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)

from handy_qwen.core.view import HOTKEYS, NoticeKind, Phase, View
from handy_qwen.ui import strings
from handy_qwen.ui.icons import drawing
from handy_qwen.ui.style import Scheme

_REMARK = 48
"""Characters of a warning beside the live text, which must keep some room; the whole of it follows."""


class Mark(enum.Enum):
    """The sign at the left. ``METER`` moves with the voice, ``BUSY`` turns; the others stand still."""

    METER = enum.auto()
    BUSY = enum.auto()
    STARTING = enum.auto()
    INFO = enum.auto()
    NO_SPEECH = enum.auto()
    SILENT = enum.auto()
    COPIED = enum.auto()
    WAITING = enum.auto()
    PROBLEM = enum.auto()


_MARKS = {
    NoticeKind.INFO: Mark.INFO,
    NoticeKind.NO_SPEECH: Mark.NO_SPEECH,
    NoticeKind.DEAD_MICROPHONE: Mark.SILENT,
    NoticeKind.MICROPHONE_LOST: Mark.SILENT,
    NoticeKind.COPIED: Mark.COPIED,
    NoticeKind.HELD: Mark.WAITING,
    NoticeKind.FAILED: Mark.PROBLEM,
}


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that is painted.

    ``title`` is one line in full color, or the committed text if ``is_live``; ``rest`` follows in a quieter
    color: the tentative text, or a hint on a line of its own. ``began_s`` starts the clock.
    """

    mark: Mark
    title: str
    rest: str = ""
    is_live: bool = False
    began_s: float | None = None
    is_locked: bool = False
    remark: str = ""


def content_of(view: View) -> Content | None:
    """What to show, None for nothing.

    What is being said comes first, then what just happened, then what is being done or waits.
    """
    if view.choices.overlay == "off":
        return None
    if view.phase is Phase.RECORDING:
        return _recording(view)
    notices = [one for one in view.notices if not (view.is_rehearsing and one.subject == HOTKEYS)]
    if notices:  # while the guide tries the hotkey, what is wrong with it is shown there
        notice = notices[-1]
        return Content(_MARKS[notice.kind], notice.title, notice.hint)
    if view.phase is Phase.TRANSCRIBING:
        text = view.committed + view.tentative
        remark = strings.MODEL_LOADS if view.is_loading else ""
        return Content(Mark.BUSY, text or strings.TRANSCRIBING, is_live=bool(text), remark=remark)
    if view.held:
        return Content(Mark.WAITING, strings.WAITING_TITLE, strings.WAITING_HINT)
    return None


def _recording(view: View) -> Content:
    warning = next((n for n in reversed(view.notices) if n.kind is not NoticeKind.INFO), None)
    remark = strings.MODEL_LOADS if view.is_loading else ""
    is_live = bool(view.committed or view.tentative)
    is_muted = warning is not None and warning.kind is NoticeKind.DEAD_MICROPHONE
    if warning is not None and is_muted and not is_live:
        return Content(
            Mark.SILENT, warning.title, warning.hint, began_s=view.began_s, is_locked=view.is_locked
        )
    idle = strings.LISTENING if view.device else strings.STARTING
    return Content(
        Mark.METER if view.device or is_live else Mark.STARTING,
        view.committed if is_live else idle,
        view.tentative,
        is_live=is_live,
        began_s=view.began_s,
        is_locked=view.is_locked and not is_muted,  # there is room for one of the two
        remark=textwrap.shorten(warning.title, _REMARK, placeholder="…") if warning else remark,
    )


MARGIN_PX = 10  # around the card, for its shadow
_PADDING_PX = 16
_GAP_PX = 14
_LOCK_PX = 13
_RADIUS_PX = 16
_NARROW_PX, _WIDE_PX = 300, 620
_MAX_LINES = 2  # of live text, which must not cover what it goes into
_MAX_NOTICE_LINES = 4
_MOST_CHARACTERS = 400  # more than two lines hold, in any script
_LONGEST_WORD = 24
_ELLIPSIS = "… "
_HANDS_FREE = strings.tr("hands-free")


def card_of(window: QRect) -> QRect:
    """The card's place in its window."""
    return window.adjusted(MARGIN_PX, MARGIN_PX, -MARGIN_PX, -MARGIN_PX)


def card_shape(window: QRect) -> QRegion:
    """The card's outline, for a screen on which nothing can be transparent."""
    bitmap = QBitmap(window.size())
    bitmap.clear()
    painter = QPainter(bitmap)
    painter.setBrush(Qt.GlobalColor.color1)
    painter.drawRoundedRect(card_of(window).adjusted(0, 0, -1, -1), _RADIUS_PX, _RADIUS_PX)
    painter.end()
    return QRegion(bitmap)


class OverlayPainter:
    """Measures and paints a ``Content``. Holds fonts, no state."""

    def __init__(self, font: QFont) -> None:
        self._font = QFont(font)
        self._font.setPointSizeF(max(11.0, font.pointSizeF() + 1.5))
        self._small = QFont(font)
        self._small.setPointSizeF(max(9.0, font.pointSizeF() - 0.5))

    def size_for(self, content: Content, screen_px: int) -> QSize:
        """The size of the window, margins included."""
        widest = min(_WIDE_PX, screen_px - 4 * MARGIN_PX)
        aside = _PADDING_PX * 2 + SIGN_PX + _GAP_PX + self._aside_width(content)
        wanted = aside + self._text_width(content)
        width = _WIDE_PX if content.is_live else max(_NARROW_PX, math.ceil(wanted))
        width = min(width, widest)
        lines = self._lines(content, width - aside)
        line_px = QFontMetricsF(self._font).lineSpacing()
        height = max(SIGN_PX, math.ceil(lines * line_px)) + _PADDING_PX * 2
        return QSize(width + 2 * MARGIN_PX, height - 4 + 2 * MARGIN_PX)

    def paint(
        self,
        painter: QPainter,
        window: QRect,
        content: Content,
        scheme: Scheme,
        *,
        level: float,
        turn: int,
        clock: str,
    ) -> None:
        """Paint everything. ``level`` 0 to 1 and ``turn`` move the sign; ``clock`` stands at the right."""
        card = QRectF(card_of(window))
        self._paint_card(painter, card, scheme)
        sign = QRectF(card.left() + _PADDING_PX, card.center().y() - SIGN_PX / 2, SIGN_PX, SIGN_PX)
        paint_sign(painter, sign, content.mark, scheme, level=level, turn=turn)
        right = card.right() - _PADDING_PX
        aside = self._aside_width(content)
        if aside:
            self._paint_aside(
                painter, QRectF(right - aside, card.top(), aside, card.height()), content, scheme, clock
            )
        left = sign.right() + _GAP_PX
        self._paint_text(
            painter, QRectF(left, card.top(), right - aside - left, card.height()), content, scheme
        )

    def _paint_card(self, painter: QPainter, card: QRectF, scheme: Scheme) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        for spread in range(MARGIN_PX - 2, 0, -2):  # a soft shadow in four steps
            painter.setBrush(scheme.color("ground" if scheme.ground < "#8" else "quiet", 14))
            grown = card.adjusted(-spread, -spread + 2, spread, spread + 2)
            painter.drawRoundedRect(grown, _RADIUS_PX + spread, _RADIUS_PX + spread)
        painter.setBrush(scheme.color("ground", scheme.ground_alpha))
        painter.setPen(QPen(scheme.color("edge"), 1))
        painter.drawRoundedRect(card.adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS_PX, _RADIUS_PX)

    def _paint_aside(
        self, painter: QPainter, area: QRectF, content: Content, scheme: Scheme, clock: str
    ) -> None:
        """The clock, and under it what else is to be known of the recording."""
        remark = _HANDS_FREE if content.is_locked else content.remark
        flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        middle = area.center().y()
        painter.setFont(self._small)
        if clock:
            above = area if not remark else QRectF(area.left(), middle - 18, area.width(), 18)
            painter.setPen(scheme.color("text" if remark else "quiet"))
            painter.drawText(above, flags, clock)
        if remark:
            below = QRectF(area.left(), middle, area.width(), 18) if clock else area
            painter.setPen(scheme.color("working" if content.is_locked else "problem"))
            painter.drawText(below, flags, remark)
        if content.is_locked:
            words = QFontMetricsF(self._small).horizontalAdvance(_HANDS_FREE)
            lock = QRectF(area.right() - words - _LOCK_PX - 4, middle + 9 - _LOCK_PX / 2, _LOCK_PX, _LOCK_PX)
            drawing("mark-lock", scheme.working).render(painter, lock)

    def _paint_text(self, painter: QPainter, area: QRectF, content: Content, scheme: Scheme) -> None:
        title, rest, separator = _fitting(content, lambda text: self._lines_of(text, area.width()))
        quiet = QTextLayout.FormatRange()
        quiet.start, quiet.length = len(title) + len(separator), len(rest)
        look = QTextCharFormat()
        look.setForeground(scheme.color("quiet"))
        quiet.format = look
        layout = self._layout(title + separator + rest, area.width(), [quiet])
        height = layout.boundingRect().height()
        painter.setPen(scheme.color("text"))
        layout.draw(painter, QPointF(area.left(), area.center().y() - height / 2))

    def _layout(
        self, text: str, width: float, formats: Sequence[QTextLayout.FormatRange] = ()
    ) -> QTextLayout:
        layout = QTextLayout(text.replace("\n", "\u2028"), self._font)
        layout.setFormats(formats)  # before the lines are made: they would be thrown away
        option = QTextOption()
        is_right_to_left = _is_right_to_left(text)
        if is_right_to_left:
            option.setTextDirection(Qt.LayoutDirection.RightToLeft)
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        layout.beginLayout()
        top = 0.0
        while (line := layout.createLine()).isValid():
            line.setLineWidth(max(1.0, width))
            line.setPosition(QPointF(width - line.naturalTextWidth() if is_right_to_left else 0.0, top))
            top += line.height()
        layout.endLayout()
        return layout

    def _lines_of(self, text: str, width: float) -> int:
        return self._layout(text, width).lineCount()

    def _lines(self, content: Content, width: float) -> int:
        title, rest, separator = _fitting(content, lambda text: self._lines_of(text, width))
        return max(1, self._lines_of(title + separator + rest, width))

    def _text_width(self, content: Content) -> float:
        metrics = QFontMetricsF(self._font)
        return max(metrics.horizontalAdvance(content.title), metrics.horizontalAdvance(content.rest)) + 2

    def _aside_width(self, content: Content) -> float:
        metrics = QFontMetricsF(self._small)
        words = [_HANDS_FREE] if content.is_locked else [content.remark]
        if content.began_s is not None:
            words.append("00:00")
        width = max((metrics.horizontalAdvance(word) for word in words), default=0.0)
        width += _LOCK_PX + 4 if content.is_locked else 0
        return width + _GAP_PX if width else 0.0


def _fitting(content: Content, lines_of: Callable[[str], int]) -> tuple[str, str, str]:
    """Title, rest and what stands between them, cut to the lines there are."""
    title, rest = content.title, content.rest
    if content.is_live:
        return (*_newest(title, rest, lines_of), "")
    separator = "\n" if rest else ""
    while lines_of(title + separator + rest) > _MAX_NOTICE_LINES and title != "…":
        if rest:
            rest = rest[: max(0, len(rest) - 4)].rstrip("… ") + ("…" if len(rest) > 4 else "")
            separator = "\n" if rest else ""
        else:
            title = title[: max(0, len(title) - 4)].rstrip("… ") + "…"
    return title, rest, separator


def _newest(title: str, rest: str, lines_of: Callable[[str], int]) -> tuple[str, str]:
    """The end of ``title`` and ``rest`` that fits, from the beginning of a word on if one is near.

    Looks at the last characters only and halves what is left to try: a take may have thousands of words, and
    this runs for every picture of the meter. Scripts without spaces are cut between any two characters.
    """
    text = title + rest
    first = max(0, len(text) - _MOST_CHARACTERS)
    if first == 0 and lines_of(text) <= _MAX_LINES:
        return title, rest
    low, high = first, len(text)  # the cut is in low..high; from high on it fits
    while low < high:
        middle = (low + high) // 2
        if lines_of(_ELLIPSIS + text[middle:]) <= _MAX_LINES:
            high = middle
        else:
            low = middle + 1
    word = text.find(" ", high, high + _LONGEST_WORD) + 1
    cut = word or high
    if cut <= len(title):
        return _ELLIPSIS + title[cut:], rest
    return "", _ELLIPSIS + text[cut:]


def _is_right_to_left(text: str) -> bool:
    """Whether its first letter that has a direction is of a script that runs from right to left."""
    directions = (unicodedata.bidirectional(letter) for letter in text)
    return next((direction != "L" for direction in directions if direction in {"L", "R", "AL"}), False)


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
