"""Keyboard maps: the characters and names of keys.

``Keymap`` is the answer to XkbGetMap: key types (which modifiers select which level) and, per key, its
symbols by group and level. With the group from XkbGetState that is exact for any layout, whereas the core
protocol's table, good enough for ``NamedKeys``, is a guess for all but the first group.

Source: as xkb.py; old keysyms (below 0x1000000) from keysymdef.h, which follows the 8-bit character
sets; Latin-1 is the same in both, newer ones are the code point plus 0x1000000.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from Xlib import XK, X

from handy_qwen.system.x11.connection import XObject

XK.load_keysym_group("xkb")
XK.load_keysym_group("xf86")
SHIFT = 1 << 0
LOCK = 1 << 1
UNICODE = 0x01000000
NAMED = {"\n": 0xFF0D, "\t": 0xFF09}
BACKSPACE, RETURN, INSERT, SHIFT_L, CONTROL_L, SUPER_L = 0xFF08, 0xFF0D, 0xFF63, 0xFFE1, 0xFFE3, 0xFFEB
LEVEL3 = 0xFE03
# Shift_L to Hyper_R; ISO_Lock to ISO_Level3_Lock; ISO_Level5_Shift to ISO_Level5_Lock; Mode_switch.
_MODIFIERS = frozenset((*range(0xFFE1, 0xFFEF), *range(0xFE01, 0xFE06), 0xFE11, 0xFE12, 0xFE13, 0xFF7E))
_OLD_SETS = {1: "iso8859_2", 2: "iso8859_3", 3: "iso8859_4", 5: "iso8859_6", 6: "koi8_u", 7: "iso8859_7"}
_OLD_SETS |= {0xC: "iso8859_8", 0xD: "tis_620"}
# The character set has a gap here, but keysyms do not.
_GREEK_SIGMAS = {0x7D2: "\u03a3", 0x7F2: "\u03c3", 0x7F3: "\u03c2"}
# Accented letters have another order than in the character set.
_GREEK_PLAIN = frozenset((*range(0x7C1, 0x7DA), *range(0x7E1, 0x7FA)))
_NAMES = """
    ctrl_l=Control_L ctrl_r=Control_R alt_l=Alt_L,Meta_L alt_r=Alt_R,ISO_Level3_Shift,Meta_R
    altgr=ISO_Level3_Shift,Mode_switch,Alt_R super_l=Super_L,Hyper_L super_r=Super_R,Hyper_R
    enter=Return backspace=BackSpace print_screen=Print volume_down=XF86_AudioLowerVolume
    volume_mute=XF86_AudioMute volume_up=XF86_AudioRaiseVolume media_play_pause=XF86_AudioPlay
    media_stop=XF86_AudioStop media_previous=XF86_AudioPrev media_next=XF86_AudioNext
    microphone_mute=XF86_AudioMicMute
"""
_KEYSYMS = {name: keysyms.split(",") for name, keysyms in (one.split("=") for one in _NAMES.split())}
"""Name of a key -> keysyms; the first one in the layout counts.

The right Alt is ISO_Level3_Shift on most layouts other than US.
"""
_US_KEYCODES = {  # evdev's, the same on every X server with a PC keyboard
    letter: first + place
    for first, row in ((24, "qwertyuiop"), (38, "asdfghjkl"), (52, "zxcvbnm"))
    for place, letter in enumerate(row)
}
_US_KEYCODES |= {f"f{n}": 191 + n - 13 for n in range(13, 25)}
_LAST_COLUMN = 255  # no key has as many
_INVENTED = frozenset({92, 203, 204, 205, 206, 207})  # LVL3 MDSW ALT META SUPR HYPR in xkeyboard-config


@dataclass(frozen=True, slots=True)
class Stroke:
    """One key with the modifiers (mask) that must be held for it."""

    code: int
    modifiers: int


_KeyType = tuple[int, Mapping[int, int]]
"""The modifiers that select the level, and the levels of their combinations; 0 for missing ones."""


@dataclass(frozen=True, slots=True)
class _Key:
    """A key: its types in four groups; the symbol of group ``g``, level ``l`` is at ``g * width + l``."""

    types: tuple[int, ...]
    groups: int
    out_of_range: int
    width: int
    symbols: tuple[int, ...]

    def group(self, wanted: int) -> int:
        """The group of this key that applies when ``wanted`` is active."""
        if wanted < self.groups:
            return wanted
        if self.out_of_range & 0xC0 == 0x40:  # clamp
            return self.groups - 1
        if self.out_of_range & 0xC0 == 0x80:  # redirect
            redirected = self.out_of_range >> 4 & 3
            return redirected if redirected < self.groups else 0
        return wanted % self.groups  # wrap


@dataclass(frozen=True, slots=True)
class Keymap:
    """All keys by keycode, and the key types they refer to."""

    types: tuple[_KeyType, ...]
    keys: Mapping[int, _Key]

    def strokes(self, group: int, locked: int, extra: tuple[int, ...]) -> dict[int, Stroke]:
        """The easiest stroke for each keysym while ``group`` and the modifiers ``locked`` are active.

        ``extra`` are masks of modifiers that may be held, the easiest first: say 0, Shift, AltGr.
        """
        strokes: dict[int, Stroke] = {}
        for held in extra:
            for code, key in self.keys.items():
                if key.groups and (symbol := self._symbol(key, group, locked | held)):
                    strokes.setdefault(symbol, Stroke(code, held))
        return strokes

    def _symbol(self, key: _Key, group: int, modifiers: int) -> int:
        used = key.group(group)
        mask, levels = self.types[key.types[used]]
        place = used * key.width + levels.get(modifiers & mask, 0)
        return key.symbols[place] if place < len(key.symbols) else 0

    def without(self, codes: frozenset[int]) -> Keymap:
        """The same without the keycodes ``codes``."""
        return Keymap(self.types, {code: key for code, key in self.keys.items() if code not in codes})

    def modifiers(self) -> set[int]:
        """Keycodes with the symbol of a modifier, in any group."""
        return {code for code, key in self.keys.items() if _MODIFIERS & set(key.symbols)}

    def empty(self) -> list[int]:
        """Keycodes without any symbol."""
        return [code for code, key in self.keys.items() if not any(key.symbols)]


def parse(data: bytes) -> Keymap:
    """Parse the answer to XkbGetMap, from its ninth byte on."""
    _, _, _, _, types, _, first, _, keys = struct.unpack_from("=2xBBHBBBBHB", data)
    at = 32  # the fixed part of the reply is 40 bytes, 8 of which were cut off
    kinds = []
    for _ in range(types):
        kind, at = _parse_type(data, at)
        kinds.append(kind)
    found = {}
    for code in range(first, first + keys):
        *kinds_by_group, info, width, count = struct.unpack_from("=6BH", data, at)
        symbols = struct.unpack_from(f"={count}I", data, at + 8)
        found[code] = _Key(tuple(kinds_by_group), info & 0x0F, info, width, symbols)
        at += 8 + 4 * count
    return Keymap(tuple(kinds), found)


def _parse_type(data: bytes, at: int) -> tuple[_KeyType, int]:
    mask, entries, does_preserve = struct.unpack_from("=B4xBBx", data, at)
    levels = {}
    for place in range(entries):
        is_active, combination, level = struct.unpack_from("=3B", data, at + 8 + 8 * place)
        if is_active:
            levels[combination] = level
    return (mask, levels), at + 8 + 8 * entries + (4 * entries if does_preserve else 0)


def keysyms_of(character: str) -> tuple[int, ...]:
    """All keysyms of ``character``; the first is the one for a spare key."""
    if character in NAMED:
        return (NAMED[character],)
    point = ord(character)
    if 0x20 <= point <= 0x7E or 0xA0 <= point <= 0xFF:
        return (point, UNICODE | point)
    old = _old_keysyms().get(character)
    return (UNICODE | point, old) if old else (UNICODE | point,)


_OLD: dict[str, int] = {"€": 0x20AC}


def _old_keysyms() -> Mapping[str, int]:
    """Characters that layouts may name by a keysym from before Unicode. Only letters, which are reliable."""
    if len(_OLD) == 1:
        for page, encoding in _OLD_SETS.items():
            for low in range(0xA1, 0x100):
                keysym = page << 8 | low
                character = bytes([low]).decode(encoding, "ignore")
                is_sure = page != 7 or keysym in _GREEK_PLAIN - _GREEK_SIGMAS.keys()
                if character.isalpha() and is_sure:
                    _OLD.setdefault(character, keysym)
        _OLD.update({character: keysym for keysym, character in _GREEK_SIGMAS.items()})
    return _OLD


class NamedKeys:
    """The keys of ``display`` by name, in the current keyboard map.

    A letter that the layout cannot type (Latin ones on a Russian layout) means the key that types it on a US
    keyboard; F13 to F24, whose places xkeyboard-config uses for media keys, mean those places. Keycodes that
    it invented to carry a modifier, and no key sends, are left out, but they do reveal the mask of a key with
    their keysym: AltGr is in the server's table of modifiers only through such a one.
    """

    def __init__(self, display: XObject) -> None:
        first, last = display.display.info.min_keycode, display.display.info.max_keycode
        rows = display.get_keyboard_mapping(first, last - first + 1)
        self._columns: dict[int, dict[int, int]] = {}  # keysym -> keycode -> its lowest column
        self._invented: dict[int, set[int]] = {}  # keysym -> keycodes
        for code, row in enumerate(rows, start=first):
            for column, keysym in enumerate(row):
                if keysym and code in _INVENTED:
                    self._invented.setdefault(int(keysym), set()).add(code)
                elif keysym:
                    self._columns.setdefault(int(keysym), {}).setdefault(code, column)
        self._modifiers = [frozenset(row) - {0} for row in display.get_modifier_mapping()]

    def codes(self, name: str) -> frozenset[int]:
        """The keycodes with ``name`` on the lowest level; empty if there is no such key."""
        return frozenset(code for code, _, _ in self._places(name))

    def names(self, names: Sequence[str]) -> dict[int, str]:
        """The name of each keycode: the one of ``names`` with its keysym on the lowest level.

        The first keysym of a name has priority: what is Alt on one layout is AltGr on another.
        """
        best: dict[int, tuple[int, int, str]] = {}
        for name in names:
            for code, column, rank in self._places(name):
                if code not in best or (column, rank) < best[code][:2]:
                    best[code] = column, rank, name
        return {code: name for code, (_, _, name) in best.items()}

    def _places(self, name: str) -> list[tuple[int, int, int]]:
        """Each keycode of ``name``, the column of its keysym, and which of its keysyms that is."""
        # Without an entry: space, Page_Up, KP_1.
        written = _KEYSYMS.get(name, (name, name.title(), name.upper()))
        for rank, keysym in enumerate(map(XK.string_to_keysym, written)):
            columns = self._columns.get(keysym)
            if columns:
                lowest = min(columns.values())
                return [(code, column, rank) for code, column in columns.items() if column == lowest]
        return [(_US_KEYCODES[name], _LAST_COLUMN, 0)] if name in _US_KEYCODES else []

    def modifiers(self, codes: Collection[int]) -> list[int]:
        """The modifier masks that the keys ``codes`` set, the lowest first."""
        carriers = set(codes)
        for keysym, invented in self._invented.items():
            if 0 in map(self._columns.get(keysym, {}).get, codes):  # on the lowest level of one of them
                carriers |= invented
        return [1 << row for row, members in enumerate(self._modifiers) if members & carriers]

    def lock_masks(self) -> list[int]:
        """Every combination of Caps Lock, Num Lock and Scroll Lock: a grab applies to one of them only."""
        locks = {X.LockMask}.union(
            *(self.modifiers(self.codes(name)) for name in ("num_lock", "scroll_lock"))
        )
        chosen = itertools.product(*((0, lock) for lock in sorted(locks)))
        return [sum(combination) for combination in chosen]
