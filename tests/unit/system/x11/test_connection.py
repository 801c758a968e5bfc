"""Grabbing the X server, and asking who manages its screen."""

from contextlib import contextmanager

import pytest

pytest.importorskip("Xlib", reason="python-xlib is installed on Linux only")

from handy_qwen.system.x11 import connection as module
from handy_qwen.system.x11.connection import has_manager, server_grab, use_pause


class Server:
    """What is asked of an X server, in order."""

    def __init__(self):
        self.asked = []

    def grab_server(self):
        self.asked.append("grab")

    def ungrab_server(self):
        self.asked.append("ungrab")

    def flush(self):
        self.asked.append("flush")


@pytest.mark.parametrize("is_paused", [True, False])
def test_the_server_is_grabbed_only_while_qt_stands_still(monkeypatch, is_paused):
    server = Server()

    @contextmanager
    def pause():
        server.asked.append("stop")
        yield is_paused
        server.asked.append("go on")

    monkeypatch.setattr(module, "_pause", module._pause)  # as before afterwards
    use_pause(pause)
    with server_grab(server):
        server.asked.append("keys")
    if is_paused:
        assert server.asked == ["stop", "grab", "keys", "ungrab", "flush", "go on"]
    else:
        assert server.asked == ["stop", "keys", "go on"]


class Screen:
    """Screen 1 of an X server, which one program manages as a tray."""

    def get_default_screen(self):
        return 1

    def get_atom(self, name):
        return name

    def get_selection_owner(self, atom):
        return 0x400001 if atom == "_NET_SYSTEM_TRAY_S1" else 0


def test_a_screen_is_managed_by_whoever_owns_its_selection():
    assert has_manager(Screen(), "_NET_SYSTEM_TRAY")
    assert not has_manager(Screen(), "_NET_WM_CM")
