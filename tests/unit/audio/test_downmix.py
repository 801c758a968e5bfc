"""Of two channels, what carries the voice best is kept."""

import numpy as np
import pytest

from handy_qwen.audio.downmix import Downmix

RATE = 48_000
VOICE = (0.3 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)).astype(np.float32)
NOTHING = np.zeros(RATE, np.float32)


def mixed(*channels, block=480):
    frames = np.column_stack(channels)
    mix = Downmix(RATE)
    return np.concatenate([mix(frames[at : at + block]) for at in range(0, len(frames), block)])


def test_one_channel_passes_unchanged():
    np.testing.assert_array_equal(mixed(VOICE), VOICE)


def test_two_channels_are_averaged():
    other = np.roll(VOICE, 7)
    np.testing.assert_allclose(mixed(VOICE, other), (VOICE + other) / 2, atol=1e-6)


def test_channels_beyond_the_second_are_left_out():
    noise = np.random.default_rng(1).normal(size=RATE).astype(np.float32)
    np.testing.assert_allclose(mixed(VOICE, VOICE, noise), VOICE, atol=1e-6)


@pytest.mark.parametrize("channels", [(VOICE, NOTHING), (NOTHING, VOICE), (VOICE, VOICE * 0.005)])
def test_a_channel_that_carries_nothing_does_not_weaken_the_other(channels):
    loud = max(channels, key=np.ptp)
    np.testing.assert_allclose(mixed(*channels)[480:], loud[480:], atol=1e-6)


def test_a_channel_of_turned_polarity_does_not_cancel_the_voice():
    heard = mixed(VOICE, -VOICE)
    assert np.sqrt(np.mean(heard[480:] ** 2)) > 0.95 * np.sqrt(np.mean(VOICE[480:] ** 2))


def test_a_channel_that_comes_alive_makes_no_click():
    late = VOICE.copy()
    late[: RATE // 2] = 0
    heard = mixed(VOICE, late)
    assert np.abs(np.diff(heard)).max() < 2 * np.abs(np.diff(VOICE)).max()


@pytest.mark.parametrize("channels", [1, 2])
def test_an_empty_block_gives_an_empty_block(channels):
    out = Downmix(RATE)(np.zeros((0, channels), np.float32))
    assert out.shape == (0,)
    assert out.dtype == np.float32
