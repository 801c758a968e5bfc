"""The guide of the first start, gone through with keys and the virtual microphone."""

import subprocess
import time
import tomllib

import pytest

from tests.e2e.app import COMMAND, SPOKEN, App
from tests.e2e.desk import QtTarget
from tests.e2e.desk.processes import wait_until
from tests.e2e.test_app_shortcut import OVER

pytestmark = pytest.mark.desktop


def windows(desktop, step=""):
    """The guide's windows that are on the screen; those only whose page is ``step``."""
    command = ["xdotool", "search", "--onlyvisible", "--name", f"^Set up: {step}"]
    done = subprocess.run(command, env=desktop.env, capture_output=True, text=True, check=False)
    return [int(line) for line in done.stdout.split()]


class Guide:
    """The window, and the user's hands on it."""

    def __init__(self, desktop, app):
        self.desktop, self.app, self.keys = desktop, app, desktop.keys

    def wait_for(self, step):
        """Wait until the page ``step`` is up and the window has the keyboard, and keep a picture of it."""
        (window,) = wait_until(lambda: windows(self.desktop, step), f"the page {step}")
        wait_until(lambda: self.desktop.active_window() == window, "its focus")
        self.picture(step)

    def picture(self, name):
        self.desktop.screenshot(f"setup-{name.lower().replace(' ', '-')}")

    def press(self, letter, then):
        """Press a button by its letter; the page ``then`` comes up."""
        self.keys.chord("Alt_L", letter)
        self.wait_for(then)

    def try_out(self, key, app):
        """Press the hotkey and let it go; nothing is recorded."""
        self.desktop.hardware.down(key)
        wait_until(lambda: app.status()["is_key_down"], "the key to be seen")
        self.picture(f"pressed {key}")
        assert app.status()["phase"] == "idle"
        self.desktop.hardware.up(key)
        wait_until(lambda: not app.status()["is_key_down"], "the key to be up")

    def field_text(self):
        """What stands in the field with the keyboard, by way of the clipboard."""
        self.keys.chord("Control_L", "a")
        self.keys.chord("Control_L", "c")
        return self.desktop.clipboard().decode()


def settings(app):
    return tomllib.loads((app.home / "config" / "settings.toml").read_text(encoding="utf-8"))


def rehearses(app):
    return app.status()["is_rehearsing"]


def wait_for_text(app, text):
    """Wait until it was heard, and is in its window if it belongs into one."""
    wait_until(lambda: app.last() == text, "the text")
    app.wait_for_phase("idle")


@pytest.fixture(scope="module")
def app(desktop):
    with App(desktop, "guide", is_guided=True) as running:
        yield running


@pytest.fixture
def guide(desktop, app):
    return Guide(desktop, app)


def test_a_first_start_leads_through_microphone_key_and_first_text(desktop, app, guide):
    guide.wait_for("Model")
    guide.press("k", "Microphone")  # Skip
    guide.keys.chord("space")  # the button has the keyboard
    app.wait_until_recorded()
    saying = desktop.play(app.wav("meeting"))
    time.sleep(1.5)  # in the middle of the sentence, for a picture of the level
    guide.picture("listening")
    assert saying.wait(30) == 0
    guide.keys.chord("Return")
    wait_for_text(app, SPOKEN["meeting"])
    guide.picture("heard")
    guide.keys.chord("Return")  # goes on, since every word was understood

    guide.wait_for("Hotkey")
    wait_until(lambda: rehearses(app), "the rehearsal")
    guide.keys.chord("F7")  # were a key being taken, it would be this one
    time.sleep(0.5)
    assert app.status()["hotkeys"] == ["Right Ctrl"]
    guide.try_out("Control_R", app)
    guide.picture("let go")

    app.capture(lambda: guide.keys.chord("Alt_L", "c"))  # Change…
    guide.picture("capturing")
    before = app.output().count(OVER)
    guide.keys.chord("a")
    wait_until(lambda: app.output().count(OVER) > before, "the end of the capture")
    time.sleep(0.5)
    guide.picture("refused")
    assert app.status()["hotkeys"] == ["Right Ctrl"]
    app.capture(lambda: guide.keys.chord("Alt_L", "c"))
    guide.keys.chord("Alt_L", "j")
    app.wait_for_hotkeys("Alt+J")
    time.sleep(0.3)
    guide.picture("warned")

    app.capture(lambda: guide.keys.chord("Alt_L", "c"))
    guide.keys.chord("F8")
    app.wait_for_hotkeys("F8")
    assert settings(app)["hotkeys"][0]["chord"] == "F8"
    guide.try_out("F8", app)
    guide.press("n", "First text")


def test_the_hotkey_chosen_writes_into_the_field(app, guide):
    wait_until(lambda: not rehearses(app), "the hotkey")
    app.dictate("chairs", key="F8")
    wait_for_text(app, SPOKEN["chairs"])
    guide.picture("another sentence")
    wait_until(lambda: guide.field_text() == SPOKEN["chairs"], "the text in the field", interval_s=0.5)
    app.dictate("meeting", key="F8")  # instead of what is selected
    wait_for_text(app, SPOKEN["meeting"])
    guide.picture("written")


def test_the_start_at_login_can_be_turned_on(desktop, app, guide):
    guide.press("n", "At login")  # Next: the text has come
    entry = desktop.folder / "home" / ".config" / "autostart" / "io.github.handy_qwen.desktop"
    guide.keys.chord("Alt_L", "l")  # Start … when I log in
    wait_until(lambda: entry.exists() and "--hidden" in entry.read_text(encoding="utf-8"), "the entry")
    guide.press("n", "Done")
    guide.keys.chord("Alt_L", "f")  # Finish
    wait_until(lambda: not windows(desktop), "the guide to close")
    assert settings(app)["set_up"] is True


def test_afterwards_the_hotkey_writes_into_other_windows(desktop, app):
    editor = desktop.open(QtTarget)
    try:
        app.dictate("meeting", key="F8")
        assert editor.wait_for_text(SPOKEN["meeting"]) == SPOKEN["meeting"]
    finally:
        editor.close()


def test_it_is_found_again_and_closing_it_gives_the_hotkey_back(desktop, app, guide):
    assert app.run("setup").returncode == 0
    guide.wait_for("Model")
    guide.press("k", "Microphone")
    guide.press("n", "Hotkey")
    wait_until(lambda: rehearses(app), "the rehearsal")
    guide.keys.chord("Escape")
    wait_until(lambda: not windows(desktop), "the guide to close")
    wait_until(lambda: not rehearses(app), "the hotkey")


def test_a_second_start_shows_no_guide(desktop, app):
    assert app.run("quit").returncode == 0
    assert app.process.wait(30) == 0
    with App(desktop, "guide", is_guided=True) as again:
        assert again.run("last").returncode in {0, 1}, "it answers"
        assert not windows(desktop)


def test_a_hidden_start_shows_no_guide_and_leaves_it_for_the_next(desktop):
    app = App(desktop, "hidden", is_guided=True)
    process = desktop.start("hidden", *COMMAND, "--hidden", env=app.env)
    try:
        wait_until(lambda: app.status().get("is_ready"), "the app", timeout_s=60)
        assert not windows(desktop)
        assert settings(app)["set_up"] is False
    finally:
        assert desktop.stop(process) == 0
