"""Golden log-mel features, from the feature extractor of transformers. See make.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from transformers import WhisperFeatureExtractor
from transformers.models.qwen3_asr.feature_extraction_qwen3_asr import Qwen3ASRFeatureExtractor

from tests.golden.clips import NAMES, SAMPLE_RATE, clip
from tests.golden.formulas import audio_tokens, frames_to_keep

RULES = {
    "minimum": "A clip under 8000 samples is filled up with zeros at its end; the filling counts as audio.",
    "edges": "200 samples are mirrored at both ends, the edge sample not repeated.",
    "frames": "floor(samples / 160): the last frame of the centered STFT is dropped, then the maximum taken.",
    "maximum": "Over all frames kept of the one clip (filling included), before padding to a chunk.",
    "chunk": "After that, 0.0 (in the scaled domain) is appended up to a multiple of 100 frames; masked out.",
    "tokens": "13 for each 100 frames; for a rest r of 1 to 99, r halved three times, rounded up each time.",
}


def make(data: Path) -> None:
    """Write features.npz and features.json."""
    arrays: dict[str, np.ndarray] = {}
    cases: dict[str, dict[str, object]] = {}
    for name in NAMES:
        features, facts = extract(clip(name))
        frames = features.shape[1]
        kept = frames_to_keep(frames)
        arrays[f"{name}/frames"] = kept
        arrays[f"{name}/values"] = features[:, kept]
        arrays[f"{name}/bin_mean"] = features.mean(axis=1, dtype=np.float64).astype(np.float32)
        arrays[f"{name}/frame_mean"] = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        cases[name] = facts
    np.savez_compressed(data / "features.npz", **arrays)
    document = {"rules": RULES, "cases": cases}
    (data / "features.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def extract(samples: np.ndarray) -> tuple[np.ndarray, dict[str, object]]:
    """Features of one clip, (128, frames) float32 without the padding to a chunk, and what goes with them."""
    extractor = Qwen3ASRFeatureExtractor()
    out = extractor(samples, sampling_rate=SAMPLE_RATE, padding=True, return_attention_mask=True)
    padded, mask = out["input_features"][0].numpy(), out["attention_mask"][0].numpy()
    frames = int(mask.sum())
    assert mask[:frames].all(), "the mask has a hole"
    assert (padded[:, frames:] == 0.0).all(), "padding of the last chunk is not 0.0"
    features = padded[:, :frames]
    whisper, float64 = _by_whisper(samples)
    assert whisper.shape == features.shape
    facts = {
        "samples": len(samples),
        "frames": frames,
        "padded_frames": padded.shape[1],
        "audio_tokens": audio_tokens(frames),
        "difference_to_whisper": float(np.abs(whisper - features).max()),
        "difference_to_float64": float(np.abs(float64 - features).max()),
    }
    return np.ascontiguousarray(features), facts


def _by_whisper(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same from the extractor the official code uses, and from its float64 path: how exact it all is."""
    extractor = WhisperFeatureExtractor(feature_size=128)
    filled = np.pad(samples, (0, max(0, 8000 - len(samples))))
    out = extractor(
        filled, sampling_rate=SAMPLE_RATE, padding=True, truncation=False, return_attention_mask=True
    )
    float64 = extractor._np_extract_fbank_features(filled[None].astype(np.float64), "cpu")[0]
    features = np.asarray(out["input_features"][0])
    valid = int(np.asarray(out["attention_mask"][0]).sum())
    return features[:, :valid], float64[:, :valid]
