"""The speed of a model on this machine, and the machine's limits, without which a time says little."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from handy_qwen import paths
from handy_qwen.engine import load_model
from handy_qwen.engine.api import Model, Placement
from handy_qwen.engine.processor import processor_name
from handy_qwen.models.installed import VOICE_MODEL
from handy_qwen.transcriber.slot import return_freed_memory

_RATE_HZ = 16_000
_READ_BYTES = 512 << 20  # far more than any cache holds
_MATRIX = 1536  # rows and columns
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class ClipSpeed:
    """Medians for clips of ``clip_s`` seconds; ``step_s`` is one token, ``cpu_s`` the processor time."""

    clip_s: float
    features_s: float
    encoder_s: float
    prefill_s: float
    step_s: float
    total_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class ModelSpeed:
    """The speed of a model. ``weights_bytes`` are read for each token written."""

    name: str
    disk_bytes: int
    weights_bytes: int
    load_s: float
    loaded_bytes: int
    peak_bytes: int
    clips: tuple[ClipSpeed, ...]


def measure_model(
    folder: Path,
    *,
    threads: int,
    clips_s: tuple[float, ...],
    tokens: int,
    rounds: int,
    placement: Placement | None = None,
) -> ModelSpeed:
    """Load the model in ``folder`` and run it on noise.

    Noise takes as long as speech, and the number of tokens is fixed, so that models of random weights can be
    measured as well. EngineError: the model cannot be loaded or run.
    """
    voice_model = paths.asset(VOICE_MODEL)
    model = load_model(folder, voice_model=voice_model, threads=threads, placement=placement)
    loaded, name = resident_bytes(), model.name
    try:
        clips = tuple(_measure_clip(model, clip_s, tokens, rounds) for clip_s in clips_s)
    finally:
        model.close()
    return_freed_memory()  # or it would add to the machine's measurement
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    read = (size for name, size in sizes.items() if name in {"decoder.data", "embedding.data"})
    return ModelSpeed(name, sum(sizes.values()), sum(read), model.load_s, loaded, peak_bytes(), clips)


def _measure_clip(model: Model, clip_s: float, tokens: int, rounds: int) -> ClipSpeed:
    def run() -> tuple[float, ...]:
        # Different noise each time, so that caches do not help
        noise = 0.05 * np.random.default_rng().standard_normal(int(clip_s * _RATE_HZ))
        begin = time.process_time()
        found = model.measure(noise.astype(np.float32), tokens)
        cpu_s = time.process_time() - begin
        step_s = found.decode_s / max(1, tokens - 1)
        return found.features_s, found.encoder_s, found.prefill_s, step_s, found.total_s, cpu_s

    run()  # one-time work for clips of this length
    runs = [run() for _ in range(rounds)]
    return ClipSpeed(clip_s, *(statistics.median(stage) for stage in zip(*runs, strict=True)))


@dataclass(frozen=True, slots=True)
class Machine:
    """The speed of a machine.

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
    """The recent load of the machine, in processors."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float(psutil.cpu_percent(0.2)) / 100


def measure_machine(threads: int, load: float) -> Machine:
    """Measure with ``threads`` threads; takes about a second. ``load`` is ``load_now()`` before the work."""
    return Machine(
        processor=processor_name(),
        physical_cores=psutil.cpu_count(logical=False) or 1,
        threads=threads,
        read_gb_s=_read_rate(threads),
        matmul_gflop_s=_matmul_rate(),
        load=load,
    )


def resident_bytes() -> int:
    """This process's memory currently in RAM."""
    return int(psutil.Process().memory_info().rss)


def peak_bytes() -> int:
    """The peak of this process's memory in RAM."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _read_rate(threads: int) -> float:
    """GB/s at which ``threads`` threads read a large array, the best of some rounds."""
    parts = np.array_split(np.ones(_READ_BYTES // 4, np.float32), threads)
    with ThreadPoolExecutor(threads) as pool:
        return max(_rate(lambda: list(pool.map(np.max, parts)), _READ_BYTES) for _ in range(_ROUNDS))


def _matmul_rate() -> float:
    """GFLOP/s of a float32 matrix product, the best of some rounds."""
    a = np.ones((_MATRIX, _MATRIX), np.float32)
    return max(_rate(lambda: a @ a, 2 * _MATRIX**3) for _ in range(_ROUNDS))


def _rate(work: Callable[[], object], amount: float) -> float:
    begin = time.perf_counter()
    work()
    return amount / (time.perf_counter() - begin) / 1e9
