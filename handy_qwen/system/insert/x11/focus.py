"""Which window has the focus, what it is, and which program it belongs to.

``client`` of a window is the base of its resource ids: all windows of one connection to the X server
share it. That tells the request of the focused program from that of a clipboard manager. A program
with two connections is recognized by its process (X-Resource 1.2), where the server tells.
"""

from __future__ import annotations

import threading

from Xlib import X, error
from Xlib.ext import res

from handy_qwen.core.ports import Target
from handy_qwen.system.insert.x11.connection import XObject, connect


class Focus:
    """Looks at the focus on a connection of its own. Safe on any thread."""

    def __init__(self, name: str) -> None:
        """Connect to the X server ``name``.

        Raises:
            InsertError: It cannot be reached.
        """
        self._lock = threading.Lock()
        self._display = connect(name)
        self._root = self._display.screen().root
        self._active = self._display.intern_atom("_NET_ACTIVE_WINDOW")

    def target(self) -> Target:
        """The window that has the focus; ``Target()`` if there is none or it just went away."""
        try:
            with self._lock:
                window = self._active_window() or self._focus_window()
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

    def _active_window(self) -> int:
        found = self._root.get_full_property(self._active, X.AnyPropertyType)
        return int(found.value[0]) if found and len(found.value) else 0

    def _focus_window(self) -> int:
        """Without a window manager that tells: the window the keys go to."""
        focus = self._display.get_input_focus().focus
        return 0 if focus in (X.NONE, X.PointerRoot) else int(focus.id)

    def _class_of(self, window: int) -> str:
        names = self._display.create_resource_object("window", window).get_wm_class()
        return str(names[1]) if names else ""


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
