"""Measures how a model runs best on this machine; the results are stored (machine.py).

Number of threads: each candidate loads the model again, so this takes some seconds per number. It is done
when a model is installed, when its speed is measured, and when the app is idle with one that was never
measured.

Devices: whether a graphics card or the like is faster than the processor, with the same text. Each device
that ONNX Runtime supports is tried once per model, when that is installed or measured:

    the processor           time of each part, texts of the check speech
    each part on the device its time: kept if it is clearly less
    those parts together    texts of the check speech: kept only if they are the same

That a device has crashed the program during the trial is recorded beforehand.
"""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil

from handy_qwen import paths
from handy_qwen.convert.check_speech import RATE_HZ, CheckClip, load_check_speech
from handy_qwen.engine import default_threads, load_model
from handy_qwen.engine.api import Model, ModelPart, Placement
from handy_qwen.engine.qwen3.manifest import is_package, load_manifest
from handy_qwen.engine.qwen3.sessions import Device, devices_here, parts_for
from handy_qwen.errors import CheckSpeechError, EngineError
from handy_qwen.models.installed import VOICE_MODEL, InstalledModel, needed_memory
from handy_qwen.models.machine import THREADS, Choice, choice_of, keep_choice, remember, remembered

logger = logging.getLogger(__name__)
T = TypeVar("T")

_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_EQUAL = 1.05  # times that differ by less are equal
_CLIP_S, _TOKENS, _ROUNDS = 4.0, 12, 3
_LOOK_S = 1.0
_MOST_OTHERS = 0.15  # of all processors, used by others during a measurement
_measured: dict[Path, dict[int, float]] = {}  # before an interruption: not to be repeated


class _BusyError(Exception):
    """Others use the machine: measurements are useless now."""


def is_tuned(folder: Path) -> bool:
    """Whether the number of threads was measured for this model, machine and ONNX Runtime."""
    return remembered(folder, THREADS) is not None


def tune(folder: Path, on_step: Callable[[], None] = lambda: None) -> None:
    """Measure the best number of threads for the model in ``folder``, and store it.

    Nothing is stored if others use the machine meanwhile, or if the model does not fit into memory beside a
    loaded one. ``on_step`` is called between two measurements; an exception ends them. The next call
    continues where this one was interrupted.

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
    """The number of threads to use, of ``counts``, in ascending order.

    The search goes from ``usual`` in both directions, as long as it improves. Of equally fast numbers, the
    largest up to ``usual`` is taken: on a busy machine, where this cannot be measured, more threads than
    cores help (see MODEL.md).

    Args:
        seconds: Measures one.
        counts: The candidates.
        usual: The default without measurements.
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
    """The shortest of several times for a short clip of noise.

    Raises:
        _BusyError: Others used the machine.
    """
    on_step()
    model = load_model(folder, voice_model=paths.asset(VOICE_MODEL), threads=threads)
    noise, times = np.random.default_rng(threads), []
    try:
        for number in range(_ROUNDS + 1):
            on_step()
            samples = (0.05 * noise.standard_normal(int(_CLIP_S * RATE_HZ))).astype(np.float32)
            before = _Clock()
            took_s = model.measure(samples, _TOKENS).total_s
            before.check()
            if number:  # the first warms up
                times.append(took_s)
    finally:
        model.close()
    return min(times)


class _Clock:
    """Measures other programs' use of the machine."""

    def __init__(self) -> None:
        self._wall_s, self._own_s, self._all_s = time.monotonic(), time.process_time(), _used_s()

    def check(self, *, after_s: float = 0.0) -> None:
        """Raise _BusyError if others have used too much, once ``after_s`` have passed."""
        time.sleep(after_s)
        if self.others() > _MOST_OTHERS:
            raise _BusyError

    def others(self) -> float:
        """The share of all processors used by others."""
        wall_s = time.monotonic() - self._wall_s
        others_s = (_used_s() - self._all_s) - (time.process_time() - self._own_s)
        return others_s / max(wall_s, 1e-3) / (psutil.cpu_count() or 1)


def _used_s() -> float:
    """Processor time used on this machine by anything, summed over processors."""
    times = psutil.cpu_times()
    idle_s = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "guest", 0.0)
    return float(sum(times) - idle_s - getattr(times, "guest_nice", 0.0))


# ---- devices --------------------------------------------------------------------------------------------

_QUICKER = 0.8  # of the processor's time, or less: a tie should not keep a graphics card awake
_TRIAL_CLIP_S = 10.0
_SPEECH_S = 40.0
_WORDS = {ModelPart.ENCODER: "the encoder is", ModelPart.PREFILL: "reading the audio is"}
_ENDED = "The program crashed while the device was tried."


def is_trial_due(folder: Path) -> bool:
    """Whether there are devices that were not tried with the model in ``folder``.

    Raises:
        ModelMissingError, ModelCorruptError: It is a package, and damaged.
    """
    return bool(_candidates(folder)) and choice_of(folder) is None


def try_devices(folder: Path, threads: int) -> Choice:
    """Try the devices with the package in ``folder``, and store the result unless interrupted.

    ``threads`` are those of the processor's run, for comparison. EngineError: the model cannot be loaded or
    run on the processor.
    """
    keep_choice(folder, Choice("", frozenset(), _ENDED))
    try:
        choice = _Trial(folder, threads).choice()
    except BaseException:
        keep_choice(folder, None)
        raise
    logger.info("devices for %s: %s", folder.name, choice.why)
    keep_choice(folder, choice)
    return choice


def _candidates(folder: Path) -> list[tuple[Device, tuple[ModelPart, ...]]]:
    """The devices that may run parts of the package in ``folder``; none for other models."""
    if not (here := devices_here()) or not is_package(folder):
        return []
    manifest = load_manifest(folder)
    return [(device, parts) for device in here if (parts := parts_for(device, manifest))]


class _Trial:
    def __init__(self, folder: Path, threads: int) -> None:
        self._folder, self._threads = folder, threads
        self._failures: list[EngineError] = []  # on the latest device

    def choice(self) -> Choice:
        """The first device that is faster in something and gives the same text."""
        try:
            clips = load_check_speech()
        except CheckSpeechError as error:
            return Choice("", frozenset(), f"{error.title} Without it, no device is used.")
        times, texts = self._on(None, lambda model: (self._times(model), self._texts(model, clips)))
        if not any(texts):  # no text, which a faulty device would give as well
            why = "The model writes nothing of the check speech. Without it, no device is used."
            return Choice("", frozenset(), why)
        refusals = []
        for device, candidates in _candidates(self._folder):
            parts, why = self._quicker(device, candidates, times)
            if parts:
                found = self._on(self._placement(device, parts), lambda model: self._texts(model, clips))
                if not self._failures and found == texts:
                    return Choice(device.provider, parts, why)
                why = f"{device.title} writes other words than the processor."
                if self._failures:
                    why = self._failures[0].title
            refusals.append(why)
        return Choice("", frozenset(), " ".join(refusals))

    def _quicker(
        self, device: Device, candidates: Sequence[ModelPart], times: dict[ModelPart, float]
    ) -> tuple[frozenset[ModelPart], str]:
        """Those ``candidates`` that are faster on ``device``; in words, the gain, or why none are."""
        gains, problems = {}, []
        for part in candidates:
            found = self._on(self._placement(device, frozenset([part])), self._times)
            problems += [error.title for error in self._failures[:1]]
            if not self._failures and found[part] <= _QUICKER * times[part]:
                gains[part] = times[part] / max(found[part], 1e-6)
        if gains:
            said = " and ".join(f"{_WORDS[part]} {gain:.1f} times as fast" for part, gain in gains.items())
            return frozenset(gains), f"{device.title} is used: {said} as on the processor."
        return frozenset(), problems[0] if problems else f"{device.title} is no quicker than the processor."

    def _placement(self, device: Device, parts: frozenset[ModelPart]) -> Placement:
        self._failures = []
        return Placement(device.provider, parts, self._failures.append)

    def _on(self, placement: Placement | None, work: Callable[[Model], T]) -> T:
        """The result of ``work`` on the model, opened for it only."""
        voice_model = paths.asset(VOICE_MODEL)
        model = load_model(self._folder, voice_model=voice_model, threads=self._threads, placement=placement)
        try:
            return work(model)
        finally:
            model.close()

    def _times(self, model: Model) -> dict[ModelPart, float]:
        """Medians for ten seconds of noise, which take as long as speech."""
        rounds = []
        for number in range(_ROUNDS + 1):
            noise = 0.05 * np.random.default_rng(number).standard_normal(int(_TRIAL_CLIP_S * RATE_HZ))
            rounds.append(model.measure(noise.astype(np.float32), 2))
        del rounds[0]  # kernels are compiled in it
        return {
            ModelPart.ENCODER: statistics.median(one.encoder_s for one in rounds),
            ModelPart.PREFILL: statistics.median(one.prefill_s for one in rounds),
        }

    def _texts(self, model: Model, clips: list[CheckClip]) -> list[str]:
        """The texts of the check speech in the model's languages, as many as are enough."""
        texts, heard_s = [], 0.0
        for clip in clips:
            if clip.language in model.languages and heard_s < _SPEECH_S:
                heard_s += len(clip.samples) / RATE_HZ
                texts.append(model.transcribe(clip.samples).text)
        return texts
