"""Speech is told from its end by energy: enough to know when a take may stop."""

from types import SimpleNamespace

import numpy as np
import pytest

from handy_qwen.audio.devices import Device, FrameBuffer
from handy_qwen.audio.take import Take
from handy_qwen.core.types import RATE_HZ

RANDOM = np.random.default_rng(7)


def is_speaking(heard):
    """What a take says that has heard this."""
    stream = SimpleNamespace(device=Device("Room", "room", RATE_HZ, 1), rate_hz=RATE_HZ, overflows=0)
    stream.buffer = FrameBuffer(10 * RATE_HZ, 1)
    stream.buffer.write(memoryview(heard.astype(np.float32).tobytes()))
    take = Take(1, lambda _: None, 0.0)
    take.attach(stream, is_fresh=True)
    take.pull(0.0)
    return take.is_speaking()


def noise(seconds, rms):
    return RANDOM.normal(0, rms, int(seconds * RATE_HZ)).astype(np.float32)


def speech(seconds, rms=0.05):
    """Noise in syllables: 200 ms of voice, 60 ms of closure."""
    samples = noise(seconds, rms)
    samples[(np.arange(len(samples)) / RATE_HZ) % 0.26 > 0.2] *= 0.02
    return samples


@pytest.mark.parametrize("room", [0.0, 0.0005, 0.005])
def test_a_voice_at_the_end_is_noticed_over_the_room(room):
    heard = np.concatenate((noise(0.5, room), speech(1.5)))
    assert is_speaking(heard + noise(2.0, room))


@pytest.mark.parametrize("room", [0.0, 0.0005, 0.005])
def test_a_pause_at_the_end_is_noticed(room):
    heard = np.concatenate((speech(1.7), noise(0.3, 0.0)))
    assert not is_speaking(heard + noise(2.0, room))


def test_the_closure_before_a_plosive_is_no_pause():
    assert is_speaking(np.concatenate((speech(1.6), noise(0.06, 0.0))))


@pytest.mark.parametrize("rms", [0.0, 0.0001, 0.02])
def test_a_steady_room_is_no_speech(rms):
    assert not is_speaking(noise(2.0, rms))


@pytest.mark.parametrize("count", [0, 100])
def test_too_little_to_tell_is_no_speech(count):
    assert not is_speaking(np.ones(count, np.float32))
