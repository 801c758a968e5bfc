"""Cues sound when they are wanted, and never stand in anybody's way."""

import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from handy_qwen.audio.cues import SoundCues
from handy_qwen.paths import asset


class PortAudioError(Exception):
    pass


class FakeSpeakers:
    """Stands in for PortAudio; every stream tells what it played."""

    def __init__(self):
        self.played = []
        self.open = 0
        self.error = None
        self.may_play = threading.Event()
        self.may_play.set()
        self.begun = threading.Semaphore(0)

    @contextmanager
    def turn(self, explain=None):
        try:
            yield SimpleNamespace(OutputStream=self.stream, PortAudioError=PortAudioError)
        except PortAudioError as error:
            raise explain(error) from error

    def opened(self):
        self.open += 1

    @contextmanager
    def closing(self):
        yield
        self.open -= 1

    def stream(self, samplerate, channels, dtype):
        if self.error:
            raise self.error

        def write(samples):
            self.begun.release()
            assert self.may_play.wait(10)
            self.played.append((samplerate, channels, dtype, len(samples)))

        return SimpleNamespace(start=lambda: None, write=write, stop=lambda: None, close=lambda: None)


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
    while not cues._wanted.empty():
        threading.Event().wait(0.001)


def play(cues, *names):
    """Play ``names`` one after the other, and wait for the end."""
    for name in names:
        getattr(cues, name)()
        wait_until_taken(cues)
    cues.stop(10)


def test_the_beginning_and_the_end_of_a_take_sound(cues, speakers):
    play(cues, "started", "stopped")
    assert [entry[0] for entry in speakers.played] == [48_000, 48_000]
    assert speakers.open == 0


def test_nothing_sounds_unless_it_is_turned_on(speakers):
    cues = SoundCues(speakers, asset("sounds"))
    play(cues, "started", "stopped")
    assert speakers.played == []


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
    wait_until_taken(cues)
    speakers.error = None
    play(cues, "stopped")
    assert "ZeroDivisionError" in caplog.text


def test_the_thread_ends_once_and_may_be_ended_twice(cues):
    cues.stop(10)
    cues.stop(10)
    assert not cues._thread.is_alive()


@pytest.mark.parametrize("name", ["start.wav", "stop.wav"])
def test_the_sounds_are_short_and_soft_and_make_no_click(name):
    samples, rate_hz = soundfile.read(Path(asset("sounds")) / name)
    assert samples.ndim == 1
    assert len(samples) / rate_hz < 0.25
    assert -20 < 20 * np.log10(np.abs(samples).max()) < -15
    assert np.abs(samples[[0, -1]]).max() < 1e-3
