"""Doctor on a desktop with everything, beside the running app, and on one with less."""

import json
import os
import subprocess
import sys
import wave
import zipfile
from contextlib import contextmanager

import pytest
from Xlib import X
from Xlib.display import Display

from tests.e2e.app import COMMAND, SPOKEN, App
from tests.e2e.desk import QtTarget
from tests.e2e.desk.keyboard import KEYCODES

pytestmark = pytest.mark.desktop


def examine(app, *arguments):
    """The exit status, and the worst finding of each check."""
    done = app.run("doctor", "--json", *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    order = ["ok", "warning", "problem"]
    worst = {}
    for finding in json.loads(done.stdout)["findings"]:
        before = worst.get(finding["name"])
        if before is None or order.index(finding["status"]) > order.index(before["status"]):
            worst[finding["name"]] = finding
    return done.returncode, worst


def said_often(wav, times):
    """The same recording, ``times`` in a row."""
    often = wav.with_name("often.wav")
    with wave.open(str(wav)) as source, wave.open(str(often), "wb") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(source.getnframes()) * times)
    return often


@contextmanager
def held_by_another(desktop, key):
    """Another program has taken ``key`` for itself."""
    other = Display(desktop.display)
    try:
        other.screen().root.grab_key(KEYCODES[key], 0, True, X.GrabModeAsync, X.GrabModeAsync)
        other.sync()
        yield
    finally:
        other.close()


def test_a_healthy_desktop_has_no_problem_and_the_voice_is_measured(desktop):
    app = App(desktop, "healthy")
    saying = desktop.play(said_often(app.wav("report"), 20))  # however long doctor takes to come to it
    try:
        status, found = examine(app, "--listen", "2")  # longer than the pauses between the sentences
    finally:
        desktop.stop(saying)
    assert status == 0, found
    assert found["display"]["details"]["kind"] == "x11"
    assert found["tray"]["details"]["host"] == "XEmbed"
    assert found["hotkeys"]["status"] == "ok"
    assert found["insertion"]["details"]["order"][0].startswith("paste")
    assert found["microphone"]["details"]["device"] == "VirtualMicrophone"
    assert found["microphone"]["details"]["level_db"] > -40
    assert found["model"]["status"] == "warning", "only the demo model"


def test_a_muted_microphone_and_a_hotkey_of_another_program_are_problems(desktop):
    app = App(desktop, "troubled", settings='[[hotkeys]]\nchord = "f9"\n')
    desktop.sound.control("set-source-mute", "mic", "1")
    try:
        with held_by_another(desktop, "F9"):
            status, found = examine(app, "--listen", "0.5")
    finally:
        desktop.sound.control("set-source-mute", "mic", "0")
    assert status == 1
    assert "muted" in found["microphone"]["text"]
    assert found["hotkeys"]["details"]["is_taken"]
    assert "is free" in found["hotkeys"]["remedy"]


def test_beside_the_running_app_it_takes_nothing_away_and_packs_no_text(desktop):
    bundle = desktop.folder / "support.zip"
    with App(desktop, "running", settings='custom_words = ["Zaphod"]\n') as app:
        editor = desktop.open(QtTarget)
        try:
            app.dictate("chairs")
            assert editor.wait_for_text(SPOKEN["chairs"]) == SPOKEN["chairs"]
            _, found = examine(app, "--listen", "0.2", "--bundle", str(bundle))
            assert "ready" in found["instance"]["text"]
            assert found["hotkeys"]["status"] == "ok"
            app.dictate("meeting")
            both = f"{SPOKEN['chairs']} {SPOKEN['meeting']}"
            assert editor.wait_for_text(both) == both, "the hotkey is still the app's"
        finally:
            editor.close()
    with zipfile.ZipFile(bundle) as archive:
        names = [name.partition("/")[2] for name in archive.namelist()]
        everything = b"".join(archive.read(name) for name in archive.namelist()).lower()
    assert "log/handy-qwen.log" in names
    for word in (b"chairs", b"office", b"zaphod"):
        assert word not in everything


def test_a_desktop_without_tray_and_sound_is_told_in_words(silent_desktop):
    app = App(silent_desktop, "bare")
    done = app.run("doctor", "--listen", "0")
    assert done.returncode == 1
    lines = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if line[:1].isalpha()}
    assert lines["display"] == "ok"
    assert lines["tray"] == "warning"
    assert lines["hotkeys"] == "ok"
    assert lines["microphone"] == "PROBLEM"
    assert "→ Connect one" in done.stdout


def test_without_a_display_everything_else_is_still_looked_at(tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HANDY_QWEN_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [*COMMAND, "doctor", "--json", "--listen", "0"],
        env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    found = {one["name"]: one["status"] for one in json.loads(done.stdout)["findings"]}
    assert found["display"] == found["hotkeys"] == found["microphone"] == "problem"
    assert found["disk"] == found["files"] == found["settings"] == "ok"
