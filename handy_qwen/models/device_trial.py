"""Whether a graphics card or the like is quicker than the processor with a model, and writes the same.

Each device that ONNX Runtime was built for is tried once for each model, when that is installed or measured:

    the processor           time of each part, texts of the check speech
    each part on the device its time: kept if it is clearly less
    those parts together    texts of the check speech: kept only if they are the same

What came of it is remembered for this machine (placement.py): also that a device has ended the program while
it was tried, which is therefore noted before.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from handy_qwen import paths
from handy_qwen.convert.check_speech import RATE_HZ, CheckClip, load_check_speech
from handy_qwen.engine import load_model
from handy_qwen.engine.api import Model, Part, Placement
from handy_qwen.engine.qwen3.manifest import is_package, load_manifest
from handy_qwen.engine.qwen3.sessions import Device, devices_here, parts_for
from handy_qwen.errors import CheckSpeechError, EngineError
from handy_qwen.models.installed import VOICE_MODEL
from handy_qwen.models.placement import Choice, choice_of, keep_choice

logger = logging.getLogger(__name__)
T = TypeVar("T")

_QUICKER = 0.8  # of the processor's time, or less: for a tie, nobody should keep a graphics card awake
_CLIP_S, _ROUNDS = 10.0, 3
_SPEECH_S = 40.0
_WORDS = {Part.ENCODER: "the encoder is", Part.PREFILL: "reading the audio is"}
_ENDED = "The program crashed while the device was tried."


def is_trial_due(folder: Path) -> bool:
    """Whether there are devices here that were not tried with the model in ``folder``.

    Raises:
        ModelMissingError, ModelCorruptError: It is a package, and not whole.
    """
    return bool(_candidates(folder)) and choice_of(folder) is None


def try_devices(folder: Path, threads: int, on_step: Callable[[], None] = lambda: None) -> Choice:
    """Try the devices here with the package in ``folder``, and remember what came of it.

    Args:
        folder: The package.
        threads: Those of the processor that the devices are measured against.
        on_step: Called between two measurements. What it raises ends them; nothing is then remembered.

    Raises:
        EngineError: The model cannot be loaded or run on the processor.
    """
    keep_choice(folder, Choice("", frozenset(), _ENDED))
    try:
        choice = _Trial(folder, threads, on_step).choice()
    except BaseException:
        keep_choice(folder, None)
        raise
    logger.info("devices for %s: %s", folder.name, choice.why)
    keep_choice(folder, choice)
    return choice


def _candidates(folder: Path) -> list[tuple[Device, tuple[Part, ...]]]:
    """The devices here that may run parts of the package in ``folder``; none for other models."""
    if not (here := devices_here()) or not is_package(folder):
        return []
    manifest = load_manifest(folder)
    return [(device, parts) for device in here if (parts := parts_for(device, manifest))]


class _Trial:
    def __init__(self, folder: Path, threads: int, on_step: Callable[[], None]) -> None:
        self._folder, self._threads, self._on_step = folder, threads, on_step
        self._failures: list[EngineError] = []  # on the device that was placed last

    def choice(self) -> Choice:
        """The first device that is quicker in something and writes the same."""
        try:
            clips = load_check_speech()
        except CheckSpeechError as error:
            return Choice("", frozenset(), f"{error.title} Without it, no device is used.")
        times, texts = self._on(None, lambda model: (self._times(model), self._texts(model, clips)))
        if not any(texts):  # nothing, which a device that is wrong would write as well
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
        self, device: Device, candidates: Sequence[Part], times: dict[Part, float]
    ) -> tuple[frozenset[Part], str]:
        """Those ``candidates`` that are quicker on ``device``; in words, what is gained, or why none are."""
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

    def _placement(self, device: Device, parts: frozenset[Part]) -> Placement:
        self._failures = []
        return Placement(device.provider, parts, self._failures.append)

    def _on(self, placement: Placement | None, work: Callable[[Model], T]) -> T:
        """What ``work`` makes of the model, opened for it only."""
        self._on_step()
        voice_model = paths.asset(VOICE_MODEL)
        model = load_model(self._folder, voice_model=voice_model, threads=self._threads, placement=placement)
        try:
            return work(model)
        finally:
            model.close()

    def _times(self, model: Model) -> dict[Part, float]:
        """Medians for ten seconds of noise, which take as long as speech."""
        rounds = []
        for number in range(_ROUNDS + 1):
            self._on_step()
            noise = 0.05 * np.random.default_rng(number).standard_normal(int(_CLIP_S * RATE_HZ))
            rounds.append(model.measure(noise.astype(np.float32), 2))
        del rounds[0]  # in which kernels are compiled
        return {
            Part.ENCODER: statistics.median(one.encoder_s for one in rounds),
            Part.PREFILL: statistics.median(one.prefill_s for one in rounds),
        }

    def _texts(self, model: Model, clips: list[CheckClip]) -> list[str]:
        """What the model writes of the check speech in its languages, as much of it as is enough."""
        texts, heard_s = [], 0.0
        for clip in clips:
            if clip.language in model.languages and heard_s < _SPEECH_S:
                self._on_step()
                heard_s += len(clip.samples) / RATE_HZ
                texts.append(model.transcribe(clip.samples).text)
        return texts
