"""From keys pressed in a window to the name of a hotkey.

Which side a modifier is on, Qt does not tell; the system's own numbers do: keysyms on X11 and Wayland, scan
codes on Windows, key codes on macOS. Modifiers pressed alone keep their side ("ctrl_r"); with another key
either side will do ("ctrl+alt+d").

Source: X11/keysymdef.h; Windows, keyboard scan codes (0x100: extended); macOS, HIToolbox/Events.h.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QKeyEvent

_KEYSYMS = {
    0xFFE1: "shift_l",
    0xFFE2: "shift_r",
    0xFFE3: "ctrl_l",
    0xFFE4: "ctrl_r",
    0xFFE9: "alt_l",
    0xFFEA: "alt_r",
    0xFFE7: "super_l",
    0xFFE8: "super_r",
    0xFFEB: "super_l",
    0xFFEC: "super_r",
    0xFE03: "altgr",
}
_SCAN_CODES = {
    0x02A: "shift_l",
    0x036: "shift_r",
    0x01D: "ctrl_l",
    0x11D: "ctrl_r",
    0x038: "alt_l",
    0x138: "alt_r",
    0x15B: "super_l",
    0x15C: "super_r",
}
_MAC_CODES = {
    0x38: "shift_l",
    0x3C: "shift_r",
    0x3B: "ctrl_l",
    0x3E: "ctrl_r",
    0x3A: "alt_l",
    0x3D: "alt_r",
    0x37: "super_l",
    0x36: "super_r",
}
_MODIFIER_KEYS = {
    Qt.Key.Key_Shift,
    Qt.Key.Key_Control,
    Qt.Key.Key_Alt,
    Qt.Key.Key_AltGr,
    Qt.Key.Key_Meta,
    Qt.Key.Key_Super_L,
    Qt.Key.Key_Super_R,
}
_NAMES = {
    Qt.Key.Key_Space: "space",
    Qt.Key.Key_Return: "enter",
    Qt.Key.Key_Enter: "enter",
    Qt.Key.Key_Tab: "tab",
    Qt.Key.Key_Backtab: "tab",
    Qt.Key.Key_Backspace: "backspace",
    Qt.Key.Key_Insert: "insert",
    Qt.Key.Key_Delete: "delete",
    Qt.Key.Key_Home: "home",
    Qt.Key.Key_End: "end",
    Qt.Key.Key_PageUp: "page_up",
    Qt.Key.Key_PageDown: "page_down",
    Qt.Key.Key_Up: "up",
    Qt.Key.Key_Down: "down",
    Qt.Key.Key_Left: "left",
    Qt.Key.Key_Right: "right",
    Qt.Key.Key_Pause: "pause",
    Qt.Key.Key_ScrollLock: "scroll_lock",
    Qt.Key.Key_Print: "print_screen",
    Qt.Key.Key_Menu: "menu",
    Qt.Key.Key_MediaTogglePlayPause: "media_play_pause",
    Qt.Key.Key_MediaPlay: "media_play_pause",
    Qt.Key.Key_MediaStop: "media_stop",
    Qt.Key.Key_MediaNext: "media_next",
    Qt.Key.Key_MediaPrevious: "media_previous",
    Qt.Key.Key_MicMute: "microphone_mute",
}
_F13_KEYCODE = 191  # evdev's, on X11 and Wayland
_ORDER = ("ctrl", "alt", "altgr", "shift", "super")


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key of the keyboard: the name of a modifier, or of another key; both empty if it has none here."""

    modifier: str = ""
    key: str = ""


def pressed(event: QKeyEvent, platform: str = sys.platform) -> Pressed:
    """What ``event`` is about."""
    modifier = _modifier(event, platform)
    if modifier or event.key() in _MODIFIER_KEYS:
        return Pressed(modifier=modifier)
    if event.modifiers() & Qt.KeyboardModifier.KeypadModifier and platform != "darwin":
        return Pressed(key=_keypad_key(event.key()))
    return Pressed(key=_key(event.key()) or _function_key(event, platform))


def _modifier(event: QKeyEvent, platform: str) -> str:
    if platform == "win32":
        return _SCAN_CODES.get(event.nativeScanCode() & 0x1FF, "") if event.key() in _MODIFIER_KEYS else ""
    if platform == "darwin":
        return _MAC_CODES.get(event.nativeVirtualKey(), "") if event.key() in _MODIFIER_KEYS else ""
    return _KEYSYMS.get(event.nativeVirtualKey(), "")


def _key(code: int) -> str:
    if Qt.Key.Key_F1 <= code <= Qt.Key.Key_F24:
        return f"f{code - Qt.Key.Key_F1 + 1}"
    if Qt.Key.Key_A <= code <= Qt.Key.Key_Z or Qt.Key.Key_0 <= code <= Qt.Key.Key_9:
        return chr(code).lower()
    try:
        return _NAMES.get(QKeyCombination.fromCombined(code).key(), "")
    except ValueError:  # a key that Qt has a number but no name for
        return ""


def _keypad_key(code: int) -> str:
    """Digits only: what else is on the keypad has the names of keys elsewhere, and is not those."""
    return f"kp_{code - Qt.Key.Key_0}" if Qt.Key.Key_0 <= code <= Qt.Key.Key_9 else ""


def _function_key(event: QKeyEvent, platform: str) -> str:
    """F13 to F24 by their place, to which layouts of X11 and Wayland give other keys, or none."""
    number = event.nativeScanCode() - _F13_KEYCODE + 13
    return f"f{number}" if platform == "linux" and number in range(13, 25) else ""


def is_menu_key(chord: str) -> bool:
    """Whether programs use such a chord for menus and buttons: Alt with a letter or a digit."""
    *modifiers, key = chord.split("+")
    families = {name.partition("_")[0] for name in modifiers}
    return len(key) == 1 and key.isalnum() and "alt" in families and families <= {"alt", "shift"}


class Capture:
    """Gathers what is pressed until it is a hotkey: a key with modifiers, or modifiers let go alone."""

    def __init__(self) -> None:
        self._held: list[str] = []
        self._most: list[str] = []

    def press(self, key: Pressed) -> str:
        """A key went down, perhaps one without a name. Returns the chord if it is complete, "" otherwise."""
        if key.modifier:
            if key.modifier not in self._held:
                self._held.append(key.modifier)
            self._most = list(self._held)
            return ""
        self._most = []
        if not key.key:
            return ""  # what is held belonged to that, and is no hotkey when it comes up
        families = dict.fromkeys(name.partition("_")[0] for name in self._held)
        return "+".join([*sorted(families, key=_ORDER.index), key.key])

    def release(self, key: Pressed) -> str:
        """A key came up. Returns the chord if all modifiers are up and no key was among them."""
        if key.modifier in self._held:
            self._held.remove(key.modifier)
        if self._held or not self._most:
            return ""
        alone, self._most = self._most, []
        if len(alone) == 1:
            return alone[0]
        families = dict.fromkeys(name.partition("_")[0] for name in alone)
        return "+".join(sorted(families, key=_ORDER.index)) if len(families) == len(alone) else alone[0]
