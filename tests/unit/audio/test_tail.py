"""Speech is told from its end by energy: enough to know when a take may stop."""

import numpy as np
import pytest

from handy_qwen.audio.take import is_speaking_by_energy
from handy_qwen.core.types import RATE_HZ

RANDOM = np.random.default_rng(7)


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
    assert is_speaking_by_energy(heard + noise(2.0, room))


@pytest.mark.parametrize("room", [0.0, 0.0005, 0.005])
def test_a_pause_at_the_end_is_noticed(room):
    heard = np.concatenate((speech(1.7), noise(0.3, 0.0)))
    assert not is_speaking_by_energy(heard + noise(2.0, room))


def test_the_closure_before_a_plosive_is_no_pause():
    assert is_speaking_by_energy(np.concatenate((speech(1.6), noise(0.06, 0.0))))


@pytest.mark.parametrize("rms", [0.0, 0.0001, 0.02])
def test_a_steady_room_is_no_speech(rms):
    assert not is_speaking_by_energy(noise(2.0, rms))


@pytest.mark.parametrize("count", [0, 100])
def test_too_little_to_tell_is_no_speech(count):
    assert not is_speaking_by_energy(np.ones(count, np.float32))
