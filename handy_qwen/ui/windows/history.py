"""The History window: search, read, use again, try again, keep, delete."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from handy_qwen.core.types import Entry, EntryState
from handy_qwen.core.view import Choices, Commands, HistoryCommands, HistoryPage, HistoryQuery, View
from handy_qwen.ui import strings
from handy_qwen.ui.widgets import FlowLayout, SecondaryText, Text, Title, announce, button, confirm
from handy_qwen.ui.window import GAP_PX, SMALL_GAP_PX, AppWindow
from handy_qwen.ui.windows import history_words as words
from handy_qwen.ui.windows.history_list import EntriesList

_TYPING_MS = 150  # a search begins when the fingers rest
_PAGE = 200
_LIST_PX, _TEXT_PX = 380, 190  # at first; the user may move the border
_LEAST_PX = 150  # of the list, in a small window


class HistoryWindow(AppWindow):
    """Shows the last answer it was given. Lives on Qt's thread."""

    def __init__(self, keeper: HistoryCommands, commands: Commands) -> None:
        super().__init__("history", words.TITLE, QSize(820, 700))
        self._keeper = keeper
        self._past, self._view = HistoryPage(), View()
        self._most = _PAGE
        self.search, self.only = SearchField(), QComboBox()
        self.pause = QCheckBox(words.PAUSE)
        self.pause.setToolTip(words.PAUSE_TIP)
        self.pause.clicked.connect(commands.pause_history)
        self.list, self.detail = EntriesList(), Detail(keeper)
        self._notice, self._empty = Text(color="problem"), EmptyState()
        self._count = SecondaryText()
        self.undo_button = button(words.UNDO, self._undo)
        self.export_button = button(words.EXPORT, self._ask_where_to_export)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING_MS)
        self._build()
        self._connect()
        self._notice.hide()
        self.undo_button.hide()
        self.export_button.setEnabled(False)

    def show_past(self, past: HistoryPage) -> None:
        """Show an answer; one to a question that is no longer asked is let go."""
        if past.query.words != self.search.text() or past.query.only is not self.only.currentData():
            return
        self._past = past
        self.list.show_past(past)
        self._stack.setCurrentIndex(0 if past.entries else 1)
        self.undo_button.setVisible(past.deleted > 0)
        count = words.shown(len(past.entries), has_more=past.has_more) if past.entries else ""
        count = words.deleted(past.deleted) if past.deleted else count
        if count != self._count.text():
            announce(self, count)
        self._count.setText(count)
        self.detail.setVisible(bool(past.entries))
        self.export_button.setEnabled(bool(past.entries))
        self._tell()

    def show_view(self, view: View) -> None:
        """The program does something else now. What the history holds then, its keeper tells."""
        self._view = view
        self.pause.setChecked(view.choices.is_private)
        self.detail.show_chosen(self.list.chosen(), view.choices)
        self._tell()

    def first_focus(self) -> QWidget | None:
        """The list, so that the arrow keys work at once; Ctrl+F for the search."""
        return self.list

    def _tell(self) -> None:
        """Say what is wrong, what was done, or that nothing is saved; and why the list is empty."""
        past = self._past
        self._empty.say(*words.empty(past.query, self._view.choices))
        said, color = "", "problem"
        if past.problem is not None:
            said, color = f"{past.problem.title} {past.problem.hint}".strip(), "recording"
        elif past.exported is not None:
            said, color = words.EXPORTED.format(path=past.exported), "good"
        elif self._view.choices.is_private:
            said = strings.HISTORY_PAUSED
        if said != self._notice.text():
            announce(self, said)
        self._notice.setText(said)
        self._notice.set_color(color)
        self._notice.setVisible(bool(said))

    # --- asking --------------------------------------------------------------------------------------

    def _look(self) -> None:
        only = self.only.currentData()
        self._keeper.look(HistoryQuery(self.search.text(), only, self._most))

    def _look_anew(self) -> None:
        self._most = _PAGE
        self._look()

    def _look_further(self) -> None:
        if self._past.has_more and self._past.query.most == self._most:
            self._most += _PAGE
            self._look()

    def _insert(self, entry: Entry) -> None:
        """Give the focus back to the window before, and insert there."""
        self.step_aside(lambda is_elsewhere: self._keeper.insert(entry, is_here=is_elsewhere))

    def _delete(self) -> None:
        if chosen := self.list.chosen():
            self._keeper.delete([entry.id for entry in chosen])

    def _undo(self) -> None:
        if self._past.deleted:
            if self.undo_button.hasFocus():
                self.list.setFocus()
            self._keeper.undo_delete()

    def _ask_where_to_export(self) -> None:
        chosen = self.list.chosen()
        ids = [entry.id for entry in chosen] if len(chosen) > 1 else None
        dialog = QFileDialog(self, words.EXPORT_CHOSEN if ids else words.EXPORT_ALL)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(list(words.EXPORT_KINDS.values()))
        dialog.selectFile(f"{words.EXPORT_NAME}.txt")
        dialog.fileSelected.connect(lambda path: self._export(path, dialog.selectedNameFilter(), ids))
        dialog.open()

    def _export(self, path: str, kind: str, ids: list[int] | None) -> None:
        """The ending says what is written; without one, the kind that was chosen does.

        With another ending it is another file, of which the dialog knows nothing.
        """
        target = Path(path)
        if target.suffix.lower() in words.EXPORT_KINDS:
            self._keeper.export(target, ids)
            return
        endings = {title: ending for ending, title in words.EXPORT_KINDS.items()}
        target = target.with_name(target.name + endings.get(kind, ".txt"))
        write = partial(self._keeper.export, target, ids)
        if os.path.lexists(target):
            question = words.REPLACE.format(name=target.name)
            confirm(self, question, words.REPLACE_DETAIL, yes=words.REPLACE_IT, no=words.KEEP_IT, do=write)
        else:
            write()

    # --- building ------------------------------------------------------------------------------------

    def _build(self) -> None:
        for only, title in words.ONLY.items():
            self.only.addItem(title, only)
        top = FlowLayout(GAP_PX)
        for title, field in ((words.SEARCH, self.search), (words.SHOW, self.only)):
            label, pair = QLabel(title), QHBoxLayout()
            label.setBuddy(field)
            pair.setSpacing(GAP_PX)
            pair.addWidget(label)
            pair.addWidget(field, 1)
            top.addLayout(pair)
        self.list.setMinimumHeight(_LEAST_PX)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.list)
        self._stack.addWidget(self._empty)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self._stack)
        splitter.addWidget(self.detail)
        splitter.setStretchFactor(0, 1)
        splitter.setSizes([_LIST_PX, _TEXT_PX])
        self.body.addLayout(top)
        self.body.addWidget(self._notice)
        self.body.addWidget(splitter, 1)
        for widget in (self.export_button, self.pause, self._count, self.undo_button):
            self.buttons.addWidget(widget)
        self._count.setWordWrap(False)

    def _connect(self) -> None:
        self.shown.connect(lambda: self._stack.setCurrentWidget(self.list))  # until the answer is there
        self.shown.connect(self._look_anew)
        self.hidden.connect(self._keeper.leave)
        self.search.textChanged.connect(lambda _text: self._typing.start())
        self.search.went_down.connect(self.list.setFocus)
        self._typing.timeout.connect(self._look_anew)
        self.only.currentIndexChanged.connect(lambda _index: self._look_anew())
        self.list.chosen_changed.connect(lambda: self.detail.show_chosen(self.list.chosen()))
        self.list.end_is_near.connect(self._look_further)
        self.detail.deleted.connect(self._delete)
        self.detail.wanted.connect(self._insert)
        QShortcut(QKeySequence.StandardKey.Find, self, self._on_find)
        QShortcut(QKeySequence.StandardKey.Undo, self, self._undo)
        for keys, do in (
            (QKeySequence.StandardKey.Delete, self._delete),
            (QKeySequence.StandardKey.Copy, self.detail.copy),
        ):
            QShortcut(keys, self.list, do, context=Qt.ShortcutContext.WidgetShortcut)
        self.list.activated.connect(lambda _index: self.detail.insert())

    def _on_find(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()


class SearchField(QLineEdit):
    """Where words are typed. Escape empties it first; the arrow down leads into what was found."""

    went_down = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText(words.SEARCH_HINT)
        self.setClearButtonEnabled(True)
        for clear in self.findChildren(QToolButton):
            clear.setAccessibleName(words.CLEAR)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  the name is Qt's
        """Take the keys that mean something else here. Called by Qt."""
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        elif event.key() in {Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self.went_down.emit()
        else:
            super().keyPressEvent(event)


class EmptyState(QWidget):
    """What stands where there is nothing to list."""

    def __init__(self) -> None:
        super().__init__()
        self._title, self._hint = Title(), SecondaryText()
        whole = QVBoxLayout(self)
        whole.setSpacing(SMALL_GAP_PX)
        whole.addStretch()
        for label in (self._title, self._hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            whole.addWidget(label)
        whole.addStretch()

    def say(self, title: str, hint: str) -> None:
        """Show both lines."""
        self._title.setText(title)
        self._hint.setText(hint)


class Detail(QWidget):
    """Shows what is chosen. Lives on Qt's thread."""

    deleted = Signal()  # what is chosen is to be deleted
    wanted = Signal(object)  # the text of this Entry is to be inserted

    def __init__(self, keeper: HistoryCommands) -> None:
        super().__init__()
        self._keeper = keeper
        self._chosen: Sequence[Entry] = ()
        self._choices = Choices()
        self._trouble = Text(color="recording")
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName(words.TEXT)
        self.copy_button = button(words.COPY, self.copy)
        self.insert_button = button(words.INSERT, self.insert)
        self.insert_button.setToolTip(words.INSERT_TIP)
        self.retry_button, self.retry_menu = button(words.RETRY), QMenu(self)
        self.retry_menu.aboutToShow.connect(self._fill_retry_menu)
        self.retry_button.setMenu(self.retry_menu)
        self.star_button = button(words.STAR, self._star)
        self.delete_button = button(words.DELETE, self.deleted.emit)
        self._build()
        self.show_chosen(())

    def show_chosen(self, chosen: Sequence[Entry], choices: Choices | None = None) -> None:
        """Show the one entry chosen, or how many are."""
        self._chosen = chosen
        self._choices = choices or self._choices
        one = chosen[0] if len(chosen) == 1 else None
        text = one.text if one else ""
        if self.text.toPlainText() != text:  # what is marked in it stays marked
            self.text.setPlainText(text)
        several = words.chosen(len(chosen)) if chosen else words.NOTHING_CHOSEN
        self.text.setPlaceholderText(words.headline(one) if one else several)
        self._trouble.setText(one.error if one else "")
        self._trouble.setVisible(bool(one and one.error))
        self.copy_button.setEnabled(bool(text))
        self.insert_button.setEnabled(bool(text))
        is_cancelled = one is not None and one.state is EntryState.CANCELLED
        self.retry_button.setText(words.BRING_BACK if is_cancelled else words.RETRY)
        self.retry_button.setEnabled(
            one is not None and one.has_audio and one.state is not EntryState.RECORDING
        )
        self.star_button.setText(words.UNSTAR if self._are_starred() else words.STAR)
        self.star_button.setEnabled(bool(chosen))
        self.delete_button.setEnabled(bool(chosen))

    def copy(self) -> None:
        """Put the text of the entry chosen on the clipboard."""
        if self.copy_button.isEnabled():
            self._keeper.copy(self._chosen[0])

    def insert(self) -> None:
        """Have the text of the entry chosen inserted."""
        if self.insert_button.isEnabled():
            self.wanted.emit(self._chosen[0])

    def _star(self) -> None:
        self._keeper.star([entry.id for entry in self._chosen], is_starred=not self._are_starred())

    def _are_starred(self) -> bool:
        return bool(self._chosen) and all(entry.is_starred for entry in self._chosen)

    def _fill_retry_menu(self) -> None:
        entry, menu = self._chosen[0], self.retry_menu
        menu.clear()
        menu.addAction(words.LIKE_BEFORE, partial(self._keeper.retry, entry))
        models = menu.addMenu(words.WITH_MODEL)
        for model in self._choices.models:
            title = model.title.replace("&", "&&")
            models.addAction(title, partial(self._keeper.retry, entry, model=model.name))
        languages = menu.addMenu(words.IN_LANGUAGE)
        languages.addAction(words.AUTOMATIC, partial(self._keeper.retry, entry, language=""))
        for name in self._choices.languages:
            title = strings.language_title(name)
            languages.addAction(title, partial(self._keeper.retry, entry, language=name))

    def _build(self) -> None:
        row = FlowLayout(SMALL_GAP_PX)
        buttons = (self.insert_button, self.copy_button, self.retry_button, self.star_button)
        for one in buttons:
            row.addWidget(one)
        row.push()
        row.addWidget(self.delete_button)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, SMALL_GAP_PX, 0, 0)
        whole.setSpacing(SMALL_GAP_PX)
        whole.addWidget(self.text, 1)
        whole.addWidget(self._trouble)
        whole.addLayout(row)
