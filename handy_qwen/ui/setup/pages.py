"""The first step: a model that knows more than the demo's words. It is installed behind the other steps.

The cards are the Models window's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from handy_qwen.core.events import Request
from handy_qwen.core.models import ModelCommands, ModelList, ModelStatus
from handy_qwen.core.view import Commands, Meter, Phase, View
from handy_qwen.ui import strings
from handy_qwen.ui.setup import words
from handy_qwen.ui.setup.page import (
    LastText,
    Page,
    Progress,
    Verdict,
    is_demo,
    keep_space_when_hidden,
    missed,
    spoken_words,
)
from handy_qwen.ui.widgets import VOICE_DB, Card, Icon, MeterBar, SecondaryText, Text, Title, button
from handy_qwen.ui.window import GAP_PX, MARGIN_PX, SMALL_GAP_PX
from handy_qwen.ui.windows import model_words
from handy_qwen.ui.windows.models import ModelCard


class ModelPage(Page):
    """Choose one and have it installed, while the guide goes on."""

    def __init__(self, keeper: ModelCommands) -> None:
        super().__init__(words.MODEL, words.MODEL_TITLE, words.MODEL_LEAD)
        self._keeper = keeper
        self._cards: dict[str, ModelCard] = {}
        self._installing = ""  # how far an installation is
        self._empty, self.verdict = SecondaryText(model_words.LOOKING), Verdict()
        self._list = QVBoxLayout()
        self._list.setSpacing(GAP_PX)
        self._list.addWidget(self._empty)
        self._list.addStretch()
        self._build()

    @property
    def summary(self) -> str:
        """Which kind of model writes, or how far a better one is."""
        return words.MODEL_FULL if self.is_done else self._installing or words.MODEL_DEMO

    def enter(self) -> None:
        """Look which models there are."""
        super().enter()
        self._keeper.refresh()

    def first_focus(self) -> QWidget | None:
        """The button of the one that is recommended."""
        return next((card.primary for card in self._cards.values() if card.primary.isVisibleTo(card)), None)

    def show_shelf(self, shelf: ModelList) -> None:
        """Show the models that can be had or are here; the demo model is no choice."""
        entries = [entry for entry in shelf.entries if not entry.is_permanent]
        entries.sort(key=lambda one: (one.standing is not ModelStatus.INSTALLED, not one.is_recommended))
        self._empty.setVisible(not entries)
        for name in [name for name in self._cards if name not in {entry.name for entry in entries}]:
            self._cards.pop(name).deleteLater()
        self._cards = {one.name: self._cards.get(one.name) or self._new_card() for one in entries}
        for place, entry in enumerate(entries, start=1):  # below what stands there without any
            card = self._cards[entry.name]
            if self._list.indexOf(card) != place:
                self._list.insertWidget(place, card)
            card.show_entry(entry, shelf)
        former, self._installing = self._installing, _installation(shelf)
        if shelf.has_full_model:
            self.verdict.say(words.MODEL_HERE, "good")
            self.set_progress(Progress.DONE)
        else:
            self.verdict.say(words.MODEL_COMES if self._installing else "", "quiet")
            self.set_progress(Progress.SETTLED if self._installing else Progress.OPEN)
        if self._installing != former:
            self.progress_changed.emit()

    def _new_card(self) -> ModelCard:
        card = ModelCard(self._keeper)
        for one in card.findChildren(QPushButton):
            one.setAutoDefault(True)  # as all buttons of the guide
        return card

    def _build(self) -> None:
        self.body.addWidget(self.verdict)
        self.body.addLayout(self._list, 1)


def _installation(shelf: ModelList) -> str:
    """What is being done to install a model, and how much of it is done; empty if none is being installed."""
    for entry in shelf.entries:
        if entry.standing is ModelStatus.INSTALLING and entry.progress is not None:
            state = model_words.STAGES[entry.progress.stage].lower()
            share = entry.progress.share
            return state if share is None else f"{state}, {strings.percent(share)}"
    return ""


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
        self._task = SecondaryText()
        self.device, self.meter, self.heard = QComboBox(), MeterBar(meter), QLineEdit()
        self.record = button(words.LISTEN, self._on_record)
        self.record.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click must leave the cursor in the field
        self.voice, self.verdict = SecondaryText(), Verdict()  # nothing is announced into the microphone
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
            total, not_heard = len(spoken_words(words.SENTENCE)), missed(words.SENTENCE, text)
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
        card = Card()
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
            keep_space_when_hidden(verdict)
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


TEXT_HEIGHT_PX = 130


class DictationPage(Page):
    """Hold, speak, release. Only a text that was dictated counts, not one that was typed."""

    def __init__(self) -> None:
        super().__init__(words.DICTATION, words.DICTATION_TITLE, words.DICTATION_LEAD)
        self._keys = ""
        self._is_demo = True
        self._last = LastText()
        self._task = SecondaryText()
        self.field = QPlainTextEdit()
        self.field.setTabChangesFocus(True)
        self.field.setMinimumHeight(TEXT_HEIGHT_PX)
        self.field.textChanged.connect(self._on_text)
        self.clear = button(words.CLEAR, self._on_clear)
        self.clear.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.state, self.verdict = SecondaryText(), Verdict()
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


PLACE = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft


class AutostartPage(Page):
    """A check box."""

    def __init__(self, commands: Commands) -> None:
        super().__init__(words.AUTOSTART, words.AUTOSTART_TITLE, words.AUTOSTART_LEAD)
        self.box = QCheckBox(words.AT_LOGIN)
        self.box.clicked.connect(commands.use_autostart)
        card = Card()
        inside = QVBoxLayout(card)
        inside.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        inside.setSpacing(SMALL_GAP_PX)
        inside.addWidget(self.box)
        inside.addWidget(SecondaryText(words.AT_LOGIN_HINT))
        self.body.addWidget(card)
        self.body.addStretch()

    @property
    def summary(self) -> str:
        """Whether it is on."""
        return words.AT_LOGIN_ON if self.box.isChecked() else words.AT_LOGIN_OFF

    def enter(self) -> None:
        """There is nothing to try here: having seen it is enough."""
        super().enter()
        self._settle()

    def first_focus(self) -> QWidget:
        """The check box."""
        return self.box

    def show_view(self, view: View) -> None:
        """Show how it is."""
        super().show_view(view)
        self.box.setChecked(view.choices.is_autostarted)
        if self.progress is not Progress.OPEN:
            self._settle()

    def _settle(self) -> None:
        self.set_progress(Progress.DONE if self.box.isChecked() else Progress.SETTLED)


class DonePage(Page):
    """What works, and what has been left out, with a way back to it."""

    wanted = Signal(int)  # the step to go back to

    def __init__(self, steps: Sequence[Page]) -> None:
        super().__init__(words.DONE, words.DONE_TITLE, words.DONE_LEAD)
        self._steps = tuple(steps)
        self._rows = [Row(step.name) for step in self._steps]
        card = Card()
        grid = QGridLayout(card)
        grid.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        grid.setHorizontalSpacing(MARGIN_PX)
        grid.setVerticalSpacing(SMALL_GAP_PX)
        grid.setColumnStretch(3, 1)
        for place, row in enumerate(self._rows):
            row.again.clicked.connect(lambda _checked, place=place: self.wanted.emit(place))
            for sign in row.signs.values():
                grid.addWidget(sign, place, 0, PLACE)
            for column, part in enumerate((row.name, row.state, row.again), start=1):
                grid.addWidget(part, place, column, PLACE)
            grid.setRowMinimumHeight(place, row.again.sizeHint().height())
        self.body.addWidget(card)
        self.body.addWidget(SecondaryText(words.FIND_AGAIN))
        self.body.addStretch()

    def enter(self) -> None:
        """Look what has been done."""
        super().enter()
        self.show_progress()
        self.set_done()

    def show_progress(self) -> None:
        """Show how far the steps are now."""
        for step, row in zip(self._steps, self._rows, strict=True):
            row.show_state(step.summary, step.progress)
        is_open = any(step.progress is Progress.OPEN for step in self._steps)
        self.title.setText(words.DONE_TITLE_OPEN if is_open else words.DONE_TITLE)

    def show_view(self, view: View) -> None:
        """Name the hotkey."""
        super().show_view(view)
        keys = " / ".join(view.choices.hotkeys) or words.YOUR_HOTKEY
        self.lead.setText(words.DONE_LEAD.format(keys=keys))


class Row:
    """A step in the list of ``DonePage``."""

    def __init__(self, name: str) -> None:
        self.signs = {
            Progress.OPEN: Icon("mark-info", "quiet"),
            Progress.SETTLED: Icon("mark-dot", "quiet"),
            Progress.DONE: Icon("mark-good", "good"),
        }
        self.name, self.state = Text(name), SecondaryText()
        for label in (self.name, self.state):
            label.setWordWrap(False)
        self.again = button(words.TRY_AGAIN.replace("&", ""))
        self.again.setAccessibleName(f"{self.again.text()}: {name}")

    def show_state(self, summary: str, progress: Progress) -> None:
        """Say how far the step is."""
        for of, sign in self.signs.items():
            sign.setVisible(of is progress)
        self.again.setVisible(progress is Progress.OPEN)
        self.state.setText(summary)
