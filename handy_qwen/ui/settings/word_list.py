"""The list of words: edited in place, moved, deleted and pasted into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractListModel,
    QEvent,
    QItemSelectionModel,
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
    QApplication,
    QLineEdit,
    QListView,
    QPlainTextEdit,
    QStyledItemDelegate,
    QWidget,
)

from handy_qwen.ui.style import grounds, readable, scheme
from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import ClipboardText, KeysFirst, spoken

Index = QModelIndex | QPersistentModelIndex
One = TypeVar("One", bound=Hashable)
_NOWHERE = QModelIndex()
_LEAST_ROWS = 6
_NOT_USED = tr("{word} (not used)")


class LinesField(QLineEdit):
    """A single-line field. Several lines pasted into it are passed on as ``lines``."""

    lines = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.textChanged.connect(self._on_changed)

    def _on_changed(self, text: str) -> None:
        if "\n" in text or "\r" in text:
            self.clear()
            self.lines.emit(text)


class EnterEnds(QStyledItemDelegate):
    """Enter ends the editing of a cell at once; Shift+Enter is a line break where there can be several lines.

    Qt's own delegate ends it one turn of the event loop later: on a busy machine, text typed right after
    Enter still went into the finished cell. In a multi-line editor it leaves Enter to the editor.

    Args:
        view: The view with the cells.
    """

    def __init__(self, view: QAbstractItemView) -> None:
        super().__init__(view)

    def displayText(self, value: object, locale: QLocale | QLocale.Language) -> str:  # noqa: N802
        """Each entry has its own direction: "C++" must not become "++C" in Arabic windows. Called by Qt."""
        text = super().displayText(value, locale)
        return f"\u2068{text}\u2069" if text else ""

    def setEditorData(self, editor: QWidget, index: Index) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt, also when rows are refreshed: text being typed stays."""
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
        if not event.isAutoRepeat():  # held down, it still ends only one cell
            QGuiApplication.inputMethod().commit()
            view.setFocus(Qt.FocusReason.OtherFocusReason)  # an editor without the focus is saved and closed
        return True


def is_enter(event: QKeyEvent) -> bool:
    """Whether it is one of the two Enter keys."""
    return event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}


def show_rows(
    model: QAbstractItemModel,
    before: Sequence[One],
    after: Sequence[One],
    hold: Callable[[tuple[One, ...]], None],
    name: Callable[[One], Hashable] = lambda one: one,
) -> None:
    """Replace ``before`` in ``model`` by ``after``. Selection and editing follow moved rows.

    ``hold`` stores rows in the model; ``name`` identifies them. Where one is gone and a new one is in its
    place, it was changed.
    """
    moved, gone = _changes([name(one) for one in before], [name(one) for one in after])
    everything = (*after, *(before[row] for row in gone))
    if len(everything) > len(before):
        model.beginInsertRows(_NOWHERE, len(before), len(everything) - 1)
        hold((*before, *everything[len(before) :]))
        model.endInsertRows()
    if moved:
        model.layoutAboutToBeChanged.emit()
    hold(everything)
    if moved:
        were = model.persistentIndexList()
        now = [model.index(moved.get(one.row(), one.row()), one.column()) for one in were]
        model.changePersistentIndexList(were, now)
        model.layoutChanged.emit()
    if gone:
        model.beginRemoveRows(_NOWHERE, len(after), len(everything) - 1)
        hold((*after,))
        model.endRemoveRows()


@contextmanager
def place_kept(view: QAbstractItemView) -> Iterator[None]:
    """If the block removes the whole selection, select what follows.

    An open editor that is removed leaves the focus to the view, not to some other widget.
    """
    was_chosen, current = bool(view.selectedIndexes()), view.currentIndex()
    row, column = max(current.row(), 0), max(current.column(), 0)
    editor = QApplication.focusWidget()
    was_edited = editor is not None and view.isAncestorOf(editor)
    yield
    if was_edited and QApplication.focusWidget() is not editor:
        view.setFocus(Qt.FocusReason.OtherFocusReason)
    if was_chosen and not view.selectedIndexes():
        following = view.model().index(min(row, view.model().rowCount() - 1), column)
        update = QItemSelectionModel.SelectionFlag
        view.selectionModel().setCurrentIndex(following, update.ClearAndSelect | update.Rows)


def _changes(before: Sequence[Hashable], after: Sequence[Hashable]) -> tuple[dict[int, int], list[int]]:
    """Where moved rows are now, and which are gone: those are placed after all others."""
    were, are = _numbered(before), _numbered(after)
    known, now = set(were), {name: place for place, name in enumerate(are)}
    places: dict[int, int] = {}
    gone: list[int] = []
    for row, name in enumerate(were):
        if name in now:
            places[row] = now[name]
        elif row < len(are) and are[row] not in known:
            places[row] = row
        else:
            places[row] = len(after) + len(gone)
            gone.append(row)
    return {row: place for row, place in places.items() if row != place}, gone


def _numbered(names: Sequence[Hashable]) -> list[tuple[Hashable, int]]:
    """Each of ``names`` with its occurrence count so far, to distinguish equal ones."""
    counts: Counter[Hashable] = Counter()
    numbered = []
    for name in names:
        counts[name] += 1
        numbered.append((name, counts[name]))
    return numbered


class _WordsModel(QAbstractListModel):
    """The words; edits are passed on, and come back with the next page."""

    def __init__(self, edit: Callable[[str, str], None]) -> None:
        super().__init__()
        self._edit = edit
        self.words: tuple[str, ...] = ()
        self._left_out: frozenset[str] = frozenset()

    def show_words(self, shown: tuple[str, ...], left_out: frozenset[str]) -> None:
        self._left_out = left_out
        show_rows(self, self.words, shown, self._hold)
        if shown:
            self.dataChanged.emit(self.index(0, 0), self.index(len(shown) - 1, 0))

    def _hold(self, words: tuple[str, ...]) -> None:
        self.words = words

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
    """Shows words. The selection follows moved ones.

    Args:
        edit: Called with a word, and its replacement.
        add: Called with pasted lines.
        copy: Called with words for the clipboard.
        delete: Called with the selected words.
        move: Called with the selected words, and by how many places.
    """

    chosen_changed = Signal()

    def __init__(
        self,
        *,
        edit: Callable[[str, str], None],
        add: Callable[[str], None],
        copy: Callable[[str], None],
        delete: Callable[[], None],
        move: Callable[[int], None],
    ) -> None:
        super().__init__()
        self._copy, self._delete, self._move = copy, delete, move
        KeysFirst(self, self._take)
        self._clipboard = ClipboardText(self)
        self._clipboard.came.connect(add)
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
        with place_kept(self):
            self._words.show_words(shown, left_out)
        if is_other and (chosen := self.selectedIndexes()):
            self.scrollTo(min(chosen))

    def seek(self, text: str) -> None:
        """Show only the words that contain ``text``."""
        self._sought.setFilterFixedString(text)
        self.chosen_changed.emit()

    def chosen(self) -> list[str]:
        """The selected words, in order."""
        return [self._word(index.row()) for index in sorted(self.selectedIndexes())]

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return QSize(super().sizeHint().width(), self.minimumSizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """A few lines. Called by Qt."""
        line = max(self.sizeHintForRow(0), self.fontMetrics().height())
        return QSize(10 * self.fontMetrics().averageCharWidth(), _LEAST_ROWS * line + 2 * self.frameWidth())

    def _take(self, event: QKeyEvent) -> bool:
        key, is_alt = event.key(), event.modifiers() == Qt.KeyboardModifier.AltModifier
        if event.matches(QKeySequence.StandardKey.Paste):
            self._clipboard.fetch()
        elif event.matches(QKeySequence.StandardKey.Copy):
            if words := self.chosen():
                self._copy("\n".join(words))
        elif event.matches(QKeySequence.StandardKey.Delete):
            self._delete()
        elif is_alt and key in {Qt.Key.Key_Up, Qt.Key.Key_Down}:
            self._move(-1 if key == Qt.Key.Key_Up else 1)
        elif is_enter(event):
            if not event.isAutoRepeat():
                self.edit_chosen()
        else:
            return False
        return True

    def edit_chosen(self) -> None:
        """Open the editor of the current word."""
        if self.currentIndex().isValid() and self.state() != QAbstractItemView.State.EditingState:
            self.edit(self.currentIndex())

    def _word(self, row: int) -> str:
        return str(self._sought.index(row, 0).data(Qt.ItemDataRole.EditRole))
