"""The key that cancels on KDE: a kglobalacceld that keeps keys and presence, behind the portal's bus."""

import pytest

pytest.importorskip("jeepney", reason="D-Bus is on Linux only")

from jeepney import DBusAddress, HeaderFields, MessageFlag, new_error, new_method_return, new_signal

from handy_qwen.core.types import Hotkey
from handy_qwen.paths import APP_ID
from handy_qwen.system.hotkeys.kde import is_kde
from handy_qwen.system.hotkeys.portal import ShortcutsSession, Signal, shortcuts_for
from tests.unit.system.bus import ERROR, SESSION, FakeBus, response

ESCAPE, CTRL_ALT_ESCAPE, F4 = 0x01000000, 0x0D000000, 0x01000033
CANCEL = f"{APP_ID}/cancel"


class KdeBus(FakeBus):
    """``keys`` are those of "Cancel" that KDE remembers; ``taken``, what other programs have."""

    def __init__(self, keys=(), *, taken=(), fails=()):
        super().__init__()
        self.keys, self.taken, self.fails = list(keys), taken, fails
        self.is_present = False
        self.writes = 0
        self.could_be_pressed = []  # the keys that windows do not get, after each call

    def send_and_get_reply(self, message, *, timeout):
        fields = message.header.fields
        if fields.get(HeaderFields.interface) != "org.kde.KGlobalAccel":
            return super().send_and_get_reply(message, timeout=timeout)
        message.serialise(serial=1)
        message.header.serial = 1
        method = fields[HeaderFields.member]
        if method in self.fails:
            return new_error(message, ERROR + self.fails[method])
        signature, body = self._answer(method, *message.body)
        reply = new_method_return(message, signature, body)
        reply.serialise(serial=1)
        return reply

    def send(self, message):
        assert message.header.flags & MessageFlag.no_reply_expected
        message.serialise(serial=1)
        self._answer(message.header.fields[HeaderFields.member], *message.body)

    def _answer(self, method, action, sequences=(), flags=0):
        assert len(action) == 4
        assert "/".join(action[:2]) == CANCEL
        if method == "setInactive":
            self.is_present = False
        elif method == "setForeignShortcutKeys":
            assert all(len(keys) == 4 for (keys,) in sequences), "KDE reads four"
            self.keys = [0 if keys[0] in self.taken else keys[0] for (keys,) in sequences]
            self.writes += 1
        elif method == "setShortcutKeys":
            assert flags == 2, "others would change its keys"
            self.is_present = True
        else:
            assert method == "shortcutKeys"
            return "a(ai)", ([([key, 0, 0, 0],) for key in self.keys],)
        self.could_be_pressed.append({key for key in self.keys if key} if self.is_present else set())
        return None, ()

    def bind(self):
        """The portal binds what it was asked for."""
        self.is_present = True
        told = ", ".join("Esc" if key == ESCAPE else hex(key) for key in self.keys)
        shortcuts = [(name, {"trigger_description": ("s", told)}) for name in ("dictate-f9", "cancel")]
        options = dict(self.calls)["BindShortcuts"][-1]
        path = f"/org/freedesktop/portal/desktop/request/1_42/{options['handle_token'][1]}"
        answer = response(path, 0, {})
        answer.body = (0, {"shortcuts": ("a(sa{sv})", shortcuts)})
        self.coming.append(answer)


@pytest.fixture
def session_on(monkeypatch):
    """Opens a session on a bus, on KDE, whose shortcuts are bound; and what was told of it."""
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "KDE")

    def open_on(bus, *chords, had_escape=False):
        monkeypatch.setattr("handy_qwen.system.portal.connect", lambda _address: bus)
        shortcuts = shortcuts_for([Hotkey(chord) for chord in chords or ("f9",)])
        session = ShortcutsSession("SESSION", shortcuts, had_escape=had_escape)
        list(session.signals())
        bus.bind()
        (told,) = session.signals()
        return session, told

    return open_on


def test_escape_is_taken_from_windows_only_while_it_is_wanted(session_on):
    bus = KdeBus()
    session, told = session_on(bus)
    assert told == Signal("Bound", keys={"dictate-f9": "", "cancel": "Esc"})
    assert (bus.keys, bus.is_present) == ([ESCAPE], False)
    session.watch_cancel(True)
    assert bus.is_present
    session.watch_cancel(False)
    assert not bus.is_present
    assert bus.could_be_pressed.count({ESCAPE}) == 1
    assert bus.writes == 1, "KDE writes its file for new keys only"


def test_what_an_earlier_session_has_left_is_never_taken_before_it_is_wanted(session_on):
    bus = KdeBus([ESCAPE])
    bus.is_present = True  # as soon as the session is made, with newer portals
    session, told = session_on(bus)
    assert told.keys["cancel"] == "Esc"
    assert not any(bus.could_be_pressed)
    assert bus.writes == 0
    session.watch_cancel(True)
    session.close()
    assert not bus.is_present, "also if the portal is gone and does not do it"


def test_a_take_that_runs_while_the_portal_comes_back_can_be_cancelled(session_on):
    bus = KdeBus([ESCAPE])
    session, _ = session_on(bus)
    session.watch_cancel(True)
    bus.bind()
    list(session.signals())
    assert bus.is_present


def test_escape_counts_also_while_the_hotkey_is_held_down(session_on):
    bus = KdeBus([ESCAPE])
    _, told = session_on(bus, "ctrl+alt+d", "f8")
    assert bus.keys == [ESCAPE, CTRL_ALT_ESCAPE]
    assert told.keys["cancel"] == "Esc"


def test_keys_of_others_are_left_to_them(session_on):
    bus = KdeBus(taken=[ESCAPE])
    _, told = session_on(bus)
    assert told.keys["cancel"] != "Esc"
    bus = KdeBus(taken=[CTRL_ALT_ESCAPE])
    _, told = session_on(bus, "ctrl+alt+d")
    assert told.keys["cancel"] == "Esc"


def test_the_key_that_the_user_chose_is_kept_and_taken_for_as_long(session_on):
    bus = KdeBus([F4])
    session, told = session_on(bus)
    assert told.keys["cancel"] == hex(F4)
    assert (bus.keys, bus.writes, bus.is_present) == ([F4], 0, False)
    session.watch_cancel(True)
    assert bus.could_be_pressed[-1] == {F4}


def test_a_key_that_the_user_has_taken_away_does_not_come_back(session_on):
    bus = KdeBus()
    session, told = session_on(bus, "ctrl+alt+d", had_escape=True)
    assert told.keys["cancel"] == ""
    assert (bus.keys, bus.writes) == ([], 0)
    session.watch_cancel(True)
    assert bus.could_be_pressed[-1] == set()


def test_escape_that_the_user_has_left_goes_with_another_hotkey(session_on):
    bus = KdeBus([ESCAPE])
    _, told = session_on(bus, "ctrl+alt+d", had_escape=True)
    assert told.keys["cancel"] == "Esc"
    assert bus.keys == [ESCAPE, CTRL_ALT_ESCAPE]


def test_a_key_that_the_user_chooses_meanwhile_is_shown(session_on):
    bus = KdeBus()
    session, _ = session_on(bus)
    changed = new_signal(
        DBusAddress(SESSION, interface="org.freedesktop.portal.GlobalShortcuts"), "ShortcutsChanged"
    )
    for keys, shown in (([F4], "F4"), ([], "")):
        bus.keys = keys
        changed.body = (SESSION, [("cancel", {"trigger_description": ("s", shown)})])
        bus.coming.append(changed)
        assert list(session.signals()) == [Signal("Changed", keys={"cancel": shown})]


@pytest.mark.parametrize("method", ["setInactive", "shortcutKeys", "setForeignShortcutKeys"])
@pytest.mark.parametrize("error", ["UnknownMethod", "ServiceUnknown", "NoReply"])
def test_without_the_service_the_shortcut_is_the_portals_alone(session_on, method, error):
    bus = KdeBus(fails={method: error})
    session, told = session_on(bus)
    assert told.keys == {"dictate-f9": "", "cancel": ""}
    assert bus.keys == []
    session.close()


def test_other_desktops_are_told_nothing_of_it(session_on, monkeypatch):
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "GNOME")
    bus = KdeBus()
    session, told = session_on(bus)
    session.watch_cancel(True)
    session.close()
    assert told.keys["cancel"] == ""
    assert bus.could_be_pressed == []


@pytest.mark.parametrize(
    ("desktop", "is_one"), [("KDE", True), ("X:KDE", True), ("GNOME", False), ("", False)]
)
def test_kde_is_told_by_its_name(desktop, is_one):
    assert is_kde({"XDG_CURRENT_DESKTOP": desktop}) == is_one
