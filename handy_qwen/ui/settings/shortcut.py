"""The page Shortcut: the hotkeys, and how they work.

A new key must be pressed once as a test; until then hotkeys are only shown (``Request.REHEARSE``) and record
nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from handy_qwen.core.events import Request
from handy_qwen.core.types import Captured, CaptureStep, Hotkey, Submit
from handy_qwen.core.view import HOTKEYS, Choices, View
from handy_qwen.errors import HandyError, HotkeyError
from handy_qwen.languages import AUTOMATIC
from handy_qwen.settings import OPTIONS, Settings, SettingsView
from handy_qwen.settings.checks import submit_of
from handy_qwen.ui import strings
from handy_qwen.ui.keys import KeyCell, KeyRecorder, OwnKeyOffer, is_menu_key
from handy_qwen.ui.layouts import GAP_PX, SMALL_GAP_PX, FlowLayout, column
from handy_qwen.ui.settings.controls import DETECT, ChoiceControl, language_entries
from handy_qwen.ui.settings.page import ResetButton, Row, SettingsPage, Tools
from handy_qwen.ui.translation import tr, translated
from handy_qwen.ui.widgets import Button, Message, Outcome, Text
from handy_qwen.ui.window import AppWindow

# Translators: heading above settings about how long things take.
_TIMES = tr("Times")
_WISHES = ("F9", "F8", "F7", "F6", "Pause")  # to request from a desktop that assigns the keys itself
_DEFAULT: tuple[Hotkey, ...] = OPTIONS["hotkeys"].default
_NO_KEY = tr("Choose a key…")
_USUAL = tr("Default ({what})")
# Translators: in "Default (nothing)": no key is pressed after a text.
_NOTHING = tr("nothing")
# Translators: in "Default (automatic)": the language is detected.
_AUTOMATIC = tr("automatic")


class ShortcutPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.hotkeys = HotkeyList(tools)
        # Queued: a new row is not laid out yet.
        self.hotkeys.changed.connect(self._order_tabs, Qt.ConnectionType.QueuedConnection)
        self.add_section("", _HotkeysRow(self.hotkeys), self.setting("mode"))
        self.add_section(
            _TIMES, *(self.setting(name) for name in ("hold_s", "lock_key", "silence_s", "max_take_s"))
        )

    def enter(self) -> None:
        """Watch for the window losing the focus."""
        self.window().installEventFilter(self)

    def leave(self) -> None:
        """End recording and tests of hotkeys."""
        self.window().removeEventFilter(self)
        self._end()

    def show_view(self, view: View) -> None:
        """See ``SettingsPage``."""
        self.hotkeys.show_view(view)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802  the name is Qt's
        """End what needs the focus when the window loses it. Called by Qt."""
        if event.type() is QEvent.Type.WindowDeactivate:
            self._end()
        return super().eventFilter(watched, event)

    def _end(self) -> None:
        self.hotkeys.end_capture()
        self.hotkeys.end_test()

    def _order_tabs(self) -> None:
        window = self.window()
        if isinstance(window, AppWindow):
            window.order_tabs()


class _HotkeysRow(Row):
    """The hotkeys, as a searchable row that shows problems of the file."""

    def __init__(self, hotkeys: HotkeyList) -> None:
        super().__init__(
            tr("Hotkeys"),
            help=tr("Click a key to change it. A second hotkey can have its own language."),
            below=hotkeys,
            also=tr("key keyboard shortcut mouse button record"),
            setting_name="hotkeys",
        )
        self._hotkeys = hotkeys

    def first_focus(self) -> QWidget:
        """The first key."""
        return self._hotkeys.first_focus

    def show_settings(self, shown: SettingsView) -> None:
        """Show them, and problems of the file."""
        super().show_settings(shown)
        self._hotkeys.show_settings(shown.values)


class _Test(enum.Enum):
    """The state of the test of a new hotkey."""

    NONE = enum.auto()
    WAITING = enum.auto()
    DOWN = enum.auto()


class HotkeyRow(QWidget):
    """One hotkey. Display only; the logic is in ``HotkeyList``."""

    def __init__(self) -> None:
        super().__init__()
        self.number, self.cell = Text(is_line=True), KeyCell()
        self.language, self.submit = ChoiceControl(), ChoiceControl()
        self.remove = Button(tr("Remove"))
        self.trouble, self.verdict = Message(), Message()
        self.proposal, self.proposed = Button(), ""  # an alternative to a refused key
        self.proposal.hide()
        self.keys = ""  # worded for people
        first = FlowLayout(self.number, self.cell, self.remove, gap_px=SMALL_GAP_PX)
        language, submit = Text(tr("Language"), is_line=True), Text(tr("Then press"), is_line=True)
        self._labels = language, submit
        widest = max(language.sizeHint().width(), submit.sizeHint().width())
        column(
            first,
            self.trouble,
            FlowLayout(self.proposal),
            self.verdict,
            FlowLayout(
                _labelled(language, self.language.widget, widest),
                _labelled(submit, self.submit.widget, widest),
                gap_px=GAP_PX,
            ),
            gap_px=SMALL_GAP_PX,
            parent=self,
        )

    def name(self, number: int, keys: str, spoken_as: str) -> None:
        """Show it as hotkey ``number`` with ``keys``, "" if they are still to be chosen."""
        self.keys = keys
        shown = strings.whole(number)
        self.number.setText(f"{shown}.")
        self.cell.say(keys or _NO_KEY, spoken_as.format(number=shown, keys=keys or _NO_KEY))
        self.remove.setAccessibleName(
            tr("Remove hotkey {number}, {keys}").format(number=shown, keys=keys or _NO_KEY)
        )
        for label, control, title in zip(
            self._labels,
            (self.language, self.submit),
            (tr("Language of hotkey {number}"), tr("Key pressed after hotkey {number}")),
            strict=True,
        ):
            label.setAccessibleName(title.format(number=shown))  # on Linux a list is announced by its label
            control.widget.setAccessibleName(title.format(number=shown))

    def refuse(self, error: HandyError) -> None:
        """Show why the key cannot be the hotkey, until another one is chosen; offer an alternative."""
        self.proposed = error.proposal if isinstance(error, HotkeyError) else ""
        self.trouble.say(translated(error.title), hint="" if self.proposed else translated(error.hint))
        self.proposal.setText(strings.literal(tr("Use {keys}").format(keys=self.proposed)))
        self.proposal.setVisible(bool(self.proposed))

    def forgive(self) -> None:
        """The refusal is resolved."""
        self.proposed = ""
        self.trouble.say("")
        self.proposal.hide()


class HotkeyList(QWidget):
    """All hotkeys, each with its key, language and submit key. On Qt's thread.

    Args:
        tools: See ``SettingsPage``.
    """

    changed = Signal()  # rows were added or removed
    _used = Signal(object, object)  # the row, HandyError or None; from another thread

    def __init__(self, tools: Tools) -> None:
        super().__init__()
        self._commands, self._ask = tools.commands, tools.ask
        self.rows: list[HotkeyRow] = []
        self._settings, self._view = Settings(hotkeys=()), View()
        self._hotkeys: tuple[Hotkey, ...] = ()
        self._new: HotkeyRow | None = None  # the last one, while its key is still to be chosen
        self._recorder = KeyRecorder(tools.commands)
        self._recording: HotkeyRow | None = None
        self._asked: HotkeyRow | None = None  # its new key is to be tested once it is accepted
        self._tested: HotkeyRow | None = None
        self._test = _Test.NONE
        self._former: tuple[Hotkey, ...] | None = None  # before the last removal or reset
        self.trouble, self.undone, self.desktop = Message(), Outcome(tr("Und&o")), Message()
        self.own_key = OwnKeyOffer(tools.commands)
        self.add = Button(tr("A&dd a hotkey"), self._on_add)
        self.configure = Button(
            tr("Change in System &Settings…"), partial(self._commands.configure_hotkeys, None)
        )
        self.reset = ResetButton(self._on_reset)
        default = ", ".join(hotkey.chord for hotkey in _DEFAULT)
        self.reset.explain(tr("Hotkeys"), default)
        self.undone.undo_button.clicked.connect(lambda _checked: self._on_undo())
        self.configure.hide()
        # After the hotkeys: Tab and Enter should reach the first key.
        below = FlowLayout(self.add, self.configure, gap_px=SMALL_GAP_PX)
        below.push(self.reset)
        self._list = QVBoxLayout()
        self._list.setSpacing(GAP_PX)
        column(
            self.desktop,
            self._list,
            self.own_key,
            self.trouble,
            self.undone,
            below,
            gap_px=GAP_PX,
            parent=self,
        )
        self._recorder.heard.connect(self._on_heard)
        self._used.connect(self._on_used, Qt.ConnectionType.QueuedConnection)

    @property
    def first_focus(self) -> QWidget:
        """The first key."""
        return self.rows[0].cell if self.rows else self.add

    # --- what is shown -------------------------------------------------------------------------------

    def show_settings(self, settings: Settings) -> None:
        """Show the hotkeys that the settings have."""
        before, self._settings = self._hotkeys, settings
        self._hotkeys = settings.hotkeys
        if self._new is not None and len(self._hotkeys) > len(before):
            self._new = None  # it has got its key
        if self._hotkeys != before:
            self._forget_former()
        self._show_rows()

    def show_view(self, view: View) -> None:
        """Show which hotkeys are down, and what the desktop or the listener reports about them."""
        self._view = view
        self.own_key.show_view(view)
        is_assigned = view.desktop_keys is not None and view.key_offer is None
        self.desktop.say(
            tr("Your desktop assigns these keys.") if is_assigned else "",
            "text",
            hint=tr("Change them in its settings; they show up here at once."),
        )
        self.configure.setVisible(is_assigned)
        lasting = [one for one in view.notices if one.subject == HOTKEYS and one.is_lasting]
        if lasting:
            self.trouble.say(lasting[-1].title, hint=lasting[-1].hint, is_silent=True)
        elif not self._hotkeys and self._new is None:
            self.trouble.say(
                tr("No hotkey is set."),
                "text",
                hint=tr("You can still choose Start recording. Add a hotkey to dictate with a key."),
                is_silent=True,
            )
        else:
            self.trouble.say("")
        self._show_rows()
        for place, one in enumerate(self.rows):
            one.cell.setDown(place in view.keys_down)
        if self._tested is not None and self._tested in self.rows:
            self._follow_test(self.rows.index(self._tested) in view.keys_down)

    def _show_rows(self) -> None:
        wanted = len(self._hotkeys) + (self._new is not None)
        is_changed = len(self.rows) != wanted
        while len(self.rows) > wanted:
            self._drop(self.rows[-1])
        while len(self.rows) < wanted:
            self._make()
        titles = dict(zip(self._view.choices.chords, self._view.choices.hotkeys, strict=False))
        for place, one in enumerate(self.rows):
            hotkey = self._hotkeys[place] if place < len(self._hotkeys) else Hotkey("")
            self._show_row(place, one, hotkey, titles)
        self.reset.set_shown(self._hotkeys != _DEFAULT)
        if is_changed:
            self.changed.emit()

    def _show_row(self, place: int, one: HotkeyRow, hotkey: Hotkey, titles: Mapping[str, str]) -> None:
        keys, name = titles.get(hotkey.chord, hotkey.chord), tr("Hotkey {number}: {keys}")
        if self._view.desktop_keys is not None:
            given = self._view.desktop_keys
            keys = (given[place] if place < len(given) else "") or tr("No key yet")
            name = tr("Hotkey {number}: {keys}. Set by your desktop.")
        if keys != one.keys and one.keys:
            one.forgive()  # resolved, in whatever way
            if self._tested is not one:
                one.verdict.say("")
        one.name(place + 1, keys, name)
        one.language.set_entries(_languages(self._settings, self._view.choices))
        one.language.show_value(hotkey.language)
        one.submit.set_entries(_submits(self._settings))
        one.submit.show_value(hotkey.submit)

    def _make(self) -> None:
        one = HotkeyRow()
        one.cell.clicked.connect(lambda _checked: self._on_cell(one))
        one.cell.deserted.connect(self.end_capture)
        one.remove.clicked.connect(lambda _checked: self._on_remove(one))
        one.proposal.clicked.connect(lambda _checked: self._propose(one, one.proposed))
        one.language.connect(lambda value: self._change(one, lambda old: replace(old, language=str(value))))
        one.submit.connect(lambda value: self._change(one, lambda old: replace(old, submit=submit_of(value))))
        self.rows.append(one)
        self._list.addWidget(one)

    def _drop(self, one: HotkeyRow) -> None:
        if self._recording is one:
            self.end_capture()
        if self._tested is one:
            self.end_test()
        if one in self.rows:  # ending the recording of a new one has removed it
            self.rows.remove(one)
            self._list.removeWidget(one)
            one.hide()
            one.deleteLater()

    # --- changes -------------------------------------------------------------------------------------

    def _change(self, one: HotkeyRow, change: Callable[[Hotkey], Hotkey]) -> None:
        place = self.rows.index(one)
        if place < len(self._hotkeys):
            hotkeys = self._with(place, change(self._hotkeys[place]))
            self._hotkeys = tuple(hotkeys)  # the next change may come before this one is confirmed
            self._use(one, hotkeys)

    def _with(self, place: int, hotkey: Hotkey) -> list[Hotkey]:
        return [*self._hotkeys[:place], hotkey, *self._hotkeys[place + 1 :]]

    def _use(self, one: HotkeyRow | None, hotkeys: Sequence[Hotkey], place: int | None = None) -> None:
        """Dictate with ``hotkeys``; the one at ``place``, shown by ``one``, has new keys."""
        if place is not None:
            self._asked = one
        self._commands.use_hotkeys(hotkeys, place, lambda error: self._used.emit(one, (place, error)))

    def _on_used(self, one: HotkeyRow | None, answer: tuple[int | None, HandyError | None]) -> None:
        place, error = answer
        if one is None or one not in self.rows:
            return
        if error is not None:
            one.refuse(error)
            self._show_rows()
        elif place is not None:
            one.forgive()
            if one is self._asked:
                self._begin_test(one)

    def _on_add(self) -> None:
        if self._view.desktop_keys is not None:
            taken = {hotkey.chord.lower() for hotkey in self._hotkeys}
            wish = next((one for one in _WISHES if one.lower() not in taken), _WISHES[0])
            self._use(None, [*self._hotkeys, Hotkey(wish)])
            return
        if self._new is None:
            self._make()
            self._new = self.rows[-1]
            self._show_rows()
            self.show_view(self._view)
            self.changed.emit()
        self._new.cell.setFocus()
        self._record(self._new)

    def _on_remove(self, one: HotkeyRow) -> None:
        place = self.rows.index(one)
        self.end_capture()
        if one not in self.rows:
            return
        if one is self._new:
            self._new = None
        else:
            self._former = self._hotkeys
            self.undone.say(tr("{keys} removed.").format(keys=one.keys), can_undo=True)
            hotkeys = [*self._hotkeys[:place], *self._hotkeys[place + 1 :]]
            self._hotkeys = tuple(hotkeys)  # the row is removed at once, and the others keep theirs
            self._use(None, hotkeys)
        self._drop(one)
        self._show_rows()
        self.show_view(self._view)
        self.changed.emit()
        beside = self.rows[min(place, len(self.rows) - 1)].remove if self.rows else self.add
        (self.undone.undo_button if self._former is not None else beside).setFocus()

    def _on_undo(self) -> None:
        former = self._former
        self._forget_former()
        if former is not None:
            self._use(None, list(former))
            self.add.setFocus()

    def _on_reset(self) -> None:
        self.end_capture()
        self._new, self._former = None, self._hotkeys
        self.undone.say(tr("Hotkeys reset."), can_undo=True)
        self._hotkeys = _DEFAULT
        self._use(None, _DEFAULT)
        for one in self.rows:
            one.forgive()
        self._show_rows()
        self.show_view(self._view)
        self.undone.undo_button.setFocus()

    def _forget_former(self) -> None:
        self._former = None
        self.undone.say("")

    # --- a new key -----------------------------------------------------------------------------------

    def _on_cell(self, one: HotkeyRow) -> None:
        if self._view.desktop_keys is not None:
            self._commands.configure_hotkeys(None)
        elif self._recording is one:
            self.end_capture()
        else:
            self._record(one)

    def _record(self, one: HotkeyRow) -> None:
        self.end_capture()
        self.end_test()
        self._recording = one
        one.forgive()
        hint = tr("Release it to save. Esc keeps {keys}, Backspace removes it.").format(keys=one.keys)
        one.verdict.say(tr("Release it to save. Esc cancels.") if one is self._new else hint, "text")
        one.cell.record(True)
        self._recorder.begin()

    def end_capture(self) -> None:
        """Keep the current hotkey. Safe to call twice."""
        self._recorder.end()
        self._stop_recording()

    def _stop_recording(self) -> None:
        one, self._recording = self._recording, None
        if one is not None:
            one.cell.record(False)
            one.verdict.say("")

    def _on_heard(self, captured: Captured) -> None:
        one = self._recording
        if one is None:
            return
        match captured.step:
            case CaptureStep.HOLDING:
                one.cell.hold(captured.keys)
                return
            case CaptureStep.NAMELESS:
                one.verdict.say(tr("That key can't be a hotkey. Try another one."))
                return
        self._stop_recording()
        if captured.step is CaptureStep.CHOSEN:
            self._propose(one, captured.keys)
        elif captured.step is CaptureStep.CLEARED:
            self._on_remove(one)
        elif captured.error is not None:
            one.refuse(captured.error)
        elif one is self._new and not one.trouble.words:
            self._on_remove(one)

    def _propose(self, one: HotkeyRow, keys: str) -> None:
        """Use ``keys`` for ``one``, if possible."""
        place = self.rows.index(one)
        hotkey = self._hotkeys[place] if place < len(self._hotkeys) else Hotkey("")
        one.cell.setFocus()
        self._use(one, self._with(place, replace(hotkey, chord=keys)), place)

    # --- its test ------------------------------------------------------------------------------------

    def _begin_test(self, one: HotkeyRow) -> None:
        self._tested, self._test = one, _Test.WAITING
        one.verdict.say(
            tr("Press {keys} once to test it.").format(keys=one.keys), "text", hint=_warning(one.keys)
        )
        self._ask(Request.REHEARSE)

    def _follow_test(self, is_down: bool) -> None:
        one = self._tested
        if one is None:
            return
        if is_down and self._test is _Test.WAITING:
            self._test = _Test.DOWN
            one.verdict.say(tr("{keys} is pressed. Now release it.").format(keys=one.keys), "good")
        elif not is_down and self._test is _Test.DOWN:
            self.end_test()
            one.verdict.say(tr("{keys} works.").format(keys=one.keys), "good", hint=_warning(one.keys))

    def end_test(self) -> None:
        """Let hotkeys dictate again. Safe to call twice."""
        one, self._tested, self._test = self._tested, None, _Test.NONE
        self._asked = None
        if one is not None:
            one.verdict.say("")
            self._ask(Request.PERFORM)


def _warning(keys: str) -> str:
    said = tr("Many programs use {keys} for a menu. It won't reach them while Handy Qwen runs.")
    return said.format(keys=keys) if is_menu_key(keys) else ""


def _languages(settings: Settings, choices: Choices) -> list[tuple[str, str]]:
    usual = strings.language_title(settings.language) if settings.language else _AUTOMATIC
    return [("", _USUAL.format(what=usual)), (AUTOMATIC, DETECT), *language_entries(choices)]


def _submits(settings: Settings) -> list[tuple[Submit | None, str]]:
    titles = {one: translated(OPTIONS["submit"].worded(one)) for one in Submit}
    usual = _NOTHING if settings.submit is Submit.OFF else titles[settings.submit]
    return [(None, _USUAL.format(what=usual)), *titles.items()]


def _labelled(label: Text, control: QWidget, width: int) -> QWidget:
    whole = QWidget()
    label.setBuddy(control)
    label.setMinimumWidth(width)
    whole.setLayout(FlowLayout(label, control, gap_px=SMALL_GAP_PX))
    return whole
