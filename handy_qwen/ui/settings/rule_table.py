"""The table of replacements: edited in place, with multi-line texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QGuiApplication, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from handy_qwen.core.text import Replacement
from handy_qwen.core.vocabulary import ReplacementRow
from handy_qwen.ui.settings.word_list import EnterEnds, Index, is_enter, place_kept, show_rows
from handy_qwen.ui.strings import tip, whole
from handy_qwen.ui.style import grounds, readable, scheme
from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import KeysFirst, spoken, text_in

Change = Callable[[ReplacementRow | None, Replacement], None]
HEARD, WRITTEN, ALONE, CASE, PATTERN = range(5)
# Translators: columns of a table: when I say "Kovach", write "Kovács"; the rest are boxes to tick.
_TITLES = tr("When I say"), tr("Write"), tr("By itself"), tr("Match case"), tr("Pattern")
_FLAGS = {ALONE: "is_alone", CASE: "is_case_sensitive", PATTERN: "is_regex"}
_TIPS = {
    ALONE: tr(
        "Only where you say it by itself, between pauses. Then {date}, {time} and {clipboard} are filled in."
    ),
    PATTERN: tr("A regular expression, as in Python"),
}
_NOWHERE = QModelIndex()
_LEAST_ROWS, _EDITED_LINES, _LEAST_CHARACTERS = 4, 4, 12
_FORMER_APPLIES = tr("Until then, the previous one applies.")


class _RulesModel(QAbstractTableModel):
    """Rows as entered, followed by one being created: it has no ``written`` yet.

    Edits are passed on, and come back with the next page.
    """

    def __init__(self, change: Change) -> None:
        super().__init__()
        self._change = change
        self.rows: tuple[ReplacementRow, ...] = ()
        self.new: Replacement | None = None

    def show_rows(self, rows: tuple[ReplacementRow, ...]) -> None:
        show_rows(self, self.rows, rows, self._hold, lambda row: row.saved or row.entered)
        if rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(_TITLES) - 1))

    def _hold(self, rows: tuple[ReplacementRow, ...]) -> None:
        self.rows = rows

    def begin(self, *, is_alone: bool) -> QModelIndex:
        """Add a row to fill in; or find the existing unfinished one."""
        if self.new is None:
            self.beginInsertRows(_NOWHERE, len(self.rows), len(self.rows))
            self.new = Replacement("", "", is_alone=is_alone)
            self.endInsertRows()
        return self.index(len(self.rows), HEARD)

    def drop(self) -> None:
        """Remove the unfinished row."""
        if self.new is not None:
            self.beginRemoveRows(_NOWHERE, len(self.rows), len(self.rows))
            self.new = None
            self.endRemoveRows()

    def entered(self, row: int) -> Replacement:
        return self.rows[row].entered if row < len(self.rows) else self.new or Replacement("", "")

    def problem(self, row: int) -> str:
        if row < len(self.rows):
            return self.rows[row].problem
        return tr("Enter what to write.") if self.new is not None and self.new.heard.strip() else ""

    def rowCount(self, parent: Index = _NOWHERE) -> int:  # noqa: N802  the name is Qt's
        return 0 if parent.isValid() else len(self.rows) + (self.new is not None)

    def columnCount(self, parent: Index = _NOWHERE) -> int:  # noqa: N802  the name is Qt's
        return 0 if parent.isValid() else len(_TITLES)

    def headerData(  # noqa: N802  the name is Qt's
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation is Qt.Orientation.Vertical:
            return whole(section + 1) if role == Qt.ItemDataRole.DisplayRole else None
        if role == Qt.ItemDataRole.ToolTipRole and section in _TIPS:
            return _TIPS[section]
        return _TITLES[section] if role == Qt.ItemDataRole.DisplayRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        kind = Qt.ItemFlag.ItemIsUserCheckable if index.column() in _FLAGS else Qt.ItemFlag.ItemIsEditable
        return super().flags(index) | kind | Qt.ItemFlag.ItemNeverHasChildren

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        one, problem, column = self.entered(index.row()), self.problem(index.row()), index.column()
        if column in _FLAGS:
            return self._flag(one, column, role)
        raw = one.heard if column == HEARD else one.written
        is_wrong = bool(problem) and column == HEARD
        is_nothing = column == WRITTEN and not raw
        shown = on_one_line(raw)
        if is_nothing and index.row() < len(self.rows):
            shown = tr("(nothing)")
        found: object = None
        match role:
            case Qt.ItemDataRole.EditRole:
                found = raw
            case Qt.ItemDataRole.DisplayRole:
                found = f"⚠ {shown}" if is_wrong else shown
            case Qt.ItemDataRole.AccessibleTextRole:
                wrong = tr("{text}, not saved: {reason}").format(text=shown, reason=problem)
                found = spoken(wrong if is_wrong else shown)
            case Qt.ItemDataRole.ToolTipRole:
                found = tip(problem or raw)
            case Qt.ItemDataRole.ForegroundRole if is_wrong or is_nothing:
                color = scheme().color("recording" if is_wrong else "quiet")
                found = readable(color, *grounds(QGuiApplication.palette()))
        return found

    def _flag(self, one: Replacement, column: int, role: int) -> object:
        is_on = getattr(one, _FLAGS[column])
        if role == Qt.ItemDataRole.CheckStateRole:
            return Qt.CheckState.Checked if is_on else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return _TITLES[column]
        return None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: N802
        """Pass on an edit; a new row only once it says what to write."""
        row, column, old = index.row(), index.column(), self.entered(index.row())
        if column in _FLAGS:
            if role != Qt.ItemDataRole.CheckStateRole:
                return False
            is_on = Qt.CheckState(value) is Qt.CheckState.Checked
            flag: dict[str, Any] = {_FLAGS[column]: is_on}
            one = replace(old, **flag)
        else:
            one = replace(old, heard=str(value)) if column == HEARD else replace(old, written=str(value))
        if row < len(self.rows):
            if one != old:
                self._change(self.rows[row], one)
        elif column == WRITTEN and one.heard.strip():
            self.drop()
            self._change(None, one)
        else:
            self.new = one
            self.dataChanged.emit(self.index(row, 0), self.index(row, len(_TITLES) - 1))
        return True


class _Editors(EnterEnds):
    """Cell editors: Enter ends both kinds, Shift+Enter inserts a line break in the text to write."""

    def createEditor(  # noqa: N802  the name is Qt's
        self, parent: QWidget, _option: QStyleOptionViewItem, index: Index
    ) -> QWidget:
        if index.column() != WRITTEN:
            line = QLineEdit(parent)
            line.setAccessibleName(_TITLES[HEARD])
            return line
        editor = QPlainTextEdit(parent)
        editor.setAccessibleName(_TITLES[WRITTEN])
        editor.setTabChangesFocus(True)
        editor.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        return editor

    def setEditorData(self, editor: QWidget, index: Index) -> None:  # noqa: N802  the name is Qt's
        if not isinstance(editor, QPlainTextEdit):
            super().setEditorData(editor, index)
        elif not editor.document().isModified():
            editor.setPlainText(str(index.data(Qt.ItemDataRole.EditRole)))
            editor.selectAll()

    def setModelData(self, editor: QWidget, model: object, index: Index) -> None:  # noqa: N802
        text = text_in(editor) if isinstance(editor, QPlainTextEdit) else ""
        if isinstance(editor, QLineEdit):
            text = " ".join(editor.text().splitlines())
        assert isinstance(model, _RulesModel)
        model.setData(index, text)

    def updateEditorGeometry(  # noqa: N802  the name is Qt's
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        """Higher than the row, for multi-line texts."""
        area = option.rect
        view = editor.parentWidget()
        if index.column() == WRITTEN:
            area.setHeight(max(area.height(), _EDITED_LINES * editor.fontMetrics().lineSpacing() + 12))
        if view is not None and area.bottom() > view.height():
            area.moveBottom(view.height())
        editor.setGeometry(area)


class RuleTable(QTableView):
    """Shows the replacements it was given.

    Args:
        change: A row (None: a new one), and what it should be.
        delete: The rows selected.
    """

    chosen_changed = Signal()

    def __init__(self, *, change: Change, delete: Callable[[], None]) -> None:
        super().__init__()
        self._delete = delete
        self._rules = _RulesModel(change)
        self.setModel(self._rules)
        KeysFirst(self, self._take)
        self.setItemDelegate(_Editors(self))
        self.setAccessibleName(tr("Replacements"))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.AnyKeyPressed
        )
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)
        for column in _FLAGS:
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.selectionModel().selectionChanged.connect(lambda *_: self.chosen_changed.emit())
        self._rules.dataChanged.connect(lambda *_: self.chosen_changed.emit())

    @property
    def trouble(self) -> str:
        """Why the current row, or else the first affected one, is not saved; "" if all are."""
        rows = [self.currentIndex().row(), *range(self._rules.rowCount())]
        for row in rows:
            if 0 <= row < self._rules.rowCount() and (reason := self._rules.problem(row)):
                is_change = row < len(self._rules.rows) and self._rules.rows[row].saved is not None
                said = tr("Row {row} isn't saved. {reason}").format(row=whole(row + 1), reason=reason)
                return f"{said} {_FORMER_APPLIES}" if is_change else said
        return ""

    def show_rows(self, rows: tuple[ReplacementRow, ...]) -> None:
        """Show these."""
        if rows != self._rules.rows:
            with place_kept(self):
                self._rules.show_rows(rows)
        self.chosen_changed.emit()

    def row_of(self, one: Replacement) -> int:
        """The number of the row with ``one``, from 1; 0: none."""
        rows = (number for number, row in enumerate(self._rules.rows, 1) if row.saved == one)
        return next(rows, 0)

    def add(self, *, is_alone: bool = False) -> None:
        """Begin a new row."""
        index = self._rules.begin(is_alone=is_alone)
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.setCurrentIndex(index)
        self.edit(index)

    def chosen(self) -> list[ReplacementRow]:
        """The selected rows without an unfinished one."""
        rows = sorted({index.row() for index in self.selectedIndexes()})
        return [self._rules.rows[row] for row in rows if row < len(self._rules.rows)]

    def delete_chosen(self) -> None:
        """Delete the selected rows, even an unfinished one."""
        if any(index.row() >= len(self._rules.rows) for index in self.selectedIndexes()):
            self._rules.drop()
        if self.chosen():
            self._delete()

    def closeEditor(  # noqa: N802  the name is Qt's
        self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint
    ) -> None:
        """In a new row, continue from what is said to what is written; remove an empty one. Called by Qt."""
        index = self.currentIndex()
        is_new = self._rules.new is not None and index.row() == len(self._rules.rows)
        is_given_up = hint is QAbstractItemDelegate.EndEditHint.RevertModelCache
        super().closeEditor(editor, hint)
        if not is_new or self._rules.new is None:
            return
        if not self._rules.new.heard.strip():
            self._rules.drop()
        elif (
            index.column() == HEARD and not is_given_up and self.state() is not QTableView.State.EditingState
        ):
            following = self._rules.index(index.row(), WRITTEN)
            self.setCurrentIndex(following)
            self.edit(following)

    def _take(self, event: QKeyEvent) -> bool:
        key, index = event.key(), self.currentIndex()
        if is_enter(event) or key == Qt.Key.Key_F2:
            if event.isAutoRepeat():
                return True
            if index.column() in _FLAGS:
                index = self._rules.index(index.row(), HEARD)
                self.setCurrentIndex(index)
            if index.isValid():
                self.edit(index)
        elif key == Qt.Key.Key_Delete:
            self.delete_chosen()
        else:
            return False
        return True

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  the name is Qt's
        """Let both texts share the width; if it is too small, the table scrolls. Called by Qt."""
        super().resizeEvent(event)
        flags = sum(self.columnWidth(column) for column in _FLAGS)
        least = _LEAST_CHARACTERS * self.fontMetrics().averageCharWidth()
        for column in (HEARD, WRITTEN):
            self.setColumnWidth(column, max(least, (self.viewport().width() - flags) // 2))

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return QSize(super().sizeHint().width(), self.minimumSizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """A few rows. Called by Qt."""
        height = (
            self.horizontalHeader().sizeHint().height()
            + _LEAST_ROWS * self.verticalHeader().defaultSectionSize()
        )
        return QSize(30 * self.fontMetrics().averageCharWidth(), height + 2 * self.frameWidth())


def on_one_line(text: str) -> str:
    """``text`` with a symbol for each line break."""
    return text.replace("\n", " ↵ ").replace("\t", "⇥")
