"""What is played is heard to its end, or until somebody wants it to stop."""

import threading

import numpy as np
import pytest
import soundfile

from handy_qwen.audio.playback import Player
from handy_qwen.errors import AudioFileError
from tests.unit.audio.conftest import FakeSpeakers, PortAudioError

RAMP = np.linspace(-1, 1, 16_000, dtype=np.float32)


class Ends:
    """What ``on_end`` was called with."""

    def __init__(self):
        self.errors = []
        self._ended = threading.Semaphore(0)

    def __call__(self, error):
        self.errors.append(error)
        self._ended.release()

    def wait(self):
        assert self._ended.acquire(timeout=10)
        return self.errors[-1]


@pytest.fixture
def speakers():
    return FakeSpeakers()


@pytest.fixture
def player(speakers):
    player = Player(speakers)
    yield player
    speakers.may_play.set()
    player.close(10)


def heard(speakers):
    return np.frombuffer(speakers.played[-1][-1], np.float32)


def test_blocks_are_played_one_after_the_other(player, speakers):
    ends = Ends()
    player.play([RAMP[:5000], RAMP[5000:]], ends)
    assert ends.wait() is None
    assert speakers.played[-1][:3] == (16_000, 1, "float32")
    np.testing.assert_array_equal(heard(speakers)[: len(RAMP)], RAMP)
    assert speakers.open == 0


def test_a_file_is_played_in_its_own_form(player, speakers, tmp_path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.stack([RAMP, -RAMP], axis=1), 44_100, subtype="FLOAT")
    ends = Ends()
    player.play(path, ends)
    assert ends.wait() is None
    assert speakers.played[-1][:3] == (44_100, 2, "float32")


@pytest.mark.expects_log
def test_what_cannot_be_played_is_told(player, speakers, tmp_path):
    ends = Ends()
    player.play(tmp_path / "none.wav", ends)
    assert isinstance(ends.wait(), AudioFileError)
    speakers.error = PortAudioError("no speakers")
    player.play([RAMP], ends)
    assert ends.wait().title == "The speakers cannot be used."


def test_playing_stops_at_once_and_so_does_what_waits(player, speakers):
    speakers.may_play.clear()
    first, second = Ends(), Ends()
    player.play([RAMP], first)
    assert speakers.begun.acquire(timeout=10)
    player.play([RAMP], second)
    player.stop()
    speakers.may_play.set()
    assert first.wait() is None
    assert second.wait() is None
    assert len(speakers.played) == 1
    assert len(heard(speakers)) < len(RAMP) / 10


def test_what_is_played_gives_way_to_the_next(player, speakers):
    speakers.may_play.clear()
    first, second = Ends(), Ends()
    player.play([RAMP], first)
    assert speakers.begun.acquire(timeout=10)
    player.play([-RAMP], second)
    speakers.may_play.set()
    assert first.wait() is None
    assert second.wait() is None
    np.testing.assert_array_equal(heard(speakers)[: len(RAMP)], -RAMP)
