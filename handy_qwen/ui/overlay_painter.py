"""Paints the overlay: a rounded card with a sign, a text of up to two lines (a notice: four), and a clock.

    (sign)  text in full color, then quieter         0:07
            second line                              hands-free

Text that is too long loses its beginning while somebody speaks, since the newest words are looked for, and
its end otherwise.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence

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

from handy_qwen.ui import strings
from handy_qwen.ui.overlay_content import Content
from handy_qwen.ui.signs import SIGN_PX, drawing, paint_sign
from handy_qwen.ui.style import Scheme

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
