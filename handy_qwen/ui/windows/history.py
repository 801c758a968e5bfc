"""The History window: search, read, reuse, retry, keep, delete."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut, QTextCursor
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLineEdit,
    QMenu,
    QSplitter,
    QStackedWidget,
    QTextEdit,
    QToolButton,
    QWidget,
)

from handy_qwen.core.search import hits
from handy_qwen.core.types import Entry, EntryState
from handy_qwen.core.view import Choices, Commands, HistoryCommands, HistoryPage, HistoryQuery, Phase, View
from handy_qwen.message import verbatim
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import SMALL_GAP_PX, FlowLayout, boxed, column, row
from handy_qwen.ui.translation import tr, translated
from handy_qwen.ui.widgets import (
    Button,
    KeysFirst,
    Message,
    SecondaryText,
    Text,
    Title,
    announce,
    labelled,
    text_in,
)
from handy_qwen.ui.window import AppWindow, ask_where_to_save
from handy_qwen.ui.windows import history_words as words
from handy_qwen.ui.windows.correction import TextToCorrect
from handy_qwen.ui.windows.history_list import EntriesList, found_format, utf16_length

_TYPING_MS = 150  # of pause before a search begins
_PAGE = 200
_LIST_PX, _TEXT_PX = 380, 190  # initially; the user may move the border
_ORIGINAL_CHARACTERS = 300  # shown of the original of a corrected text
_LEAST_PX = 150  # of the list, in a small window


class HistoryWindow(AppWindow):
    """Shows the latest answer. Created and used on Qt's thread."""

    correction_asked = Signal(str, str, object)  # a text, the wrong words, and the entry's id

    def __init__(self, history: HistoryCommands, commands: Commands) -> None:
        super().__init__("history", tr("History"), QSize(820, 700))
        self._history = history
        self._page, self._view = HistoryPage(), View()
        self._most = _PAGE
        self.search, self.only = SearchField(), QComboBox()
        for only, title in words.ONLY.items():
            self.only.addItem(title, only)
        self.pause = QCheckBox(tr("&Pause history"))
        self.pause.setToolTip(tr("Nothing you say from now on is saved"))
        self.pause.clicked.connect(lambda is_on: commands.change(private=is_on))
        self.list, self.detail = EntriesList(), _Detail(history, insert=self._insert, delete=self._delete)
        self.list.setMinimumHeight(_LEAST_PX)
        self._notice, self._empty_title, self._empty_hint = Message(), Title(), SecondaryText()
        self._count = SecondaryText()
        self._count.setWordWrap(False)
        self.undo_button = Button(tr("&Undo"), self._undo)
        self.export_button = Button(tr("&Export…"), self._ask_where_to_export)
        self._typing = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._build()
        self._connect()
        self.undo_button.hide()
        self.export_button.setEnabled(False)

    def show_history(self, page: HistoryPage) -> None:
        """Show an answer; one to an outdated query is ignored."""
        if page.query.words != self.search.text() or page.query.only is not self.only.currentData():
            return
        self._page = page
        self.list.show_history(page)
        self.detail.show_history(page)
        self._stack.setCurrentIndex(0 if page.entries else 1)
        self.undo_button.setVisible(page.deleted > 0)
        count = words.shown(len(page.entries), has_more=page.has_more) if page.entries else ""
        count = words.deleted(page.deleted) if page.deleted else count
        if count != self._count.text():
            announce(self, count)
        self._count.setText(count)
        self.detail.setVisible(bool(page.entries))
        self.export_button.setEnabled(bool(page.entries))
        self._update_notice()

    def show_view(self, view: View) -> None:
        """Show the program's state; changes of the history come by themselves."""
        if view.phase is Phase.RECORDING and self._page.played:
            self._history.stop_playing()  # the microphone would record it
        self._view = view
        self.pause.setChecked(view.choices.is_private)
        self.detail.show_chosen(self.list.chosen(), view.choices)
        self._update_notice()

    def first_focus(self) -> QWidget | None:
        """The list, so that the arrow keys work at once; Ctrl+F for the search."""
        return self.list

    def _update_notice(self) -> None:
        """Show problems, outcomes, or that nothing is saved; and why the list is empty."""
        page = self._page
        title, hint = words.empty(page.query, self._view.choices)
        self._empty_title.setText(title)
        self._empty_hint.setText(hint)
        if page.problem is not None:
            self._notice.say(f"{page.problem.title} {page.problem.hint}".strip(), "recording")
        elif page.exported is not None:
            self._notice.say(tr("Exported to {path}.").format(path=page.exported), "good")
        else:
            self._notice.say(strings.HISTORY_PAUSED if self._view.choices.is_private else "")

    def _look(self) -> None:
        self._history.look(HistoryQuery(self.search.text(), self.only.currentData(), self._most))

    def _look_anew(self) -> None:
        self._most = _PAGE
        self._look()

    def _look_further(self) -> None:
        if self._page.has_more and self._page.query.most == self._most:
            self._most += _PAGE
            self._look()

    def _insert(self, entry: Entry) -> None:
        """Return the focus to the previous window, and insert there."""
        self.step_aside(lambda is_elsewhere: self._history.insert(entry, is_here=is_elsewhere))

    def _delete(self) -> None:
        if chosen := self.list.chosen():
            self._history.delete([entry.id for entry in chosen])

    def _undo(self) -> None:
        if self._page.deleted:
            if self.undo_button.hasFocus():
                self.list.setFocus()
            self._history.undo_delete()

    def _ask_where_to_export(self) -> None:
        chosen = self.list.chosen()
        ids = [entry.id for entry in chosen] if len(chosen) > 1 else None
        title = tr("Export the selected dictations") if ids else tr("Export history")
        ask_where_to_save(
            self,
            title,
            tr("dictations"),
            words.EXPORT_KINDS,
            lambda target: self._history.export(target, ids),
        )

    def _correct(self) -> None:
        """Ask for the correct text."""
        chosen = self.list.chosen()
        if len(chosen) == 1:
            self.correction_asked.emit(chosen[0].text, self.detail.text.selected(), chosen[0].id)

    def _build(self) -> None:
        top = FlowLayout()
        for title, field in ((tr("&Search"), self.search), (tr("Sh&ow"), self.only)):
            top.addLayout(row(labelled(title, field), (field, 1)))
        for label in (self._empty_title, self._empty_hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        empty = QWidget()
        column(None, self._empty_title, self._empty_hint, None, gap_px=SMALL_GAP_PX, parent=empty)
        self._stack, splitter = QStackedWidget(), QSplitter(Qt.Orientation.Vertical)
        self._stack.addWidget(self.list)
        self._stack.addWidget(empty)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self._stack)
        splitter.addWidget(self.detail)
        splitter.setStretchFactor(0, 1)
        splitter.setSizes([_LIST_PX, _TEXT_PX])
        self.body.addWidget(boxed(top))
        self.body.addWidget(self._notice)
        self.body.addWidget(splitter, 1)
        for widget in (self.export_button, self.pause, self._count, self.undo_button):
            self.buttons.addWidget(widget)

    def _connect(self) -> None:
        self.shown.connect(lambda: self._stack.setCurrentWidget(self.list))  # until the answer is there
        self.shown.connect(self._look_anew)
        self.hidden.connect(self._history.leave)
        self.detail.text.correction_asked.connect(self._correct)
        self.detail.correct_button.clicked.connect(lambda _checked: self._correct())
        self.search.textChanged.connect(lambda _text: self._typing.start())
        self.search.went_down.connect(self.list.setFocus)
        self._typing.timeout.connect(self._look_anew)
        self.only.currentIndexChanged.connect(lambda _index: self._look_anew())
        self.list.chosen_changed.connect(lambda: self.detail.show_chosen(self.list.chosen()))
        self.list.end_is_near.connect(self._look_further)
        self.list.activated.connect(lambda _index: self.detail.insert())
        QShortcut(QKeySequence.StandardKey.Find, self, self._on_find)
        QShortcut(QKeySequence.StandardKey.Undo, self, self._undo)
        in_list = Qt.ShortcutContext.WidgetShortcut
        QShortcut(QKeySequence.StandardKey.Delete, self.list, self._delete, context=in_list)
        QShortcut(QKeySequence.StandardKey.Copy, self.list, self.detail.copy, context=in_list)

    def _on_find(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()


class SearchField(QLineEdit):
    """The search field. Escape empties it first; the down arrow moves to the results."""

    went_down = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText(tr("Words in the text or the application (Ctrl+F)"))
        self.setClearButtonEnabled(True)
        for clear in self.findChildren(QToolButton):
            clear.setAccessibleName(tr("Clear the search"))
        KeysFirst(self, self._take)

    def _take(self, event: QKeyEvent) -> bool:
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        elif event.key() in {Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self.went_down.emit()
        else:
            return False
        return True


class _Detail(QWidget):
    """Actions for the selected dictations, and the whole text of one."""

    def __init__(
        self, history: HistoryCommands, *, insert: Callable[[Entry], None], delete: Callable[[], None]
    ) -> None:
        super().__init__()
        self._history, self._insert = history, insert
        self._chosen: Sequence[Entry] = ()
        self._choices, self._page = Choices(), HistoryPage()
        self._trouble, self.original = Text(color="recording"), SecondaryText()
        # Without a mnemonic: Insert again has it.
        self.restore_button = Button(strings.without_letter(tr("Undo correct&ion")), self._restore)
        self.text = TextToCorrect()
        self.text.setAccessibleName(tr("Text of the dictation"))
        self.correct_button = Button(words.CORRECT)
        self.correct_button.setToolTip(tr("Select what came out wrong first"))
        self.copy_button = Button(tr("Cop&y"), self.copy)
        self.insert_button = Button(tr("&Insert again"), self.insert)
        self.insert_button.setToolTip(tr("Closes this window and inserts the text where you were before"))
        self.play_button = Button(words.PLAY, self._play)
        self.retry_button, self.retry_menu = Button(words.RETRY), QMenu(self)
        self.retry_menu.aboutToShow.connect(self._fill_retry_menu)
        self.retry_button.setMenu(self.retry_menu)
        self.star_button, self.delete_button = Button(words.STAR, self._star), Button(tr("&Delete"), delete)
        buttons = FlowLayout(
            self.insert_button,
            self.copy_button,
            self.play_button,
            self.correct_button,
            self.restore_button,
            self.retry_button,
            self.star_button,
            gap_px=SMALL_GAP_PX,
        )
        buttons.push(self.delete_button)
        whole = column(
            (self.text, 1), self.original, self._trouble, buttons, gap_px=SMALL_GAP_PX, parent=self
        )
        whole.setContentsMargins(0, SMALL_GAP_PX, 0, 0)
        self.show_chosen(())

    def show_chosen(self, chosen: Sequence[Entry], choices: Choices | None = None) -> None:
        self._chosen = chosen
        self._choices = choices or self._choices
        one = chosen[0] if len(chosen) == 1 else None
        text = one.text if one else ""
        if text_in(self.text) != text:  # keeps the selection in it
            self.text.setPlainText(text)
        self._mark(self._page.query.words.split())
        several = words.chosen(len(chosen)) if chosen else tr("Select a dictation to read all of it.")
        self.text.setPlaceholderText(words.headline(one) if one else several)
        self._trouble.setText(translated(verbatim(one.error)) if one else "")
        self._trouble.setVisible(bool(one and one.error))
        original = one.original if one and text.strip() else ""
        shortened = textwrap.shorten(original, _ORIGINAL_CHARACTERS, placeholder="…")
        self.original.setText(tr("Corrected. It was: “{text}”").format(text=shortened))
        self.original.setVisible(bool(original))
        self.restore_button.setVisible(bool(original))
        self.copy_button.setEnabled(bool(text))
        self.insert_button.setEnabled(bool(text))
        self.correct_button.setEnabled(bool(text))
        is_cancelled = one is not None and one.state is EntryState.CANCELLED
        self.retry_button.setText(tr("&Restore") if is_cancelled else words.RETRY)
        is_over = one is not None and one.has_audio and one.state is not EntryState.RECORDING
        self.play_button.setEnabled(is_over)
        self.play_button.setText(tr("Stop p&laying") if self._is_playing() else words.PLAY)
        self.retry_button.setEnabled(is_over)
        self.star_button.setText(tr("Unst&ar") if self._are_starred() else words.STAR)
        self.star_button.setEnabled(bool(chosen))
        self.delete_button.setEnabled(bool(chosen))

    def show_history(self, page: HistoryPage) -> None:
        self._page = page
        self.show_chosen(self._chosen)

    def copy(self) -> None:
        if self.copy_button.isEnabled():
            self._history.copy(self._chosen[0])

    def insert(self) -> None:
        if self.insert_button.isEnabled():
            self._insert(self._chosen[0])

    def _is_playing(self) -> bool:
        return bool(self._page.played) and [entry.id for entry in self._chosen] == [self._page.played]

    def _play(self) -> None:
        if self._is_playing():
            self._history.stop_playing()
        else:
            self._history.play(self._chosen[0])

    def _mark(self, wanted: Sequence[str]) -> None:
        """Mark the ``wanted`` words."""
        text = text_in(self.text)
        marks = []
        for begin, end in hits(text, wanted):
            mark = QTextEdit.ExtraSelection()
            mark.cursor = QTextCursor(self.text.document())
            mark.cursor.setPosition(utf16_length(text[:begin]))
            mark.cursor.setPosition(utf16_length(text[:end]), QTextCursor.MoveMode.KeepAnchor)
            mark.format = found_format()
            marks.append(mark)
        self.text.setExtraSelections(marks)

    def _restore(self) -> None:
        one = self._chosen[0]
        self.text.setFocus(Qt.FocusReason.OtherFocusReason)  # the button disappears
        self._history.correct(one.text, one.original, one.id)

    def _star(self) -> None:
        self._history.star([entry.id for entry in self._chosen], is_starred=not self._are_starred())

    def _are_starred(self) -> bool:
        return bool(self._chosen) and all(entry.is_starred for entry in self._chosen)

    def _fill_retry_menu(self) -> None:
        retry, menu = partial(self._history.retry, self._chosen[0]), self.retry_menu
        menu.clear()
        menu.addAction(tr("As before"), retry)
        models = menu.addMenu(tr("With another &model"))
        for model in self._choices.models:
            models.addAction(strings.literal(model.title), partial(retry, model=model.name))
        languages = menu.addMenu(tr("In another &language"))
        languages.addAction(tr("Detect automatically"), partial(retry, language=""))
        for name in self._choices.languages:
            languages.addAction(strings.language_title(name), partial(retry, language=name))
