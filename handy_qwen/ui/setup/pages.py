"""The steps of the guide: model, microphone, hotkey, first text, start at login, and what of it works."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QWidget,
)

from handy_qwen.core.events import Request
from handy_qwen.core.models import ModelCommands, ModelList, ModelStatus
from handy_qwen.core.types import Mode
from handy_qwen.core.view import VOICE_DB, Choices, Commands, Meter, Phase, View, Window
from handy_qwen.errors import HandyError
from handy_qwen.ui import strings
from handy_qwen.ui.key_cap import KeyCap
from handy_qwen.ui.key_recorder import is_menu_key
from handy_qwen.ui.layouts import GAP_PX, MARGIN_PX, SMALL_GAP_PX, FlowLayout, column, row
from handy_qwen.ui.own_key import OwnKeyOffer
from handy_qwen.ui.setup import words
from handy_qwen.ui.setup.page import (
    Page,
    Progress,
    is_demo,
    keep_space_when_hidden,
    missed,
    spoken_words,
)
from handy_qwen.ui.setup.typing import TypingPermission
from handy_qwen.ui.translation import translated
from handy_qwen.ui.widgets import (
    Button,
    Card,
    Icon,
    Message,
    MeterBar,
    SecondaryText,
    Text,
    Title,
    labelled,
    text_in,
)
from handy_qwen.ui.windows import model_words
from handy_qwen.ui.windows.models import ModelCards

Ask = Callable[[Request], None]
_FIELD_PX, _TEXT_PX = 34, 130  # heights
PROGRESS_ICONS = {
    Progress.OPEN: ("mark-info", "quiet"),
    Progress.SETTLED: ("mark-dot", "quiet"),
    Progress.DONE: ("mark-good", "good"),
}


class ModelPage(Page):
    """Choose a model that knows more than the demo's words, which is installed behind the other steps."""

    def __init__(self, models: ModelCommands, commands: Commands) -> None:
        super().__init__(words.MODEL, words.MODEL_TITLE, words.MODEL_LEAD)
        self._commands = models
        self._installing = ""  # how far an installation is
        self.cards, self.verdict = ModelCards(models), Message()
        self.more = Button(words.MORE_MODELS, lambda: commands.open_window(Window.MODELS))
        self.fill(self.verdict, self.cards, FlowLayout(self.more), None)

    @property
    def summary(self) -> str:
        """Which kind of model transcribes, or how far a better one is."""
        return words.MODEL_FULL if self.is_done else self._installing or words.MODEL_DEMO

    def enter(self) -> None:
        """Look which models there are."""
        super().enter()
        self._commands.refresh()

    def first_focus(self) -> QWidget | None:
        """The button of the recommended model."""
        return self.cards.first_button()

    def show_models(self, models: ModelList) -> None:
        """Show the full models of the makers, and what is here; the demo model is no choice."""
        here = {ModelStatus.INSTALLED, ModelStatus.INSTALLING}
        entries = [
            one for one in models.entries if not one.is_permanent and (not one.is_other or one.status in here)
        ]
        entries.sort(key=lambda one: (one.status is not ModelStatus.INSTALLED, not one.is_recommended))
        self.cards.show_models(models, entries)
        former, self._installing = self._installing, model_words.installation(models)[1].lower()
        if models.has_full_model:
            self.verdict.say(words.MODEL_HERE, "good")
            self.set_progress(Progress.DONE)
        else:
            self.verdict.say(words.MODEL_COMES if self._installing else "", "quiet")
            self.set_progress(Progress.SETTLED if self._installing else Progress.OPEN)
        if self._installing != former:
            self.progress_changed.emit()


class ReadingPage(Page):
    """A page with a sentence to read aloud. Only a text that was dictated counts, not what was typed."""

    def __init__(self, name: str, title: str, lead: str) -> None:
        super().__init__(name, title, lead)
        self.task, self.sentence = SecondaryText(), Title(words.DEMO_SENTENCE, scale=1.35)
        self.verdict = Message()
        self._is_demo = True
        self._last_text = ""
        self._has_dictated = False  # since the page came up, or Listen was pressed

    def show_view(self, view: View) -> None:
        """Say which words will do, and judge what was dictated."""
        super().show_view(view)
        self._is_demo = is_demo(view.choices)
        self.task.setText(words.SAY_EXACTLY if self._is_demo else words.READ_THIS)
        self.sentence.setText(words.DEMO_SENTENCE if self._is_demo else words.SENTENCE)
        self._last_text = view.recent[0] if view.recent else ""
        self._has_dictated = self._has_dictated or view.phase is Phase.TRANSCRIBING
        self._judge()

    def _judge(self) -> None:
        raise NotImplementedError

    def _is_dictated(self, text: str) -> bool:
        return self._has_dictated and bool(self._last_text) and self._last_text in text


class MicrophonePage(ReadingPage):
    """Choose a microphone, listen, read aloud, compare.

    The sentence goes the whole way, through the model and into the field, as every text does.
    """

    def __init__(self, ask: Ask, commands: Commands, meter: Meter) -> None:
        super().__init__(words.MICROPHONE, words.MICROPHONE_TITLE, words.MICROPHONE_LEAD)
        self._ask, self._commands = ask, commands
        self._view = View()
        self._devices: object = None
        self.device, self.meter, self.heard = QComboBox(), MeterBar(meter), QLineEdit()
        self.record = Button(words.LISTEN, self._on_record)
        self.record.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click must leave the cursor in the field
        self.voice = SecondaryText()  # nothing is announced into the microphone
        # Microphones have long names, which must not make the window wide.
        self.device.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.device.currentTextChanged.connect(self.device.setToolTip)
        self.device.activated.connect(lambda place: commands.use_microphone(self.device.itemData(place)))
        self.heard.setPlaceholderText(words.HEARD_EMPTY)
        self.heard.setMinimumHeight(_FIELD_PX)
        self.heard.textChanged.connect(self._on_text)
        keep_space_when_hidden(self.voice, self.verdict)
        self.fill(
            row(labelled(words.DEVICE, self.device), (self.device, 1)),
            Card(self.task, self.sentence, SMALL_GAP_PX, row(self.record, (self.meter, 1)), self.voice),
            column(labelled(words.HEARD, self.heard), self.heard, self.verdict, gap_px=SMALL_GAP_PX),
            None,
        )

    def enter(self) -> None:
        """Look which microphones there are."""
        super().enter()
        self._commands.refresh_choices()

    def leave(self) -> None:
        """Record nothing behind the user's back."""
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
        self._view = view
        super().show_view(view)
        is_recording = view.phase is Phase.RECORDING
        self.record.setText(words.STOP if is_recording else words.LISTEN)
        self.meter.run(is_recording and self.isVisible())
        is_loud = self.meter.loudest_db > VOICE_DB
        if is_recording:
            self.voice.setText(words.LOUD_ENOUGH if is_loud else words.TOO_QUIET)
        self.voice.setVisible(self.trouble.isHidden() if is_recording else is_loud)
        self._show_devices(view.choices)

    def _show_devices(self, choices: Choices) -> None:
        devices = strings.microphones(choices)
        if devices != self._devices:
            self._devices = devices
            self.device.clear()
            for name, title in devices:
                self.device.addItem(strings.without_letter(title), name)
        self.device.setCurrentIndex(self.device.findData(choices.microphone))

    def _on_record(self) -> None:
        self.heard.setFocus()
        if self._view.phase is Phase.RECORDING:
            self._ask(Request.STOP)
            return
        self.dismiss_notices()
        self._has_dictated = False
        self.heard.clear()
        self._ask(Request.START)

    def _is_fine(self) -> bool:
        """Whether there is nothing left to do here but to go on."""
        is_understood = self.verdict.words in {words.HEARD_WELL, words.HEARD_OWN}
        return is_understood and self._view.phase is not Phase.RECORDING

    def _on_text(self, text: str) -> None:
        if text != text.lstrip():  # a second try in one window continues the first
            self.heard.setText(text.lstrip())
        else:
            self._judge()

    def _judge(self) -> None:
        text = self.heard.text()
        self.verdict.say(*self._verdict(text) if self._is_dictated(text) else ("", "quiet"))
        if self._is_fine():
            self.set_progress(Progress.DONE)
        self.progress_changed.emit()  # what Enter does may have changed

    def _verdict(self, text: str) -> tuple[str, str]:
        """How much of the sentence was heard; the user's own words only the user can judge."""
        sentence = self.sentence.text()
        total, not_heard = len(spoken_words(sentence)), missed(sentence, text)
        right = total - len(not_heard)
        if not not_heard:
            return words.HEARD_WELL, "good"
        if right * 2 < total and not self._is_demo:
            return words.HEARD_OWN, "good"
        if right:
            said = words.HEARD_PARTLY.format(right=right, total=total, missed=", ".join(not_heard))
            return said, "problem"
        return words.HEARD_NOTHING, "problem"


class HotkeyPage(Page):
    """Press the hotkey, or choose another one.

    It is the real one, heard by the program's own listener; while the page is up it records nothing.
    """

    _was_refused = Signal(object)  # HandyError; from another thread

    def __init__(self, ask: Ask, commands: Commands) -> None:
        super().__init__(words.HOTKEY, words.HOTKEY_TITLE, words.HOTKEY_LEAD)
        self._ask, self._commands = ask, commands
        self._is_up = False  # the page
        self._choices = Choices()
        self._is_assigned = False  # by the desktop, which alone can change it
        self._has_menu_key = False  # chosen just now
        self.cap, self.hint, self.objection = KeyCap(commands), Message(), Message()
        self.cap.captured.connect(self._on_captured)
        self.cap.refused.connect(lambda: self.hint.say(words.NOT_A_HOTKEY, "problem"))
        self.cap.failed.connect(self._on_refused)
        self.cap.capture_ended.connect(self._on_capture_ended)
        self.own_key = OwnKeyOffer(commands)
        self.change = Button(words.CHANGE, self._on_change)
        self.change.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._was_refused.connect(self._on_refused, Qt.ConnectionType.QueuedConnection)
        keys = (GAP_PX, row(None, self.cap, None), SMALL_GAP_PX, row(None, self.change, None), GAP_PX)
        self.fill(Card(*keys, gap_px=GAP_PX), self.own_key, self.hint, self.objection, None)

    def enter(self) -> None:
        """From now on the hotkey is only shown."""
        super().enter()
        self._is_up = True
        self._begin_again()
        self._ask(Request.REHEARSE)

    def leave(self) -> None:
        """From now on it dictates again."""
        self.cap.stop_capture()
        if self._is_up:
            self._is_up = False
            self._ask(Request.PERFORM)

    def first_focus(self) -> QWidget:
        """The button that chooses another key."""
        return self.change

    def show_view(self, view: View) -> None:
        """Light up while the key is held."""
        super().show_view(view)
        before, self._choices = self._choices.hotkeys, view.choices
        keys = view.choices.hotkeys
        if keys != before:
            has_menu_key = self._has_menu_key
            self._begin_again()
            if has_menu_key and keys:
                self.objection.say(words.MENU_KEY.format(keys=keys[0]), hint=words.MENU_KEY_HINT)
            if before:
                self.set_progress(Progress.OPEN)  # the new one has not been tried
        is_down = view.is_key_down and self._is_up
        self._look(is_down)
        self._is_assigned = view.desktop_keys is not None
        self.own_key.show_view(view)
        self.change.setVisible(view.key_offer is None)
        if not self.cap.is_capturing:
            self.change.setText(words.CONFIGURE if self._is_assigned else words.CHANGE)
        shown = keys if view.desktop_keys is None else view.desktop_keys
        self.cap.say((shown[0] if shown else "") or words.NO_HOTKEY, is_lit=is_down)

    def _look(self, is_down: bool) -> None:
        if is_down:
            self.dismiss_notices()
            self.hint.say(words.PRESSED, "good")
        elif self.cap.is_lit and self.hint.words == words.PRESSED:
            self.hint.say(words.HOTKEY_WORKS[Mode(self._choices.mode)], "good")
            self.set_progress(Progress.DONE)

    def _begin_again(self) -> None:
        self.hint.say(words.NOT_SEEN, "quiet", is_silent=True)
        self.objection.say("")
        self._has_menu_key = False

    def _on_change(self) -> None:
        if self._is_assigned:
            self._commands.configure_hotkeys(None)
            return
        if self.cap.is_capturing:
            self.cap.stop_capture()
            return
        self.dismiss_notices()
        self._begin_again()
        self.hint.say(words.CAPTURE_HINT, "text")
        self.change.setText(words.KEEP)
        self.cap.capture()

    def _on_captured(self, chord: str) -> None:
        self._has_menu_key = is_menu_key(chord)
        self._commands.use_hotkey(chord, self._was_refused.emit)

    def _on_refused(self, error: HandyError) -> None:
        """The key stays as it is. Said until another one is chosen."""
        self._has_menu_key = False
        self.objection.say(translated(error.title), hint=translated(error.hint))

    def _on_capture_ended(self) -> None:
        if self.cap.hasFocus():
            self.change.setFocus()
        self.change.setText(words.CHANGE)
        self.hint.say(words.NOT_SEEN, "quiet", is_silent=True)


class DictationPage(ReadingPage):
    """Dictate into a field, as into any other window."""

    def __init__(self, commands: Commands) -> None:
        super().__init__(words.DICTATION, words.DICTATION_TITLE, words.DICTATION_LEAD)
        self.typing = TypingPermission(commands)
        self.state, self.field = SecondaryText(), QPlainTextEdit()
        self.field.setTabChangesFocus(True)
        self.field.setPlaceholderText(words.FIELD_EMPTY)
        self.field.setMinimumHeight(_TEXT_PX)
        self.field.textChanged.connect(self._on_text)
        self.clear = Button(words.CLEAR, self._on_clear)
        self.clear.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.clear.setEnabled(False)
        self.fill(
            self.typing,
            self.task,
            self.sentence,
            labelled(words.FIELD, self.field),
            (self.field, 1),
            row((self.state, 1), self.clear),
            self.verdict,
        )

    def enter(self) -> None:
        """From now on texts count."""
        super().enter()
        self._has_dictated = False

    def first_focus(self) -> QWidget:
        """The field."""
        return self.field

    def show_view(self, view: View) -> None:
        """Say what is going on."""
        super().show_view(view)
        self.typing.show_view(view)
        how = strings.how_to_dictate(view.choices)
        self.lead.setText(f"{how} {words.DICTATION_LEAD}".strip())
        if view.phase is Phase.RECORDING:
            self.dismiss_notices()
            is_tapped = view.is_locked or view.choices.mode == Mode.TOGGLE
            self.state.setText(words.PRESS_AGAIN if is_tapped else words.RELEASE)
        elif view.phase is Phase.TRANSCRIBING:
            self.state.setText(strings.TRANSCRIBING)
        else:
            self.state.setText(words.LOADING if view.is_loading else how)

    def _on_text(self) -> None:
        if self.field.toPlainText().startswith(" "):  # it continues what came into this window before
            QTextCursor(self.field.document()).deleteChar()
            return
        self.clear.setEnabled(bool(self.field.toPlainText()))
        self._judge()

    def _judge(self) -> None:
        text = text_in(self.field)
        if not self._is_dictated(text):
            self.verdict.say("")
        elif self._is_demo and missed(words.DEMO_SENTENCE, text):
            self.verdict.say(words.DEMO_MISHEARD)
        else:
            self.verdict.say(words.DICTATION_WORKS, "good")
            self.set_progress(Progress.DONE)

    def _on_clear(self) -> None:
        self.field.clear()
        self.field.setFocus()


class AutostartPage(Page):
    """A check box."""

    def __init__(self, commands: Commands) -> None:
        super().__init__(words.AUTOSTART, words.AUTOSTART_TITLE, words.AUTOSTART_LEAD)
        self.box = QCheckBox(words.AT_LOGIN)
        self.box.clicked.connect(commands.use_autostart)
        self.fill(Card(self.box, SecondaryText(words.AT_LOGIN_HINT)), None)

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
        """Show whether the program starts at login."""
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
        self.rows = [_SummaryRow(step.name) for step in self._steps]
        card = Card()
        grid = QGridLayout()
        grid.setHorizontalSpacing(MARGIN_PX)
        grid.setVerticalSpacing(SMALL_GAP_PX)
        grid.setColumnStretch(3, 1)
        card.body.addLayout(grid)
        where = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        for place, step in enumerate(self.rows):
            step.again.clicked.connect(lambda _checked, place=place: self.wanted.emit(place))
            for number, part in enumerate((step.icon, step.name, step.state, step.again)):
                grid.addWidget(part, place, number, where)
            grid.setRowMinimumHeight(place, step.again.sizeHint().height())
        self.fill(card, SecondaryText(words.FIND_AGAIN), None)

    def enter(self) -> None:
        """Look what has been done."""
        super().enter()
        self.show_progress()
        self.set_progress(Progress.DONE)

    def show_progress(self) -> None:
        """Show how far the steps are now."""
        for step, line in zip(self._steps, self.rows, strict=True):
            line.icon.set_drawing(*PROGRESS_ICONS[step.progress])
            line.again.setVisible(step.progress is Progress.OPEN)
            line.state.setText(step.summary)
        is_open = any(step.progress is Progress.OPEN for step in self._steps)
        self.title.setText(words.DONE_TITLE_OPEN if is_open else words.DONE_TITLE)

    def show_view(self, view: View) -> None:
        """Name the hotkey."""
        super().show_view(view)
        self.lead.setText(f"{strings.how_to_dictate(view.choices)} {words.DONE_LEAD}".strip())


class _SummaryRow:
    """A step in the list of ``DonePage``."""

    def __init__(self, name: str) -> None:
        self.icon, self.name, self.state = Icon(), Text(name, is_line=True), SecondaryText(is_line=True)
        self.again = Button(words.TRY_AGAIN)
        self.again.setAccessibleName(f"{words.TRY_AGAIN}: {name}")
