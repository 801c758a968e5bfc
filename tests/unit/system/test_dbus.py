"""Connections to a session bus that hangs."""

import contextlib
import gc
import socket
import sys
import threading
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("D-Bus is on Linux only", allow_module_level=True)

from handy_qwen.doctor import desktop
from handy_qwen.errors import InsertError
from handy_qwen.system import portal
from handy_qwen.system.hotkeys.portal import ShortcutsSession
from handy_qwen.system.insert.wayland import Permission, PortalKeyboard
from handy_qwen.system.portal import PortalError


@pytest.fixture
def frozen(tmp_path, monkeypatch):
    """The address of a bus that lets everybody in and then says nothing more."""
    monkeypatch.setattr(portal, "HELLO_S", 0.3)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "bus"))
    server.listen()

    def serve():
        with contextlib.ExitStack() as guests, contextlib.suppress(OSError):
            while True:
                guest = guests.enter_context(server.accept()[0])
                guest.recv(1024)  # the credentials, perhaps with the request
                guest.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    address = f"unix:path={tmp_path / 'bus'}"
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    yield address
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(30)


def outcome(ask):
    """What ``ask`` returns or raises, if it does either."""
    found = []

    def run():
        try:
            found.append(ask())
        except Exception as exc:
            found.append(type(exc))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert found, "it hangs"
    return found[0]


def files():
    """How many files are open."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nobody_waits_for_ever_for_a_bus_that_lets_one_in_and_says_nothing(frozen, tmp_path):
    before, asked = files(), 4
    assert outcome(lambda: portal.version_of("RemoteDesktop")) is None
    assert outcome(lambda: desktop._has_status_notifier({"DBUS_SESSION_BUS_ADDRESS": frozen})) is False
    assert issubclass(outcome(lambda: ShortcutsSession("SESSION", ())), PortalError)
    assert issubclass(outcome(lambda: PortalKeyboard(Permission(tmp_path / "permission"))), InsertError)
    assert files() <= before + asked, "only the bus's own ends are open"
