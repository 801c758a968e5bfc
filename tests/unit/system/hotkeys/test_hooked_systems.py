"""Windows and macOS with stand-ins for pynput and Quartz: what is reported, swallowed, and passed over."""

import os
import threading
import types

import pytest

from handy_qwen.core.events import EscapePressed, HotkeysFailed, KeyDown, KeyJoined, KeyUp
from handy_qwen.core.types import Hotkey
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.system.hotkeys import windows as windows_module
from handy_qwen.system.hotkeys.chord import KEYS, MODIFIERS, SIDES
from handy_qwen.system.hotkeys.macos import KEY_CODES, MacHotkeys
from handy_qwen.system.hotkeys.windows import VIRTUAL_KEYS, WindowsHotkeys

CTRL_R, CTRL_L, ALT_R, F9, ESCAPE, A = (
    VIRTUAL_KEYS[name] for name in ("ctrl_r", "ctrl_l", "alt_r", "f9", "escape", "a")
)


class SuppressedError(Exception):
    """What pynput raises through the hook to suppress an event."""


class FakeListener:
    made: list = []  # noqa: RUF012 (emptied by the fixture)
    is_trusted = True

    def __init__(self, **options):
        self.options = options
        self.is_running = False
        self.IS_TRUSTED = self.is_trusted
        FakeListener.made.append(self)

    def start(self):
        self.is_running = True

    def wait(self):
        assert self.is_running

    def stop(self):
        self.is_running = False

    def is_alive(self):
        return self.is_running

    def suppress_event(self):
        raise SuppressedError


@pytest.fixture(autouse=True)
def pynput(monkeypatch):
    FakeListener.made = []
    FakeListener.is_trusted = True
    fake = types.ModuleType("pynput")
    fake.keyboard = types.SimpleNamespace(Listener=FakeListener)
    fake.mouse = types.SimpleNamespace(Listener=FakeListener)
    monkeypatch.setitem(__import__("sys").modules, "pynput", fake)
    return fake


class Heard:
    def __init__(self):
        self.events = []
        self._changed = threading.Condition()

    def __call__(self, event):
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def kinds(self):
        return [type(event) for event in self.events]

    def wait(self, count):
        with self._changed:
            self._changed.wait_for(lambda: len(self.events) >= count, 20)
        return self.kinds()


class Windows:
    """A Windows machine: keys go through the hook, and those that pass change the key state."""

    def __init__(self, *chords, was_injecting=lambda _at_s: False):
        self.down = set()
        self.heard = Heard()
        self.listener = WindowsHotkeys(self.heard, was_injecting)
        self.listener.start([Hotkey(chord) for chord in chords])
        self.hook, self.mouse = FakeListener.made

    def key(self, code, *, is_press=True, flags=0, scan=0):
        """Whether the focused program got the key."""
        data = types.SimpleNamespace(vkCode=code, flags=flags, scanCode=scan)
        try:
            assert self.hook.options["win32_event_filter"](0x100 if is_press else 0x101, data) is False
        except SuppressedError:
            return False
        (self.down.add if is_press else self.down.discard)(code)
        return True

    def tap(self, code):
        return self.key(code), self.key(code, is_press=False)


@pytest.fixture
def windows(monkeypatch):
    made = []

    def make(*chords, **options):
        machine = Windows(*chords, **options)
        monkeypatch.setattr(windows_module, "is_key_down", machine.down.__contains__)
        made.append(machine)
        return machine

    yield make
    for machine in made:
        machine.listener.stop()
        machine.listener.stop()
        assert not machine.hook.is_running


def test_windows_reports_a_lone_modifier_and_does_not_swallow_it(windows):
    machine = windows("ctrl_r")
    assert machine.key(CTRL_R)
    assert machine.key(A)
    assert machine.key(CTRL_R, is_press=False)
    assert machine.heard.kinds() == [KeyDown, KeyJoined, KeyUp]


def test_windows_swallows_a_chord_with_its_repeats_and_its_release(windows):
    machine = windows("f9")
    assert [machine.key(F9) for _ in range(3)] == [False, False, False]
    assert not machine.key(F9, is_press=False)
    assert machine.heard.kinds() == [KeyDown, KeyUp]
    assert machine.key(CTRL_L)
    assert machine.tap(F9) == (True, True), "with Ctrl it is not ours"


@pytest.mark.parametrize("name", ["caps_lock", "num_lock", "scroll_lock"])
def test_windows_never_learns_that_a_lock_that_is_the_hotkey_was_pressed(windows, name):
    """So it toggles nothing: the state of a lock is kept by what the hook lets through."""
    machine = windows(name)
    assert [machine.key(VIRTUAL_KEYS[name]) for _ in range(3)] == [False, False, False]
    assert not machine.key(VIRTUAL_KEYS[name], is_press=False)
    assert machine.heard.kinds() == [KeyDown, KeyUp]


@pytest.mark.parametrize("chord", ["ctrl+v", "shift+insert", "ctrl+enter"])
def test_windows_lets_our_own_chord_through_even_if_it_is_the_hotkey(windows, chord):
    injecting = threading.Event()
    machine = windows(chord, was_injecting=lambda _: injecting.is_set())
    modifier, key = (VIRTUAL_KEYS[name] for name in chord.replace("+", "_l+").split("+"))
    injecting.set()
    assert [machine.key(code, flags=0x10) for code in (modifier, key)] == [True, True]
    assert [machine.key(code, is_press=False, flags=0x10) for code in (key, modifier)] == [True, True]
    assert machine.heard.kinds() == []
    injecting.clear()
    machine.key(modifier)
    assert not machine.key(key), "the user's own is the hotkey"


def test_windows_swallows_escape_only_while_it_is_watched(windows):
    machine = windows("ctrl_r")
    assert machine.tap(ESCAPE) == (True, True)
    machine.listener.watch_escape(True)
    assert machine.tap(ESCAPE) == (False, False)
    machine.listener.watch_escape(False)
    assert machine.tap(ESCAPE) == (True, True)
    assert machine.heard.kinds() == [EscapePressed]


def test_windows_finds_a_lost_release_by_the_key_state(windows):
    machine = windows("ctrl_r")
    machine.key(CTRL_R)
    machine.down.clear()
    assert machine.heard.wait(2) == [KeyDown, KeyUp]


def test_windows_does_not_take_a_swallowed_key_for_released(windows):
    machine = windows("f9")
    machine.key(F9)
    assert not machine.down, "Windows does not count what the hook swallowed"
    threading.Event().wait(0.3)
    assert machine.heard.kinds() == [KeyDown]


def test_windows_passes_our_own_keys_over_but_not_another_program_s(windows):
    injecting = threading.Event()
    machine = windows("ctrl_r", "f9", was_injecting=lambda _: injecting.is_set())
    machine.key(CTRL_R)
    injecting.set()
    machine.key(CTRL_R, is_press=False, flags=0x10)  # as the inserter does, so that it can type
    assert machine.key(F9, flags=0x10)
    machine.key(F9, is_press=False, flags=0x10)
    threading.Event().wait(0.3)
    assert machine.heard.kinds() == [KeyDown], "the finger is still on the key"
    injecting.clear()
    machine.key(CTRL_R, is_press=False)
    assert machine.heard.kinds() == [KeyDown, KeyUp]
    assert not machine.key(F9, flags=0x10), "a remote desktop's keys are the user's"


def test_windows_knows_alt_gr_by_its_right_half(windows):
    machine = windows("altgr")
    machine.key(CTRL_L, scan=0x21D)
    machine.key(ALT_R)
    machine.key(CTRL_L, is_press=False, scan=0x21D)
    machine.key(ALT_R, is_press=False)
    assert machine.heard.kinds() == [KeyDown, KeyUp]


def test_windows_hears_mouse_buttons_join(windows):
    machine = windows("ctrl_r")
    machine.key(CTRL_R)
    machine.mouse.options["on_click"](0, 0, types.SimpleNamespace(name="left"), True)
    machine.mouse.options["on_click"](0, 0, types.SimpleNamespace(name="unknown"), True)
    assert machine.heard.kinds() == [KeyDown, KeyJoined]


def test_other_hotkeys_let_go_of_those_that_are_down(windows):
    machine = windows("ctrl_r")
    machine.key(CTRL_R)
    machine.listener.start([Hotkey("f9")])
    assert machine.heard.kinds() == [KeyDown, KeyUp]
    assert len(FakeListener.made) == 2, "the hook stays"
    assert not machine.key(F9)


def test_hotkeys_without_sense_are_refused(windows):
    machine = windows("ctrl_r")
    for chords in (["f9", "F9"], ["microphone_mute"]):
        with pytest.raises(HotkeyError) as refused:
            machine.listener.start([Hotkey(chord) for chord in chords])
        assert refused.value.reason is HotkeyReason.INVALID


def test_a_hook_that_windows_refuses_is_told(monkeypatch):
    def refuse(_self):
        raise OSError(5, "Access is denied")

    monkeypatch.setattr(FakeListener, "start", refuse)
    with pytest.raises(HotkeyError) as refused:
        WindowsHotkeys(Heard()).start([Hotkey("f9")])
    assert refused.value.reason is HotkeyReason.UNSUPPORTED_DESKTOP


@pytest.mark.expects_log
def test_a_key_state_that_cannot_be_asked_is_reported(monkeypatch):
    def fail(_code):
        raise RuntimeError

    heard = Heard()
    monkeypatch.setattr(windows_module, "is_key_down", fail)
    listener = WindowsHotkeys(heard)
    listener.start([Hotkey("ctrl_r")])
    data = types.SimpleNamespace(vkCode=CTRL_R, flags=0, scanCode=0)
    FakeListener.made[0].options["win32_event_filter"](0x100, data)
    assert heard.wait(2) == [KeyDown, HotkeysFailed]
    listener.stop()


# --- macOS ------------------------------------------------------------------------------------------------


class FakeQuartz(types.ModuleType):
    """Events are (key code, flags, process); the hardware's state is ``down``."""

    def __init__(self):
        super().__init__("Quartz")
        self.down = set()
        self.may_listen = True

    def CGEventGetIntegerValueField(self, event, field):  # noqa: N802
        return {9: event[0], 41: event[2]}[field]

    def CGEventGetFlags(self, event):  # noqa: N802
        return event[1]

    def CGEventSourceKeyState(self, state, code):  # noqa: N802
        assert state == 1
        return code in self.down

    def CGEventSourceButtonState(self, _state, button):  # noqa: N802
        return -button - 1 in self.down

    def CGPreflightListenEventAccess(self):  # noqa: N802
        return self.may_listen

    CGRequestListenEventAccess = CGPreflightListenEventAccess


@pytest.fixture
def quartz(monkeypatch):
    fake = FakeQuartz()
    monkeypatch.setitem(__import__("sys").modules, "Quartz", fake)
    return fake


class Mac:
    """A Mac: events go through the tap."""

    def __init__(self, quartz, *chords, was_injecting=lambda _at_s: False):
        self.quartz = quartz
        self.heard = Heard()
        self.listener = MacHotkeys(self.heard, was_injecting)
        self.listener.start([Hotkey(chord) for chord in chords])

    def event(self, kind, name, flags=0, process=0):
        """Whether the focused program got it."""
        code = KEY_CODES[name]
        is_press = kind == 10 or (kind == 12 and flags)
        (self.quartz.down.add if is_press else self.quartz.down.discard)(code)
        event = (code, flags, process)
        return FakeListener.made[-2].options["darwin_intercept"](kind, event) is event


@pytest.fixture
def mac(quartz):
    made = []

    def make(*chords, **options):
        made.append(Mac(quartz, *chords, **options))
        return made[-1]

    yield make
    for machine in made:
        machine.listener.stop()
        machine.listener.stop()


def test_mac_tells_the_sides_of_a_modifier_apart(mac):
    machine = mac("alt_r")
    assert machine.event(12, "alt_l", 0x20)
    assert machine.event(12, "alt_l", 0)
    assert machine.event(12, "alt_r", 0x40)
    assert machine.event(12, "alt_l", 0x60)
    assert machine.event(12, "alt_r", 0x20), "the common bit would say that it is still down"
    assert machine.heard.kinds() == [KeyDown, KeyJoined, KeyUp]


def test_mac_swallows_a_chord_and_escape_while_it_is_watched(mac):
    machine = mac("f9")
    machine.listener.watch_escape(True)
    assert not machine.event(10, "f9")
    assert machine.event(10, "a")
    assert not machine.event(10, "escape")
    assert not machine.event(11, "escape")
    assert not machine.event(11, "f9")
    assert machine.heard.kinds() == [KeyDown, EscapePressed, KeyUp]


def test_mac_lets_our_own_paste_through_even_if_it_is_the_hotkey(mac):
    machine = mac("super+v")
    assert machine.event(12, "super_l", 0x08, process=os.getpid())
    assert machine.event(10, "v", process=os.getpid())
    assert machine.event(11, "v", process=os.getpid())
    assert machine.event(12, "super_l", 0, process=os.getpid())
    assert machine.heard.kinds() == []
    machine.event(12, "super_l", 0x08)
    assert not machine.event(10, "v"), "the user's own is the hotkey"


@pytest.mark.parametrize("chord", ["caps_lock", "num_lock", "scroll_lock"])
def test_mac_has_no_lock_that_could_be_a_hotkey(mac, chord):
    """Caps Lock tells its state there and not when it is held; the others are on no keyboard of a Mac."""
    machine = mac("f9")
    with pytest.raises(HotkeyError, match="has no key") as refused:
        machine.listener.check([Hotkey(chord)])
    assert refused.value.reason is HotkeyReason.INVALID
    assert not machine.event(10, "f9"), "what was listened for still is"


def test_mac_knows_its_own_keys_by_the_process_and_its_helpers_by_the_flag(mac):
    injecting = threading.Event()
    machine = mac("f9", was_injecting=lambda _: injecting.is_set())
    assert machine.event(10, "f9", process=os.getpid())
    machine.event(11, "f9", process=os.getpid())
    injecting.set()
    assert machine.event(10, "f9", process=4711)
    machine.event(11, "f9", process=4711)
    assert not machine.event(10, "f9"), "hardware is the user's at any time"
    assert machine.heard.kinds() == [KeyDown]


def test_mac_finds_a_lost_release(mac):
    machine = mac("f9")
    machine.event(10, "f9")
    machine.quartz.down.clear()
    assert machine.heard.wait(2) == [KeyDown, KeyUp]


def test_mac_hears_buttons_and_passes_other_events_on(mac):
    machine = mac("alt_r")
    machine.event(12, "alt_r", 0x40)
    FakeListener.made[-1].options["on_click"](0, 0, types.SimpleNamespace(name="right"), True)
    FakeListener.made[-1].options["on_click"](0, 0, types.SimpleNamespace(name="button8"), True)
    caps_lock = (0x39, 0x10000, 0)
    assert FakeListener.made[-2].options["darwin_intercept"](12, caps_lock) is caps_lock
    assert FakeListener.made[-2].options["darwin_intercept"](14, caps_lock) is caps_lock
    assert machine.heard.kinds() == [KeyDown, KeyJoined]


@pytest.mark.parametrize("pane", ["Input Monitoring", "Accessibility"])
def test_mac_names_the_permission_that_is_missing(quartz, pane):
    quartz.may_listen = pane != "Input Monitoring"
    FakeListener.is_trusted = pane != "Accessibility"
    with pytest.raises(HotkeyError) as refused:
        MacHotkeys(Heard()).start([Hotkey("alt_r")])
    assert refused.value.reason is HotkeyReason.DENIED_BY_USER
    assert f"Privacy & Security > {pane}" in refused.value.hint
    assert not any(listener.is_running for listener in FakeListener.made)


def turn_the_tap_off():
    tap = FakeListener.made[-2]
    event = (0, 0, 0)
    assert tap.options["darwin_intercept"](0xFFFFFFFE, event) is event
    for thread in threading.enumerate():
        if thread.name == "hotkeys-renew":
            thread.join(10)
    assert not tap.is_running


def test_mac_makes_a_tap_anew_that_was_turned_off(mac):
    machine = mac("f9")
    turn_the_tap_off()
    assert len(FakeListener.made) == 4
    assert not machine.event(10, "f9")
    assert machine.heard.kinds() == [KeyDown]


def test_mac_reports_a_tap_that_cannot_be_made_anew(mac):
    machine = mac("f9")
    FakeListener.is_trusted = False
    turn_the_tap_off()
    assert machine.heard.kinds() == [HotkeysFailed]
    assert machine.heard.events[0].error.reason is HotkeyReason.DENIED_BY_USER


# --- tables -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [VIRTUAL_KEYS, KEY_CODES], ids=["windows", "macos"])
def test_key_tables_know_only_our_names_and_each_key_once(table):
    assert set(table) <= {*KEYS, *MODIFIERS}
    assert not set(table) & set(SIDES), "the generic names are made of their sides"
    twice = {"alt_r", "altgr", "equal", "plus"}  # one key with two names
    codes = [code for name, code in table.items() if name not in twice]
    assert len(codes) == len(set(codes))
    assert {"ctrl_l", "ctrl_r", "escape", "f1", "f20", "a", "z", "0", "9"} <= set(table)


@pytest.mark.parametrize("system", ["windows", "mac"])
def test_a_hook_that_died_is_seen_and_set_again(request, system):
    listener = request.getfixturevalue(system)("f9").listener
    assert not listener.has_died()
    FakeListener.made[0].is_running = False
    assert listener.has_died()
    listener.start([Hotkey("f9")])
    assert not listener.has_died()
    assert [one.is_running for one in FakeListener.made] == [False, False, True, True]
    listener.stop()
    assert not listener.has_died(), "it was told to end"
