"""Seconds per stage of a model on clips of several lengths, with a fixed number of tokens written."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from handy_qwen.engine.qwen3.features import SAMPLE_RATE, log_mel
from handy_qwen.engine.qwen3.model import Float32, ModelParts
from handy_qwen.engine.qwen3.prompt import build_prompt
from handy_qwen.engine.qwen3.recognizer import open_parts
from handy_qwen.engine.qwen3.sessions import Cancel


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
    model = open_parts(folder, threads)
    load_s = time.perf_counter() - begin
    loaded = resident_bytes()
    try:
        clips = tuple(_measure_clip(model, clip_s, tokens, rounds) for clip_s in clips_s)
    finally:
        model.decoder.close()
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    read = (size for name, size in sizes.items() if name in {"decoder.data", "embedding.data"})
    return ModelSpeed(model.name, sum(sizes.values()), sum(read), load_s, loaded, peak_bytes(), clips)


def _measure_clip(model: ModelParts, clip_s: float, tokens: int, rounds: int) -> ClipSpeed:
    _run(model, _noise(clip_s), tokens)  # what is done once only, for a clip of this length
    runs = [_run(model, _noise(clip_s), tokens) for _ in range(rounds)]
    stages = [statistics.median(stage) for stage in zip(*runs, strict=True)]
    features_s, encoder_s, prefill_s, decode_s = stages
    return ClipSpeed(clip_s, features_s, encoder_s, prefill_s, decode_s / max(1, tokens - 1), sum(stages))


def _run(model: ModelParts, samples: Float32, tokens: int) -> tuple[float, float, float, float]:
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


_READ_BYTES = 512 << 20  # far more than any cache holds
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Machine:
    """What was measured of a machine.

    ``read_gb_s`` is the rate at which all threads together read memory, ``matmul_gflop_s`` that of float32
    matrix products in numpy; ``load`` is how busy the machine was before, in processors.
    """

    processor: str
    physical_cores: int
    threads: int
    read_gb_s: float
    matmul_gflop_s: float
    load: float


def load_now() -> float:
    """How busy the machine has been of late, in processors."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else psutil.cpu_percent(0.2) / 100


def measure_machine(threads: int, load: float) -> Machine:
    """Measure with ``threads`` threads; takes about a second. ``load`` is ``load_now()`` before the work."""
    return Machine(
        processor=_processor(),
        physical_cores=psutil.cpu_count(logical=False) or 1,
        threads=threads,
        read_gb_s=_read_rate(threads),
        matmul_gflop_s=_matmul_rate(),
        load=load,
    )


def resident_bytes() -> int:
    """Memory of this process that is in RAM now."""
    return int(psutil.Process().memory_info().rss)


def peak_bytes() -> int:
    """The most memory of this process that was ever in RAM."""
    try:
        import resource
    except ImportError:  # Windows
        return int(psutil.Process().memory_info().peak_wset)
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _read_rate(threads: int) -> float:
    """GB/s at which ``threads`` threads read a large array, the best of some rounds."""
    parts = np.array_split(np.ones(_READ_BYTES // 4, np.float32), threads)
    with ThreadPoolExecutor(threads) as pool:
        return max(_rate(lambda: list(pool.map(np.max, parts)), _READ_BYTES) for _ in range(_ROUNDS))


def _matmul_rate(size: int = 1536) -> float:
    """GFLOP/s of a float32 matrix product, the best of some rounds."""
    a = np.ones((size, size), np.float32)
    return max(_rate(lambda: a @ a, 2 * size**3) for _ in range(_ROUNDS))


def _rate(work: Callable[[], object], amount: float) -> float:
    begin = time.perf_counter()
    work()
    return amount / (time.perf_counter() - begin) / 1e9


def _processor() -> str:
    """The processor's own name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
