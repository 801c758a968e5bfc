"""Typing: what the user's own keys, locks and layouts do to it, and what it leaves behind."""

import time
from contextlib import closing

import pytest
from Xlib import X, display

from handy_qwen.core.events import Delivered, KeyDown, KeyUp
from handy_qwen.core.types import Delivery, Hotkey, Method, Submit
from handy_qwen.system.hotkeys.x11 import X11Hotkeys
from handy_qwen.system.insert import x11 as x11_desktop
from handy_qwen.system.x11.keyboard import LEFTOVERS
from tests.e2e.desk import Desktop, GtkTarget, QtTarget, require
from tests.e2e.desk.keyboard import BOUNCE_KEYS, SLOW_KEYS, STICKY_KEYS, Xkb
from tests.e2e.desk.processes import wait_until
from tests.e2e.insertion import every_window, insertion_on

pytestmark = pytest.mark.desktop

TEXT = "Über 12 €: naïve — Größe 🙂, ok?"
LOCK, NUM_LOCK = X.LockMask, X.Mod2Mask


@pytest.fixture(scope="module")
def bench():
    """A desktop, and an inserter as the product has it."""
    require(sound=False)
    with Desktop(tray=False, sound=False) as desk, insertion_on(desk) as insertion:
        yield desk, insertion


@every_window
@pytest.mark.parametrize("key", ["Control_R", "Alt_L", "Super_R", "Alt_R"])
def test_a_key_let_go_in_time_is_waited_for(bench, window, key):
    desk, insertion = bench
    desk.hardware.down(key)
    insertion.begin(TEXT, Method.PASTE)
    with pytest.raises(TimeoutError):
        wait_until(lambda: not insertion.events.empty(), "nothing", 0.3)
    desk.hardware.up(key)
    assert insertion.result().how is Delivery.PASTED
    assert window.wait_for_text(TEXT) == TEXT


@every_window
@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE])
@pytest.mark.parametrize("key", ["Control_R", "Alt_L", "Shift_R", "Super_R"])
def test_a_key_held_for_good_is_let_go_for_the_user_and_not_pressed_again(bench, window, method, key):
    desk, insertion = bench
    desk.hardware.down(key)
    insertion.insert(TEXT, method)
    assert window.wait_for_text(TEXT) == TEXT
    assert desk.keys.held() == []
    desk.hardware.up(key)
    assert desk.keys.held() == []
    desk.keys.chord("a")
    assert window.wait_for_text(TEXT + "a") == TEXT + "a", "no modifier is stuck"


@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE])
@pytest.mark.parametrize("place", ["de Alt_R", "us Caps_Lock", "us Num_Lock"])
@pytest.mark.usefixtures("xkb")
def test_keys_that_are_no_ordinary_modifiers_may_be_held_as_well(bench, window, method, place):
    """Layouts that have AltGr name another key as its modifier; a lock that is held is more than locked."""
    desk, insertion = bench
    layout, key = place.split()
    desk.set_layout(layout)
    try:
        desk.hardware.down(key)
        insertion.insert(TEXT, method)
        desk.hardware.up(key)
        assert window.wait_for_text(TEXT) == TEXT
        assert desk.keys.modifiers() == {"Caps_Lock": LOCK, "Num_Lock": NUM_LOCK}.get(key, 0)
    finally:
        desk.set_layout("us")


@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE])
def test_text_goes_nowhere_when_no_window_has_the_focus(bench, window, method):
    desk, insertion = bench
    with closing(display.Display(desk.display)) as connection, desk.window_manager_stopped():
        connection.set_input_focus(X.NONE, X.RevertToNone, X.CurrentTime)
        connection.sync()
        assert insertion.insert(TEXT, method) is Delivery.COPIED, "whatever the window manager still says"
        target = connection.create_resource_object("window", window.window)
        target.set_input_focus(X.RevertToParent, X.CurrentTime)
        connection.sync()
    desk.activate(window.window)  # once the window manager has recovered
    window.attend()
    assert insertion.insert(TEXT, method) in {Delivery.TYPED, Delivery.PASTED}
    assert window.wait_for_text(TEXT) == TEXT


@pytest.mark.parametrize("window", [GtkTarget], indirect=True)
def test_a_key_pressed_while_the_clipboard_is_fetched_does_not_get_into_the_chord(bench, window, monkeypatch):
    """The next take begins with the same hotkey while the last one's text is about to be pasted."""
    desk, insertion = bench
    clipboards = insertion.backend._clipboards
    fetch = clipboards.fetch

    def fetch_and_press(*arguments):
        desk.hardware.down("Control_R")
        return fetch(*arguments)

    monkeypatch.setattr(clipboards, "fetch", fetch_and_press)
    assert insertion.insert(TEXT, Method.PASTE) is Delivery.PASTED
    desk.hardware.up("Control_R")
    assert window.wait_for_text(TEXT) == TEXT


def test_a_key_pressed_while_text_is_typed_spoils_at_most_a_few_characters(bench, window):
    """The next take begins with the same hotkey while the last one's text is still coming in."""
    desk, insertion = bench
    text = "all work and no play " * 40
    insertion.begin(text, Method.TYPE)
    wait_until(window.text, "the first characters", interval_s=0.001)
    desk.hardware.down("Shift_R")
    assert insertion.result().how is Delivery.TYPED
    desk.hardware.up("Shift_R")
    wait_until(lambda: len(window.text()) >= len(text), "the last characters")
    assert window.text().lower() == text
    assert sum(a != b for a, b in zip(window.text(), text, strict=True)) <= 16


@pytest.fixture
def xkb(bench):
    """Locks, latches and accessibility features; all off again afterwards."""
    desk, _ = bench
    opened = Xkb(desk.display)
    yield opened
    opened.set_access(0)
    opened.latch(0)
    opened.lock(0)
    opened.close()


@every_window
@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE])
@pytest.mark.parametrize("modifier", [LOCK, X.ShiftMask, X.ControlMask, X.Mod1Mask, X.Mod4Mask, X.Mod5Mask])
def test_a_locked_modifier_does_no_harm_and_stays_locked(bench, window, xkb, method, modifier):
    desk, insertion = bench
    xkb.lock(modifier | NUM_LOCK)
    insertion.insert(TEXT, method, submit=Submit.ENTER)
    assert window.wait_for_text(TEXT + "\n") == TEXT + "\n"
    assert desk.keys.modifiers() == modifier | NUM_LOCK


@every_window
@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE])
def test_a_latched_modifier_does_not_get_into_the_text(bench, window, xkb, method):
    _, insertion = bench
    xkb.latch(X.ShiftMask | X.ControlMask)
    insertion.insert(TEXT, method)
    assert window.wait_for_text(TEXT) == TEXT


@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE])
@pytest.mark.parametrize("feature", [SLOW_KEYS, BOUNCE_KEYS, SLOW_KEYS | BOUNCE_KEYS | STICKY_KEYS])
def test_slow_and_bounce_keys_are_obeyed(bench, window, xkb, method, feature):
    _, insertion = bench
    xkb.set_access(feature)
    # With Sticky Keys as well, a server under load may take Ctrl for too short, and Enter for itself.
    submit = Submit.OFF if feature & STICKY_KEYS else Submit.CTRL_ENTER
    assert insertion.insert("hello aabb", method, submit=submit) is Delivery.PASTED
    assert window.wait_for_text("hello aabb") == "hello aabb"


@pytest.mark.parametrize("feature", [0, BOUNCE_KEYS])
@pytest.mark.parametrize("window", [QtTarget, GtkTarget], indirect=True)
def test_what_was_inserted_is_deleted_and_not_a_character_more(bench, window, xkb, feature):
    _, insertion = bench
    text = "Before. Grüße, 你好\nand more."
    insertion.insert(text, Method.PASTE)
    assert window.wait_for_text(text) == text
    xkb.set_access(feature)
    insertion.begin("", Method.PASTE, erased=text[8:], may_erase=lambda: False)
    assert not insertion.result().has_erased, "the user has typed just before"
    insertion.begin("Less.", Method.PASTE, erased=text[8:])
    done = insertion.result()
    assert (done.how, done.has_erased) == (Delivery.PASTED, True)
    assert window.wait_for_text("Before. Less.") == "Before. Less."


@every_window
def test_sticky_keys_stay_on_and_leave_the_text_alone(bench, window, xkb):
    desk, insertion = bench
    xkb.set_access(STICKY_KEYS)
    assert insertion.insert("AB Cd " + TEXT, Method.TYPE) is Delivery.TYPED
    assert insertion.insert(TEXT, Method.PASTE) is Delivery.PASTED
    assert window.wait_for_text("AB Cd " + TEXT * 2) == "AB Cd " + TEXT * 2
    desk.keys.chord("Shift_L")
    desk.keys.chord("a")
    assert window.wait_for_text("AB Cd " + TEXT * 2 + "A").endswith("A"), "the feature still is on"


LONG = "Zero yaks (lazy) buzz & fizz; " * 8


@every_window
def test_a_layout_that_changes_while_a_text_is_typed_does_not_change_the_text(bench, window):
    desk, insertion = bench
    insertion.at_pause(5, lambda: desk.set_layout("de"))
    try:
        insertion.begin(LONG, Method.TYPE)
        assert insertion.result() == Delivered(1, Delivery.TYPED)
    finally:
        desk.set_layout("us")
    assert window.wait_for_text(LONG) == LONG


@every_window
@pytest.mark.parametrize("is_on", [False, True])
def test_caps_lock_pressed_while_a_text_is_typed_counts_afterwards(bench, window, xkb, is_on):
    desk, insertion = bench
    xkb.lock(LOCK if is_on else 0)
    insertion.at_pause(5, lambda: desk.hardware.chord("Caps_Lock"))
    assert insertion.insert(LONG, Method.TYPE) is Delivery.TYPED
    assert window.wait_for_text(LONG) == LONG
    assert desk.keys.modifiers() == (0 if is_on else LOCK)


def test_typing_stops_when_another_window_gets_the_focus_and_the_rest_waits(bench, windows):
    desk, insertion = bench
    qt, other = windows[QtTarget], windows[GtkTarget]
    for window in (other, qt):
        window.focus()
        window.clear()
    insertion.at_pause(5, other.focus)
    insertion.begin(LONG, Method.TYPE, submit=Submit.ENTER)
    delivered = insertion.result()
    assert delivered.how is Delivery.HELD
    assert 0 < len(delivered.rest) < len(LONG)
    assert qt.wait_for_text(LONG.removesuffix(delivered.rest)) + delivered.rest == LONG
    other.settle()
    assert other.text() == ""
    assert desk.active_window() == other.window


def test_a_paste_is_not_sent_to_a_window_that_came_while_a_key_was_held(bench, windows):
    desk, insertion = bench
    qt, other = windows[QtTarget], windows[GtkTarget]
    for window in (other, qt):
        window.focus()
        window.clear()
    at_press = insertion.inserter.focused()
    desk.hardware.down("Control_R")
    insertion.at_pause(5, other.focus)
    insertion.begin(TEXT, Method.PASTE, target=at_press)
    assert insertion.result().how is Delivery.HELD
    desk.hardware.up("Control_R")
    other.settle()
    assert other.text() == qt.text() == ""


@every_window
def test_more_different_characters_than_spare_keys_are_typed_in_batches(bench, window):
    _, insertion = bench
    text = "".join(chr(0x4E00 + 37 * n) for n in range(80))  # all different
    assert insertion.insert(text, Method.TYPE) is Delivery.TYPED
    assert insertion.backend._keyboard._spare.capacity < len(text)
    assert window.wait_for_text(text) == text


@every_window
def test_a_text_that_would_keep_the_desktop_busy_is_pasted_instead(bench, window):
    _, insertion = bench
    text = "".join(chr(0x4E00 + 11 * n) for n in range(1500))
    assert insertion.insert(text, Method.TYPE) is Delivery.PASTED
    assert window.wait_for_text(text) == text


@pytest.fixture(
    scope="module", params=["us,ru", "de(neo)", "gr", "il", "us(dvorak)", "ua", "jp", "ch(fr)", "us(intl)"]
)
def layout(bench, request):
    """Each layout for all windows: every program reads the keyboard again when it changes."""
    desk, _ = bench
    name, _, variant = request.param.rstrip(")").partition("(")
    desk.run("setxkbmap", "-layout", name, "-variant", variant)
    yield request.param
    desk.run("setxkbmap", "-layout", "us", "-variant", "")


@every_window
@pytest.mark.usefixtures("layout")
def test_other_layouts(bench, window):
    _, insertion = bench
    text = TEXT + " Привет, їжак. Ωμέγα ὅς שלום ~^`'\"§{}[]@\\|"
    assert insertion.insert(text, Method.TYPE) is Delivery.TYPED
    assert window.wait_for_text(text) == text
    window.clear()
    assert insertion.insert(text, Method.PASTE) is Delivery.PASTED
    assert window.wait_for_text(text) == text


@every_window
def test_the_second_group_of_a_layout_is_seen(bench, window):
    desk, insertion = bench
    desk.run("setxkbmap", "-layout", "us,ru", "-option", "grp:menu_toggle")
    try:
        desk.keys.chord("Menu")
        desk.keys.chord("q")
        assert window.wait_for_text("й") == "й", "the Russian group is in force"
        assert insertion.insert(TEXT + " съешь", Method.TYPE) is Delivery.TYPED
        assert window.wait_for_text("й" + TEXT + " съешь") == "й" + TEXT + " съешь"
        assert insertion.insert(TEXT, Method.PASTE, submit=Submit.ENTER) is Delivery.PASTED
        assert window.wait_for_text("й" + TEXT + " съешь" + TEXT + "\n").endswith(TEXT + "\n")
    finally:
        desk.keys.chord("Menu")
        desk.run("setxkbmap", "-layout", "us", "-option", "")


def test_frozen_window_gets_typed_characters_right_after_it_thaws(bench, window):
    _, insertion = bench
    window.freeze()
    assert insertion.insert(TEXT, Method.TYPE) is Delivery.TYPED
    window.thaw()
    assert window.wait_for_text(TEXT) == TEXT


@pytest.mark.parametrize("lag_s", [0.0, 0.004])
@pytest.mark.parametrize("method", [Method.TYPE, Method.PASTE])
def test_our_keys_call_no_hotkey_and_the_users_still_do(bench, windows, method, lag_s):
    """However far the listener has fallen behind: 4 ms more with each key."""
    desk, insertion = bench
    windows[QtTarget].focus()
    events = []

    def was_injecting(at_s):
        time.sleep(lag_s)
        return insertion.inserter.was_injecting(at_s)

    hotkeys = X11Hotkeys(events.append, was_injecting=was_injecting, display=desk.display)
    hotkeys.start([Hotkey("shift_l"), Hotkey("ctrl_l"), Hotkey("insert")])
    try:
        insertion.insert(TEXT.upper(), method, submit=Submit.CTRL_ENTER)
        wait_until(lambda: not insertion.inserter.was_injecting(time.monotonic()), "the end")
        assert events == []
        desk.keys.chord("Control_L")
        wait_until(lambda: len(events) == 2, "the user's key")
        assert [type(event) for event in events] == [KeyDown, KeyUp]
    finally:
        hotkeys.stop()


def test_borrowed_keycodes_are_given_back(monkeypatch):
    monkeypatch.setattr(x11_desktop, "REST_AFTER_S", 0.5)
    require(sound=False)
    with Desktop(tray=False, sound=False) as desk:
        connection = display.Display(desk.display)
        low, high = connection.display.info.min_keycode, connection.display.info.max_keycode

        def mapping():
            return [list(keys) for keys in connection.get_keyboard_mapping(low, high - low + 1)]

        before = mapping()
        window = desk.open(QtTarget)
        with insertion_on(desk) as insertion:
            insertion.insert("我们", Method.TYPE)
            assert window.wait_for_text("我们") == "我们"
            assert mapping() != before
            wait_until(lambda: mapping() == before, "the keycodes to be free")
            insertion.insert("再见", Method.TYPE)
        assert mapping() == before, "at the end as well"
        mark = connection.intern_atom(LEFTOVERS)
        assert connection.screen().root.get_full_property(mark, X.AnyPropertyType) is None
        connection.close()
