"""What the user said, set or copied is in no log and in nothing the program writes to the terminal.

Sentences are dictated through every path there is, failures included, with ``--debug``; then every log, what
came to the terminal and the support archive are searched for their words.
"""

import contextlib
import json
import shutil
import signal
import socket
import zipfile

import pytest

from handy_qwen import paths
from tests.e2e.app import SPOKEN, App
from tests.e2e.desk import QtTarget
from tests.e2e.desk.processes import wait_until

pytestmark = pytest.mark.desktop

WORDS = ("chairs", "twenty", "office", "o'clock", "send the report", "Anna", "Monday", "zyzzyva")
CHAIRS, MEETING, REPORT = SPOKEN["chairs"], SPOKEN["meeting"], SPOKEN["report"]
FAILED = " Failed -> "  # in the log
SETTINGS = """smart_spacing = false
model = "mine"
idle_unload_min = -1
custom_words = ["zyzzyva one", "zyzzyva two"]
hold_s = "zyzzyva"
[[hotkeys]]
chord = "ctrl_r"
[[replacements]]
heard = "zyzzyva("
written = "x"
regex = true
[[replacements]]
heard = "table"
written = "zyzzyva"
"""


class Talker(App):
    """The program with a model of its own, and all that it wrote."""

    def __init__(self, desktop):
        super().__init__(desktop, "talker", settings=SETTINGS)
        self.model = self.home / "data" / "models" / "mine"
        shutil.copytree(paths.asset("demo-model"), self.model)

    def written(self):
        """Everything that anybody may be sent: logs, terminal, support archive."""
        found = {"terminal": self.output().encode()}
        found |= {path.name: path.read_bytes() for path in (self.home / "log").rglob("*") if path.is_file()}
        for path in self.home.glob("*.zip"):
            with zipfile.ZipFile(path) as archive:
                found |= {f"{path.name}/{name}": archive.read(name) for name in archive.namelist()}
        return found


@pytest.fixture
def app(desktop):
    with Talker(desktop) as running:
        yield running


def test_words_are_in_no_log_whatever_happens_to_them(desktop, app):
    editor = desktop.open(QtTarget)
    app.dictate("chairs")  # as it should be
    assert editor.wait_for_text(CHAIRS) == CHAIRS
    _lose_the_window(desktop, app, editor)
    _lose_the_model(desktop, app)
    _take_no_answer(desktop, app)
    _cancel_and_bring_back(desktop, app)
    _break_the_settings(app)
    _break_the_history(desktop, app)
    _talk_nonsense(app)
    _ask_everything(app)
    app.process.send_signal(signal.SIGABRT)  # crash.log gets the stacks of all threads
    assert app.process.wait(30) == -signal.SIGABRT
    written = app.written()
    assert {"handy-qwen.log", "crash.log", "terminal"} <= set(written)
    assert b"Current thread" in written["crash.log"] or b"Thread 0x" in written["crash.log"]
    assert len(written["handy-qwen.log"]) > 5000, "there is a log to search"
    for name, content in written.items():
        lower = content.decode("utf-8", "replace").lower()
        assert [word for word in WORDS if word.lower() in lower] == [], name
    with desktop_start(app):
        pass  # what the crash left is found and told in a log as well
    assert not any(word.lower() in app.output().lower() for word in WORDS)


def desktop_start(app):
    """Start it again, so that it ends in order."""
    app.home.joinpath("config", "settings.toml").write_text(SETTINGS, encoding="utf-8")
    return app


def _lose_the_window(desktop, app, editor):
    """The window is closed before the text comes: it is held, and inserted elsewhere later."""
    desktop.hardware.down("Control_R")
    app.speak("meeting")
    editor.close()
    desktop.hardware.up("Control_R")
    app.wait_for_phase("idle")
    app.run("paste")  # into nothing


def _lose_the_model(desktop, app):
    """The model is gone, then damaged, then back."""
    away = app.model.with_name(".away")
    app.model.rename(away)
    app.dictate("report")
    wait_until(lambda: app.status()["can_retry"], "the failure")
    shutil.copytree(away, app.model)
    (app.model / "encoder.data").write_bytes(b"zyzzyva")
    failed = app.output().count(FAILED)
    app.run("retry")
    wait_until(lambda: app.output().count(FAILED) > failed, "the next failure")
    wait_until(lambda: app.status()["can_retry"], "that it can be tried again")
    shutil.rmtree(app.model)
    away.rename(app.model)
    editor = desktop.open(QtTarget)
    app.run("retry")
    assert editor.wait_for_text(REPORT) != "", "it comes back in the end"
    editor.close()


def _take_no_answer(desktop, app):
    """A window that does not fetch what is pasted into it."""
    editor = desktop.open(QtTarget)
    editor.freeze()
    try:
        app.dictate("chairs")
        app.wait_for_phase("idle")
    finally:
        editor.thaw()
    editor.close()


def _cancel_and_bring_back(desktop, app):
    desktop.hardware.down("Control_R")
    app.speak("chairs")
    desktop.keys.chord("Escape")
    desktop.hardware.up("Control_R")
    wait_until(lambda: app.status()["can_bring_back"], "the cancellation")
    app.run("bring-back")
    app.wait_for_phase("idle")


def _break_the_settings(app):
    file = app.home / "config" / "settings.toml"
    file.write_text('zyzzyva = "\n[[[zyzzyva', encoding="utf-8")
    wait_until(lambda: any("settings" in one["title"] for one in app.status()["notices"]), "the complaint")
    file.write_text(SETTINGS + '[[replacements]]\nheard = 5\nzyzzyva = "zyzzyva"\n', encoding="utf-8")


def _break_the_history(desktop, app):
    """Neither sound nor rows can be written."""
    folder = app.home / "data" / "history"
    folder.rename(folder.with_name("away"))
    folder.write_bytes(b"zyzzyva")
    editor = desktop.open(QtTarget)
    app.dictate("meeting")
    assert editor.wait_for_text(MEETING) == MEETING
    editor.close()
    folder.unlink()
    folder.with_name("away").rename(folder)


def _talk_nonsense(app):
    for line in (
        b"zyzzyva\n",
        b'{"protocol": 1, "command": "zyzzyva"}\n',
        b'{"command": "zyzzyva", "a": NaN}\n',
    ):
        with socket.socket(socket.AF_UNIX) as caller, contextlib.suppress(OSError):
            caller.connect(str(app.home / "run" / "control.sock"))
            caller.sendall(line)
            caller.recv(10_000)


def _ask_everything(app):
    """The commands that have words as their answer or question give them to nobody else."""
    assert app.run("last").stdout.strip()
    assert json.loads(app.run("history", "list", "--json").stdout)
    app.run("history", "search", "zyzzyva")
    app.run("transcribe", str(app.home / "zyzzyva.wav"))
    app.run("history", "retry", "999")
    done = app.run("doctor", "--bundle", str(app.home / "support.zip"))
    assert (app.home / "support.zip").is_file(), done.stderr
