"""The Windows backend: SendInput and a clipboard that sees who fetches.

Typing sends UTF-16 code units (KEYEVENTF_UNICODE), so no layout is involved. Paste is Ctrl+V by
virtual key, which every layout has, or Shift+Insert where Ctrl+V is a character. Windows of programs
run as administrator get nothing from us (UIPI), and SendInput does not say so: nothing is sent to them.

Between the pieces of a text we look whether the window still has the focus and no modifier is down.
Caps Lock does not change code units. Qt loses the place of characters of two units that come together
with others, so each of those gets its own piece and time.

Threads: see ``Backend``; the clipboard has one of its own. Not run on Windows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from handy_qwen.core.types import Submit, Target
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.insert.backend import Deadline, DelayedRestore, Injection, Inserted, chunks, no_focus
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
WIDE_PAUSE_S = 0.03  # before and after a character of two code units
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
        self._promise: Promise | None = None  # the paste that is over, but for what comes back
        self._giving_back = DelayedRestore(self._restore)

    @property
    def clipboard_thread(self) -> WatchedThread:
        """The thread that has the clipboard's window."""
        return self._clipboard.thread

    def focused(self) -> Target:
        """The foreground window and the name of its program."""
        window = self._api.foreground()
        return Target(window, self._api.executable(self._api.process(window))) if window else Target()

    def prepare(self, is_awaited: Callable[[], bool]) -> None:
        """Take what is on the clipboard."""
        self._clipboard.take(Deadline(is_awaited))

    def type_text(self, text: str) -> Inserted:
        """Type ``text`` as UTF-16 code units.

        Raises:
            InsertError: Nothing was typed.
        """
        window = self._window()
        if self._api.filters_keys():
            raise InsertError("Filter Keys is on.", InsertReason.NOT_TYPEABLE)
        typed = 0
        with self._injection.under_way():
            for piece in chunks(text, len, CHUNK, alone=_is_wide):
                if self._held() and not self._has_released():
                    break
                if self._api.foreground() != window:
                    break
                if _is_wide(piece):
                    self._pause(WIDE_PAUSE_S)
                arrived = self._type(piece)
                self._pause(WIDE_PAUSE_S if _is_wide(piece) else CHUNK_PAUSE_S)
                if arrived and self._api.foreground() != window:
                    return Inserted(typed or None, has_focus=False)  # which of the two got this piece?
                typed += arrived
                if arrived < len(piece):
                    break
        has_focus = self._api.foreground() == window
        if not typed and not has_focus:
            raise no_focus()
        if not typed:
            raise InsertError("Windows refused the keys.", InsertReason.DENIED_BY_USER)
        return Inserted(typed, has_focus=has_focus)

    def _type(self, piece: str) -> int:
        """Send ``piece``; returns how many of its characters Windows took."""
        events = [list(strokes(character)) for character in piece]
        left = self._api.send([event for stroke in events for event in stroke])
        for number, stroke in enumerate(events):
            if left < len(stroke):
                if left and stroke[left].flags & KEYUP:  # pressed, but not released
                    self._api.send(stroke[left : left + 1])
                return number + (left == len(stroke) - 1)
            left -= len(stroke)
        return len(piece)

    def paste_text(self, text: str) -> Inserted:
        """Promise ``text``, press the chord, wait for the window's program to fetch it.

        Raises:
            InsertError: Nothing was sent.
        """
        self._clipboard.take(Deadline())  # slow: where the keys go, and what is held, counts afterwards
        window = self._window()
        promise = self._clipboard.promise(text, self._api.process(window))
        self._promise = promise
        self._giving_back.forget()
        is_terminal = self._api.window_class(window) in SHIFT_INSERT_CLASSES
        try:
            if self._api.foreground() != window:
                raise no_focus()
            self._chord((VK_LSHIFT, VK_INSERT) if is_terminal else (VK_LCONTROL, VK_V))
        except InsertError:
            self._giving_back.after(0.0)
            self._giving_back.now()
            raise
        if not promise.fetched.wait(FETCH_WAIT_S):
            return Inserted(None, may_copy=self._clipboard.is_ours())
        self._giving_back.after(GRACE_S)
        return Inserted(len(text))

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
            self._window()
            self._chord(CHORDS[submit])

    def rest(self, is_idle: bool) -> float | None:
        """Put back what was on the clipboard, a moment after it was fetched."""
        return self._giving_back.rest(is_idle)

    def was_injecting(self, at_s: float) -> bool:
        """Whether keys of ours were on their way; hooks may also look for EXTRA_INFO."""
        return self._injection.was_injecting(at_s)

    def close(self) -> None:
        """Put back what is due and end the clipboard's thread."""
        self._giving_back.now()
        self._clipboard.close(3.0)

    def _restore(self) -> None:
        if self._promise is not None:
            self._clipboard.restore(self._promise)

    def _window(self) -> int:
        """The window with the focus, once the user has let go of his keys.

        Raises:
            InsertError: There is none, or another one since, or it gets no keys of ours, or a key cannot be
                let go of.
        """
        window = self._api.foreground()
        if not window:
            raise no_focus()
        if self._api.is_elevated(self._api.process(window)) and not self._api.is_elevated(os.getpid()):
            raise InsertError("The window belongs to an administrator.", InsertReason.DENIED_BY_USER)
        end = time.monotonic() + RELEASE_WAIT_S
        while self._held() and time.monotonic() < end:
            self._pause(POLL_S)
        if self._held() and not self._has_released():
            raise InsertError("A modifier key is locked.", InsertReason.NOT_TYPEABLE)
        if self._api.foreground() != window:
            raise no_focus()
        return window

    def _held(self) -> list[int]:
        return [key for key in MODIFIERS if self._api.is_down(key)]

    def _has_released(self) -> bool:
        """Release for the user what he still holds, and never press it again.

        Returns whether nothing is down any more: what Sticky Keys has locked stays.
        """
        held = self._held()
        events = [key_event(key, is_press=False) for key in held]
        if MENUS & set(held) and not CONTROLS & set(held):
            events = [*presses((VK_LCONTROL,)), *events]  # makes it a chord: no menu opens
        with self._injection.under_way():
            self._api.send(events)
        return not self._held()

    def _chord(self, keys: tuple[int, ...]) -> None:
        """Press ``keys`` together.

        Raises:
            InsertError: Windows refused; what was pressed of it has been released.
        """
        events = presses(keys)
        with self._injection.under_way():
            sent = self._api.send(events)
            if sent < len(keys):  # the last key, for which the others are held, was not pressed
                if sent:
                    self._api.send([key_event(key, is_press=False) for key in reversed(keys[:sent])])
                raise InsertError("Windows refused the keys.", InsertReason.DENIED_BY_USER)
            if sent < len(events):
                self._api.send(events[sent:])


def _is_wide(piece: str) -> bool:
    """Whether it is one character of two UTF-16 code units."""
    return len(piece) == 1 and piece > "\uffff"


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
