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
import wave
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.golden.clips import clip

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


@dataclass(frozen=True, slots=True)
class Source:
    """Where the samples of a case come from."""

    name: str  # of a clip in clips.py, or of a WAV file among the recordings
    is_recording: bool
    samples: int
    crc32: int | None  # of a recording's 16-bit samples


@dataclass(frozen=True, slots=True)
class EncoderCase:
    """Encoder output, after the projection: what takes the place of the audio markers' embeddings."""

    source: Source
    tokens: int
    rows: Int32  # (k,) which rows are in `values`
    values: Float32  # (k, output_dim)
    row_norm: Float32  # (tokens,) Euclidean norm of every row


@dataclass(frozen=True, slots=True)
class PromptCase:
    """A prompt in token ids."""

    tokenizer: str  # "demo", of data/tokenizer, or "qwen3", see qwen3_asr_tokenizer
    context_name: str
    context: str
    language: str | None
    audio_tokens: int
    reference: tuple[int, ...]  # of the reference, which takes markers spelled out in the context for markers
    plain: tuple[int, ...]  # the same when all of the context is text; seldom different


@dataclass(frozen=True, slots=True)
class TokenCase:
    """A transcript, greedy, in one pass over the whole clip."""

    source: Source
    context: str
    language: str | None  # forced
    audio_tokens: int
    prompt_tokens: int  # audio included
    ids: tuple[int, ...]  # generated; the last is <|im_end|>, save for the random model, which goes on for 40
    raw: str  # the ids as text, without special markers; <asr_text> is not one
    text: str  # what the reference's parser makes of it
    detected: str | None  # language; None for no speech, and if forced
    margins: tuple[float, ...]  # how far each choice was ahead of the second, in logits
    logit_ids: Int32 | None  # (3, 20) the largest of the first steps, descending; or (1, 20)
    logit_values: Float32 | None  # the same shape


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


def encoder_cases(model: str = "demo") -> list[EncoderCase]:
    """Encoder outputs of ``"demo"``, or of ``"random"``, the model of random_checkpoint.py."""
    part = {"demo": "encoder", "random": "random_encoder"}[model]
    arrays = _arrays(part)
    return [
        EncoderCase(
            source=_source(facts),
            tokens=facts["tokens"],
            rows=arrays[f"{name}/rows"],
            values=arrays[f"{name}/values"],
            row_norm=arrays[f"{name}/row_norm"],
        )
        for name, facts in document(part).items()
    ]


def prompt_cases(tokenizer: str = "demo") -> list[PromptCase]:
    """Prompts of ``"demo"`` or ``"qwen3"``."""
    contexts = document("prompts")["contexts"]
    return [
        PromptCase(
            tokenizer=tokenizer,
            context_name=case["context"],
            context=contexts[case["context"]],
            language=case["language"],
            audio_tokens=case["audio_tokens"],
            reference=tuple(case["reference"]),
            plain=tuple(case.get("plain", case["reference"])),
        )
        for case in document("prompts")["cases"]
        if case["tokenizer"] == tokenizer
    ]


def token_cases(model: str = "demo") -> list[TokenCase]:
    """Transcripts of ``"demo"`` or ``"random"``."""
    part = {"demo": "tokens", "random": "random_tokens"}[model]
    arrays = _arrays(part)
    return [
        TokenCase(
            source=_source(case),
            context=case["context"],
            language=case["language"],
            audio_tokens=case["audio_tokens"],
            prompt_tokens=case["prompt_tokens"],
            ids=tuple(case["ids"]),
            raw=case["raw"],
            text=case["text"],
            detected=case["detected"],
            margins=tuple(case["margins"]),
            logit_ids=arrays.get(f"{index}/ids"),
            logit_values=arrays.get(f"{index}/values"),
        )
        for index, case in enumerate(document(part))
    ]


def samples_of(source: Source, recordings: Path | None = None) -> Float32:
    """The samples of a case. Shape (n,), float32 in [-1, 1], 16 kHz.

    Args:
        source: Of the case.
        recordings: Folder of the WAV files; needed if ``source.is_recording``.

    Raises:
        ValueError: The file there is not the one that the expected values were made from.
    """
    if not source.is_recording:
        return clip(source.name)
    assert recordings is not None, "recordings are needed"
    with wave.open(str(recordings / source.name), "rb") as file:
        pcm = file.readframes(file.getnframes())
    if zlib.crc32(pcm) != source.crc32:
        raise ValueError(f"{source.name} is another recording")
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768)


def qwen3_asr_tokenizer(qwen3: Path) -> dict[str, Any]:
    """tokenizer.json of Qwen3-ASR: that of Qwen3 at ``qwen3``, with the markers that were added to it."""
    parsed: dict[str, Any] = json.loads(qwen3.read_text(encoding="utf-8"))
    form = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    parsed["added_tokens"] += [form | token for token in document("prompts")["qwen3_added_tokens"]]
    return parsed


def _source(facts: dict[str, Any]) -> Source:
    return Source(
        name=facts.get("recording") or facts["clip"],
        is_recording="recording" in facts,
        samples=facts["samples"],
        crc32=facts.get("crc32"),
    )


@functools.cache
def document(part: str) -> Any:
    """``data/{part}.json`` as it stands: a list or a dictionary."""
    return json.loads((DATA / f"{part}.json").read_text(encoding="utf-8"))


@functools.cache
def _arrays(part: str) -> dict[str, npt.NDArray[Any]]:
    with np.load(DATA / f"{part}.npz") as archive:
        return {name: archive[name] for name in archive.files}
