"""A virtual keyboard, on compositors that allow it (wlroots, Hyprland, niri, COSMIC, labwc).

It has the complete keymap of the seat. With a keymap of the pressed keys alone, as in wtype, GTK 3 ignores
chords. A compositor does not derive modifiers from a virtual keyboard's keys: they are sent.

Source: virtual-keyboard-unstable-v1.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Mapping, Sequence

from handy_qwen.system.wayland.wire import KEYBOARD, SEAT, Connection, Interface, WaylandError

VIRTUAL = Interface("zwp_virtual_keyboard_v1", ("keymap uhu", "key uuu", "modifiers uuuu", "destroy"))
MANAGER = Interface("zwp_virtual_keyboard_manager_v1", ("create_virtual_keyboard on",))
SHIFT, CONTROL, SUPER = 42, 29, 125  # linux/input-event-codes.h, like all codes here
_MASKS: Mapping[int, int] = {SHIFT: 1, CONTROL: 4, SUPER: 64}  # in every keymap of xkeyboard-config
_XKB_V1 = 1
_HAS_KEYBOARD = 2
_USUAL = (  # for a seat without a keyboard, and so without a keymap
    'xkb_keymap { xkb_keycodes { include "evdev+aliases(qwerty)" }; xkb_types { include "complete" }; '
    'xkb_compat { include "complete" }; xkb_symbols { include "pc+us+inet(evdev)" }; };'
)


class VirtualKeyboard:
    """A keyboard in the compositor that listens at ``path``. For one thread.

    Raises:
        WaylandError: It cannot be reached, or offers none.
    """

    def __init__(self, path: str) -> None:
        keymap = _keymap_at(path) or _USUAL.encode() + b"\0"
        self._connection = Connection(path)
        try:
            seat = self._connection.bind(SEAT, 1)
            manager = self._connection.bind(MANAGER, 1)
            self._keyboard = manager.ask("create_virtual_keyboard", seat, made=VIRTUAL)
            file = os.memfd_create("keymap")  # type: ignore[attr-defined,unused-ignore]  # on Linux only
            try:
                os.write(file, keymap)
                self._keyboard.ask("keymap", _XKB_V1, file, len(keymap))
                self._connection.roundtrip()
            finally:
                os.close(file)
        except BaseException:
            self.close()
            raise

    def press(self, codes: Sequence[int]) -> None:
        """Press keys one after the other, and release them in reverse order. Returns when that was processed.

        Raises:
            WaylandError: The connection is lost: it is unknown what was pressed.
        """
        held = 0
        for code in codes:
            held |= _MASKS.get(code, 0)
            self.move(code, held, is_down=True)
        for code in reversed(codes):
            held &= ~_MASKS.get(code, 0)
            self.move(code, held, is_down=False)

    def move(self, code: int, held: int, *, is_down: bool) -> None:
        """Move one key; ``held`` are the modifiers then down (the bits of XKB's real modifiers).

        Raises:
            WaylandError: The connection is lost.
        """
        self._keyboard.ask("key", int(time.monotonic() * 1000), code, int(is_down))
        self._keyboard.ask("modifiers", held, 0, 0, 0)
        self._connection.roundtrip()

    def answers(self) -> bool:
        """Whether the compositor still has it. Processes pending events."""
        try:
            self._connection.roundtrip()
        except WaylandError:
            return False
        return True

    def close(self) -> None:
        """Unplug it. Safe to call twice."""
        self._connection.close()


def _keymap_at(path: str) -> bytes:
    """The current keymap, with its final NUL; empty if the seat has no keyboard.

    Over a separate connection: on a permanent one, each new keymap would come with a file that nobody reads,
    and a compositor closes a connection that is not read.

    Raises:
        WaylandError: The compositor cannot be reached, or has no seat.
    """
    connection = Connection(path)
    try:
        return _keymap_of(connection)
    finally:
        connection.close()


def _keymap_of(connection: Connection) -> bytes:
    seat = connection.bind(SEAT, 1)
    can: list[int] = []
    seat.on["capabilities"] = can.append
    connection.roundtrip()
    if not can or not can[-1] & _HAS_KEYBOARD:
        return b""
    found: list[bytes] = []

    def take(kind: int, file: int, size: int) -> None:
        with os.fdopen(file, "rb") as stream:
            if kind != _XKB_V1:
                return  # the only keyboard was virtual, and is gone
            with mmap.mmap(stream.fileno(), size, mmap.MAP_PRIVATE, mmap.PROT_READ) as keymap:  # type: ignore[attr-defined,unused-ignore]
                found.append(bytes(keymap))

    seat.ask("get_keyboard", made=KEYBOARD).on["keymap"] = take
    connection.roundtrip()
    return found[-1] if found else b""
