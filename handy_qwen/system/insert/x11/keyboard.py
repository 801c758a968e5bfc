"""Keys by XTEST: text and chords, whatever the layout.

A character that the layout in force has is typed with its own key (and Shift or AltGr); the others
get spare keycodes. With more different characters than places the text is typed in several batches,
and before a keycode changes its meaning we wait until the window has dealt with the keys before.
Caps Lock is taken off while typing and put back: programs turn letters around under it even on keys
whose type ignores it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from Xlib import X
from Xlib.ext import xtest

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.backend import unsupported
from handy_qwen.system.insert.injection import Injection
from handy_qwen.system.insert.x11 import keymap as km
from handy_qwen.system.insert.x11.connection import XObject, guarded
from handy_qwen.system.insert.x11.spare import SpareKeys
from handy_qwen.system.insert.x11.xkb import Xkb

MAX_BATCHES = 8  # beyond that the whole desktop is kept busy reading keyboards: paste is better
CHUNK = 8  # keys between two looks at what the user holds
CHUNK_PAUSE_S = 0.002  # about 4,000 characters a second: nothing is flooded
SETTLE_S = 0.02  # after a change of keycodes; programs need not have read it, but window managers re-grab
LEVEL3_MASKS = (X.Mod5Mask, X.Mod4Mask, X.Mod3Mask, X.Mod1Mask)

Pause = Callable[[float], object]
"""Waits for so many seconds, or until the program ends."""


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
        """Modifier mask by keycode, of all keys that are modifiers."""
        rows = self._display.get_modifier_mapping()
        return {code: 1 << place for place, row in enumerate(rows) for code in row if code}

    # --- chords ------------------------------------------------------------------------------------

    def chord(self, *keysyms: int) -> None:
        """Press ``keysyms`` one after the other and release them, the last first.

        Raises:
            InsertError: The layout lacks one of them, or the X server refuses.
        """
        with guarded("Pressing a key"), self.sending():
            self._drop_latches()
            ways = self._layout_ways(km.parse(self._xkb.map_bytes()))
            strokes = [ways.get(keysym) for keysym in keysyms]
            codes = [stroke.code for stroke in strokes if stroke is not None]
            if len(codes) < len(keysyms):
                raise unsupported("A key of the chord")
            for code in codes:
                self.send(code, is_press=True)
            for code in reversed(codes):
                self.send(code, is_press=False)

    # --- text --------------------------------------------------------------------------------------

    def type_text(self, text: str, *, keep_free: Callable[[], None], barrier: Callable[[], None]) -> None:
        """Type ``text``.

        Args:
            text: What to type; a line feed is Return.
            keep_free: Called between keys: lets modifiers go that the user has pressed meanwhile.
            barrier: Returns when the focused window has dealt with all keys so far.

        Raises:
            InsertError: It cannot be typed here; nothing was.
        """
        with guarded("Typing"), self.sending(), self._without_caps_lock():
            layout = km.parse(self._xkb.map_bytes())
            # The last keycode is the hotkeys': they tap it to end auto-repeat, and it must mean nothing.
            reserved = {*self.modifier_codes(), self._display.display.info.max_keycode}
            self._spare.adopt(layout, reserved)
            ways = self._layout_ways(layout, without=self._spare.codes)
            batches = self._batches(text, ways)
            presses = {km.SHIFT: ways.get(km.SHIFT_L), self._level3_mask(layout): ways.get(km.LEVEL3)}
            for number, (piece, missing) in enumerate(batches):
                if self._spare.needs_change(missing):
                    if number:
                        barrier()
                    self._spare.assign(missing)
                    self._pause(SETTLE_S)
                self._type_piece(piece, ways, presses, keep_free)

    def rest(self) -> None:
        """Take the characters off the spare keycodes."""
        if self._spare.is_in_use:
            with guarded("Freeing keys"):
                self._spare.release()

    @property
    def is_resting(self) -> bool:
        """Whether no spare keycode carries a character of ours."""
        return not self._spare.is_in_use

    def _type_piece(
        self,
        piece: str,
        ways: dict[int, km.Stroke],
        presses: dict[int, km.Stroke | None],
        keep_free: Callable[[], None],
    ) -> None:
        for start in range(0, len(piece), CHUNK):
            keep_free()
            for character in piece[start : start + CHUNK]:
                stroke = self._find(character, ways)
                assert stroke is not None, "the batches provide for every character"
                held = [key.code for mask, key in presses.items() if key and stroke.modifiers & mask]
                for code in (*held, stroke.code):
                    self.send(code, is_press=True)
                for code in (stroke.code, *reversed(held)):
                    self.send(code, is_press=False)
            self.flush()
            self._pause(CHUNK_PAUSE_S)

    def _find(self, character: str, ways: dict[int, km.Stroke]) -> km.Stroke | None:
        keysyms = km.keysyms_of(character)
        return next((ways[k] for k in keysyms if k in ways), None) or self._spare.stroke(keysyms[0])

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

    def _layout_ways(self, layout: km.Keymap, without: frozenset[int] = frozenset()) -> dict[int, km.Stroke]:
        """The strokes of the layout in force, by keysym, spare keycodes left out."""
        state = self._xkb.state()
        plain = km.Keymap(layout.types, {c: key for c, key in layout.keys.items() if c not in without})
        ways = plain.strokes(state.group, state.locked & ~X.LockMask, (0,))
        extra = [0] + ([km.SHIFT] if km.SHIFT_L in ways else [])
        level3 = self._level3_mask(layout) if km.LEVEL3 in ways else 0
        extra += [level3, level3 | km.SHIFT] if level3 and km.SHIFT_L in ways else []
        return plain.strokes(state.group, state.locked & ~X.LockMask, tuple(extra))

    def _level3_mask(self, layout: km.Keymap) -> int:
        """The modifier that AltGr sets; by convention the fifth, but layouts may differ."""
        codes = self.modifier_codes()
        masks = {
            m for code, m in codes.items() if code in layout.keys and km.LEVEL3 in layout.keys[code].symbols
        }
        return next((mask for mask in LEVEL3_MASKS if mask in masks), 0)

    def _drop_latches(self) -> int:
        state = self._xkb.state()
        if state.latched:
            self._xkb.lock(0, 0, unlatched=0xFF)
        return int(state.locked)

    @contextmanager
    def _without_caps_lock(self) -> Iterator[None]:
        locked = self._drop_latches()
        if not locked & X.LockMask:
            yield
            return
        self._xkb.lock(X.LockMask, 0)
        try:
            yield
        finally:
            self._xkb.lock(X.LockMask, X.LockMask)
