"""The golden data is complete and agrees with itself; the engine is compared with it elsewhere."""

import numpy as np
import pytest

from tests.golden import formulas, reference
from tests.golden.clips import NAMES, clip, noise


def test_the_versions_of_the_reference_are_recorded():
    versions = reference.document("versions")
    assert versions["torch"].startswith("2.")
    assert versions["transformers"].startswith("5.")
    assert versions["numpy"]


def test_the_data_stays_small():
    assert sum(path.stat().st_size for path in reference.DATA.iterdir()) < 3_000_000


def test_noise_is_the_linear_congruential_generator_step_by_step():
    state, steps = 77, []
    for _ in range(2000):
        state = (1664525 * state + 1013904223) % 2**32
        steps.append(state / 2**31 - 1)
    np.testing.assert_array_equal(noise(2000, 77), steps)


@pytest.mark.parametrize("name", NAMES)
def test_clips_are_mono_float32_within_full_scale(name):
    samples = clip(name)
    assert samples.ndim == 1
    assert samples.dtype == np.float32
    assert np.abs(samples).max() <= 1.0


def test_every_clip_has_features():
    assert [case.name for case in reference.features_cases()] == list(NAMES)


@pytest.mark.parametrize("case", reference.features_cases(), ids=lambda case: case.name)
def test_features_have_the_size_the_formulas_give(case):
    assert case.samples == len(clip(case.name))
    assert case.frame_count == formulas.frame_count(case.samples)
    assert case.padded_frames == formulas.padded_frames(case.frame_count)
    assert case.audio_tokens == formulas.audio_tokens(case.frame_count)
    assert case.values.shape == (128, len(case.frames))
    assert case.values.dtype == np.float32
    assert case.bin_mean.shape == (128,)
    assert case.frame_mean.shape == (case.frame_count,)
    np.testing.assert_array_equal(case.frames, formulas.frames_to_keep(case.frame_count))


@pytest.mark.parametrize("case", reference.features_cases(), ids=lambda case: case.name)
def test_kept_frames_agree_with_the_means_over_all(case):
    np.testing.assert_allclose(case.values.mean(axis=0), case.frame_mean[case.frames], atol=1e-5)
    assert case.bin_mean.mean() == pytest.approx(case.frame_mean.mean(), abs=1e-5)


@pytest.mark.parametrize("case", reference.features_cases(), ids=lambda case: case.name)
def test_features_span_no_more_than_eight_decades(case):
    assert np.ptp(case.values) <= 2.0 + 1e-6
