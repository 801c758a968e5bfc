"""The second step: is the right microphone chosen, does the voice arrive, is it understood?

The sentence goes the whole way, through the model and into the field below it, as every text does.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from handy_qwen.core.events import Request
from handy_qwen.core.view import Commands, Meter, Phase, View
from handy_qwen.ui.setup import words
from handy_qwen.ui.setup.meter_bar import VOICE_DB, MeterBar
from handy_qwen.ui.setup.page import LastText, Page, Verdict, is_demo, missed, retain, spoken
from handy_qwen.ui.windows.parts import Panel, Quiet, Title, button
from handy_qwen.ui.windows.window import GAP_PX, MARGIN_PX, SMALL_GAP_PX

FIELD_HEIGHT_PX = 34
Ask = Callable[[Request], None]


class MicrophonePage(Page):
    """Choose, listen, read, compare. Only what was heard counts, not what was typed."""

    def __init__(self, ask: Ask, commands: Commands, meter: Meter) -> None:
        super().__init__(words.MICROPHONE, words.MICROPHONE_TITLE, words.MICROPHONE_LEAD)
        self._ask = ask
        self._commands = commands
        self._view = View()
        self._devices: tuple[str, ...] | None = None
        self._last = LastText()
        self._task = Quiet()
        self.device, self.meter, self.heard = QComboBox(), MeterBar(meter), QLineEdit()
        self.record = button(words.LISTEN, self._on_record)
        self.record.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click must leave the cursor in the field
        self.voice, self.verdict = Quiet(), Verdict()  # nothing is announced into the microphone
        # Microphones have long names, which are to make no window wide.
        self.device.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.device.currentTextChanged.connect(self.device.setToolTip)
        self.device.activated.connect(self._on_device)
        self.heard.setPlaceholderText(words.HEARD_EMPTY)
        self.heard.textChanged.connect(self._on_text)
        self._build()

    def enter(self) -> None:
        """Look which microphones there are."""
        super().enter()
        self._commands.refresh_choices()

    def leave(self) -> None:
        """Nothing is recorded behind the user's back."""
        self.meter.run(False)
        if self._view.phase is Phase.RECORDING:
            self._ask(Request.CANCEL)

    def first_focus(self) -> QWidget:
        """The button, so that Space begins."""
        return self.record

    def primary(self) -> QPushButton | None:
        """Listen or Stop, until every word was understood."""
        return None if self._is_fine() else self.record

    def show_view(self, view: View) -> None:
        """Show the devices, and what comes of the recording."""
        super().show_view(view)
        self._view = view
        is_recording = view.phase is Phase.RECORDING
        self.record.setText(words.STOP if is_recording else words.LISTEN)
        self._task.setText(words.SAY_EXACTLY if is_demo(view.choices) else words.READ_THIS)
        self._last.show_view(view)
        self._judge()
        self.meter.run(is_recording and self.isVisible())
        if is_recording:
            self.voice.setText(words.LOUD_ENOUGH if self._is_loud else words.TOO_QUIET)
        self.voice.setVisible(self.trouble.isHidden() if is_recording else self._is_loud)
        self._show_devices(view.choices.microphones, view.choices.microphone)

    @property
    def _is_loud(self) -> bool:
        return self.meter.loudest_db > VOICE_DB

    def _show_devices(self, names: tuple[str, ...], chosen: str) -> None:
        if names != self._devices:
            self._devices = names
            self.device.clear()
            self.device.addItem(words.DEFAULT_DEVICE, "")
            for name in names:
                self.device.addItem(name, name)
        self.device.setCurrentIndex(max(0, self.device.findData(chosen)))

    def _on_device(self, place: int) -> None:
        self._commands.use_microphone(self.device.itemData(place))

    def _on_record(self) -> None:
        self.heard.setFocus()
        if self._view.phase is Phase.RECORDING:
            self._ask(Request.STOP)
            return
        self.forgive()
        self._last.forget()
        self.heard.clear()
        self._ask(Request.START)

    def _is_fine(self) -> bool:
        """Whether there is nothing left to do here but to go on."""
        return self.verdict.words in {words.HEARD_WELL, words.HEARD_OWN} and (
            self._view.phase is not Phase.RECORDING
        )

    def _on_text(self, text: str) -> None:
        if text != text.lstrip():  # a second try in one window continues the first
            self.heard.setText(text.lstrip())
            return
        self._judge()

    def _judge(self) -> None:
        """Compare what was heard with the sentence; the user's own words only the user can judge."""
        text = self.heard.text()
        if not self._last.is_in(text):
            self.verdict.say("", "quiet")
        else:
            total, not_heard = len(spoken(words.SENTENCE)), missed(words.SENTENCE, text)
            right = total - len(not_heard)
            if not not_heard:
                self.verdict.say(words.HEARD_WELL, "good")
            elif right * 2 < total and not is_demo(self._view.choices):
                self.verdict.say(words.HEARD_OWN, "good")
            elif right:
                missing = ", ".join(not_heard)
                self.verdict.say(
                    words.HEARD_PARTLY.format(right=right, total=total, missed=missing), "problem"
                )
            else:
                self.verdict.say(words.HEARD_NOTHING, "problem")
        if self._is_fine():
            self.set_done()
        self.progress_changed.emit()  # what Enter does may have changed

    def _build(self) -> None:
        choice = QHBoxLayout()
        choice.setSpacing(GAP_PX)
        label = QLabel(words.DEVICE)
        label.setBuddy(self.device)
        choice.addWidget(label)
        choice.addWidget(self.device, 1)
        card = Panel()
        inside = QVBoxLayout(card)
        inside.setContentsMargins(MARGIN_PX, GAP_PX, MARGIN_PX, MARGIN_PX)
        inside.setSpacing(SMALL_GAP_PX)
        inside.addWidget(self._task)
        inside.addWidget(Title(words.SENTENCE, scale=1.35))
        inside.addSpacing(SMALL_GAP_PX)
        line = QHBoxLayout()
        line.setSpacing(GAP_PX)
        line.addWidget(self.record)
        line.addWidget(self.meter, 1)
        inside.addLayout(line)
        inside.addWidget(self.voice)
        heard = QLabel(words.HEARD)
        heard.setBuddy(self.heard)
        self.heard.setMinimumHeight(FIELD_HEIGHT_PX)
        for verdict in (self.voice, self.verdict):
            retain(verdict)
        answer = QVBoxLayout()
        answer.setSpacing(SMALL_GAP_PX)
        for part in (heard, self.heard, self.verdict):
            answer.addWidget(part)
        self.body.addLayout(choice)
        self.body.addWidget(card)
        self.body.addLayout(answer)
        self.body.addStretch()
        QWidget.setTabOrder(self.device, self.record)
        QWidget.setTabOrder(self.record, self.heard)
