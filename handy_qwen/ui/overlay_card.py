"""The overlay's card: its contents for a view, and how they are painted.

    (mark)  text in full color, then quieter         0:07
            second line
            foot: which key ends it, or what a click does

Text that is too long is cut at its beginning while somebody speaks, who looks for the newest words, and at
its end otherwise.
"""

from __future__ import annotations

import enum
import math
import textwrap
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QBitmap,
    QFont,
    QFontMetricsF,
    QGuiApplication,
    QPainter,
    QPen,
    QRegion,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)

from handy_qwen.core.view import HOTKEYS, MICROPHONE, Notice, NoticeKind, Phase, Remedy, View
from handy_qwen.ui import strings
from handy_qwen.ui.icons import drawing
from handy_qwen.ui.style import Scheme, draw_rounded

MARGIN_PX = 10  # around the card, for its shadow
_PADDING_PX, _GAP_PX, _RADIUS_PX = 16, 14, 16
_LOCK_GAP_PX, _FOOT_GAP_PX, _NARROW_PX = 5, 4, 300
_MARK_PX, _LOCK_PX, _WIDE_PX = 34, 13, 620  # at the usual font size; they grow with it
_MAX_LINES = 2  # of live text, to leave the text field below visible
_MAX_NOTICE_LINES = 4
_MOST_CHARACTERS = 400  # more than two lines hold, in any script
_LONGEST_WORD = 24
_REMARK_CHARACTERS = 48  # of a warning beside the live text, to leave some room
_ELLIPSIS = "… "
_BAR_HEIGHTS = (0.55, 0.8, 1.0, 0.8, 0.55)


class Mark(enum.Enum):
    """The mark at the left: its drawing, and its color in the scheme. A notice has that of its kind.

    ``METER`` moves with the voice and ``BUSY`` turns: they are painted.
    """

    METER = "", "recording"
    BUSY = "", "working"
    STARTING = "mark-microphone", "quiet"
    INFO = "mark-info", "working"
    NO_SPEECH = "mark-nospeech", "problem"
    DEAD_MICROPHONE = "mark-silent", "problem"
    MICROPHONE_LOST = DEAD_MICROPHONE
    COPIED = "mark-copied", "good"
    HELD = "mark-held", "problem"
    FAILED = "mark-warning", "recording"


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that is painted.

    ``title`` is one line in full color, or the committed text if ``is_live``; ``rest`` follows in a quieter
    color: the tentative text, or a hint on its own line. The clock runs from ``began_s``. ``foot`` is the
    last line: what a click does (``remedy``), or which keys end the current activity.
    """

    mark: Mark
    title: str
    rest: str = ""
    is_live: bool = False
    began_s: float | None = None
    is_locked: bool = False
    remark: str = ""
    foot: str = ""
    remedy: Remedy | None = None


def content_of(view: View) -> Content | None:
    """What to show, or None. Priority: current speech, then recent events, then running or waiting work."""
    if view.choices.overlay == "off":
        return None
    if view.phase is Phase.RECORDING:
        return _recording(view)
    # While the guide tries the hotkey, its page shows problems. A missing microphone is reported when
    # somebody speaks; until then the tray and the main window show it, not a permanent card.
    elsewhere = {MICROPHONE, HOTKEYS} if view.is_rehearsing else {MICROPHONE}
    notices = [one for one in view.notices if one.is_news or one.subject not in elsewhere]
    if notices:
        notice = notices[-1]
        return _offering(Content(Mark[notice.kind.name], notice.title, notice.hint), view, notice.remedy)
    if view.phase is Phase.TRANSCRIBING:
        text = view.committed + view.tentative
        return Content(Mark.BUSY, text or strings.TRANSCRIBING, is_live=bool(text), remark=_remark(view))
    if view.held:
        waiting = Content(Mark.HELD, strings.WAITING_TITLE, strings.WAITING_HINT)
        return _offering(waiting, view, Remedy.PASTE)
    return None


def _offering(content: Content, view: View, remedy: Remedy | None) -> Content:
    """``content`` with the action of a click, if it is possible now."""
    if remedy is None or not view.can(remedy):
        return content
    return replace(content, foot=strings.REMEDIES[remedy], remedy=remedy)


def _recording(view: View) -> Content:
    warning = next((one for one in reversed(view.notices) if one.kind is not NoticeKind.INFO), None)
    is_live = bool(view.committed or view.tentative)
    foot = strings.how_to_finish(view) if view.is_hands_free else ""
    is_muted = warning is not None and warning.kind is NoticeKind.DEAD_MICROPHONE
    if warning is not None and is_muted and not is_live:
        return Content(
            Mark.DEAD_MICROPHONE,
            warning.title,
            warning.hint,
            began_s=view.began_s,
            is_locked=view.is_locked,
            foot=foot,
        )
    idle = strings.LISTENING if view.device else strings.STARTING
    return Content(
        Mark.METER if view.device or is_live else Mark.STARTING,
        view.committed if is_live else idle,
        view.tentative,
        is_live=is_live,
        began_s=view.began_s,
        is_locked=view.is_locked,
        remark=_remark(view, warning),
        foot=foot,
    )


def _remark(view: View, warning: Notice | None = None) -> str:
    if warning is not None:
        return textwrap.shorten(warning.title, _REMARK_CHARACTERS, placeholder="…")
    return strings.MODEL_LOADS if view.is_loading else ""


def card_of(window: QRect) -> QRect:
    """The card's place in its window."""
    return window.adjusted(MARGIN_PX, MARGIN_PX, -MARGIN_PX, -MARGIN_PX)


def card_shape(window: QRect) -> QRegion:
    """The card's outline, for a screen without transparency."""
    bitmap = QBitmap(window.size())
    bitmap.clear()
    with QPainter(bitmap) as painter:
        painter.setBrush(Qt.GlobalColor.color1)
        painter.drawRoundedRect(card_of(window).adjusted(0, 0, -1, -1), _RADIUS_PX, _RADIUS_PX)
    return QRegion(bitmap)


class CardPainter:
    """Measures and paints a ``Content``."""

    def __init__(self, font: QFont) -> None:
        self._font, self._small = QFont(font), QFont(font)
        self._font.setPointSizeF(max(11.0, font.pointSizeF() + 1.5))
        self._small.setPointSizeF(max(9.0, font.pointSizeF() - 0.5))
        line_px = QFontMetricsF(self._font).lineSpacing()
        self._mark_px = max(_MARK_PX, round(1.5 * line_px))
        self._wide_px = max(_WIDE_PX, round(30 * line_px))
        self._lock_px = max(_LOCK_PX, round(0.9 * QFontMetricsF(self._small).ascent()))

    def size_for(self, content: Content, screen_px: int) -> QSize:
        """The size of the window, margins included."""
        metrics = QFontMetricsF(self._font)
        around = _PADDING_PX * 2 + self._mark_px + _GAP_PX + self._aside_width(content)
        text_px = max(metrics.horizontalAdvance(content.title), metrics.horizontalAdvance(content.rest)) + 2
        text_px = max(text_px, self._foot_width(content))
        width = self._wide_px if content.is_live else max(_NARROW_PX, math.ceil(around + text_px))
        width = min(width, self._wide_px, screen_px - 4 * MARGIN_PX)
        text, _ = fitted(content, lambda text: self._lines(text, width - around))
        lines = max(1, self._lines(text, width - around))
        text_height = lines * metrics.lineSpacing() + self._foot_height(content)
        height = max(self._mark_px, math.ceil(text_height)) + _PADDING_PX * 2
        return QSize(width + 2 * MARGIN_PX, height - 4 + 2 * MARGIN_PX)

    def paint(
        self,
        painter: QPainter,
        window: QRect,
        content: Content,
        scheme: Scheme,
        *,
        level: float,
        frame: int,
        clock: str,
    ) -> None:
        """Paint everything. ``level`` (0 to 1) and ``frame`` (a count) move the mark."""
        card = QRectF(card_of(window))
        painter.setLayoutDirection(Qt.LayoutDirection.LeftToRight)  # else right would be left
        _paint_background(painter, card, scheme)
        mark = QRectF(card.left() + _PADDING_PX, 0.0, self._mark_px, self._mark_px)
        mark.moveTop(card.center().y() - mark.height() / 2)
        aside = QRectF(card)
        aside.setLeft(card.right() - _PADDING_PX - self._aside_width(content))
        aside.setRight(card.right() - _PADDING_PX)
        text = QRectF(card)
        text.setLeft(mark.right() + _GAP_PX)
        text.setRight(aside.left())
        for area in (mark, aside, text) if _is_mirrored() else ():
            area.moveRight(card.left() + card.right() - area.left())
        _paint_mark(painter, mark, content.mark, scheme, level=level, frame=frame)
        if aside.width():
            self._paint_aside(painter, aside, content, scheme, clock)
        self._paint_text(painter, text, content, scheme)

    def _paint_aside(
        self, painter: QPainter, area: QRectF, content: Content, scheme: Scheme, clock: str
    ) -> None:
        """The clock, and below it remarks about the recording."""
        remark = content.remark
        side = Qt.AlignmentFlag.AlignLeft if _is_mirrored() else Qt.AlignmentFlag.AlignRight
        flags = side | Qt.AlignmentFlag.AlignVCenter
        middle, line_px = area.center().y(), QFontMetricsF(self._small).height()
        painter.setFont(self._small)
        if clock:
            above = QRectF(area.left(), middle - line_px, area.width(), line_px) if remark else area
            painter.setPen(scheme.color("text" if remark else "quiet"))
            painter.drawText(above, flags, clock)
        if remark:
            below = QRectF(area.left(), middle, area.width(), line_px) if clock else area
            painter.setPen(scheme.color("problem"))
            painter.drawText(below, flags, remark)

    def _aside_width(self, content: Content) -> float:
        metrics = QFontMetricsF(self._small)
        words = [content.remark]
        if content.began_s is not None:
            words.append(strings.in_digits("00:00"))
        width = max(metrics.horizontalAdvance(word) for word in words)
        return width + _GAP_PX if width else 0.0

    def _paint_text(self, painter: QPainter, area: QRectF, content: Content, scheme: Scheme) -> None:
        text, quiet_from = fitted(content, lambda text: self._lines(text, area.width()))
        quiet, look = QTextLayout.FormatRange(), QTextCharFormat()
        look.setForeground(scheme.color("quiet"))
        quiet.start, quiet.length, quiet.format = quiet_from, len(text) - quiet_from, look
        layout = self.layout(text, area.width(), [quiet])
        height = layout.boundingRect().height()
        top = area.center().y() - (height + self._foot_height(content)) / 2
        painter.setPen(scheme.color("text"))
        layout.draw(painter, QPointF(area.left(), top))
        if content.foot:
            foot = QRectF(area.left(), top + height + _FOOT_GAP_PX, area.width(), area.height())
            foot.setHeight(self._foot_height(content) - _FOOT_GAP_PX)
            self._paint_foot(painter, foot, content, scheme)

    def _paint_foot(self, painter: QPainter, area: QRectF, content: Content, scheme: Scheme) -> None:
        """The action of a click, as a link; or the keys that end the recording; a lock if it is locked."""
        font = QFont(self._small)
        font.setUnderline(content.remedy is not None)
        is_right = strings.is_right_to_left(content.title)
        painter.setFont(font)
        painter.setPen(scheme.color("working" if content.remedy else "quiet"))
        if content.is_locked:
            lock = QRectF(area.left(), area.center().y() - self._lock_px / 2, self._lock_px, self._lock_px)
            if is_right:
                lock.moveRight(area.right())
                area = area.adjusted(0, 0, -self._lock_px - _LOCK_GAP_PX, 0)
            else:
                area = area.adjusted(self._lock_px + _LOCK_GAP_PX, 0, 0, 0)
            drawing("mark-lock", scheme.working).render(painter, lock)
        side = Qt.AlignmentFlag.AlignRight if is_right else Qt.AlignmentFlag.AlignLeft
        words = QFontMetricsF(font).elidedText(content.foot, Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, side | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine, words)

    def _foot_height(self, content: Content) -> float:
        return QFontMetricsF(self._small).height() + _FOOT_GAP_PX if content.foot else 0.0

    def _foot_width(self, content: Content) -> float:
        lock_px = self._lock_px + _LOCK_GAP_PX if content.is_locked else 0
        return QFontMetricsF(self._small).horizontalAdvance(content.foot) + lock_px + 2

    def _lines(self, text: str, width: float) -> int:
        return self.layout(text, width).lineCount()

    def layout(self, text: str, width: float, formats: Sequence[QTextLayout.FormatRange] = ()) -> QTextLayout:
        """``text`` in lines of ``width`` pixels, aligned to the start side of its script."""
        layout = QTextLayout(text.replace("\n", "\u2028"), self._font)
        layout.setFormats(formats)  # before the lines are created, which would be discarded
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        if strings.is_right_to_left(text):
            option.setTextDirection(Qt.LayoutDirection.RightToLeft)
            option.setAlignment(Qt.AlignmentFlag.AlignRight)
        layout.setTextOption(option)
        layout.beginLayout()
        top = 0.0
        while (line := layout.createLine()).isValid():
            line.setLineWidth(max(1.0, width))
            line.setPosition(QPointF(0.0, top))
            top += line.height()
        layout.endLayout()
        return layout


def fitted(content: Content, lines_of: Callable[[str], int]) -> tuple[str, int]:
    """The text of ``content``, cut to the available lines, and where its quieter part begins.

    The cut is found by bisection, and for live text only in its last characters: a take may have thousands of
    words, and this runs for every frame of the meter.
    """
    title, rest = content.title, content.rest
    if not content.is_live:
        text = f"{title}\n{rest}" if rest else title
        if lines_of(text) > _MAX_NOTICE_LINES:
            too_long = bisect_left(
                range(len(text)), True, key=lambda end: lines_of(f"{text[:end]}…") > _MAX_NOTICE_LINES
            )
            text = text[: max(0, too_long - 1)].rstrip("… \n") + "…"
        return text, min(len(title), len(text))
    text = title + rest
    first = max(0, len(text) - _MOST_CHARACTERS)
    if first == 0 and lines_of(text) <= _MAX_LINES:
        return text, len(title)
    starts = range(first, len(text))
    cut = first + bisect_left(
        starts, True, key=lambda start: lines_of(_ELLIPSIS + text[start:]) <= _MAX_LINES
    )
    # At the start of a word, if one is near: scripts without spaces are cut between any two characters.
    cut = text.find(" ", cut, cut + _LONGEST_WORD) + 1 or cut
    return _ELLIPSIS + text[cut:], max(0, len(title) - cut) + len(_ELLIPSIS)


def _is_mirrored() -> bool:
    return QGuiApplication.layoutDirection() == Qt.LayoutDirection.RightToLeft


def _paint_background(painter: QPainter, card: QRectF, scheme: Scheme) -> None:
    for spread in range(MARGIN_PX - 2, 0, -2):  # a soft shadow in four steps
        shadow = scheme.color("ground" if scheme.ground < "#8" else "quiet", 14)
        grown = card.adjusted(-spread, -spread + 2, spread, spread + 2)
        draw_rounded(painter, grown, _RADIUS_PX + spread, shadow)
    ground = scheme.color("ground", scheme.ground_alpha)
    draw_rounded(painter, card, _RADIUS_PX, ground, QPen(scheme.color("edge"), 1))


def _paint_mark(
    painter: QPainter, area: QRectF, mark: Mark, scheme: Scheme, *, level: float, frame: int
) -> None:
    name, color = mark.value
    if mark is Mark.METER:
        _paint_meter(painter, area, scheme, level, frame)
    elif mark is Mark.BUSY:
        _paint_busy(painter, area, scheme, frame)
    else:
        drawing(name, getattr(scheme, color)).render(painter, area.adjusted(4, 4, -4, -4))


def _paint_meter(painter: QPainter, area: QRectF, scheme: Scheme, level: float, frame: int) -> None:
    """Bars that follow the voice, with a soft ripple, so that they never look frozen."""
    width = area.width() / (len(_BAR_HEIGHTS) * 2 - 1)
    for bar, share in enumerate(_BAR_HEIGHTS):
        ripple = 0.85 + 0.15 * math.sin(frame / 3 + bar * 1.3)
        height = width + (area.height() - width) * level * share * ripple
        box = QRectF(area.left() + bar * width * 2, area.center().y() - height / 2, width, height)
        draw_rounded(painter, box, width / 2, scheme.color("recording"))


def _paint_busy(painter: QPainter, area: QRectF, scheme: Scheme, frame: int) -> None:
    """An arc that rotates once a second."""
    ring = area.adjusted(5, 5, -5, -5)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(scheme.color("edge"), 3.5))
    painter.drawEllipse(ring)
    pen = QPen(scheme.color("working"), 3.5)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    painter.drawArc(ring, (90 - frame * 18) * 16, 100 * 16)
