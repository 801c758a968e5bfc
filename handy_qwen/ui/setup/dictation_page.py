"""The fourth step: a text in a field, by the same way as into any other window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QWidget

from handy_qwen.core.view import Phase, View
from handy_qwen.ui import strings
from handy_qwen.ui.setup import words
from handy_qwen.ui.setup.page import LastText, Page, Verdict, is_demo, missed
from handy_qwen.ui.windows.parts import Quiet, Title, button
from handy_qwen.ui.windows.window import GAP_PX

FIELD_HEIGHT_PX = 130


class DictationPage(Page):
    """Hold, speak, release. Only a text that was dictated counts, not one that was typed."""

    def __init__(self) -> None:
        super().__init__(words.DICTATION, words.DICTATION_TITLE, words.DICTATION_LEAD)
        self._keys = ""
        self._is_demo = True
        self._last = LastText()
        self._task = Quiet()
        self.field = QPlainTextEdit()
        self.field.setTabChangesFocus(True)
        self.field.setMinimumHeight(FIELD_HEIGHT_PX)
        self.field.textChanged.connect(self._on_text)
        self.clear = button(words.CLEAR, self._on_clear)
        self.clear.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.state, self.verdict = Quiet(), Verdict()
        self._build()

    def enter(self) -> None:
        """From now on texts count."""
        super().enter()
        self._last.forget()

    def first_focus(self) -> QWidget:
        """The field."""
        return self.field

    def show_view(self, view: View) -> None:
        """Say what is going on."""
        super().show_view(view)
        self._is_demo = is_demo(view.choices)
        self._task.setText(words.SAY_EXACTLY if self._is_demo else words.READ_THIS)
        self._last.show_view(view)
        self._judge()
        keys = " / ".join(view.choices.hotkeys) or words.YOUR_HOTKEY
        if keys != self._keys:
            self._keys = keys
            self.lead.setText(words.DICTATION_LEAD.format(keys=keys))
            self.field.setPlaceholderText(words.FIELD_EMPTY.format(keys=keys))
        if view.phase is Phase.RECORDING:
            self.forgive()
            self.state.setText(words.LISTENING)
        elif view.phase is Phase.TRANSCRIBING:
            self.state.setText(strings.TRANSCRIBING)
        elif view.is_loading:
            self.state.setText(words.LOADING)
        else:
            self.state.setText(words.READY.format(keys=keys))

    def _on_text(self) -> None:
        if self.field.toPlainText().startswith(" "):  # it continues what came into this window before
            QTextCursor(self.field.document()).deleteChar()
            return
        self.clear.setEnabled(bool(self.field.toPlainText()))
        self._judge()

    def _judge(self) -> None:
        text = self.field.toPlainText()
        if not self._last.is_in(text):
            self.verdict.say("", "quiet")
        elif self._is_demo and missed(words.SENTENCE, text):
            self.verdict.say(words.DEMO_MISHEARD, "problem")
        else:
            self.verdict.say(words.DICTATION_WORKS, "good")
            self.set_done()

    def _on_clear(self) -> None:
        self.field.clear()
        self.field.setFocus()

    def _build(self) -> None:
        label = QLabel(words.FIELD)
        label.setBuddy(self.field)
        foot = QHBoxLayout()
        foot.setSpacing(GAP_PX)
        foot.addWidget(self.state, 1)
        foot.addWidget(self.clear)
        self.clear.setEnabled(False)
        self.body.addWidget(self._task)
        self.body.addWidget(Title(words.SENTENCE, scale=1.35))
        self.body.addWidget(label)
        self.body.addWidget(self.field, 1)
        self.body.addLayout(foot)
        self.body.addWidget(self.verdict)
