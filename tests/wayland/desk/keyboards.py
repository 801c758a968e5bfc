"""Keyboards that a compositor takes for real ones: they send evdev key codes; it repeats them itself."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from jeepney import DBusAddress, new_method_call
from jeepney.io.blocking import open_dbus_connection
from jeepney.wrappers import unwrap_msg

from handy_qwen.system.wayland.keyboard import VirtualKeyboard
from handy_qwen.system.wayland.wire import Connection, Interface

CODES: Mapping[str, int] = {
    "esc": 1, "tab": 15, "enter": 28, "ctrl": 29, "shift": 42, "alt": 56, "space": 57,
    "f8": 66, "f9": 67, "f10": 68, "ctrl_r": 97, "insert": 110, "delete": 111, "super": 125,
    **{key: 16 + place for place, key in enumerate("qwertyuiop")},
    **{key: 30 + place for place, key in enumerate("asdfghjkl")},
    **{key: 44 + place for place, key in enumerate("zxcvbnm")},
}  # fmt: skip
"""Linux input event codes, by our names."""


class Keyboard(ABC):
    """Subclasses send one key."""

    @abstractmethod
    def key(self, code: int, *, is_down: bool) -> None:
        """Move a key."""

    @abstractmethod
    def close(self) -> None:
        """Unplug it."""

    def down(self, name: str) -> None:
        """Press a key."""
        self.key(CODES[name], is_down=True)

    def up(self, name: str) -> None:
        """Let go of it."""
        self.key(CODES[name], is_down=False)

    def tap(self, *names: str, hold_s: float = 0.05) -> None:
        """Press keys together, and let go of them in the opposite order."""
        for name in names:
            self.down(name)
            time.sleep(0.01)
        time.sleep(hold_s)
        for name in reversed(names):
            self.up(name)
            time.sleep(0.01)


class MutterKeyboard(Keyboard):
    """GNOME: org.gnome.Mutter.RemoteDesktop, what GNOME's own remote desktop uses. Asks nobody."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._bus = open_dbus_connection(environment["DBUS_SESSION_BUS_ADDRESS"])
        name = "org.gnome.Mutter.RemoteDesktop"
        manager = DBusAddress("/org/gnome/Mutter/RemoteDesktop", bus_name=name, interface=name)
        (path,) = self._send(manager, "CreateSession")
        self._session = DBusAddress(str(path), bus_name=name, interface=f"{name}.Session")
        self._send(self._session, "Start")

    def key(self, code: int, *, is_down: bool) -> None:
        """See ``Keyboard``."""
        self._send(self._session, "NotifyKeyboardKeycode", "ub", (code, is_down))

    def close(self) -> None:
        """See ``Keyboard``."""
        self._bus.close()

    def _send(
        self, address: DBusAddress, method: str, signature: str | None = None, body: tuple[object, ...] = ()
    ) -> tuple[object, ...]:
        reply = self._bus.send_and_get_reply(new_method_call(address, method, signature, body), timeout=10)
        return tuple(unwrap_msg(reply))


FAKE_INPUT = Interface(
    "org_kde_kwin_fake_input",
    (
        "authenticate ss",
        "pointer_motion ff",
        "button uu",
        "axis uf",
        "touch_down uff",
        "touch_motion uff",
        "touch_up u",
        "touch_cancel",
        "touch_frame",
        "pointer_motion_absolute ff",
        "keyboard_key uu",
    ),
)


class KWinKeyboard(Keyboard):
    """KDE: org_kde_kwin_fake_input. KWin must run with KWIN_WAYLAND_NO_PERMISSION_CHECKS=1."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._connection = Connection(_path(environment))
        self._input = self._connection.bind(FAKE_INPUT, 4)
        self._input.ask("authenticate", "desk", "tests")
        self._connection.roundtrip()

    def key(self, code: int, *, is_down: bool) -> None:
        """See ``Keyboard``."""
        self._input.ask("keyboard_key", code, int(is_down))
        self._connection.roundtrip()

    def close(self) -> None:
        """See ``Keyboard``."""
        self._connection.close()


class WlrootsKeyboard(Keyboard):
    """sway: a virtual keyboard with the whole keymap."""

    MODIFIERS: Mapping[int, int] = {42: 1, 29: 4, 97: 4, 56: 8, 125: 64}

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._keyboard = VirtualKeyboard(_path(environment))
        self._held = 0

    def key(self, code: int, *, is_down: bool) -> None:
        """See ``Keyboard``."""
        bit = self.MODIFIERS.get(code, 0)
        self._held = self._held | bit if is_down else self._held & ~bit
        self._keyboard.move(code, self._held, is_down=is_down)

    def close(self) -> None:
        """See ``Keyboard``."""
        self._keyboard.close()


def _path(environment: Mapping[str, str]) -> str:
    return str(Path(environment["XDG_RUNTIME_DIR"]) / environment["WAYLAND_DISPLAY"])
