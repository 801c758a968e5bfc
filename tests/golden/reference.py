"""Typed access to the golden data: what the reference implementation gives for known inputs.

Rows and frames are kept sparsely (see formulas.py); each case says which ones. Nothing here needs torch.

    for case in features_cases():
        ours = log_mel(clip(case.name))
        assert np.abs(ours[:, case.frames] - case.values).max() < 2e-4

The reference is float32 and itself up to 1e-4 away from the exact features (``difference_to_float64``).
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

DATA = Path(__file__).parent / "data"

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class FeaturesCase:
    """Log-mel features of a synthetic clip."""

    name: str  # of the clip in clips.py
    samples: int
    frame_count: int  # features that count; a clip under 8000 samples is filled up first
    padded_frames: int  # after the last chunk of 100 was filled up with 0.0
    audio_tokens: int
    frames: Int32  # (k,) which frames are in `values`
    values: Float32  # (128, k)
    bin_mean: Float32  # (128,) over all frames that count
    frame_mean: Float32  # (frame_count,) over all bins
    difference_to_float64: float  # largest error of the reference itself


def features_cases() -> list[FeaturesCase]:
    """One case per clip of clips.py."""
    arrays = _arrays("features")
    return [
        FeaturesCase(
            name=name,
            samples=facts["samples"],
            frame_count=facts["frames"],
            padded_frames=facts["padded_frames"],
            audio_tokens=facts["audio_tokens"],
            frames=arrays[f"{name}/frames"],
            values=arrays[f"{name}/values"],
            bin_mean=arrays[f"{name}/bin_mean"],
            frame_mean=arrays[f"{name}/frame_mean"],
            difference_to_float64=facts["difference_to_float64"],
        )
        for name, facts in document("features")["cases"].items()
    ]


@functools.cache
def document(part: str) -> dict[str, Any]:
    """``data/{part}.json`` as it stands."""
    parsed: dict[str, Any] = json.loads((DATA / f"{part}.json").read_text(encoding="utf-8"))
    return parsed


@functools.cache
def _arrays(part: str) -> dict[str, npt.NDArray[Any]]:
    with np.load(DATA / f"{part}.npz") as archive:
        return {name: archive[name] for name in archive.files}
