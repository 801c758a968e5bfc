"""The steps of the guide with a sentence to read aloud: the microphone, and the first text."""

from __future__ import annotations

from collections.abc import Callable
from difflib import SequenceMatcher

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QComboBox, QLineEdit, QPlainTextEdit, QPushButton, QWidget

from handy_qwen.core.corrections import words_in
from handy_qwen.core.events import Request
from handy_qwen.core.models import DEMO
from handy_qwen.core.types import KeyPermission
from handy_qwen.core.view import VOICE_DB, Choices, Commands, Meter, Phase, View
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import SMALL_GAP_PX, column, row
from handy_qwen.ui.setup.pages import Page, Progress
from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import Button, Card, Message, MeterBar, SecondaryText, Title, labelled, text_in

Ask = Callable[[Request], None]
_FIELD_PX, _TEXT_PX = 34, 130  # heights
DEMO_SENTENCE = "The meeting starts at five o'clock."  # English that the demo model knows
# Translators: a sentence to read aloud into the microphone; numbers in words.
SENTENCE = tr("The meeting starts at five o'clock.")
_LISTEN = tr("&Listen")
_HEARD_WELL = tr("Every word is right. This microphone works.")
_HEARD_OWN = tr("Is that what you said? Then this microphone works.")
_DICTATION_LEAD = tr("The text appears at the cursor.")
_TYPING_HINT = tr(
    "It asks once. Leave “Allow Remote Interaction” switched on, then press Share. Nothing is shared with "
    "anyone: that is the desktop's name for pressing keys."
)


class ReadingPage(Page):
    """A page with a sentence to read aloud. Only a text that was dictated counts, not what was typed."""

    def __init__(self, name: str, title: str, lead: str) -> None:
        super().__init__(name, title, lead)
        self.task, self.sentence = SecondaryText(), Title(DEMO_SENTENCE, scale=1.35)
        self.verdict = Message()
        self._is_demo = True
        self._last_text = ""
        self._has_dictated = False  # since the page was shown, or Listen was pressed

    def show_view(self, view: View) -> None:
        """Say which words are possible, and judge the dictation."""
        super().show_view(view)
        self._is_demo = view.choices.model in {"", DEMO}  # which knows little more than the sentence
        freely = tr("Read this aloud, or say something of your own:")
        self.task.setText(tr("Say exactly this sentence:") if self._is_demo else freely)
        self.sentence.setText(DEMO_SENTENCE if self._is_demo else SENTENCE)
        self._last_text = view.recent[0] if view.recent else ""
        self._has_dictated = self._has_dictated or view.phase is Phase.TRANSCRIBING
        self._judge()

    def _judge(self) -> None:
        raise NotImplementedError

    def _is_dictated(self, text: str) -> bool:
        return self._has_dictated and bool(self._last_text) and self._last_text in text


class MicrophonePage(ReadingPage):
    """Choose a microphone, listen, read aloud, compare.

    The sentence goes all the way, through the model into the field, like any text.
    """

    def __init__(self, ask: Ask, commands: Commands, meter: Meter) -> None:
        super().__init__(
            tr("Microphone"),
            tr("Test your microphone"),
            tr("Choose your microphone, press Listen, read the sentence aloud, then press Stop."),
        )
        self._ask, self._commands = ask, commands
        self._view = View()
        self._devices: object = None
        self.device, self.meter, self.heard = QComboBox(), MeterBar(meter), QLineEdit()
        self.record = Button(_LISTEN, self._on_record)
        self.record.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click must leave the cursor in the field
        self.voice = SecondaryText()  # announcements would be recorded
        # Microphones have long names, which must not widen the window.
        self.device.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.device.currentTextChanged.connect(self.device.setToolTip)
        self.device.activated.connect(lambda place: commands.use_microphone(self.device.itemData(place)))
        self.heard.setPlaceholderText(tr("Your words will appear here."))
        self.heard.setMinimumHeight(_FIELD_PX)
        self.heard.textChanged.connect(self._on_text)
        _keep_space_when_hidden(self.voice, self.verdict)
        self.fill(
            row(labelled(tr("Micro&phone:"), self.device), (self.device, 1)),
            Card(self.task, self.sentence, SMALL_GAP_PX, row(self.record, (self.meter, 1)), self.voice),
            column(labelled(tr("&Transcript:"), self.heard), self.heard, self.verdict, gap_px=SMALL_GAP_PX),
            None,
        )

    def enter(self) -> None:
        """Look for microphones."""
        super().enter()
        self._commands.refresh_choices()

    def leave(self) -> None:
        """Stop recording."""
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
        """Show the devices, and the result of the recording."""
        self._view = view
        super().show_view(view)
        is_recording = view.phase is Phase.RECORDING
        self.record.setText(tr("&Stop") if is_recording else _LISTEN)
        self.meter.run(is_recording and self.isVisible())
        is_loud = self.meter.loudest_db > VOICE_DB
        if is_recording:
            faint = tr("We can't hear you yet. Speak up, or choose another microphone.")
            self.voice.setText(tr("We can hear you.") if is_loud else faint)
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
        """Whether the step is complete."""
        is_understood = self.verdict.words in {_HEARD_WELL, _HEARD_OWN}
        return is_understood and self._view.phase is not Phase.RECORDING

    def _on_text(self, text: str) -> None:
        if text != text.lstrip():  # a second try in the same window continues the first
            self.heard.setText(text.lstrip())
        else:
            self._judge()

    def _judge(self) -> None:
        text = self.heard.text()
        self.verdict.say(*self._verdict(text) if self._is_dictated(text) else ("", "quiet"))
        if self._is_fine():
            self.set_progress(Progress.DONE)
        self.progress_changed.emit()  # Enter may have another effect now

    def _verdict(self, text: str) -> tuple[str, str]:
        """How much of the sentence was understood; the user's own words only the user can judge."""
        sentence = self.sentence.text()
        total, not_heard = len(_spoken_words(sentence)), missed(sentence, text)
        right = total - len(not_heard)
        if not not_heard:
            return _HEARD_WELL, "good"
        if right * 2 < total and not self._is_demo:
            return _HEARD_OWN, "good"
        if right:
            said = tr("{right} of {total} words are right. Missed: {missed}.").format(
                right=strings.whole(right), total=strings.whole(total), missed=", ".join(not_heard)
            )
            return said, "problem"
        return tr(
            "None of the words are right. Move closer to the microphone, or choose another one."
        ), "problem"


class DictationPage(ReadingPage):
    """Dictate into a field, as into any other window."""

    def __init__(self, commands: Commands) -> None:
        super().__init__(tr("First text"), tr("Your first text"), _DICTATION_LEAD)
        self.typing = TypingPermission(commands)
        self.state, self.field = SecondaryText(), QPlainTextEdit()
        self.field.setTabChangesFocus(True)
        self.field.setPlaceholderText(tr("Click here, then dictate."))
        self.field.setMinimumHeight(_TEXT_PX)
        self.field.textChanged.connect(self._on_text)
        self.clear = Button(tr("Cl&ear"), self._on_clear)
        self.clear.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.clear.setEnabled(False)
        self.fill(
            self.typing,
            self.task,
            self.sentence,
            labelled(tr("Your te&xt:"), self.field),
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
        """Show the state."""
        super().show_view(view)
        self.typing.show_view(view)
        how = strings.how_to_dictate(view.choices)
        self.lead.setText(f"{how} {_DICTATION_LEAD}".strip())
        if view.phase is Phase.RECORDING:
            self.dismiss_notices()
            again = tr("Listening… Press the key again when you're done.")
            self.state.setText(again if strings.is_tapped(view) else strings.RELEASE_KEY)
        elif view.phase is Phase.TRANSCRIBING:
            self.state.setText(strings.TRANSCRIBING)
        else:
            self.state.setText(tr("Loading the model… You can already speak.") if view.is_loading else how)

    def _on_text(self) -> None:
        if self.field.toPlainText().startswith(" "):  # it continues an earlier text in this window
            QTextCursor(self.field.document()).deleteChar()
            return
        self.clear.setEnabled(bool(self.field.toPlainText()))
        self._judge()

    def _judge(self) -> None:
        text = text_in(self.field)
        if not self._is_dictated(text):
            self.verdict.say("")
        elif self._is_demo and missed(DEMO_SENTENCE, text):
            self.verdict.say(
                tr(
                    "The text was inserted, but not every word is right: the demo model knows only some 300 "
                    "words. Say exactly the sentence above."
                )
            )
        else:
            self.verdict.say(tr("That's it. It works the same in every window."), "good")
            self.set_progress(Progress.DONE)

    def _on_clear(self) -> None:
        self.field.clear()
        self.field.setFocus()


class TypingPermission(Card):
    """The permission to press keys, which GNOME and KDE require on Wayland: why, and a button to request it.

    The desktop asks once, otherwise in the middle of the first dictation. Hidden where no permission is
    needed.

    """

    def __init__(self, commands: Commands) -> None:
        self.message = Message()
        self.allow = Button(tr("&Allow typing…"), commands.allow_keys)
        super().__init__(self.message, row(self.allow, None))
        self._shown: KeyPermission | None = None
        self.hide()

    def show_view(self, view: View) -> None:
        """Show what is still to do."""
        permission = view.key_permission
        if permission is self._shown:
            return
        self._shown = permission
        self.setVisible(permission in (KeyPermission.UNASKED, KeyPermission.REFUSED))
        if permission is KeyPermission.UNASKED:
            self.message.say(
                tr("Your desktop wants to know whether Handy Qwen may type your texts."),
                "text",
                hint=_TYPING_HINT,
            )
        elif permission is KeyPermission.REFUSED:
            self.message.say(
                tr("Handy Qwen may not type, so your texts are only copied."), "problem", hint=_TYPING_HINT
            )


def _spoken_words(text: str) -> list[str]:
    """The words of ``text`` as they sound: without punctuation and case."""
    text = text.lower().replace("\u2019", "'")
    return [text[start:end] for start, end in words_in(text)]


def missed(sentence: str, text: str) -> list[str]:
    """The words of ``sentence`` that are missing in ``text``, in order."""
    wanted, found = _spoken_words(sentence), _spoken_words(text)
    blocks = SequenceMatcher(None, wanted, found, autojunk=False).get_matching_blocks()
    right = {block.a + n for block in blocks for n in range(block.size)}
    return [word for place, word in enumerate(wanted) if place not in right]


def _keep_space_when_hidden(*widgets: QWidget) -> None:
    """Let hidden ``widgets`` keep their place, so that nothing moves when they appear."""
    for widget in widgets:
        policy = widget.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        widget.setSizePolicy(policy)
