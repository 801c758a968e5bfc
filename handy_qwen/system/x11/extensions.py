"""Requests and events of the extensions XKEYBOARD and X Input that python-xlib lacks.

The core protocol reveals neither the current group of a layout nor which modifiers select a level: ``us,ru``
and ``ru`` look alike there.

Source: X Keyboard Extension protocol 1.0, appendix D (encoding); XKBproto.h of xorgproto 2022.1.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from Xlib import error
from Xlib.ext import xinput
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
    _request = _request_format(8, rq.Card16("whole"), rq.Pad(20))  # parts are not requested
    _reply = _reply_format(rq.Binary("rest"))


class _Notify(rq.Event):  # type: ignore[misc] # python-xlib is untyped
    """All events of the extension have one code; the second byte is their type."""

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
    """Held, latched and locked modifiers (masks), and the current group (0 to 3)."""

    held: int
    latched: int
    locked: int
    group: int


@dataclass(frozen=True, slots=True)
class Access:
    """The accessibility settings of the X server."""

    slow_s: float = 0.0  # how long a key must be down to count (Slow Keys)
    bounce_s: float = 0.0  # how long after a key the same one is ignored (Bounce Keys)
    is_sticky: bool = False  # a tapped modifier applies to the next key (Sticky Keys)


def _find(connection: XObject) -> XObject | None:
    found = connection.query_extension(EXTENSION)
    return found if found and found.present else None


class Xkb:
    """The extension, and its events of the given ``kinds``, on one connection. For one thread.

    ``event_type`` is that of the events. Connections that use the extension get no MappingNotify: these
    announce a changed keyboard map. Raises InsertError: the X server lacks it.
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
        """The current modifiers and group."""
        reply = _GetState(**self._to_device)
        return State(reply.held, reply.latched, reply.locked, reply.group)

    def access(self) -> Access:
        """The active accessibility features."""
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
        """The current keyboard map."""
        return parse(bytes(_GetMap(**self._to_device, whole=TYPES_AND_SYMBOLS).rest))


class Locks:
    """How the extension changes keys between the raw event and the focused program.

    A press of Caps Lock or Num Lock toggles a lock, whatever program grabs it; with Sticky Keys a tapped
    modifier is latched, and locked when it is tapped twice. The events name the responsible key, so the
    changes of a hotkey are reverted. Slow Keys and Bounce Keys (``is_filtering``) delay or drop presses,
    after the raw event. Servers for thin clients may lack the extension.
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
        """The modifiers that were latched or locked before the current press."""
        return self._state.latched | self._state.locked

    def suppress(self, codes: Collection[int]) -> None:
        """Undo from now on what the keys ``codes`` latch and lock."""
        self._suppressed = self._suppressed.union(codes)

    def allow(self, code: int) -> None:
        """Let the key ``code`` latch and lock again."""
        self._suppressed -= {code}

    def handle(self, event: rq.Event) -> bool:
        """Handle an event of the extension. Returns whether the keyboard map may have changed."""
        if event.kind == CONTROLS:
            self._follow_controls()
        elif event.kind == STATE:
            rest = bytes(event.rest)
            before, now = self._state, State(rest[2], rest[3], rest[4], rest[5])
            if rest[20] in self._suppressed:  # the responsible key
                locks, latches = before.locked ^ now.locked, now.latched & ~before.latched
                if locks or latches:
                    self._xkb.lock(locks, before.locked & locks, unlatched=latches)
                now = State(now.held, now.latched & before.latched, before.locked, now.group)
            self._state = now
        return event.kind in (NEW_KEYBOARD, MAP)

    def _follow_controls(self) -> None:
        access = self._xkb.access()
        self.is_filtering = bool(access.slow_s or access.bounce_s)


# --- raw events of all keys and buttons, and which keys of one device are down ----------------------
#
# Raw events come regardless of focus and grabs (since version 2.1 of the X Input extension), once per press
# (auto-repeat happens later) and with their device. A client that holds a core grab gets none meanwhile: the
# connection that listens must not be the one that grabs. python-xlib supports neither their data nor the
# request for the state of one device. The server's overall state is no substitute: there a key that a program
# releases by XTEST counts as up while the finger is still on it. Source: X Input Extension protocol, versions
# 1.5 (QueryDeviceState) and 2.2 (XIRawEvent), https://www.x.org/releases/current/doc/inputproto/.

XINPUT = "XInputExtension"
DRIFT = 1e-4  # relative drift of the clocks, if the server is another machine
MAX_LAG_S = 2.0  # longer delays are implausible: the server's stamps wrap after 49 days
_KEY_CLASS, _BUTTON_CLASS = 0, 1
_XTEST_NAMES = ("XTEST keyboard", "XTEST pointer")
_RAW_TYPES = (xinput.RawKeyPress, xinput.RawKeyRelease, xinput.RawButtonPress, xinput.RawButtonRelease)
_RAW_EVENT = rq.Struct(
    rq.Card16("deviceid"),
    rq.Card32("time"),
    rq.Card32("detail"),
    rq.Card16("sourceid"),
    rq.Card16("valuators_len"),
    rq.Card32("flags"),
    rq.Pad(4),
)


class _QueryDeviceState(rq.ReplyRequest):  # type: ignore[misc]  # python-xlib has no types
    _request = rq.Struct(
        rq.Card8("opcode"), rq.Opcode(30), rq.RequestLength(), rq.Card8("device_id"), rq.Pad(3)
    )
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Card8("reply_type"),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Card8("num_classes"),
        rq.Pad(23),
        rq.List("classes", rq.Card8),
    )


def select_raw(display: XObject) -> bool:
    """Subscribe to raw key and button events on ``display``. False if the server has no X Input 2.1."""
    extension = display.query_extension(XINPUT)
    if extension is None:
        return False
    try:
        version = xinput.XIQueryVersion(
            display=display.display, opcode=extension.major_opcode, major_version=2, minor_version=2
        )
    except error.BadRequest:  # a server with version 1 only
        return False
    if (version.major_version, version.minor_version) < (2, 1):
        return False
    mask = 0
    for kind in _RAW_TYPES:
        display.ge_add_event_data(extension.major_opcode, kind, _RAW_EVENT)
        mask |= 1 << kind
    display.screen().root.xinput_select_events([(xinput.AllMasterDevices, mask)])
    display.sync()
    return True


def keys_down(display: XObject, device: int) -> frozenset[int]:
    """The keycodes that are down on ``device``; empty if it is gone or has no keys."""
    return _down(display, device, _KEY_CLASS)


def buttons_down(display: XObject, device: int) -> frozenset[int]:
    """The buttons down on ``device``, numbered as in raw events; empty if it is gone or has none."""
    return _down(display, device, _BUTTON_CLASS)


def _down(display: XObject, device: int, wanted: int) -> frozenset[int]:
    opcode = display.display.get_extension_major(XINPUT)
    try:
        reply = _QueryDeviceState(display=display.display, opcode=opcode, device_id=device)
    except error.XError:  # unplugged, or reconnected under another number
        return frozenset()
    data = bytes(reply.classes)
    for _ in range(reply.num_classes):
        kind, length = data[0], data[1]
        if kind == wanted:  # kind, length, how many, padding, then 32 bytes of bits
            bits = data[4:36]
            return frozenset(place for place in range(256) if bits[place >> 3] >> (place & 7) & 1)
        data = data[length:]
    return frozenset()


def keyboards(display: XObject) -> list[int]:
    """The numbers of all keyboards, including XTEST's."""
    devices = display.xinput_query_device(xinput.AllDevices).devices
    return [device.deviceid for device in devices if device.use == xinput.SlaveKeyboard]


def xtest_devices(display: XObject) -> frozenset[int]:
    """The numbers of the devices of injected events."""
    devices = display.xinput_query_device(xinput.AllDevices).devices
    return frozenset(d.deviceid for d in devices if str(d.name).endswith(_XTEST_NAMES))


class ServerClock:
    """Converts the server's milliseconds to seconds of ``time.monotonic()``.

    An event may be delayed while other threads keep the interpreter busy (loading a model, say), and a tap
    would then look held. The fastest event shows the offset of the two clocks, and all others are dated with
    it.
    """

    def __init__(self) -> None:
        self._difference_s: float | None = None
        self._last_s = 0.0

    def at_s(self, stamp_ms: int, now_s: float) -> float:
        """When the event with ``stamp_ms``, received at ``now_s``, occurred. Never later than ``now_s``."""
        stamp_s = stamp_ms / 1000
        difference_s = now_s - stamp_s
        if self._difference_s is not None:
            known_s = self._difference_s + DRIFT * (now_s - self._last_s)
            if difference_s - known_s <= MAX_LAG_S:
                difference_s = min(difference_s, known_s)
        self._difference_s, self._last_s = difference_s, now_s
        return min(stamp_s + difference_s, now_s)
