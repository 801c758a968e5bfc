"""Windows and macOS with stand-ins for pynput and Quartz: what is reported, swallowed, and ignored."""

import os
import queue
import sys
import threading
import time
import types

import pytest

from handy_qwen.core.events import EscapePressed, HotkeysFailed, KeyDown, KeyJoined, KeyUp
from handy_qwen.core.permissions import Consent, Permission
from handy_qwen.core.types import CaptureStep, Hotkey
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.hotkeys import listener as listener_module
from handy_qwen.system.hotkeys import macos, raw_input, tracker
from handy_qwen.system.hotkeys import windows as windows_module
from handy_qwen.system.hotkeys.chord import KEYS, MODIFIERS, SIDES, Chord
from handy_qwen.system.hotkeys.listener import HookedListener
from handy_qwen.system.hotkeys.macos import KEY_CODES, MacHotkeys
from handy_qwen.system.hotkeys.windows import VIRTUAL_KEYS, WindowsHotkeys
from handy_qwen.system.insert.win32 import EXTRA_INFO
from tests.waiting import wait_until


class SuppressedError(Exception):
    """What pynput raises through the hook to suppress an event."""


class FakeListener:
    """One of pynput's."""

    made: list = []  # noqa: RUF012 (emptied by the fixture)

    def __init__(self, **options):
        self.options = options
        self.is_running = False
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


class FakeEar:
    """Raw Input, whose thread is the test's."""

    def __init__(self, on_input, on_check, on_woken):
        self.on_input, self.on_check, self.on_woken = on_input, on_check, on_woken
        self.is_running = self.hears_mouse = self.is_checking = False
        self.wakes = 0
        self.thread = WatchedThread("ear", lambda: None)

    def start(self):
        self.is_running = True

    def stop(self):
        self.is_running = False

    def is_alive(self):
        return self.is_running

    def hear_mouse(self, is_wanted):
        self.hears_mouse = is_wanted

    def wake(self):
        self.wakes += 1

    def hear(self, code, is_press, at_ms):
        if code > 0 or self.hears_mouse:
            self.is_checking |= self.on_input(code, is_press, at_ms)

    def check(self):
        if self.is_checking:
            self.is_checking = self.on_check()


@pytest.fixture(autouse=True)
def pynput(monkeypatch):
    monkeypatch.setattr(FakeListener, "made", [])
    fake = types.ModuleType("pynput")
    fake.keyboard = fake.mouse = types.SimpleNamespace(Listener=FakeListener)
    monkeypatch.setitem(sys.modules, "pynput", fake)


class Heard:
    """The kinds of events, in order."""

    def __init__(self):
        self.events = []
        self._changed = threading.Condition()

    def __call__(self, event):
        with self._changed:
            self.events.append(type(event))
            self._changed.notify_all()

    def wait(self, count):
        with self._changed:
            self._changed.wait_for(lambda: len(self.events) >= count, 20)
        return self.events


class Machine:
    """A computer on which ``chords`` are listened for. Keys are pressed by "user", "us" or "another" program.

    ``down`` is the state of the keys as the system knows it.
    """

    def __init__(self, *chords):
        self.down, self.is_injecting = set(), threading.Event()
        self.heard = Heard()
        self.listener = self.LISTENER(self.heard, lambda _at_s: self.is_injecting.is_set())
        self.listener.start([Hotkey(chord) for chord in chords])

    def press(self, name, by="user"):
        """Whether the focused program got the key."""
        return self.key(self.CODES[name], True, by)

    def release(self, name, by="user"):
        return self.key(self.CODES[name], False, by)

    def tap(self, name, by="user"):
        return self.press(name, by), self.release(name, by)

    def mouse_tap(self, name):
        """Whether the focused program got the press, and the release, of a button at the side."""
        return self.side_button(name, True), self.side_button(name, False)

    def capture(self):
        """The steps of a new hotkey, as they come."""
        steps = []
        self.listener.capture(lambda captured: steps.append((captured.step, captured.keys)))
        return steps


class Windows(Machine):
    """Keys go through the hook, and those that pass change the key state; Raw Input has the user's, too."""

    LISTENER, CODES = WindowsHotkeys, VIRTUAL_KEYS
    input_ms = 0  # when the last key or mouse event was made
    removed = ()  # the hooks that Windows has removed
    passed_s = 0.0  # how far its clock is ahead of the test's

    @property
    def ear(self):
        return self.listener._ear

    def remove_hooks(self):
        self.removed = tuple(FakeListener.made)

    def wait(self, duration_s):
        """Time passes, with the ear looking now and then."""
        for _ in range(round(duration_s / 0.1)):
            Windows.passed_s += 0.1
            self.ear.check()

    def key(self, code, is_press, by="user", scan=0, extra=None):
        Windows.input_ms += 1
        flags = 0 if by in {"user", "hook"} else 0x10
        data = types.SimpleNamespace(
            vkCode=code, flags=flags, scanCode=scan, time=Windows.input_ms, dwExtraInfo=extra
        )
        (self.is_injecting.set if by == "us" else self.is_injecting.clear)()
        if by == "user" and scan != windows_module._MADE_UP_CTRL:
            self.ear.hear(code, is_press, Windows.input_ms)
        if FakeListener.made[-2] in self.removed:
            (self.down.add if is_press else self.down.discard)(code)
            return True
        try:
            assert (
                FakeListener.made[-2].options["win32_event_filter"](0x100 if is_press else 0x101, data)
                is False
            )
        except SuppressedError:
            return False
        (self.down.add if is_press else self.down.discard)(code)
        return True

    def click(self, button):
        self.mouse({"left": 0x0201, "unknown": 0x0200}[button], 0)

    def side_button(self, name, is_press):
        Windows.input_ms += 1
        self.ear.hear(VIRTUAL_KEYS[name], is_press, Windows.input_ms)
        return self.mouse(0x020B if is_press else 0x020C, {"mouse4": 1, "mouse5": 2}[name] << 16)

    def mouse(self, message, data):
        Windows.input_ms += 1
        event = types.SimpleNamespace(mouseData=data, time=Windows.input_ms)
        if FakeListener.made[-1] in self.removed:
            return True
        try:
            assert FakeListener.made[-1].options["win32_event_filter"](message, event) is False
        except SuppressedError:
            return False
        return True


class Mac(Machine):
    """Events are (key code, flags, process), and go through the tap."""

    LISTENER, CODES = MacHotkeys, KEY_CODES

    def __init__(self, *chords):
        self.flags = 0
        super().__init__(*chords)

    def key(self, code, is_press, by="user"):
        if code >= macos._MEDIA:
            return self.media(code - macos._MEDIA, is_press)
        bit = macos._DEVICE_BITS.get(code, 0)
        self.flags = self.flags | bit if is_press else self.flags & ~bit
        (self.down.add if is_press else self.down.discard)(code)
        process = {"user": 0, "us": os.getpid(), "another": 4711}[by]
        return self.event(12 if bit else 10 if is_press else 11, code, process)

    def event(self, kind, code, process=0):
        event = (code, self.flags, process)
        return FakeListener.made[-2].options["on_event"](kind, event) is event

    def click(self, button):
        kind, number = {"left": (1, 0), "unknown": (25, 9)}[button]
        assert self.mouse_event(kind, number), "the program gets it"

    def mouse_event(self, kind, number):
        event = (number, 0, 0)
        return FakeListener.made[-1].options["on_event"](kind, event) is event

    def side_button(self, name, is_press):
        number = int(name.removeprefix("mouse")) - 1
        (self.down.add if is_press else self.down.discard)(-number - 1)
        return self.mouse_event(25 if is_press else 26, number)

    def media(self, number, is_press):
        """A media key: an event of the system, with the key and its state in one number."""
        event = (14, 8, number << 16 | (0x0A00 if is_press else 0x0B00))
        return FakeListener.made[-2].options["on_event"](14, event) is event


class FakeTap(FakeListener):
    """An event tap."""

    can_be_made = True

    def __init__(self, _quartz, kinds, on_event, *, can_keep):
        super().__init__(kinds=frozenset(kinds), on_event=self.checked(on_event), can_keep=can_keep)
        self.thread = WatchedThread("tap", lambda: None)

    def checked(self, on_event):
        def hear(kind, event):
            assert kind in self.options["kinds"] or kind in macos._TAP_DISABLED
            return on_event(kind, event)

        return hear

    def start(self):
        self.is_running = self.can_be_made
        return self.is_running


class FakeQuartz(types.ModuleType):
    """The hardware's state is ``down``."""

    def __init__(self):
        super().__init__("Quartz")
        self.machine = None

    def CGEventGetIntegerValueField(self, event, field):  # noqa: N802
        return {3: event[0], 9: event[0], 41: event[2], 99: event[1], 149: event[2]}[field]

    def CGEventGetFlags(self, event):  # noqa: N802
        return event[1]

    def CGEventSourceKeyState(self, state, code):  # noqa: N802
        assert state == 1
        return code in self.machine.down

    def CGEventSourceFlagsState(self, _state):  # noqa: N802
        return 0x800000 if macos._FN in self.machine.down else 0

    def CGEventSourceButtonState(self, _state, button):  # noqa: N802
        return -button - 1 in self.machine.down


@pytest.fixture
def quartz(monkeypatch):
    fake = FakeQuartz()
    monkeypatch.setitem(sys.modules, "Quartz", fake)
    monkeypatch.setattr(macos, "EventTap", FakeTap)
    monkeypatch.setattr(FakeTap, "can_be_made", True)
    fake.consents = dict.fromkeys(Permission, Consent.GIVEN)
    monkeypatch.setattr(macos, "consent", fake.consents.__getitem__)
    return fake


def maker(machine, remember):
    made = []

    def make(*chords):
        made.append(machine(*chords))
        remember(made[-1])
        return made[-1]

    yield make
    for one in made:
        one.listener.stop()
        one.listener.stop()
    assert not any(hook.is_running for hook in FakeListener.made)


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr(Windows, "passed_s", 0.0)
    clock = types.SimpleNamespace(monotonic=lambda: time.monotonic() + Windows.passed_s)
    monkeypatch.setattr(windows_module, "time", clock)
    monkeypatch.setattr(windows_module, "last_input_ms", lambda: Windows.input_ms)
    monkeypatch.setattr(windows_module, "RawInput", FakeEar)
    monkeypatch.setattr(windows_module, "is_our_desktop", lambda: True)

    def remember(machine):
        monkeypatch.setattr(windows_module, "is_key_down", machine.down.__contains__)

    yield from maker(Windows, remember)


@pytest.fixture
def mac(quartz, monkeypatch):
    monkeypatch.setattr(macos, "is_secure_input", lambda: False)
    yield from maker(Mac, lambda machine: setattr(quartz, "machine", machine))


@pytest.fixture(params=["windows", "mac"])
def machine(request):
    """Makes a machine of each kind."""
    return request.getfixturevalue(request.param)


def test_a_lone_modifier_is_reported_and_not_swallowed(machine):
    one = machine("alt_r")
    assert one.tap("alt_l") == (True, True), "the other side is another key"
    assert one.press("alt_r")
    assert one.press("a")
    assert one.release("alt_r")
    assert one.heard.events == [KeyDown, KeyJoined, KeyUp]


def test_a_chord_is_swallowed_with_its_repeats_and_its_release(machine):
    one = machine("f9")
    assert [one.press("f9") for _ in range(3)] == [False] * 3
    assert not one.release("f9")
    assert one.heard.events == [KeyDown, KeyUp]
    assert one.press("ctrl_l")
    assert one.tap("f9") == (True, True), "with Ctrl it is not ours"


@pytest.mark.parametrize("chord", ["super+v", "shift+tab", "ctrl+enter"])
def test_our_own_chord_is_let_through_even_if_it_is_the_hotkey(machine, chord):
    one = machine(chord)
    modifier, key = chord.replace("+", "_l+").split("+")
    assert [one.press(name, by="us") for name in (modifier, key)] == [True, True]
    assert [one.release(name, by="us") for name in (key, modifier)] == [True, True]
    assert one.heard.events == []
    one.press(modifier)
    assert not one.press(key), "the user's own is the hotkey"


def test_escape_is_swallowed_only_while_it_is_watched(machine):
    one = machine("ctrl_r")
    assert one.tap("escape") == (True, True)
    one.listener.watch_escape(True)
    assert one.tap("escape") == (False, False)
    one.listener.watch_escape(False)
    assert one.tap("escape") == (True, True)
    assert one.heard.events == [EscapePressed]


def test_a_lost_release_is_found_by_the_key_state(machine):
    one = machine("ctrl_r")
    one.press("ctrl_r")
    one.down.clear()
    assert one.heard.wait(2) == [KeyDown, KeyUp]


def test_our_own_keys_are_ignored_but_not_another_programs(machine):
    one = machine("ctrl_r", "f9")
    one.press("ctrl_r")
    one.release("ctrl_r", by="us")  # as the inserter does, so that it can type
    assert one.tap("f9", by="us") == (True, True)
    threading.Event().wait(0.3)
    assert one.heard.events == [KeyDown], "the finger is still on the key"
    one.release("ctrl_r")
    assert one.heard.events == [KeyDown, KeyUp]
    assert not one.press("f9", by="another"), "a remote desktop's keys are the user's"


def test_a_press_that_is_not_in_the_key_state_yet_is_no_lost_release(machine, monkeypatch):
    monkeypatch.setattr(listener_module, "RECONCILE_S", 0.01)
    one = machine("ctrl_r")
    one.press("ctrl_r")
    one.down.clear()  # as it is while other hooks look at the press
    threading.Event().wait(0.1)
    assert one.heard.events == [KeyDown]
    one.down.add(one.CODES["ctrl_r"])
    threading.Event().wait(0.4)
    assert one.heard.events == [KeyDown]


def test_windows_knows_our_keys_however_late_the_hook_hears_of_them(windows):
    one = windows("ctrl_r")
    one.press("ctrl_r")
    one.key(VIRTUAL_KEYS["ctrl_r"], False, by="another", extra=EXTRA_INFO)
    assert one.heard.events == [KeyDown]


def test_mouse_buttons_join(machine):
    one = machine("ctrl_r")
    one.press("ctrl_r")
    one.click("left")
    one.click("unknown")
    assert one.heard.events == [KeyDown, KeyJoined]


def test_other_hotkeys_let_go_of_those_that_are_down(machine):
    one = machine("ctrl_r")
    one.press("ctrl_r")
    one.listener.start([Hotkey("f9")])
    one.release("ctrl_r")
    assert one.heard.events == [KeyDown, KeyUp]
    assert len(FakeListener.made) == 2, "the hook stays"
    assert not one.press("f9")


@pytest.mark.parametrize("chords", [["f8", "F8"], ["microphone_mute"]])
def test_hotkeys_without_sense_are_refused_and_those_before_stay(machine, chords):
    one = machine("f9")
    for refuse in (one.listener.start, one.listener.check):
        with pytest.raises(HotkeyError) as refused:
            refuse([Hotkey(chord) for chord in chords])
        assert refused.value.reason is HotkeyReason.INVALID
    assert not one.press("f9")


def test_a_hook_that_died_is_seen_and_set_again(machine):
    listener = machine("f9").listener
    assert not listener.has_died()
    FakeListener.made[0].is_running = False
    assert listener.has_died()
    listener.start([Hotkey("f9")])
    assert not listener.has_died()
    assert [one.is_running for one in FakeListener.made] == [False, False, True, True]
    listener.stop()
    assert not listener.has_died(), "it was told to end"


# --- a new hotkey -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pressed", "keys"),
    [
        (["ctrl_r"], Chord(("ctrl_r",)).label(sys.platform)),
        (["f9"], "F9"),
        (["a"], "A"),
        (["ctrl_l", "alt_l", "d"], "Ctrl+Alt+D"),
        (["volume_up"], "Volume Up"),
    ],
)
def test_a_new_hotkey_is_heard_and_reaches_nobody_else(machine, pressed, keys):
    one = machine("ctrl_r", "f9")
    steps = one.capture()
    assert [one.press(name) for name in pressed] == [False] * len(pressed)
    assert not one.press(pressed[-1]), "nor does a repeat"
    assert [one.release(name) for name in reversed(pressed)] == [False] * len(pressed)
    assert steps[-1] == (CaptureStep.CHOSEN, keys)
    assert one.heard.events == [], "no hotkey dictates meanwhile"
    assert one.tap("b") == (True, True)
    assert one.tap("f9") == (False, False)
    assert one.heard.events == [KeyDown, KeyUp], "afterwards they do again"


def test_a_key_that_was_down_before_a_capture_means_nothing_though_it_repeats(machine):
    one = machine("f9")
    one.press("enter")
    steps = one.capture()
    assert one.press("enter")
    assert one.release("enter")
    assert steps == []
    one.tap("f8")
    assert steps == [(CaptureStep.HOLDING, "F8"), (CaptureStep.CHOSEN, "F8")]


@pytest.mark.parametrize("how", ["end_capture", "stop", "start"])
def test_a_capture_ends_with_whatever_ends_it(machine, how):
    one = machine("f9")
    steps = one.capture()
    getattr(one.listener, how)(*[[Hotkey("f9")]] * (how == "start"))
    assert steps == [(CaptureStep.OVER, "")]
    one.listener.end_capture()
    assert steps == [(CaptureStep.OVER, "")]


def test_a_capture_ends_by_itself_if_no_key_comes(machine, monkeypatch):
    monkeypatch.setattr(tracker, "PATIENCE_S", 0.1)
    one, is_over = machine("f9"), threading.Event()
    one.listener.capture(lambda captured: is_over.set() if captured.is_last else None)
    assert is_over.wait(20)
    assert not one.press("f9")
    assert one.heard.events == [KeyDown]


def test_a_mouse_button_is_captured_and_a_click_is_not(machine):
    one = machine("f9")
    steps = one.capture()
    one.click("left")
    assert one.mouse_tap("mouse5") == (False, False)
    assert steps == [(CaptureStep.HOLDING, "Mouse 5"), (CaptureStep.CHOSEN, "Mouse 5")]


def test_a_mouse_button_is_a_hotkey_and_reaches_nobody_else(machine):
    one = machine("mouse4")
    assert one.mouse_tap("mouse4") == (False, False)
    assert one.heard.events == [KeyDown, KeyUp]
    assert one.mouse_tap("mouse5") == (True, True)
    assert one.heard.events == [KeyDown, KeyUp]


# --- Windows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["caps_lock", "num_lock", "scroll_lock"])
def test_windows_never_learns_that_a_lock_that_is_the_hotkey_was_pressed(windows, name):
    """So it toggles nothing: the state of a lock is kept by what the hook lets through."""
    one = windows(name)
    assert [one.press(name) for _ in range(3)] == [False] * 3
    assert not one.release(name)
    assert one.heard.events == [KeyDown, KeyUp]


def test_windows_does_not_take_a_swallowed_key_for_released(windows):
    one = windows("f9")
    one.press("f9")
    assert not one.down, "Windows does not count what the hook swallowed"
    threading.Event().wait(0.3)
    assert one.heard.events == [KeyDown]


def alt_gr(one, is_press, by="user"):
    one.key(VIRTUAL_KEYS["ctrl_l"], is_press, by, scan=windows_module._MADE_UP_CTRL)
    return one.press("alt_r", by) if is_press else one.release("alt_r", by)


@pytest.mark.parametrize("chord", ["altgr", "alt_r"])
def test_windows_knows_alt_gr_by_its_right_half_and_by_either_name(windows, chord):
    one = windows(chord)
    for is_press in (True, False):
        assert alt_gr(one, is_press)
    assert one.heard.events == [KeyDown, KeyUp]
    one.tap("alt_r")  # on a layout without AltGr
    assert one.heard.events == [KeyDown, KeyUp] * 2


def test_windows_records_alt_gr_by_its_name(windows):
    one = windows("f9")
    steps = one.capture()
    assert not alt_gr(one, True)
    one.tap("f8")
    assert not alt_gr(one, False)
    assert steps[-1] == (CaptureStep.CHOSEN, "AltGr+F8")
    one.listener.start([Hotkey("altgr+f8")])
    alt_gr(one, True)
    assert one.tap("f8") == (False, False)
    assert one.heard.events == [KeyDown, KeyUp]


def test_windows_hears_alt_gr_come_up_after_this_program_has_lifted_it(windows):
    one = windows("altgr")
    alt_gr(one, True)
    alt_gr(one, False, by="us")
    assert one.heard.events == [KeyDown], "the finger is still on the key"
    alt_gr(one, False)
    assert one.heard.events == [KeyDown, KeyUp]


def test_windows_finds_a_lost_release_of_alt_gr_by_the_state_of_the_right_alt(windows):
    one = windows("altgr")
    alt_gr(one, True)
    threading.Event().wait(0.3)
    assert one.heard.events == [KeyDown], "it is down"
    one.down.clear()
    assert one.heard.wait(2) == [KeyDown, KeyUp]


def test_the_release_of_alt_gr_counts_though_its_hook_is_gone(windows):
    one = windows("altgr")
    alt_gr(one, True)
    one.remove_hooks()
    Windows.input_ms += 1
    one.ear.hear(VIRTUAL_KEYS["alt_r"], False, Windows.input_ms)
    one.wait(0.4)
    assert one.heard.events == [KeyDown, KeyUp]


def test_a_hook_that_windows_refuses_is_an_error(monkeypatch):
    def refuse(_self):
        raise OSError(5, "Access is denied")

    monkeypatch.setattr(FakeListener, "start", refuse)
    with pytest.raises(HotkeyError) as refused:
        WindowsHotkeys(Heard()).start([Hotkey("f9")])
    assert refused.value.reason is HotkeyReason.UNSUPPORTED_DESKTOP


@pytest.mark.expects_log
def test_a_key_state_that_cannot_be_asked_is_reported(windows, monkeypatch):
    def fail(_code):
        raise RuntimeError

    one = windows("ctrl_r")
    monkeypatch.setattr(windows_module, "is_key_down", fail)
    one.press("ctrl_r")
    assert one.heard.wait(2) == [KeyDown, HotkeysFailed]


# --- macOS --------------------------------------------------------------------------------------------


def test_mac_tells_the_sides_of_a_modifier_apart(mac):
    one = mac("alt_r")
    one.press("alt_r")
    one.press("alt_l")
    assert one.release("alt_r"), "the common bit would say that it is still down"
    assert one.heard.events == [KeyDown, KeyJoined, KeyUp]


def test_mac_hears_fn_held_tapped_and_recorded(mac):
    one = mac("fn")
    assert one.press("fn"), "it works as a modifier as well"
    assert one.release("fn")
    steps = one.capture()
    one.tap("fn")
    assert steps[-1] == (CaptureStep.CHOSEN, "Fn")
    one.press("fn")
    assert one.heard.events == [KeyDown, KeyUp, KeyDown]
    one.down.clear()
    assert one.heard.wait(4) == [KeyDown, KeyUp, KeyDown, KeyUp], "a lost release, by the flags"


def test_mac_does_not_take_the_flag_of_arrows_and_function_keys_for_fn(mac):
    one = mac("fn")
    one.flags = 0x800000 | 0x200000
    for name in ("left", "f5", "home"):
        assert one.tap(name) == (True, True)
    assert one.heard.events == []
    one.flags = 0
    one.press("fn")
    one.press("left")
    assert one.heard.events == [KeyDown, KeyJoined]


def test_mac_keeps_the_key_that_a_tap_of_globe_ends_with_from_the_system_only_if_it_is_the_hotkey(mac):
    for chord, passes in (("fn", False), ("f9", True)):
        one = mac(chord)
        one.tap("fn")
        heard = list(one.heard.events)
        assert [one.event(kind, macos._GLOBE) for kind in (10, 11)] == [passes] * 2
        assert one.heard.events == heard, "it is no key that joins or touches"


def test_mac_hears_fn_from_a_keyboard_that_calls_it_globe(mac):
    one = mac("fn")
    for one.flags in (0x800000, 0):
        one.event(12, macos._GLOBE)
    assert one.heard.events == [KeyDown, KeyUp]


def test_mac_hears_a_function_key_that_is_pressed_with_fn(mac):
    one = mac("f9", "fn+space")
    one.press("fn")
    assert one.tap("f9") == (False, False)
    assert one.tap("space") == (False, False)
    assert one.heard.events == [KeyDown, KeyUp] * 2


@pytest.mark.parametrize("chord", ["caps_lock", "num_lock", "scroll_lock"])
def test_mac_has_no_lock_that_could_be_a_hotkey(mac, chord):
    """Caps Lock tells its state there and not when it is held; the others are on no keyboard of a Mac."""
    with pytest.raises(HotkeyError, match="has no key"):
        mac("f9").listener.check([Hotkey(chord)])


def test_mac_knows_its_helpers_keys_by_the_flag_and_passes_other_events_on(mac):
    one = mac("f9")
    one.is_injecting.set()
    assert one.tap("f9", by="another") == (True, True)
    assert not one.press("f9"), "hardware is the user's at any time"
    for kind in (12, 14):
        assert one.event(kind, 0x39), "Caps Lock, and what is no key"
    assert one.heard.events == [KeyDown]


def test_mac_hears_media_keys_which_are_no_keys_there(mac):
    one = mac("media_play_pause")
    assert [one.media(16, is_press) for is_press in (True, True, False)] == [False] * 3
    assert [one.media(17, is_press) for is_press in (True, False)] == [True] * 2
    assert one.heard.events == [KeyDown, KeyUp]


def test_mac_has_every_click_wait_only_while_a_button_is_wanted(mac):
    one = mac("f9")

    def waits():
        return FakeListener.made[-1].options["can_keep"]

    assert not waits()
    one.capture()
    assert waits()
    one.listener.end_capture()
    assert not waits()
    one.listener.start([Hotkey("mouse4")])
    assert waits()
    assert [hook.is_running for hook in FakeListener.made[-3:]] == [False, True, True]


def test_mac_tells_the_buttons_of_the_mouse_apart(mac, monkeypatch):
    one, seen = mac("f9"), []
    monkeypatch.setattr(one.listener, "_saw", lambda code, *, is_press: seen.append((code, is_press)))
    for kind in (1, 2, 3, 4):  # left and right, whose events have their numbers in their kinds
        assert one.mouse_event(kind, 7)
    for number in (2, 3):
        assert one.mouse_event(25, number)
        assert one.mouse_event(26, number)
    assert seen == [(code, is_press) for code in (-1, -2, -3, -4) for is_press in (True, False)]


@pytest.mark.usefixtures("quartz")
def test_mac_tells_that_a_program_keeps_all_keys_to_itself_if_it_goes_on(monkeypatch):
    monkeypatch.setattr(listener_module, "CHECK_S", 0.01)
    now, answers, told = [False], iter([True, False, True, True, True]), []
    monkeypatch.setattr(macos, "is_secure_input", lambda: next(answers, now[0]))
    one = MacHotkeys(told.append)
    one.start([Hotkey("f9")])
    hooks = list(FakeListener.made)
    try:
        wait_until(lambda: len(told) == 2, "the notice and its end")
        assert [(event.subject, bool(event.error)) for event in told] == [
            (macos.SECURE_INPUT, True),
            (macos.SECURE_INPUT, False),
        ]
        now[0] = True
        assert one.touched_s() is None, "what is pressed is not known"
        assert FakeListener.made == hooks, "nothing is wrong with them"
    finally:
        one.stop()


def test_mac_takes_its_taps_away_when_the_user_takes_the_permission_away(mac, quartz, monkeypatch):
    """Else the system asks them in vain about each key, and all programs wait for that."""
    monkeypatch.setattr(listener_module, "CHECK_S", 0.01)
    one = mac("f9")
    quartz.consents[Permission.ACCESSIBILITY] = Consent.UNASKED
    assert one.heard.wait(1) == [HotkeysFailed]
    assert not any(hook.is_running for hook in FakeListener.made)
    assert one.listener.touched_s() is None
    quartz.consents[Permission.ACCESSIBILITY] = Consent.GIVEN
    one.listener.start([Hotkey("f9")])
    assert not one.press("f9")
    assert one.heard.events == [HotkeysFailed, KeyDown], "it is said once"


@pytest.mark.parametrize("pane", ["Input Monitoring", "Accessibility"])
def test_mac_names_the_permission_that_is_missing(quartz, pane):
    quartz.consents[Permission(pane)] = Consent.UNASKED
    with pytest.raises(HotkeyError) as refused:
        MacHotkeys(Heard()).start([Hotkey("alt_r")])
    assert refused.value.reason is HotkeyReason.DENIED_BY_USER
    assert pane in refused.value.title
    assert "Set up again… → Permissions" in refused.value.hint
    assert not FakeListener.made, "a tap would have the system ask"


def test_windows_knows_nothing_of_what_is_pressed_while_it_calls_no_hook(windows, monkeypatch):
    monkeypatch.setattr(listener_module, "CHECK_S", 1000.0)
    one = windows("f9")
    assert one.listener.touched_s() is not None
    Windows.input_ms += windows_module.DEAF_MS + 1
    assert one.listener.touched_s() is None


def test_windows_sets_hooks_again_that_it_has_removed_without_a_word(windows, monkeypatch):
    monkeypatch.setattr(listener_module, "CHECK_S", 0.01)
    one = windows("f9")
    one.tap("a")
    one.click("unknown")
    assert not one.listener._is_deaf()
    touched_s = one.listener.touched_s()
    Windows.input_ms += windows_module.DEAF_MS + 1  # keys that no hook was shown
    wait_until(lambda: len(FakeListener.made) == 4, "new hooks")
    wait_until(lambda: [hook.is_running for hook in FakeListener.made] == [False, False, True, True], "them")
    wait_until(lambda: (one.listener.touched_s() or 0.0) > touched_s, "what was not seen to count as a touch")
    assert not one.press("f9")
    assert one.heard.events == [KeyDown]


def test_windows_leaves_hooks_alone_longer_and_longer_while_nothing_is_shown_to_them(windows, monkeypatch):
    """Work in an administrator's window, or on a touch screen, is no reason to set them all the time."""
    monkeypatch.setattr(listener_module, "CHECK_S", 1000)  # the thread does not look meanwhile
    computer = windows("f9")
    one = computer.listener
    waits = []
    for _ in range(8):
        Windows.input_ms += windows_module.DEAF_MS + 1
        waits.append(one._patience_s)
        assert one._is_deaf()
        assert one._may_renew() is (waits[-1] == 0)
        one._set_s -= waits[-1]
        assert one._may_renew(), "after that time"
        assert one._replace()
    assert waits == sorted(waits)
    assert waits[0] == 0
    assert waits[-1] == windows_module.MOST_PATIENCE_S
    computer.tap("a")
    computer.click("unknown")
    Windows.input_ms += windows_module.DEAF_MS + 1
    assert one._is_deaf()
    assert one._may_renew(), "removed by Windows: at once"
    one._replace()
    assert one._patience_s == 0


# --- Windows, by its second ear -----------------------------------------------------------------------


def test_a_hook_that_is_gone_is_missed_at_the_next_key_and_set_again(windows):
    one = windows("f9")
    one.wait(1)
    one.remove_hooks()
    assert one.press("f9"), "this one is lost"
    assert one.listener.touched_s() is None, "nobody knows what it was"
    one.wait(0.4)
    assert [hook.is_running for hook in FakeListener.made] == [False, False, True, True]
    assert not one.press("f9"), "its repeat"
    assert one.heard.events == [KeyDown]


@pytest.mark.parametrize("name", ["ctrl_r", "f9", "mouse4"])
def test_the_release_of_a_hotkey_counts_though_its_hook_is_gone(windows, name):
    one = windows(name)
    change = one.side_button if name == "mouse4" else lambda name, press: one.key(VIRTUAL_KEYS[name], press)
    one.down.add(abs(VIRTUAL_KEYS[name]))  # as GetAsyncKeyState has it all the time: it is no help here
    change(name, True)
    one.remove_hooks()
    Windows.input_ms += 1
    one.ear.hear(VIRTUAL_KEYS[name], False, Windows.input_ms)
    assert one.heard.events == [KeyDown], "the hook may be late"
    one.wait(0.4)
    assert one.heard.events == [KeyDown, KeyUp]
    assert len(FakeListener.made) == 4
    change(name, True)
    assert one.heard.events == [KeyDown, KeyUp, KeyDown]


def test_what_we_send_does_not_count_where_raw_input_has_it_from_a_device(windows):
    """As under Wine."""
    one = windows("ctrl_r")
    one.press("ctrl_r")
    one.release("ctrl_r", by="us")  # as the inserter does, so that it can type
    one.ear.hear(VIRTUAL_KEYS["ctrl_r"], False, Windows.input_ms)
    one.wait(1)
    assert one.heard.events == [KeyDown]
    one.release("ctrl_r")
    assert one.heard.events == [KeyDown, KeyUp]
    assert len(FakeListener.made) == 2


def test_a_hook_that_is_late_is_waited_for(windows):
    one = windows("f9")
    one.wait(1)
    one.ear.hear(VIRTUAL_KEYS["a"], True, Windows.input_ms)
    one.wait(0.2)
    one.press("a", by="another")  # from Raw Input it came before
    one.wait(1)
    assert len(FakeListener.made) == 2
    assert not one.ear.is_checking


def test_a_hotkey_that_is_pressed_again_at_once_is_not_taken_for_released(windows):
    one = windows("f9")
    one.press("f9")
    hook = FakeListener.made[-2]
    for is_press in (False, True):
        one.ear.hear(VIRTUAL_KEYS["f9"], is_press, Windows.input_ms)
    one.wait(1)
    assert one.heard.events == [KeyDown]
    assert FakeListener.made[-2] is hook


def test_keys_that_another_hook_keeps_from_ours_do_not_make_it_be_set_all_the_time(windows):
    one = windows("f9")
    for _ in range(20):
        one.wait(1)
        one.ear.hear(VIRTUAL_KEYS["caps_lock"], True, Windows.input_ms)
        one.ear.hear(VIRTUAL_KEYS["caps_lock"], False, Windows.input_ms)
    one.wait(1)
    assert 4 <= len(FakeListener.made) <= 10


def test_the_second_ear_hears_the_mouse_only_while_a_button_is_a_hotkey(windows):
    one = windows("f9")
    assert not one.ear.hears_mouse
    one.listener.start([Hotkey("mouse4")])
    assert one.ear.hears_mouse
    one.listener.start([Hotkey("f9")])
    assert not one.ear.hears_mouse


def test_a_second_ear_that_died_is_seen_and_ends_with_the_rest(windows):
    one = windows("f9")
    ear = one.ear
    ear.is_running = False
    assert one.listener.has_died()
    one.listener.start([Hotkey("f9")])
    assert one.ear is not ear
    assert not one.listener.has_died()
    ear = one.ear
    one.listener.stop()
    assert not ear.is_running


def test_no_key_stays_held_on_another_desktop(windows, monkeypatch):
    """Win+L or a UAC prompt while a key is held that the hook has swallowed."""
    one = windows("f9")
    one.press("f9")
    monkeypatch.setattr(windows_module, "is_our_desktop", lambda: False)
    assert one.heard.wait(2) == [KeyDown, KeyUp]


@pytest.mark.parametrize(
    ("chord", "opens_menus"),
    [("super+d", True), ("alt+d", True), ("alt_r", True), ("ctrl_r", False), ("f9", False)],
)
def test_no_menu_opens_after_a_hotkey_with_alt_or_a_windows_key(windows, chord, opens_menus):
    one = windows(chord)
    for name in chord.split("+"):
        one.press({"super": "super_l", "alt": "alt_l"}.get(name, name))
    assert one.heard.events == [KeyDown]
    assert one.ear.wakes == opens_menus
    assert one.ear.on_woken is windows_module.press_nothing
    one.key(windows_module._NOTHING, True, by="another")
    assert one.heard.events == [KeyDown], "which is no key that joins"


@pytest.mark.parametrize("chord", ["ctrl+alt+e", "ctrl+alt", "alt+e", "alt"])
def test_windows_does_not_take_alt_gr_for_ctrl_and_alt(windows, chord):
    one = windows(chord)
    assert alt_gr(one, True)
    assert one.tap("e") == (True, True)
    alt_gr(one, False)
    assert one.heard.events == []


def test_windows_takes_the_right_alt_for_alt_where_it_is_not_alt_gr(windows):
    one = windows("alt+e")
    alt_gr(one, True)
    alt_gr(one, False)
    one.press("alt_r")
    assert one.tap("e") == (False, False)
    assert one.heard.events == [KeyDown, KeyUp]


def unseen(one, name, is_press=True):
    """It goes past the hook, which stays: on a busy machine Windows does not wait for it."""
    Windows.input_ms += 1
    code = VIRTUAL_KEYS[name]
    one.ear.hear(code, is_press, Windows.input_ms)
    (one.down.add if is_press else one.down.discard)(code)


@pytest.mark.parametrize("missed", ["ctrl_l", "alt_l"])
def test_a_chord_counts_though_the_hook_was_not_shown_one_of_its_modifiers(windows, missed):
    one = windows("ctrl+alt+d")
    for name in ("ctrl_l", "alt_l"):
        unseen(one, name) if name == missed else one.press(name)
    assert one.tap("d") == (False, False)
    assert one.heard.events == [KeyDown, KeyUp]


def test_a_modifier_that_came_after_the_key_makes_no_chord_though_the_hook_is_late(windows):
    one = windows("ctrl+d")
    before_ms = Windows.input_ms
    unseen(one, "ctrl_l")
    Windows.input_ms = before_ms - 1
    assert one.tap("d") == (True, True)
    assert one.heard.events == []


@pytest.mark.parametrize("is_shown", [True, False])
def test_our_own_modifier_makes_no_chord_of_the_users_key(windows, is_shown):
    one = windows("ctrl+d")
    one.press("ctrl_l", by="us") if is_shown else one.down.add(VIRTUAL_KEYS["ctrl_l"])
    assert one.tap("d") == (True, True)
    assert one.heard.events == []


def test_a_modifier_is_up_though_the_hook_was_shown_neither_its_press_nor_its_release(windows):
    one = windows("ctrl+d")
    unseen(one, "ctrl_l")
    one.wait(0.5)
    unseen(one, "ctrl_l", is_press=False)
    assert one.tap("d") == (True, True)
    assert one.heard.events == []


@pytest.mark.parametrize(
    ("chord", "is_half_shown"),
    [
        ("ctrl+alt+e", True),
        *((chord, False) for chord in ("ctrl+alt+e", "alt+e", "ctrl+e", "alt", "ctrl_l")),
    ],
)
def test_an_alt_gr_that_the_hook_was_not_shown_is_neither_ctrl_nor_alt(windows, chord, is_half_shown):
    one = windows(chord)
    one.press("alt_r") if is_half_shown else unseen(one, "alt_r")
    one.down.add(VIRTUAL_KEYS["ctrl_l"])
    one.wait(0.5)
    assert one.tap("e") == (True, True)
    assert one.heard.events == []


def test_of_a_chord_with_the_right_alt_nothing_stays_held(windows):
    one = windows("alt_r+f9")
    unseen(one, "alt_r")
    one.tap("f9")
    one.release("alt_r")
    assert one.heard.events == [KeyDown, KeyUp]
    assert not one.listener._tracker.held


@pytest.mark.parametrize("name", ["ctrl_r", "f9"])
def test_a_hotkey_counts_though_the_hook_was_not_shown_its_press(windows, name):
    one = windows(name)
    unseen(one, name)
    one.wait(0.2)
    assert one.heard.events == [], "the hook may be late"
    one.wait(0.2)
    assert one.heard.events == [KeyDown]
    assert one.release(name), "the program in front has the press, too"
    assert one.heard.events == [KeyDown, KeyUp]


def test_a_key_that_comes_up_meanwhile_takes_nothing_from_a_hotkey_that_the_hook_was_not_shown(windows):
    """Who types fast lets go of the letter before only then."""
    one = windows("ctrl_r")
    one.press("d")
    one.wait(0.1)  # Windows' clock may stand still for 16 ms
    unseen(one, "ctrl_r")
    one.release("d")
    one.wait(0.5)
    assert one.heard.events == [KeyDown]


@pytest.mark.parametrize("is_other_shown", [True, False])
def test_a_shortcut_with_a_key_that_the_hook_was_not_shown_is_no_hotkey(windows, is_other_shown):
    one = windows("ctrl_r")
    unseen(one, "ctrl_r")
    one.tap("c") if is_other_shown else unseen(one, "c")
    one.wait(0.5)
    assert one.heard.events == []


def test_a_hook_that_is_later_than_a_moment_reports_no_press_twice(windows):
    one = windows("f9")
    unseen(one, "f9")
    pressed_ms = Windows.input_ms
    one.wait(0.5)
    unseen(one, "f9", is_press=False)
    one.wait(0.5)
    assert one.heard.events == [KeyDown, KeyUp]
    Windows.input_ms = pressed_ms - 1
    one.key(VIRTUAL_KEYS["f9"], True, by="hook")
    assert one.heard.events == [KeyDown, KeyUp]


def test_a_new_hotkey_is_recorded_from_what_the_hook_is_shown_only(windows):
    one = windows("f9")
    steps = one.capture()
    unseen(one, "f9")
    one.wait(0.5)
    assert steps == []


def test_a_hotkey_that_another_program_keeps_for_itself_does_not_count(windows):
    one = windows("ctrl_r")
    one.ear.hear(VIRTUAL_KEYS["ctrl_r"], True, Windows.input_ms)  # and so it is never down
    one.wait(0.5)
    assert one.heard.events == []


def test_nothing_counts_once_listening_has_stopped(windows):
    one = windows("ctrl_r")
    unseen(one, "ctrl_r")
    ear = one.ear
    HookedListener.stop(one.listener)
    Windows.passed_s += 0.5
    ear.check()
    assert one.heard.events == []


def raw_key(key, *, scan=0, flags=0, device=1):
    event = raw_input.RawEvent()
    event.header.type, event.header.device = 1, device
    keyboard = event.data.keyboard
    keyboard.key, keyboard.scan, keyboard.flags = key, scan, flags
    return event


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        (raw_key(0x78), [(VIRTUAL_KEYS["f9"], True)]),
        (raw_key(0x78, flags=1), [(VIRTUAL_KEYS["f9"], False)]),
        (raw_key(0x11), [(VIRTUAL_KEYS["ctrl_l"], True)]),
        (raw_key(0x11, flags=2), [(VIRTUAL_KEYS["ctrl_r"], True)]),
        (raw_key(0x12, flags=3), [(VIRTUAL_KEYS["alt_r"], False)]),
        (raw_key(0x10, scan=0x2A), [(VIRTUAL_KEYS["shift_l"], True)]),
        (raw_key(0x10, scan=0x36), [(VIRTUAL_KEYS["shift_r"], True)]),
        (raw_key(0x10, scan=0x2A, flags=2), []),  # around Home
        (raw_key(0xFF), []),
        (raw_key(0x78, device=None), []),  # sent by a program
    ],
)
def test_keys_of_raw_input_are_those_of_the_hook(event, changes):
    assert list(raw_input.keys_of(event)) == changes


def test_side_buttons_of_raw_input_are_those_of_the_hook_and_movements_are_nothing():
    event = raw_input.RawEvent()
    event.header.type, event.header.device = 0, 1
    assert list(raw_input.keys_of(event)) == []
    event.data.mouse.buttons = 0x0040 | 0x0200
    assert list(raw_input.keys_of(event)) == [(VIRTUAL_KEYS["mouse4"], True), (VIRTUAL_KEYS["mouse5"], False)]


class FakeUser32:
    """The messages of a window of ours."""

    def __init__(self):
        self.messages = queue.SimpleQueue()
        self.windows = []

    def CreateWindowExW(self, *_):  # noqa: N802
        self.windows.append(7)
        return 7

    def DestroyWindow(self, window):  # noqa: N802
        self.windows.remove(window)

    def RegisterRawInputDevices(self, _devices, count, _size):  # noqa: N802
        return count

    def GetMessageW(self, message, *_):  # noqa: N802
        message._obj.message = self.messages.get()
        return 1

    def DispatchMessageW(self, _message):  # noqa: N802
        pass

    def PostMessageW(self, window, message, *_):  # noqa: N802
        assert window == 7
        self.messages.put(message)


def test_an_ear_is_at_work_for_as_long_as_a_message_takes(monkeypatch):
    user, begun, may_end = FakeUser32(), threading.Event(), threading.Event()
    monkeypatch.setattr(raw_input, "_user32", lambda: user)

    def on_woken():
        begun.set()
        assert may_end.wait(20)

    ear = raw_input.RawInput(lambda *_: False, lambda: False, on_woken)
    ear.start()
    assert (ear.is_alive(), ear.thread.piece()) == (True, None)
    ear.wake()
    assert begun.wait(20)
    assert ear.thread.piece() is not None
    may_end.set()
    wait_until(lambda: ear.thread.piece() is None, "the end of its work")
    ear.stop()
    ear.stop()
    assert (ear.is_alive(), ear.thread.has_died(), user.windows) == (False, False, [])


@pytest.mark.parametrize("can_be_made", [True, False])
def test_mac_makes_a_tap_anew_that_was_turned_off_or_reports_that_it_cannot(mac, monkeypatch, can_be_made):
    one = mac("f9")
    monkeypatch.setattr(FakeTap, "can_be_made", can_be_made)
    tap = FakeListener.made[-2]
    assert one.event(0xFFFFFFFE, 0)
    wait_until(lambda: len(FakeListener.made) == 4 and one.listener.piece() is None, "new taps")
    assert not tap.is_running
    if can_be_made:
        assert not one.press("f9")
    assert one.heard.events == [KeyDown if can_be_made else HotkeysFailed]


@pytest.mark.parametrize("is_hotkey_down", [False, True])
def test_mac_makes_a_tap_anew_at_once_and_on_the_thread_that_is_watched(mac, monkeypatch, is_hotkey_down):
    """The thread looks by itself as well, but after seconds."""
    for wait in ("CHECK_S", "RECONCILE_S"):
        monkeypatch.setattr(listener_module, wait, 600.0)
    one, makers = mac("f9"), []
    make = macos.MacHotkeys._listen

    def listen(self):
        makers.append(threading.current_thread().name)
        return make(self)

    monkeypatch.setattr(macos.MacHotkeys, "_listen", listen)
    if is_hotkey_down:
        one.press("f9")
    one.event(0xFFFFFFFE, 0)
    wait_until(lambda: makers, "new taps")
    assert makers == ["hotkeys"]


@pytest.mark.parametrize("place", [-2, -1])
def test_a_tap_that_is_stuck_is_seen_also_while_the_other_threads_move(mac, place):
    one = mac("f9")
    assert one.listener.piece() is None
    tap = FakeListener.made[place].thread
    tap.begin()
    stuck = one.listener.piece()
    assert stuck is not None
    one.listener._thread.begin()
    one.listener._thread.end()
    assert one.listener.piece() == stuck
    tap.end()
    FakeListener.made[-3 - place].thread.begin()
    assert one.listener.piece() != stuck, "it is that of another thread"
    FakeListener.made[-3 - place].thread.end()


def test_an_ear_that_is_stuck_is_seen(windows):
    one = windows("f9")
    assert one.listener.piece() is None
    one.ear.thread.begin()
    assert one.listener.piece() is not None


# --- tables -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [VIRTUAL_KEYS, KEY_CODES], ids=["windows", "macos"])
def test_key_tables_know_only_our_names_and_each_key_once(table):
    assert set(table) <= {*KEYS, *MODIFIERS}
    assert not set(table) & set(SIDES), "the generic names are made of their sides"
    twice = {"alt_r", "altgr", "equal", "plus"}  # one key with two names
    codes = [code for name, code in table.items() if name not in twice]
    assert len(codes) == len(set(codes))
    assert {"ctrl_l", "ctrl_r", "escape", "f1", "f20", "a", "z", "0", "9"} <= set(table)
