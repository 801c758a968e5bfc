"""A word that came out wrong, in a text of the history: what it should be, next time."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QTextCursor
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLineEdit, QPlainTextEdit, QRadioButton, QWidget

from handy_qwen.core.orthography import STOPS
from handy_qwen.ui.layouts import MARGIN_PX, SMALL_GAP_PX, column, form
from handy_qwen.ui.widgets import SecondaryText, labelled
from handy_qwen.ui.windows import history_words as words

_WIDTH_CHARACTERS = 30


class TextToCorrect(QPlainTextEdit):
    """A text to read, of which words can be selected by keys as well."""

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
        """The words selected, or else the one at the cursor, without the punctuation around them."""
        cursor = self.textCursor()
        if not cursor.hasSelection():
            cursor.select(QTextCursor.SelectionType.WordUnderCursor)
        return " ".join(cursor.selectedText().replace("\u2029", "\n").split()).strip(STOPS + " ")

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802  the name is Qt's
        """Offer to correct what is selected, or else the word under the mouse. Called by Qt."""
        if not self.textCursor().hasSelection() and event.reason() is QContextMenuEvent.Reason.Mouse:
            self.setTextCursor(self.cursorForPosition(event.pos()))
        menu = self.createStandardContextMenu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addSeparator()
        correct = menu.addAction(words.CORRECT)
        correct.setEnabled(bool(self.toPlainText()))
        correct.triggered.connect(self.correction_asked)
        menu.popup(event.globalPos())


class CorrectionDialog(QDialog):
    """Asks what to write instead, and whether the model should know it or it should be replaced.

    Args:
        parent: A widget of the window.
        heard: What came out.
        add: What came out, what to write, and whether that is a word for the model.
    """

    def __init__(self, parent: QWidget, heard: str, add: Callable[[str, str, bool], None]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(words.CORRECTION)
        self.heard, self.written = QLineEdit(heard), QLineEdit(heard)
        self.as_word, self.as_replacement = QRadioButton(words.AS_WORD), QRadioButton(words.AS_REPLACEMENT)
        self._meaning = SecondaryText()
        fields = form()
        for line, (title, field) in enumerate(((words.HEARD, self.heard), (words.WRITE, self.written))):
            fields.addWidget(labelled(title, field), line, 0)
            fields.addWidget(field, line, 1)
            field.textChanged.connect(self._update)
        buttons = QDialogButtonBox()
        self.add_button = buttons.addButton(words.ADD, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(words.LEAVE, QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.add_button.setDefault(True)
        self.accepted.connect(lambda: add(self.heard.text(), self.written.text(), self.as_word.isChecked()))
        self.as_word.setChecked(True)
        self.as_word.toggled.connect(self._update)
        choice = column(self.as_word, self.as_replacement, self._meaning, gap_px=SMALL_GAP_PX)
        whole = column(fields, choice, buttons, parent=self)
        whole.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        self.written.setMinimumWidth(_WIDTH_CHARACTERS * self.fontMetrics().averageCharWidth())
        self._update()
        width_px = self.sizeHint().width()
        self.resize(width_px, whole.totalHeightForWidth(width_px))  # a dialog does not ask what wraps
        self.written.setFocus()
        self.written.selectAll()

    def _update(self) -> None:
        heard, written, is_word = self.heard.text(), self.written.text(), self.as_word.isChecked()
        self._meaning.setText(words.WORD_MEANS if is_word else words.REPLACEMENT_MEANS)
        may_add = bool(written.strip()) if is_word else bool(heard.strip()) and heard != written
        self.add_button.setEnabled(may_add)
