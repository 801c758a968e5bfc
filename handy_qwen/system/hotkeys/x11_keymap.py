"""Which keycodes and modifier masks the names of keys have, under the keyboard layout in force.

A letter that the layout does not write (Latin ones on a Russian layout) means the key that writes it
on a US keyboard; F13 to F24, whose places xkeyboard-config gives to media keys, mean those places. Keycodes
that it invented to carry a modifier no key sends are left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection

from Xlib import XK, X
from Xlib.display import Display

from handy_qwen.system.hotkeys.chord import MODIFIERS, SIDES, Chord, missing_key
from handy_qwen.system.hotkeys.tracker import Binding

XK.load_keysym_group("xkb")  # ISO_Level3_Shift
_KEYSYMS: dict[str, tuple[str, ...]] = {  # the first that the layout has; the rest stand in for it
    "ctrl_l": ("Control_L",),
    "ctrl_r": ("Control_R",),
    "shift_l": ("Shift_L",),
    "shift_r": ("Shift_R",),
    "alt_l": ("Alt_L", "Meta_L"),
    "alt_r": ("Alt_R", "ISO_Level3_Shift", "Meta_R"),  # the same key, as most layouts other than US have it
    "altgr": ("ISO_Level3_Shift", "Mode_switch", "Alt_R"),
    "super_l": ("Super_L", "Hyper_L"),
    "super_r": ("Super_R", "Hyper_R"),
    "enter": ("Return",),
    "tab": ("Tab",),
    "backspace": ("BackSpace",),
    "page_up": ("Page_Up",),
    "page_down": ("Page_Down",),
    "print_screen": ("Print",),
    "scroll_lock": ("Scroll_Lock",),
    "num_lock": ("Num_Lock",),
    "caps_lock": ("Caps_Lock",),
}
_KEYSYMS |= {f"kp_{n}": (f"KP_{n}",) for n in range(10)}
_MEDIA_KEYSYMS = {  # XF86keysym.h
    "volume_down": 0x1008FF11,
    "volume_mute": 0x1008FF12,
    "volume_up": 0x1008FF13,
    "media_play_pause": 0x1008FF14,
    "media_stop": 0x1008FF15,
    "media_previous": 0x1008FF16,
    "media_next": 0x1008FF17,
    "microphone_mute": 0x1008FFB2,
}
_US_KEYCODES = {  # evdev's, the same on every X server with a PC keyboard
    letter: first + place
    for first, row in ((24, "qwertyuiop"), (38, "asdfghjkl"), (52, "zxcvbnm"))
    for place, letter in enumerate(row)
}
_US_KEYCODES |= {f"f{n}": 191 + n - 13 for n in range(13, 25)}
_INVENTED = frozenset({92, 203, 204, 205, 206, 207})  # LVL3 MDSW ALT META SUPR HYPR in xkeyboard-config


class Keymap:
    """The keyboard mapping of ``display`` as it is now."""

    def __init__(self, display: Display) -> None:
        first, last = display.display.info.min_keycode, display.display.info.max_keycode
        rows = display.get_keyboard_mapping(first, last - first + 1)
        self._columns: dict[int, dict[int, int]] = {}  # keysym -> keycode -> its lowest column
        for code, row in enumerate(rows, start=first):
            for column, keysym in enumerate(row):
                if keysym and code not in _INVENTED:
                    self._columns.setdefault(int(keysym), {}).setdefault(code, column)
        self._masks = [frozenset(row) - {0} for row in display.get_modifier_mapping()]
        self.modifiers = frozenset().union(*(self.codes(name) for name in MODIFIERS))
        self.escape = self.codes("escape")

    def codes(self, name: str) -> frozenset[int]:
        """The keycodes that have ``name`` on the lowest level; none if there is no such key."""
        if name in SIDES:
            return frozenset().union(*(self.codes(side) for side in SIDES[name]))
        for keysym in _keysyms(name):
            columns = self._columns.get(keysym)
            if columns:
                lowest = min(columns.values())
                return frozenset(code for code, column in columns.items() if column == lowest)
        return frozenset({_US_KEYCODES[name]}) if name in _US_KEYCODES else frozenset()

    def binding(self, hotkey: int, chord: Chord) -> Binding:
        """Hotkey number ``hotkey`` in keycodes.

        Raises:
            HotkeyError: This keyboard has no such key.
        """
        modifiers = tuple(self._required(name) for name in chord.modifiers)
        key = self._required(chord.key) if chord.key else frozenset()
        return Binding(hotkey, modifiers, key)

    def mask(self, chord: Chord) -> int:
        """The modifier mask of ``chord``.

        Raises:
            HotkeyError: One of its modifiers has no modifier bit under this layout.
        """
        mask = 0
        for name in chord.modifiers:
            codes = self.codes(name)
            bits = [1 << row for row, members in enumerate(self._masks) if members & codes]
            if not bits:
                raise missing_key(name)
            mask |= bits[0]
        return mask

    def held_mask(self, codes: Collection[int]) -> int:
        """The modifiers that the keys ``codes`` hold down."""
        return sum(1 << row for row, members in enumerate(self._masks) if members.intersection(codes))

    def lock_masks(self) -> list[int]:
        """Every combination of Caps Lock, Num Lock and Scroll Lock: a grab holds for one of them only."""
        locks = {X.LockMask}
        for name in ("num_lock", "scroll_lock"):
            codes = self.codes(name)
            locks |= {1 << row for row, members in enumerate(self._masks) if members & codes}
        chosen = itertools.product(*((0, lock) for lock in sorted(locks)))
        return [sum(combination) for combination in chosen]

    def _required(self, name: str) -> frozenset[int]:
        codes = self.codes(name)
        if not codes:
            raise missing_key(name)
        return codes


def _keysyms(name: str) -> list[int]:
    if name in _MEDIA_KEYSYMS:
        return [_MEDIA_KEYSYMS[name]]
    written = _KEYSYMS.get(name, (name, name.capitalize()))
    return [keysym for keysym in map(XK.string_to_keysym, written) if keysym]
