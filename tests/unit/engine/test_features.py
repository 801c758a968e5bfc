"""Log-mel features: the same in pieces as at once, whatever follows, and exact at every edge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.engine.qwen3.features import (
    CHUNK_FRAMES,
    CHUNK_SAMPLES,
    DYNAMIC_RANGE,
    frame_count,
    log_mel,
    log_mel_chunk,
    normalize,
    samples_needed,
)
from tests.golden.clips import noise

CLIP = (0.3 * noise(5 * 16_000, 3)).astype(np.float32)


def test_a_final_chunk_has_the_same_bits_whatever_follows():
    for chunk in range(4):
        whole = log_mel_chunk(CLIP, chunk)
        assert whole.shape == (CHUNK_FRAMES, 128)
        np.testing.assert_array_equal(log_mel_chunk(CLIP[: samples_needed(chunk)], chunk), whole)
        np.testing.assert_array_equal(log_mel_chunk(CLIP[: samples_needed(chunk) + 777], chunk), whole)


def test_no_chunk_is_called_final_too_early():
    for chunk in range(3):
        early = log_mel_chunk(CLIP[: samples_needed(chunk) - 1], chunk)
        assert not np.array_equal(early, log_mel_chunk(CLIP, chunk))


@settings(max_examples=30)
@given(st.integers(401, 50_000))
def test_chunks_of_any_clip_are_those_of_a_plain_stft(samples):
    """The definition, written out: mirrored by half a window, 400 samples every 160, less the last frame."""
    clip = CLIP[:samples]
    padded = np.pad(clip.astype(np.float64), 200, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    chunks = -(-frame_count(samples) // CHUNK_FRAMES)
    raw = np.concatenate([log_mel_chunk(clip, chunk) for chunk in range(chunks)])
    assert raw.shape == (samples // 160, 128)
    frame = len(raw) - 1  # the last: it sees the mirrored end
    power = np.abs(np.fft.rfft(padded[frame * 160 : frame * 160 + 400] * window)) ** 2
    total = (10.0 ** raw[frame].astype(np.float64)).sum()
    assert total == pytest.approx((power @ plain_filters()).sum(), rel=1e-3)


def plain_filters():
    """Slaney's triangles, one by one. Shape (201, 128)."""

    def hz(mel):
        return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)

    top = 15 + 27 * np.log(8) / np.log(6.4)
    edges = [hz(mel) for mel in np.linspace(0, top, 130)]
    filters = np.zeros((201, 128))
    for k, (low, mid, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        for b in range(201):
            f = b * 40.0
            filters[b, k] = (
                max(0.0, min((f - low) / (mid - low), (high - f) / (high - mid))) * 2 / (high - low)
            )
    return filters


def test_the_floor_is_eight_decades_below_the_top():
    raw = np.array([-20.0, -9.0, -3.0, 1.0], np.float32)
    np.testing.assert_allclose(normalize(raw, 1.0), [(-7 + 4) / 4, (-7 + 4) / 4, 1 / 4, 5 / 4])
    assert DYNAMIC_RANGE == 8.0


def test_silence_is_the_same_everywhere():
    mel = log_mel(np.zeros(16_000, np.float32))
    assert np.ptp(mel) == 0
    assert mel[0, 0] == pytest.approx((-10 + 4) / 4)


@pytest.mark.parametrize("samples", [0, 1, 2, 199, 200, 201, 7_999, 8_000])
def test_the_shortest_clips_have_half_a_second_of_features(samples):
    mel = log_mel(CLIP[:samples])
    assert mel.shape == (128, 50)
    assert np.isfinite(mel).all()


def test_a_whole_clip_is_its_chunks_under_one_floor():
    raw = np.concatenate([log_mel_chunk(CLIP, chunk) for chunk in range(5)])
    assert len(raw) == len(CLIP) // 160
    np.testing.assert_array_equal(log_mel(CLIP), normalize(raw, float(raw.max())).T)
    assert CHUNK_SAMPLES == 16_000
