"""The client of the portal in front of a bus that breaks in every way: nothing escapes, and nothing hangs."""

import contextlib
import os
import queue
import sys
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="D-Bus is on Linux only")
jeepney = pytest.importorskip("jeepney")

from jeepney import new_method_return  # noqa: E402
from jeepney.low_level import HeaderFields  # noqa: E402
from jeepney.wrappers import DBusErrorResponse  # noqa: E402

from handy_qwen.core.events import HotkeysFailed, KeyDown, KeyUp, Trouble  # noqa: E402
from handy_qwen.core.types import Hotkey  # noqa: E402
from handy_qwen.core.view import HOTKEYS  # noqa: E402
from handy_qwen.errors import HotkeyError, HotkeyReason  # noqa: E402
from handy_qwen.system.hotkeys import portal  # noqa: E402
from handy_qwen.system.hotkeys.portal import (  # noqa: E402
    NoPortalError,
    Portal,
    PortalError,
    PortalHotkeys,
    Signal,
)

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
    def connect(_bus):
        raise error

    return connect


def test_a_bus_that_cannot_be_had_is_an_error_of_the_portal(monkeypatch, error):
    monkeypatch.setattr(portal, "connect", refuse(error))
    with pytest.raises(PortalError):
        Portal("SESSION")


def test_the_listener_says_so_and_lives(monkeypatch, error):
    monkeypatch.setattr(portal, "connect", refuse(error))
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
    monkeypatch.setattr(portal, "connect", lambda _: bus)
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

    monkeypatch.setattr("handy_qwen.system.hotkeys.portal.Portal", fail)
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


class Desktop:
    """Makes sessions of shortcuts, of which the first have ``troubles``: when, and what is raised."""

    def __init__(self, monkeypatch, *troubles):
        self.troubles = list(troubles)
        self.sessions = []
        monkeypatch.setattr("handy_qwen.system.hotkeys.portal.Portal", self.open)

    def open(self, _bus):
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is not None and trouble[0] == "open":
            raise trouble[1]
        session = OneSession(trouble)
        self.sessions.append(session)
        return session


class OneSession:
    def __init__(self, trouble):
        self.trouble = trouble
        self.is_closed = False
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.said = []

    def fileno(self):
        return self.reader

    def bind(self, shortcuts):
        if self.trouble is not None:
            raise self.trouble[1]
        self.say(Signal("Bound", keys={one.name: "F9" for one in shortcuts}))

    def say(self, *signals):
        self.said += signals
        os.write(self.writer, b"\0")

    def receive(self):
        with contextlib.suppress(BlockingIOError):
            os.read(self.reader, 100)  # first: what is said from now on wakes it again
        while self.said:
            yield self.said.pop(0)

    def close(self):
        self.is_closed = True
        for end in (self.reader, self.writer):
            os.close(end)


@pytest.mark.parametrize("when", ["open", "bind"])
def test_a_portal_that_does_not_answer_yet_is_asked_again_and_the_notice_taken_back(monkeypatch, when):
    """At login the desktop starts its portal beside this program; and it may crash between two questions."""
    slow = PortalError("the session bus does not answer")
    desktop = Desktop(monkeypatch, (when, slow), (when, slow))
    posted = queue.SimpleQueue()
    listener = PortalHotkeys(posted.put, retry_s=[0.01] * 3)
    with pytest.raises(HotkeyError, match="does not answer"):
        listener.start([Hotkey("f9")])
    assert posted.get(timeout=30) == Trouble(HOTKEYS, None)
    desktop.sessions[-1].say(Signal("Activated", "dictate"))
    assert isinstance(posted.get(timeout=30), KeyDown)
    listener.stop()
    assert all(session.is_closed for session in desktop.sessions)


def test_a_desktop_without_the_portal_is_asked_once(monkeypatch):
    desktop = Desktop(monkeypatch, ("open", NoPortalError("UnknownInterface")))
    posted = []
    listener = PortalHotkeys(posted.append, retry_s=[0.01] * 3)
    with pytest.raises(HotkeyError, match="no global shortcuts"):
        listener.start([Hotkey("f9")])
    listener.stop()
    assert posted == []
    assert desktop.sessions == []


def test_a_shortcut_whose_key_is_changed_while_it_is_down_comes_up(monkeypatch):
    """The desktop tells of the release of keys that it watches, and that one is none any more."""
    desktop = Desktop(monkeypatch)
    posted = queue.SimpleQueue()
    listener = PortalHotkeys(posted.put)
    listener.start([Hotkey("f9")])
    desktop.sessions[0].say(Signal("Activated", "dictate"), Signal("Activated", "dictate"))
    assert isinstance(posted.get(timeout=30), KeyDown)
    desktop.sessions[0].say(Signal("Changed", keys={"dictate": "F8"}))
    assert isinstance(posted.get(timeout=30), KeyUp)
    desktop.sessions[0].say(Signal("Changed"))
    assert isinstance(posted.get(timeout=30), HotkeysFailed)
    listener.stop()


@pytest.mark.parametrize(
    ("name", "is_lasting"),
    [
        ("org.freedesktop.DBus.Error.ServiceUnknown", True),
        ("org.freedesktop.DBus.Error.UnknownInterface", True),
        ("org.freedesktop.DBus.Error.InvalidArgs", True),
        ("org.freedesktop.DBus.Error.NoReply", False),
        ("org.freedesktop.DBus.Error.TimedOut", False),
    ],
)
def test_a_portal_that_is_not_there_is_told_from_one_that_is_slow(monkeypatch, name, is_lasting):
    refused = SimpleNamespace(header=SimpleNamespace(fields={HeaderFields.error_name: name}), body=())
    bus = Bus()
    asked = []

    def send_and_get_reply(message, *, timeout):
        asked.append(message)
        assert 0 < timeout <= 10
        if message.header.fields[HeaderFields.member] == "AddMatch":
            return new_method_return(message)
        raise DBusErrorResponse(refused)

    bus.send_and_get_reply = send_and_get_reply
    monkeypatch.setattr(portal, "connect", lambda _: bus)
    monkeypatch.setattr(portal, "unwrap_msg", lambda _: ())
    with pytest.raises(PortalError) as caught:
        Portal("SESSION")
    assert isinstance(caught.value, NoPortalError) == is_lasting
