"""Divides what is heard into passages, each short enough for one pass of the model.

Decisions are taken at fixed times of the audio (every 512 ms), each from what had been heard by then. They
are therefore the same whether the audio comes in live, in blocks of any size, or all at once from a file.

    silence, nobody has spoken yet      what lies long back is dropped
    a long pause after speech           the passage is closed there
    the passage has reached its limit   it is closed at the quietest place of its last part

Source: the search for the quietest place is that of split_audio_into_chunks in QwenLM/Qwen3-ASR.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handy_qwen.engine.backend import Float32
from handy_qwen.engine.features import SAMPLE_RATE
from handy_qwen.engine.vad import FRAME_SAMPLES, Segment, VoiceDetector

STEP_SAMPLES = 16 * FRAME_SAMPLES  # 512 ms
TAIL_SAMPLES = int(0.4 * SAMPLE_RATE)
"""Silence after the last word that the model gets to hear: it ends sentences with it."""
_LONG_PAUSE_SAMPLES = 20 * SAMPLE_RATE
_KEPT_LEAD_SAMPLES = 10 * SAMPLE_RATE  # the detector may have missed a faint beginning
_SETTLED_SAMPLES = SAMPLE_RATE // 2  # the detector may still change its mind about what is younger
_SEARCH_SAMPLES = 10 * SAMPLE_RATE
_BOX_SAMPLES = SAMPLE_RATE // 10


@dataclass(frozen=True, slots=True)
class Closed:
    """A finished passage: its samples, up to ``end`` of which (0: none) the model has to read."""

    samples: Float32
    end: int
    speech_s: float


class Splitter:
    """Takes samples in, gives closed passages out, and holds the open one."""

    def __init__(self, detector: VoiceDetector, *, limit_samples: int, trims_silence: bool) -> None:
        """Passages get at most ``limit_samples``; with ``trims_silence`` they end after the last word."""
        self._voice = detector.stream(kept_s=1.0)
        self._limit = limit_samples
        self._trims = trims_silence
        self._buffer = np.zeros(4 * SAMPLE_RATE, np.float32)
        self._start = 0  # of the open passage, in samples from the beginning of the take
        self._heard = 0  # samples taken in
        self._next_step = STEP_SAMPLES

    @property
    def heard_samples(self) -> int:
        """Samples taken in so far."""
        return self._heard

    @property
    def open_samples(self) -> Float32:
        """The open passage as far as the model has to read it now. Valid until the next ``feed``."""
        return self._buffer[: self._end_of(self._start, self._heard)]

    @property
    def is_at_rest(self) -> bool:
        """Whether the speaker pauses: more silence would not change ``open_samples``."""
        return self._trims and self._end_of(self._start, self._heard) < self._heard - self._start

    def feed(self, block: Float32) -> list[Closed]:
        """Take the next samples in; return the passages that ended in them."""
        closed = []
        while len(block):
            taken, block = np.split(block, [self._next_step - self._heard])
            self._append(taken)
            self._voice.feed(taken)
            if self._heard == self._next_step:
                self._next_step += STEP_SAMPLES
                closed += self._decide()
        return closed

    def finish(self) -> list[Closed]:
        """Nothing more will come: close what is open."""
        self._voice.finish()
        closed = []
        while self._heard - self._start > self._limit:
            closed.append(self._close(self._quiet_cut()))
        return [*closed, self._close(self._heard)]

    def speech_s(self) -> float:
        """Seconds of speech in the open passage."""
        return self._speech_s(self._start, self._heard)

    def _decide(self) -> list[Closed]:
        """Close or shorten the open passage, if it is time."""
        now, start = self._heard, self._start
        speech = self._speech(start, now)
        if not speech:
            if now - start > _LONG_PAUSE_SAMPLES:
                self._drop(now - _KEPT_LEAD_SAMPLES)
            return []
        if now - speech[-1].end > _LONG_PAUSE_SAMPLES:
            return [self._close(now - _KEPT_LEAD_SAMPLES)]
        if now - start >= self._limit:
            return [self._close(self._quiet_cut())]
        return []

    def _quiet_cut(self) -> int:
        """The quietest place near the limit: the lowest sum over 100 ms, and in it the smallest sample."""
        last = min(self._heard - self._start, self._limit) - _SETTLED_SAMPLES
        first = last - min(_SEARCH_SAMPLES, self._limit // 2)
        loudness = np.abs(self._buffer[first:last])
        sums = np.cumsum(np.concatenate(([0.0], loudness)))
        box = int(np.argmin(sums[_BOX_SAMPLES:] - sums[:-_BOX_SAMPLES]))
        return self._start + first + box + int(np.argmin(loudness[box : box + _BOX_SAMPLES]))

    def _close(self, cut: int) -> Closed:
        """End the passage at ``cut``, from which the next begins."""
        has_speech = bool(self._speech(self._start, cut))
        closed = Closed(
            samples=self._buffer[: cut - self._start].copy(),
            end=self._end_of(self._start, cut) if has_speech else 0,
            speech_s=self._speech_s(self._start, cut),
        )
        self._drop(cut)
        return closed

    def _end_of(self, start: int, until: int) -> int:
        """Samples of the passage from ``start`` to ``until`` that the model has to read."""
        speech = self._speech(start, until)
        if not self._trims or not speech:
            return 0 if self._trims else until - start
        return min(until, speech[-1].end + TAIL_SAMPLES) - start

    def _speech(self, start: int, until: int) -> list[Segment]:
        """Speech between ``start`` and ``until``, cut to them."""
        return [
            Segment(max(segment.start, start), min(segment.end, until))
            for segment in self._voice.segments()
            if segment.end > start and segment.start < until
        ]

    def _speech_s(self, start: int, until: int) -> float:
        return sum(segment.end - segment.start for segment in self._speech(start, until)) / SAMPLE_RATE

    def _append(self, samples: Float32) -> None:
        size = self._heard - self._start
        if size + len(samples) > len(self._buffer):
            larger = np.zeros(2 * (size + len(samples)), np.float32)
            larger[:size] = self._buffer[:size]
            self._buffer = larger
        self._buffer[size : size + len(samples)] = samples
        self._heard += len(samples)

    def _drop(self, new_start: int) -> None:
        """Forget what lies before ``new_start``, which is where the open passage begins now."""
        kept = self._buffer[new_start - self._start : self._heard - self._start].copy()
        self._buffer[: len(kept)] = kept
        self._start = new_start
