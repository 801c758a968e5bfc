"""Shared by the guide's pages, and the steps except those in ``reading``.

Each has a heading, a sentence, a row for problems, and its progress. The steps are the model, the hotkey,
autostart, and the summary.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QPushButton, QWidget

from handy_qwen.core.events import Request
from handy_qwen.core.models import ModelCommands, ModelList, ModelStatus
from handy_qwen.core.types import Hotkey, Mode
from handy_qwen.core.view import Choices, Commands, NoticeKind, View, Window
from handy_qwen.errors import HandyError
from handy_qwen.settings import Settings
from handy_qwen.ui import strings
from handy_qwen.ui.keys import KeyCap, OwnKeyOffer, is_menu_key
from handy_qwen.ui.layouts import GAP_PX, MARGIN_PX, SMALL_GAP_PX, FlowLayout, Part, column, row
from handy_qwen.ui.overlay import has_overlay
from handy_qwen.ui.translation import tr, translated
from handy_qwen.ui.widgets import Button, Card, Icon, Message, SecondaryText, Text, Title
from handy_qwen.ui.windows import model_words
from handy_qwen.ui.windows.models import ModelCards

Ask = Callable[[Request], None]
_TROUBLES = {
    NoticeKind.NO_SPEECH,
    NoticeKind.DEAD_MICROPHONE,
    NoticeKind.MICROPHONE_LOST,
    NoticeKind.COPIED,
    NoticeKind.HELD,
    NoticeKind.FAILED,
}
# Translators: in a list at the end: "First text: not done yet".
_STEP_IS_OPEN = tr("not done yet")
# Translators: in a list at the end: "Microphone: works".
_STEP_IS_DONE = tr("works")
_TRY_AGAIN = tr("Go back")
_CHANGE = tr("&Change…")
_PRESSED = tr("Pressed. Now release it.")
HOTKEY_WORKS = {
    Mode.AUTO: tr("It works. Hold it while you talk, or tap it to start and tap again to stop."),
    Mode.HOLD: tr("It works. Hold it while you talk."),
    Mode.TOGGLE: tr("It works. Tap it to start, and tap again to stop."),
}
_NOT_SEEN = tr("Nothing happens? Another program may be using the key. Choose another one.")
# Translators: no key is set; in a list at the end: "Hotkey: none".
_NO_HOTKEY = tr("none")
# Translators: in a list at the end: "Model: installed".
_MODEL_FULL, _MODEL_DEMO = tr("installed"), tr("demo model only")
# Translators: in a list at the end, after "Handy Qwen".
_AT_LOGIN_ON, _AT_LOGIN_OFF = tr("starts when you log in"), tr("starts when you open it")
_DONE_TITLE = tr("You're ready")
_DONE_LEAD = tr("Your words appear in the focused window.")


class Progress(enum.Enum):
    """The progress of a step."""

    OPEN = enum.auto()  # nothing was tried
    SETTLED = enum.auto()  # nothing is missing, but not shown to work either
    DONE = enum.auto()  # shown to work


PROGRESS_ICONS = {
    Progress.OPEN: ("mark-info", "quiet"),
    Progress.SETTLED: ("mark-dot", "quiet"),
    Progress.DONE: ("mark-good", "good"),
}


class Page(QWidget):
    """One step. A subclass fills the page once and calls ``set_progress`` once the step is shown to work."""

    progress_changed = Signal()

    def __init__(self, name: str, title: str, lead: str) -> None:
        super().__init__()
        self.name = name  # in the list of steps
        self.progress = Progress.OPEN
        self.title, self.lead, self.trouble = Title(title, scale=1.5), Text(lead), Message()
        self._noticed = View()
        self._newest, self._seen = 0, 0  # numbers of the newest notice, and of the last one handled

    def fill(self, *parts: Part) -> None:
        """Put ``parts`` below the heading."""
        column(self.title, self.lead, SMALL_GAP_PX, (column(*parts), 1), self.trouble, parent=self)

    def enter(self) -> None:
        """The page is shown."""
        self.dismiss_notices()

    def leave(self) -> None:
        """Another page is shown, or the window is closed."""

    def first_focus(self) -> QWidget | None:
        """The widget to focus when the page is shown."""
        return None

    def primary(self) -> QPushButton | None:
        """The button that Enter presses where no button has the focus; None: the Next button."""
        return None

    def show_view(self, view: View) -> None:
        """Show what concerns the page. Called for every view, also while another page is shown."""
        self._newest = max([self._newest, *(notice.number for notice in view.notices)])
        self._noticed = view
        self._show_trouble()

    def _show_trouble(self) -> None:
        view = self._noticed
        for notice in reversed(view.notices):
            if notice.kind in _TROUBLES and (notice.is_lasting or notice.number > self._seen):
                self.trouble.say(notice.title, hint=notice.hint, is_silent=has_overlay(view))
                return
        self.trouble.say("")

    @property
    def summary(self) -> str:
        """The progress of the step, in a word or two."""
        return _STEP_IS_DONE if self.is_done else _STEP_IS_OPEN

    @property
    def is_done(self) -> bool:
        """Whether the step has been shown to work."""
        return self.progress is Progress.DONE

    def dismiss_notices(self) -> None:
        """Hide all notices so far, except lasting ones."""
        self._seen = self._newest
        self._show_trouble()

    def set_progress(self, progress: Progress) -> None:
        """Set the progress of the step."""
        if progress is not self.progress:
            self.progress = progress
            self.progress_changed.emit()


class ModelPage(Page):
    """Choose a model that knows more than the demo's words; it is installed during the other steps."""

    def __init__(self, models: ModelCommands, commands: Commands) -> None:
        super().__init__(
            tr("Model"),
            tr("Choose a model"),
            tr(
                "The built-in demo model knows some 300 words. A full model understands everything you say. "
                "You download it once."
            ),
        )
        self._commands = models
        self._installing = ""  # the progress of an installation
        self.cards, self.verdict = ModelCards(models), Message()
        self.more = Button(tr("&More models…"), lambda: commands.open_window(Window.MODELS))
        self.fill(self.verdict, self.cards, FlowLayout(self.more), None)

    @property
    def summary(self) -> str:
        """The kind of model in use, or the progress of an installation."""
        return _MODEL_FULL if self.is_done else self._installing or _MODEL_DEMO

    def enter(self) -> None:
        """Look for models."""
        super().enter()
        self._commands.refresh()

    def first_focus(self) -> QWidget | None:
        """The button of the recommended model."""
        return self.cards.first_button()

    def show_models(self, models: ModelList) -> None:
        """Show the makers' full models; the demo model is no choice."""
        here = {ModelStatus.INSTALLED, ModelStatus.INSTALLING}
        entries = [
            one for one in models.entries if not one.is_permanent and (not one.is_other or one.status in here)
        ]
        entries.sort(key=lambda one: (one.status is not ModelStatus.INSTALLED, not one.is_recommended))
        self.cards.show_models(models, entries)
        former, self._installing = self._installing, model_words.installation(models)[1].lower()
        if models.has_full_model:
            self.verdict.say(tr("A full model is installed."), "good")
            self.set_progress(Progress.DONE)
        else:
            comes = tr("Go on to the next step. The installation continues in the background.")
            self.verdict.say(comes if self._installing else "", "quiet")
            self.set_progress(Progress.SETTLED if self._installing else Progress.OPEN)
        if self._installing != former:
            self.progress_changed.emit()


class HotkeyPage(Page):
    """Press the hotkey, or choose another one.

    It is the real one, from the program's own listener; while the page is shown it records nothing.
    """

    _used = Signal(object)  # None, or why the hotkey is not used: HandyError; from another thread

    def __init__(self, ask: Ask, commands: Commands) -> None:
        super().__init__(
            tr("Hotkey"),
            tr("Your dictation key"),
            tr("Press and release to test it. Nothing is recorded here."),
        )
        self._ask, self._commands = ask, commands
        self._is_up = False  # the page
        self._choices = Choices()
        self._hotkeys: tuple[Hotkey, ...] = ()  # of the settings
        self._is_assigned = False  # by the desktop, which alone can change it
        self._has_menu_key = False  # chosen just now
        self.cap, self.hint, self.objection = KeyCap(commands), Message(), Message()
        self.cap.captured.connect(self._on_captured)
        self.cap.refused.connect(
            lambda: self.hint.say(tr("That key can't be a hotkey. Try another one."), "problem")
        )
        self.cap.failed.connect(self._on_refused)
        self.cap.capture_ended.connect(self._on_capture_ended)
        self.own_key = OwnKeyOffer(commands)
        self.change = Button(_CHANGE, self._on_change)
        self.change.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._used.connect(self._on_used, Qt.ConnectionType.QueuedConnection)
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

    def show_settings(self, settings: Settings) -> None:
        """What is chosen here takes the place of the first hotkey, whose language and submit key stay."""
        self._hotkeys = settings.hotkeys

    def show_view(self, view: View) -> None:
        """Light up while the key is held."""
        super().show_view(view)
        before, self._choices = self._choices.hotkeys, view.choices
        keys = view.choices.hotkeys
        if keys != before:
            has_menu_key = self._has_menu_key
            self._begin_again()
            if has_menu_key and keys:
                self.objection.say(
                    tr("Many programs use {keys} for a menu or a button.").format(keys=keys[0]),
                    hint=tr("It won't reach them while Handy Qwen runs. Ctrl+Alt and a letter is safer."),
                )
            if before:
                self.set_progress(Progress.OPEN)  # the new one has not been tried
        is_down = view.is_key_down and self._is_up
        self._look(is_down)
        self._is_assigned = view.desktop_keys is not None
        self.own_key.show_view(view)
        self.change.setVisible(view.key_offer is None)
        if not self.cap.is_capturing:
            self.change.setText(tr("&Change in System Settings…") if self._is_assigned else _CHANGE)
        shown = keys if view.desktop_keys is None else view.desktop_keys
        self.cap.say((shown[0] if shown else "") or _NO_HOTKEY, is_lit=is_down)

    def _look(self, is_down: bool) -> None:
        if is_down:
            self.dismiss_notices()
            self.hint.say(_PRESSED, "good")
        elif self.cap.is_lit and self.hint.words == _PRESSED:
            self.hint.say(HOTKEY_WORKS[Mode(self._choices.mode)], "good")
            self.set_progress(Progress.DONE)

    def _begin_again(self) -> None:
        self.hint.say(_NOT_SEEN, "quiet", is_silent=True)
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
        self.hint.say(
            tr(
                "A modifier alone works best, such as Right Ctrl: it types nothing. Or a function key, or "
                "Ctrl+Alt+D."
            ),
            "text",
        )
        self.change.setText(tr("Cancel"))  # no mnemonic: every key is a candidate
        self.cap.capture()

    def _on_captured(self, chord: str) -> None:
        self._has_menu_key = is_menu_key(chord)
        first, *others = self._hotkeys or (Hotkey(chord),)
        self._commands.use_hotkeys([replace(first, chord=chord), *others], 0, self._used.emit)

    def _on_used(self, error: HandyError | None) -> None:
        if error is not None:
            self._on_refused(error)

    def _on_refused(self, error: HandyError) -> None:
        """The key is unchanged. Shown until another one is chosen."""
        self._has_menu_key = False
        self.objection.say(translated(error.title), hint=translated(error.hint))

    def _on_capture_ended(self) -> None:
        if self.cap.hasFocus():
            self.change.setFocus()
        self.change.setText(_CHANGE)
        self.hint.say(_NOT_SEEN, "quiet", is_silent=True)


class AutostartPage(Page):
    """A check box."""

    def __init__(self, commands: Commands) -> None:
        super().__init__(
            tr("At login"),
            tr("Always at hand"),
            tr("Handy Qwen waits in the background and uses no processor time until you press the key."),
        )
        self.box = QCheckBox(tr("Start Handy Qwen when I &log in"))
        self.box.clicked.connect(commands.use_autostart)
        self.fill(
            Card(
                self.box,
                SecondaryText(
                    tr("Starts in the background, without a window. You can change this at any time.")
                ),
            ),
            None,
        )

    @property
    def summary(self) -> str:
        """Whether it is on."""
        return _AT_LOGIN_ON if self.box.isChecked() else _AT_LOGIN_OFF

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
    """What works, and what was skipped, with a way back to it."""

    wanted = Signal(int)  # the step to go back to

    def __init__(self, steps: Sequence[Page]) -> None:
        super().__init__(tr("Done"), _DONE_TITLE, _DONE_LEAD)
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
        self.fill(card, SecondaryText(tr("Help → Set up again… runs this guide again.")), None)

    def enter(self) -> None:
        """Update the steps."""
        super().enter()
        self.show_progress()
        self.set_progress(Progress.DONE)

    def show_progress(self) -> None:
        """Show the progress of the steps."""
        for step, line in zip(self._steps, self.rows, strict=True):
            line.icon.set_drawing(*PROGRESS_ICONS[step.progress])
            line.again.setVisible(step.progress is Progress.OPEN)
            line.state.setText(step.summary)
        is_open = any(step.progress is Progress.OPEN for step in self._steps)
        self.title.setText(tr("Almost ready") if is_open else _DONE_TITLE)

    def show_view(self, view: View) -> None:
        """Name the hotkey."""
        super().show_view(view)
        self.lead.setText(f"{strings.how_to_dictate(view.choices)} {_DONE_LEAD}".strip())


class _SummaryRow:
    """A step in the list of ``DonePage``."""

    def __init__(self, name: str) -> None:
        self.icon, self.name, self.state = Icon(), Text(name, is_line=True), SecondaryText(is_line=True)
        self.again = Button(_TRY_AGAIN)
        self.again.setAccessibleName(f"{_TRY_AGAIN}: {name}")
