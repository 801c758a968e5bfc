"""Sound files in the real program: dropped on its window, transcribed around a dictation, saved by keys."""

import json
import shutil
import sys
import time

import numpy as np
import pytest
import soundfile

from handy_qwen import paths
from tests.e2e.app import SPOKEN, App
from tests.e2e.desk import QtTarget
from tests.e2e.desk.processes import repeat_until, wait_until
from tests.e2e.desk.targets import HERE
from tests.e2e.test_app_windows import leave, wait_for_window

pytestmark = pytest.mark.desktop
COUNT, BROKEN = 20, 7
DROPPED_S = 10.0  # what was dropped is in the list by then, also on a busy machine
STEP_S = 0.05  # between two moves of the mouse, as a hand makes them


def title_of(desktop, window):
    return desktop.run("xdotool", "getwindowname", str(window))


def drag(desktop, source, target):
    """Drag from the middle of one window to that of another. Comes to nothing if one of them is too slow."""
    desktop.run("xdotool", "windowmove", "--sync", str(source), "0", "0")
    desktop.run("xdotool", "windowraise", str(source))
    desktop.run("xdotool", "mousemove", "--window", str(source), "30", "30", "mousedown", "1")
    for place in range(40, 300, 20):
        desktop.run("xdotool", "mousemove", "--window", str(target), str(place), "250")
        time.sleep(STEP_S)
    desktop.run("xdotool", "mouseup", "1")


def test_files_left_when_the_program_is_killed_go_on_at_the_next_start(desktop, tmp_path):
    talks = [tmp_path / f"{number}.wav" for number in (1, 2)]
    sound, rate_hz = soundfile.read(paths.asset("speech/report.flac"))
    for talk in talks:
        soundfile.write(talk, np.tile(sound, 200), rate_hz)
    killed = App(desktop, "files-left")
    killed.__enter__()
    assert killed.run("files").returncode == 0
    files = wait_for_window(desktop, "Transcribe files")
    before = set(desktop.windows())
    process = desktop.start("drag", sys.executable, str(HERE / "drag_source.py"), *map(str, talks))
    (source,) = wait_until(lambda: set(desktop.windows()) - before, "the source of the drag")
    kept = killed.home / "data" / "files"
    repeat_until(
        lambda: drag(desktop, source, files),
        lambda: len(list(kept.glob("*.json"))) == 2,
        "the list on the disk",
        DROPPED_S,
    )
    desktop.stop(process)
    killed.process.kill()
    killed.process.wait(10)
    for talk in talks:
        talk.unlink()
        soundfile.write(talk, sound, rate_hz)
    with App(desktop, "files-left") as app:
        assert app.run("files").returncode == 0
        files = wait_for_window(desktop, "Transcribe files: 0 of 2 files")
        desktop.keys.chord("Alt_L", "g")
        wait_until(lambda: "2 of 2 files" in title_of(desktop, files), "the texts", timeout_s=120)
    texts = [json.loads(one.read_text(encoding="utf-8"))["known"]["text"] for one in kept.glob("*.json")]
    assert texts == [SPOKEN["report"]] * 2


def test_twenty_files_are_dropped_one_is_broken_and_somebody_dictates_meanwhile(desktop, tmp_path):
    talks = [tmp_path / f"{number:02}.flac" for number in range(1, COUNT + 1)]
    for talk in talks:
        shutil.copy(paths.asset("speech/report.flac"), talk)
    talks[BROKEN].write_bytes(b"no sound " * 1000)
    with App(desktop, "files", "smart_spacing = false\n") as app:
        assert app.run("files").returncode == 0
        files = wait_for_window(desktop, "Transcribe files")
        before = set(desktop.windows())
        process = desktop.start("drag", sys.executable, str(HERE / "drag_source.py"), *map(str, talks))
        (source,) = wait_until(lambda: set(desktop.windows()) - before, "the source of the drag")
        repeat_until(
            lambda: drag(desktop, source, files),
            lambda: f"of {COUNT} files" in title_of(desktop, files),
            "the files in the list",
            DROPPED_S,
        )
        desktop.stop(process)
        editor = desktop.open(QtTarget)
        app.dictate("chairs")
        assert editor.wait_for_text(SPOKEN["chairs"], timeout_s=60) == SPOKEN["chairs"]
        editor.close()
        wait_until(lambda: f"{COUNT} of {COUNT}" in title_of(desktop, files), "all texts", timeout_s=300)
        wait_for_window(desktop, "Transcribe files")
        desktop.screenshot("app-files")
        out = tmp_path / "out"
        out.mkdir()
        desktop.keys.chord("Control_L", "a")
        desktop.keys.chord("Alt_L", "s")
        desktop.keys.chord("t")
        dialog = wait_for_window(desktop, "Choose a folder")
        desktop.copy(str(out))
        desktop.keys.chord("Control_L", "a")
        desktop.keys.chord("Control_L", "v")
        leave(desktop, dialog, "Return")
        good = {f"{talk.name}.txt" for place, talk in enumerate(talks) if place != BROKEN}
        wait_until(lambda: {path.name for path in out.iterdir()} == good, "the texts in the folder")
        assert {path.read_text(encoding="utf-8") for path in out.iterdir()} == {f"{SPOKEN['report']}\n"}
