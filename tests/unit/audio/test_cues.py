"""Cues sound when they are wanted, and never stand in anybody's way."""

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from handy_qwen.audio import playback
from handy_qwen.audio.playback import SoundCues
from handy_qwen.paths import asset
from tests.unit.audio.conftest import FakeSpeakers, PortAudioError


@pytest.fixture
def speakers():
    return FakeSpeakers()


@pytest.fixture
def cues(speakers):
    cues = SoundCues(speakers, asset("sounds"), is_on=True)
    yield cues
    speakers.may_play.set()
    cues.stop(10)


def wait_until_taken(cues):
    """Wait until the thread has begun with what was asked for."""
    while not cues.thread.is_idle():
        threading.Event().wait(0.001)


def play(cues, *names):
    """Play ``names`` one after the other, and wait for the end."""
    for name in names:
        getattr(cues, name)()
        wait_until_taken(cues)
    cues.stop(10)


def test_the_beginning_and_the_end_of_a_take_sound(cues, speakers):
    play(cues, "started", "stopped")
    for name, (rate_hz, channels, dtype, heard) in zip(("start", "stop"), speakers.played, strict=True):
        sound, _ = soundfile.read(Path(asset("sounds")) / f"{name}.wav", dtype="float32")
        assert (rate_hz, channels, dtype) == (48_000, 1, "float32")
        np.testing.assert_array_equal(np.frombuffer(heard, np.float32)[: len(sound)], sound)
        assert not np.frombuffer(heard, np.float32)[len(sound) :].any()
    assert speakers.open == 0


def test_nothing_sounds_unless_it_is_turned_on(speakers):
    cues = SoundCues(speakers, asset("sounds"))
    play(cues, "started", "stopped")
    assert speakers.played == []


def test_cues_that_died_are_known_to_have_and_sound_again(cues, speakers, monkeypatch):
    def die(*_told):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(speakers, "open_stream", die)
        cues.started()
        cues.thread.join(10)
    assert cues.thread.has_died()
    cues.thread.revive()
    play(cues, "stopped")
    assert not cues.thread.has_died()
    assert len(speakers.played) == 1


def test_speakers_that_never_end_a_sound_are_closed(cues, speakers, monkeypatch):
    monkeypatch.setattr(playback, "PATIENCE_S", 0.01)
    speakers.may_play.clear()
    cues.started()
    wait_until_taken(cues)
    cues.stop(10)
    assert not cues.thread.is_alive()
    assert speakers.open == 0


def test_speakers_that_hang_keep_nobody_waiting_and_later_cues_are_left_out(cues, speakers):
    speakers.may_play.clear()
    cues.started()
    assert speakers.begun.acquire(timeout=10)
    for _ in range(20):
        cues.stopped()
    cues.stop(0.01)
    speakers.may_play.set()
    assert speakers.begun.acquire(timeout=10)
    cues.stop(10)
    assert len(speakers.played) == 2


@pytest.mark.expects_log
@pytest.mark.parametrize("error", [PortAudioError("no speakers"), None])
def test_a_failure_is_logged_once_until_a_sound_plays_again(tmp_path, speakers, caplog, error):
    speakers.error = error
    cues = SoundCues(speakers, asset("sounds") if error else tmp_path, is_on=True)
    play(cues, "started", "stopped", "started")
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
    assert "no sound could be played" in caplog.text


@pytest.mark.expects_log
def test_an_error_nobody_thought_of_does_not_end_the_thread(cues, speakers, caplog):
    speakers.error = ZeroDivisionError()
    cues.started()
    while "ZeroDivisionError" not in caplog.text:
        threading.Event().wait(0.001)
    speakers.error = None
    play(cues, "stopped")
    assert len(speakers.played) == 1


@pytest.mark.parametrize("name", ["start.wav", "stop.wav"])
def test_the_sounds_are_short_and_soft_and_make_no_click(name):
    samples, rate_hz = soundfile.read(Path(asset("sounds")) / name)
    assert samples.ndim == 1
    assert len(samples) / rate_hz < 0.25
    assert -20 < 20 * np.log10(np.abs(samples).max()) < -15
    assert np.abs(samples[[0, -1]]).max() < 1e-3
