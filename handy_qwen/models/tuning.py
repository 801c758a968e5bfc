"""Chooses by measurement how many threads run a model on this machine.

Each number that is tried loads the model anew, so this takes some seconds a number. It is done when a model
is installed, when its speed is measured, and when the app has been at rest with one that was never measured.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from handy_qwen import paths
from handy_qwen.engine import default_threads, load_model
from handy_qwen.models.installed import VOICE_MODEL, InstalledModel, needed_memory
from handy_qwen.models.machine import THREADS, remember, remembered

logger = logging.getLogger(__name__)

_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_EQUAL = 1.05  # times that differ by less are the same
_CLIP_S, _TOKENS, _ROUNDS = 4.0, 12, 3
_RATE_HZ = 16_000
_LOOK_S = 1.0
_MOST_OTHERS = 0.15  # of all processors, in use by others while something is measured
_measured: dict[Path, dict[int, float]] = {}  # before somebody interrupted it: not to be done again


class _BusyError(Exception):
    """Others use the machine: what is measured now says nothing."""


def is_tuned(folder: Path) -> bool:
    """Whether the number of threads was measured for this model, machine and ONNX Runtime."""
    return remembered(folder, THREADS) is not None


def tune(folder: Path, on_step: Callable[[], None] = lambda: None) -> None:
    """Measure which number of threads suits the model in ``folder``, and remember it.

    Nothing is remembered if others use the machine meanwhile, or if there is no room for the model beside one
    that is loaded. ``on_step`` is called between two measurements; what it raises ends them. The next call
    goes on where this one was interrupted.

    Raises:
        EngineError: The model cannot be loaded or run.
        InstallationError: The shipped catalogue is damaged.
    """
    on_step()
    if psutil.virtual_memory().available < needed_memory(InstalledModel(folder.name, folder)):
        logger.info("there is no memory to measure which number of threads suits %s", folder.name)
        return
    most, times = 4 * (psutil.cpu_count() or 1), _measured.setdefault(folder, {})

    def seconds(threads: int) -> float:
        if threads not in times:
            times[threads] = _seconds(folder, threads, on_step)
        return times[threads]

    try:
        _Clock().check(after_s=_LOOK_S)
        counts = [one for one in _COUNTS if one <= most]
        count = best_count(seconds, counts, usual=default_threads())
    except _BusyError:
        logger.info("the machine is too busy to measure which number of threads suits %s", folder.name)
        return
    del _measured[folder]
    logger.info("%d threads suit %s", count, folder.name)
    remember(folder, THREADS, {"count": count})


def best_count(seconds: Callable[[int], float], counts: list[int], *, usual: int) -> int:
    """The number of threads to use, of ``counts``, which ascend.

    It is looked for from ``usual`` in both directions, as long as it gets better. Of numbers that are equally
    fast, the largest up to ``usual`` is taken: on a busy machine, where this cannot be measured, more threads
    than cores help (see MODEL.md).

    Args:
        seconds: Measures one.
        counts: What may be used.
        usual: What is used where nothing was measured.
    """
    times: dict[int, float] = {}
    first = min(range(len(counts)), key=lambda i: abs(counts[i] - usual))
    for step in (1, -1):
        place, least = first, math.inf
        while 0 <= place < len(counts):
            count = counts[place]
            times[count] = times[count] if count in times else seconds(count)
            if times[count] > least * _EQUAL:
                break
            least, place = min(least, times[count]), place + step
    fastest = min(times, key=times.__getitem__)
    return max(
        (count for count, took in times.items() if count <= usual and took <= times[fastest] * _EQUAL),
        default=fastest,
    )


def _seconds(folder: Path, threads: int, on_step: Callable[[], None]) -> float:
    """The least time for a short clip of noise, of some.

    Raises:
        _BusyError: Others used the machine.
    """
    on_step()
    model = load_model(folder, voice_model=paths.asset(VOICE_MODEL), threads=threads)
    noise, times = np.random.default_rng(threads), []
    try:
        for number in range(_ROUNDS + 1):
            on_step()
            samples = (0.05 * noise.standard_normal(int(_CLIP_S * _RATE_HZ))).astype(np.float32)
            before = _Clock()
            took_s = model.measure(samples, _TOKENS).total_s
            before.check()
            if number:  # the first warms up
                times.append(took_s)
    finally:
        model.close()
    return min(times)


class _Clock:
    """What of the machine others use from now on."""

    def __init__(self) -> None:
        self._wall_s, self._own_s, self._all_s = time.monotonic(), time.process_time(), _used_s()

    def check(self, *, after_s: float = 0.0) -> None:
        """Raise _BusyError if others have used too much, ``after_s`` from now."""
        time.sleep(after_s)
        if self.others() > _MOST_OTHERS:
            raise _BusyError

    def others(self) -> float:
        """The share of all processors that others have used."""
        wall_s = time.monotonic() - self._wall_s
        others_s = (_used_s() - self._all_s) - (time.process_time() - self._own_s)
        return others_s / max(wall_s, 1e-3) / (psutil.cpu_count() or 1)


def _used_s() -> float:
    """Processor time that this machine has spent on anything, by all processors."""
    times = psutil.cpu_times()
    idle_s = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "guest", 0.0)
    return float(sum(times) - idle_s - getattr(times, "guest_nice", 0.0))
