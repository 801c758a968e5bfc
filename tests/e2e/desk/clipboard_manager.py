"""A clipboard manager as they all behave: it fetches the text as soon as the clipboard changes hands.

Prints ``ready``, and for each fetch ``fetched`` or ``fetched private``. Takes nothing over.
"""

import sys
from typing import Any

from Xlib import X, Xatom, display
from Xlib.ext import xfixes


def fetch(connection: Any, window: Any, target: str) -> bytes:  # python-xlib has no types
    clipboard, prop = connection.intern_atom("CLIPBOARD"), connection.intern_atom("FETCHED")
    window.convert_selection(clipboard, connection.intern_atom(target), prop, X.CurrentTime)
    while True:
        event = connection.next_event()
        if event.type == X.SelectionNotify:
            break
    if event.property == X.NONE:
        return b""
    found = window.get_full_property(prop, X.AnyPropertyType)
    window.delete_property(prop)
    return bytes(found.value) if found.property_type != Xatom.ATOM else b""


def main() -> int:
    connection = display.Display()
    connection.xfixes_query_version()
    root = connection.screen().root
    window = root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
    mask = xfixes.XFixesSetSelectionOwnerNotifyMask
    connection.xfixes_select_selection_input(root, connection.intern_atom("CLIPBOARD"), mask)
    connection.sync()
    print("ready", flush=True)  # noqa: T201 (the test reads it)
    while True:
        event = connection.next_event()
        if event.type != connection.extension_event.SetSelectionOwnerNotify[0]:
            continue
        is_private = fetch(connection, window, "x-kde-passwordManagerHint") == b"secret"
        if fetch(connection, window, "UTF8_STRING"):
            print("fetched private" if is_private else "fetched", flush=True)  # noqa: T201 (read by the test)


if __name__ == "__main__":
    sys.exit(main())
