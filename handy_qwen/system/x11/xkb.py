"""The requests and events of the XKEYBOARD extension, which python-xlib does not know.

The core protocol shows neither which group of a layout is in force nor which modifiers choose a
level: ``us,ru`` and ``ru`` look alike there.

Source: X Keyboard Extension protocol 1.0, appendix D (encoding); XKBproto.h of xorgproto 2022.1.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from Xlib.protocol import rq

from handy_qwen.message import Message
from handy_qwen.system.insert.backend import unsupported
from handy_qwen.system.x11.connection import XObject
from handy_qwen.system.x11.keymap import Keymap, parse

EXTENSION = "XKEYBOARD"
CORE_KEYBOARD = 0x100
TYPES_AND_SYMBOLS = 0b11
NEW_KEYBOARD, MAP, STATE, CONTROLS = range(4)  # kinds of events
SLOW_KEYS, BOUNCE_KEYS, STICKY_KEYS = 1 << 1, 1 << 2, 1 << 3


def _request_format(opcode: int, *fields: XObject) -> XObject:
    head = (rq.Card8("opcode"), rq.Opcode(opcode), rq.RequestLength(), rq.Card16("device"))
    return rq.Struct(*head, *fields)


def _reply_format(*fields: XObject) -> XObject:
    head = (rq.ReplyCode(), rq.Card8("device"), rq.Card16("sequence_number"), rq.ReplyLength())
    return rq.Struct(*head, *fields)


class _UseExtension(rq.ReplyRequest):  # type: ignore[misc] # python-xlib is untyped
    _request = rq.Struct(
        rq.Card8("opcode"), rq.Opcode(0), rq.RequestLength(), rq.Card16("major"), rq.Card16("minor")
    )
    _reply = _reply_format()


class _SelectEvents(rq.Request):  # type: ignore[misc] # python-xlib is untyped
    _request = _request_format(
        1,
        rq.Card16("affected"),
        rq.Pad(2),  # kinds to clear
        rq.Card16("select_all"),
        rq.Card16("affected_map"),
        rq.Card16("map"),
    )


class _GetState(rq.ReplyRequest):  # type: ignore[misc] # python-xlib is untyped
    _request = _request_format(4, rq.Pad(2))
    _reply = _reply_format(
        rq.Card8("modifiers"), rq.Card8("held"), rq.Card8("latched"), rq.Card8("locked"), rq.Card8("group")
    )


class _LatchLockState(rq.Request):  # type: ignore[misc] # python-xlib is untyped
    _request = _request_format(
        5,
        rq.Card8("affected_locks"),
        rq.Card8("locks"),
        rq.Pad(2),  # the group
        rq.Card8("affected_latches"),
        rq.Pad(5),  # latches to set; the group
    )


class _GetControls(rq.ReplyRequest):  # type: ignore[misc] # python-xlib is untyped
    _request = _request_format(6, rq.Pad(2))
    _reply = _reply_format(
        rq.Pad(16),  # mouse buttons, groups, internal modifiers, auto-repeat
        rq.Card16("slow_keys_ms"),
        rq.Card16("debounce_ms"),
        rq.Pad(28),  # mouse keys, options, time-outs
        rq.Card32("enabled"),
    )


class _GetMap(rq.ReplyRequest):  # type: ignore[misc] # python-xlib is untyped
    _request = _request_format(8, rq.Card16("whole"), rq.Pad(20))  # no part of a part is asked for
    _reply = _reply_format(rq.Binary("rest"))


class _Notify(rq.Event):  # type: ignore[misc] # python-xlib is untyped
    """All events of the extension have one code; the second byte says which one it is."""

    _code = None
    _fields = rq.Struct(
        rq.Card8("type"),
        rq.Card8("kind"),
        rq.Card16("sequence_number"),
        rq.Card32("time"),
        rq.FixedBinary("rest", 24),
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
    """What the accessibility features of the X server do to keys."""

    slow_s: float = 0.0  # how long a key must be down to count (Slow Keys)
    bounce_s: float = 0.0  # how long after a key the same one does not count again (Bounce Keys)
    is_sticky: bool = False  # a modifier that is tapped goes with the next key (Sticky Keys)


def _find(connection: XObject) -> XObject | None:
    found = connection.query_extension(EXTENSION)
    return found if found and found.present else None


class Xkb:
    """The extension, and its events of the given ``kinds``, on one connection. For the thread of that.

    Attributes:
        event_type: The type of the events. Connections that know the extension get no MappingNotify: a
            changed keyboard map is announced by these.

    Raises:
        InsertError: The X server does not have it.
    """

    def __init__(self, connection: XObject, kinds: Collection[int] = (NEW_KEYBOARD, MAP)) -> None:
        found = _find(connection)
        if found is None:
            raise unsupported(Message("The keyboard extension of the X server"))
        self.event_type = int(found.first_event)
        connection.extension_add_event(self.event_type, _Notify)
        extension = {"display": connection.display, "opcode": found.major_opcode}
        _UseExtension(**extension, major=1, minor=0)
        self._to_device = {**extension, "device": CORE_KEYBOARD}
        chosen = sum(1 << kind for kind in kinds)
        _SelectEvents(**self._to_device, affected=chosen, select_all=chosen, affected_map=0xFF, map=0xFF)

    def state(self) -> State:
        """Modifiers and group as they are now."""
        reply = _GetState(**self._to_device)
        return State(reply.held, reply.latched, reply.locked, reply.group)

    def access(self) -> Access:
        """Which accessibility features are on."""
        reply = _GetControls(**self._to_device)
        return Access(
            reply.slow_keys_ms / 1000 if reply.enabled & SLOW_KEYS else 0.0,
            reply.debounce_ms / 1000 if reply.enabled & BOUNCE_KEYS else 0.0,
            bool(reply.enabled & STICKY_KEYS),
        )

    def lock(self, affected: int, locks: int, *, unlatched: int = 0) -> None:
        """Set the locks in the mask ``affected`` to ``locks``, and end the latches in ``unlatched``."""
        _LatchLockState(**self._to_device, affected_locks=affected, locks=locks, affected_latches=unlatched)

    def keymap(self) -> Keymap:
        """The keyboard map in force."""
        return parse(bytes(_GetMap(**self._to_device, whole=TYPES_AND_SYMBOLS).rest))


class Locks:
    """What the extension makes of keys between the raw event and the focused program.

    A press of Caps Lock or Num Lock toggles a lock, whatever program grabs it; with Sticky Keys a modifier
    that is tapped is latched, and locked when it is tapped twice. The events name the key that did it, so
    what a hotkey changes is changed back. Slow Keys and Bounce Keys delay presses or drop them, after the
    raw event. Without the extension (servers for thin clients) there is none of this.

    Attributes:
        event_type: The type of the events to pass to ``handle``.
        is_filtering: Whether Slow Keys or Bounce Keys are on.
    """

    def __init__(self, display: XObject) -> None:
        self._suppressed: frozenset[int] = frozenset()
        self._state = State(0, 0, 0, 0)
        self.event_type = -1
        self.is_filtering = False
        if _find(display) is not None:
            self._xkb = Xkb(display, (NEW_KEYBOARD, MAP, STATE, CONTROLS))
            self.event_type = self._xkb.event_type
            self._state = self._xkb.state()
            self._follow_controls()

    @property
    def in_force(self) -> int:
        """The modifiers that were latched or locked before the press that is being dealt with."""
        return self._state.latched | self._state.locked

    def suppress(self, codes: Collection[int]) -> None:
        """Undo from now on what the keys ``codes`` latch and lock."""
        self._suppressed = self._suppressed.union(codes)

    def allow(self, code: int) -> None:
        """Let the key ``code`` latch and lock again."""
        self._suppressed -= {code}

    def handle(self, event: rq.Event) -> bool:
        """Take in an event of the extension. Returns whether the keyboard map may have changed."""
        if event.kind == CONTROLS:
            self._follow_controls()
        elif event.kind == STATE:
            rest = bytes(event.rest)
            before, now = self._state, State(rest[2], rest[3], rest[4], rest[5])
            if rest[20] in self._suppressed:  # the key that did it
                locks, latches = before.locked ^ now.locked, now.latched & ~before.latched
                if locks or latches:
                    self._xkb.lock(locks, before.locked & locks, unlatched=latches)
                now = State(now.held, now.latched & before.latched, before.locked, now.group)
            self._state = now
        return event.kind in (NEW_KEYBOARD, MAP)

    def _follow_controls(self) -> None:
        access = self._xkb.access()
        self.is_filtering = bool(access.slow_s or access.bounce_s)
