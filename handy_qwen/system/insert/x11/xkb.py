"""Three requests of the XKEYBOARD extension, which python-xlib does not know.

The core protocol shows neither which group of a layout is in force nor which modifiers choose a
level: ``us,ru`` and ``ru`` look alike there. Device 0x100 is the core keyboard.

Source: X Keyboard Extension protocol 1.0, appendix D (encoding); XKBproto.h of xorgproto 2022.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from Xlib.protocol import rq

from handy_qwen.system.insert.backend import unsupported
from handy_qwen.system.insert.x11.connection import XObject

EXTENSION = "XKEYBOARD"
CORE_KEYBOARD = 0x100
TYPES_AND_SYMBOLS = 0b11


class _UseExtension(rq.ReplyRequest):  # type: ignore[misc] # python-xlib is untyped
    _request = rq.Struct(
        rq.Card8("opcode"), rq.Opcode(0), rq.RequestLength(), rq.Card16("major"), rq.Card16("minor")
    )
    _reply = rq.Struct(
        rq.ReplyCode(), rq.Card8("supported"), rq.Card16("sequence_number"), rq.ReplyLength(), rq.Pad(24)
    )


class _GetState(rq.ReplyRequest):  # type: ignore[misc] # python-xlib is untyped
    _request = rq.Struct(rq.Card8("opcode"), rq.Opcode(4), rq.RequestLength(), rq.Card16("device"), rq.Pad(2))
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Card8("device"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Card8("mods"),
        rq.Card8("base_mods"),
        rq.Card8("latched_mods"),
        rq.Card8("locked_mods"),
        rq.Card8("group"),
        rq.Card8("locked_group"),
        rq.Pad(18),
    )


class _LatchLockState(rq.Request):  # type: ignore[misc] # python-xlib is untyped
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(5),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Card8("affected_locks"),
        rq.Card8("locks"),
        rq.Card8("does_lock_group"),
        rq.Card8("group"),
        rq.Card8("affected_latches"),
        rq.Card8("latches"),
        rq.Pad(1),
        rq.Card8("does_latch_group"),
        rq.Int16("latched_group"),
    )


class _GetMap(rq.ReplyRequest):  # type: ignore[misc] # python-xlib is untyped
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(8),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Card16("whole"),
        rq.Pad(20),  # no part of a part is asked for
    )
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Card8("device"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Binary("rest"),
    )


@dataclass(frozen=True, slots=True)
class State:
    """What is held, latched and locked (modifier masks), and the group in force (0 to 3)."""

    held: int
    latched: int
    locked: int
    group: int


class Xkb:
    """The extension on one connection. For the thread of that connection."""

    def __init__(self, connection: XObject) -> None:
        """Ask for the extension.

        Raises:
            InsertError: The X server does not have it.
        """
        self._display = connection.display
        found = connection.query_extension(EXTENSION)
        if not found or not found.present:
            raise unsupported("The keyboard extension of the X server")
        self._opcode = found.major_opcode
        _UseExtension(display=self._display, opcode=self._opcode, major=1, minor=0)

    def state(self) -> State:
        """Modifiers and group as they are now."""
        reply = _GetState(display=self._display, opcode=self._opcode, device=CORE_KEYBOARD)
        return State(reply.base_mods, reply.latched_mods, reply.locked_mods, reply.group)

    def lock(self, affected: int, locks: int, *, unlatched: int = 0) -> None:
        """Set the locks in the mask ``affected`` to ``locks``, and end the latches in ``unlatched``."""
        _LatchLockState(
            display=self._display,
            opcode=self._opcode,
            device=CORE_KEYBOARD,
            affected_locks=affected,
            locks=locks,
            does_lock_group=0,
            group=0,
            affected_latches=unlatched,
            latches=0,
            does_latch_group=0,
            latched_group=0,
        )

    def map_bytes(self) -> bytes:
        """Key types and symbols of all keys: the reply as it came, from its ninth byte on."""
        reply = _GetMap(
            display=self._display, opcode=self._opcode, device=CORE_KEYBOARD, whole=TYPES_AND_SYMBOLS
        )
        return bytes(reply.rest)
