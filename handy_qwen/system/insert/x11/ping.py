"""Waits until a window has dealt with the keys sent so far.

_NET_WM_PING is meant to find programs that hang; the answer comes when the window gets to it, behind
all events that were there before. Windows that do not speak it (xterm) are given a
fixed time. GTK answers to those who listen for SubstructureNotify on the root window, as the hints
have it; Qt 6 to those who listen for StructureNotify there.

Source: Extended Window Manager Hints 1.5.
"""

from __future__ import annotations

import select
import time

from Xlib import X
from Xlib.protocol import event

from handy_qwen.system.insert.x11.connection import XObject
from handy_qwen.system.insert.x11.keyboard import Pause

ANSWER_S = 4.0
WITHOUT_PING_S = 0.15


def wait_for(connection: XObject, window_id: int, pause: Pause) -> None:
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
