"""The list of words: edited in place, moved, deleted and pasted into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractListModel,
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QItemSelectionRange,
    QLocale,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QPlainTextEdit,
    QStyledItemDelegate,
    QWidget,
)

from handy_qwen.ui.style import grounds, readable, scheme
from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import spoken

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_LEAST_ROWS = 6
_NOT_USED = tr("{word} (not used)")


class LinesField(QLineEdit):
    """One line to type in. Whatever of several lines gets into it, however, is passed on as ``lines``."""

    lines = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.textChanged.connect(self._on_changed)

    def _on_changed(self, text: str) -> None:
        if "\n" in text or "\r" in text:
            self.clear()
            self.lines.emit(text)


class EnterEnds(QStyledItemDelegate):
    """Enter ends the editing of a cell at once; Shift+Enter is a new line where there can be several.

    Qt's own delegate ends it a turn of the event loop later: on a busy machine, what was typed right after
    Enter still went into the finished cell. In an editor of several lines it leaves Enter to the editor.

    Args:
        view: Whose cells are edited.
    """

    def __init__(self, view: QAbstractItemView) -> None:
        super().__init__(view)

    def displayText(self, value: object, locale: QLocale | QLocale.Language) -> str:  # noqa: N802
        """Each entry has its own direction: "C++" is no "++C" in Arabic windows. Called by Qt."""
        text = super().displayText(value, locale)
        return f"\u2068{text}\u2069" if text else ""

    def setEditorData(self, editor: QWidget, index: Index) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt, also when the rows are shown anew: what is being typed stays."""
        if not (isinstance(editor, QLineEdit) and editor.isModified()):
            super().setEditorData(editor, index)

    def eventFilter(self, editor: QObject, event: QEvent) -> bool:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if not (isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and is_enter(event)):
            return super().eventFilter(editor, event)
        is_shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if is_shifted and isinstance(editor, QPlainTextEdit):
            return super().eventFilter(editor, event)
        view = self.parent()
        assert isinstance(view, QAbstractItemView)
        if not event.isAutoRepeat():  # however long it is held, it ends one cell
            QGuiApplication.inputMethod().commit()
            view.setFocus(Qt.FocusReason.OtherFocusReason)  # an editor that loses it is saved and closed
        return True


def is_enter(event: QKeyEvent) -> bool:
    """Whether the key is one of the two that are called Enter."""
    return event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}


@contextmanager
def resized(model: QAbstractItemModel, before: int, after: int, columns: int = 1) -> Iterator[None]:
    """Rows keep their place, so that a filter, the position and an open editor stay.

    In the body, ``model`` gets other content: ``after`` rows where it had ``before``.
    """
    if after > before:
        model.beginInsertRows(_NOWHERE, before, after - 1)
    elif after < before:
        model.beginRemoveRows(_NOWHERE, after, before - 1)
    yield
    if after > before:
        model.endInsertRows()
    elif after < before:
        model.endRemoveRows()
    if after:
        model.dataChanged.emit(model.index(0, 0), model.index(after - 1, columns - 1))


class _WordsModel(QAbstractListModel):
    """The words; an edit is passed on, and comes back with the next page."""

    def __init__(self, edit: Callable[[str, str], None]) -> None:
        super().__init__()
        self._edit = edit
        self.words: tuple[str, ...] = ()
        self._left_out: frozenset[str] = frozenset()

    def show_words(self, shown: tuple[str, ...], left_out: frozenset[str]) -> None:
        self._left_out = left_out
        with resized(self, len(self.words), len(shown)):
            self.words = shown

    def rowCount(self, parent: Index = _NOWHERE) -> int:  # noqa: N802  the name is Qt's
        return 0 if parent.isValid() else len(self.words)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemNeverHasChildren

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        word = self.words[index.row()]
        is_left_out = word in self._left_out
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return _NOT_USED.format(word=word) if is_left_out else word
            case Qt.ItemDataRole.EditRole:
                return word
            case Qt.ItemDataRole.AccessibleTextRole:
                return spoken(_NOT_USED.format(word=word) if is_left_out else word)
            case Qt.ItemDataRole.ForegroundRole if is_left_out:
                return readable(scheme().color("quiet"), *grounds(QGuiApplication.palette()))
            case Qt.ItemDataRole.ToolTipRole if is_left_out:
                return tr("There's no room for it. Move it up, or delete others.")
        return None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: N802
        word = self.words[index.row()]
        if role != Qt.ItemDataRole.EditRole or value == word:
            return False
        self._edit(word, str(value))
        return True


class WordList(QListView):
    """Shows the words it was given. What is selected stays so, wherever it moves.

    Args:
        edit: A word, and what is written instead.
        add: Lines that were pasted.
        delete: The words selected.
        move: The words selected, and by how many places.
    """

    chosen_changed = Signal()

    def __init__(
        self,
        *,
        edit: Callable[[str, str], None],
        add: Callable[[str], None],
        delete: Callable[[], None],
        move: Callable[[int], None],
    ) -> None:
        super().__init__()
        self._add, self._delete, self._move = add, delete, move
        self._words = _WordsModel(edit)
        self._sought = QSortFilterProxyModel()
        self._sought.setSourceModel(self._words)
        self._sought.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._sought.setFilterRole(Qt.ItemDataRole.EditRole)
        self.setModel(self._sought)
        self.setItemDelegate(EnterEnds(self))
        self.setAccessibleName(tr("Words, the most important first"))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setUniformItemSizes(True)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.selectionModel().selectionChanged.connect(lambda *_: self.chosen_changed.emit())

    def show_words(self, shown: tuple[str, ...], left_out: frozenset[str]) -> None:
        """Show these, and which of them the model does not read."""
        is_other = shown != self._words.words
        chosen, row = set(self.chosen()), self.currentIndex().row()
        self._words.show_words(shown, left_out)
        if not is_other or not chosen:
            return
        selection, update = self.selectionModel(), QItemSelectionModel.SelectionFlag
        rows = [place for place in range(self._sought.rowCount()) if self._word(place) in chosen]
        rows = rows or [min(max(row, 0), self._sought.rowCount() - 1)]
        wanted = QItemSelection()
        for first, last in _runs(rows):  # one by one, thousands would take minutes
            wanted.append(QItemSelectionRange(self._sought.index(first, 0), self._sought.index(last, 0)))
        selection.select(wanted, update.ClearAndSelect)
        selection.setCurrentIndex(self._sought.index(rows[0], 0), update.NoUpdate)
        self.scrollTo(self._sought.index(rows[0], 0))

    def seek(self, text: str) -> None:
        """Show only the words that hold ``text``."""
        self._sought.setFilterFixedString(text)
        self.chosen_changed.emit()

    def chosen(self) -> list[str]:
        """The words selected, in their order."""
        return [self._word(index.row()) for index in sorted(self.selectedIndexes())]

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return QSize(super().sizeHint().width(), self.minimumSizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """A few lines. Called by Qt."""
        line = max(self.sizeHintForRow(0), self.fontMetrics().height())
        return QSize(10 * self.fontMetrics().averageCharWidth(), _LEAST_ROWS * line + 2 * self.frameWidth())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        key, is_alt = event.key(), event.modifiers() == Qt.KeyboardModifier.AltModifier
        if event.matches(QKeySequence.StandardKey.Paste):
            self._add(QGuiApplication.clipboard().text())
        elif event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText("\n".join(self.chosen()))
        elif event.matches(QKeySequence.StandardKey.Delete):
            self._delete()
        elif is_alt and key in {Qt.Key.Key_Up, Qt.Key.Key_Down}:
            self._move(-1 if key == Qt.Key.Key_Up else 1)
        elif is_enter(event):
            if not event.isAutoRepeat():
                self.edit_chosen()
        else:
            super().keyPressEvent(event)

    def edit_chosen(self) -> None:
        """Open the editor of the current word."""
        if self.currentIndex().isValid() and self.state() != QAbstractItemView.State.EditingState:
            self.edit(self.currentIndex())

    def _word(self, row: int) -> str:
        return str(self._sought.index(row, 0).data(Qt.ItemDataRole.EditRole))


def _runs(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and last of each run of ``rows``, which ascend and are not none."""
    first = last = rows[0]
    for row in rows[1:]:
        if row != last + 1:
            yield first, last
            first = row
        last = row
    yield first, last
