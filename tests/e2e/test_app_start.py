"""How the program starts and ends. Each test starts its own, and only one hears the keys at a time."""

import os
import pty
import re
import signal
import subprocess
import time

import pytest

from tests.e2e.app import COMMAND, SPOKEN, App
from tests.e2e.desk import Desktop, require
from tests.e2e.desk.processes import wait_until

pytestmark = pytest.mark.desktop

CHAIRS, MEETING = SPOKEN["chairs"], SPOKEN["meeting"]


def test_a_press_while_the_model_loads_is_answered_when_it_is_there(desktop, editor):
    app = App(desktop, "early")
    app.process = desktop.start("early", *COMMAND, "--debug", env=app.env)
    try:
        wait_until(lambda: "HotkeysSet ->" in app.output(), "the hotkeys", timeout_s=60)
        app.dictate("chairs")
        assert editor.wait_for_text(CHAIRS, timeout_s=60) == CHAIRS
        app.dictate("meeting")
        both = f"{CHAIRS} {MEETING}"
        assert editor.wait_for_text(both) == both, "the second continues the first"
    finally:
        assert desktop.stop(app.process) == 0


def test_the_tray_icon_is_there_before_anything_heavy_is_imported(desktop):
    app = App(desktop, "imports")
    app.env["PYTHONPROFILEIMPORTTIME"] = "1"  # each import is told, beside the log, in its order
    with app:
        before, shown, after = app.output().partition("tray and overlay are there")
    assert shown
    heavy = ("numpy", "onnxruntime", "sounddevice", "soxr", "regex", "Xlib")
    for module in heavy:
        assert not re.search(rf"\|\s+{module}\b", before), module
    # Lines of several threads may run into one another there; that most are told shows that all would be.
    assert sum(module in after for module in heavy) >= 4


def test_a_request_to_end_is_followed_at_once_also_while_recording(desktop):
    with App(desktop, "ending") as app:
        app.run("start")
        app.wait_for_phase("recording")
        began = time.monotonic()
        app.process.send_signal(signal.SIGTERM)
        assert app.process.wait(30) == 0
        took_s = time.monotonic() - began
    assert not (app.home / "run" / "control.sock").exists()
    assert app.run("status").returncode == 1
    print(f"ended within {took_s:.2f} s")  # noqa: T201  told, not asserted


def test_it_tells_that_there_is_only_the_demo_model_and_quit_ends_it(desktop):
    with App(desktop, "quitting") as app:
        wait_until(
            lambda: any("demo model" in notice["title"] for notice in app.status()["notices"]), "the notice"
        )
        desktop.screenshot("app-started")
        assert app.run("quit").returncode == 0
        assert app.process.wait(30) == 0


def test_a_killed_program_can_be_started_again(desktop):
    first = App(desktop, "killed")
    with pytest.raises(AssertionError), first:
        first.process.kill()
    with App(desktop, "killed") as second:
        second.wait_for_phase("idle")


def test_of_two_started_at_once_one_runs(desktop):
    app = App(desktop, "twins")
    twins = [
        subprocess.Popen([*COMMAND, "--hidden"], env=app.env, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        wait_until(lambda: app.status().get("is_ready"), "one of them", timeout_s=60)
        wait_until(lambda: [one.poll() for one in twins].count(0) == 1, "the other to end", timeout_s=60)
    finally:
        for one in twins:
            if one.poll() is None:
                one.send_signal(signal.SIGTERM)
            one.communicate(timeout=60)
    assert [one.returncode for one in twins] == [0, 0]


def test_a_start_in_a_terminal_says_in_a_line_how_to_dictate_and_a_second_that_it_runs(desktop):
    app = App(desktop, "terminal")
    terminal, end = pty.openpty()
    app.process = desktop.start("terminal", *COMMAND, env=app.env, stderr=end)
    try:
        wait_until(lambda: app.status().get("is_ready"), "the app", timeout_s=60)
        second = subprocess.run(COMMAND, env=app.env, stderr=end, timeout=60, check=False)
        assert second.returncode == 0
    finally:
        os.close(end)
        assert desktop.stop(app.process) == 0
    with os.fdopen(terminal, "rb", buffering=0) as reader:
        said = reader.read(4096).decode()
    first, again, rest = said.split("\r\n", 2)
    assert first == "Handy Qwen is running. Hold Right Ctrl to dictate; the menu is in the tray."
    assert again == "Handy Qwen is running already."
    assert rest == ""


def test_without_a_tray_and_window_manager_it_works_and_the_overlay_shows_it():
    require()
    with Desktop(tray=False, window_manager=False) as bare, App(bare, "bare") as app:
        assert app.run("start").returncode == 0
        app.speak("meeting")
        bare.screenshot("app-without-tray")
        assert app.run("stop").returncode == 0
        wait_until(lambda: app.last() == MEETING, "the text")


def test_without_a_display_it_says_so(tmp_path):
    left_out = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
    env = {name: value for name, value in os.environ.items() if name not in left_out}
    env |= {"HANDY_QWEN_HOME": str(tmp_path)}
    done = subprocess.run(COMMAND, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "no display" in done.stderr
