"""The list of dictations: two painted lines each, grouped by day; search hits are marked."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QDateTime,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPen,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from handy_qwen.core.search import hits
from handy_qwen.core.types import Entry, EntryState
from handy_qwen.core.view import HistoryPage
from handy_qwen.ui.layouts import GAP_PX
from handy_qwen.ui.strings import direction
from handy_qwen.ui.style import outline, readable, scheme
from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import spoken
from handy_qwen.ui.windows import history_words as words

ENTRY = Qt.ItemDataRole.UserRole
REMARK, DAY, WORDS = ENTRY + 1, ENTRY + 2, ENTRY + 3
_PAD_PX, _LINE_GAP_PX = 9.0, 4.0
_STAR = "★"
_BEFORE_HIT = 24  # shown before the first hit, if there is no room for all
_MARK_ALPHA = 90
_NEAR_END_PX = 400
Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


class _EntriesModel(QAbstractListModel):
    """The entries of a ``HistoryPage`` for Qt's list."""

    def __init__(self) -> None:
        super().__init__()
        self._page = HistoryPage()
        self._days: list[str] = []  # each entry's day, if the entry above has another one

    def show_history(self, page: HistoryPage) -> None:
        self.beginResetModel()
        self._page = page
        now = QDateTime.currentDateTime()
        days = [words.day(entry.created_s, now) for entry in page.entries]
        self._days = [day if day != before else "" for before, day in zip(["", *days], days, strict=False)]
        self.endResetModel()

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self._page.entries

    def rowCount(self, parent: Index = _NOWHERE) -> int:  # noqa: N802  the name is Qt's
        return 0 if parent.isValid() else len(self.entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        entry = self.entries[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return words.headline(entry)
            case Qt.ItemDataRole.AccessibleTextRole:
                return self._spoken(entry)
        found: dict[int, object] = {
            ENTRY: entry,
            REMARK: self._remark(entry),
            DAY: self._days[index.row()],
            WORDS: self._page.query.words.split(),
        }
        return found.get(role)

    def _remark(self, entry: Entry) -> tuple[str, str]:
        return words.remark(entry, is_retried=entry.id in self._page.retried)

    def _spoken(self, entry: Entry) -> str:
        moment = words.moment(entry.created_s, QDateTime.currentDateTime())
        star = words.STARRED if entry.is_starred else ""
        facts = ", ".join(words.facts(entry, moment))
        return spoken(words.headline(entry), self._remark(entry)[0], facts, star)


class _EntryPainter(QStyledItemDelegate):
    """Paints a row: its text, and its data in a quieter line below; above them a new day."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: N802  the name is Qt's
        lines = QFontMetricsF(option.font).height() + QFontMetricsF(_small_font(option)).height()
        height = lines + _LINE_GAP_PX + 2 * _PAD_PX
        return QSize(100, round(height + (_day_height(option) if index.data(DAY) else 0)))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry, (remark, color) = index.data(ENTRY), index.data(REMARK)
        headline = words.headline(entry)
        facts = "   ·   ".join(
            f"\u2068{fact}\u2069" for fact in words.facts(entry, words.time_of_day(entry.created_s))
        )
        is_text = entry.state is EntryState.DONE and bool(entry.text)
        painter.save()
        painter.setLayoutDirection(option.direction)
        painter.setClipRect(option.rect)
        if day := index.data(DAY):
            _paint_day(painter, option, day)
        area = QRectF(option.rect).adjusted(GAP_PX, _PAD_PX, -GAP_PX, -_PAD_PX)
        upper, lower = QRectF(area), QRectF(area)
        upper.setHeight(QFontMetricsF(option.font).height())
        lower.setTop(upper.bottom() + _LINE_GAP_PX)
        _paint_background(painter, option)
        painter.setFont(option.font)
        if entry.is_starred:
            upper = _draw_last(painter, upper, _STAR, _ink(option, "problem"))
        font = QFont(option.font)
        font.setItalic(not is_text)
        painter.setFont(font)
        _draw_found(
            painter, upper, headline, index.data(WORDS), _ink(option, "text" if is_text else color or "quiet")
        )
        painter.setFont(_small_font(option))
        if remark and remark != headline:
            lower = _draw_last(painter, lower, remark, _ink(option, color or "quiet"))
        _draw_first(painter, lower, facts, _ink(option, "quiet"))
        painter.restore()


def _day_font(option: QStyleOptionViewItem) -> QFont:
    font = _small_font(option)
    font.setWeight(QFont.Weight.DemiBold)
    return font


def _day_height(option: QStyleOptionViewItem) -> float:
    return QFontMetricsF(_day_font(option)).height() + _PAD_PX


def _paint_day(painter: QPainter, option: QStyleOptionViewItem, day: str) -> None:
    """Paint the heading, and subtract its height from the row."""
    height = round(_day_height(option))
    area = QRectF(option.rect).adjusted(GAP_PX, _PAD_PX, -GAP_PX, 0)
    area.setHeight(height - _PAD_PX)
    painter.setFont(_day_font(option))
    _draw_first(painter, area, day, readable(scheme().color("quiet"), option.palette.base().color()))
    option.rect = option.rect.adjusted(0, height, 0, 0)


def _small_font(option: QStyleOptionViewItem) -> QFont:
    font = QFont(option.font)
    font.setPointSizeF(font.pointSizeF() * 0.9)
    return font


def _ink(option: QStyleOptionViewItem, color: str) -> QColor:
    """A color of the scheme; in a selected row the matching one."""
    if not option.state & QStyle.StateFlag.State_Selected:
        return readable(scheme().color(color), option.palette.base().color())
    ink: QColor = option.palette.highlightedText().color()
    return ink


def _paint_background(painter: QPainter, option: QStyleOptionViewItem) -> None:
    rect, state, palette = option.rect, option.state, option.palette
    if state & QStyle.StateFlag.State_Selected:
        painter.fillRect(rect, readable(palette.highlight().color(), palette.highlightedText().color()))
    else:
        painter.setPen(QPen(outline(palette), 1))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        if state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, scheme().color("quiet", 18))
    if state & QStyle.StateFlag.State_HasFocus and state & QStyle.StateFlag.State_KeyboardFocusChange:
        painter.setPen(QPen(_ink(option, "text"), 1, Qt.PenStyle.DotLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(rect.adjusted(2, 2, -3, -3))


def _is_mirrored(painter: QPainter) -> bool:
    return painter.layoutDirection() == Qt.LayoutDirection.RightToLeft


def _first_side(painter: QPainter) -> Qt.AlignmentFlag:
    """The start side of lines in the interface language, whatever the direction of the text."""
    return Qt.AlignmentFlag.AlignRight if _is_mirrored(painter) else Qt.AlignmentFlag.AlignLeft


def _draw_first(painter: QPainter, area: QRectF, text: str, ink: QColor) -> None:
    painter.setPen(ink)
    line = QFontMetricsF(painter.font()).elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, line)


def utf16_length(text: str) -> int:
    """The length of ``text`` as Qt counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def found_format() -> QTextCharFormat:
    """The format of search hits, not distinguished by color alone."""
    look = QTextCharFormat()
    look.setFontUnderline(True)
    look.setBackground(scheme().color("problem", _MARK_ALPHA))
    return look


def _draw_found(painter: QPainter, area: QRectF, text: str, wanted: Sequence[str], ink: QColor) -> None:
    """Draw ``text`` with the ``wanted`` words marked, beginning near the first."""
    found = hits(text, wanted)
    metrics = QFontMetricsF(painter.font())
    first, end = found[0] if found else (0, 0)
    if first > _BEFORE_HIT and metrics.horizontalAdvance(text[:end]) > area.width() * 0.8:
        begin = text.find(" ", first - _BEFORE_HIT) + 1
        text = f"… {text[begin if 0 < begin <= first else first :]}"
    line = metrics.elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    marks = []
    for begin, end in hits(line, wanted):
        mark = QTextLayout.FormatRange()
        start = utf16_length(line[:begin])
        mark.start, mark.length = start, utf16_length(line[:end]) - start
        mark.format = found_format()
        marks.append(mark)
    layout = QTextLayout(line, painter.font())
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.NoWrap)
    option.setTextDirection(direction(text))
    option.setAlignment(_first_side(painter) | Qt.AlignmentFlag.AlignAbsolute)
    layout.setTextOption(option)
    layout.setFormats(marks)
    layout.beginLayout()
    layout.createLine().setLineWidth(area.width())
    layout.endLayout()
    painter.setPen(ink)
    layout.draw(painter, QPointF(area.left(), area.center().y() - layout.boundingRect().height() / 2))


def _draw_last(painter: QPainter, area: QRectF, text: str, ink: QColor) -> QRectF:
    """Draw at the end side of lines in the interface language, and return the remaining room."""
    painter.setPen(ink)
    painter.drawText(area, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
    taken = QFontMetricsF(painter.font()).horizontalAdvance(text) + GAP_PX
    return area.adjusted(taken, 0, 0, 0) if _is_mirrored(painter) else area.adjusted(0, 0, -taken, 0)


class EntriesList(QListView):
    """The list. Selection and scroll position survive changes of its contents."""

    chosen_changed = Signal()
    end_is_near = Signal()  # scrolled nearly to the end: load more

    def __init__(self) -> None:
        super().__init__()
        self._model = _EntriesModel()
        self.setModel(self._model)
        self.setItemDelegate(_EntryPainter(self))
        self.setAccessibleName(tr("Dictations"))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.selectionModel().selectionChanged.connect(lambda *_: self.chosen_changed.emit())
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)

    def show_history(self, page: HistoryPage) -> None:
        """Show the entries of ``page``; existing selected ones stay selected."""
        ids = {entry.id for entry in self.chosen()}
        place, scrolled = self.currentIndex().row(), self.verticalScrollBar().value()
        focused: Entry | None = self.currentIndex().data(ENTRY)
        selection = self.selectionModel()
        selection.blockSignals(True)
        self._model.show_history(page)
        places = {entry.id: number for number, entry in enumerate(page.entries)}
        selected = [number for number, entry in enumerate(page.entries) if entry.id in ids]
        current = places.get(focused.id) if focused else None
        if current is None and selected:
            current = selected[0]
        if current is None and page.entries:  # the current one is gone: its successor takes its place
            current = min(max(place, 0), len(page.entries) - 1)
            selected = [current]
        for number in selected:
            selection.select(self._model.index(number), QItemSelectionModel.SelectionFlag.Select)
        if current is not None:
            no_update = QItemSelectionModel.SelectionFlag.NoUpdate
            selection.setCurrentIndex(self._model.index(current), no_update)
        selection.blockSignals(False)
        self.verticalScrollBar().setValue(scrolled)
        self.viewport().update()
        self.chosen_changed.emit()

    def chosen(self) -> Sequence[Entry]:
        """The selected entries, newest first."""
        return [index.data(ENTRY) for index in sorted(self.selectedIndexes())]

    def _on_scrolled(self, value: int) -> None:
        if value >= self.verticalScrollBar().maximum() - _NEAR_END_PX:
            self.end_is_near.emit()
