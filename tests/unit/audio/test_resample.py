"""The resampler: its sound, its length, and that blocks of any size make no difference."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.audio.conversion import Resampler

RATES = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000]


def resampled(blocks, rate_hz):
    resampler = Resampler(rate_hz)
    return np.concatenate([*[resampler.feed(b) for b in blocks], resampler.flush()])


def noise(n, seed=0):
    return (np.random.default_rng(seed).standard_normal(n) * 0.2).astype(np.float32)


@settings(max_examples=60, deadline=None)
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
