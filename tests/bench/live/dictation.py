"""One dictation in its own time, for measuring what is left to do when the key comes up.

A minute of dictation is not waited for: time that the engine would have been idle is skipped. The next
samples are fed as they would have come in while each run went on, and the key comes up in the middle of a run
if it would have. What is computed, and how long that takes, is real.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from handy_qwen.engine.api import Transcript
from handy_qwen.engine.qwen3.features import SAMPLE_RATE
from handy_qwen.engine.qwen3.live import LiveTranscription
from handy_qwen.engine.qwen3.model import Float32

_BLOCK_SAMPLES = 512


@dataclass(frozen=True, slots=True)
class Dictation:
    """What a dictation took.

    ``left_s`` are the seconds from its end to the text: ``waiting_s`` of them for a run that was under way,
    ``stages_s`` for each stage. Over its length, the engine was ``busy`` for a share of the time and kept so
    many ``processors`` at work.
    """

    transcript: Transcript
    left_s: float
    waiting_s: float
    stages_s: dict[str, float]
    busy: float
    processors: float


def dictate(live: LiveTranscription, clock: Clock, clip: Float32) -> Dictation:
    """Dictate ``clip`` as it would be spoken, to a model whose runs ``clock`` does."""
    clock.start(live, clip)
    busy_s, processor_s = 0.0, time.process_time()
    while clock.left_s > 0:
        begin, before_s = time.perf_counter(), clock.now_s
        has_more = live.advance()
        took_s = time.perf_counter() - begin
        busy_s += took_s
        clock.go_on(max(0.0, took_s - (clock.now_s - before_s)))  # what was not in a run
        if not has_more and clock.left_s > 0:
            clock.go_on(min(_BLOCK_SAMPLES / SAMPLE_RATE, clock.left_s + 1e-6))
    late_s = -clock.left_s
    processor_s = time.process_time() - processor_s
    live.stop_drafting()
    clock.stop()
    begin = time.perf_counter()
    transcript = live.finish()
    left_s, clip_s = late_s + time.perf_counter() - begin, len(clip) / SAMPLE_RATE
    stages_s = clock.stages_s.copy()
    return Dictation(transcript, left_s, late_s, stages_s, busy_s / clip_s, processor_s / clip_s)


class Clock:
    """The time of a dictation: goes on as runs take time, or is put forward. Feeds what was said by then."""

    def __init__(self) -> None:
        self._live: LiveTranscription | None = None
        self._samples = np.zeros(0, np.float32)
        self.now_s = 0.0
        self.stages_s: dict[str, float] = {}  # of the runs since nobody speaks any more

    def start(self, live: LiveTranscription, samples: Float32) -> None:
        """Begin a dictation of ``samples``."""
        self._live, self._samples, self.now_s, self._fed = live, samples, 0.0, 0

    def stop(self) -> None:
        """Nobody speaks any more."""
        self._live = None
        self.stages_s.clear()

    @property
    def left_s(self) -> float:
        """Until the key comes up."""
        return len(self._samples) / SAMPLE_RATE - self.now_s

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        assert self._live is not None, "started before"
        self.now_s += seconds
        end = min(int(self.now_s * SAMPLE_RATE), len(self._samples))
        for first in range(self._fed, end, _BLOCK_SAMPLES):
            self._live.feed(self._samples[first : min(first + _BLOCK_SAMPLES, end)])
        self._fed = end

    def run(self, stage: str, work: Callable[[], Float32]) -> Float32:
        """Do ``work`` while time passes; the key may come up meanwhile."""
        if self._live is None:
            begin = time.perf_counter()
            try:
                return work()
            finally:
                took_s = time.perf_counter() - begin
                self.stages_s[stage] = self.stages_s.get(stage, 0.0) + took_s
        release = threading.Timer(max(0.0, self.left_s), self._live.stop_drafting)
        release.start()
        begin = time.perf_counter()
        try:
            return work()
        finally:
            release.cancel()
            self.go_on(time.perf_counter() - begin)
