"""Speech is told from a quiet room, and from a loud one."""

import numpy as np
import pytest

from handy_qwen.audio.activity import EVERY_S, MUTED_S, ActivityDetector
from handy_qwen.core.events import Heard, Muted
from tests.fakes import FakeClock


def noise(rms, seconds=0.1, seed=0):
    return (np.random.default_rng(seed).standard_normal(int(16_000 * seconds)) * rms).astype(np.float32)


def ear():
    events, clock = [], FakeClock()
    return ActivityDetector(1, events.append, clock), events, clock


def test_a_steady_room_is_not_heard_however_loud():
    for level in (0.0, 0.0005, 0.05):
        listener, events, clock = ear()
        for n in range(50):
            clock.now_s += 0.1
            listener.listen(noise(level, seed=n))
        assert not [event for event in events if isinstance(event, Heard)]


def test_speech_is_heard_at_most_twice_a_second():
    listener, events, clock = ear()
    listener.listen(noise(0.001))
    for n in range(20):
        clock.now_s += EVERY_S / 5
        listener.listen(noise(0.1, seed=n))
    assert len(events) == 4
    assert isinstance(events[0], Heard)


def test_a_noise_that_stays_is_learned():
    listener, events, clock = ear()
    listener.listen(noise(0.005))
    for n in range(400):
        clock.now_s += 0.1
        listener.listen(noise(0.05, seed=n))
    events.clear()
    clock.now_s += 1
    listener.listen(noise(0.05))
    assert events == []


def test_an_empty_block_says_nothing():
    listener, events, _ = ear()
    listener.listen(np.zeros(0, np.float32))
    assert events == []


def still(seconds, value=0.0):
    return np.full(int(16_000 * seconds), value, np.float32)


@pytest.mark.parametrize("value", [0.0, 0.25, -1.0])
def test_digital_silence_is_told_once_and_so_is_the_next_sound(value):
    listener, events, _ = ear()
    listener.listen(noise(0.01))
    for _ in range(14):
        listener.listen(still(0.1, value))
    assert [event for event in events if isinstance(event, Muted)] == []
    for _ in range(20):
        listener.listen(still(0.1, value))
    assert [event for event in events if isinstance(event, Muted)] == [Muted(1, is_muted=True)]
    listener.listen(noise(0.00001))
    listener.listen(noise(0.01))
    assert [event for event in events if isinstance(event, Muted)][1:] == [Muted(1, is_muted=False)]


@pytest.mark.parametrize("level", [0.00001, 0.0001, 0.01])
def test_the_quietest_microphone_is_not_muted(level):
    listener, events, _ = ear()
    for n in range(50):
        listener.listen(noise(level, seed=n))
    assert not [event for event in events if isinstance(event, Muted)]


def test_pauses_without_a_sound_do_not_add_up():
    listener, events, _ = ear()
    for n in range(10):
        listener.listen(still(MUTED_S / 2))
        listener.listen(noise(0.01, seconds=0.02, seed=n))
    assert not [event for event in events if isinstance(event, Muted)]
