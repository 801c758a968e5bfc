"""A new hotkey on a real X server: what is heard, what other programs get meanwhile, and mouse buttons."""

import contextlib
import threading

import pytest
from Xlib import X, display
from Xlib.ext import xtest

from handy_qwen.core.types import CaptureStep, Hotkey
from handy_qwen.system.hotkeys import tracker
from handy_qwen.system.hotkeys.x11 import X11Hotkeys
from tests.e2e.desk import QtTarget, XtermTarget
from tests.e2e.test_hotkeys import PRESS, Heard, listening, settle

pytestmark = pytest.mark.desktop

TILT_LEFT, BACK, FORWARD = 6, 8, 9


class Steps:
    """What a capture told."""

    def __init__(self):
        self.all = []
        self._changed = threading.Condition()

    def __call__(self, captured):
        with self._changed:
            self.all.append(captured)
            self._changed.notify_all()

    def wait(self, *, count=None):
        """What it told, until it was over or had told ``count`` steps."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: len(self.all) == count or any(one.is_last for one in self.all), 60
            ), self.all
            return [(one.step, one.keys) for one in self.all]

    def last(self):
        return self.wait()[-1]


@pytest.fixture
def desk(silent_desktop):
    return silent_desktop


@pytest.fixture(scope="module")
def opened(silent_desktop):
    target = silent_desktop.open(XtermTarget)
    yield target
    target.close()


@pytest.fixture
def terminal(opened):
    opened.focus()
    opened.clear()
    return opened


@pytest.fixture
def mouse(desk):
    with contextlib.closing(display.Display(desk.display)) as connection:
        yield Mouse(connection)


class Mouse:
    def __init__(self, connection):
        self._connection = connection

    def down(self, button):
        self._send(X.ButtonPress, button)

    def up(self, button):
        self._send(X.ButtonRelease, button)

    def click(self, button):
        self.down(button)
        self.up(button)

    def _send(self, kind, button):
        xtest.fake_input(self._connection, kind, button)
        self._connection.sync()


@pytest.fixture(params=["xtest", "hardware"])
def keys(request, desk):
    return desk.keys if request.param == "xtest" else desk.hardware


@pytest.mark.parametrize(
    ("pressed", "keys_told"),
    [
        (["Control_R"], "Right Ctrl"),
        (["Shift_L"], "Left Shift"),
        (["Super_R"], "Right Super"),
        (["Alt_R"], "Right Alt"),
        (["F9"], "F9"),
        (["F13"], "F13"),
        (["a"], "A"),
        (["Control_L", "Alt_L", "d"], "Ctrl+Alt+D"),
        (["Control_R", "Super_L"], "Ctrl+Super"),
        (["Caps_Lock"], "Caps Lock"),
        (["Pause"], "Pause"),
        (["XF86AudioPlay"], "Play/Pause"),
        (["Control_L", "XF86AudioRaiseVolume"], "Ctrl+Volume Up"),
        (["Control_L", "Escape"], "Ctrl+Esc"),
    ],
)
def test_a_new_hotkey_is_heard_and_reaches_nobody_else(desk, keys, terminal, pressed, keys_told):
    with listening(desk.display, "ctrl_r", "f9") as (heard, listener):
        steps = Steps()
        listener.capture(steps)
        keys.chord(*pressed)
        assert steps.last() == (CaptureStep.CHOSEN, keys_told)
        assert heard.short() == [], "no hotkey dictates meanwhile"
        assert settle(desk, terminal, "ok") == "ok", "nothing came before, and no lock is on"
        keys.chord("F9")
        assert heard.wait(2) == ["KeyDown 1", "KeyUp 1"], "afterwards they do again"


def test_the_keys_held_so_far_are_told(desk):
    with listening(desk.display, "f9") as (_, listener):
        steps = Steps()
        listener.capture(steps)
        desk.keys.down("Control_L", "Alt_L", "d")
        assert steps.wait(count=3) == [
            (CaptureStep.HOLDING, "Left Ctrl+…"),
            (CaptureStep.HOLDING, "Ctrl+Alt+…"),
            (CaptureStep.HOLDING, "Ctrl+Alt+D"),
        ]
        desk.keys.up("d", "Alt_L", "Control_L")
        assert steps.last() == (CaptureStep.CHOSEN, "Ctrl+Alt+D")


@pytest.mark.parametrize(("key", "step"), [("Escape", CaptureStep.OVER), ("BackSpace", CaptureStep.CLEARED)])
def test_escape_keeps_the_hotkey_and_backspace_clears_it(desk, terminal, key, step):
    assert settle(desk, terminal, "ab") == "ab"
    with listening(desk.display, "f9") as (_, listener):
        steps = Steps()
        listener.capture(steps)
        desk.keys.chord(key)
        assert steps.wait() == [(CaptureStep.HOLDING, {"Escape": "Esc"}.get(key, "Backspace")), (step, "")]
        desk.keys.chord("c")
        assert terminal.wait_for_text("abc") == "abc", "neither reached the terminal"


def test_a_key_that_was_down_before_means_nothing(desk):
    with listening(desk.display, "f9") as (_, listener):
        desk.keys.down("Return")
        steps = Steps()
        listener.capture(steps)
        desk.keys.up("Return")
        desk.keys.chord("F8")
        assert steps.wait() == [(CaptureStep.HOLDING, "F8"), (CaptureStep.CHOSEN, "F8")]


@pytest.mark.parametrize("how", ["end_capture", "start", "stop"])
def test_it_ends_with_whatever_ends_it_and_gives_the_keyboard_back(desk, terminal, how):
    with listening(desk.display, "f9") as (_, listener):
        steps = Steps()
        listener.capture(steps)
        if how == "start":
            listener.start([Hotkey("f8")])
        else:
            getattr(listener, how)()
        assert steps.wait() == [(CaptureStep.OVER, "")]
        assert settle(desk, terminal, "ok") == "ok"


def test_it_ends_by_itself_if_no_key_comes(desk, terminal, monkeypatch):
    monkeypatch.setattr(tracker, "PATIENCE_S", 0.2)
    with listening(desk.display, "f9") as (_, listener):
        steps = Steps()
        listener.capture(steps)
        assert steps.wait() == [(CaptureStep.OVER, "")]
        assert settle(desk, terminal, "ok") == "ok"


def test_without_any_hotkey_one_can_be_captured(desk):
    heard, steps = Heard(), Steps()
    listener = X11Hotkeys(heard, display=desk.display)
    try:
        listener.capture(steps)
        desk.keys.chord("F8")
        assert steps.last() == (CaptureStep.CHOSEN, "F8")
    finally:
        listener.stop()


def test_a_mouse_button_is_captured_and_a_click_is_not(desk, mouse):
    with listening(desk.display, "f9") as (_, listener):
        steps = Steps()
        listener.capture(steps)
        mouse.click(1)
        mouse.click(BACK)
        assert steps.wait() == [(CaptureStep.HOLDING, "Mouse 4"), (CaptureStep.CHOSEN, "Mouse 4")]


@pytest.mark.parametrize(
    ("chord", "held", "button"),
    [
        ("mouse4", [], BACK),
        ("mouse5", [], FORWARD),
        ("ctrl+mouse4", ["Control_L"], BACK),
        ("wheel_left", [], TILT_LEFT),
    ],
)
def test_a_mouse_button_is_a_hotkey_and_reaches_nobody_else(desk, mouse, chord, held, button):
    window = desk.open(QtTarget)
    try:
        desk.run("xdotool", "mousemove", "--window", str(window.window), "50", "50")
        with listening(desk.display, chord) as (heard, _), _clicks(desk, window) as clicks:
            desk.keys.down(*held)
            mouse.down(button)
            assert heard.wait(1) == ["KeyDown 0"]
            threading.Event().wait(0.3)
            assert heard.short() == ["KeyDown 0"], "it is really down"
            mouse.up(button)
            desk.keys.up(*held)
            assert heard.wait(2) == PRESS
            other = FORWARD if button == BACK else BACK
            mouse.click(other)
            assert clicks() == [other], "only the one that is no hotkey"
    finally:
        window.close()


@contextlib.contextmanager
def _clicks(desk, window):
    """The buttons that were pressed over ``window``, as another program may watch them."""
    with contextlib.closing(display.Display(desk.display)) as connection:
        watched = connection.create_resource_object("window", window.window)
        geometry = watched.get_geometry()
        catcher = watched.create_window(
            0,
            0,
            geometry.width,
            geometry.height,
            0,
            X.CopyFromParent,
            X.InputOnly,
            event_mask=X.ButtonPressMask,
        )
        catcher.map()
        connection.sync()

        def pressed():
            connection.sync()
            events = [connection.next_event() for _ in range(connection.pending_events())]
            return [event.detail for event in events if event.type == X.ButtonPress]

        yield pressed
        catcher.destroy()
        connection.sync()
