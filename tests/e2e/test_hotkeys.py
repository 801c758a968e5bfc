"""The X11 listener on a real X server: what it hears, what it takes away, and what it survives."""

import contextlib
import gc
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from Xlib import X, display, error
from Xlib.ext import xtest

from handy_qwen.core.events import KeyDown, KeyUp
from handy_qwen.core.types import Hotkey
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.system.hotkeys.x11 import X11Hotkeys
from handy_qwen.system.x11 import extensions
from tests.e2e.desk import QtTarget, XtermTarget, require
from tests.e2e.desk.keyboard import BOUNCE_KEYS, MOUSE_KEYS, SLOW_KEYS, STICKY_KEYS, Xkb
from tests.e2e.desk.processes import wait_until

pytestmark = pytest.mark.desktop

PRESS = ["KeyDown 0", "KeyUp 0"]
both = pytest.mark.parametrize(("chord", "key"), [("ctrl_r", "Control_R"), ("f9", "F9")])


class Heard:
    """What the listener posted."""

    def __init__(self):
        self.events = []
        self._changed = threading.Condition()

    def __call__(self, event):
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait(self, count, timeout_s=60.0):
        """The first ``count`` events, as short texts."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.events) >= count, timeout_s)
            return self.short()

    def short(self):
        return [
            " ".join([type(e).__name__, *([str(e.hotkey)] if hasattr(e, "hotkey") else [])])
            for e in self.events
        ]

    def clear(self):
        with self._changed:
            self.events.clear()


@contextlib.contextmanager
def listening(name, *chords, **options):
    heard = Heard()
    listener = X11Hotkeys(heard, display=name, **options)
    try:
        listener.start([Hotkey(chord) for chord in chords])
        yield heard, listener
    finally:
        listener.stop()


@pytest.fixture(scope="module")
def opened_terminal(silent_desktop):
    target = silent_desktop.open(XtermTarget)
    yield target
    target.close()


@pytest.fixture
def terminal(opened_terminal):
    """It has the focus and is empty."""
    opened_terminal.focus()
    opened_terminal.clear()
    return opened_terminal


@pytest.fixture
def other(silent_desktop):
    """The connection of another program."""
    with contextlib.closing(display.Display(silent_desktop.display)) as connection:
        yield connection


@pytest.fixture
def window(silent_desktop):
    target = silent_desktop.open(QtTarget)
    yield target
    target.close()


@pytest.fixture
def desk(silent_desktop):
    return silent_desktop


@pytest.fixture(params=["xtest", "hardware"])
def keys(request, desk):
    return desk.keys if request.param == "xtest" else desk.hardware


def settle(desk, target, text):
    """Type ``text`` and wait until it has come: whatever was pressed before would have come first."""
    for letter in text:
        desk.keys.chord(letter)
    return target.wait_for_text(text)


@pytest.mark.parametrize(
    ("chord", "names"),
    [
        ("f9", ["F9"]),
        ("ctrl+space", ["Control_L", "space"]),
        ("ctrl+alt+d", ["Alt_L", "Control_R", "d"]),
        ("shift+space", ["Shift_R", "space"]),
        ("pause", ["Pause"]),
    ],
)
@pytest.mark.parametrize("lock", [None, "Num_Lock", "Caps_Lock"])
def test_a_chord_does_not_reach_the_focused_program_whatever_is_locked(desk, terminal, chord, names, lock):
    if lock:
        desk.keys.chord(lock)
    try:
        terminal.clear()
        with listening(desk.display, chord) as (heard, _):
            desk.keys.chord(*names)
            assert heard.wait(2) == PRESS
    finally:
        if lock:
            desk.keys.chord(lock)
    assert settle(desk, terminal, "ok") == "ok"


def test_once_stopped_the_chord_goes_to_the_focused_program_again(desk, terminal):
    with listening(desk.display, "f9") as (heard, listener):
        listener.stop()
        listener.stop()
        desk.keys.chord("F9")
        assert terminal.wait_for_text("\x1b[20~") == "\x1b[20~"
        assert heard.short() == []


def test_other_keys_reach_the_focused_program_while_a_chord_is_held(desk, keys, terminal):
    """A text may be inserted while the user already speaks the next one."""
    desk.run("xset", "r", "rate", "150", "50")
    with listening(desk.display, "f9") as (heard, _):
        keys.down("F9")
        heard.wait(1)
        assert settle(desk, terminal, "one") == "one"
        time.sleep(0.4)
        terminal.clear()
        assert settle(desk, terminal, "two") == "two"
        assert heard.short() == ["KeyDown 0"]
        keys.up("F9")
        assert heard.wait(2) == PRESS
    desk.run("xset", "r", "rate", "660", "25")


def test_a_shortcut_with_the_hotkey_is_reported_and_still_works(desk, window):
    assert settle(desk, window, "abc") == "abc"
    with listening(desk.display, "ctrl_r") as (heard, _):
        desk.keys.chord("Control_R", "a")  # selects all
        desk.keys.chord("x")
        assert window.wait_for_text("x") == "x"
        assert heard.wait(3) == ["KeyDown 0", "KeyJoined 0", "KeyUp 0"]


def test_a_mouse_button_joins_the_hotkey_as_well_and_one_held_before_keeps_it_quiet(desk, other):
    with listening(desk.display, "ctrl_r") as (heard, _):

        def button(kind):
            xtest.fake_input(other, kind, 1)
            other.sync()

        desk.keys.down("Control_R")
        button(X.ButtonPress)
        button(X.ButtonRelease)
        desk.keys.up("Control_R")
        assert heard.wait(3) == ["KeyDown 0", "KeyJoined 0", "KeyUp 0"]
        button(X.ButtonPress)
        desk.keys.chord("Control_R")
        button(X.ButtonRelease)
        assert heard.short()[3:] == []

        def has_answered():  # the window manager may hold the release of the button back for a while
            desk.keys.chord("Control_R")
            return heard.wait(5, timeout_s=0.2)[3:5] == PRESS

        wait_until(has_answered, "the hotkey after the drag")


def test_the_focused_window_keeps_the_focus(desk, window):
    with listening(desk.display, "f9") as (heard, _):
        desk.keys.down("F9")
        heard.wait(1)
        assert settle(desk, window, "held") == "held"
        assert desk.active_window() == window.window
        desk.keys.up("F9")
        window.clear()
        assert settle(desk, window, "ok") == "ok"


# --- releases that are not delivered --------------------------------------------------------------------


@both
def test_a_release_while_another_program_has_grabbed_the_keyboard_is_heard(desk, keys, other, chord, key):
    grab = (True, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime)
    with listening(desk.display, chord) as (heard, _):
        keys.down(key)
        assert heard.wait(1) == ["KeyDown 0"]
        wait_until(lambda: other.screen().root.grab_keyboard(*grab) == X.GrabSuccess, "the other's grab")
        keys.up(key)
        assert heard.wait(2) == PRESS
        other.ungrab_keyboard(X.CurrentTime)
        other.sync()


def test_a_key_whose_keyboard_vanished_is_let_go(desk):
    device = str(desk.hardware.device)
    with listening(desk.display, "ctrl_r") as (heard, _):
        desk.hardware.down("Control_R")
        assert heard.wait(1) == ["KeyDown 0"]
        desk.run("xinput", "disable", device)
        try:
            assert heard.wait(2) == PRESS
        finally:
            desk.run("xinput", "enable", device)
        desk.hardware.chord("Control_R")
        assert heard.wait(4) == PRESS * 2


@both
def test_what_a_program_does_with_a_key_that_a_finger_holds_means_nothing(desk, chord, key):
    with listening(desk.display, chord) as (heard, _):
        desk.hardware.down(key)
        assert heard.wait(1) == ["KeyDown 0"]
        desk.keys.chord(key)
        desk.keys.up(key)  # as "xdotool --clearmodifiers" does, and
        desk.keys.down(key)  # may leave it
        time.sleep(0.3)
        assert heard.short() == ["KeyDown 0"]
        desk.hardware.up(key)
        assert heard.wait(2) == PRESS
        desk.keys.up(key)


def test_a_key_on_two_keyboards_comes_up_with_the_last(desk):
    with listening(desk.display, "f9") as (heard, _):
        desk.keys.down("F9")
        assert heard.wait(1) == ["KeyDown 0"]
        desk.hardware.chord("F9")
        time.sleep(0.3)
        assert heard.short() == ["KeyDown 0"]
        desk.keys.up("F9")
        assert heard.wait(2) == PRESS


# --- keyboard filters, latches and locks --------------------------------------------------------------------

ACCEPTED_S = 0.3  # the server's own delay of Slow Keys


@contextlib.contextmanager
def accessibility(desk, features):
    """With Slow Keys, Bounce Keys, Sticky Keys or Mouse Keys."""
    with contextlib.closing(Xkb(desk.display)) as xkb:
        xkb.set_access(features)
        try:
            yield
        finally:
            xkb.set_access(0)
            xkb.latch(0)
            xkb.lock(0)


@both
def test_with_slow_keys_a_hold_is_a_hold_and_what_is_brushed_is_nothing(desk, keys, terminal, chord, key):
    with accessibility(desk, SLOW_KEYS), listening(desk.display, chord) as (heard, _):
        keys.chord(key)  # too short for the server
        keys.down(key)
        assert heard.wait(1) == ["KeyDown 0"]
        keys.chord("a")  # brushed meanwhile: it does not join
        time.sleep(0.5)  # several looks at the real state
        assert heard.short() == ["KeyDown 0"]
        keys.up(key)
        assert heard.wait(2) == PRESS
    assert settle(desk, terminal, "ok") == "ok", "neither the chord nor what was brushed has come"


def test_with_slow_keys_the_hotkey_goes_down_when_the_key_is_accepted(desk):
    with accessibility(desk, SLOW_KEYS), listening(desk.display, "ctrl_r") as (heard, _):
        began_s = time.monotonic()
        desk.hardware.down("Control_R")
        heard.wait(1)
        desk.hardware.up("Control_R")
        heard.wait(2)
    assert heard.events[0].at_s - began_s >= ACCEPTED_S * 0.9


def test_with_bounce_keys_a_bounce_is_no_press(desk, keys):
    with accessibility(desk, BOUNCE_KEYS), listening(desk.display, "ctrl_r") as (heard, _):
        keys.down("Control_R")
        assert heard.wait(1) == ["KeyDown 0"]
        keys.up("Control_R")
        keys.down("Control_R")  # within 0.3 s
        assert heard.wait(2) == PRESS
        time.sleep(0.2)
        keys.up("Control_R")
        time.sleep(0.5)
        assert heard.short() == PRESS

        def press():
            time.sleep(0.6)  # a busy server takes the last release for later than it was
            keys.chord("Control_R")
            return len(heard.short()) > 2

        wait_until(press, "a press after the bounce")
        assert heard.wait(4)[:4] == PRESS * 2


def locks(desk):
    """The mask of what is locked, without what is held."""
    with contextlib.closing(display.Display(desk.display)) as connection:
        return extensions.Xkb(connection).state().locked


@pytest.mark.parametrize("lock", ["Caps_Lock", "Num_Lock", "Scroll_Lock"])
@pytest.mark.parametrize("is_locked", [False, True])
def test_a_lock_as_the_hotkey_locks_nothing(desk, keys, lock, is_locked):
    before = locks(desk)
    if is_locked:
        keys.chord(lock)
    locked = locks(desk)
    assert (locked != before) == (is_locked and lock != "Scroll_Lock"), "it has no lock in this layout"
    try:
        with listening(desk.display, lock.lower()) as (heard, _):
            for count in (1, 2, 3):
                keys.down(lock)
                assert heard.wait(2 * count - 1)[-1] == "KeyDown 0"
                wait_until(lambda: locks(desk) == locked, "the lock to be as before")
                keys.up(lock)
                assert heard.wait(2 * count)[-1] == "KeyUp 0"
                wait_until(lambda: locks(desk) == locked, "the lock to be as before")
        keys.chord(lock)
        assert (locks(desk) != locked) == (lock != "Scroll_Lock"), "it is a lock again"
        keys.chord(lock)
    finally:
        if is_locked:
            keys.chord(lock)
    assert locks(desk) == before


def test_a_lock_that_belongs_to_a_chord_still_locks_by_itself(desk):
    with listening(desk.display, "ctrl+caps_lock") as (heard, listener):
        desk.keys.chord("Control_L", "Caps_Lock")
        assert heard.wait(2) == PRESS
        listener.start([Hotkey("ctrl+caps_lock")])  # answers when what came before is done
        wait_until(lambda: desk.keys.modifiers() == 0, "nothing to be locked")
        desk.keys.chord("Caps_Lock")
        assert desk.keys.modifiers() == X.LockMask
        desk.keys.chord("Caps_Lock")
        assert desk.keys.modifiers() == 0


def test_with_sticky_keys_a_lone_hotkey_latches_nothing(desk, keys, terminal):
    with accessibility(desk, STICKY_KEYS), listening(desk.display, "ctrl_r") as (heard, _):
        for count in (1, 2, 3):  # twice in a row would lock it
            keys.chord("Control_R")
            assert heard.wait(2 * count) == PRESS * count
            wait_until(lambda: desk.keys.modifiers() == 0, "nothing to be latched")
        assert settle(desk, terminal, "ok") == "ok"
        keys.chord("Shift_L")
        wait_until(lambda: desk.keys.modifiers() == X.ShiftMask, "another modifier to be latched")


def test_with_sticky_keys_a_chord_is_pressed_one_key_after_the_other(desk, keys, terminal):
    with accessibility(desk, STICKY_KEYS), listening(desk.display, "ctrl+alt+d") as (heard, _):
        for name in ("Control_L", "Alt_L"):
            keys.chord(name)
        keys.down("d")
        assert heard.wait(1) == ["KeyDown 0"]
        time.sleep(0.3)
        keys.up("d")
        assert heard.wait(2) == PRESS
        keys.chord("Control_L")
        keys.chord("d")  # another chord
        assert terminal.wait_for_text("\x04") == "\x04"
        assert heard.short() == PRESS


def test_with_sticky_keys_a_latched_modifier_makes_it_another_chord(desk, keys, terminal):
    desk.copy("pasted", selection="primary")
    with accessibility(desk, STICKY_KEYS), listening(desk.display, "insert") as (heard, _):
        keys.chord("Shift_L")
        keys.chord("Insert")
        assert terminal.wait_for_text("pasted") == "pasted"
        assert heard.short() == []
        keys.chord("Insert")
        assert heard.wait(2) == PRESS


def test_with_mouse_keys_the_hotkey_works_as_ever(desk, keys):
    with accessibility(desk, MOUSE_KEYS), listening(desk.display, "ctrl_r", "f9") as (heard, _):
        keys.chord("Control_R")
        keys.chord("F9")
        assert heard.wait(4) == ["KeyDown 0", "KeyUp 0", "KeyDown 1", "KeyUp 1"]


def test_a_chord_that_this_program_presses_itself_is_refused(desk):
    with listening(desk.display) as (_, listener), pytest.raises(HotkeyError, match="presses"):
        listener.start([Hotkey("shift+insert")])


# --- our own keys -----------------------------------------------------------------------------------------


def test_keys_this_program_injects_are_not_the_user_s(desk):
    injecting = threading.Event()
    with listening(desk.display, "ctrl_r", "f9", was_injecting=lambda _: injecting.is_set()) as (heard, _):
        desk.hardware.down("Control_R")
        assert heard.wait(1) == ["KeyDown 0"]
        injecting.set()
        desk.keys.up("Control_R")  # as the inserter does, so that it can type
        desk.keys.chord("Control_L", "v")
        desk.keys.chord("F9")
        time.sleep(0.5)  # several looks at the real state
        assert heard.short() == ["KeyDown 0"]
        injecting.clear()
        desk.hardware.up("Control_R")
        assert heard.wait(2) == PRESS


@pytest.mark.parametrize("chord", ["insert", "ctrl+insert", "ctrl+shift+insert", "shift_r", "shift+f9"])
def test_our_own_paste_arrives_whatever_the_hotkey(desk, terminal, chord):
    desk.copy("pasted", selection="primary")
    with listening(desk.display, chord, was_injecting=lambda _: True) as (heard, _):
        desk.keys.chord("Shift_L", "Insert")
        assert terminal.wait_for_text("pasted") == "pasted"
        assert heard.short() == []


# --- Escape -----------------------------------------------------------------------------------------------


def test_escape_is_taken_only_while_it_is_watched(desk, terminal):
    with listening(desk.display, "ctrl_r") as (heard, listener):
        desk.keys.chord("Escape")
        assert terminal.wait_for_text("\x1b") == "\x1b"
        listener.watch_escape(True)
        listener.start([Hotkey("ctrl_r")])  # answers when what came before is done
        desk.keys.chord("Escape")
        assert heard.wait(1) == ["EscapePressed"]
        listener.watch_escape(False)
        listener.start([Hotkey("ctrl_r")])
        desk.keys.chord("Escape")
        assert terminal.wait_for_text("\x1b\x1b") == "\x1b\x1b"
        assert heard.short() == ["EscapePressed"]


def test_escape_cancels_while_the_hotkey_is_held_and_is_taken_then_too(desk, terminal):
    with listening(desk.display, "ctrl_r") as (heard, listener):
        listener.watch_escape(True)
        desk.keys.down("Control_R")
        assert heard.wait(1) == ["KeyDown 0"]
        listener.start([Hotkey("ctrl_r"), Hotkey("f9")])  # lets go what is held
        desk.keys.up("Control_R")
        heard.clear()
        desk.keys.down("Control_R")
        heard.wait(1)
        desk.keys.chord("Escape")
        desk.keys.up("Control_R")
        assert heard.wait(4) == ["KeyDown 0", "KeyJoined 0", "EscapePressed", "KeyUp 0"]
    assert settle(desk, terminal, "ok") == "ok"


def test_the_lock_key_is_taken_only_while_a_hotkey_is_down(desk, terminal):
    with listening(desk.display, "ctrl_r") as (heard, listener):
        listener.watch_escape(True, "space")
        listener.start([Hotkey("ctrl_r")])  # answers when what came before is done
        desk.keys.down("Control_R")
        assert heard.wait(1) == ["KeyDown 0"]
        desk.keys.chord("space")
        desk.keys.up("Control_R")
        assert heard.wait(3) == ["KeyDown 0", "LockPressed", "KeyUp 0"]
        desk.keys.chord("space")
        desk.keys.chord("x")
        assert terminal.wait_for_text(" x") == " x"
        assert heard.short() == ["KeyDown 0", "LockPressed", "KeyUp 0"]


# --- chords that are taken, layouts, several hotkeys --------------------------------------------------------


def test_a_chord_of_another_program_is_refused_with_one_that_is_free(desk, other):
    for mask in (0, X.ControlMask | X.Mod1Mask):
        other.screen().root.grab_key(75, mask, True, X.GrabModeAsync, X.GrabModeAsync)
    other.sync()
    with listening(desk.display, "f8") as (heard, listener):
        with pytest.raises(HotkeyError) as refused:
            listener.start([Hotkey("f9")])
        assert refused.value.reason is HotkeyReason.TAKEN
        assert refused.value.title == "Another program uses F9."
        assert refused.value.hint == "Ctrl+Super+F9 is free.", "Ctrl+Alt+F9 is taken, too"
        desk.keys.chord("F8")
        assert heard.wait(2) == PRESS, "what was listened for before still is"
        listener.start([Hotkey("ctrl+super+f9")])
        desk.keys.chord("Control_L", "Super_L", "F9")
        assert heard.wait(4) == PRESS * 2


def test_a_chord_follows_its_letter_to_another_layout(desk, terminal):
    with listening(desk.display, "ctrl+alt+a") as (heard, _):
        try:
            for layout, place in (("us", "a"), ("fr", "q"), ("ru", "a"), ("us,ru", "a"), ("de", "a")):
                desk.set_layout(layout)
                heard.clear()
                terminal.clear()

                def has_answered(place=place):
                    desk.keys.chord("Control_L", "Alt_L", place)
                    return heard.wait(2, timeout_s=0.2)[:2] == PRESS

                wait_until(has_answered, f"the hotkey on the layout {layout}")
                desk.keys.chord("Return")  # the last of what came through until it had followed
                wait_until(lambda: terminal.text().endswith("\n"), "the terminal to read on")
                terminal.clear()
                desk.keys.chord("Control_L", "Alt_L", place)
                heard.wait(4)
                desk.keys.chord("Return")  # the same on every layout
                assert terminal.wait_for_text("\n") == "\n", layout
        finally:
            desk.set_layout("us")


def test_a_chord_works_while_the_second_layout_is_switched_on(desk, terminal):
    terminal.focus()
    switch = ["setxkbmap", "-layout", "us,ru", "-option", "grp:sclk_toggle"]
    desk.run(*switch)
    try:
        with listening(desk.display, "ctrl+alt+d", "f9") as (heard, _):
            desk.keys.chord("Scroll_Lock")
            terminal.clear()
            desk.keys.chord("d")
            assert terminal.wait_for_text("в") == "в", "the Russian layout is on"
            desk.keys.chord("Control_L", "Alt_L", "d")
            desk.keys.chord("F9")
            assert heard.wait(4) == ["KeyDown 0", "KeyUp 0", "KeyDown 1", "KeyUp 1"]
            desk.keys.chord("d")
            assert terminal.wait_for_text("вв") == "вв"
            desk.keys.chord("Scroll_Lock")
    finally:
        desk.run("setxkbmap", "-layout", "us", "-option", "")
        desk.set_layout("us")


def test_a_key_that_another_program_remaps_does_not_disturb_a_hold(desk, other):
    with listening(desk.display, "ctrl_r") as (heard, _):
        desk.keys.down("Control_R")
        heard.wait(1)
        before = other.get_keyboard_mapping(250, 1)
        other.change_keyboard_mapping(250, [(0x1004F60,)])
        other.sync()
        time.sleep(0.4)
        assert heard.short() == ["KeyDown 0"]
        desk.keys.up("Control_R")
        assert heard.wait(2) == PRESS
        other.change_keyboard_mapping(250, [tuple(before[0])])
        other.sync()


@pytest.mark.parametrize(
    ("layout", "chord", "key"),
    [
        *(("us", f"f{n}", f"F{n}") for n in (13, 19, 20, 24)),
        ("de", "altgr", "Alt_R"),
        ("de", "ctrl_r", "Control_R"),
    ],
)
def test_function_keys_beyond_the_twelfth_and_alt_gr_are_hotkeys(desk, layout, chord, key):
    desk.set_layout(layout)
    try:
        with listening(desk.display, chord) as (heard, _):
            desk.keys.chord(key)
            assert heard.wait(2) == PRESS
    finally:
        desk.set_layout("us")


def test_alt_gr_is_not_alt(desk, terminal):
    terminal.focus()
    desk.set_layout("de")
    try:
        with listening(desk.display, "alt+e", "alt") as (heard, _):
            terminal.clear()
            desk.keys.chord("Alt_R", "e")
            assert terminal.wait_for_text("€") == "€"
            assert heard.short() == []
            desk.keys.chord("Alt_L", "e")
            assert heard.wait(5)[0] == "KeyDown 1"
            assert "KeyDown 0" in heard.short()
    finally:
        desk.set_layout("us")


def test_a_chord_with_alt_gr_is_a_hotkey_and_reaches_no_window(desk, terminal):
    terminal.focus()
    desk.set_layout("de")
    try:
        with listening(desk.display, "altgr+f8") as (heard, _):
            terminal.clear()
            desk.keys.chord("Alt_R", "F8")
            assert heard.wait(2) == PRESS
            desk.keys.chord("Alt_R", "e")
            assert terminal.wait_for_text("€") == "€"
    finally:
        desk.set_layout("us")


# --- endurance --------------------------------------------------------------------------------------------


@both
def test_of_500_presses_none_is_lost(desk, terminal, chord, key):
    with listening(desk.display, chord) as (heard, _):
        for _ in range(500):
            desk.keys.chord(key)
        assert heard.wait(1000, timeout_s=60) == PRESS * 500
    assert settle(desk, terminal, "ok") == "ok"


def test_an_idle_listener_sleeps(desk):
    with listening(desk.display, "ctrl_r", "f9") as (heard, _):
        desk.keys.chord("F9")
        heard.wait(2)
        thread = next(t for t in threading.enumerate() if t.name == "hotkeys")

        def switches():
            with open(f"/proc/self/task/{thread.native_id}/status") as status:  # noqa: PTH123
                return sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)

        def woke(seconds):
            before = switches()
            time.sleep(seconds)
            return switches() - before

        wait_until(lambda: woke(1.0) <= 2, "rest: keyboard mappings are looked at once more after a change")
        assert woke(3.0) <= 2


def test_starting_and_stopping_leaves_nothing_behind(desk):
    def held():
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    listener = X11Hotkeys(Heard(), display=desk.display)
    before = held()
    for _ in range(30):
        listener.start([Hotkey("f9")])
        listener.stop()
    assert held() == before


# --- the X server goes away -------------------------------------------------------------------------------


class Server:
    """An X server of its own, to be killed."""

    def __init__(self):
        reader, writer = os.pipe()
        self.process = self._start("-displayfd", str(writer), pass_fds=(writer,))
        os.close(writer)
        with os.fdopen(reader) as number:
            self.display = f":{number.readline().strip()}"

    def _start(self, *arguments, **options):
        command = ["Xvfb", *arguments, "-screen", "0", "320x200x24", "-nolisten", "tcp", "-noreset", "-ac"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.process = self._start(self.display)

    def tap(self, code):
        with contextlib.closing(display.Display(self.display)) as keyboard:
            xtest.fake_input(keyboard, X.KeyPress, code)
            xtest.fake_input(keyboard, X.KeyRelease, code)
            keyboard.sync()


@pytest.fixture
def server():
    require(sound=False)
    server = Server()
    yield server
    server.kill()
    gc.collect()  # now, while the leak below is expected


# python-xlib does not close its sockets when a connection cannot be made.
leaks_sockets = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@leaks_sockets
def test_a_lost_x_server_lets_the_key_go_and_is_reported(server, monkeypatch):
    monkeypatch.setattr(X11Hotkeys, "RETRY_S", (0.05, 0.05))
    with listening(server.display, "ctrl_r") as (heard, listener):
        listener.watch_escape(True)
        keyboard = display.Display(server.display)
        xtest.fake_input(keyboard, X.KeyPress, 105)
        keyboard.sync()
        assert heard.wait(1) == ["KeyDown 0"]
        server.kill()
        with contextlib.suppress(error.ConnectionClosedError):
            keyboard.close()
        assert heard.wait(3) == ["KeyDown 0", "KeyUp 0", "HotkeysFailed"]
        assert isinstance(heard.events[2].error, HotkeyError)
        with pytest.raises(HotkeyError) as refused:
            listener.start([Hotkey("ctrl_r")])
        assert refused.value.reason is HotkeyReason.UNSUPPORTED_DESKTOP


def test_a_server_that_hangs_can_be_seen_from_outside(server):
    with listening(server.display, "f9") as (heard, listener):
        wait_until(lambda: listener.piece() is None, "the listener to wait")
        server.process.send_signal(signal.SIGSTOP)
        try:
            listener.watch_escape(True)
            piece = wait_until(listener.piece, "a piece of work")
            time.sleep(0.3)
            assert listener.piece() == piece
            assert not listener.has_died()
        finally:
            server.process.send_signal(signal.SIGCONT)
        wait_until(lambda: listener.piece() is None, "the end of it")
        server.tap(75)
        assert heard.wait(2) == PRESS


def test_what_is_checked_beforehand_is_not_listened_for(desk, other):
    root = other.screen().root
    root.grab_key(75, 0, True, X.GrabModeAsync, X.GrabModeAsync)
    other.sync()
    with listening(desk.display, "f8") as (heard, listener):
        with pytest.raises(HotkeyError) as refused:
            listener.check([Hotkey("f9")])
        assert refused.value.reason is HotkeyReason.TAKEN
        listener.check([Hotkey("f7"), Hotkey("f8"), Hotkey("ctrl_r")])
        desk.keys.chord("F7")
        desk.keys.chord("F8")
        assert heard.wait(2) == PRESS
        catch = error.CatchError(error.BadAccess)
        root.grab_key(73, 0, True, X.GrabModeAsync, X.GrabModeAsync, onerror=catch)
        other.sync()
        assert catch.get_error() is None, "nobody holds F7"


@leaks_sockets
def test_a_restarted_x_server_is_found_again(server, monkeypatch):
    monkeypatch.setattr(X11Hotkeys, "RETRY_S", [0.2] * 100)
    with listening(server.display, "f9") as (heard, _):
        server.tap(75)
        assert heard.wait(2) == PRESS
        server.kill()
        server.restart()

        def has_answered():
            with contextlib.suppress(error.DisplayError, error.ConnectionClosedError):
                server.tap(75)
            return len(heard.wait(4, timeout_s=0.2)) >= 4

        wait_until(has_answered, "the hotkey on the new server")
        assert heard.short()[2:4] == PRESS


@pytest.mark.expects_log
def test_a_listener_that_fails_says_so_and_can_be_started_again(desk):
    faults = [ZeroDivisionError()]

    def was_injecting(_at_s):
        if faults:
            raise faults.pop()
        return False

    with listening(desk.display, "ctrl_r", was_injecting=was_injecting) as (heard, listener):
        post = listener._post
        listener._post = lambda event: (post(event), time.sleep(0.5))  # the thread takes its time to end
        desk.keys.chord("Control_R")
        assert heard.wait(1) == ["HotkeysFailed"]
        listener.start([Hotkey("ctrl_r")])
        desk.keys.chord("Control_R")
        assert heard.wait(3)[1:] == PRESS


@leaks_sockets
def test_no_x_server_is_an_error_at_the_start():
    listener = X11Hotkeys(Heard(), display=":9876")
    with pytest.raises(HotkeyError) as refused:
        listener.start([Hotkey("ctrl_r")])
    assert refused.value.reason is HotkeyReason.UNSUPPORTED_DESKTOP
    listener.stop()
    del refused
    gc.collect()


@pytest.mark.parametrize("is_injected", [True, False])
def test_events_carry_the_time_and_whether_a_program_holds_the_key(desk, is_injected):
    before = time.monotonic()
    with listening(desk.display, "ctrl_r") as (heard, _):
        (desk.keys if is_injected else desk.hardware).chord("Control_R")
        heard.wait(2)
    down, up = heard.events
    assert before <= down.at_s <= up.at_s <= time.monotonic()
    assert (down, up) == (KeyDown(0, down.at_s, is_injected), KeyUp(0, up.at_s))
