"""Seconds per stage of a model on clips of several lengths, with a fixed number of tokens written."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handy_qwen.bench.machine import peak_bytes, resident_bytes
from handy_qwen.engine.backend import Float32, Model
from handy_qwen.engine.features import SAMPLE_RATE, log_mel
from handy_qwen.engine.layouts import open_model
from handy_qwen.engine.prompt import build_prompt
from handy_qwen.engine.sessions import Cancel


@dataclass(frozen=True, slots=True)
class ClipSpeed:
    """Medians for clips of ``clip_s`` seconds; ``step_s`` is one token."""

    clip_s: float
    features_s: float
    encoder_s: float
    prefill_s: float
    step_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class ModelSpeed:
    """What was measured of a model. ``weights_bytes`` are read for each token written."""

    name: str
    disk_bytes: int
    weights_bytes: int
    load_s: float
    loaded_bytes: int
    peak_bytes: int
    clips: tuple[ClipSpeed, ...]


def measure_model(
    folder: Path, *, threads: int, clips_s: tuple[float, ...], tokens: int, rounds: int
) -> ModelSpeed:
    """Load the model in ``folder`` and run it on noise.

    Noise costs what speech costs, and the number of tokens is given, so that models of random weights can be
    measured as well.

    Raises:
        EngineError: The model cannot be loaded or run.
    """
    begin = time.perf_counter()
    model = open_model(folder, threads)
    load_s = time.perf_counter() - begin
    loaded = resident_bytes()
    try:
        clips = tuple(_measure_clip(model, clip_s, tokens, rounds) for clip_s in clips_s)
    finally:
        model.decoder.close()
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    read = (size for name, size in sizes.items() if name in {"decoder.data", "embedding.data"})
    return ModelSpeed(model.name, sum(sizes.values()), sum(read), load_s, loaded, peak_bytes(), clips)


def _measure_clip(model: Model, clip_s: float, tokens: int, rounds: int) -> ClipSpeed:
    _run(model, _noise(clip_s), tokens)  # what is done once only, for a clip of this length
    runs = [_run(model, _noise(clip_s), tokens) for _ in range(rounds)]
    stages = [statistics.median(stage) for stage in zip(*runs, strict=True)]
    features_s, encoder_s, prefill_s, decode_s = stages
    return ClipSpeed(clip_s, features_s, encoder_s, prefill_s, decode_s / max(1, tokens - 1), sum(stages))


def _run(model: Model, samples: Float32, tokens: int) -> tuple[float, float, float, float]:
    """Seconds for features, encoder, prefill and all tokens but the first."""
    cancel, prompt, decoder = Cancel(), build_prompt(model.tokenizer), model.decoder
    frames = model.config.audio.window_frames
    begin = time.perf_counter()
    mel = log_mel(samples)
    featured = time.perf_counter()
    windows = [np.ascontiguousarray(mel[:, i : i + frames]) for i in range(0, mel.shape[1], frames)]
    rows = [model.encoder.encode(window, cancel) for window in windows]
    encoded = time.perf_counter()
    decoder.rewind(0)
    decoder.extend(prompt.head)
    for window in rows[:-1]:
        decoder.extend(window)
        decoder.flush(cancel)
    decoder.extend(rows[-1])
    decoder.extend(prompt.tail)
    token = int(decoder.logits(1, cancel)[0].argmax())
    prefilled = time.perf_counter()
    for _ in range(tokens - 1):
        decoder.extend((token,))
        token = int(decoder.logits(1, cancel)[0].argmax())
    end = time.perf_counter()
    return featured - begin, encoded - featured, prefilled - encoded, end - prefilled


def _noise(seconds: float) -> Float32:
    """Different noise each time, so that nothing remembered of the last clip helps."""
    noise = np.random.default_rng().standard_normal(int(seconds * SAMPLE_RATE))
    return (0.05 * noise).astype(np.float32)
