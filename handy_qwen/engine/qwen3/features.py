"""Log-mel features, equal to those of the model's training.

    samples (n,) --STFT 400/160, Hann--> power (n // 160, 201) --Slaney, 128 bins--> log10 --> (128, n // 160)

As in the reference, the last STFT frame is dropped and the floor is the maximum minus 8. ``log_mel_chunk``
gives the logarithms before that floor, 100 frames at a time: each chunk depends on its own samples only and
is always computed in the same shape, so that a streamed clip has bit for bit the features of the same clip
read from a file.

Source: WhisperFeatureExtractor (transformers; version in tests/golden/data/versions.json) with the
settings of Qwen3-ASR: 128 bins, 0 to 8000 Hz, no padding to 30 s, at least 8000 samples.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000  # Hz
N_FFT = 400  # samples, 25 ms
HOP = 160  # samples, 10 ms
N_MELS = 128
CHUNK_FRAMES = 100
CHUNK_SAMPLES = CHUNK_FRAMES * HOP
MIN_SAMPLES = 8_000  # a shorter clip is zero-padded
DYNAMIC_RANGE = 8.0  # decades between the loudest bin and the floor
_EDGE = N_FFT // 2  # samples that a frame reaches to either side of its centre

Float32 = npt.NDArray[np.float32]


def frame_count(samples: int) -> int:
    """Frames that a clip of ``samples`` samples gives: one per hop, without the last of the centered STFT."""
    return samples // HOP


def samples_needed(chunk: int) -> int:
    """Samples after which chunk number ``chunk`` can no longer change."""
    return (chunk + 1) * CHUNK_SAMPLES - HOP + _EDGE


def log_mel_chunk(samples: Float32, chunk: int) -> Float32:
    """Logarithms of the mel power of chunk ``chunk``, from 0, before the floor.

    ``samples`` is the clip so far: shape (n,), float32 in [-1, 1], 16 kHz, n >= 2. If fewer than
    ``samples_needed(chunk)``, the clip is mirrored at its end for its last frames. Returns shape (frames,
    128), float32, at least -10; 100 frames, or the rest of the clip.
    """
    first = chunk * CHUNK_FRAMES
    frames = min(frame_count(len(samples)) - first, CHUNK_FRAMES)
    begin, end = first * HOP - _EDGE, (first + frames - 1) * HOP + _EDGE
    piece = samples[max(begin, 0) : end]
    missing = (max(-begin, 0), max(end - len(samples), 0))
    if any(missing):
        piece = _mirrored(samples, piece, *missing)
    windows = np.lib.stride_tricks.sliding_window_view(piece, N_FFT)[::HOP]  # (frames, 400)
    spectrum = np.fft.rfft(windows * _hann())  # (frames, 201)
    power = spectrum.real**2 + spectrum.imag**2
    bins, weights = _mel_bands()
    mel = np.einsum("fmw,mw->fm", power[:, bins], weights)  # (frames, 128)
    raw: Float32 = np.log10(np.maximum(mel, np.float32(1e-10)))
    return raw


def normalize(raw: Float32, top: float) -> Float32:
    """Normalize ``raw``, of any shape, for the encoder; the floor is relative to the largest, ``top``."""
    floored: Float32 = np.maximum(raw, np.float32(top - DYNAMIC_RANGE))
    scaled: Float32 = (floored + np.float32(4.0)) * np.float32(0.25)
    return scaled


def log_mel(samples: Float32) -> Float32:
    """Features of a whole clip, as in the reference. Shape (128, frames), float32.

    ``samples``: shape (n,), float32 in [-1, 1], 16 kHz; frames is ``frame_count(max(n, MIN_SAMPLES))``.
    """
    if len(samples) < MIN_SAMPLES:
        samples = np.pad(samples, (0, MIN_SAMPLES - len(samples)))
    chunks = -(-frame_count(len(samples)) // CHUNK_FRAMES)
    raw = np.concatenate([log_mel_chunk(samples, chunk) for chunk in range(chunks)])
    return np.ascontiguousarray(normalize(raw, float(raw.max())).T)


def windows(mel: Float32, frames: int = 800) -> list[Float32]:
    """A clip's mel, shape (128, any), split into windows of at most ``frames``."""
    return [np.ascontiguousarray(mel[:, first : first + frames]) for first in range(0, mel.shape[1], frames)]


def _mirrored(samples: Float32, piece: Float32, left: int, right: int) -> Float32:
    """``piece`` with ``left`` samples before the clip and ``right`` after it, mirrored without the edge."""
    parts = [piece]
    if left:
        parts.insert(0, samples[left:0:-1])
    if right:
        parts.append(samples[-2 : -2 - right : -1])
    return np.concatenate(parts)


@functools.cache
def _hann() -> Float32:
    """Periodic Hann window. Shape (400,)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype(np.float32)


@functools.cache
def _mel_bands() -> tuple[npt.NDArray[np.intp], Float32]:
    """The filters without their zeros: bins and their weights. Each of shape (128, width of the widest).

    Multiplying by the whole matrix would make BLAS use several threads: measured 14 to 28 ms per second of
    audio where other work holds the cores, against 0.1 ms for this.
    """
    filters = _mel_filters()
    width = int(np.count_nonzero(filters, axis=0).max())
    first = np.minimum(np.argmax(filters > 0, axis=0), len(filters) - width)
    bins = first[:, None] + np.arange(width)
    return bins, np.take_along_axis(filters.T, bins, axis=1)


@functools.cache
def _mel_filters() -> Float32:
    """Triangles on Slaney's mel scale, each of unit area. Shape (201, 128).

    Source: Slaney, Auditory Toolbox (1998): linear below 1000 Hz, logarithmic above, 27 steps to 6400 Hz.
    """
    linear_hz, break_hz, log_step = 200 / 3, 1000.0, np.log(6.4) / 27
    break_mel = break_hz / linear_hz
    top_mel = break_mel + np.log(SAMPLE_RATE / 2 / break_hz) / log_step
    mels = np.linspace(0.0, top_mel, N_MELS + 2)
    edges = np.where(
        mels < break_mel, mels * linear_hz, break_hz * np.exp(log_step * (mels - break_mel))
    )  # (130,) Hz
    bins = np.linspace(0.0, SAMPLE_RATE / 2, N_FFT // 2 + 1)  # (201,) Hz
    rising = (bins[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[None, 2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))
    filters: Float32 = triangles.astype(np.float32)
    return filters
