"""The second step: the hotkey lights up when it is pressed, and another can be chosen by pressing it.

The hotkey is the real one, heard by the program's own listener; while the page is up it records nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from handy_qwen.core.events import Request
from handy_qwen.core.view import Commands, View
from handy_qwen.errors import HandyError
from handy_qwen.ui.key_cap import KeyCap, is_menu_key
from handy_qwen.ui.setup import words
from handy_qwen.ui.setup.page import Page, Verdict, keep_space_when_hidden
from handy_qwen.ui.widgets import Alert, Card, SecondaryText, button
from handy_qwen.ui.window import GAP_PX, MARGIN_PX, SMALL_GAP_PX

Ask = Callable[[Request], None]


class HotkeyPage(Page):
    """Press it, or choose another one."""

    _was_refused = Signal(object)  # HandyError; from another thread

    def __init__(self, ask: Ask, commands: Commands) -> None:
        super().__init__(words.HOTKEY, words.HOTKEY_TITLE, words.HOTKEY_LEAD)
        self._ask = ask
        self._commands = commands
        self._is_up = False  # the page
        self._keys: tuple[str, ...] = ()
        self._has_menu_key = False  # chosen just now
        self.cap, self._hint = KeyCap(), Verdict()
        self.cap.captured.connect(self._on_captured)
        self.cap.refused.connect(lambda: self._hint.say(words.NOT_A_HOTKEY, "problem"))
        self.cap.capture_ended.connect(self._on_capture_ended)
        self.change = button(words.CHANGE, self._on_change)
        self.change.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.went_down, self.came_up = Verdict(), Verdict()
        self._note, self.objection = SecondaryText(words.NOT_SEEN), Alert("problem")
        self._was_refused.connect(self._on_refused, Qt.ConnectionType.QueuedConnection)
        self._build()

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
        if view.choices.hotkeys != self._keys:
            is_first, self._keys = not self._keys, view.choices.hotkeys
            has_menu_key = self._has_menu_key
            self._begin_again()
            if has_menu_key and self._keys:
                self.objection.say(words.MENU_KEY.format(keys=self._keys[0]), words.MENU_KEY_HINT)
            if not is_first:
                self.set_done(False)  # the new one has not been tried
        is_down = view.is_key_down and self._is_up
        if is_down and self.cap.is_capturing:
            self.cap.stop_capture()  # it was the present one that was pressed
        self._look(is_down)
        self.cap.say(self._keys[0] if self._keys else words.NO_HOTKEY, is_lit=is_down)

    def _look(self, is_down: bool) -> None:
        if is_down:
            self.forgive()
            self.went_down.say(words.WENT_DOWN, "good")
        elif self.cap.is_lit and self.went_down.words:
            self.came_up.say(words.CAME_UP, "good")
            self._hint.say(words.HOTKEY_WORKS, "text")
            self._note.hide()
            self.set_done()

    def _begin_again(self) -> None:
        self.went_down.say("", "quiet")
        self.came_up.say("", "quiet")
        self._hint.say("", "text")
        self._has_menu_key = False
        self.objection.hide()
        self._note.show()

    def _on_change(self) -> None:
        if self.cap.is_capturing:
            self.cap.stop_capture()
            return
        self.forgive()
        self._begin_again()
        self._note.hide()
        self._hint.say(words.CAPTURE_HINT, "text")
        self.change.setText(words.KEEP)
        self.cap.capture()

    def _on_captured(self, chord: str) -> None:
        self._has_menu_key = is_menu_key(chord)
        self._commands.use_hotkey(chord, self._was_refused.emit)

    def _on_refused(self, error: HandyError) -> None:
        """The key stays as it is. Said until another one is chosen."""
        self._has_menu_key = False
        self._note.hide()
        self.objection.say(error.title, error.hint)

    def _on_capture_ended(self) -> None:
        if self.cap.hasFocus():
            self.change.setFocus()
        self.change.setText(words.CHANGE)
        self._hint.say("", "text")
        self._note.show()

    def _build(self) -> None:
        card = Card()
        inside = QVBoxLayout(card)
        inside.setContentsMargins(MARGIN_PX, MARGIN_PX + GAP_PX, MARGIN_PX, MARGIN_PX)
        inside.setSpacing(GAP_PX)
        inside.addWidget(self.cap, 0, Qt.AlignmentFlag.AlignHCenter)
        inside.addSpacing(SMALL_GAP_PX)
        inside.addWidget(self.change, 0, Qt.AlignmentFlag.AlignHCenter)
        seen = QHBoxLayout()
        seen.setSpacing(MARGIN_PX)
        seen.addStretch()
        for part in (self.went_down, self.came_up):
            keep_space_when_hidden(part)
            part.stay_on_one_line()
            seen.addWidget(part)
        seen.addStretch()
        inside.addLayout(seen)
        self.body.addWidget(card)
        self.body.addWidget(self._hint)
        self.body.addWidget(self.objection)
        self.body.addWidget(self._note)
        self.body.addStretch()
