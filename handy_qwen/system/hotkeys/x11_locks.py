"""What the X Keyboard extension makes of keys between the raw event and the focused program.

A press of Caps Lock or Num Lock toggles a lock, whoever grabs or hears it; with Sticky Keys each modifier
that is tapped is latched, and locked when it is tapped twice. The server tells which key changed what, so
what a hotkey changed is changed back, whether that happened on its press or on its release.

Slow Keys and Bounce Keys hold presses back or drop them. Raw events have come by then.

Threads: for the thread of the connection. Source: X Keyboard Extension protocol 1.0, appendix D.
"""

from __future__ import annotations

import struct
from collections.abc import Collection

from Xlib.display import Display
from Xlib.protocol import rq

from handy_qwen.system.insert.x11.xkb import CORE_KEYBOARD, EXTENSION, State, Xkb

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


class _SelectEvents(rq.Request):  # type: ignore[misc]
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


class _GetControls(rq.ReplyRequest):  # type: ignore[misc]
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
        _SelectEvents(
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
        controls = _GetControls(
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
