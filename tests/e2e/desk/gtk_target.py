"""A GTK 3 text field that reports its text. Run by targets.py with the system's Python.

Speaks the protocol of qt_target.py.
"""

import json
import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("GdkX11", "3.0")
from gi.repository import GdkX11, GLib, Gtk  # noqa: E402 (the versions must be asked for first)


def say(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)  # noqa: T201 (this is the protocol)


class Window(Gtk.Window):  # type: ignore[misc]  # GTK has no types
    """The text view and its reports."""

    def __init__(self) -> None:
        super().__init__(title="GTK target")
        self.set_default_size(600, 260)
        self._view = Gtk.TextView()
        self._buffer = self._view.get_buffer()
        self._buffer.connect("changed", self._on_changed)
        self._pending = 0
        self.add(self._view)
        self.connect("map-event", self._on_mapped)
        GLib.io_add_watch(0, GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, self._on_command)

    def _on_mapped(self, *_: object) -> bool:
        window = self.get_window()
        assert isinstance(window, GdkX11.X11Window)
        say("ready", window=window.get_xid())
        return False

    def _on_changed(self, _: Gtk.TextBuffer) -> None:
        if not self._pending:
            self._pending = GLib.timeout_add(3, self._report)

    def _report(self) -> bool:
        self._pending = 0
        begin, end = self._buffer.get_bounds()
        say("text", text=self._buffer.get_text(begin, end, include_hidden_chars=True))
        return False

    def _attend(self) -> bool:
        if self.has_toplevel_focus():
            say("attending")
        return not self.has_toplevel_focus()  # whether to try again

    def _on_command(self, *_: object) -> bool:
        line = sys.stdin.readline().strip()
        if line == "attend":
            GLib.timeout_add(5, self._attend)
            return True
        if line == "settle":
            self._report()
            say("settled")
            return True
        if line != "clear":
            Gtk.main_quit()
            return False
        self._buffer.set_text("")
        if self._pending:
            GLib.source_remove(self._pending)
            self._pending = 0
        say("cleared")
        return True


if __name__ == "__main__":
    window = Window()
    window.show_all()
    Gtk.main()
