"""The talk with the desktop portal, message by message; every message can really be sent."""

import contextlib
import sys

import pytest

from handy_qwen.errors import InsertError, InsertReason

if not sys.platform.startswith("linux"):
    pytest.skip("the portal's D-Bus library is installed on Linux only", allow_module_level=True)

from jeepney import HeaderFields, new_error, new_method_return

from handy_qwen.system.insert import portal
from handy_qwen.system.insert.backend import Unsure

REMOTE = "org.freedesktop.portal.RemoteDesktop"


class Answer:
    def __init__(self, body):
        self.body = body


class FakeBus:
    """A session bus with a portal that answers as the test says."""

    unique_name = ":1.42"

    def __init__(self, answers=None, refuses=()):
        self.answers = {
            "CreateSession": (0, {"session_handle": ("s", "/session/1")}),
            "SelectDevices": (0, {}),
            "Start": (0, {"devices": ("u", 1), "restore_token": ("s", "again")}),
        } | (answers or {})
        self.refuses = refuses
        self.calls = []
        self.is_closed = False

    def send_and_get_reply(self, message, *, timeout):
        assert timeout > 0
        message.serialise(serial=len(self.calls) + 1)  # raises if the signature does not fit
        fields = message.header.fields
        member = fields[HeaderFields.member]
        self.calls.append((member, message.body))
        message.header.serial = 7
        if member in self.refuses:
            return new_error(message, "org.freedesktop.DBus.Error.AccessDenied")
        return new_method_return(message)

    @contextlib.contextmanager
    def filter(self, rule):
        yield rule

    def recv_until_filtered(self, _, *, timeout):
        assert timeout > 0
        member, body = self.calls[-1]
        answer = self.answers[member]
        if answer is None:
            raise TimeoutError
        assert body[-1]["handle_token"][0] == "s"
        return Answer(answer)

    def close(self):
        self.is_closed = True


@pytest.fixture
def on_bus(monkeypatch):
    def use(bus):
        monkeypatch.setattr(portal, "connect", lambda: bus)
        return bus

    return use


def test_a_keyboard_is_asked_for_and_remembered(on_bus):
    bus = on_bus(FakeBus())
    keys = portal.Portal("before")
    assert [member for member, _ in bus.calls if member != "AddMatch"] == [
        "CreateSession",
        "SelectDevices",
        "Start",
    ]
    options = dict(bus.calls)["SelectDevices"][1]
    assert options["types"] == ("u", portal.KEYBOARD)
    assert options["restore_token"] == ("s", "before")
    assert keys.token == "again"
    keys.close()
    assert bus.is_closed


def test_a_chord_is_pressed_and_released_the_last_key_first(on_bus):
    bus = on_bus(FakeBus())
    keys = portal.Portal()
    keys.chord(0xFFE1, 0xFF63)
    sent = [body for member, body in bus.calls if member == "NotifyKeyboardKeysym"]
    assert [(key, state) for _, _, key, state in sent] == [
        (0xFFE1, 1),
        (0xFF63, 1),
        (0xFF63, 0),
        (0xFFE1, 0),
    ]
    assert {session for session, *_ in sent} == {"/session/1"}


@pytest.mark.parametrize("answers", [{"Start": (1, {})}, {"Start": (0, {"devices": ("u", 2)})}])
def test_a_user_who_says_no_is_a_refusal(on_bus, answers):
    bus = on_bus(FakeBus(answers))
    with pytest.raises(InsertError) as caught:
        portal.Portal()
    assert caught.value.reason is InsertReason.DENIED_BY_USER
    assert bus.is_closed


@pytest.mark.parametrize("bus", [FakeBus(refuses={"CreateSession"}), FakeBus({"CreateSession": None})])
def test_a_desktop_without_such_a_portal_is_told(on_bus, bus):
    on_bus(bus)
    with pytest.raises(InsertError) as caught:
        portal.Portal()
    assert caught.value.reason is InsertReason.UNSUPPORTED_DESKTOP
    assert bus.is_closed


def test_without_a_session_bus_there_is_no_portal(monkeypatch):
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    with pytest.raises(InsertError):
        portal.Portal()


@pytest.mark.parametrize(
    "problem", [OSError(), KeyError(), ValueError(), RuntimeError(), StopIteration(), ConnectionResetError()]
)
@pytest.mark.parametrize("when", ["connecting", "asking", "waiting"])
def test_whatever_goes_wrong_with_the_bus_is_told_as_a_missing_portal(monkeypatch, problem, when):
    def fail(*_, **__):
        raise problem

    bus = FakeBus()
    monkeypatch.setattr(portal, "connect", fail if when == "connecting" else lambda: bus)
    if when == "asking":
        bus.send_and_get_reply = fail
    elif when == "waiting":
        bus.recv_until_filtered = fail
    with pytest.raises(InsertError) as caught:
        portal.Portal()
    assert caught.value.reason is InsertReason.UNSUPPORTED_DESKTOP
    assert bus.is_closed or when == "connecting"


@pytest.mark.parametrize(
    "answers", [{"CreateSession": (0, {})}, {"Start": (0, {"devices": 1})}, {"Start": ()}]
)
def test_an_answer_that_is_not_as_agreed_is_no_keyboard(on_bus, answers):
    bus = on_bus(FakeBus(answers))
    with pytest.raises(InsertError):
        portal.Portal()
    assert bus.is_closed


@pytest.mark.parametrize("problem", [TimeoutError(), ConnectionResetError(), RuntimeError()])
@pytest.mark.parametrize("at", range(4))
def test_it_is_unsure_whether_a_chord_was_pressed_once_its_last_key_was_on_its_way(on_bus, problem, at):
    bus = on_bus(FakeBus())
    keys = portal.Portal()
    send, sent = bus.send_and_get_reply, []

    def fail_once(message, *, timeout):
        sent.append(message.body[2:])
        if len(sent) == at + 1:
            raise problem
        return send(message, timeout=timeout)

    bus.send_and_get_reply = fail_once
    with pytest.raises(Unsure if at else InsertError):
        keys.chord(0xFFE1, 0xFF63)
    assert sent[-2:] == [(0xFF63, 0), (0xFFE1, 0)], "nothing stays down"


def test_a_keyboard_that_was_taken_away_is_told(on_bus):
    on_bus(FakeBus(refuses={"NotifyKeyboardKeysym"}))
    keys = portal.Portal()
    with pytest.raises(InsertError):
        keys.chord(0xFF0D)
