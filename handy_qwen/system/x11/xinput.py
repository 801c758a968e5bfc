"""Raw events of all keys and buttons, when they happened, and which keys of one device are down.

Raw events come whichever window has the focus and whoever has grabbed the keyboard (since version 2.1 of the
X Input extension), once per press (the server's auto-repeat happens later) and with the device they come
from. A client that holds a core grab itself gets none meanwhile: the connection that listens must not be
the one that grabs. python-xlib knows neither their data nor the request for the state of one device.
The server's state as a whole is no substitute: there a key that some program releases by XTEST counts as
up while the finger is still on it.

Source: X Input Extension protocol, versions 1.5 (QueryDeviceState) and 2.2 (XIRawEvent),
https://www.x.org/releases/current/doc/inputproto/.
"""

from __future__ import annotations

from Xlib import error
from Xlib.ext import xinput
from Xlib.protocol import rq

from handy_qwen.system.x11.connection import XObject

XINPUT = "XInputExtension"
DRIFT = 1e-4  # how fast the clocks may part, if the server is another machine: seconds in a second
MAX_LAG_S = 2.0  # a longer wait is not believed: the server's stamps wrap after 49 days
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
    """Ask for raw key and button events on ``display``. False if the server has no X Input 2.1."""
    extension = display.query_extension(XINPUT)
    if extension is None:
        return False
    try:
        version = xinput.XIQueryVersion(
            display=display.display, opcode=extension.major_opcode, major_version=2, minor_version=2
        )
    except error.BadRequest:  # a server that knows version 1 only
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
    """The keycodes that are down on ``device``; none if it is gone or has no keys."""
    return _down(display, device, _KEY_CLASS)


def buttons_down(display: XObject, device: int) -> frozenset[int]:
    """The buttons that are down on ``device``, as raw events number them; none if it is gone or has none."""
    return _down(display, device, _BUTTON_CLASS)


def _down(display: XObject, device: int, wanted: int) -> frozenset[int]:
    opcode = display.display.get_extension_major(XINPUT)
    try:
        reply = _QueryDeviceState(display=display.display, opcode=opcode, device_id=device)
    except error.XError:  # unplugged, or put back under another number
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
    """The numbers of the keyboards that are plugged in, XTEST's among them."""
    devices = display.xinput_query_device(xinput.AllDevices).devices
    return [device.deviceid for device in devices if device.use == xinput.SlaveKeyboard]


def xtest_devices(display: XObject) -> frozenset[int]:
    """The numbers of the devices that injected events come from."""
    devices = display.xinput_query_device(xinput.AllDevices).devices
    return frozenset(d.deviceid for d in devices if str(d.name).endswith(_XTEST_NAMES))


class ServerClock:
    """Turns the server's milliseconds into seconds of ``time.monotonic()``.

    An event may wait while other threads keep the interpreter busy (a model is being loaded, say), and a tap
    would then look held. The event that came through fastest shows how the two clocks differ, and any other
    is dated by that.
    """

    def __init__(self) -> None:
        self._difference_s: float | None = None
        self._last_s = 0.0

    def at_s(self, stamp_ms: int, now_s: float) -> float:
        """When the event with ``stamp_ms``, received at ``now_s``, happened. Never later than ``now_s``."""
        stamp_s = stamp_ms / 1000
        difference_s = now_s - stamp_s
        if self._difference_s is not None:
            known_s = self._difference_s + DRIFT * (now_s - self._last_s)
            if difference_s - known_s <= MAX_LAG_S:
                difference_s = min(difference_s, known_s)
        self._difference_s, self._last_s = difference_s, now_s
        return min(stamp_s + difference_s, now_s)
