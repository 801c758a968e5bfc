"""The windows of the real program: reached without a tray, and out of the way of what they insert."""

import json
import subprocess
import time
from contextlib import closing, contextmanager

import pytest
from Xlib import X
from Xlib.display import Display

from handy_qwen.core.types import Delivery, EntryState, Keep
from handy_qwen.history.store import Places, Store
from tests.e2e.app import App
from tests.e2e.desk import QtTarget
from tests.e2e.desk.processes import repeat_until, wait_until

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
            "state": EntryState.DONE,
            "keep": Keep.AUDIO_AND_TEXT,
            "text": TEXT,
            "delivery": Delivery.COPIED,
        }
    )
    store.close()
    with made as running:
        yield running


TINY_PX = 10
PRESS_S = 1.0  # between two tries: a window may be called active before keys reach it
READY_S = 0.4  # for a program to take keys once the window manager has given it the focus


def wait_for_window(desktop, title, *keys):
    """Wait until the window whose title begins so has the focus, and return its handle; ``keys`` open it."""

    def found():
        window = desktop.active_window()
        try:
            name = desktop.run("xdotool", "getwindowname", str(window)) if window else ""
        except subprocess.CalledProcessError:
            return None  # it has just gone
        if name.startswith(title):
            return window
        if keys:
            desktop.keys.chord(*keys)
        return None

    window = wait_until(found, f"the window {title}", interval_s=PRESS_S if keys else 0.05)
    time.sleep(READY_S)
    return window


@contextmanager
def created(desktop):
    """The windows that came up in the body, however briefly; those that Qt never shows are tiny."""
    with closing(Display(desktop.display)) as display:
        display.screen().root.change_attributes(event_mask=X.SubstructureNotifyMask)
        display.sync()
        yield (made := set())
        display.sync()
        events = [display.next_event() for _ in range(display.pending_events())]
        shown = [one for one in events if one.type == X.CreateNotify and not one.override]
        made |= {one.window.id for one in shown if one.width > TINY_PX}


def leave(desktop, window, *keys):
    """Press ``keys`` until ``window`` is gone; they must do no harm to the one that follows."""
    repeat_until(
        lambda: desktop.keys.chord(*keys), lambda: window not in desktop.windows(), "the window to close"
    )


def test_without_a_tray_a_window_leads_everywhere_and_a_second_start_brings_it_back(silent_desktop, app):
    main = wait_for_window(silent_desktop, "Handy Qwen")
    silent_desktop.screenshot("main")
    leave(silent_desktop, wait_for_window(silent_desktop, "History", "Alt_L", "y"), "Escape")
    leave(silent_desktop, main, "Escape")
    assert app.run().returncode == 0
    leave(silent_desktop, wait_for_window(silent_desktop, "Handy Qwen"), "Escape")


@pytest.mark.parametrize(
    ("command", "title"),
    [
        (["models"], "Models"),
        (["files"], "Transcribe files"),
        (["history", "--window"], "History"),
        (["setup"], "Set up"),
        (["settings"], "Settings"),
    ],
)
def test_each_window_has_a_command_and_no_other_window_appears(silent_desktop, app, command, title):
    with created(silent_desktop) as windows:
        assert app.run(*command).returncode == 0
        window = wait_for_window(silent_desktop, title)
    assert windows == {window}
    leave(silent_desktop, window, "Escape")


def test_insert_again_goes_to_the_window_before_and_the_history_knows(silent_desktop, app):
    editor = silent_desktop.open(QtTarget)
    app.run("history", "--window")
    history = wait_for_window(silent_desktop, "History")
    leave(silent_desktop, history, "Alt_L", "i")  # Insert again, once there is something to insert
    assert editor.wait_for_text(TEXT) == TEXT
    assert silent_desktop.active_window() == editor.window

    def delivered():
        entry = json.loads(app.run("history", "show", "last", "--json").stdout)
        return entry["delivered"] in {Delivery.TYPED, Delivery.PASTED}

    wait_until(delivered, "the delivery")
    editor.close()
