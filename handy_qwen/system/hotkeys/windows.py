"""Global hotkeys on Windows, through the low-level hooks of pynput.

    WH_KEYBOARD_LL, WH_MOUSE_LL --(pynput's threads)--> HookedKeys --> post

RegisterHotKey was decided against: it takes no lone modifiers and tells no release. The hook sees
every key before the focused program and keeps chords from it. Windows removes a hook that answers late
without a word, so nothing but a dictionary look-up happens there; a key that is let go unnoticed (on
the secure desktop, say, after Ctrl+Alt+Del or Win+L) is found by GetAsyncKeyState. That knows nothing of
keys the hook has swallowed: of a chord, only the modifiers are looked after in this way.

AltGr arrives as a made-up left Ctrl and the right Alt; the made-up one has a scan code of its own and is
passed over, so that AltGr is the right Alt key here.

Not yet run on Windows: written from the documentation, and tested with stand-ins for pynput.
Not seen by any hook: keys for windows of programs with higher rights (User Interface Privilege Isolation).

Source: KBDLLHOOKSTRUCT and "Virtual-Key Codes", https://learn.microsoft.com/windows/win32/inputdev/.
"""

from __future__ import annotations

import ctypes
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from handy_qwen.core.events import HotkeysDied
from handy_qwen.core.ports import Post
from handy_qwen.core.types import Hotkey
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.system.hotkeys.hooked import HookedKeys

logger = logging.getLogger(__name__)

_KEY_DOWN = frozenset({0x0100, 0x0104})  # WM_KEYDOWN, WM_SYSKEYDOWN
_INJECTED = 0x10 | 0x02  # LLKHF_INJECTED, LLKHF_LOWER_IL_INJECTED
_MADE_UP_CTRL = 0x21D  # the scan code of the left Ctrl that comes with AltGr
_PACKET = 0xE7  # VK_PACKET: a character, no key
_BUTTON_CODES = {"left": 0x01, "right": 0x02, "middle": 0x04, "x1": 0x05, "x2": 0x06}  # VK_LBUTTON ...

VIRTUAL_KEYS = {
    "ctrl_l": 0xA2,
    "ctrl_r": 0xA3,
    "shift_l": 0xA0,
    "shift_r": 0xA1,
    "alt_l": 0xA4,
    "alt_r": 0xA5,
    "altgr": 0xA5,
    "super_l": 0x5B,
    "super_r": 0x5C,
    "space": 0x20,
    "enter": 0x0D,
    "tab": 0x09,
    "backspace": 0x08,
    "escape": 0x1B,
    "insert": 0x2D,
    "delete": 0x2E,
    "home": 0x24,
    "end": 0x23,
    "page_up": 0x21,
    "page_down": 0x22,
    "up": 0x26,
    "down": 0x28,
    "left": 0x25,
    "right": 0x27,
    "pause": 0x13,
    "scroll_lock": 0x91,
    "num_lock": 0x90,
    "caps_lock": 0x14,
    "print_screen": 0x2C,
    "menu": 0x5D,
    "media_play_pause": 0xB3,
    "media_stop": 0xB2,
    "media_next": 0xB0,
    "media_previous": 0xB1,
    "volume_up": 0xAF,
    "volume_down": 0xAE,
    "volume_mute": 0xAD,
    "minus": 0xBD,
    "equal": 0xBB,
    "plus": 0xBB,
    "comma": 0xBC,
    "period": 0xBE,
    "slash": 0xBF,
    "semicolon": 0xBA,
    "grave": 0xC0,
    "bracketleft": 0xDB,
    "backslash": 0xDC,
    "bracketright": 0xDD,
    "apostrophe": 0xDE,
}
VIRTUAL_KEYS |= {f"f{n}": 0x6F + n for n in range(1, 25)}
VIRTUAL_KEYS |= {f"kp_{n}": 0x60 + n for n in range(10)}
VIRTUAL_KEYS |= {name: ord(name.upper()) for name in "abcdefghijklmnopqrstuvwxyz0123456789"}


class _Listener(Protocol):
    """What is used of pynput's listeners."""

    def start(self) -> None: ...
    def wait(self) -> None: ...
    def stop(self) -> None: ...
    def is_alive(self) -> bool: ...
    def suppress_event(self) -> None: ...


class WindowsHotkeys:
    """Listens for hotkeys on Windows. Implements HotkeyListener.

    Args:
        post: Takes the events, on pynput's threads and on ``hotkeys``.
        was_injecting: Whether this program was sending keys of its own at a time; any thread, at once.
        is_down: Whether the key or button with this virtual key code is down; for tests.
    """

    def __init__(
        self,
        post: Post,
        *,
        was_injecting: Callable[[float], bool] = lambda _at_s: False,
        is_down: Callable[[int], bool] | None = None,
    ) -> None:
        self._post = post
        self._was_injecting = was_injecting
        self._is_down = is_down or _async_key_state
        self._keys = HookedKeys(post, _codes, self._is_really_down, knows_swallowed=False)
        self._keyboard: _Listener | None = None
        self._mouse: _Listener | None = None

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """Listen for ``hotkeys`` instead of those listened for until now. Waits until the hook is in place.

        Raises:
            HotkeyError: INVALID, or UNSUPPORTED_DESKTOP if Windows refuses the hook.
        """
        if self.has_died():
            self.stop()
        self._keys.use(hotkeys)
        if self._keyboard is not None:
            return
        # Imported late: the module can be loaded, and tested, where pynput is not installed.
        from pynput import keyboard, mouse

        self._keyboard = keyboard.Listener(win32_event_filter=self._on_key)
        self._mouse = mouse.Listener(on_click=self._on_click)
        try:
            for listener in (self._keyboard, self._mouse):
                listener.start()
                listener.wait()
        except OSError as exc:
            self.stop()
            raise HotkeyError(
                "Windows does not let this program listen for hotkeys.",
                HotkeyReason.UNSUPPORTED_DESKTOP,
                "A security program may forbid it; allow it there.",
            ) from exc
        self._keys.watch()

    def check(self, hotkeys: Sequence[Hotkey]) -> None:
        """See ``HotkeyListener``."""
        self._keys.bindings(hotkeys)

    def watch_escape(self, is_wanted: bool) -> None:
        """Report Escape and swallow it only while a take runs. Returns at once."""
        self._keys.watch_escape(is_wanted)

    def has_died(self) -> bool:
        """Whether a hook, or the thread that looks at the keys, ended without being told to. Any thread."""
        hooks = [hook for hook in (self._keyboard, self._mouse) if hook is not None]
        return self._keys.has_died() or any(not hook.is_alive() for hook in hooks)

    def piece(self) -> int | None:
        """The number of the look at the keys that is under way; None between looks. Any thread."""
        return self._keys.piece()

    def own_pieces(self) -> int:
        """How many it has begun of its own accord, in all. Any thread."""
        return self._keys.own_pieces()

    def revive(self) -> None:
        """See ``HotkeyListener``."""
        self._post(HotkeysDied())

    def stop(self) -> None:
        """Stop listening. Safe to call twice."""
        for listener in (self._keyboard, self._mouse):
            if listener is not None:
                listener.stop()
        self._keyboard = self._mouse = None
        self._keys.stop()

    def _on_key(self, message: int, data: Any) -> bool:  # noqa: ANN401 (pynput's KBDLLHOOKSTRUCT)
        """Called on pynput's thread for each key. False keeps pynput from looking at it any further."""
        code = int(data.vkCode)
        is_made_up = code == VIRTUAL_KEYS["ctrl_l"] and int(data.scanCode) == _MADE_UP_CTRL
        if code == _PACKET or is_made_up:
            return False
        is_ours = bool(data.flags & _INJECTED) and self._was_injecting(time.monotonic())
        is_swallowed = self._keys.saw(code, is_press=message in _KEY_DOWN, is_ours=is_ours)
        keyboard = self._keyboard
        if is_swallowed and keyboard is not None:
            keyboard.suppress_event()  # leaves by an exception that pynput expects
        return False

    def _on_click(self, _x: int, _y: int, button: Any, is_press: bool) -> None:  # noqa: ANN401
        """Called on pynput's thread for each mouse button."""
        code = _BUTTON_CODES.get(button.name)
        if code is not None:
            self._keys.saw(-code, is_press=is_press, is_ours=False)

    def _is_really_down(self, code: int) -> bool:
        return self._is_down(abs(code))


def _codes(name: str) -> frozenset[int]:
    return frozenset({VIRTUAL_KEYS[name]}) if name in VIRTUAL_KEYS else frozenset()


def _async_key_state(code: int) -> bool:
    """Whether the key is down now, as the highest bit of GetAsyncKeyState tells."""
    user32 = ctypes.windll.user32  # type: ignore[attr-defined,unused-ignore]  # on Windows only
    return bool(user32.GetAsyncKeyState(code) & 0x8000)
