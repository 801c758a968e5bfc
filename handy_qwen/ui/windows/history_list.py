"""The list of dictations: two lines for each, painted, so that ten thousand cost no more than ten."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QDateTime,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from handy_qwen.core.types import Entry, EntryState
from handy_qwen.core.view import HistoryPage
from handy_qwen.ui.layouts import GAP_PX
from handy_qwen.ui.style import outline, readable, scheme
from handy_qwen.ui.widgets import spoken
from handy_qwen.ui.windows import history_words as words

ENTRY = Qt.ItemDataRole.UserRole
REMARK = ENTRY + 1
_PAD_PX, _LINE_GAP_PX = 9.0, 4.0
_STAR = "★"
_NEAR_END_PX = 400
Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


class _EntriesModel(QAbstractListModel):
    """The entries of a ``HistoryPage`` for Qt's list."""

    def __init__(self) -> None:
        super().__init__()
        self._page = HistoryPage()

    def show_history(self, page: HistoryPage) -> None:
        self.beginResetModel()
        self._page = page
        self.endResetModel()

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self._page.entries

    def rowCount(self, parent: Index = _NOWHERE) -> int:  # noqa: N802  the name is Qt's
        return 0 if parent.isValid() else len(self.entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        entry = self.entries[index.row()]
        if role == ENTRY:
            return entry
        if role == Qt.ItemDataRole.DisplayRole:
            return words.headline(entry)
        remark = words.remark(entry, is_retried=entry.id in self._page.retried)
        if role == REMARK:
            return remark
        if role == Qt.ItemDataRole.AccessibleTextRole:
            star = words.STARRED if entry.is_starred else ""
            facts = ", ".join(words.facts(entry, QDateTime.currentDateTime()))
            return spoken(words.headline(entry), remark[0], facts, star)
        return None


class _EntryPainter(QStyledItemDelegate):
    """Paints a row: its text, and in a quieter line below all that is known of it."""

    def sizeHint(self, option: QStyleOptionViewItem, _index: Index) -> QSize:  # noqa: N802  the name is Qt's
        lines = QFontMetricsF(option.font).height() + QFontMetricsF(_small_font(option)).height()
        return QSize(100, round(lines + _LINE_GAP_PX + 2 * _PAD_PX))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry, (remark, color) = index.data(ENTRY), index.data(REMARK)
        headline = words.headline(entry)
        facts = "   ·   ".join(
            f"\u2068{fact}\u2069" for fact in words.facts(entry, QDateTime.currentDateTime())
        )
        is_text = entry.state is EntryState.DONE and bool(entry.text)
        area = QRectF(option.rect).adjusted(GAP_PX, _PAD_PX, -GAP_PX, -_PAD_PX)
        upper, lower = QRectF(area), QRectF(area)
        upper.setHeight(QFontMetricsF(option.font).height())
        lower.setTop(upper.bottom() + _LINE_GAP_PX)
        painter.save()
        painter.setClipRect(option.rect)
        _paint_background(painter, option)
        painter.setFont(option.font)
        if entry.is_starred:
            upper = _draw_right(painter, upper, _STAR, _ink(option, "problem"))
        font = QFont(option.font)
        font.setItalic(not is_text)
        painter.setFont(font)
        _draw_left(painter, upper, headline, _ink(option, "text" if is_text else color or "quiet"))
        painter.setFont(_small_font(option))
        if remark and remark != headline:
            lower = _draw_right(painter, lower, remark, _ink(option, color or "quiet"))
        _draw_left(painter, lower, facts, _ink(option, "quiet"))
        painter.restore()


def _small_font(option: QStyleOptionViewItem) -> QFont:
    font = QFont(option.font)
    font.setPointSizeF(font.pointSizeF() * 0.9)
    return font


def _ink(option: QStyleOptionViewItem, color: str) -> QColor:
    """A color of the scheme; in a selected row the one that is made for its background."""
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


def _draw_left(painter: QPainter, area: QRectF, text: str, ink: QColor) -> None:
    painter.setPen(ink)
    line = QFontMetricsF(painter.font()).elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, line)


def _draw_right(painter: QPainter, area: QRectF, text: str, ink: QColor) -> QRectF:
    """Draw at the right end, and return the room that is left."""
    painter.setPen(ink)
    painter.drawText(area, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
    return area.adjusted(0, 0, -QFontMetricsF(painter.font()).horizontalAdvance(text) - GAP_PX, 0)


class EntriesList(QListView):
    """The list. Its selection, and how far it is scrolled, outlast a change of what it shows."""

    chosen_changed = Signal()
    end_is_near = Signal()  # scrolled nearly to the end: more is wanted

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = _EntriesModel()
        self.setModel(self._model)
        self.setItemDelegate(_EntryPainter(self))
        self.setAccessibleName(words.LIST)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.selectionModel().selectionChanged.connect(lambda *_: self.chosen_changed.emit())
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)

    def show_history(self, page: HistoryPage) -> None:
        """Show the entries of ``page``; of those selected before, the ones that are still there stay so."""
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
        if current is None and page.entries:  # what was here is gone: its successor takes its place
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
        """The entries selected, newest first."""
        return [index.data(ENTRY) for index in sorted(self.selectedIndexes())]

    def _on_scrolled(self, value: int) -> None:
        if value >= self.verticalScrollBar().maximum() - _NEAR_END_PX:
            self.end_is_near.emit()
