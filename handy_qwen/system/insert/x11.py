"""The X11 back end: focus, keyboard and clipboard put together.

The methods were chosen by experiment (Xvfb, openbox; Qt 6, GTK 3, xterm; us, de, fr, ru). Ctrl+V means
nothing to a terminal and does not exist on a layout without Latin letters; Shift+Insert works everywhere, but
terminals then take PRIMARY. Typing needs spare keycodes for what the layout lacks, and each change of those
makes every program on the desktop reload the keyboard: it is the second choice. Restoring the clipboard after
a delay fails with a slow window, whatever the delay; so we wait for that window's own request.

Threads: see ``Backend``. The keyboard and what fetches other programs' clipboards each have a connection
for the worker's thread, the clipboard has one for its own thread, and the focus one behind a lock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import ClassVar

from handy_qwen.core.types import Submit, Target, TextAround
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message
from handy_qwen.system.accessibility import text_around_cursor
from handy_qwen.system.insert.backend import Deadline, Inserted, MayRelease, Pause, always
from handy_qwen.system.insert.pasting import Chord, PastingBackend
from handy_qwen.system.session import Session
from handy_qwen.system.x11 import keymap as km
from handy_qwen.system.x11.clipboard import WindowSelections
from handy_qwen.system.x11.connection import connect, disconnect
from handy_qwen.system.x11.keyboard import CHUNK, Keyboard
from handy_qwen.system.x11.selection import SELECTIONS
from handy_qwen.system.x11.windows import FocusedWindow, FocusReader, is_terminal

logger = logging.getLogger(__name__)

REST_AFTER_S = 10.0  # a window that hung for a while still finds the characters on their keys


class X11(PastingBackend[FocusedWindow]):
    """The back end for an X server."""

    NAME, PASTE_LABEL = "X11", "Shift+Insert"
    PASTE = (km.SHIFT_L, km.INSERT)
    BACKSPACE = (km.BACKSPACE,)
    SUBMIT: ClassVar = {
        Submit.ENTER: (km.RETURN,),
        Submit.CTRL_ENTER: (km.CONTROL_L, km.RETURN),
        Submit.SUPER_ENTER: (km.SUPER_L, km.RETURN),
    }

    def __init__(self, session: Session, pause: Pause, may_release: MayRelease = always) -> None:
        super().__init__(session, pause, may_release)
        self._display = session.display
        self._focus = FocusReader(self._display)
        self._connection = connect(self._display)
        wait_s = self.RELEASE_WAIT_S
        self._keyboard = Keyboard(self._connection, self._injection, pause, wait_s, may_release)
        self._clipboards: WindowSelections = WindowSelections(self._display, self._focus)
        self._typed_at_s = 0.0

    def focused(self) -> Target:
        """See ``Backend``."""
        return self._focus.target()

    def type_text(self, text: str) -> Inserted:
        """See ``Backend``."""
        window = self._keyboard.wait_for_window()
        self._typed_at_s = time.monotonic()
        arrived = self._keyboard.type_text(text, window)
        self._typed_at_s = time.monotonic()
        return arrived

    def erase(self, text: str, may_erase: Callable[[], bool]) -> None:
        """See ``Backend``. A line sent to a terminal is executed, and cannot be taken back."""
        if "\n" in text and is_terminal(self._focus.target().application):
            raise InsertError(Message("The line was entered."), InsertReason.NOT_TYPEABLE)
        super().erase(text, may_erase)

    def clipboard_text(self) -> str:
        """See ``Backend``."""
        content = self._clipboards.fetch(SELECTIONS[:1], Deadline())[SELECTIONS[0]].content or {}
        texts = (content[kind] for kind in ("UTF8_STRING", "text/plain;charset=utf-8") if kind in content)
        return next((value.data.decode("utf-8", "replace") for value in texts), "")

    def rest(self, is_idle: bool) -> float | None:
        """Remove the characters from the spare keycodes when typing is long over."""
        if self._keyboard.is_resting:
            return None
        left = self._typed_at_s + REST_AFTER_S - time.monotonic()
        if left > 0 or not is_idle:
            return max(left, 1.0)
        self._keyboard.rest()
        return None

    def close(self) -> None:
        """See ``Backend``. The clipboard's connection comes last."""
        super().close()
        try:
            self._keyboard.rest()
        except InsertError as problem:
            logger.debug("spare keys were not freed: %s", problem.reason.name)
        self._clipboards.close()
        self._focus.close()
        disconnect(self._connection)

    def text_around(self, window: int, most: int) -> TextAround | None:
        """See ``Backend``. A terminal exposes its screen, where sentences cannot be recognized."""
        target = self._focus.target()
        return self._told(most) if target.window == window and not is_terminal(target.application) else None

    def _around(self, _focus: FocusedWindow, most: int) -> TextAround | None:
        return self._told(most)

    def _told(self, most: int) -> TextAround | None:
        process = self._focus.process()
        return text_around_cursor(process, most) if process else None

    def _await_focus(self) -> FocusedWindow:
        return self._keyboard.wait_for_window()

    def _press(self, chord: Chord, focus: FocusedWindow) -> None:
        self._keyboard.chord(*chord, window=focus)

    def _press_often(self, chord: Chord, times: int, focus: FocusedWindow) -> None:
        for start in range(0, times, CHUNK):
            self._keyboard.chord(*chord, window=focus, times=min(CHUNK, times - start))
