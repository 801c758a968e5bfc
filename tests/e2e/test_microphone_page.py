"""Microphones in the settings window of the real program, by keys and mouse, on a real sound server."""

import time
import tomllib

import pytest
from PySide6.QtGui import QImage

from tests.e2e.app import SPOKEN, TAP_S, App
from tests.e2e.desk import Desktop, require
from tests.e2e.desk.processes import repeat_until, wait_until
from tests.e2e.test_app_windows import leave, wait_for_window

pytestmark = pytest.mark.desktop

CHAIRS, MEETING, REPORT = SPOKEN["chairs"], SPOKEN["meeting"], SPOKEN["report"]
DEFAULT = "VirtualMicrophone"
SETTINGS = f'''
smart_spacing = false
warm_s = 0
microphones = ["{DEFAULT}", "usb"]
[[hotkeys]]
chord = "ctrl_r"
'''
PLUGGED_IN_S = 2.0  # from the plug to the key, as people do it; no status tells that it was noticed
SETTLE_S = 0.5  # for a page to be drawn
SAVED_S = 10.0  # for a change to be in the file, also on a busy machine


@pytest.fixture(scope="module")
def desktop():
    require()
    with Desktop() as desk:
        desk.sound.plug_in("usb")
        yield desk


@pytest.fixture(scope="module")
def app(desktop):
    with App(desktop, settings=SETTINGS) as running:
        yield running


class Page:
    """The page Microphone, and what a user does there."""

    def __init__(self, desktop, app):
        self.desktop, self.app = desktop, app
        app.run("settings")
        self.window = wait_for_window(desktop, "Settings")
        for keys in (("Control_L", "f"), ("Control_L", "a"), ("BackSpace",), ("Tab",), ("Home",)):
            desktop.keys.chord(*keys)  # nothing is sought, and the list of pages has the keyboard
        wait_until(lambda: not desktop.sound.recordings(), "another page")
        desktop.keys.chord("Down")
        desktop.keys.chord("Down")
        wait_until(desktop.sound.recordings, "the microphone to be opened")

    def go_to_list(self):
        """By searching; the list of microphones gets the keyboard."""
        self.desktop.keys.chord("Control_L", "f")
        for key in "priority":
            self.desktop.keys.chord(key)
        self.desktop.keys.chord("Return")
        time.sleep(SETTLE_S)

    def order(self):
        text = (self.app.home / "config" / "settings.toml").read_text(encoding="utf-8")
        return tomllib.loads(text)["microphones"]

    def looks(self, name):
        time.sleep(SETTLE_S)
        return QImage(str(self.desktop.screenshot(name)))

    def close(self):
        leave(self.desktop, self.window, "Control_L", "w")


@pytest.fixture
def page(desktop, app):
    made = Page(desktop, app)
    yield made
    made.close()
    wait_until(lambda: not desktop.sound.recordings(), "the microphone to be closed")


def dictate(desktop, app, name, sink):
    """Hold the key and speak into the microphone behind ``sink``. Returns which one was used."""
    time.sleep(TAP_S)  # sooner after a release it would be taken for a bounce
    desktop.hardware.down("Control_R")
    try:
        app.wait_until_recorded()
        time.sleep(0.5)  # a person, not synchronization
        used = app.status()["microphone"]
        assert desktop.sound.play(app.wav(name), sink).wait(30) == 0
    finally:
        desktop.hardware.up("Control_R")
    return used


def test_the_order_is_changed_by_keys_and_followed_when_one_is_unplugged_and_comes_back(desktop, app, editor):
    page = Page(desktop, app)
    page.looks("microphone-page")

    def put_second_first():
        page.go_to_list()
        for keys in (("Home",), ("Down",), ("Alt_L", "Up")):
            desktop.keys.chord(*keys)

    repeat_until(put_second_first, lambda: page.order() == ["usb", DEFAULT], "usb to be the first", SAVED_S)
    wait_until(lambda: app.status()["microphone"] == "usb", "the app to follow")
    page.close()
    editor.focus()
    assert dictate(desktop, app, "chairs", "usb-feed") == "usb"
    assert editor.wait_for_text(CHAIRS) == CHAIRS
    editor.clear()
    desktop.sound.unplug("usb")
    assert dictate(desktop, app, "meeting", "virtmic") == DEFAULT
    assert editor.wait_for_text(MEETING) == MEETING
    editor.clear()
    desktop.sound.plug_in("usb")
    time.sleep(PLUGGED_IN_S)
    assert dictate(desktop, app, "report", "usb-feed") == "usb"
    assert editor.wait_for_text(REPORT) == REPORT


def changed(one, other):
    """The first rectangle in which two pictures differ: left, top and bottom."""

    def differ(y):
        return [x for x in range(one.width()) if one.pixel(x, y) != other.pixel(x, y)]

    top = next(y for y in range(one.height()) if differ(y))
    bottom = next(y for y in range(top, one.height()) if not differ(y))
    return differ(top + 2)[0], top, bottom


def test_the_order_is_changed_with_the_mouse(desktop, page):
    before = page.order()
    page.go_to_list()
    desktop.keys.chord("Home")
    first = page.looks("microphone-first")
    desktop.keys.chord("Down")
    left, top, bottom = changed(first, page.looks("microphone-second"))  # the two rows
    x, height = left + 60, (bottom - top) // 2
    upper, lower = top + height // 2, bottom - height // 2

    def drag():
        desktop.run("xdotool", "mousemove", str(x), str(lower), "mousedown", "1")
        for y in range(lower, upper - height // 3, -4):
            desktop.run("xdotool", "mousemove", str(x), str(y))
        time.sleep(SETTLE_S)
        desktop.run("xdotool", "mouseup", "1")

    repeat_until(drag, lambda: page.order() == [before[1], before[0]], "the other order", SAVED_S)


@pytest.mark.parametrize("how", ["another page", "minimized", "closed"])
def test_the_microphone_is_open_only_while_the_page_is_seen(desktop, page, how):
    assert desktop.sound.recordings() == 1
    if how == "another page":
        desktop.keys.chord("Up")
    elif how == "minimized":
        desktop.run("xdotool", "windowminimize", str(page.window))
    else:
        page.close()
    wait_until(lambda: not desktop.sound.recordings(), "the microphone to be closed")
    page.app.run("settings")
    page.window = wait_for_window(desktop, "Settings")
    if how == "another page":
        desktop.keys.chord("Down")
    wait_until(desktop.sound.recordings, "the microphone to be opened again")


def files(app):
    """The program's files and their sizes, but for its log."""
    found = [path for path in app.home.rglob("*") if path.is_file() and path.suffix != ".log"]
    return {path: path.stat().st_size for path in found}


def test_what_is_recorded_is_played_back_and_a_dictation_ends_it(desktop, app, page, editor):
    played = lambda: desktop.sound.control("list", "short", "sink-inputs")  # noqa: E731
    order = f'["{DEFAULT}", "usb"]'  # whatever the tests before have left
    assert app.run("settings", "set", "microphones", order).returncode == 0
    wait_until(lambda: app.status()["microphone"] == DEFAULT, "the app to follow")
    time.sleep(3.0)  # the page has it, and the microphone is open
    desktop.activate(page.window)
    before = files(app)
    desktop.keys.chord("Alt_L", "o")  # Record 5 seconds
    page.looks("microphone-recording")
    wait_until(played, "the playback")
    page.looks("microphone-playing")
    assert files(app) == before, "nothing of it is on the disk"
    editor.focus()
    desktop.hardware.down("Control_R")
    wait_until(lambda: not played(), "the end of the playback", timeout_s=3)
    app.speak("chairs")
    desktop.hardware.up("Control_R")
    assert editor.wait_for_text(CHAIRS) == CHAIRS


def test_without_a_microphone_the_program_says_so_and_when_there_is_one_again(desktop, app):
    sound = desktop.sound
    sound.unplug("usb")
    sound.unplug("mic")
    try:
        status = wait_until(lambda: (s := app.status())["phase"] == "problem" and s, "the problem")
        assert [one["title"] for one in status["notices"]] == ["No microphone was found."]
        app.run()  # a second start opens a window
        time.sleep(1.0)
        desktop.screenshot("no-microphone")
        window = wait_for_window(desktop, "Handy Qwen")
        leave(desktop, window, "Escape")
    finally:
        sound.control(
            *("load-module", "module-remap-source", "source_name=mic", "master=virtmic.monitor"),
            f"source_properties=device.description={DEFAULT}",
        )
        sound.control("set-default-source", "mic")
        sound.plug_in("usb")
    app.wait_for_phase("idle")
