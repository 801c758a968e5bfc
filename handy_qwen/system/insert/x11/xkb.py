"""Five requests of the XKEYBOARD extension, which python-xlib does not know.

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
NEW_KEYBOARD, MAP_CHANGE = 1 << 0, 1 << 1
SLOW_KEYS, BOUNCE_KEYS, STICKY_KEYS = 1 << 1, 1 << 2, 1 << 3


class _UseExtension(rq.ReplyRequest):  # type: ignore[misc] # python-xlib is untyped
    _request = rq.Struct(
        rq.Card8("opcode"), rq.Opcode(0), rq.RequestLength(), rq.Card16("major"), rq.Card16("minor")
    )
    _reply = rq.Struct(
        rq.ReplyCode(), rq.Card8("supported"), rq.Card16("sequence_number"), rq.ReplyLength(), rq.Pad(24)
    )


class _SelectEvents(rq.Request):  # type: ignore[misc] # python-xlib is untyped
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(1),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Card16("affected"),
        rq.Card16("clear"),
        rq.Card16("select_all"),
        rq.Card16("affected_parts"),
        rq.Card16("parts"),
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


class _GetControls(rq.ReplyRequest):  # type: ignore[misc] # python-xlib is untyped
    _request = rq.Struct(rq.Card8("opcode"), rq.Opcode(6), rq.RequestLength(), rq.Card16("device"), rq.Pad(2))
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Card8("device"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Pad(16),  # mouse buttons, groups, internal modifiers, auto-repeat
        rq.Card16("slow_keys_ms"),
        rq.Card16("debounce_ms"),
        rq.Pad(28),  # mouse keys, options, time-outs
        rq.Card32("enabled"),
        rq.Pad(32),  # which keys repeat
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


@dataclass(frozen=True, slots=True)
class Access:
    """What the accessibility features of the X server do to keys.

    Attributes:
        slow_s: How long a key must be down to count (Slow Keys); 0: not at all.
        bounce_s: How long after a key the same one does not count again (Bounce Keys).
        is_sticky: A modifier that is tapped goes with the next key (Sticky Keys).
    """

    slow_s: float = 0.0
    bounce_s: float = 0.0
    is_sticky: bool = False


class Xkb:
    """The extension on one connection. For the thread of that connection.

    Attributes:
        map_event: The type of the events that announce another map of the keyboard. Connections that
            know the extension get no MappingNotify.
    """

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
        self.map_event = int(found.first_event)
        _SelectEvents(
            display=self._display,
            opcode=self._opcode,
            device=CORE_KEYBOARD,
            affected=NEW_KEYBOARD | MAP_CHANGE,
            clear=0,
            select_all=NEW_KEYBOARD | MAP_CHANGE,
            affected_parts=0xFF,
            parts=0xFF,
        )

    def state(self) -> State:
        """Modifiers and group as they are now."""
        reply = _GetState(display=self._display, opcode=self._opcode, device=CORE_KEYBOARD)
        return State(reply.base_mods, reply.latched_mods, reply.locked_mods, reply.group)

    def access(self) -> Access:
        """Which accessibility features are on."""
        reply = _GetControls(display=self._display, opcode=self._opcode, device=CORE_KEYBOARD)
        return Access(
            reply.slow_keys_ms / 1000 if reply.enabled & SLOW_KEYS else 0.0,
            reply.debounce_ms / 1000 if reply.enabled & BOUNCE_KEYS else 0.0,
            bool(reply.enabled & STICKY_KEYS),
        )

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
