"""The windows of the real program: reached without a tray, and out of the way of what they insert."""

import json
import subprocess
import time

import pytest

from handy_qwen.core.entries import Keep, State, Whereabouts
from handy_qwen.history.places import Places
from handy_qwen.history.store import Store
from tests.e2e.app import App
from tests.e2e.desk import QtTarget
from tests.e2e.desk.processes import wait_until

pytestmark = pytest.mark.desktop
TEXT = "The meeting starts at five o'clock."


@pytest.fixture(scope="module")
def app(silent_desktop):
    """The program on a desktop without a tray, with one dictation in its history."""
    made = App(silent_desktop, "windows")
    places = Places(made.home / "data" / "history")
    places.make()
    store = Store(places.database, busy_s=1.0)
    store.add(
        {
            "created_ms": int(time.time() * 1000),
            "state": State.DONE,
            "keep": Keep.AUDIO_AND_TEXT,
            "text": TEXT,
            "whereabouts": Whereabouts.COPIED,
        }
    )
    store.close()
    with made as running:
        yield running


def wait_for_window(desktop, title):
    """Wait until the window whose title begins so has the focus, and return its handle."""

    def found():
        window = desktop.active_window()
        try:
            name = desktop.run("xdotool", "getwindowname", str(window)) if window else ""
        except subprocess.CalledProcessError:
            return None  # it has just gone
        return window if name.startswith(title) else None

    return wait_until(found, f"the window {title}")


def close(desktop, window):
    desktop.keys.chord("Escape")
    wait_until(lambda: window not in desktop.windows(), "the window to close")


def test_without_a_tray_a_window_leads_everywhere_and_a_second_start_brings_it_back(silent_desktop, app):
    main = wait_for_window(silent_desktop, "Handy Qwen")
    silent_desktop.screenshot("main")
    silent_desktop.keys.chord("Alt_L", "y")
    close(silent_desktop, wait_for_window(silent_desktop, "History"))
    silent_desktop.keys.chord("Escape")
    wait_until(lambda: main not in silent_desktop.windows(), "the main window to close")
    assert app.run().returncode == 0
    close(silent_desktop, wait_for_window(silent_desktop, "Handy Qwen"))


@pytest.mark.parametrize(
    ("command", "title"),
    [(["models"], "Models"), (["history", "--window"], "History"), (["setup"], "Set up")],
)
def test_each_window_has_a_command(silent_desktop, app, command, title):
    assert app.run(*command).returncode == 0
    close(silent_desktop, wait_for_window(silent_desktop, title))


def test_insert_again_goes_to_the_window_before_and_the_history_knows(silent_desktop, app):
    editor = silent_desktop.open(QtTarget)
    app.run("history", "--window")
    history = wait_for_window(silent_desktop, "History")

    def is_hidden():
        silent_desktop.keys.chord("Return")  # nothing happens as long as nothing is listed
        return history not in silent_desktop.windows()

    wait_until(is_hidden, "the History window to step aside", interval_s=0.5)
    assert editor.wait_for_text(TEXT, timeout_s=30) == TEXT
    assert silent_desktop.active_window() == editor.window
    assert history not in silent_desktop.windows()

    def delivered():
        entry = json.loads(app.run("history", "show", "last", "--json").stdout)
        return entry["delivered"] in {Whereabouts.TYPED, Whereabouts.PASTED}

    wait_until(delivered, "the delivery")
    editor.close()
