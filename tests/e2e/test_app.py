"""The whole program: keys, microphone, engine and insertion, as its user meets them."""

import json
import time

import pytest

from tests.e2e.app import SPOKEN, TAP_S, App
from tests.e2e.desk import GtkTarget, QtTarget, XtermTarget
from tests.e2e.desk.processes import wait_until

pytestmark = pytest.mark.desktop

CHAIRS, MEETING, REPORT = SPOKEN["chairs"], SPOKEN["meeting"], SPOKEN["report"]


@pytest.fixture(scope="module")
def app(desktop):
    # Each test has a window of its own, but X gives the number of a closed one out again.
    with App(desktop, settings='smart_spacing = false\n[[hotkeys]]\nchord = "ctrl_r"\n') as running:
        yield running


@pytest.mark.parametrize("kind", [QtTarget, GtkTarget, XtermTarget])
def test_held_key_speech_and_release_put_the_words_into_the_window(desktop, app, kind):
    target = desktop.open(kind)
    before = f"copied before {kind.name}"
    desktop.copy(before)
    try:
        app.dictate("chairs")
        assert target.wait_for_text(CHAIRS, quiet_s=0.5) == CHAIRS
        wait_until(lambda: desktop.clipboard().decode() == before, "what was on the clipboard")
    finally:
        target.close()


def test_a_second_take_is_spoken_while_the_first_is_transcribed(app, editor):
    app.dictate("chairs")
    app.dictate("meeting")
    both = CHAIRS + MEETING
    assert editor.wait_for_text(both, quiet_s=0.5) == both


def test_two_taps_around_the_speech_do_the_same(app, editor):
    app.tap()
    app.speak("meeting")
    app.tap()
    assert editor.wait_for_text(MEETING) == MEETING


def test_a_double_tap_locks_and_a_tap_ends(desktop, app, editor):
    app.tap(times=2)
    wait_until(lambda: app.status()["is_locked"], "the lock")
    desktop.screenshot("app-locked")
    app.speak("meeting")
    app.tap()
    assert editor.wait_for_text(MEETING) == MEETING


def test_escape_gives_the_take_up(desktop, app, editor):
    desktop.keys.down("Control_R")
    app.speak("chairs")
    desktop.keys.chord("Escape")
    desktop.keys.up("Control_R")
    time.sleep(TAP_S)  # a key that is down again at once has bounced
    app.wait_for_phase("idle")
    app.dictate("meeting")
    assert editor.wait_for_text(MEETING, quiet_s=0.5) == MEETING


def test_a_shortcut_with_the_same_key_is_no_take(desktop, app, editor):
    desktop.keys.chord("h")
    desktop.keys.down("Control_R")
    desktop.keys.chord("a")
    desktop.keys.up("Control_R")
    desktop.keys.chord("x")
    assert editor.wait_for_text("x", quiet_s=0.5) == "x", "Ctrl+A selected, x replaced"
    assert app.status()["waiting"] == 0


def test_the_command_line_does_what_the_key_does(desktop, app, editor):
    assert app.run("stop").returncode == 1, "nothing is recorded"
    assert app.run("start").returncode == 0
    assert json.loads(app.run("status", "--json").stdout)["phase"] == "recording"
    app.speak("chairs")
    desktop.screenshot("app-recording")
    assert app.run("stop").returncode == 0
    assert editor.wait_for_text(CHAIRS) == CHAIRS
    assert app.run("last").stdout == CHAIRS + "\n"


def test_a_take_can_be_cancelled_from_the_command_line(app, editor):
    app.run("toggle")
    app.speak("chairs")
    assert app.run("cancel").returncode == 0
    assert app.wait_for_phase("idle")["waiting"] == 0
    assert editor.wait_for_text("", quiet_s=1.0) == ""


def test_a_muted_microphone_is_told_while_one_records_until_the_next_sound(desktop, app, editor):
    def is_told_silent():
        status = app.status()
        assert status["phase"] == "recording"
        return any(notice["kind"] == "dead_microphone" for notice in status["notices"])

    app.run("start")
    wait_until(is_told_silent, "word of a microphone that gives nothing but zeros")
    desktop.screenshot("app-recording-muted")
    voice = desktop.play(app.wav("report"))
    wait_until(lambda: not is_told_silent(), "the notice to go")
    assert voice.wait(30) == 0
    app.run("stop")
    assert editor.wait_for_text(REPORT) == REPORT


def test_a_text_waits_when_another_window_has_the_focus(desktop, app, editor):
    other = desktop.open(GtkTarget)
    try:
        editor.focus()
        desktop.keys.down("Control_R")
        app.speak("chairs")
        other.focus()
        desktop.keys.up("Control_R")
        wait_until(lambda: app.status()["held"] == 1, "the text to be held")
        desktop.screenshot("app-held")
        assert other.text() == ""
        assert editor.text() == ""
        editor.focus()
        app.dictate("meeting")
        both = f"{CHAIRS} {MEETING}"
        assert editor.wait_for_text(both) == both
        wait_until(lambda: app.status()["held"] == 0, "nothing to be held any more")
    finally:
        other.close()


def test_settings_changed_by_hand_are_picked_up(app, editor):
    path = app.home / "config" / "settings.toml"
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace('chord = "ctrl_r"', 'chord = "f9"'), encoding="utf-8")
    try:
        app.wait_for_hotkeys("F9")
        app.dictate("meeting", key="F9")
        assert editor.wait_for_text(MEETING, quiet_s=0.5) == MEETING
    finally:
        path.write_text(before, encoding="utf-8")
        app.wait_for_hotkeys("Right Ctrl")


def test_a_half_edited_settings_file_is_left_alone_and_explained_until_it_is_right(desktop, app):
    path = app.home / "config" / "settings.toml"
    before = path.read_text(encoding="utf-8")
    half = f'mode = "hol\n{before}'
    path.write_text(half, encoding="utf-8")
    try:
        wait_until(lambda: _told(app), "the notice")
        desktop.screenshot("app-settings-broken")
        assert "Line 1 of settings.toml cannot be read: a quotation mark is missing." in _told(app)
        assert "Line 1 of settings.toml" in app.run("model", "use", "demo").stderr
        assert path.read_text(encoding="utf-8") == half
        path.write_text(f'mode = "hodl"\nlangage = "de"\n{before}', encoding="utf-8")
        wait_until(lambda: "2 problems in settings.toml." in _told(app), "both mistakes")
        desktop.screenshot("app-settings-problems")
    finally:
        path.write_text(before, encoding="utf-8")
        wait_until(lambda: not _told(app), "no notice any more")


def _told(app):
    return [one["title"] for one in app.status()["notices"] if "settings.toml" in one["title"]]


def test_a_second_start_shows_the_first_and_ends_well(app):
    second = app.run()
    assert second.returncode == 0
    assert "running already" in second.stderr

    def names():
        told = [app.desktop.run("xdotool", "getwindowname", str(one)) for one in app.desktop.windows()]
        return {name.strip() for name in told}

    wait_until(lambda: "Handy Qwen" in names(), "the main window")


def test_nothing_that_was_said_is_in_the_log(app):
    log = (app.home / "log" / "handy-qwen.log").read_text(encoding="utf-8").lower()
    assert "dictation" in log
    for word in ("chairs", "twenty", "office", "clock"):
        assert word not in log
