"""Five requests of the XKEYBOARD extension, which python-xlib does not know.

The core protocol shows neither which group of a layout is in force nor which modifiers choose a
level: ``us,ru`` and ``ru`` look alike there. Device 0x100 is the core keyboard.

Source: X Keyboard Extension protocol 1.0, appendix D (encoding); XKBproto.h of xorgproto 2022.1.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass

from Xlib.display import Display
from Xlib.protocol import rq

from handy_qwen.system.insert.backend import unsupported
from handy_qwen.system.x11.connection import XObject

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


_NEW_KEYBOARD_NOTIFY, _MAP_NOTIFY, _STATE_NOTIFY, _CONTROLS_NOTIFY = range(4)
_ALL_PARTS = 0xFF
_LATCH_AND_LOCK = 1 << 2 | 1 << 3
_ALL_CONTROLS = 0xF8001FFF
_SLOW_KEYS, _BOUNCE_KEYS = 1 << 1, 1 << 2


class _Notify(rq.Event):  # type: ignore[misc]  # python-xlib has no types
    """All events of the extension have one code; which one it is, the second byte says."""

    _code = None
    _fields = rq.Struct(
        rq.Card8("type"),
        rq.Card8("kind"),
        rq.Card16("sequence_number"),
        rq.Card32("time"),
        rq.FixedBinary("rest", 24),
    )


class _SelectAllEvents(rq.Request):  # type: ignore[misc]
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(1),
        rq.RequestLength(),
        rq.Card16("device"),
        rq.Card16("affected"),
        rq.Card16("clear"),
        rq.Card16("all"),
        rq.Card16("affected_map"),
        rq.Card16("map"),
        rq.Card16("affected_state"),
        rq.Card16("state"),
        rq.Card32("affected_controls"),
        rq.Card32("controls"),
    )


class _GetAllControls(rq.ReplyRequest):  # type: ignore[misc]
    _request = rq.Struct(rq.Card8("opcode"), rq.Opcode(6), rq.RequestLength(), rq.Card16("device"), rq.Pad(2))
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Card8("device"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.FixedBinary("rest", 48),
        rq.Card32("enabled"),
        rq.FixedBinary("per_key_repeat", 32),
    )


class Locks:
    """Latches, locks and filters of the core keyboard, as heard on ``display``.

    Raises:
        InsertError: The X server does not have the extension.
    """

    def __init__(self, display: Display) -> None:
        self._xkb = Xkb(display)
        found = display.query_extension(EXTENSION)
        display.extension_add_event(found.first_event, _Notify)
        self.event_code = int(found.first_event)
        self._undone: frozenset[int] = frozenset()
        _SelectAllEvents(
            display=display.display,
            opcode=found.major_opcode,
            device=CORE_KEYBOARD,
            affected=0b1111,
            clear=0,
            all=1 << _NEW_KEYBOARD_NOTIFY,
            affected_map=_ALL_PARTS,
            map=_ALL_PARTS,
            affected_state=_LATCH_AND_LOCK,
            state=_LATCH_AND_LOCK,
            affected_controls=_ALL_CONTROLS,
            controls=_ALL_CONTROLS,
        )
        self._state: State = self._xkb.state()
        controls = _GetAllControls(
            display=display.display, opcode=found.major_opcode, device=CORE_KEYBOARD
        ).enabled
        self.is_filtering = bool(controls & (_SLOW_KEYS | _BOUNCE_KEYS))

    @property
    def in_force(self) -> int:
        """The modifiers that are latched or locked, and not by this key's press: that is told later."""
        return self._state.latched | self._state.locked

    def undo(self, codes: Collection[int]) -> None:
        """From now on change back what the keys ``codes`` latch and lock."""
        self._undone = self._undone.union(codes)

    def leave(self, code: int) -> None:
        """The key ``code`` means to the desktop again what it does."""
        self._undone -= {code}

    def hear(self, event: rq.Event) -> bool:
        """An event of the extension has come. Returns whether keys have other meanings from now on.

        The server tells that to clients of this extension by its own events, and no longer by MappingNotify.
        """
        rest = bytes(event.rest)
        if event.kind == _CONTROLS_NOTIFY:
            (enabled,) = struct.unpack_from("=I", rest, 8)
            self.is_filtering = bool(enabled & (_SLOW_KEYS | _BOUNCE_KEYS))
        elif event.kind == _STATE_NOTIFY:
            before, now = self._state, State(rest[2], rest[3], rest[4], rest[5])
            if rest[20] in self._undone:  # the key that did it
                locks, latches = before.locked ^ now.locked, now.latched & ~before.latched
                if locks or latches:
                    self._xkb.lock(locks, before.locked & locks, unlatched=latches)
                now = State(now.held, now.latched & before.latched, before.locked, now.group)
            self._state = now
        return event.kind in (_NEW_KEYBOARD_NOTIFY, _MAP_NOTIFY)
