"""Nothing said is lost: the program is killed, its model vanishes, a take is cancelled. And in private."""

import json
import shutil
import signal

import pytest

from handy_qwen import paths
from handy_qwen.history import wav
from tests.e2e.app import SPOKEN, App
from tests.e2e.desk.processes import wait_until

pytestmark = pytest.mark.desktop

CHAIRS, MEETING, REPORT = SPOKEN["chairs"], SPOKEN["meeting"], SPOKEN["report"]
SETTINGS = """smart_spacing = false
model = "mine"
idle_unload_min = -1
[[hotkeys]]
chord = "ctrl_r"
"""


class Home(App):
    """The program with a model of its own that can be taken away, and that is unloaded when idle."""

    def __init__(self, desktop, name):
        super().__init__(desktop, name, settings=SETTINGS)
        self.model = self.home / "data" / "models" / "mine"
        if not self.model.exists():
            shutil.copytree(paths.asset("demo-model"), self.model)

    def delivered(self):
        """What the history knows to have arrived in a window."""
        takes = json.loads(self.run("history", "list", "--json").stdout)
        return [take for take in takes if take["delivered"] in {"typed", "pasted"}]

    def set(self, line):
        """Add a line to the settings file, as its user would."""
        file = self.home / "config" / "settings.toml"
        file.write_text(f"{line}\n{file.read_text(encoding='utf-8')}", encoding="utf-8")

    def kill(self):
        """End it without a chance to do anything about it."""
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(30) == -signal.SIGKILL

    def wait_until_kept(self):
        """Wait until all that was said so far is on the disk: a second of sound more is."""
        takes = self.home / "data" / "history" / "takes"
        written = lambda: sum(take.stat().st_size for take in takes.iterdir())  # noqa: E731
        enough = written() + wav.BYTES_PER_S
        wait_until(lambda: written() >= enough, "the sound on the disk")

    def holds(self, words):
        """Whether any file of it, log and all, holds ``words``."""
        files = [file for file in self.home.rglob("*") if file.is_file() and self.model not in file.parents]
        return any(words.encode() in file.read_bytes() for file in files)


@pytest.fixture(scope="module")
def app(desktop):
    with Home(desktop, "history") as running:
        yield running


def test_what_was_being_said_when_the_program_was_killed_is_offered_at_the_next_start(desktop, editor):
    app = Home(desktop, "killed")
    with app:
        desktop.hardware.down("Control_R")
        app.speak("meeting")
        app.wait_until_kept()
        app.kill()
        desktop.hardware.up("Control_R")
        with Home(desktop, "killed") as again:
            wait_until(lambda: again.status()["held"] == 1, "the text")
            assert editor.wait_for_text("", quiet_s=0.5) == "", "nothing is typed by itself"
            assert again.run("paste").returncode == 0
            assert editor.wait_for_text(MEETING) == MEETING
            (take,) = wait_until(again.delivered, "the delivery in the history")
            assert take["text"] == MEETING
        app.process = again.process
    assert MEETING not in app.output()


def test_a_take_whose_model_vanished_is_tried_again_when_it_is_back(desktop, app, editor):
    away = app.model.with_name(".away")
    app.model.rename(away)
    try:
        app.dictate("report")
        status = wait_until(lambda: (s := app.status())["can_retry"] and s, "the failure")
        hints = [notice["hint"] for notice in status["notices"]]
        assert any("Transcribe last recording again" in hint for hint in hints), status
        desktop.screenshot("app-model-gone")
    finally:
        away.rename(app.model)  # the tests that follow need it
    assert app.run("retry").returncode == 0
    assert editor.wait_for_text(REPORT) == REPORT


def test_a_cancelled_take_is_brought_back(desktop, app, editor):
    desktop.hardware.down("Control_R")
    app.speak("chairs")
    desktop.keys.chord("Escape")
    desktop.hardware.up("Control_R")
    status = wait_until(lambda: (s := app.status())["can_bring_back"] and s, "the cancellation")
    assert any("Restore cancelled dictation" in notice["hint"] for notice in status["notices"])
    desktop.screenshot("app-cancelled")
    assert app.run("bring-back").returncode == 0
    assert editor.wait_for_text(CHAIRS) == CHAIRS


def test_a_paused_history_leaves_nothing_behind(desktop, app, editor):
    before = app.delivered()
    app.dictate("chairs")
    assert editor.wait_for_text(CHAIRS) == CHAIRS
    wait_until(lambda: len(app.delivered()) > len(before), "it in the history")
    app.set("private = true")
    wait_until(lambda: app.status()["is_private"], "the pause")
    desktop.screenshot("app-private")
    takes = sorted((app.home / "data" / "history" / "takes").iterdir())
    app.dictate("meeting")
    assert editor.wait_for_text(CHAIRS + MEETING) == CHAIRS + MEETING
    app.wait_for_phase("idle")
    assert sorted((app.home / "data" / "history" / "takes").iterdir()) == takes
    assert not app.holds(MEETING)
    assert app.holds(CHAIRS), "of what was said before, the history has the text"
