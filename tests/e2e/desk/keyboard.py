"""Keys pressed by keycode, as hardware does it.

``xdotool keydown Control_R`` presses Control_L as well, and looks names up in the current layout.
Here a name stands for a place on the keyboard (evdev keycodes), whatever the layout writes on it.

Two ways in: XTEST, and the X server's own keyboard device. A program that tells injected keys
from real ones by the device sees the second as real.
"""

import ctypes

from Xlib import X, display
from Xlib.ext import xinput, xtest

KEYCODES = {
    "Escape": 9,
    "BackSpace": 22,
    "Tab": 23,
    "Return": 36,
    "Control_L": 37,
    "Shift_L": 50,
    "Shift_R": 62,
    "Alt_L": 64,
    "space": 65,
    "Caps_Lock": 66,
    "Num_Lock": 77,
    "Scroll_Lock": 78,
    "Control_R": 105,
    "Alt_R": 108,  # AltGr on layouts that have it
    "Home": 110,
    "Up": 111,
    "Down": 116,
    "End": 115,
    "Insert": 118,
    "Delete": 119,
    "Pause": 127,
    "Super_L": 133,
    "Super_R": 134,
    "Menu": 135,
}
KEYCODES |= {"XF86AudioMute": 121, "XF86AudioRaiseVolume": 123, "XF86AudioPlay": 172}
KEYCODES |= {f"F{n}": 66 + n for n in range(1, 11)} | {"F11": 95, "F12": 96}
KEYCODES |= {f"F{n}": 178 + n for n in range(13, 25)}
KEYCODES |= dict(zip("1234567890", range(10, 20), strict=True))
KEYCODES |= dict(zip("qwertyuiop", range(24, 34), strict=True))
KEYCODES |= dict(zip("asdfghjkl", range(38, 47), strict=True))
KEYCODES |= dict(zip("zxcvbnm", range(52, 59), strict=True))

CORE_KEYBOARD = 0x100
SLOW_KEYS, BOUNCE_KEYS, STICKY_KEYS, MOUSE_KEYS = (1 << bit for bit in range(1, 5))

XTEST_KEYBOARD = "Virtual core XTEST keyboard"


class Keyboard:
    """Presses keys by XTEST. One connection of its own; for one thread."""

    def __init__(self, name: str) -> None:
        self._display = display.Display(name)

    def down(self, *keys: str) -> None:
        """Press ``keys``, in this order, and leave them down."""
        for key in keys:
            self._send(KEYCODES[key], is_press=True)

    def up(self, *keys: str) -> None:
        """Let ``keys`` go, in this order."""
        for key in keys:
            self._send(KEYCODES[key], is_press=False)

    def chord(self, *keys: str) -> None:
        """Press ``keys`` together and let them go, the last first."""
        self.down(*keys)
        self.up(*reversed(keys))

    def held(self) -> list[int]:
        """The keycodes that the X server believes to be down."""
        bits = self._display.query_keymap()
        return [code for code in range(8, 256) if bits[code >> 3] & (1 << (code & 7))]

    def modifiers(self) -> int:
        """The modifier mask that is in force: held and locked ones alike."""
        return int(self._display.screen().root.query_pointer().mask) & 0xFF

    def release_all(self) -> None:
        """Let go whatever is down, so that one test cannot spoil the next."""
        for code in self.held():
            self._send(code, is_press=False)

    def close(self) -> None:
        """Give the connection back."""
        self._display.close()

    def _send(self, code: int, *, is_press: bool) -> None:
        xtest.fake_input(self._display, X.KeyPress if is_press else X.KeyRelease, code)
        self._display.sync()


class Xkb:
    """The keyboard extension as Xlib has it: locks, latches and accessibility features."""

    def __init__(self, name: str) -> None:
        self._x11 = ctypes.CDLL("libX11.so.6")
        self._x11.XOpenDisplay.restype = ctypes.c_void_p
        self._connection = ctypes.c_void_p(self._x11.XOpenDisplay(name.encode()))

    def lock(self, modifiers: int) -> None:
        """Lock exactly these."""
        self._x11.XkbLockModifiers(self._connection, CORE_KEYBOARD, 0xFF, modifiers)
        self._x11.XSync(self._connection, 0)

    def latch(self, modifiers: int) -> None:
        """Let exactly these go with the next key."""
        self._x11.XkbLatchModifiers(self._connection, CORE_KEYBOARD, 0xFF, modifiers)
        self._x11.XSync(self._connection, 0)

    def set_access(self, features: int) -> None:
        """Switch exactly these accessibility features on."""
        every = SLOW_KEYS | BOUNCE_KEYS | STICKY_KEYS | MOUSE_KEYS
        self._x11.XkbChangeEnabledControls(self._connection, CORE_KEYBOARD, every, features)
        self._x11.XSync(self._connection, 0)

    def close(self) -> None:
        """Give the connection back."""
        self._x11.XCloseDisplay(self._connection)


class HardwareKeyboard(Keyboard):
    """Presses keys on the X server's own keyboard, so that they do not come from the XTEST device."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._display.xinput_query_version()
        found = [
            device.deviceid
            for device in self._display.xinput_query_device(xinput.AllDevices).devices
            if device.use == xinput.SlaveKeyboard and device.name != XTEST_KEYBOARD
        ]
        assert found, "the X server has no keyboard of its own"
        self.device = found[0]
        self._x11 = ctypes.CDLL("libX11.so.6")
        self._xi = ctypes.CDLL("libXi.so.6")
        self._xtst = ctypes.CDLL("libXtst.so.6")
        self._x11.XOpenDisplay.restype = ctypes.c_void_p
        self._xi.XOpenDevice.restype = ctypes.c_void_p
        self._connection = ctypes.c_void_p(self._x11.XOpenDisplay(name.encode()))
        self._opened = ctypes.c_void_p(self._xi.XOpenDevice(self._connection, ctypes.c_ulong(self.device)))
        assert self._opened.value, "the X server's keyboard cannot be opened"

    def tap(self, key: str, held_s: float, times: int = 1) -> None:
        """Press ``key`` for so long, and again as long afterwards. The X server keeps the time itself."""
        for number in range(times):
            self._request(KEYCODES[key], is_press=True, after_s=held_s if number else 0.0)
            self._request(KEYCODES[key], is_press=False, after_s=held_s)
        self._x11.XSync(self._connection, 0)

    def close(self) -> None:
        """Give both connections back."""
        self._x11.XCloseDisplay(self._connection)
        super().close()

    def _send(self, code: int, *, is_press: bool) -> None:
        self._request(code, is_press=is_press, after_s=0.0)
        self._x11.XSync(self._connection, 0)

    def _request(self, code: int, *, is_press: bool, after_s: float) -> None:
        delay_ms = ctypes.c_ulong(round(after_s * 1000))
        self._xtst.XTestFakeDeviceKeyEvent(
            self._connection, self._opened, ctypes.c_uint(code), int(is_press), None, 0, delay_ms
        )
