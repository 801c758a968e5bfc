"""What can be done with the dictations chosen, and the whole text of one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMenu, QPlainTextEdit, QVBoxLayout, QWidget

from handy_qwen.core.entries import Entry, State
from handy_qwen.core.past import PastKeeper
from handy_qwen.core.view import Choices
from handy_qwen.ui import strings
from handy_qwen.ui.windows import history_words as words
from handy_qwen.ui.windows.parts import Flow, Text, button
from handy_qwen.ui.windows.window import SMALL_GAP_PX


class Detail(QWidget):
    """Shows what is chosen. Lives on Qt's thread."""

    deleted = Signal()  # what is chosen is to be deleted
    wanted = Signal(object)  # the text of this Entry is to be inserted

    def __init__(self, keeper: PastKeeper) -> None:
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
        is_cancelled = one is not None and one.state is State.CANCELLED
        self.retry_button.setText(words.BRING_BACK if is_cancelled else words.RETRY)
        self.retry_button.setEnabled(one is not None and one.has_audio and one.state is not State.RECORDING)
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
        row = Flow(SMALL_GAP_PX)
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
