"""Unused keycodes that lend themselves to characters the layout does not have.

Each takes two characters, one of them with Shift. A program that gets a key looks its meaning up
when it handles the event, so a keycode must not change its meaning while such events are still on
their way: characters stay on their keycode until the place is needed or the keyboard has been idle,
and the longest unused places go first. Every change makes all programs on the desktop read the
keyboard again, so neighbors change in one request, and both places of a keycode are filled before
the next one is touched. (XkbSetMap could change them all at once, but only by writing the keys in
between as well, on every keyboard: users who have two with different layouts would lose one.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from Xlib import X, Xatom

from handy_qwen.system.insert.x11.connection import XObject
from handy_qwen.system.insert.x11.keymap import SHIFT, Keymap, Stroke

LEFTOVERS = "_HANDY_QWEN_SPARE_KEYCODES"  # on the root window: what a crash left mapped is spare as well
_Place = tuple[int, int]  # keycode, level


class SpareKeys:
    """The spare keycodes of one X server. For the thread of its connection."""

    def __init__(self, connection: XObject) -> None:
        self._display = connection
        self._root = connection.screen().root
        self._leftovers = connection.intern_atom(LEFTOVERS)
        found = self._root.get_full_property(self._leftovers, Xatom.CARDINAL)
        self._ours: set[int] = set(found.value) if found else set()
        self._places: dict[int, _Place] = {}  # keysym -> place, the longest unused first
        self._codes: list[int] = []

    @property
    def capacity(self) -> int:
        """How many characters fit at the same time."""
        return 2 * len(self._codes)

    @property
    def is_in_use(self) -> bool:
        """Whether any keycode carries a character of ours."""
        return bool(self._ours)

    @property
    def codes(self) -> frozenset[int]:
        """The keycodes that are spare or ours."""
        return frozenset(self._codes)

    def adopt(self, keymap: Keymap, reserved: Iterable[int]) -> None:
        """Find out what is spare in ``keymap``, and forget what somebody else has changed since."""
        lost = {place[0] for keysym, place in self._places.items() if not _is_at(keymap, keysym, place)}
        self._places = {k: place for k, place in self._places.items() if place[0] not in lost}
        self._ours = {code for code in self._ours - lost if code in keymap.keys}
        runs = _runs(sorted((set(keymap.empty()) | self._ours) - set(reserved)))
        runs.sort(key=len, reverse=True)  # neighbors first: one change for many
        self._codes = [code for run in runs for code in run]

    def stroke(self, keysym: int) -> Stroke | None:
        """The stroke for ``keysym``, if it has a place."""
        place = self._places.get(keysym)
        return Stroke(place[0], SHIFT if place[1] else 0) if place else None

    def is_in_place(self, keymap: Keymap, wanted: Sequence[int]) -> bool:
        """Whether each of ``wanted`` still is where it was put."""
        places = [(keysym, self._places[keysym]) for keysym in wanted if keysym in self._places]
        return len(places) == len(wanted) and all(_is_at(keymap, keysym, place) for keysym, place in places)

    def needs_change(self, wanted: Sequence[int]) -> bool:
        """Whether ``assign`` would have to change a keycode."""
        return any(keysym not in self._places for keysym in wanted)

    def assign(self, wanted: Sequence[int]) -> None:
        """Give each of ``wanted`` a place; at most ``capacity`` of them."""
        for keysym in wanted:  # used again: to the end of the queue
            if keysym in self._places:
                self._places[keysym] = self._places.pop(keysym)
        taken = set(self._places.values())
        free = [(code, level) for code in self._codes for level in (0, 1) if (code, level) not in taken]
        changed = set()
        for keysym in wanted:
            if keysym in self._places:
                continue
            if not free:
                oldest = next(iter(self._places))
                free.append(self._places.pop(oldest))
            place = free.pop(0)
            self._places[keysym] = place
            changed.add(place[0])
        self._write(changed)

    def release(self) -> None:
        """Take all characters off again."""
        codes, self._places = set(self._ours), {}
        self._write(codes)
        self._ours = set()
        self._root.delete_property(self._leftovers)
        self._display.sync()

    def _write(self, codes: set[int]) -> None:
        if not codes:
            return
        self._ours |= codes
        self._root.change_property(self._leftovers, Xatom.CARDINAL, 32, sorted(self._ours))
        symbols = dict.fromkeys(codes, (X.NONE, X.NONE))
        for keysym, (code, level) in self._places.items():
            if code in symbols:
                low, high = symbols[code]
                # Both levels are filled: a letter alone is taken for a pair, the small letter first.
                symbols[code] = (low or keysym, keysym) if level else (keysym, high or keysym)
        for run in _runs(sorted(codes)):
            self._display.change_keyboard_mapping(run[0], [symbols[code] for code in run])
        self._display.sync()


def _is_at(keymap: Keymap, keysym: int, place: _Place) -> bool:
    code, level = place
    return code in keymap.keys and keysym in keymap.keys[code].symbols[level : level + 1]


def _runs(codes: Sequence[int]) -> list[list[int]]:
    """``codes``, ascending, cut where a number is missing."""
    runs: list[list[int]] = []
    for code in codes:
        if runs and code == runs[-1][-1] + 1:
            runs[-1].append(code)
        else:
            runs.append([code])
    return runs
