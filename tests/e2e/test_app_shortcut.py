"""Hotkeys are changed in the settings window, by keys and by mouse, and dictated with."""

import subprocess
import time
import tomllib
from functools import partial

import pytest

from tests.e2e.app import SPOKEN, TAP_S, App
from tests.e2e.desk.processes import repeat_until, wait_until
from tests.e2e.test_app_windows import wait_for_window

pytestmark = pytest.mark.desktop

OVER = "the capture of a new hotkey is over"
BACK = "8"  # the X server's number of the button that browsers go back with
CELL = 480, 84  # where the first key is in the window, as large as it is the first time


class Hands:
    """The settings window at the page Shortcut, and the user's hands on it."""

    def __init__(self, desktop, app):
        self.desktop, self.app = desktop, app
        app.run("settings")
        self.window = wait_for_window(desktop, "Settings")
        desktop.keys.chord("s")  # in the list of pages
        desktop.keys.chord("Tab")

    def click(self, x, y, button="1"):
        self.desktop.run("xdotool", "mousemove", "--window", str(self.window), str(x), str(y))
        self.desktop.run("xdotool", "click", button)

    def _is_visible(self):
        command = ["xdotool", "search", "--onlyvisible", "--name", "^Settings"]
        done = subprocess.run(command, env=self.desktop.env, capture_output=True, text=True, check=False)
        return str(self.window) in done.stdout.split()

    def close(self):
        # What was the hotkey just now may still be taken away.
        close = partial(self.desktop.keys.chord, "Control_L", "w")
        repeat_until(close, lambda: not self._is_visible(), "the window to close", again_s=1.0)
        wait_until(lambda: not self.app.status()["is_rehearsing"], "the hotkey to dictate again")


def hotkeys(app):
    path = app.home / "config" / "settings.toml"
    return [one["chord"] for one in tomllib.loads(path.read_text(encoding="utf-8")).get("hotkeys", [])]


@pytest.fixture(scope="module")
def app(desktop):
    with App(desktop, "shortcut") as running:
        yield running


def try_out(app, down, up):
    """Press the hotkey as soon as the page asks for it, and let it go."""
    wait_until(lambda: app.status()["is_rehearsing"], "the test of the new hotkey")
    down()
    wait_until(lambda: app.status()["is_key_down"], "the new hotkey")
    assert (app.status()["phase"], app.status()["is_rehearsing"]) == ("idle", True), "nothing is recorded"
    up()
    wait_until(lambda: not app.status()["is_rehearsing"], "the end of the test")


def test_a_new_hotkey_is_chosen_by_keys_tested_and_dictated_with(desktop, app, editor):
    hands = Hands(desktop, app)
    desktop.screenshot("settings-shortcut")
    app.capture(lambda: desktop.keys.chord("Return"))
    desktop.hardware.down("Control_L", "F8")
    time.sleep(TAP_S)
    desktop.screenshot("settings-shortcut-held")
    desktop.hardware.up("F8", "Control_L")
    app.wait_for_hotkeys("Ctrl+F8")
    try_out(
        app,
        lambda: desktop.hardware.down("Control_L", "F8"),
        lambda: desktop.hardware.up("F8", "Control_L"),
    )
    desktop.screenshot("settings-shortcut-tested")
    app.capture(lambda: desktop.keys.chord("space"))
    desktop.keys.chord("F8")
    app.wait_for_hotkeys("F8")
    hands.close()
    editor.focus()
    editor.clear()
    app.dictate("meeting", key="F8")
    assert editor.wait_for_text(SPOKEN["meeting"]) == SPOKEN["meeting"]


def test_what_the_keyboard_says_while_recording_means_nothing_to_the_window(desktop, app):
    before = hotkeys(app)
    hands = Hands(desktop, app)
    app.capture(lambda: desktop.keys.chord("Return"))
    desktop.keys.chord("a")  # refused: it would stop typing A
    time.sleep(TAP_S)
    app.capture(lambda: desktop.keys.chord("Return"))
    desktop.keys.chord("Escape")
    app.capture(lambda: desktop.keys.chord("Return"))
    desktop.keys.chord("Control_L", "w")  # which would close it
    app.wait_for_hotkeys("Ctrl+W")
    desktop.screenshot("settings-shortcut-refused")
    assert desktop.active_window() == hands.window
    app.capture(lambda: desktop.keys.chord("Return"))
    desktop.keys.chord("F8")
    app.wait_for_hotkeys("F8")
    assert before == ["F8"]
    hands.close()


def test_a_mouse_button_is_chosen_by_mouse_and_dictated_with(desktop, app, editor):
    hands = Hands(desktop, app)
    app.capture(lambda: hands.click(*CELL))
    hands.click(*CELL, button=BACK)
    app.wait_for_hotkeys("Mouse 4")
    try_out(
        app,
        lambda: desktop.run("xdotool", "mousedown", BACK),
        lambda: desktop.run("xdotool", "mouseup", BACK),
    )
    desktop.screenshot("settings-shortcut-mouse")
    hands.close()
    editor.focus()
    editor.clear()
    desktop.run("xdotool", "mousedown", BACK)
    app.speak("report")
    desktop.run("xdotool", "mouseup", BACK)
    wait_until(lambda: editor.text().strip() == SPOKEN["report"], "the text")


def test_closing_the_window_or_leaving_it_ends_the_recording(desktop, app, editor):
    Hands(desktop, app)
    app.capture(lambda: desktop.keys.chord("Return"))
    before = app.output().count(OVER)
    editor.focus()
    editor.clear()
    wait_until(lambda: app.output().count(OVER) > before, "the end of the recording")
    desktop.keys.chord("b")
    assert editor.wait_for_text("b") == "b", "the keyboard is everybody's again"
    assert hotkeys(app) == ["Mouse 4"]
    wait_until(lambda: not app.status()["is_rehearsing"], "the hotkey to dictate again")
