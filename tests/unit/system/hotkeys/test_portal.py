"""The client of the portal in front of a bus that breaks in every way: nothing escapes, and nothing hangs."""

import os
import sys
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="D-Bus is on Linux only")
jeepney = pytest.importorskip("jeepney")

from jeepney.low_level import HeaderFields  # noqa: E402
from jeepney.wrappers import DBusErrorResponse  # noqa: E402

from handy_qwen.core.events import HotkeysFailed  # noqa: E402
from handy_qwen.core.ports import Hotkey  # noqa: E402
from handy_qwen.errors import HotkeyError, HotkeyReason  # noqa: E402
from handy_qwen.system.hotkeys import portal  # noqa: E402
from handy_qwen.system.hotkeys.portal import Portal, PortalError  # noqa: E402
from handy_qwen.system.hotkeys.wayland import PortalHotkeys  # noqa: E402

REFUSED = SimpleNamespace(header=SimpleNamespace(fields={HeaderFields.error_name: "org.Refused"}), body=())
ERRORS = [
    OSError("gone"),
    ConnectionResetError(),
    TimeoutError(),
    RuntimeError("an address we do not understand"),
    StopIteration(),
    KeyError("DBUS_SESSION_BUS_ADDRESS"),
    ValueError("no address"),
    DBusErrorResponse(REFUSED),
]


class Bus:
    """A connection on which all goes well, until ``fails`` is set."""

    def __init__(self):
        self.unique_name = ":1.7"
        self.fails = None
        self.queue = None
        self.session = ("o", "/session")
        self.reader, self.writer = os.pipe()
        self.sock = SimpleNamespace(fileno=lambda: self.reader)

    def filter(self, _rule, *, queue):
        self.queue = queue
        return SimpleNamespace(__enter__=None)

    def close(self):
        for end in (self.reader, self.writer):
            os.close(end)


@pytest.fixture(params=ERRORS, ids=lambda error: type(error).__name__)
def error(request):
    return request.param


def refuse(error):
    def open_dbus_connection(**_):
        raise error

    return open_dbus_connection


def test_a_bus_that_cannot_be_had_is_an_error_of_the_portal(monkeypatch, error):
    monkeypatch.setattr(portal, "open_dbus_connection", refuse(error))
    with pytest.raises(PortalError):
        Portal("SESSION")


def test_the_listener_says_so_and_lives(monkeypatch, error):
    monkeypatch.setattr(portal, "open_dbus_connection", refuse(error))
    posted = []
    listener = PortalHotkeys(posted.append)
    with pytest.raises(HotkeyError) as refused:
        listener.start([Hotkey("f9")])
    assert refused.value.reason is HotkeyReason.UNSUPPORTED_DESKTOP
    assert not listener.has_died()
    listener.stop()
    assert posted == []


def opened(monkeypatch, bus):
    """A session on ``bus``."""
    monkeypatch.setattr(portal, "open_dbus_connection", lambda **_: bus)
    monkeypatch.setattr(Portal, "_call", lambda *_: ())
    monkeypatch.setattr(Portal, "_create_session", lambda _self: "/session")
    return Portal("SESSION")


def test_a_connection_that_breaks_while_one_listens_is_an_error_of_the_portal(monkeypatch, error):
    bus = Bus()
    session = opened(monkeypatch, bus)

    def recv_messages(*, timeout):  # noqa: ARG001
        raise error

    bus.recv_messages = recv_messages
    if type(error) is TimeoutError:
        assert list(session.receive()) == [], "that is how it says that nothing has come"
    else:
        with pytest.raises(PortalError):
            list(session.receive())
    session.close()


def message(member, body, path="/session"):
    fields = {HeaderFields.member: member, HeaderFields.path: path}
    return SimpleNamespace(header=SimpleNamespace(fields=fields), body=body)


@pytest.mark.parametrize(
    "senseless",
    [
        message("Activated", ()),
        message("ShortcutsChanged", ("/session", 7)),
        message("ShortcutsChanged", ("/session", [("dictate", None)])),
        message("Response", (0,), "/binding"),
        message("Response", (0, {"shortcuts": 7}), "/binding"),
    ],
)
def test_a_message_without_sense_is_an_error_of_the_portal(monkeypatch, senseless):
    session = opened(monkeypatch, Bus())
    session._binding = "/binding"
    with pytest.raises(PortalError):
        session._read_safely(senseless)
    session.close()


@pytest.mark.parametrize(
    ("code", "shortcuts", "kind"),
    [
        (0, [("dictate", {"trigger_description": ("s", "F9")})], "Bound"),
        (2, [("dictate", {"trigger_description": ("s", "F9")})], "Bound"),
        (1, [], "Refused"),
    ],
)
def test_the_answer_to_a_wish_is_read_by_its_list(monkeypatch, code, shortcuts, kind):
    session = opened(monkeypatch, Bus())
    session._binding = "/binding"
    answer = session._read(message("Response", (code, {"shortcuts": ("a(sa{sv})", shortcuts)}), "/binding"))
    assert answer.kind == kind
    assert dict(answer.keys) == ({"dictate": "F9"} if kind == "Bound" else {})
    session.close()


@pytest.mark.expects_log
def test_a_listener_that_fails_is_seen_to_have_died_and_can_be_started_again(monkeypatch):
    def fail(_bus):
        raise ZeroDivisionError

    monkeypatch.setattr("handy_qwen.system.hotkeys.wayland.Portal", fail)
    posted = []
    listener = PortalHotkeys(posted.append)
    for count in (1, 2):
        with pytest.raises(ZeroDivisionError):
            listener.start([Hotkey("f9")])
        listener._thread.join(30)
        assert listener.has_died()
        assert [type(event) for event in posted] == [HotkeysFailed] * count
    listener.stop()
    assert not listener.has_died()
