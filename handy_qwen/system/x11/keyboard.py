"""Keys by XTEST: text and chords, whatever the layout.

A character that the layout in force has is typed with its own key (and Shift or AltGr); the others
get spare keycodes. With more different characters than places the text is typed in several batches,
and before a keycode changes its meaning we wait until the window has dealt with the keys before.

Locked modifiers are taken off while keys are pressed, and put back: Ctrl makes a command of every
letter, and programs turn letters around under Caps Lock even on keys whose type ignores it. Num Lock
stays. Before each few keys we look, with the X server to ourselves, whether they would still do what
they are meant to: the window has the focus, the layout is the same, nothing is locked or held.

Accessibility features hold for our keys as for the user's, and are left as they are. With Slow Keys
or Bounce Keys nothing is typed, and chords are pressed as slowly as they ask for; with Sticky Keys
modifiers are tapped before the key: held, they would switch the feature off.
"""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from Xlib import X, Xatom
from Xlib.ext import xtest

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.backend import Injection, Inserted, no_focus, unsupported
from handy_qwen.system.x11 import keymap as km
from handy_qwen.system.x11.connection import XObject, guarded, server_grab
from handy_qwen.system.x11.keymap import SHIFT, Keymap, Stroke
from handy_qwen.system.x11.xkb import Access, Xkb

logger = logging.getLogger(__name__)

MAX_PLANS = 8  # a layout that changes more often under one text is not going to stay
ACCEPTED_S = 0.03  # what is added to the time that Slow Keys and Bounce Keys ask for
MAX_BATCHES = 8  # beyond that the whole desktop is kept busy reading keyboards: paste is better
CHUNK = 8  # keys between two looks at what the user holds
CHUNK_PAUSE_S = 0.002  # about 4,000 characters a second: nothing is flooded
SETTLE_S = 0.02  # after a change of keycodes; programs need not have read it, but window managers re-grab
DROPPED_LOCKS: int = 0xFF & ~X.Mod2Mask  # all modifiers but Num Lock, by convention the second
LEVEL3_MASKS = (X.Mod5Mask, X.Mod4Mask, X.Mod3Mask, X.Mod1Mask)

Pause = Callable[[float], object]
"""Waits for so many seconds, or until the program ends."""


class _End(enum.Enum):
    """Why typing came to a halt."""

    DONE = enum.auto()
    FOCUS_LOST = enum.auto()
    CHANGED = enum.auto()  # the layout, a lock, an accessibility feature, a key held


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a text is typed, and the keyboard that this holds for."""

    layout: km.Keymap  # without the spare keycodes
    group: int
    access: Access
    ways: dict[int, km.Stroke]
    presses: dict[int, km.Stroke | None]  # by modifier mask: the key for it
    batches: Sequence[tuple[str, list[int]]]  # each with the keysyms that need a spare place for it


class Keyboard:
    """The keyboard of one X server. For the thread of its connection."""

    def __init__(self, connection: XObject, injection: Injection, pause: Pause) -> None:
        """Find the extensions.

        Raises:
            InsertError: The X server lacks XTEST or XKEYBOARD.
        """
        self._display = connection
        self._injection = injection
        self._pause = pause
        if not connection.has_extension("XTEST"):
            raise unsupported("Pressing keys (the XTEST extension)")
        self._xkb = Xkb(connection)
        self._spare = SpareKeys(connection)

    # --- single keys -------------------------------------------------------------------------------

    def send(self, code: int, *, is_press: bool) -> None:
        """Press or release the key ``code``. To be called inside ``sending``."""
        xtest.fake_input(self._display, X.KeyPress if is_press else X.KeyRelease, code)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Keys are sent inside; hotkeys must not hear them. Ends when the X server has dealt with them."""
        with self._injection.under_way():
            try:
                yield
            finally:
                self.flush()

    def flush(self) -> None:
        """Return when the X server has dealt with everything sent."""
        self._display.sync()

    def held(self) -> set[int]:
        """The keycodes that are down."""
        bits = self._display.query_keymap()
        return {code for code in range(8, 256) if bits[code >> 3] & (1 << (code & 7))}

    def modifier_codes(self) -> dict[int, int]:
        """Modifier mask by keycode, of all keys that are modifiers.

        The mask is 0 for keys that are known by their symbol alone: the X server names AltGr by the
        keycode of a key that is on no keyboard.
        """
        codes = dict.fromkeys(km.parse(self._xkb.map_bytes()).modifiers(), 0)
        rows = self._display.get_modifier_mapping()
        return codes | {code: 1 << place for place, row in enumerate(rows) for code in row if code}

    # --- chords ------------------------------------------------------------------------------------

    def chord(self, *keysyms: int, is_there: Callable[[], bool], keep_up: Callable[[], bool]) -> None:
        """Press ``keysyms`` one after the other and release them, the last first.

        Args:
            keysyms: The keys; all but the last are modifiers.
            is_there: Whether the keys still go where they should; asked when nobody else can change it.
            keep_up: Then called as well: releases modifiers that were pressed meanwhile; False: it may not.

        Raises:
            InsertError: The layout lacks one of them, the X server refuses, or they would go elsewhere.
        """
        with guarded("Pressing a key"), self.sending(), self._without_locks():
            layout = km.parse(self._xkb.map_bytes())
            ways = self._layout_ways(layout)
            strokes = [ways.get(keysym) for keysym in keysyms]
            codes = [stroke.code for stroke in strokes if stroke is not None]
            if len(codes) < len(keysyms):
                raise unsupported("A key of the chord")
            access = self._xkb.access()
            if access.bounce_s:
                self._pause(access.bounce_s + ACCEPTED_S)  # since a key of ours or the user's
            with self._at(is_there) as goes_there:
                if not goes_there:
                    raise no_focus()
                if not keep_up():
                    raise InsertError("A key is held.", InsertReason.NOT_TYPEABLE)
                if not access.slow_s:
                    self._strike(codes[:-1], codes[-1], access)
                    return
            self._strike(codes[:-1], codes[-1], access)

    def _strike(self, held: Sequence[int], code: int, access: Access) -> None:
        """Press and release the key ``code`` with the modifiers ``held``."""
        taps = held if access.is_sticky else ()
        for tapped in taps:
            self._press(tapped, access)
            self.send(tapped, is_press=False)
        downs = (code,) if access.is_sticky else (*held, code)
        for down in downs:
            self._press(down, access)
        for up in reversed(downs):
            self.send(up, is_press=False)

    def _press(self, code: int, access: Access) -> None:
        self.send(code, is_press=True)
        if access.slow_s:
            self.flush()
            self._pause(access.slow_s + ACCEPTED_S)

    @contextmanager
    def _at(self, is_there: Callable[[], bool]) -> Iterator[bool]:
        """Look, and act inside before anybody else can change what was seen."""
        with server_grab(self._display):
            yield is_there()

    # --- text --------------------------------------------------------------------------------------

    def type_text(
        self,
        text: str,
        *,
        is_there: Callable[[], bool],
        let_go: Callable[[], None],
        keep_up: Callable[[], bool],
        barrier: Callable[[], None],
    ) -> Inserted:
        """Type ``text``, as far as it goes.

        Args:
            text: What to type; a line feed is Return.
            is_there: Whether keys still go to the window that the text is for.
            let_go: Returns when no modifier is down.
            keep_up: Called between keys: releases modifiers that were pressed meanwhile; False: it may not.
            barrier: Returns when the focused window has dealt with all keys so far.

        Raises:
            InsertError: It cannot be typed here; nothing was.
        """
        self._typed = 0
        end = _End.CHANGED
        try:
            for _ in range(MAX_PLANS):
                with guarded("Typing"):
                    let_go()
                    with self.sending(), self._without_locks():
                        plan = self._plan(text[self._typed :])
                        end = self._follow(plan, is_there, keep_up, barrier)
                if end is not _End.CHANGED:
                    break
                logger.info("the keyboard changed while a text was typed")
        except InsertError as problem:
            if not self._typed:
                raise
            logger.info("typing stopped: %s", problem.reason.name)
        if not self._typed and end is _End.FOCUS_LOST:
            raise no_focus()
        if not self._typed:
            raise InsertError("The keyboard does not keep still.", InsertReason.NOT_TYPEABLE)
        return Inserted(self._typed, has_focus=end is not _End.FOCUS_LOST)

    def rest(self) -> None:
        """Take the characters off the spare keycodes."""
        if self._spare.is_in_use:
            with guarded("Freeing keys"):
                self._spare.release()

    @property
    def is_resting(self) -> bool:
        """Whether no spare keycode carries a character of ours."""
        return not self._spare.is_in_use

    def _plan(self, text: str) -> _Plan:
        access = self._xkb.access()
        if access.slow_s or access.bounce_s:
            raise InsertError("Slow Keys or Bounce Keys is on.", InsertReason.NOT_TYPEABLE)
        self._has_map_changed()  # what changed until now is in the map that is read next
        layout = km.parse(self._xkb.map_bytes())
        # The last keycode is the hotkeys': they tap it to end auto-repeat, and it must mean nothing.
        reserved = {*self.modifier_codes(), self._display.display.info.max_keycode}
        self._spare.adopt(layout, reserved)
        plain = layout.without(self._spare.codes)
        ways = self._layout_ways(plain)
        presses = {km.SHIFT: ways.get(km.SHIFT_L), self._level3_mask(layout): ways.get(km.LEVEL3)}
        return _Plan(plain, self._xkb.state().group, access, ways, presses, self._batches(text, ways))

    def _follow(
        self,
        plan: _Plan,
        is_there: Callable[[], bool],
        keep_up: Callable[[], bool],
        barrier: Callable[[], None],
    ) -> _End:
        for number, (piece, missing) in enumerate(plan.batches):
            if self._spare.needs_change(missing):
                if number:
                    barrier()
                self._spare.assign(missing)
                self._pause(SETTLE_S)
            for start in range(0, len(piece), CHUNK):
                chunk = piece[start : start + CHUNK]
                with self._at(is_there) as goes_there:
                    if not goes_there:
                        return _End.FOCUS_LOST
                    if not keep_up() or not self._holds(plan, missing):
                        return _End.CHANGED
                    for character in chunk:
                        self._type(character, plan)
                self.flush()
                self._typed += len(chunk)
                self._pause(CHUNK_PAUSE_S)
        return _End.DONE

    def _holds(self, plan: _Plan, missing: Sequence[int]) -> bool:
        """Whether the keyboard still is what ``plan`` was made for."""
        state = self._xkb.state()
        if state.group != plan.group or state.latched or (state.held | state.locked) & DROPPED_LOCKS:
            return False
        if self._xkb.access() != plan.access:
            return False
        if not self._has_map_changed():
            return True
        layout = km.parse(self._xkb.map_bytes())
        return layout.without(self._spare.codes) == plan.layout and self._spare.is_in_place(layout, missing)

    def _has_map_changed(self) -> bool:
        """Whether the X server has announced another keyboard map since this was asked last."""
        has_changed = False
        while self._display.pending_events():
            has_changed |= self._display.next_event().type == self._xkb.map_event
        return has_changed

    def _type(self, character: str, plan: _Plan) -> None:
        keysyms = km.keysyms_of(character)
        ways = plan.ways
        stroke = next((ways[k] for k in keysyms if k in ways), None) or self._spare.stroke(keysyms[0])
        assert stroke is not None, "the batches provide for every character"
        held = [key.code for mask, key in plan.presses.items() if key and stroke.modifiers & mask]
        self._strike(held, stroke.code, plan.access)

    def _batches(self, text: str, ways: dict[int, km.Stroke]) -> list[tuple[str, list[int]]]:
        """Cut ``text`` into pieces, each with the keysyms that need a spare place for it."""
        missing = [
            None if any(k in ways for k in km.keysyms_of(character)) else km.keysyms_of(character)[0]
            for character in text
        ]
        different = len({keysym for keysym in missing if keysym is not None})
        capacity = self._spare.capacity
        # In several batches, one half of the places rests while the other is used.
        limit = capacity if different <= capacity else capacity // 2
        if different and (not limit or different > limit * MAX_BATCHES):
            raise InsertError("The text has characters that cannot be typed.", InsertReason.NOT_TYPEABLE)
        batches: list[tuple[str, list[int]]] = []
        start, wanted = 0, dict[int, None]()
        for place, keysym in enumerate(missing):
            if keysym is None or keysym in wanted:
                continue
            if len(wanted) == limit:
                batches.append((text[start:place], list(wanted)))
                start, wanted = place, {}
            wanted[keysym] = None
        batches.append((text[start:], list(wanted)))
        if len(batches) > MAX_BATCHES * 2:
            raise InsertError("The text has too many different characters.", InsertReason.NOT_TYPEABLE)
        return batches

    def _layout_ways(self, layout: km.Keymap) -> dict[int, km.Stroke]:
        """The strokes of ``layout`` in the group in force, by keysym; no modifier but Num Lock is locked."""
        state = self._xkb.state()
        locked = state.locked & ~DROPPED_LOCKS
        ways = layout.strokes(state.group, locked, (0,))
        extra = [0] + ([km.SHIFT] if km.SHIFT_L in ways else [])
        level3 = self._level3_mask(layout) if km.LEVEL3 in ways else 0
        extra += [level3, level3 | km.SHIFT] if level3 and km.SHIFT_L in ways else []
        return layout.strokes(state.group, locked, tuple(extra))

    def _level3_mask(self, layout: km.Keymap) -> int:
        """The modifier that AltGr sets; by convention the fifth, but layouts may differ."""
        codes = self.modifier_codes()
        masks = {
            m for code, m in codes.items() if code in layout.keys and km.LEVEL3 in layout.keys[code].symbols
        }
        return next((mask for mask in LEVEL3_MASKS if mask in masks), 0)

    @contextmanager
    def _without_locks(self) -> Iterator[None]:
        """No modifier is latched or locked inside, but Num Lock; those that were are locked again afterwards.

        A lock that the user sets or takes off meanwhile is respected at the end.
        """
        wanted = self._drop_locks()
        try:
            yield
        finally:
            now = self._xkb.state().locked & DROPPED_LOCKS
            wanted ^= now
            if wanted != now:
                self._xkb.lock(wanted | now, wanted)

    def _drop_locks(self) -> int:
        state = self._xkb.state()
        locked = state.locked & DROPPED_LOCKS
        if locked or state.latched:
            self._xkb.lock(locked, 0, unlatched=0xFF if state.latched else 0)
        return int(locked)


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


RELEASE_POLL_S = 0.01
MENUS = X.Mod1Mask | X.Mod4Mask  # Alt and Super: alone they open a menu when they are let go


class HeldModifiers:
    """All keys that are modifiers but Num Lock, which changes no character of ours. For one text."""

    def __init__(self, keyboard: Keyboard, may_release: Callable[[], bool]) -> None:
        self._keyboard = keyboard
        self._may_release = may_release
        self._masks = {code: mask for code, mask in keyboard.modifier_codes().items() if mask != X.Mod2Mask}

    def let_go(self, wait_s: float, pause: Pause) -> None:
        """Return with no modifier down: those the user does not release within ``wait_s`` we release.

        While ``may_release`` forbids that, the wait goes on, until the program ends.
        """
        end = time.monotonic() + wait_s
        while self._held() and (time.monotonic() < end or not self._may_release()):
            if pause(RELEASE_POLL_S):
                break
        self._release(self._held())

    def are_up(self) -> bool:
        """Release what is down now, at once. Returns False if that may not be."""
        held = self._held()
        if held and not self._may_release():
            return False
        self._release(held)
        return True

    def _held(self) -> set[int]:
        return self._keyboard.held() & self._masks.keys()

    def _release(self, held: set[int]) -> None:
        """Release ``held`` by XTEST, so that no menu opens."""
        if not held:
            return
        controls = {code for code, mask in self._masks.items() if mask == X.ControlMask}
        with self._keyboard.sending():
            if controls and any(self._masks[code] & MENUS for code in held) and not held & controls:
                # A tap on Control in between makes it a chord, which nobody takes for a call of the menu.
                tapped = min(controls)
                self._keyboard.send(tapped, is_press=True)
                self._keyboard.send(tapped, is_press=False)
            for code in sorted(held):
                self._keyboard.send(code, is_press=False)
