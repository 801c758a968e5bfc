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
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPalette, QPen
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
from handy_qwen.ui.style import outline, readable, scheme
from handy_qwen.ui.widgets import spoken
from handy_qwen.ui.window import GAP_PX
from handy_qwen.ui.windows import history_words as words

ENTRY = Qt.ItemDataRole.UserRole
REMARK = ENTRY + 1
_PAD_PX, _LINE_GAP_PX = 9.0, 4.0
_STAR = "★"
_NEAR_END_PX = 400
Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


class EntriesModel(QAbstractListModel):
    """The entries of a ``Past`` for Qt's list."""

    def __init__(self) -> None:
        super().__init__()
        self._past = HistoryPage()

    def show_past(self, past: HistoryPage) -> None:
        """Hold the entries of ``past`` instead of those before."""
        self.beginResetModel()
        self._past = past
        self.endResetModel()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that are in the list."""
        return self._past.entries

    def rowCount(self, parent: Index = _NOWHERE) -> int:  # noqa: N802  the name is Qt's
        """How many there are. Called by Qt."""
        return 0 if parent.isValid() else len(self._past.entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """What a row shows, and what a screen reader says of it. Called by Qt."""
        entry = self._past.entries[index.row()]
        remark = words.remark(entry, is_retried=entry.id in self._past.retried)
        if role == ENTRY:
            return entry
        if role == REMARK:
            return remark
        if role == Qt.ItemDataRole.DisplayRole:
            return words.headline(entry)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            star = words.STARRED if entry.is_starred else ""
            facts = words.facts(entry, QDateTime.currentDateTime()).replace("   ·   ", ", ")
            return spoken(words.headline(entry), remark[0], facts, star)
        return None


class EntryPainter(QStyledItemDelegate):
    """Paints a row: its text, and in a quieter line below all that is known of it."""

    def sizeHint(self, option: QStyleOptionViewItem, _index: Index) -> QSize:  # noqa: N802  the name is Qt's
        """Two lines. Called by Qt."""
        lines = sum(QFontMetricsF(font).height() for font in self._fonts(option))
        return QSize(100, round(lines + _LINE_GAP_PX + 2 * _PAD_PX))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a row. Called by Qt."""
        painter.save()
        painter.setClipRect(option.rect)
        self._paint_ground(painter, option)
        entry, (remark, color) = index.data(ENTRY), index.data(REMARK)
        text_font, facts_font = self._fonts(option)
        area = QRectF(option.rect).adjusted(GAP_PX, _PAD_PX, -GAP_PX, -_PAD_PX)
        text_height = QFontMetricsF(text_font).height()
        upper = QRectF(area.left(), area.top(), area.width(), text_height)
        lower = area.adjusted(0, text_height + _LINE_GAP_PX, 0, 0)
        if entry.is_starred:
            upper = self._right(painter, upper, _STAR, text_font, self._ink(option, "problem"))
        is_text = entry.state is EntryState.DONE and bool(entry.text)
        text_font.setItalic(not is_text)
        ink = self._ink(option, "text" if is_text else color or "quiet")
        self._left(painter, upper, words.headline(entry), text_font, ink)
        if remark != words.headline(entry):
            lower = self._right(painter, lower, remark, facts_font, self._ink(option, color or "quiet"))
        facts = words.facts(entry, QDateTime.currentDateTime())
        self._left(painter, lower, facts, facts_font, self._ink(option, "quiet"))
        painter.restore()

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        rect, state, palette = option.rect, option.state, option.palette
        if state & QStyle.StateFlag.State_Selected:
            ink = palette.color(QPalette.ColorRole.HighlightedText)
            painter.fillRect(rect, readable(palette.color(QPalette.ColorRole.Highlight), ink))
        else:
            painter.setPen(QPen(outline(palette), 1))
            painter.drawLine(rect.bottomLeft(), rect.bottomRight())
            if state & QStyle.StateFlag.State_MouseOver:
                painter.fillRect(rect, scheme().color("quiet", 18))
        if state & QStyle.StateFlag.State_HasFocus and state & QStyle.StateFlag.State_KeyboardFocusChange:
            painter.setPen(QPen(self._ink(option, "text"), 1, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(rect.adjusted(2, 2, -3, -3))

    @staticmethod
    def _fonts(option: QStyleOptionViewItem) -> tuple[QFont, QFont]:
        text = QFont(option.font)
        facts = QFont(text)
        facts.setPointSizeF(text.pointSizeF() * 0.9)
        return text, facts

    @staticmethod
    def _ink(option: QStyleOptionViewItem, color: str) -> QColor:
        """A color of the scheme, but on the ground of a chosen row the one that is made for it."""
        if not option.state & QStyle.StateFlag.State_Selected:
            return readable(scheme().color(color), option.palette.color(QPalette.ColorRole.Base))
        ink: QColor = option.palette.color(QPalette.ColorRole.HighlightedText)
        return ink

    @staticmethod
    def _left(painter: QPainter, area: QRectF, text: str, font: QFont, ink: QColor) -> None:
        painter.setFont(font)
        painter.setPen(ink)
        line = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, line)

    @staticmethod
    def _right(painter: QPainter, area: QRectF, text: str, font: QFont, ink: QColor) -> QRectF:
        """Paint at the right end, and return the room that is left."""
        if not text:
            return area
        painter.setFont(font)
        painter.setPen(ink)
        painter.drawText(area, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        return area.adjusted(0, 0, -QFontMetricsF(font).horizontalAdvance(text) - GAP_PX, 0)


class EntriesList(QListView):
    """The list. What is chosen, and how far it is scrolled, outlasts a change of what it shows."""

    chosen_changed = Signal()
    end_is_near = Signal()  # scrolled nearly to the end: more is wanted

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = EntriesModel()
        self.setModel(self._model)
        self.setItemDelegate(EntryPainter(self))
        self.setAccessibleName(words.LIST)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.selectionModel().selectionChanged.connect(lambda *_: self.chosen_changed.emit())
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)

    def show_past(self, past: HistoryPage) -> None:
        """Show the entries of ``past``; of those chosen before, the ones that are still there stay so."""
        ids = {entry.id for entry in self.chosen()}
        row, scrolled = self.currentIndex().row(), self.verticalScrollBar().value()
        had_focus = self.currentIndex().data(ENTRY)
        with_signals = self.selectionModel().blockSignals(True)
        self._model.show_past(past)
        rows = [place for place, entry in enumerate(past.entries) if entry.id in ids]
        current = next((r for r, e in enumerate(past.entries) if had_focus and e.id == had_focus.id), None)
        if current is None and rows:
            current = rows[0]
        if current is None and past.entries:  # what stood here is gone: its successor takes its place
            current = min(max(row, 0), len(past.entries) - 1)
            rows = [current]
        for place in rows:
            self.selectionModel().select(self._model.index(place), QItemSelectionModel.SelectionFlag.Select)
        if current is not None:
            flag = QItemSelectionModel.SelectionFlag.NoUpdate
            self.selectionModel().setCurrentIndex(self._model.index(current), flag)
        self.selectionModel().blockSignals(with_signals)
        self.verticalScrollBar().setValue(scrolled)
        self.viewport().update()
        self.chosen_changed.emit()

    def chosen(self) -> Sequence[Entry]:
        """The entries chosen, newest first."""
        return [index.data(ENTRY) for index in sorted(self.selectedIndexes())]

    def _on_scrolled(self, value: int) -> None:
        if value >= self.verticalScrollBar().maximum() - _NEAR_END_PX:
            self.end_is_near.emit()
