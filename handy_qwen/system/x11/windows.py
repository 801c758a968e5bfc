"""Windows: the focused one, its program, and whether it has processed its keys.

The *client* of a window is the base of its resource ids: all windows of one connection to the X server share
it. That distinguishes the focused program's request from a clipboard manager's. A program with two
connections is recognized by its process (X-Resource 1.2), if the server knows it.

Source: Extended Window Manager Hints 1.5.
"""

from __future__ import annotations

import select
import threading
import time

from Xlib import X, error
from Xlib.ext import res
from Xlib.protocol import event

from handy_qwen.core.types import Target
from handy_qwen.system.insert.backend import Pause
from handy_qwen.system.x11.connection import LOST, XObject, connect, disconnect

PING_S = 4.0
WITHOUT_PING_S = 0.15
_TERMINALS = """
    alacritty com.mitchellh.ghostty cool-retro-term deepin-terminal eterm foot gnome-terminal guake kgx
    kitty konsole lxterminal mate-terminal mlterm org.gnome.console org.gnome.ptyxis org.wezfurlong.wezterm
    pantheon-terminal qterminal rxvt sakura st st-256color terminator terminology termite tilda tilix urxvt
    uxterm xfce4-terminal xterm yakuake
"""


def is_terminal(window_class: str) -> bool:
    """Whether ``window_class`` (WM_CLASS) is a terminal: its Shift+Insert takes PRIMARY, not CLIPBOARD."""
    return window_class.lower() in _TERMINALS.split()


class FocusReader:
    """Determines the focus on its own connection, on any thread. Raises InsertError: no X server."""

    def __init__(self, name: str) -> None:
        self._lock = threading.Lock()
        self._display = connect(name)

    def target(self) -> Target:
        """The focused window; ``Target()`` if there is none or it just went away."""
        try:
            with self._lock:
                window = _active_window(self._display) or _focus_window(self._display)
                return Target(window, self._class_of(window)) if window else Target()
        except (error.XError, *LOST):
            return Target()  # it closed between two requests

    def process(self) -> int:
        """The process of the focused window; 0 if there is none, or it is unknown."""
        try:
            with self._lock:
                return _process_of(self._display, _active_window(self._display))
        except (error.XError, *LOST):
            return 0

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            disconnect(self._display)

    def _class_of(self, window: int) -> str:
        names = self._display.create_resource_object("window", window).get_wm_class()
        return str(names[1]) if names else ""


class FocusedWindow:
    """The target of keys at one moment, to check later whether it still is. For one thread.

    ``window`` is the active window, or else the focused one; 0 if there is none.
    """

    def __init__(self, connection: XObject) -> None:
        self._display = connection
        self._active = _active_window(connection)
        self._focus = _focus_window(connection)
        # Window managers may still call a window active that has lost the focus to none.
        self.window = (self._active or self._focus) if self._focus else 0

    def still_is(self) -> bool:
        """Whether the window is active and has the focus, perhaps in another field (some toolkits)."""
        focus = _focus_window(self._display)
        is_same = focus == self._focus or (
            focus and _client_of(self._display, focus) == _client_of(self._display, self._focus)
        )
        return bool(is_same) and _active_window(self._display) == self._active

    def wait_until_read(self, pause: Pause) -> None:
        """Wait until the window answers a ping, after all keys; those without pings get a fixed time."""
        window = self._display.create_resource_object("window", self.window)
        protocols = window.get_full_property(self._display.get_atom("WM_PROTOCOLS"), X.AnyPropertyType)
        knows_ping = protocols is not None and self._display.get_atom("_NET_WM_PING") in protocols.value
        if not knows_ping or not self._ping(window):
            pause(WITHOUT_PING_S)

    def _ping(self, window: XObject) -> bool:
        """Whether ``window`` answers within ``PING_S``."""
        root = self._display.screen().root
        kind = self._display.get_atom("WM_PROTOCOLS")
        number = int(time.monotonic() * 1000) & 0x7FFFFFFF
        data = [self._display.get_atom("_NET_WM_PING"), number, window.id, 0, 0]
        # GTK answers to SubstructureNotify, as the hints require; Qt 6 to StructureNotify.
        root.change_attributes(event_mask=X.SubstructureNotifyMask | X.StructureNotifyMask)
        try:
            window.send_event(event.ClientMessage(window=window, client_type=kind, data=(32, data)))
            self._display.sync()
            end_s = time.monotonic() + PING_S
            while (left_s := end_s - time.monotonic()) > 0:
                while self._display.pending_events():
                    got = self._display.next_event()
                    if got.type == X.ClientMessage and got.client_type == kind and got.data[1][1] == number:
                        return True
                select.select([self._display], [], [], left_s)
            return False
        finally:
            root.change_attributes(event_mask=X.NoEventMask)
            self._display.sync()


def _active_window(connection: XObject) -> int:
    """The active window according to the window manager; 0 for none."""
    active = connection.get_atom("_NET_ACTIVE_WINDOW")
    found = connection.screen().root.get_full_property(active, X.AnyPropertyType)
    return int(found.value[0]) if found and len(found.value) else 0


def _focus_window(connection: XObject) -> int:
    """The window that gets the keys; 0 if none, the root, or the one under the pointer does."""
    focus = connection.get_input_focus().focus
    is_none = focus in (X.NONE, X.PointerRoot) or focus.id == connection.screen().root.id
    return 0 if is_none else int(focus.id)


def _client_of(connection: XObject, window: int) -> int:
    return window & ~int(connection.display.info.resource_id_mask)


def is_same_program(connection: XObject, one: int, other: int) -> bool:
    """Whether two windows belong to the same connection or process."""
    if _client_of(connection, one) == _client_of(connection, other):
        return True
    process = _process_of(connection, one)
    return bool(process) and process == _process_of(connection, other)


def _process_of(connection: XObject, window: int) -> int:
    """The process of ``window``, 0 if the server does not know."""
    if not connection.has_extension(res.extname):
        return 0
    try:
        answer = connection.res_query_client_ids([{"client": window, "mask": res.LocalClientPIDMask}])
    except error.XError:
        return 0  # the window is gone, or the server is older than X-Resource 1.2
    return next((int(found.value[0]) for found in answer.ids if len(found.value)), 0)
