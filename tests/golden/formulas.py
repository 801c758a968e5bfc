"""What follows from the number of samples alone, and which rows of long arrays are kept in ``data/``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MIN_SAMPLES = 8_000
HOP = 160  # samples
CHUNK_FRAMES = 100
CHUNK_TOKENS = 13
WINDOW_TOKENS = 104  # 8 s


def frame_count(samples: int) -> int:
    """Log-mel frames of a clip of ``samples`` samples."""
    return max(samples, MIN_SAMPLES) // HOP


def padded_frames(frames: int) -> int:
    """Frames after the last chunk was filled up."""
    return -(-frames // CHUNK_FRAMES) * CHUNK_FRAMES


def audio_tokens(frames: int) -> int:
    """Encoder outputs, and so prompt positions, of ``frames`` frames."""
    rest = frames % CHUNK_FRAMES
    for _ in range(3):  # three convolutions with stride 2 and padding 1
        rest = (rest + 1) // 2
    return frames // CHUNK_FRAMES * CHUNK_TOKENS + rest


def frames_to_keep(frames: int) -> npt.NDArray[np.int32]:
    """Which frames of a clip are stored: all of short clips, else edges of clip, chunks, windows, and some.

    Shape (k,), ascending.
    """
    if frames <= 130:
        return np.arange(frames, dtype=np.int32)
    edges = [0, 1, 2, frames - 3, frames - 2, frames - 1]
    for edge in [*range(CHUNK_FRAMES, frames, 1000), *range(800, frames, 800)]:
        edges += [edge - 1, edge]
    spread = np.linspace(0, frames - 1, 24).astype(int)
    return np.unique(np.concatenate([edges, spread])).astype(np.int32)


def rows_to_keep(rows: int) -> npt.NDArray[np.int32]:
    """Which rows of an encoder output are stored: as above, for tokens. Shape (k,), ascending."""
    if rows <= 40:
        return np.arange(rows, dtype=np.int32)
    edges = [0, 1, CHUNK_TOKENS - 1, CHUNK_TOKENS, rows - 2, rows - 1]
    for edge in range(WINDOW_TOKENS, rows, WINDOW_TOKENS):
        edges += [edge - 1, edge, min(edge + 1, rows - 1)]
    spread = np.linspace(0, rows - 1, 16).astype(int)
    return np.unique(np.concatenate([edges, spread])).astype(np.int32)
