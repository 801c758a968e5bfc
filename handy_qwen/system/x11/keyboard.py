"""Types text and presses chords through XTEST, with any layout.

A character of the current layout is typed with its own key (and Shift or AltGr); the others get spare
keycodes. If these are not enough, the text is typed in batches, and before a keycode changes its meaning we
wait until the window has processed the earlier keys.

Locked modifiers except Num Lock are cleared while keys are pressed, and restored: Ctrl makes a command of
every letter, and programs swap the case of letters under Caps Lock even on keys whose type ignores it. Before
every few keys we check, with the X server grabbed unless Qt is busy, that they still have their meaning: the
window has the focus, the layout is the same, nothing is locked or held.

We wait for the release of modifiers that the user holds: the hotkey is usually being released at this moment.
What is still down then is released by XTEST, and never pressed again: the user may release it at any time,
and the key would stay down permanently. Only the key of a take being recorded, held by another program's
XTEST (a remote desktop), is waited for: releasing it would end the take.

With Slow Keys or Bounce Keys nothing is typed, and chords are pressed as slowly as they require; with Sticky
Keys modifiers are tapped before the key: held, they would disable the feature.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from Xlib import X, Xatom
from Xlib.ext import xtest

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message
from handy_qwen.system.insert.backend import Injection, Inserted, MayRelease, Pause, no_focus, unsupported
from handy_qwen.system.x11 import keymap as km
from handy_qwen.system.x11.connection import XObject, guarded, server_grab
from handy_qwen.system.x11.extensions import Access, Xkb
from handy_qwen.system.x11.windows import FocusedWindow

logger = logging.getLogger(__name__)

RELEASE_POLL_S = 0.01
MAX_PLANS = 8  # a layout that changes more often during one text will not settle
ACCEPTED_S = 0.03  # added to the times of Slow Keys and Bounce Keys
MAX_BATCHES = 8  # more would keep the whole desktop busy reloading keyboards: paste is better
CHUNK = 8  # keys between two checks
CHUNK_PAUSE_S = 0.002  # about 4,000 characters a second, to flood nothing
SETTLE_S = 0.02  # after a change of keycodes; programs need not have read it, but window managers re-grab
DROPPED_LOCKS: int = 0xFF & ~X.Mod2Mask  # all modifiers but Num Lock, by convention the second
LEVEL3_MASKS = (X.Mod5Mask, X.Mod4Mask, X.Mod3Mask, X.Mod1Mask)
MENUS = X.Mod1Mask | X.Mod4Mask  # Alt and Super: released alone they open a menu
LEFTOVERS = "_HANDY_QWEN_SPARE_KEYCODES"  # on the root window: what a crash left mapped is also spare


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to type a text, and the keyboard that this applies to."""

    layout: km.Keymap  # without the spare keycodes
    group: int
    access: Access
    strokes: dict[int, km.Stroke]  # by keysym
    presses: dict[int, int]  # by modifier mask: the key for it
    batches: Sequence[tuple[str, list[int]]]  # each with the keysyms that need a spare keycode for it


class Keyboard:
    """The keyboard of an X server, for the thread of its connection. Raises InsertError: no XTEST, XKEYBOARD.

    The user gets ``release_wait_s`` to release modifiers; see ``Backend`` for ``may_release``.
    """

    def __init__(
        self,
        connection: XObject,
        injection: Injection,
        pause: Pause,
        release_wait_s: float,
        may_release: MayRelease,
    ) -> None:
        self._display = connection
        self._injection = injection
        self._pause = pause
        self._release_wait_s = release_wait_s
        self._may_release = may_release
        self._modifiers: dict[int, int] = {}  # keycode -> mask, as of the last wait
        if not connection.has_extension("XTEST"):
            raise unsupported(Message("Pressing keys (the XTEST extension)"))
        self._xkb = Xkb(connection)
        self._spare = SpareKeys(connection)

    def wait_for_window(self) -> FocusedWindow:
        """The target window, once modifiers are released. Raises InsertError: none, or another."""
        with guarded(Message("Looking at the keyboard")):
            window = FocusedWindow(self._display)
            if not window.window:
                raise no_focus()
            self._wait_for_release()
            if not window.still_is():
                raise no_focus()
        return window

    def chord(self, *keysyms: int, window: FocusedWindow, times: int = 1) -> None:
        """Press modifiers and a key, repeatedly, in ``window``. Raises InsertError: not pressed."""
        with guarded(Message("Pressing a key")), self._sending(), self._without_locks():
            keys = self._keys(self._xkb.keymap())
            codes = [keys[keysym].code for keysym in keysyms if keysym in keys]
            if len(codes) < len(keysyms):
                raise unsupported(Message("A key of the chord"))
            access = self._xkb.access()
            if access.bounce_s:
                self._pause(access.bounce_s + ACCEPTED_S)  # since the last key, ours or the user's
            with server_grab(self._display):
                if not window.still_is():
                    raise no_focus()
                if not self._release_held():
                    raise InsertError(Message("A key is held."), InsertReason.NOT_TYPEABLE)
                if not (access.slow_s or access.bounce_s):
                    for _ in range(times):
                        self._strike(codes, access)
            if access.slow_s or access.bounce_s:
                self._strike_slowly(codes, access, times)

    def type_text(self, text: str, window: FocusedWindow) -> Inserted:
        """Type ``text`` into ``window`` as far as possible; LF is Return. Raises InsertError: none typed."""
        self._typed = 0
        problem = InsertError(Message("The keyboard layout keeps changing."), InsertReason.NOT_TYPEABLE)
        try:
            for _ in range(MAX_PLANS):
                with guarded(Message("Typing")):
                    self._wait_for_release()
                    with self._sending(), self._without_locks():
                        if self._follow(self._plan(text[self._typed :]), window):
                            return Inserted(self._typed)
                logger.info("the keyboard changed while a text was typed")
        except InsertError as exc:
            problem = exc
        if not self._typed:
            raise problem
        logger.info("typing stopped: %s", problem.reason.name)
        return Inserted(self._typed, has_focus=problem.reason is not InsertReason.NO_FOCUS)

    def rest(self) -> None:
        """Remove the characters from the spare keycodes."""
        if not self.is_resting:
            with guarded(Message("Freeing keys")):
                self._spare.release()

    @property
    def is_resting(self) -> bool:
        """Whether no spare keycode carries a character of ours."""
        return not self._spare.is_in_use

    # --- single keys -------------------------------------------------------------------------------

    def _send(self, code: int, *, is_press: bool) -> None:
        xtest.fake_input(self._display, X.KeyPress if is_press else X.KeyRelease, code)

    @contextmanager
    def _sending(self) -> Iterator[None]:
        """Send keys inside, which hotkeys must ignore. Ends when the X server has processed them."""
        with self._injection.under_way():
            try:
                yield
            finally:
                self._display.sync()

    def _strike(self, codes: Sequence[int], access: Access) -> None:
        """Press and release the last of ``codes`` with the others, which are modifiers."""
        *modifiers, code = codes
        downs = codes
        if access.is_sticky:
            downs = [code]
            for tapped in modifiers:
                self._press(tapped, access)
                self._send(tapped, is_press=False)
        for down in downs:
            self._press(down, access)
        for up in reversed(downs):
            self._send(up, is_press=False)

    def _strike_slowly(self, codes: Sequence[int], access: Access, times: int) -> None:
        """``_strike`` repeatedly, at the pace of Slow Keys and Bounce Keys."""
        for number in range(times):
            if number and access.bounce_s:
                self._display.sync()
                self._pause(access.bounce_s + ACCEPTED_S)
                self._display.sync()  # a busy server checks its timers only between requests
            self._strike(codes, access)

    def _press(self, code: int, access: Access) -> None:
        self._send(code, is_press=True)
        if access.slow_s:
            self._display.sync()
            self._pause(access.slow_s + ACCEPTED_S)
            self._display.sync()  # likewise

    # --- modifiers that the user holds -------------------------------------------------------------

    def _wait_for_release(self) -> None:
        """Return with no modifier down; while ``may_release`` forbids that, not before the program ends."""
        # Num Lock does not affect our characters.
        masks = self._modifier_codes(self._xkb.keymap())
        self._modifiers = {code: mask for code, mask in masks.items() if mask != X.Mod2Mask}
        end_s = time.monotonic() + self._release_wait_s
        while self._held() and (time.monotonic() < end_s or not self._may_release()):
            if self._pause(RELEASE_POLL_S):
                break
        self._release(self._held())

    def _release_held(self) -> bool:
        """Release modifiers that are down. Returns False if that is forbidden."""
        held = self._held()
        if held and not self._may_release():
            return False
        self._release(held)
        return True

    def _held(self) -> set[int]:
        bits = self._display.query_keymap()
        return {code for code in self._modifiers if bits[code >> 3] & (1 << (code & 7))}

    def _release(self, held: set[int]) -> None:
        """Release ``held`` by XTEST, so that no menu opens."""
        if not held:
            return
        controls = {code for code, mask in self._modifiers.items() if mask == X.ControlMask}
        with self._sending():
            if controls and any(self._modifiers[code] & MENUS for code in held) and not held & controls:
                # A tap of Control in between makes it a chord, which opens no menu.
                self._send(min(controls), is_press=True)
                self._send(min(controls), is_press=False)
            for code in sorted(held):
                self._send(code, is_press=False)

    def _modifier_codes(self, layout: km.Keymap) -> dict[int, int]:
        """Modifier masks by keycode; 0 for keys known by symbol only: AltGr's mask has no real keycode."""
        codes = dict.fromkeys(layout.modifiers(), 0)
        rows = self._display.get_modifier_mapping()
        return codes | {code: 1 << place for place, row in enumerate(rows) for code in row if code}

    # --- text --------------------------------------------------------------------------------------

    def _plan(self, text: str) -> _Plan:
        access = self._xkb.access()
        if access.slow_s or access.bounce_s:
            raise InsertError(Message("Slow Keys or Bounce Keys is on."), InsertReason.NOT_TYPEABLE)
        self._has_map_changed()  # changes until now are in the map that is read next
        layout = self._xkb.keymap()
        modifiers = self._modifier_codes(layout)
        # The last keycode is for hotkeys: they tap it to end auto-repeat, and it must have no function.
        self._spare.adopt(layout, {*modifiers, self._display.display.info.max_keycode})
        plain = layout.without(self._spare.codes)
        keys = self._keys(plain)
        presses = {km.SHIFT: keys[km.SHIFT_L].code} if km.SHIFT_L in keys else {}
        # By convention AltGr sets the fifth modifier, but layouts may differ.
        masks = {modifiers[code] for code, key in layout.keys.items() if km.LEVEL3 in key.symbols}
        level3 = next((mask for mask in LEVEL3_MASKS if mask in masks), 0)
        if level3 and km.LEVEL3 in keys:
            presses[level3] = keys[km.LEVEL3].code
        strokes = self._keys(plain, 0, *presses, sum(presses))
        return _Plan(plain, self._xkb.state().group, access, strokes, presses, self._batches(text, strokes))

    def _keys(self, layout: km.Keymap, *held: int) -> dict[int, km.Stroke]:
        """The strokes of ``layout`` by keysym, in the current group, with no lock but Num Lock."""
        state = self._xkb.state()
        return layout.strokes(state.group, state.locked & ~DROPPED_LOCKS, held or (0,))

    def _follow(self, plan: _Plan, window: FocusedWindow) -> bool:
        """Type according to ``plan``. Returns False if the keyboard has changed, raises if the focus has."""
        for number, (piece, missing) in enumerate(plan.batches):
            if self._spare.needs_change(missing):
                if number:
                    window.wait_until_read(self._pause)
                self._spare.assign(missing)
                self._pause(SETTLE_S)
            for start in range(0, len(piece), CHUNK):
                chunk = piece[start : start + CHUNK]
                with server_grab(self._display):
                    if not window.still_is():
                        raise no_focus()
                    if not self._release_held() or not self._holds(plan, missing):
                        return False
                    for character in chunk:
                        self._type(character, plan)
                self._display.sync()
                self._typed += len(chunk)
                self._pause(CHUNK_PAUSE_S)
        return True

    def _holds(self, plan: _Plan, missing: Sequence[int]) -> bool:
        """Whether the keyboard is still the one that ``plan`` was made for."""
        state = self._xkb.state()
        if state.group != plan.group or state.latched or (state.held | state.locked) & DROPPED_LOCKS:
            return False
        if self._xkb.access() != plan.access:
            return False
        if not self._has_map_changed():
            return True
        layout = self._xkb.keymap()
        return layout.without(self._spare.codes) == plan.layout and self._spare.is_in_place(layout, missing)

    def _has_map_changed(self) -> bool:
        """Whether the X server has announced another keyboard map since the last call."""
        has_changed = False
        while self._display.pending_events():
            has_changed |= self._display.next_event().type == self._xkb.event_type
        return has_changed

    def _type(self, character: str, plan: _Plan) -> None:
        keysyms = km.keysyms_of(character)
        own = (plan.strokes[keysym] for keysym in keysyms if keysym in plan.strokes)
        stroke = next(own, None) or self._spare.stroke(keysyms[0])
        assert stroke is not None, "the batches provide for every character"
        held = [code for mask, code in plan.presses.items() if stroke.modifiers & mask]
        self._strike([*held, stroke.code], plan.access)

    def _batches(self, text: str, strokes: dict[int, km.Stroke]) -> list[tuple[str, list[int]]]:
        """Split ``text`` into pieces, each with the keysyms that need a spare keycode for it."""
        keysyms = map(km.keysyms_of, text)
        missing = [None if any(k in strokes for k in wanted) else wanted[0] for wanted in keysyms]
        different = len({keysym for keysym in missing if keysym is not None})
        capacity = self._spare.capacity
        # With several batches, half of the places rest while the others are used.
        limit = capacity if different <= capacity else capacity // 2
        if different and (not limit or different > limit * MAX_BATCHES):
            raise InsertError(
                Message("The text has characters that cannot be typed."), InsertReason.NOT_TYPEABLE
            )
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
            raise InsertError(
                Message("The text has too many different characters."), InsertReason.NOT_TYPEABLE
            )
        return batches

    @contextmanager
    def _without_locks(self) -> Iterator[None]:
        """Clear latches and locks, except Num Lock. Afterwards restore locks, or keep the user's changes."""
        state = self._xkb.state()
        wanted = state.locked & DROPPED_LOCKS
        if wanted or state.latched:
            self._xkb.lock(wanted, 0, unlatched=0xFF if state.latched else 0)
        try:
            yield
        finally:
            now = self._xkb.state().locked & DROPPED_LOCKS
            wanted ^= now
            if wanted != now:
                self._xkb.lock(wanted | now, wanted)


_Place = tuple[int, int]  # keycode, level


class SpareKeys:
    """Unused keycodes lent to characters that the layout lacks. For one thread.

    Each takes two characters, one of them with Shift. A program looks up the meaning of a key when it
    handles the event, so a keycode must not change while events are on their way: characters stay until
    the place is needed or the keyboard has been idle; the longest unused are replaced first. Every change
    makes all programs on the desktop reload the keyboard, so neighbors change in one request, and both places
    of a keycode are filled before the next is used. (XkbSetMap could change all at once, but only by writing
    the keys in between, on every keyboard: a user with two of different layouts would lose one.)
    """

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
        """The keycodes that are spare or in our use."""
        return frozenset(self._codes)

    def adopt(self, keymap: km.Keymap, reserved: Iterable[int]) -> None:
        """Determine what is spare in ``keymap``, and forget what other programs have changed since."""
        lost = {place[0] for keysym, place in self._places.items() if not _is_at(keymap, keysym, place)}
        self._places = {k: place for k, place in self._places.items() if place[0] not in lost}
        self._ours = {code for code in self._ours - lost if code in keymap.keys}
        runs = _runs(sorted((set(keymap.empty()) | self._ours) - set(reserved)))
        runs.sort(key=len, reverse=True)  # neighbors first: one change for many
        self._codes = [code for run in runs for code in run]

    def stroke(self, keysym: int) -> km.Stroke | None:
        """The stroke for ``keysym``, if it has a place."""
        place = self._places.get(keysym)
        return km.Stroke(place[0], km.SHIFT if place[1] else 0) if place else None

    def is_in_place(self, keymap: km.Keymap, wanted: Sequence[int]) -> bool:
        """Whether each of ``wanted`` is still in its place."""
        return all(k in self._places and _is_at(keymap, k, self._places[k]) for k in wanted)

    def needs_change(self, wanted: Sequence[int]) -> bool:
        """Whether ``assign`` would have to change a keycode."""
        return any(keysym not in self._places for keysym in wanted)

    def assign(self, wanted: Sequence[int]) -> None:
        """Assign a place to each of ``wanted``; at most ``capacity`` of them."""
        for keysym in wanted:  # used again: to the end of the queue
            if keysym in self._places:
                self._places[keysym] = self._places.pop(keysym)
        taken = set(self._places.values())
        free = [(code, level) for code in self._codes for level in (0, 1) if (code, level) not in taken]
        changed = set()
        for keysym in wanted:
            if keysym not in self._places:
                place = free.pop(0) if free else self._places.pop(next(iter(self._places)))
                self._places[keysym] = place
                changed.add(place[0])
        self._write(changed)

    def release(self) -> None:
        """Remove all characters."""
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
                # Both levels are filled: a single letter would be taken for a pair, lower case first.
                symbols[code] = (low or keysym, keysym) if level else (keysym, high or keysym)
        for run in _runs(sorted(codes)):
            self._display.change_keyboard_mapping(run[0], [symbols[code] for code in run])
        self._display.sync()


def _is_at(keymap: km.Keymap, keysym: int, place: _Place) -> bool:
    code, level = place
    return code in keymap.keys and keysym in keymap.keys[code].symbols[level : level + 1]


def _runs(codes: Sequence[int]) -> list[list[int]]:
    """``codes``, ascending, split at gaps."""
    runs: list[list[int]] = []
    for code in codes:
        if runs and code == runs[-1][-1] + 1:
            runs[-1].append(code)
        else:
            runs.append([code])
    return runs
