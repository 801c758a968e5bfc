"""Divides what is heard into passages, each short enough for one pass of the model.

Decisions are taken at fixed times of the audio (every 512 ms), each from what had been heard by then. They
are therefore the same whether the audio comes in live, in blocks of any size, or all at once from a file.

    silence, nobody has spoken yet      what lies long back is dropped
    a pause after speech                the passage is closed there; a long one ends at shorter pauses
    the passage has reached its limit   it is closed at the quietest place of its last part

What follows the last word is left out where it is quiet, not where there is noise (see noise.py).

Short passages are what lets a dictation of any length end as quickly as a short one: all of a passage's words
are checked when it ends. A long pause is the end of a sentence, mostly; a short one may be none, and the
model would put a full stop there.

Source: the search for the quietest place is that of split_audio_into_chunks in QwenLM/Qwen3-ASR.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handy_qwen.engine.qwen3.features import SAMPLE_RATE
from handy_qwen.engine.qwen3.model import Float32
from handy_qwen.engine.qwen3.vad import FRAME_SAMPLES, TrailingNoise, VoiceDetector

STEP_SAMPLES = 16 * FRAME_SAMPLES  # 512 ms
TAIL_SAMPLES = 8 * FRAME_SAMPLES
"""Silence after the last word that the model gets to hear (256 ms): it ends sentences with it."""
_LONG_PAUSE_SAMPLES = 20 * SAMPLE_RATE
_PAUSES = (  # (length of a passage, pause that ends it), in samples
    (15 * SAMPLE_RATE, SAMPLE_RATE),
    (25 * SAMPLE_RATE, SAMPLE_RATE * 7 // 10),
    (40 * SAMPLE_RATE, SAMPLE_RATE * 4 // 10),
)
_KEPT_LEAD_SAMPLES = 10 * SAMPLE_RATE  # the detector may have missed a faint beginning
_UNSETTLED_SAMPLES = SAMPLE_RATE // 2  # the detector may still change its mind about what is younger
_SEARCH_SAMPLES = 10 * SAMPLE_RATE
_BOX_SAMPLES = SAMPLE_RATE // 10
_LEAST_BUFFER_SAMPLES = 4 * SAMPLE_RATE
_GAP_SAMPLES = 2 * FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class ClosedSegment:
    """A finished passage: its samples, up to ``end`` of which (0: none) the model has to read.

    ``start`` tells where in the take it begins, in samples.
    """

    start: int
    samples: Float32
    end: int
    speech_s: float


class Segmenter:
    """Takes samples in, gives closed passages out, and holds the open one."""

    def __init__(self, detector: VoiceDetector, *, limit_samples: int, trims_silence: bool) -> None:
        """Passages get at most ``limit_samples``.

        With ``trims_silence`` they end after the last word, and at pauses.
        """
        self._voice = detector.stream(kept_s=1.0)
        self._noise = TrailingNoise()
        self._noise_end = 0  # of the last noise after speech, in samples from the beginning of the take
        self._limit = limit_samples
        self._trims = trims_silence
        self._buffer = np.zeros(_LEAST_BUFFER_SAMPLES, np.float32)
        self._start = 0  # of the open passage, in samples from the beginning of the take
        self._heard = 0  # samples taken in
        self._next_step = STEP_SAMPLES

    @property
    def heard_samples(self) -> int:
        """Samples taken in so far."""
        return self._heard

    @property
    def open_samples(self) -> Float32:
        """The open passage as far as the model has to read it now. Valid until the next ``feed``.

        Never shorter than before, unless the passage was closed meanwhile.
        """
        return self._buffer[: self._open_end()]

    @property
    def is_at_rest(self) -> bool:
        """Whether the speaker pauses: more silence would not change ``open_samples``."""
        return self._trims and 0 < self._open_end() < self._heard - self._start

    @property
    def is_in_gap(self) -> bool:
        """Whether it is open if the speaker goes on at once or pauses: some frames without a voice."""
        return self._trims and not self.is_at_rest and self._pause() >= _GAP_SAMPLES

    def feed(self, block: Float32) -> list[ClosedSegment]:
        """Take the next samples in; return the passages that ended in them."""
        closed = []
        while len(block):
            taken, block = np.split(block, [FRAME_SAMPLES - self._heard % FRAME_SAMPLES])
            self._append(taken)
            self._voice.feed(taken)
            if self._heard % FRAME_SAMPLES == 0:
                self._judge_frame()
            if self._heard == self._next_step:
                self._next_step += STEP_SAMPLES
                closed += self._decide()
        return closed

    def finish(self) -> list[ClosedSegment]:
        """Nothing more will come: close what is open."""
        self._voice.finish()
        closed = []
        while self._heard - self._start > self._limit:
            closed.append(self._close(self._quiet_cut()))
        return [*closed, self._close(self._heard)]

    def speech_s(self) -> float:
        """Seconds of speech in the open passage."""
        return sum(end - start for start, end in self._speech(self._heard)) / SAMPLE_RATE

    def _judge_frame(self) -> None:
        """Look at the frame that has just become whole (what is left of it, if a passage began inside)."""
        size = self._heard - self._start
        frame = self._buffer[max(0, size - FRAME_SAMPLES) : size]
        is_speech = self._voice.speech_end_samples == self._heard
        if self._noise.push(frame, is_speech=is_speech):
            self._noise_end = self._heard

    def _decide(self) -> list[ClosedSegment]:
        """Close or shorten the open passage, if it is time."""
        now, start = self._heard, self._start
        if not self._has_speech():
            if now - start > _LONG_PAUSE_SAMPLES:
                self._drop(now - _KEPT_LEAD_SAMPLES)
            return []
        pause, spoken = self._pause(), now - start - self._pause()
        if pause > _LONG_PAUSE_SAMPLES:
            return [self._close(now - _KEPT_LEAD_SAMPLES)]
        if self._trims and any(spoken >= length and pause >= enough for length, enough in _PAUSES):
            return [self._close(now - pause + TAIL_SAMPLES)]
        if now - start >= self._limit:
            return [self._close(self._quiet_cut())]
        return []

    def _has_speech(self) -> bool:
        """Whether there is any in the open passage."""
        return self._voice.speech_end_samples > self._start

    def _pause(self) -> int:
        """Samples of silence since the last speech of the open passage, or since the noise behind it."""
        return self._heard - self._sound_end(self._voice.speech_end_samples) if self._has_speech() else 0

    def _sound_end(self, speech_end: int) -> int:
        """Where silence begins behind speech that ended at ``speech_end``."""
        return max(speech_end, self._noise_end)

    def _open_end(self) -> int:
        """Samples of the open passage that the model has to read."""
        size = self._heard - self._start
        if not self._trims:
            return size
        return min(size, size - self._pause() + TAIL_SAMPLES) if self._has_speech() else 0

    def _quiet_cut(self) -> int:
        """The quietest place near the limit: the lowest sum over 100 ms, and in it the smallest sample."""
        last = min(self._heard - self._start, self._limit) - _UNSETTLED_SAMPLES
        first = last - min(_SEARCH_SAMPLES, self._limit // 2)
        loudness = np.abs(self._buffer[first:last])
        sums = np.cumsum(np.concatenate(([0.0], loudness)))
        box = int(np.argmin(sums[_BOX_SAMPLES:] - sums[:-_BOX_SAMPLES]))
        return self._start + first + box + int(np.argmin(loudness[box : box + _BOX_SAMPLES]))

    def _close(self, cut: int) -> ClosedSegment:
        """End the passage at ``cut``, from which the next begins."""
        speech, size = self._speech(cut), cut - self._start
        end = size if speech else 0
        if speech and self._trims:
            end = min(size, self._sound_end(speech[-1][1]) + TAIL_SAMPLES - self._start)
        speech_s = sum(end - start for start, end in speech) / SAMPLE_RATE
        closed = ClosedSegment(self._start, self._buffer[:size].copy(), end, speech_s)
        self._drop(cut)
        return closed

    def _speech(self, until: int) -> list[tuple[int, int]]:
        """Speech (start, end) in the open passage up to ``until``. Looks through all of the take."""
        return [
            (max(segment.start, self._start), min(segment.end, until))
            for segment in self._voice.segments()
            if segment.end > self._start and segment.start < until
        ]

    def _append(self, samples: Float32) -> None:
        size = self._heard - self._start
        if size + len(samples) > len(self._buffer):
            self._move(0, 2 * (size + len(samples)))
        self._buffer[size : size + len(samples)] = samples
        self._heard += len(samples)

    def _drop(self, new_start: int) -> None:
        """Forget what lies before ``new_start``, which is where the open passage begins now."""
        kept = self._heard - new_start
        self._move(new_start - self._start, max(2 * kept, _LEAST_BUFFER_SAMPLES))
        self._start = new_start

    def _move(self, first: int, room: int) -> None:
        """Put the open samples from number ``first`` on into a new buffer of ``room`` samples."""
        kept = self._buffer[first : self._heard - self._start]
        self._buffer = np.zeros(room, np.float32)
        self._buffer[: len(kept)] = kept
