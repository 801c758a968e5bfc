"""The client of the portal in front of a bus that breaks in every way: nothing escapes, and nothing hangs."""

import contextlib
import os
import queue
from dataclasses import replace

import pytest

pytest.importorskip("jeepney", reason="D-Bus is on Linux only")

from jeepney import DBusAddress, new_signal

from handy_qwen.core.events import (
    EscapePressed,
    HotkeysAssigned,
    HotkeysDied,
    HotkeysFailed,
    KeyDown,
    KeyUp,
    Trouble,
)
from handy_qwen.core.types import Hotkey, KeyOffer
from handy_qwen.core.view import HOTKEYS
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.message import Message
from handy_qwen.system.hotkeys.chord import parse_chord, trigger
from handy_qwen.system.hotkeys.portal import (
    PortalHotkeys,
    Shortcut,
    ShortcutsSession,
    Signal,
    shortcuts_for,
)
from handy_qwen.system.portal import NoPortalError, PortalError, RefusedError
from tests.unit.system.bus import SESSION, FakeBus, response

ERRORS = [
    OSError("gone"),
    ConnectionResetError(),
    TimeoutError(),
    RuntimeError("an address we do not understand"),
    StopIteration(),
    KeyError("DBUS_SESSION_BUS_ADDRESS"),
    ValueError("no address"),
]


@pytest.fixture(params=ERRORS, ids=lambda error: type(error).__name__)
def error(request):
    return request.param


@pytest.fixture
def on_bus(monkeypatch):
    """Makes ``bus``, or an error, what connecting to the bus comes to."""

    def use(bus):
        def connect(_address):
            if isinstance(bus, FakeBus):
                return bus
            raise bus

        monkeypatch.setattr("handy_qwen.system.portal.connect", connect)
        return bus

    return use


def test_no_key_can_be_captured_where_the_desktop_has_them_all():
    with pytest.raises(HotkeyError, match="Your desktop decides"):
        PortalHotkeys(lambda _event: None).capture(lambda _captured: None)


@pytest.mark.parametrize("chord", ["mouse4", "ctrl+mouse4"])
def test_a_mouse_button_cannot_be_wished_for(chord):
    assert trigger(parse_chord(chord)) == ""


@pytest.mark.parametrize(
    ("chords", "wishes"),
    [
        (["f9", "ctrl+alt+d"], [("dictate-f9", "F9"), ("dictate-ctrl-alt-d", "CTRL+ALT+d")]),
        (["ctrl_r"], [("dictate-f9", "F9")]),  # the default of other systems: dead on GNOME and KDE
        (["ctrl_r", "f9"], [("dictate", ""), ("dictate-f9", "F9")]),
        (["f8", "ctrl_r"], [("dictate-f8", "F8"), ("dictate-2", "")]),
    ],
)
def test_the_wish_is_a_part_of_the_name_and_the_first_hotkey_always_has_a_key(chords, wishes):
    *shortcuts, cancel = shortcuts_for([Hotkey(chord) for chord in chords])
    assert [(one.name, one.trigger) for one in shortcuts] == wishes
    assert (cancel.name, cancel.trigger) == ("cancel", "")


def test_a_bus_that_cannot_be_had_is_reported_and_the_listener_lives(on_bus, error):
    on_bus(error)
    posted = []
    listener = PortalHotkeys(posted.append)
    with pytest.raises(HotkeyError) as refused:
        listener.start([Hotkey("f9")])
    assert refused.value.reason is HotkeyReason.UNSUPPORTED_DESKTOP
    assert not listener.has_died()
    listener.stop()
    assert posted == [HotkeysAssigned(("",))]


def next_event(posted):
    """But that the desktop assigned the keys."""
    event = posted.get(timeout=30)
    return next_event(posted) if isinstance(event, HotkeysAssigned) else event


def signal(member, *body, path=SESSION):
    found = new_signal(DBusAddress(path, interface="org.freedesktop.portal.GlobalShortcuts"), member)
    found.body = body
    return found


def session_on(bus, *coming):
    """A session that has asked for a shortcut, with the signals that come next."""
    session = ShortcutsSession("SESSION", [Shortcut("dictate", "Dictate", "F9")])
    list(session.signals())
    bus.coming.extend(coming)
    return session


def bound(bus):
    """The path at which the answer to the wish for shortcuts is expected."""
    options = dict(bus.calls)["BindShortcuts"][-1]
    return f"/org/freedesktop/portal/desktop/request/1_42/{options['handle_token'][1]}"


def test_the_portal_is_asked_for_a_session_and_for_its_shortcuts(on_bus):
    bus = on_bus(FakeBus())
    session_on(bus)
    (_, _), (member, (handle, shortcuts, _, _)) = bus.calls
    assert (member, handle) == ("BindShortcuts", SESSION)
    assert shortcuts == [("dictate", {"description": ("s", "Dictate"), "preferred_trigger": ("s", "F9")})]


@pytest.mark.parametrize(
    "broken",
    [
        *(error for error in ERRORS if type(error) is not TimeoutError),
        signal("Activated"),
        signal("ShortcutsChanged", SESSION, 7),
        signal("ShortcutsChanged", SESSION, [("dictate", None)]),
        signal("NameOwnerChanged", "org.freedesktop.portal.Desktop", ":1.2", ""),
        signal("NameOwnerChanged", "org.freedesktop.portal.Desktop", ":1.2", ":1.3"),  # it was replaced
    ],
    ids=str,
)
def test_a_connection_that_breaks_and_a_message_without_sense_are_errors_of_the_portal(on_bus, broken):
    bus = on_bus(FakeBus())
    session = session_on(bus, broken)
    with pytest.raises(PortalError):
        list(session.signals())
    session.close()
    assert bus.is_closed


def test_a_portal_that_is_started_while_it_is_asked_is_there(on_bus):
    bus = on_bus(FakeBus())
    session = session_on(bus, signal("NameOwnerChanged", "org.freedesktop.portal.Desktop", "", ":1.2"))
    assert list(session.signals()) == []


def test_after_a_crash_of_the_portal_gnomes_part_of_it_lets_go_of_the_keys(on_bus):
    """It would keep them for the session that is gone, and tell nobody of them."""
    bus = on_bus(FakeBus())
    session = session_on(bus, signal("NameOwnerChanged", "org.freedesktop.portal.Desktop", ":1.2", ""))
    with pytest.raises(PortalError, match="gone"):
        list(session.signals())
    assert bus.sent == [("org.freedesktop.impl.portal.desktop.gnome", SESSION, "Close")]


@pytest.mark.parametrize(
    ("said", "key"), [("F9", "F9"), ("Press F9", "F9"), ("F9 drücken", "F9"), ("Meta+D", "Meta+D"), ("", "")]
)
def test_the_key_is_told_from_the_desktops_sentence(monkeypatch, said, key):
    desktop, posted = Desktop(monkeypatch), queue.SimpleQueue()
    listener = PortalHotkeys(posted.put)
    listener.start([Hotkey("f9")])
    posted.get(timeout=30)
    desktop.sessions[0].say(Signal("Changed", keys={"dictate-f9": said}))
    assert posted.get(timeout=30) == HotkeysAssigned((key,))
    listener.stop()


@pytest.mark.parametrize("body", [(0,), (0, {"shortcuts": 7})])
def test_an_answer_without_sense_is_an_error_of_the_portal(on_bus, body):
    bus = on_bus(FakeBus())
    session = session_on(bus)
    answer = response(bound(bus), 0, {})
    answer.body = body
    bus.coming.append(answer)
    with pytest.raises(PortalError):
        list(session.signals())


@pytest.mark.parametrize(
    ("code", "shortcuts", "expected"),
    [
        (0, [("dictate", {"trigger_description": ("s", "F9")})], Signal("Bound", keys={"dictate": "F9"})),
        (2, [("dictate", {"trigger_description": ("s", "F9")})], Signal("Bound", keys={"dictate": "F9"})),
        (1, [], Signal("Refused")),
    ],
)
def test_the_answer_to_a_wish_is_read_by_its_list(on_bus, code, shortcuts, expected):
    bus = on_bus(FakeBus())
    session = session_on(bus)
    bus.coming.append(response(bound(bus), code, {"shortcuts": ("a(sa{sv})", shortcuts)}))
    assert list(session.signals()) == [expected]


@pytest.mark.expects_log
def test_a_listener_that_fails_is_seen_to_have_died_and_can_be_started_again(monkeypatch):
    def fail(*_, **_more):
        raise ZeroDivisionError

    monkeypatch.setattr("handy_qwen.system.hotkeys.portal.ShortcutsSession", fail)
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
    """Makes sessions of shortcuts, after some attempts that fail with ``troubles``."""

    def __init__(self, monkeypatch, *troubles):
        self.troubles = list(troubles)
        self.sessions = []
        self.lists_keyless = True
        self.had_escape = []
        monkeypatch.setattr("handy_qwen.system.hotkeys.portal.ShortcutsSession", self.open)

    def open(self, _bus, shortcuts, *, had_escape):
        self.had_escape.append(had_escape)
        if self.troubles:
            raise self.troubles.pop(0)
        listed = [one for one in shortcuts if one.trigger or self.lists_keyless]
        self.sessions.append(OneSession(listed))
        return self.sessions[-1]


class OneSession:
    def __init__(self, shortcuts):
        self.is_closed = False
        self.look_again_s = None
        self.said_when_awake = []
        self.cancel_watched = queue.SimpleQueue()
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.said = []
        self.say(Signal("Bound", keys={one.name: "F9" for one in shortcuts}))

    def filenos(self):
        return [self.reader]

    def timeout_s(self):
        return self.look_again_s

    def watch_cancel(self, is_wanted):
        self.cancel_watched.put(is_wanted)

    def await_desktop(self):
        self.said += self.said_when_awake
        self.said_when_awake = []

    def say(self, *signals):
        self.said += signals
        os.write(self.writer, b"\0")

    def signals(self):
        with contextlib.suppress(BlockingIOError):
            os.read(self.reader, 100)  # first: what is said from now on wakes it again
        while self.said:
            yield self.said.pop(0)

    def close(self):
        self.is_closed = True
        for end in (self.reader, self.writer):
            os.close(end)


def test_nobody_is_asked_about_a_new_hotkey_before_they_are_there(monkeypatch, tmp_path):
    desktop, posted = Desktop(monkeypatch), queue.SimpleQueue()
    known = tmp_path / "data" / "known"

    def listening(chord, *, may_ask):
        listener = PortalHotkeys(posted.put, may_ask=may_ask, known=known)
        listener.start([Hotkey(chord)])
        assert posted.get(timeout=30) == HotkeysAssigned(("F9",), "F9")
        return listener

    listening("f9", may_ask=True).stop()
    listening("f9", may_ask=False).stop()  # at the next login
    listener = PortalHotkeys(posted.put, may_ask=False, known=known)
    with pytest.raises(HotkeyError, match="isn't set yet"):
        listener.start([Hotkey("f10")])  # was set meanwhile
    assert len(desktop.sessions) == 2, "the desktop has not been asked"
    assert posted.get(timeout=30) == HotkeysAssigned(("",))
    listener.allow_questions()
    assert posted.get(timeout=30) == HotkeysDied()
    listener.start([Hotkey("f10")])
    assert posted.get(timeout=30) == HotkeysAssigned(("F9",), "F9")
    assert posted.get(timeout=30) == Trouble(HOTKEYS, None)
    listener.allow_questions()
    listener.stop()
    assert posted.empty()
    assert known.read_text().split() == ["dictate-f10", "cancel"]


def test_a_shortcut_that_was_left_without_a_key_is_not_taken_for_a_new_one(monkeypatch, tmp_path):
    """GNOME's answer does not have it."""
    Desktop(monkeypatch).lists_keyless = False
    posted = queue.SimpleQueue()
    hotkeys = [Hotkey("f9"), Hotkey("ctrl_r")]
    for may_ask in (True, False):  # at the next login
        listener = PortalHotkeys(posted.put, may_ask=may_ask, known=tmp_path / "known")
        listener.start(hotkeys)
        assert posted.get(timeout=30) == HotkeysAssigned(("F9", ""))
        assert isinstance(posted.get(timeout=30), HotkeysFailed), "the second has none"
        listener.stop()


def test_a_window_that_opens_while_it_is_found_that_nobody_is_there_is_not_missed(monkeypatch, tmp_path):
    Desktop(monkeypatch)
    posted = queue.SimpleQueue()

    class Slow(PortalHotkeys):
        def _bound_before(self):
            self.allow_questions()
            return super()._bound_before()

    listener = Slow(posted.put, may_ask=False, known=tmp_path / "known")
    with pytest.raises(HotkeyError, match="isn't set yet"):
        listener.start([Hotkey("f9")])
    assert posted.get(timeout=30) == HotkeysDied(), "it is started again"
    listener.stop()


def test_a_portal_that_does_not_answer_yet_is_asked_again_and_the_notice_taken_back(monkeypatch):
    """At login the desktop starts its portal beside this program; and it may crash between two questions."""
    slow = PortalError("the session bus does not answer")
    desktop = Desktop(monkeypatch, slow, slow)
    posted = queue.SimpleQueue()
    monkeypatch.setattr(PortalHotkeys, "RETRY_S", [0.01] * 3)
    listener = PortalHotkeys(posted.put)
    with pytest.raises(HotkeyError, match="isn't responding"):
        listener.start([Hotkey("f9")])
    assert next_event(posted) == Trouble(HOTKEYS, None)
    desktop.sessions[-1].say(Signal("Activated", "dictate-f9"))
    assert isinstance(next_event(posted), KeyDown)
    listener.stop()
    assert all(session.is_closed for session in desktop.sessions)


def test_a_desktop_without_the_portal_is_asked_once(monkeypatch):
    desktop = Desktop(monkeypatch, NoPortalError("UnknownInterface"))
    posted = []
    monkeypatch.setattr(PortalHotkeys, "RETRY_S", [0.01] * 3)
    listener = PortalHotkeys(posted.append)
    with pytest.raises(HotkeyError, match="doesn't offer global shortcuts"):
        listener.start([Hotkey("f9")])
    listener.stop()
    assert posted == [HotkeysAssigned(("",))], "no key is ours: the user binds one"
    assert desktop.sessions == []


def test_a_desktop_without_the_portal_can_bind_a_key_itself(monkeypatch):
    class Key:
        is_bound = False

        def __init__(self, trigger):
            assert trigger == "F10"

        def offer(self):
            return KeyOffer("here", ("a line",), Key.is_bound)

        def bind(self):
            Key.is_bound = True

        def unbind(self):
            Key.is_bound = False

    monkeypatch.setattr("handy_qwen.system.hotkeys.portal.own_key", Key)
    Desktop(monkeypatch, *[NoPortalError("UnknownInterface")] * 3)
    posted = []
    listener = PortalHotkeys(posted.append)
    with pytest.raises(HotkeyError, match="doesn't offer global shortcuts"):
        listener.start([Hotkey("f10"), Hotkey("f8")])
    listener.bind_own_key(True)
    listener.start([Hotkey("f10"), Hotkey("f8")])
    listener.bind_own_key(False)
    with pytest.raises(HotkeyError, match="doesn't offer global shortcuts"):
        listener.start([Hotkey("f10"), Hotkey("f8")])
    listener.stop()
    offer = KeyOffer("here", ("a line",), is_bound=False)
    assert posted == [
        HotkeysAssigned(("", ""), offer=offer),
        HotkeysDied(),
        HotkeysAssigned(("F10", ""), offer=replace(offer, is_bound=True)),
        HotkeysDied(),
        HotkeysAssigned(("", ""), offer=offer),
    ]


def test_where_the_desktops_settings_cannot_be_read_no_key_is_claimed(monkeypatch):
    class Key:
        def offer(self):
            raise HotkeyError(Message("config.kdl can't be read."), HotkeyReason.UNSUPPORTED_DESKTOP)

    monkeypatch.setattr("handy_qwen.system.hotkeys.portal.own_key", lambda _trigger: Key())
    Desktop(monkeypatch, NoPortalError("UnknownInterface"))
    posted = []
    listener = PortalHotkeys(posted.append)
    with pytest.raises(HotkeyError, match="can't be read"):
        listener.start([Hotkey("f9")])
    listener.stop()
    assert posted == [HotkeysAssigned(("",))]


def test_a_shortcut_whose_key_is_changed_while_it_is_down_comes_up(monkeypatch):
    """The desktop tells of the release of keys that it watches, and that one is none any more."""
    desktop = Desktop(monkeypatch)
    posted = queue.SimpleQueue()
    listener = PortalHotkeys(posted.put)
    listener.start([Hotkey("f9")])
    desktop.sessions[0].say(Signal("Activated", "dictate-f9"), Signal("Activated", "dictate-f9"))
    assert isinstance(next_event(posted), KeyDown)
    desktop.sessions[0].say(Signal("Changed", keys={"dictate-f9": "F8"}))
    assert isinstance(next_event(posted), KeyUp)
    desktop.sessions[0].say(Signal("Changed"))
    assert isinstance(next_event(posted), HotkeysFailed)
    listener.stop()


def test_cancel_is_watched_and_reported_only_while_a_take_runs_also_after_a_reconnection(monkeypatch):
    desktop = Desktop(monkeypatch)
    posted = queue.SimpleQueue()
    monkeypatch.setattr(PortalHotkeys, "RETRY_S", [0.01] * 3)
    listener = PortalHotkeys(posted.put)
    listener.start([Hotkey("f9")])
    first = desktop.sessions[0]
    first.say(Signal("Activated", "cancel"), Signal("Activated", "dictate-f9"))
    assert isinstance(next_event(posted), KeyDown)
    assert first.cancel_watched.get(timeout=30) is False
    listener.watch_escape(True)
    assert first.cancel_watched.get(timeout=30) is True
    first.say(Signal("Activated", "cancel"), Signal("Closed"))
    events = [next_event(posted) for _ in range(2)]
    assert [type(event) for event in events] == [EscapePressed, KeyUp]
    assert isinstance(posted.get(timeout=30), HotkeysAssigned), "it is connected again"
    again = desktop.sessions[1]
    assert again.cancel_watched.get(timeout=30) is True
    listener.watch_escape(False)
    assert again.cancel_watched.get(timeout=30) is False
    listener.stop()


def test_it_is_remembered_that_escape_was_the_key_of_cancel_whatever_became_of_it(monkeypatch, tmp_path):
    desktop, posted = Desktop(monkeypatch), queue.SimpleQueue()
    known = tmp_path / "known"
    for key, chord in (("F9", "f9"), ("Esc", "f9"), ("", "f10"), ("", "f10")):
        listener = PortalHotkeys(posted.put, known=known)
        listener.start([Hotkey(chord)])
        desktop.sessions[-1].say(Signal("Bound", keys={f"dictate-{chord}": chord, "cancel": key}))
        while posted.get(timeout=30) != HotkeysAssigned((chord,), key):
            pass
        listener.stop()
    assert desktop.had_escape == [False, False, True, True]
    assert known.read_text().split() == ["dictate-f10", "cancel", "had-escape"]


KEYED, KEYLESS = {"dictate-f9": "F9"}, {"dictate-f9": ""}


@pytest.mark.parametrize(
    ("signals", "reports"),
    [
        ([Signal("Refused")], ["not allowed"]),
        ([Signal("Bound")], ["did not accept"]),
        ([Signal("Bound", keys={"cancel": "F8"})], ["did not accept"]),
        ([Signal("Bound", keys=KEYLESS)], ["no key for “Dictate”"]),
        ([Signal("Bound", keys=KEYLESS), Signal("Changed", keys=KEYED)], ["no key for", None]),
        ([Signal("Bound", keys=KEYLESS), Signal("Activated", "dictate-f9")], ["no key for", None, KeyDown]),
        ([Signal("Activated", "no-such"), Signal("Activated", "dictate-f9")], [KeyDown]),
    ],
)
def test_what_the_desktop_did_not_bind_is_reported_until_it_works(monkeypatch, signals, reports):
    desktop = Desktop(monkeypatch)
    posted = queue.SimpleQueue()
    listener = PortalHotkeys(posted.put)
    listener.start([Hotkey("f9")])
    desktop.sessions[0].say(*signals)
    for expected in reports:
        event = next_event(posted)
        if expected is None:
            assert event == Trouble(HOTKEYS, None)
        elif isinstance(expected, str):
            assert isinstance(event, HotkeysFailed)
            assert expected in event.error.title
            is_denied = event.error.reason is HotkeyReason.DENIED_BY_USER
            assert is_denied == (expected == "not allowed")
        else:
            assert isinstance(event, expected)
    listener.stop()


@pytest.mark.parametrize(
    ("member", "name", "is_lasting"),
    [
        ("Get", "ServiceUnknown", True),
        ("Get", "UnknownInterface", True),
        ("Get", "InvalidArgs", True),
        ("Get", "NoReply", False),
        ("Get", "TimedOut", False),
        ("BindShortcuts", "NotAllowed", False),
    ],
)
def test_a_portal_that_is_not_there_is_told_from_one_that_is_slow(on_bus, member, name, is_lasting):
    bus = on_bus(FakeBus(refuses={member: name}))
    with pytest.raises(PortalError, match=name) as caught:
        ShortcutsSession("SESSION", ())
    assert isinstance(caught.value, NoPortalError) == is_lasting
    assert bus.is_closed


def test_what_the_desktop_assigned_is_told_for_each_hotkey_in_its_order(monkeypatch):
    desktop = Desktop(monkeypatch)
    posted = queue.SimpleQueue()
    listener = PortalHotkeys(posted.put)
    listener.start([Hotkey("f9"), Hotkey("ctrl_r")])
    assert posted.get(timeout=30) == HotkeysAssigned(("F9", "F9"), "F9")
    keys = {"cancel": "Meta+Esc", "dictate-2": "Meta+D", "dictate-f9": ""}
    desktop.sessions[0].say(Signal("Changed", keys=keys))
    assert posted.get(timeout=30) == HotkeysAssigned(("", "Meta+D"), "Meta+Esc")
    desktop.sessions[0].say(Signal("Changed", keys={"dictate-f9": "F9"}))
    assert isinstance(posted.get(timeout=30), HotkeysFailed)
    assert posted.get(timeout=30) == HotkeysAssigned(("F9", ""))
    listener.stop()


@pytest.mark.parametrize("refuses", [{}, {"ConfigureShortcuts": "UnknownMethod"}])
def test_the_portal_shows_its_settings_if_it_can(on_bus, refuses):
    bus = on_bus(FakeBus({"BindShortcuts": (0, {})}, refuses=refuses))
    session = ShortcutsSession("SESSION", [Shortcut("dictate", "Dictate", "F9")])
    if refuses:
        with pytest.raises(RefusedError):
            session.configure()
    else:
        session.configure()
        assert bus.calls[-1] == ("ConfigureShortcuts", (SESSION, "", {}))
    session.close()


def activated(desktop, times=1):
    desktop.sessions[-1].say(*[Signal("Activated", "dictate-f9")] * times)


@pytest.fixture
def listening(monkeypatch):
    """A listener for F9, its desktop, and what it has posted."""
    desktop, posted = Desktop(monkeypatch), queue.SimpleQueue()
    listener = PortalHotkeys(posted.put)
    listener.start([Hotkey("f9")])
    yield desktop, posted
    listener.stop()


def test_a_key_whose_repeats_stop_is_up_though_nobody_tells(monkeypatch, listening):
    """GNOME loses the release when its overview is opened, or Shift is pressed meanwhile."""
    for name in ("REPEATS_GONE_S", "AWAKE_S"):
        monkeypatch.setattr(f"handy_qwen.system.hotkeys.portal.{name}", 0.01)
    desktop, posted = listening
    activated(desktop, 3)
    down = next_event(posted)
    up = next_event(posted)
    assert (type(down), type(up)) == (KeyDown, KeyUp)
    assert up.at_s >= down.at_s
    activated(desktop)
    assert isinstance(next_event(posted), KeyDown), "the next press counts"


def test_a_desktop_that_is_busy_has_not_lost_the_release(monkeypatch, listening):
    """What it has to tell comes late: the key is still down."""
    monkeypatch.setattr("handy_qwen.system.hotkeys.portal.REPEATS_GONE_S", 0.01)
    monkeypatch.setattr("handy_qwen.system.hotkeys.portal.AWAKE_S", 0.05)
    desktop, posted = listening
    repeat = Signal("Activated", "dictate-f9")
    desktop.sessions[-1].said_when_awake = [repeat, Signal("Deactivated", "dictate-f9"), repeat]
    activated(desktop, 2)
    assert isinstance(next_event(posted), KeyDown)
    up, again = next_event(posted), next_event(posted)
    assert (type(up), type(again)) == (KeyUp, KeyDown), "it was released when it says so"


def test_a_key_that_is_not_repeated_stays_down_until_it_is_told_of(monkeypatch, listening):
    """KDE repeats nothing."""
    monkeypatch.setattr("handy_qwen.system.hotkeys.portal.REPEATS_GONE_S", 0.0)
    desktop, posted = listening
    activated(desktop)
    desktop.sessions[-1].say(Signal("Activated", "no-such"))  # looks at what is down
    assert isinstance(next_event(posted), KeyDown)
    assert posted.empty()
    desktop.sessions[-1].say(Signal("Deactivated", "dictate-f9"))
    assert isinstance(next_event(posted), KeyUp)


def test_a_press_long_after_the_last_is_no_repeat(monkeypatch, listening):
    monkeypatch.setattr("handy_qwen.system.hotkeys.portal.FIRST_REPEAT_S", -1.0)
    desktop, posted = listening
    activated(desktop, 2)
    assert [type(next_event(posted)) for _ in range(3)] == [KeyDown, KeyUp, KeyDown]
