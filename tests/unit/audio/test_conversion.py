"""Of several channels, what carries the voice best is kept; any rate becomes 16 kHz, block by block."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.audio.conversion import Downmix, Resampler

RATE = 48_000
VOICE = (0.3 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)).astype(np.float32)
NOTHING = np.zeros(RATE, np.float32)


def mixed(*channels, block=480):
    frames = np.column_stack(channels)
    mix = Downmix(RATE)
    return np.concatenate([mix(frames[at : at + block]) for at in range(0, len(frames), block)])


def test_one_channel_passes_unchanged():
    np.testing.assert_array_equal(mixed(VOICE), VOICE)


@pytest.mark.parametrize("count", [2, 3, 4, 8])
def test_all_channels_are_averaged(count):
    channels = [np.roll(VOICE, 7 * shift) for shift in range(count)]
    np.testing.assert_allclose(mixed(*channels), np.mean(channels, axis=0), atol=1e-6)


@pytest.mark.parametrize("channels", [(VOICE, NOTHING), (NOTHING, VOICE), (VOICE, VOICE * 0.005)])
def test_a_channel_that_carries_nothing_does_not_weaken_the_other(channels):
    loud = max(channels, key=np.ptp)
    np.testing.assert_allclose(mixed(*channels)[480:], loud[480:], atol=1e-6)


def rms(samples):
    return np.sqrt(np.mean(samples**2))


OPPOSITES = [
    (VOICE, -VOICE),
    (VOICE, -0.9 * VOICE),
    (VOICE, -VOICE, VOICE, -VOICE),
    (VOICE, -VOICE, NOTHING, NOTHING),
    (VOICE, -VOICE, 0.1 * np.roll(VOICE, 31), NOTHING),
]


@pytest.mark.parametrize("channels", OPPOSITES)
@pytest.mark.parametrize("block", [480, 4096, RATE])
def test_channels_of_turned_polarity_do_not_cancel_the_voice(channels, block):
    assert rms(mixed(*channels, block=block)[480:]) > 0.9 * rms(VOICE[480:])


@pytest.mark.parametrize("block", [480, 4096, 2 * RATE])
def test_a_polarity_that_turns_later_does_not_cancel_the_voice_even_then(block):
    voice = np.tile(VOICE, 4)
    other = np.concatenate((voice[: 2 * RATE], -voice[2 * RATE :]))
    heard = mixed(voice, other, block=block)
    steps = heard[: len(heard) // 960 * 960].reshape(-1, 960)  # 20 ms each
    assert np.sqrt((steps**2).mean(axis=1)).min() > 0.5 * rms(VOICE)


def test_a_voice_that_begins_after_a_pause_is_there_from_its_beginning():
    noise = np.random.default_rng(1).normal(0, 1e-4, (2, 3 * RATE)).astype(np.float32)
    voice = np.concatenate((np.zeros(2 * RATE, np.float32), VOICE))
    heard = mixed(voice + noise[0], noise[1] - voice)
    assert rms(heard[2 * RATE :][: RATE // 50]) > 0.7 * rms(VOICE[: RATE // 50])


def test_strangers_are_averaged_not_chosen_between():
    left, right = np.random.default_rng(2).normal(0, 0.1, (2, RATE)).astype(np.float32)
    np.testing.assert_allclose(mixed(left, right), (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("before", [0 * VOICE, -VOICE])
def test_a_channel_that_comes_alive_or_turns_its_polarity_makes_no_click(before):
    heard = mixed(VOICE, np.concatenate((before[: RATE // 2], VOICE[RATE // 2 :])))
    assert np.abs(np.diff(heard)).max() < 2 * np.abs(np.diff(VOICE)).max() + 0.3 / 240


@pytest.mark.parametrize("channels", [1, 2])
def test_an_empty_block_gives_an_empty_block(channels):
    out = Downmix(RATE)(np.zeros((0, channels), np.float32))
    assert out.shape == (0,)
    assert out.dtype == np.float32


# --- to 16 kHz ---------------------------------------------------------------------------------------

RATES = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000]


def resampled(blocks, rate_hz):
    resampler = Resampler(rate_hz)
    return np.concatenate([*[resampler.feed(b) for b in blocks], resampler.flush()])


def noise(n, seed=0):
    return (np.random.default_rng(seed).standard_normal(n) * 0.2).astype(np.float32)


@settings(max_examples=60)
@given(
    rate=st.sampled_from(RATES),
    n=st.integers(0, 20_000),
    cuts=st.lists(st.floats(0, 1), max_size=20),
)
def test_cutting_changes_no_bit_and_the_length_is_that_of_the_rate(rate, n, cuts):
    samples = noise(n)
    pieces = np.split(samples, sorted(round(c * n) for c in cuts))
    out = resampled(pieces, rate)
    np.testing.assert_array_equal(out, resampled([samples], rate))
    assert abs(out.size - n * 16_000 / rate) < 1
    assert out.dtype == np.float32


@pytest.mark.parametrize("rate", RATES)
def test_blocks_give_what_the_whole_gives_at_once(rate):
    samples = noise(rate)
    expected = soxr.resample(samples, rate, 16_000, quality="HQ")
    np.testing.assert_array_equal(resampled(np.array_split(samples, 97), rate), expected)


@pytest.mark.parametrize(("rate", "limit_ms"), [(48_000, 40), (44_100, 43), (96_000, 80), (16_000, 0)])
def test_no_more_is_held_back_than_documented(rate, limit_ms):
    resampler, fed, got = Resampler(rate), 0, 0
    for block in np.array_split(noise(rate), 100):
        fed += block.size
        got += resampler.feed(block).size
        assert fed / rate - got / 16_000 <= limit_ms / 1000


def test_sound_at_16_khz_passes_untouched_and_as_a_copy():
    block = noise(500)
    out = Resampler(16_000).feed(block)
    np.testing.assert_array_equal(out, block)
    assert not np.shares_memory(out, block)


def test_a_view_with_gaps_is_resampled_like_its_copy():
    stereo = noise(9600).reshape(-1, 2)
    np.testing.assert_array_equal(resampled([stereo[:, 1]], 48_000), resampled([stereo[:, 1].copy()], 48_000))
