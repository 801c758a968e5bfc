"""How loud a voice is, and whether that is right."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from handy_qwen.audio.take import SILENCE_DB
from handy_qwen.core.types import Samples
from handy_qwen.core.view import VOICE_DB, Voice

_FRAME = 1600  # 0.1 s at 16 kHz
_CLIPPED = 0.995
_FULL_SCALE_SHARE = 0.001  # of the samples, before it counts as too loud


def loudest_db(samples: Samples) -> float:
    """Level of the loudest tenth of a second, in dBFS from -100 to 0."""
    count = len(samples) // _FRAME
    if not count:
        return SILENCE_DB
    frames = samples[: count * _FRAME].reshape(count, _FRAME)
    rms = float(np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1)).max())
    return max(SILENCE_DB, 20 * math.log10(rms)) if rms else SILENCE_DB


def judged(blocks: Sequence[Samples]) -> Voice:
    """How a voice arrives that is heard in ``blocks``."""
    samples = np.concatenate(list(blocks))
    if is_clipping(samples):
        return Voice.CLIPPING
    return Voice.GOOD if loudest_db(samples) >= VOICE_DB else Voice.QUIET


def is_clipping(samples: Samples) -> bool:
    """Whether the peaks are cut off, and not just once."""
    return bool(len(samples)) and float(np.mean(np.abs(samples) >= _CLIPPED)) > _FULL_SCALE_SHARE
