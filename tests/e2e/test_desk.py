"""The virtual desktop does what the other end-to-end tests rely on."""

import struct
import sys
import wave
from pathlib import Path

import pytest

from tests.e2e.desk import Desktop, GtkTarget, QtTarget, XtermTarget

pytestmark = pytest.mark.desktop


@pytest.mark.parametrize("kind", [QtTarget, GtkTarget, XtermTarget])
def test_keys_arrive_in_the_focused_window(desktop, kind):
    target = desktop.open(kind)
    try:
        desktop.keys.chord("h")
        desktop.keys.chord("Shift_L", "i")
        desktop.keys.chord("Return")
        assert target.wait_for_text("hI\n") == "hI\n"
        target.clear()
        assert target.text() == ""
    finally:
        target.close()


def test_programs_speak_english_whatever_the_developer_speaks(monkeypatch):
    monkeypatch.setenv("LANGUAGE", "de")
    with Desktop(window_manager=False, tray=False, sound=False) as desk:
        ask = "from PySide6.QtCore import QLocale; print(QLocale.system().uiLanguages())"
        assert "de" not in desk.run(sys.executable, "-c", ask)


def test_a_key_name_is_a_place_on_the_keyboard(desktop):
    target = desktop.open(QtTarget)
    try:
        desktop.set_layout("de")
        desktop.keys.chord("y")
        assert target.wait_for_text("z") == "z"
        desktop.set_layout("us")
        desktop.hardware.chord("y")
        assert target.wait_for_text("zy") == "zy"
    finally:
        target.close()


def test_a_right_modifier_is_pressed_alone_and_seen_as_held(desktop):
    desktop.keys.down("Control_R")
    assert desktop.keys.held() == [105]
    desktop.keys.up("Control_R")
    assert desktop.keys.held() == []


def test_the_microphone_hears_what_is_played(desktop, tmp_path):
    played = tmp_path / "square.wav"
    with wave.open(str(played), "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        file.writeframes(struct.pack("<96000h", *([8000] * 100 + [-8000] * 100) * 480))
    heard = tmp_path / "heard.wav"
    recording = desktop.start("parecord", "parecord", "--device=mic", "--file-format=wav", heard)
    try:
        desktop.play(played).wait(30)
    finally:
        desktop.stop(recording)
    samples = heard.read_bytes()[44:]
    peak = max(abs(value) for (value,) in struct.iter_unpack("<h", samples[: len(samples) & ~1]))
    assert 6000 < peak < 10000


def test_a_screenshot_is_written(desktop):
    path = desktop.screenshot("empty-desktop")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_nothing_is_left_of_a_desktop():
    with Desktop() as desk:
        folder = desk.folder
        processes = [desk.start("sleep", "sleep", "600")]
        assert desk.sound is not None
        assert desk.sound.process is not None
        processes.append(desk.sound.process)
        socket = Path(f"/tmp/.X11-unix/X{desk.display[1:]}")
        assert socket.exists()
    assert all(process.poll() is not None for process in processes)
    assert not socket.exists()
    assert not folder.exists()
