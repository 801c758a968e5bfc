"""Synthetic clips that the golden data was made from, each given by a formula.

Nothing here may ever change: the expected values in ``data/`` belong to exactly these samples. All
arithmetic is float64 and ends in one rounding to float32, so platforms differ by at most one unit in the
last place where their sine does; the noise is an integer generator, the same everywhere.

    clip("chirp_1s") -> shape (16000,), float32 in [-1, 1], 16 kHz
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000  # Hz

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]


def clip(name: str) -> Float32:
    """Samples of the clip ``name``. Shape (n,), float32 in [-1, 1], 16 kHz.

    Raises:
        KeyError: There is no clip of that name in ``NAMES``.
    """
    return _CLIPS[name]().astype(np.float32)


def noise(samples: int, seed: int) -> Float64:
    """White noise, uniform in [-1, 1). Shape (samples,).

    Source: the 32-bit linear congruential generator of Numerical Recipes, 2nd ed., section 7.1
    (a = 1664525, c = 1013904223). Its state after k steps is a^k s + c (a^k - 1) / (a - 1) modulo 2^32,
    which wrapping cumulative products and sums give without a loop.
    """
    powers = np.cumprod(np.full(samples, 1664525, dtype=np.uint32), dtype=np.uint32)
    sums = np.concatenate([[np.uint32(1)], np.uint32(1) + np.cumsum(powers[:-1], dtype=np.uint32)])
    states = powers * np.uint32(seed) + sums[:samples] * np.uint32(1013904223)
    return states.astype(np.float64) / 2.0**31 - 1.0


def chirp(samples: int, first_hz: float, last_hz: float) -> Float64:
    """A sine whose frequency goes evenly from ``first_hz`` to ``last_hz``. Shape (samples,)."""
    t = np.arange(samples) / SAMPLE_RATE  # (n,) s
    rate = (last_hz - first_hz) / (samples / SAMPLE_RATE)  # Hz per second
    phase = 2 * np.pi * (first_hz * t + 0.5 * rate * t * t)
    wave: Float64 = np.sin(phase)
    return wave


def vowels(samples: int, seed: int) -> Float64:
    """Something like a voice: harmonics of a wandering pitch, in syllables with pauses, and some breath.

    Shape (samples,), within [-1, 1].
    """
    t = np.arange(samples) / SAMPLE_RATE  # (n,) s
    pitch_hz = 110 + 20 * seed
    phase = 2 * np.pi * pitch_hz * t + 3.0 * np.sin(2 * np.pi * 0.7 * t + seed)
    formant = 2.5 + 2.0 * np.sin(2 * np.pi * 1.3 * t + 0.5 * seed)  # harmonic that is loudest
    voice = np.zeros(samples)
    for k in range(1, 25):
        voice += np.sin(k * phase) / (1 + (k / 4 - formant) ** 2) / 6
    syllables = np.clip(1.6 * np.sin(2 * np.pi * (2.1 + 0.1 * seed) * t) + 0.4, 0, 1)
    phrases = np.clip(4 * np.sin(2 * np.pi * 0.23 * t + 0.4) + 2, 0, 1)
    mixed: Float64 = 0.5 * voice * syllables * phrases + 0.01 * noise(samples, seed)
    return mixed.clip(-1, 1)


def _square(samples: int, hz: float) -> Float64:
    """Full scale, clipped: nothing but -1 and 1."""
    t = np.arange(samples) / SAMPLE_RATE
    return np.where((t * hz) % 1.0 < 0.5, 1.0, -1.0)


def _click(samples: int, at: int) -> Float64:
    x = np.zeros(samples)
    x[at] = 1.0
    return x


def _loud_end(samples: int) -> Float64:
    """Quiet noise, and a tone in the last 150 samples: loudest in the STFT frame that the reference drops."""
    x = 1e-4 * noise(samples, 5)
    t = np.arange(150) / SAMPLE_RATE
    x[-150:] += 0.9 * np.sin(2 * np.pi * 1000 * t)
    return x


_CLIPS: dict[str, Callable[[], Float64]] = {
    # Shorter than the shortest clip the reference takes (8000 samples).
    "noise_0.2s": lambda: 0.3 * noise(3_200, 1),
    "vowels_201": lambda: vowels(201, 1),
    "vowels_0.3s_odd": lambda: vowels(4_801, 2),
    "chirp_7999": lambda: 0.5 * chirp(7_999, 100, 4_000),
    # Lengths at which something changes: half a second, a hop, a chunk of 100 frames, a window of 800.
    "chirp_8000": lambda: 0.5 * chirp(8_000, 100, 4_000),
    "chirp_8159": lambda: 0.5 * chirp(8_159, 7_900, 50),
    "vowels_15999": lambda: vowels(15_999, 3),
    "chirp_1s": lambda: 0.5 * chirp(16_000, 50, 7_900),
    "vowels_16159": lambda: vowels(16_159, 3),
    "vowels_16160": lambda: vowels(16_160, 3),
    "vowels_2.3s_odd": lambda: vowels(36_801, 4),
    "vowels_8s": lambda: vowels(128_000, 5),
    "vowels_8s_and_a_hop": lambda: vowels(128_160, 5),
    # Levels.
    "silence_1.5s": lambda: np.zeros(24_000),
    "square_1.2s": lambda: _square(19_200, 220.0),
    "quiet_1.7s": lambda: 1e-5 * vowels(27_200, 6),
    "step_then_silence_3s": lambda: np.concatenate([vowels(20_000, 7), np.zeros(28_000)]),
    "click_1.3s": lambda: _click(20_800, 10_403),
    "loud_end_2s": lambda: _loud_end(32_000),
    "noise_3.3s": lambda: 0.05 * noise(52_800, 8),
    # Several windows.
    "vowels_12.34s": lambda: vowels(197_441, 9),
    "chirp_20s": lambda: 0.4 * chirp(320_000, 60, 7_800) + 0.01 * noise(320_000, 10),
    "vowels_40s": lambda: vowels(640_003, 11),
}

NAMES = tuple(_CLIPS)
"""Names of all clips."""
