"""Corrects a text, and lets the program learn what the user chooses from it."""

from __future__ import annotations

import enum
from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QContextMenuEvent, QTextCursor
from PySide6.QtWidgets import QComboBox, QPlainTextEdit, QVBoxLayout, QWidget

from handy_qwen.core.corrections import MOST_CHARACTERS, Change, Correction, changes
from handy_qwen.core.orthography import STOPS
from handy_qwen.core.view import HistoryCommands, View
from handy_qwen.core.vocabulary import VocabularyCommands, VocabularyPage
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import SMALL_GAP_PX
from handy_qwen.ui.layouts import row as in_row
from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import Button, Card, Outcome, SecondaryText, Text, labelled, text_in
from handy_qwen.ui.window import AppWindow
from handy_qwen.ui.windows import history_words as words

_TYPING_MS = 150  # of pause before changes are searched
_MOST_CHANGES = 12  # that are shown
_MOST_WORDS = 4  # of a name
_NO_CHANGES = tr("No word is changed yet.")


class TextToCorrect(QPlainTextEdit):
    """A read-only text, in which words can be selected by keyboard as well."""

    correction_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        keys, mouse = (
            Qt.TextInteractionFlag.TextSelectableByKeyboard,
            Qt.TextInteractionFlag.TextSelectableByMouse,
        )
        self.setTextInteractionFlags(keys | mouse)
        self.setTabChangesFocus(True)

    def selected(self) -> str:
        """The selected words, or else the one at the cursor, without surrounding punctuation."""
        cursor = self.textCursor()
        if not cursor.hasSelection():
            cursor.select(QTextCursor.SelectionType.WordUnderCursor)
        return " ".join(cursor.selectedText().replace("\u2029", "\n").split()).strip(STOPS + " ")

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802  the name is Qt's
        """Offer to correct the selection, or else the word under the mouse. Called by Qt."""
        if not self.textCursor().hasSelection() and event.reason() is QContextMenuEvent.Reason.Mouse:
            self.setTextCursor(self.cursorForPosition(event.pos()))
        menu = self.createStandardContextMenu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addSeparator()
        correct = menu.addAction(words.CORRECT)
        correct.setEnabled(bool(text_in(self)))
        correct.triggered.connect(self.correction_asked)
        menu.popup(event.globalPos())


class CorrectionWindow(AppWindow):
    """A text to correct, and what to learn from each change. Created and used on Qt's thread."""

    def __init__(self, vocabulary: VocabularyCommands, history: HistoryCommands) -> None:
        super().__init__("correction", tr("Correct and add"), QSize(560, 480))
        self._vocabulary, self._history = vocabulary, history
        self._last = self._before = ""  # the last dictation; the original of the text to correct
        self._number = 0  # its entry in the history, if that is known
        self._is_private = False  # the last dictation may not be in the history
        self._kept: tuple[str, str] | None = None  # the text before and after the last command
        self._is_learning = self._is_learned = False  # a learned item is to be reported here; to be undone
        self.text = QPlainTextEdit()
        self.text.setTabChangesFocus(True)
        self.text.setPlaceholderText(tr("Nothing was dictated yet."))
        self.rows: list[ChangeRow] = []
        self._changes, self._list = Card(), QVBoxLayout()
        self._none, self.told = SecondaryText(_NO_CHANGES), Outcome(tr("&Undo"))
        self._changes.body.addWidget(self._none)
        self._changes.body.addLayout(self._list)
        label = labelled(tr("&Text"), self.text)
        self.body.addWidget(
            SecondaryText(
                tr(
                    "Correct the text, and choose what to learn from each change. Nothing is learned by "
                    "itself. The corrected text is in History; it is not inserted again."
                )
            )
        )
        self.body.addWidget(label)
        self.body.addWidget(self.text, 1)
        self.body.addWidget(Text(tr("Changes"), is_bold=True))
        self.body.addWidget(self._changes)
        self.body.addWidget(self.told)
        self.add_button = Button(tr("&Save"), self._learn)
        self.add_button.setDefault(True)
        self.buttons.addWidget(self.add_button)
        self._typing = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._typing.timeout.connect(self._compare)
        self.text.textChanged.connect(self._typing.start)
        self.told.undo_button.clicked.connect(lambda _checked: self._undo())
        self.hidden.connect(lambda: self.told.say(""))
        self._compare()

    def show_view(self, view: View) -> None:
        """Store the last text, and whether the history is paused."""
        self._last, self._is_private = view.recent[0] if view.recent else "", view.choices.is_private

    def show_vocabulary(self, page: VocabularyPage) -> None:
        """Show the outcome of this window's last command."""
        if self._is_learning:
            self._is_learning = False
            told = page.told
            self.told.say(told.title, told.hint, is_problem=told.is_problem, can_undo=page.can_undo)

    def present(self) -> None:
        """Show the window, with the last text unless one is being corrected."""
        if not self.isVisible() or text_in(self.text) == self._before:
            self.correct(self._last)
        super().present()

    def correct(self, text: str, selected: str = "", number: int = 0) -> None:
        """Show ``text`` of the entry ``number``, with the first ``selected`` in it marked."""
        self._before, self._number, self._kept = text, number, None
        self.text.setPlainText(text)
        cursor = self.text.textCursor()
        if selected and not (found := self.text.document().find(selected)).isNull():
            cursor = found
        self.text.setTextCursor(cursor)
        self._compare()

    def first_focus(self) -> QWidget | None:
        """The text."""
        return self.text

    def _compare(self) -> None:
        """Show the changes; existing ones keep their choice."""
        self._typing.stop()
        text = text_in(self.text)
        found = changes(self._before, text)
        chosen = {row.change: row.kind for row in self.rows}
        for row in self.rows:
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = [ChangeRow(one, chosen.get(one), self._update) for one in found[:_MOST_CHANGES]]
        for row in self.rows:
            self._list.addWidget(row)
        left = len(found) - len(self.rows)
        is_too_long = max(len(self._before), len(text)) > MOST_CHARACTERS
        none = _NO_CHANGES
        if left:
            none = tr("And {count} more. Correct less at a time to see them.").format(
                count=strings.whole(left)
            )
        elif is_too_long:
            none = tr("This text is too long to look for changes. Add its words under Settings → Vocabulary.")
        self._none.setText(none)
        self._none.setVisible(left > 0 or not found)
        self._update()
        self.order_tabs()

    def _update(self) -> None:
        text = text_in(self.text)
        self.add_button.setEnabled(bool(self._before and text.strip()) and text != self._before)

    def _learn(self) -> None:
        """Store the text, and learn what was chosen; further changes are compared with the new text."""
        if self._typing.isActive():
            self._compare()
        if not self.add_button.isEnabled():
            return
        wanted = [row for row in self.rows if row.kind is not Kind.NOTHING]
        self._kept = self._before, text_in(self.text)
        self._before = text_in(self.text)
        self._history.correct(*self._kept, self._number)
        self._is_learning = self._is_learned = bool(wanted)
        if wanted:
            self._vocabulary.learn(
                [Correction(row.change.heard, row.change.written, row.kind is Kind.WORD) for row in wanted]
            )
        else:
            is_kept = self._number or not self._is_private
            self.told.say(
                tr("The corrected text is in History.") if is_kept else strings.HISTORY_PAUSED, can_undo=True
            )
        self._compare()
        self.text.setFocus(Qt.FocusReason.OtherFocusReason)

    def _undo(self) -> None:
        """Undo the last command."""
        self.text.setFocus(Qt.FocusReason.OtherFocusReason)
        if self._kept is not None:
            before, after = self._kept
            self._kept, self._before = None, before
            self._history.correct(after, before, self._number)
            self._compare()
        if self._is_learned:
            self._is_learning, self._is_learned = True, False
            self._vocabulary.undo()
        else:
            self.told.say(tr("Undone."))


class Kind(enum.Enum):
    """What is learned from a change."""

    WORD = enum.auto()
    REPLACEMENT = enum.auto()
    NOTHING = enum.auto()


_KINDS = {
    Kind.WORD: tr("Word for the model"),
    Kind.REPLACEMENT: tr("Replacement"),
    Kind.NOTHING: tr("Learn nothing"),
}


class ChangeRow(QWidget):
    """One change. A short one is offered as a word; insertions and deletions only on request."""

    def __init__(self, change: Change, kind: Kind | None, on_chosen: Callable[[], None]) -> None:
        super().__init__()
        self.change = change
        said = _said(change)
        self.choice = QComboBox()
        for one, title in _KINDS.items():
            is_possible = change.written if one is Kind.WORD else change.heard or one is Kind.NOTHING
            if is_possible:
                self.choice.addItem(title, one)
        self.choice.setAccessibleName(tr("What to learn from {change}").format(change=said))
        is_name = bool(change.heard) and bool(change.written) and len(change.written.split()) <= _MOST_WORDS
        usual = Kind.WORD if is_name else Kind.NOTHING
        self.choice.setCurrentIndex(self.choice.findData(kind or usual))
        self.choice.currentIndexChanged.connect(lambda _place: self._explain(on_chosen))
        in_row((Text(said), 1), self.choice, gap_px=SMALL_GAP_PX, parent=self)
        self._explain(lambda: None)

    @property
    def kind(self) -> Kind:
        """What is chosen."""
        return Kind(self.choice.currentData())

    def _explain(self, then: Callable[[], None]) -> None:
        tips = {
            Kind.WORD: tr("The model will expect this word, spelled this way."),
            Kind.REPLACEMENT: tr("Replaces what was heard, every time."),
        }
        tip = tips.get(self.kind, "")
        self.choice.setToolTip(tip)
        self.choice.setAccessibleDescription(tip)
        then()


def _said(change: Change) -> str:
    """A change in words."""
    if not change.heard:
        return tr("new: “{written}”").format(written=change.written)
    form = tr("“{heard}” → “{written}”") if change.written else tr("gone: “{heard}”")
    return form.format(heard=change.heard, written=change.written)
