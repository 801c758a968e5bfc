"""The page Vocabulary of the real program: what is added there is in the next dictation."""

import json
import re
import stat
import time

import pytest

from tests.e2e.app import SPOKEN, App
from tests.e2e.desk import QtTarget
from tests.e2e.desk.processes import wait_until
from tests.e2e.test_app_windows import leave, wait_for_window

pytestmark = pytest.mark.desktop
PUSHED_S = 1.0
SOFAS = SPOKEN["chairs"].replace("chairs", "sofas")


@pytest.fixture
def app(desktop):
    with App(desktop, "vocabulary") as running:
        yield running


def write(desktop, text):
    desktop.run("xdotool", "type", "--delay", "20", text)


def push(desktop, letter):
    """Press a button by its letter. Qt shows it pressed for a tenth of a second before it does anything."""
    desktop.keys.chord("Alt_L", letter)
    time.sleep(PUSHED_S)


def has(app, pattern):
    """Wait until the settings file has it."""
    path = app.home / "config" / "settings.toml"
    wait_until(lambda: re.search(pattern, path.read_text(encoding="utf-8")), pattern)


def kept(app):
    """The last text of the history."""
    return json.loads(app.run("history", "show", "last", "--json").stdout)["text"]


def test_a_word_and_a_replacement_added_in_the_window_are_in_the_next_dictation(desktop, app):
    keys = desktop.keys
    assert app.run("settings").returncode == 0
    window = wait_for_window(desktop, "Settings")
    keys.chord("v")  # in the list of pages
    keys.chord("Tab")
    write(desktop, "Kovacs")
    keys.chord("Return")
    has(app, r'custom_words = \["Kovacs"\]')
    push(desktop, "r")  # Add replacement
    write(desktop, "chairs")
    keys.chord("Return")
    write(desktop, "sofas")
    keys.chord("Return")
    has(app, r'\[\[replacements\]\]\nheard = "chairs"\nwritten = "sofas"')
    keys.chord("Alt_L", "y")  # Try it
    write(desktop, "Chairs")
    time.sleep(PUSHED_S)
    desktop.screenshot("vocabulary")
    leave(desktop, window, "Escape")
    editor = desktop.open(QtTarget)
    app.dictate("chairs")
    assert editor.wait_for_text(SOFAS, timeout_s=60) == SOFAS
    editor.close()
    assert stat.S_IMODE((app.home / "config" / "settings.toml").stat().st_mode) == 0o600
    log = app.output() + (app.home / "log" / "handy-qwen.log").read_text(encoding="utf-8")
    assert "Kovacs" not in log
    assert "sofas" not in log


def test_a_word_of_the_history_becomes_a_replacement_and_is_taken_back(desktop, app):
    keys = desktop.keys
    editor = desktop.open(QtTarget)
    app.dictate("report")
    editor.wait_for_text(SPOKEN["report"], timeout_s=60)
    wait_until(lambda: kept(app), "the history")
    app.run("history", "--window")
    window = wait_for_window(desktop, "History")
    correction = wait_for_window(desktop, "Correct and add", "Alt_L", "n")  # the word at the cursor is marked
    write(desktop, "Kindly")
    time.sleep(2 * PUSHED_S)  # until the change is offered
    desktop.screenshot("correction")
    keys.chord("Tab")
    keys.chord("r")  # Replacement instead of Word for the model
    push(desktop, "s")
    has(app, 'heard = "Please"\nwritten = "Kindly"')
    corrected = SPOKEN["report"].replace("Please", "Kindly")
    wait_until(lambda: kept(app) == corrected, "the corrected text in the history")
    wait_until(lambda: app.run("last").stdout.strip() == corrected, "the corrected text as the last one")
    assert corrected in app.run("history", "search", "kindly").stdout
    assert editor.text() == SPOKEN["report"], "what is inserted stays"
    push(desktop, "u")
    path = app.home / "config" / "settings.toml"
    wait_until(lambda: "Kindly" not in path.read_text(encoding="utf-8"), "the undo")
    wait_until(lambda: kept(app) == app.run("last").stdout.strip() == SPOKEN["report"], "the original")
    leave(desktop, correction, "Escape")
    leave(desktop, window, "Escape")
    editor.close()
