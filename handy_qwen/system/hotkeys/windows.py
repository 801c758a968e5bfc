"""Global hotkeys on Windows, through the low-level hooks of pynput.

    WH_KEYBOARD_LL, WH_MOUSE_LL --(pynput's threads)--> HookedListener --> post

RegisterHotKey is no alternative: it takes no lone modifiers and reports no release. The hook sees every key
before the focused program and keeps chords from it. Windows silently removes a hook that answers late, so
nothing but a dictionary look-up happens there; and hooks that have seen nothing of the user's last input
(GetLastInputInfo) are set again, more and more seldom while they still see nothing. A release that goes
unnoticed (on the secure desktop, say) is found with GetAsyncKeyState, which knows nothing about keys the hook
has swallowed: of a chord, only the modifiers are checked in this way.

AltGr arrives as a made-up left Ctrl, with a scan code of its own and passed over, and the right Alt. No hook
sees keys for windows of programs with higher rights (User Interface Privilege Isolation).

Source: KBDLLHOOKSTRUCT and "Virtual-Key Codes", https://learn.microsoft.com/windows/win32/inputdev/.
"""

from __future__ import annotations

import ctypes
import time
from typing import Any

from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.message import Message
from handy_qwen.system.hotkeys.listener import CHECK_S, Hook, HookedListener

_KEY_DOWN = frozenset({0x0100, 0x0104})  # WM_KEYDOWN, WM_SYSKEYDOWN
_CLICKS = {  # message -> the virtual key of the button, and whether it went down
    0x0201: (0x01, True),  # WM_LBUTTONDOWN ...
    0x0202: (0x01, False),
    0x0204: (0x02, True),
    0x0205: (0x02, False),
    0x0207: (0x04, True),
    0x0208: (0x04, False),
}
_SIDE_CLICKS = {0x020B: True, 0x020C: False}  # WM_XBUTTONDOWN, WM_XBUTTONUP
_SIDE_BUTTONS = {1: 0x05, 2: 0x06}  # XBUTTON1, XBUTTON2 -> VK_XBUTTON1, VK_XBUTTON2
_INJECTED = 0x10 | 0x02  # LLKHF_INJECTED, LLKHF_LOWER_IL_INJECTED
_MADE_UP_CTRL = 0x21D  # the scan code of the left Ctrl that comes with AltGr
DEAF_MS = 1000  # a hook may be that late; Windows itself waits for it no longer
MOST_PATIENCE_S = 60.0
_PACKET = 0xE7  # VK_PACKET: a character, no key

_CODES = """
    ctrl_l=A2 ctrl_r=A3 shift_l=A0 shift_r=A1 alt_l=A4 alt_r=A5 altgr=A5 super_l=5B super_r=5C
    space=20 enter=0D tab=09 backspace=08 escape=1B insert=2D delete=2E home=24 end=23 page_up=21
    page_down=22 up=26 down=28 left=25 right=27 pause=13 scroll_lock=91 num_lock=90 caps_lock=14
    print_screen=2C menu=5D media_play_pause=B3 media_stop=B2 media_next=B0 media_previous=B1
    volume_up=AF volume_down=AE volume_mute=AD minus=BD equal=BB plus=BB comma=BC period=BE slash=BF
    semicolon=BA grave=C0 bracketleft=DB backslash=DC bracketright=DD apostrophe=DE mouse4=-05
    mouse5=-06
"""
VIRTUAL_KEYS = {name: int(code, 16) for name, code in (one.split("=") for one in _CODES.split())}
VIRTUAL_KEYS |= {f"f{n}": 0x6F + n for n in range(1, 25)}
VIRTUAL_KEYS |= {f"kp_{n}": 0x60 + n for n in range(10)}
VIRTUAL_KEYS |= {name: ord(name.upper()) for name in "abcdefghijklmnopqrstuvwxyz0123456789"}


class WindowsHotkeys(HookedListener):
    """Listens for hotkeys on Windows."""

    KEY_CODES = VIRTUAL_KEYS
    KNOWS_SWALLOWED = False
    _heard_ms = 0  # when the last input that a hook saw was made
    _set_ms, _set_s = -1, 0.0  # when the hooks were set: the last input then, and now as time.monotonic()
    _patience_s = 0.0  # how long hooks may hear nothing from then on before they are set again
    _POINTING = frozenset({-0x01, -0x02, -0x04})

    def _listen(self) -> tuple[Hook, ...]:
        # Imported late: the module can be loaded, and tested, where pynput is not installed.
        from pynput import keyboard, mouse

        keys: Any = keyboard.Listener(
            win32_event_filter=lambda message, data: self._on_key(keys, message, data)
        )
        buttons: Any = mouse.Listener(
            win32_event_filter=lambda message, data: self._on_mouse(buttons, message, data)
        )
        hooks: tuple[Any, ...] = keys, buttons
        try:
            for hook in hooks:
                hook.start()
                hook.wait()
        except OSError as exc:
            for hook in hooks:
                hook.stop()
            title = Message("Windows won't let Handy Qwen listen for hotkeys.")
            hint = Message("A security program may be blocking it; allow it there.")
            raise HotkeyError(title, HotkeyReason.UNSUPPORTED_DESKTOP, hint) from exc
        was_in_vain = self._heard_ms == self._set_ms
        self._patience_s = min(2 * self._patience_s + CHECK_S, MOST_PATIENCE_S) if was_in_vain else 0.0
        self._heard_ms = self._set_ms = last_input_ms()
        self._set_s = time.monotonic()
        return hooks

    def _on_key(self, hook: Any, message: int, data: Any) -> bool:  # noqa: ANN401 (pynput's)
        """Called on pynput's thread for each key. False keeps pynput from looking at it any further."""
        self._heard_ms = int(data.time)
        code = int(data.vkCode)
        is_made_up = code == VIRTUAL_KEYS["ctrl_l"] and int(data.scanCode) == _MADE_UP_CTRL
        if code == _PACKET or is_made_up:
            return False
        is_ours = bool(data.flags & _INJECTED) and self._was_injecting(time.monotonic())
        if self._saw(code, is_press=message in _KEY_DOWN, is_ours=is_ours):
            hook.suppress_event()  # leaves by an exception that pynput expects
        return False

    def _on_mouse(self, hook: Any, message: int, data: Any) -> bool:  # noqa: ANN401 (pynput's)
        """Called on pynput's thread for each movement and click. False as in ``_on_key``."""
        self._heard_ms = int(data.time)
        if message in _SIDE_CLICKS:
            code, is_press = _SIDE_BUTTONS.get(int(data.mouseData) >> 16, 0), _SIDE_CLICKS[message]
        else:
            code, is_press = _CLICKS.get(message, (0, False))
        if code and self._saw(-code, is_press=is_press):
            hook.suppress_event()
        return False

    def _is_deaf(self) -> bool:
        """Also after input that no hook sees: on the secure desktop, for an administrator's program."""
        return DEAF_MS < (last_input_ms() - self._heard_ms) % 2**32 < 2**31

    def _may_renew(self) -> bool:
        """Hooks that have heard nothing at all since they were set are given longer each time."""
        return self._heard_ms != self._set_ms or time.monotonic() >= self._set_s + self._patience_s

    def _is_really_down(self, code: int) -> bool:
        return is_key_down(abs(code))


class _LastInput(ctypes.Structure):  # LASTINPUTINFO
    _fields_ = (("size", ctypes.c_uint32), ("time_ms", ctypes.c_uint32))


def last_input_ms() -> int:
    """When the last key or mouse event was made, in milliseconds since Windows started, modulo 2**32."""
    user32 = ctypes.windll.user32  # type: ignore[attr-defined,unused-ignore]  # on Windows only
    found = _LastInput(ctypes.sizeof(_LastInput))
    user32.GetLastInputInfo(ctypes.byref(found))
    return int(found.time_ms)


def is_key_down(code: int) -> bool:
    """Whether the key or button is down now, as the highest bit of GetAsyncKeyState tells."""
    user32 = ctypes.windll.user32  # type: ignore[attr-defined,unused-ignore]  # on Windows only
    return bool(user32.GetAsyncKeyState(code) & 0x8000)
