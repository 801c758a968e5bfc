"""Which window has the focus, what it is, and which program it belongs to.

``client`` of a window is the base of its resource ids: all windows of one connection to the X server
share it. That tells the request of the focused program from that of a clipboard manager. A program
with two connections is recognized by its process (X-Resource 1.2), where the server tells.
"""

from __future__ import annotations

import select
import threading
import time

from Xlib import X, error
from Xlib.ext import res
from Xlib.protocol import event

from handy_qwen.core.types import Target
from handy_qwen.system.x11.connection import XObject, connect
from handy_qwen.system.x11.keyboard import Pause


class FocusReader:
    """Looks at the focus on a connection of its own. Safe on any thread."""

    def __init__(self, name: str) -> None:
        """Connect to the X server ``name``.

        Raises:
            InsertError: It cannot be reached.
        """
        self._lock = threading.Lock()
        self._display = connect(name)

    def target(self) -> Target:
        """The window that has the focus; ``Target()`` if there is none or it just went away."""
        try:
            with self._lock:
                window = active_window(self._display) or focus_window(self._display)
                return Target(window, self._class_of(window)) if window else Target()
        except (error.XError, error.ConnectionClosedError, OSError):
            return Target()  # it closed between two requests: nobody has the focus

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            try:
                self._display.close()
            except (error.ConnectionClosedError, OSError):
                return  # the server went first

    def _class_of(self, window: int) -> str:
        names = self._display.create_resource_object("window", window).get_wm_class()
        return str(names[1]) if names else ""


class FocusedWindow:
    """Where the keys go at one moment, so that one can see whether they still go there.

    The input focus may move inside the window (from field to field, in some toolkits), but not to
    another program or to none, and the window must stay the active one.
    """

    def __init__(self, connection: XObject) -> None:
        """Note it. For the thread of the connection, as all of this."""
        self._display = connection
        self._active = active_window(connection)
        self._focus = focus_window(connection)

    @property
    def window(self) -> int:
        """The active window, or else that with the focus; 0 if the keys go to none.

        Window managers may still call a window active that has lost the focus to nobody.
        """
        return (self._active or self._focus) if self._focus else 0

    def still_is(self) -> bool:
        """Whether the keys still go there."""
        focus = focus_window(self._display)
        is_same = focus == self._focus or (
            focus and client_of(self._display, focus) == client_of(self._display, self._focus)
        )
        return bool(is_same) and active_window(self._display) == self._active


def active_window(connection: XObject) -> int:
    """What the window manager calls the active window; 0 if it calls none so."""
    active = connection.get_atom("_NET_ACTIVE_WINDOW")
    found = connection.screen().root.get_full_property(active, X.AnyPropertyType)
    return int(found.value[0]) if found and len(found.value) else 0


def focus_window(connection: XObject) -> int:
    """The window that the keys go to; 0 if they go to none, to the root, or to where the pointer is."""
    focus = connection.get_input_focus().focus
    is_none = focus in (X.NONE, X.PointerRoot) or focus.id == connection.screen().root.id
    return 0 if is_none else int(focus.id)


def client_of(connection: XObject, window: int) -> int:
    """What all windows of the same connection have in common."""
    return window & ~int(connection.display.info.resource_id_mask)


def process_of(connection: XObject, window: int) -> int:
    """The process that owns ``window``, 0 if the server does not tell."""
    if not connection.has_extension(res.extname):
        return 0
    try:
        answer = connection.res_query_client_ids([{"client": window, "mask": res.LocalClientPIDMask}])
    except error.XError:
        return 0  # the window is gone, or the server is older than X-Resource 1.2
    return next((int(found.value[0]) for found in answer.ids if len(found.value)), 0)


TERMINALS = frozenset(
    name.lower()
    for name in (
        "Alacritty",
        "com.mitchellh.ghostty",
        "cool-retro-term",
        "Deepin-Terminal",
        "Eterm",
        "foot",
        "Gnome-terminal",
        "Guake",
        "kitty",
        "konsole",
        "kgx",
        "Lxterminal",
        "Mate-terminal",
        "mlterm",
        "org.gnome.Console",
        "org.gnome.Ptyxis",
        "org.wezfurlong.wezterm",
        "Pantheon-terminal",
        "qterminal",
        "Rxvt",
        "Sakura",
        "st",
        "st-256color",
        "Terminator",
        "Terminology",
        "termite",
        "Tilda",
        "Tilix",
        "URxvt",
        "UXTerm",
        "Xfce4-terminal",
        "XTerm",
        "Yakuake",
    )
)


def is_terminal(window_class: str) -> bool:
    """Whether ``window_class`` (WM_CLASS) belongs to a terminal."""
    return window_class.lower() in TERMINALS


ANSWER_S = 4.0
WITHOUT_PING_S = 0.15


def wait_for_window(connection: XObject, window_id: int, pause: Pause) -> None:
    """Return when ``window_id`` has answered, or has had its time."""
    window = connection.create_resource_object("window", window_id)
    protocols = window.get_full_property(connection.intern_atom("WM_PROTOCOLS"), X.AnyPropertyType)
    ping = connection.intern_atom("_NET_WM_PING")
    if protocols is None or ping not in protocols.value or not _is_answered(connection, window, ping):
        pause(WITHOUT_PING_S)


def _is_answered(connection: XObject, window: XObject, ping: int) -> bool:
    root = connection.screen().root
    kind = connection.intern_atom("WM_PROTOCOLS")
    number = int(time.monotonic() * 1000) & 0x7FFFFFFF
    root.change_attributes(event_mask=X.SubstructureNotifyMask | X.StructureNotifyMask)
    try:
        message = event.ClientMessage(
            window=window, client_type=kind, data=(32, [ping, number, window.id, 0, 0])
        )
        window.send_event(message)
        connection.sync()
        end = time.monotonic() + ANSWER_S
        while (left := end - time.monotonic()) > 0:
            while connection.pending_events():
                got = connection.next_event()
                if got.type == X.ClientMessage and got.client_type == kind and got.data[1][1] == number:
                    return True
            select.select([connection], [], [], left)
        return False
    finally:
        root.change_attributes(event_mask=X.NoEventMask)
        connection.sync()
