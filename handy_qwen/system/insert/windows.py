"""The Windows backend: SendInput and a clipboard that sees who fetches.

Typing sends UTF-16 code units (KEYEVENTF_UNICODE), so no layout is involved. Paste is Ctrl+V by
virtual key, which every layout has, or Shift+Insert where Ctrl+V is a character. Windows of programs
run as administrator get nothing from us (UIPI): then nobody fetches, and the text stays copied.

Threads: see ``Backend``; the clipboard has one of its own. Not run on Windows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from handy_qwen.core.ports import Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.injection import Injection
from handy_qwen.system.insert.win32 import EXTENDED, KEYUP, UNICODE, Api, KeyEvent, Win32
from handy_qwen.system.insert.windows_clipboard import Promise, WindowsClipboard

VK_TAB, VK_RETURN, VK_INSERT, VK_V = 0x09, 0x0D, 0x2D, 0x56
VK_LSHIFT, VK_RSHIFT, VK_LCONTROL, VK_RCONTROL, VK_LMENU, VK_RMENU = range(0xA0, 0xA6)
VK_LWIN, VK_RWIN = 0x5B, 0x5C
MODIFIERS = (VK_LSHIFT, VK_RSHIFT, VK_LCONTROL, VK_RCONTROL, VK_LMENU, VK_RMENU, VK_LWIN, VK_RWIN)
MENUS = frozenset((VK_LMENU, VK_RMENU, VK_LWIN, VK_RWIN))  # alone, they open a menu when they are let go
CONTROLS = frozenset((VK_LCONTROL, VK_RCONTROL))
EXTENDED_KEYS = frozenset((VK_RCONTROL, VK_RMENU, VK_LWIN, VK_RWIN, VK_INSERT))
SHIFT_INSERT_CLASSES = frozenset(("mintty", "PuTTY", "KiTTY", "VirtualConsoleClass"))
KEYS = {"\n": VK_RETURN, "\t": VK_TAB}
CHORDS = {
    Submit.ENTER: (VK_RETURN,),
    Submit.CTRL_ENTER: (VK_LCONTROL, VK_RETURN),
    Submit.SUPER_ENTER: (VK_LWIN, VK_RETURN),
}

RELEASE_WAIT_S, POLL_S = 1.0, 0.01
FETCH_WAIT_S = 4.0
GRACE_S = 0.3  # programs may look twice for one paste
CHUNK, CHUNK_PAUSE_S = 32, 0.005
SUBMIT_PAUSE_S = 0.04

Pause = Callable[[float], object]


class Windows:
    """Implements ``Backend`` on Windows."""

    def __init__(self, pause: Pause, api: Api | None = None) -> None:
        """Make the clipboard's window.

        Raises:
            InsertError: It cannot be made.
        """
        self._api: Api = api or Win32()
        self._pause = pause
        self._injection = Injection()
        self._clipboard = WindowsClipboard(self._api)
        self._due: tuple[float, Promise] | None = None  # when what was there comes back

    def focused(self) -> Target:
        """The foreground window and the name of its program."""
        window = self._api.foreground()
        return Target(window, self._api.executable(self._api.process(window))) if window else Target()

    def type_text(self, text: str) -> None:
        """Type ``text`` as UTF-16 code units.

        Raises:
            InsertError: Nothing was typed.
        """
        self._window()
        self._let_go()
        with self._injection.under_way():
            for start in range(0, len(text), CHUNK):
                events = [event for c in text[start : start + CHUNK] for event in strokes(c)]
                if self._api.send(events) != len(events) and start == 0:
                    raise InsertError("Windows refused the keys.", InsertReason.DENIED_BY_USER)
                self._pause(CHUNK_PAUSE_S)

    def paste_text(self, text: str) -> None:
        """Promise ``text``, press the chord, wait for the window's program to fetch it.

        Raises:
            InsertError: NOT_FETCHED, or another reason if nothing was sent.
        """
        window = self._window()
        self._let_go()
        promise = self._clipboard.promise(text, self._api.process(window))
        self._due = None
        is_terminal = self._api.window_class(window) in SHIFT_INSERT_CLASSES
        try:
            self._chord((VK_LSHIFT, VK_INSERT) if is_terminal else (VK_LCONTROL, VK_V))
        except InsertError:
            self._clipboard.restore(promise)
            raise
        if not promise.fetched.wait(FETCH_WAIT_S):
            raise InsertError("The window did not take the text.", InsertReason.NOT_FETCHED)
        self._due = (time.monotonic() + GRACE_S, promise)

    def copy(self, text: str) -> None:
        """Leave ``text`` on the clipboard.

        Raises:
            InsertError: Another program keeps it open.
        """
        self._clipboard.keep(text)

    def submit(self, submit: Submit) -> None:
        """Press the key after the text.

        Raises:
            InsertError: Windows refused.
        """
        if submit in CHORDS:
            self._pause(SUBMIT_PAUSE_S)
            self._let_go()
            self._chord(CHORDS[submit])

    def rest(self, is_idle: bool) -> float | None:
        """Put back what was on the clipboard, a moment after it was fetched."""
        if self._due is None:
            return None
        at_s, promise = self._due
        left = at_s - time.monotonic()
        if left > 0 and is_idle:
            return left
        if left > 0:
            return 0.0  # the next text takes over what was saved
        self._due = None
        self._clipboard.restore(promise)
        return None

    def was_injecting(self, at_s: float) -> bool:
        """Whether keys of ours were on their way; hooks may also look for EXTRA_INFO."""
        return self._injection.was_injecting(at_s)

    def close(self) -> None:
        """Put back what is due and end the clipboard's thread."""
        if self._due is not None:
            self._clipboard.restore(self._due[1])
        self._clipboard.close(3.0)

    def _window(self) -> int:
        window = self._api.foreground()
        if not window:
            raise InsertError("No window has the focus.", InsertReason.NO_FOCUS, "Click into a text field.")
        return window

    def _held(self) -> list[int]:
        return [key for key in MODIFIERS if self._api.is_down(key)]

    def _let_go(self) -> None:
        """Wait for the user to let go; release for him what he still holds, and never press it again."""
        end = time.monotonic() + RELEASE_WAIT_S
        while (held := self._held()) and time.monotonic() < end:
            self._pause(POLL_S)
        if not held:
            return
        events = [key_event(key, is_press=False) for key in held]
        if MENUS & set(held) and not CONTROLS & set(held):
            events = [*presses((VK_LCONTROL,)), *events]  # makes it a chord: no menu opens
        with self._injection.under_way():
            self._api.send(events)

    def _chord(self, keys: tuple[int, ...]) -> None:
        events = presses(keys)
        with self._injection.under_way():
            if self._api.send(events) != len(events):
                raise InsertError("Windows refused the keys.", InsertReason.DENIED_BY_USER)


def strokes(character: str) -> Iterable[KeyEvent]:
    """The events for one character: its key, or its one or two UTF-16 code units."""
    if character in KEYS:
        return presses((KEYS[character],))
    raw = character.encode("utf-16-le")
    units = [int.from_bytes(raw[at : at + 2], "little") for at in range(0, len(raw), 2)]
    return [KeyEvent(unit=unit, flags=flags) for unit in units for flags in (UNICODE, UNICODE | KEYUP)]


def presses(keys: tuple[int, ...]) -> list[KeyEvent]:
    """``keys`` pressed one after the other and released, the last first."""
    down = [key_event(key, is_press=True) for key in keys]
    return down + [key_event(key, is_press=False) for key in reversed(keys)]


def key_event(key: int, *, is_press: bool) -> KeyEvent:
    """One event of a virtual key."""
    return KeyEvent(key, flags=(EXTENDED if key in EXTENDED_KEYS else 0) | (0 if is_press else KEYUP))
