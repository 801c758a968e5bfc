"""The Windows back end: SendInput and a clipboard that knows who fetches.

Typing sends UTF-16 code units (KEYEVENTF_UNICODE), independent of the layout. Paste is Ctrl+V by virtual key,
which every layout has, or Shift+Insert where Ctrl+V is a character. Windows of programs run as administrator
get nothing from us (UIPI), which SendInput does not report, so nothing is sent to them.

While typing, we check between chunks that the window still has the focus and no modifier is down. Caps Lock
does not affect code units. Qt windows process characters of two units before all others, and so misplace
them: into those, a text with such a character is pasted.

The text around the cursor is queried from Windows' own text fields, plain and rich edit controls. They are in
Notepad, WordPad and many older programs, and answer to messages, in any process. Programs that draw their own
fields (browsers, Office, Qt) support only UI Automation, and are not queried: browsers become slow as soon as
anybody does. There, the text is unknown.

Threads: see ``Backend``; the clipboard has one of its own.

Source: "Edit Control Messages" (EM_GETSEL), WM_GETTEXT, https://learn.microsoft.com/windows/win32/controls/.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import ClassVar

from handy_qwen.core.types import Submit, Target, TextAround
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message
from handy_qwen.system.insert.backend import (
    Inserted,
    MayRelease,
    Pause,
    always,
    chunks,
    no_focus,
)
from handy_qwen.system.insert.pasting import Chord, PastingBackend
from handy_qwen.system.insert.win32 import EXTENDED, KEYUP, UNICODE, KeyEvent, Win32
from handy_qwen.system.insert.windows_clipboard import WindowsClipboard
from handy_qwen.system.session import Session

VK_BACK, VK_TAB, VK_RETURN, VK_INSERT, VK_V = 0x08, 0x09, 0x0D, 0x2D, 0x56
VK_LSHIFT, VK_RSHIFT, VK_LCONTROL, VK_RCONTROL, VK_LMENU, VK_RMENU = range(0xA0, 0xA6)
VK_LWIN, VK_RWIN = 0x5B, 0x5C
MODIFIERS = (VK_LSHIFT, VK_RSHIFT, VK_LCONTROL, VK_RCONTROL, VK_LMENU, VK_RMENU, VK_LWIN, VK_RWIN)
MENUS = frozenset((VK_LMENU, VK_RMENU, VK_LWIN, VK_RWIN))  # released alone, they open a menu
CONTROLS = frozenset((VK_LCONTROL, VK_RCONTROL))
EXTENDED_KEYS = frozenset((VK_RCONTROL, VK_RMENU, VK_LWIN, VK_RWIN, VK_INSERT))
SHIFT_INSERT_CLASSES = frozenset(("mintty", "PuTTY", "KiTTY", "VirtualConsoleClass"))
KEYS = {"\n": VK_RETURN, "\t": VK_TAB}

CHUNK, CHUNK_PAUSE_S = 32, 0.005
QT = "Qt"  # prefix of its window classes

GET_SELECTION = 0x00B0  # EM_GETSEL
PASSWORD = 0x0020  # ES_PASSWORD, of both kinds
TOO_FAR = 0xFFFF  # positions have 16 bits
EMBEDDED = "\ufffc"  # e.g. a picture


class Windows(PastingBackend[int]):
    """The back end for Windows."""

    NAME, PASTE_LABEL = "SendInput", "Ctrl+V"
    PASTE = (VK_LCONTROL, VK_V)
    BACKSPACE = (VK_BACK,)
    SUBMIT: ClassVar = {
        Submit.ENTER: (VK_RETURN,),
        Submit.CTRL_ENTER: (VK_LCONTROL, VK_RETURN),
        Submit.SUPER_ENTER: (VK_LWIN, VK_RETURN),
    }

    def __init__(self, session: Session, pause: Pause, may_release: MayRelease = always) -> None:
        super().__init__(session, pause, may_release)
        self._api = Win32()
        self._clipboards = WindowsClipboard(self._api)

    def focused(self) -> Target:
        """See ``Backend``."""
        window = self._api.foreground()
        if not window:
            return Target()
        process = self._api.process(window)
        return Target(window, self._api.executable(process), is_out_of_reach=self._is_out_of_reach(process))

    def type_text(self, text: str) -> Inserted:
        """See ``Backend``."""
        window = self._await_focus()
        if self._api.filters_keys():
            raise InsertError(Message("Filter Keys is on."), InsertReason.NOT_TYPEABLE)
        if max(text, default="") > "\uffff" and self._api.window_class(window).startswith(QT):
            raise InsertError(
                Message("The window would misplace some characters."), InsertReason.NOT_TYPEABLE
            )
        typed = 0
        with self._injection.under_way():
            for chunk in chunks(text, len, CHUNK):
                if self._held() and not self._has_released():
                    break
                if self._api.foreground() != window:
                    break
                arrived = self._type(chunk)
                self._pause(CHUNK_PAUSE_S)
                if arrived and self._api.foreground() != window:
                    return Inserted(typed or None, has_focus=False)  # either may have got this chunk
                typed += arrived
                if arrived < len(chunk):
                    break
        has_focus = self._api.foreground() == window
        if not typed and not has_focus:
            raise no_focus()
        if not typed:
            raise InsertError(Message("Windows refused the keys."), InsertReason.DENIED_BY_USER)
        return Inserted(typed, has_focus=has_focus)

    def _type(self, chunk: str) -> int:
        """Send ``chunk``; return how many of its characters Windows accepted."""
        events = [list(strokes(character)) for character in chunk]
        left = self._api.send([event for stroke in events for event in stroke])
        for number, stroke in enumerate(events):
            if left < len(stroke):
                if left and stroke[left].flags & KEYUP:  # pressed, but not released
                    self._api.send(stroke[left : left + 1])
                return number + (left == len(stroke) - 1)
            left -= len(stroke)
        return len(chunk)

    def close(self) -> None:
        """See ``Backend``."""
        super().close()
        self._clipboards.close()

    def _await_focus(self) -> int:
        window = self._api.foreground()
        if not window:
            raise no_focus()
        if self._is_out_of_reach(self._api.process(window)):
            raise InsertError(Message("The window belongs to an administrator."), InsertReason.DENIED_BY_USER)
        self._await_release(self._held)
        if self._held() and not self._has_released():
            raise InsertError(Message("A modifier key is locked."), InsertReason.NOT_TYPEABLE)
        if self._api.foreground() != window:
            raise no_focus()
        return window

    def _is_out_of_reach(self, process: int) -> bool:
        """Whether Windows keeps our keys from a process (User Interface Privilege Isolation)."""
        return self._api.integrity(process) > self._api.integrity(os.getpid())

    def _paste_chord(self, focus: int) -> Chord:
        is_terminal = self._api.window_class(focus) in SHIFT_INSERT_CLASSES
        return (VK_LSHIFT, VK_INSERT) if is_terminal else self.PASTE

    def text_around(self, window: int, most: int) -> TextAround | None:
        """See ``Backend``."""
        return self._around(window, most) if self._api.foreground() == window else None

    def _around(self, focus: int, most: int) -> TextAround | None:
        return text_around_caret(self._api, focus, most)

    def _press(self, chord: Chord, focus: int) -> None:
        if self._await_focus() != focus:  # saving the clipboard may have taken long
            raise no_focus()
        events = presses(chord)
        with self._injection.under_way():
            sent = self._api.send(events)
            if sent < len(chord):  # the last key, for which the others are held, was not pressed
                if sent:
                    self._api.send([key_event(key, is_press=False) for key in reversed(chord[:sent])])
                raise InsertError(Message("Windows refused the keys."), InsertReason.DENIED_BY_USER)
            if sent < len(events):
                self._api.send(events[sent:])

    def _held(self) -> list[int]:
        return [key for key in MODIFIERS if self._api.is_down(key)]

    def _has_released(self) -> bool:
        """Release keys that the user holds; False if Sticky Keys has locked a key."""
        held = self._held()
        events = [key_event(key, is_press=False) for key in held]
        if MENUS & set(held) and not CONTROLS & set(held):
            events = [*presses((VK_LCONTROL,)), *events]  # makes it a chord: no menu opens
        with self._injection.under_way():
            self._api.send(events)
        return not self._held()


def strokes(character: str) -> Iterable[KeyEvent]:
    """The events for one character: its key, or its one or two UTF-16 code units."""
    if character in KEYS:
        return presses((KEYS[character],))
    raw = character.encode("utf-16-le")
    units = [int.from_bytes(raw[at : at + 2], "little") for at in range(0, len(raw), 2)]
    return [KeyEvent(unit=unit, flags=flags) for unit in units for flags in (UNICODE, UNICODE | KEYUP)]


def presses(keys: tuple[int, ...]) -> list[KeyEvent]:
    """Press ``keys`` one after the other and release them in reverse order."""
    down = [key_event(key, is_press=True) for key in keys]
    return down + [key_event(key, is_press=False) for key in reversed(keys)]


def key_event(key: int, *, is_press: bool) -> KeyEvent:
    """One event of a virtual key."""
    return KeyEvent(key, flags=(EXTENDED if key in EXTENDED_KEYS else 0) | (0 if is_press else KEYUP))


def text_around_caret(api: Win32, window: int, most: int) -> TextAround | None:
    """Up to ``most`` characters on either side of the cursor in the focused field of ``window``.

    None: not one of Windows' own, or a password field. Blocks for at most twice ``win32.ANSWER_S``.
    """
    control = api.focused_control(window)
    kind = api.control_class(control).casefold()
    is_rich = kind.startswith("richedit")
    if not (is_rich or kind == "edit") or api.style(control) & PASSWORD:
        return None
    selection = api.ask(control, GET_SELECTION)
    if selection is None:
        return None
    start, end = selection & 0xFFFF, selection >> 16 & 0xFFFF
    if end == TOO_FAR:
        return None
    # In a rich control a line end counts as one unit, but is returned as two, or as "\r" alone.
    text = api.control_text(control, (2 if is_rich else 1) * (end + most))
    if text is None:
        return None
    if is_rich:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    units = text.encode("utf-16-le", "surrogatepass")
    before, marked, after = (
        units[first:last].decode("utf-16-le", "replace").replace("\r\n", "\n")
        for first, last in ((0, 2 * start), (2 * start, 2 * end), (2 * end, None))
    )
    if len(units) < 2 * end or EMBEDDED in before + marked:
        return None
    return TextAround(before[-most:], after[:most].partition(EMBEDDED)[0], is_marked=start != end)
