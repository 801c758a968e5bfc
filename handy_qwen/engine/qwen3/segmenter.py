"""Divides a take into segments, each short enough for one run of the model.

Decisions are made at fixed times of the audio (every 512 ms), each from what was heard by then. They are
therefore the same whether the audio comes in live, in blocks of any size, or all at once from a file.

    silence before the first word       old silence is dropped
    a pause after speech                the segment is cut there; a long one is cut at shorter pauses
    the segment has reached its limit   it is cut at the quietest place of its last part
    the model lost its place in it      it is divided in two at the quietest place of its middle

The audio after the last word is left out where it is silent, but not where there is noise.

Short segments let a dictation of any length end as fast as a short one: all words of a segment are verified
when it ends. A long pause usually ends a sentence; a short one may not, and the model would put a full stop
there.

Source: the search for the quietest place is that of split_audio_into_chunks in QwenLM/Qwen3-ASR.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handy_qwen.engine.qwen3.features import SAMPLE_RATE, Float32
from handy_qwen.engine.qwen3.vad import FRAME_SAMPLES, TrailingNoise, VoiceStream

STEP_SAMPLES = 16 * FRAME_SAMPLES  # 512 ms
TAIL_SAMPLES = 8 * FRAME_SAMPLES
"""Silence after the last word that the model reads (256 ms): it helps to end sentences."""
_LONG_PAUSE_SAMPLES = 20 * SAMPLE_RATE
_PAUSES = (  # (length of a segment, pause that ends it), in samples
    (15 * SAMPLE_RATE, SAMPLE_RATE),
    (25 * SAMPLE_RATE, SAMPLE_RATE * 7 // 10),
    (40 * SAMPLE_RATE, SAMPLE_RATE * 4 // 10),
)
_KEPT_LEAD_SAMPLES = 10 * SAMPLE_RATE  # the detector may have missed a faint beginning
_UNSETTLED_SAMPLES = SAMPLE_RATE // 2  # the verdict on anything more recent may change
_SEARCH_SAMPLES = 10 * SAMPLE_RATE
_BOX_SAMPLES = SAMPLE_RATE // 10
_MIN_BUFFER_SAMPLES = 4 * SAMPLE_RATE
_GAP_SAMPLES = 2 * FRAME_SAMPLES
_CLEAR_SAMPLES = 6 * FRAME_SAMPLES  # of a voice: 192 ms; the shortest word lasts some 200
_MIN_DIVIDED_SAMPLES = 4 * SAMPLE_RATE
"""A shorter segment is not divided: its parts would be single words, which a model hears worse than a
sentence, and its length has not misled the model."""


@dataclass(frozen=True, slots=True)
class ClosedSegment:
    """A finished segment. The model has to read its first ``end`` samples (0: none).

    ``start`` is its position in the take, in samples. ``is_unsure``: the detector took it for speech, but was
    sure of no word.
    """

    start: int
    samples: Float32
    end: int
    speech_s: float
    is_unsure: bool


class Segmenter:
    """Takes samples in, returns closed segments, and holds the open one."""

    def __init__(self, voice: VoiceStream, *, limit_samples: int, trims_silence: bool) -> None:
        """Segments have at most ``limit_samples``; with ``trims_silence`` they also end at pauses."""
        self._voice = voice
        self._noise = TrailingNoise()
        self._noise_end = 0  # of the last noise after speech, in samples of the take
        self._limit = limit_samples
        self._trims = trims_silence
        self._buffer = np.zeros(_MIN_BUFFER_SAMPLES, np.float32)
        self.start = 0  # of the open segment, in samples of the take
        self.heard = 0  # samples received
        self._next_step = STEP_SAMPLES

    @property
    def where(self) -> tuple[int, int]:
        """The open segment, with the silence after it, in samples of the take."""
        return self.start, self.heard

    @property
    def open_samples(self) -> Float32:
        """The part of the open segment to read now; only grows. Valid until the next ``feed``."""
        return self._buffer[: self._open_end()]

    @property
    def is_at_rest(self) -> bool:
        """Whether the speaker pauses: more silence would not change ``open_samples``."""
        return self._trims and 0 < self._open_end() < self._size

    @property
    def is_in_gap(self) -> bool:
        """Whether some frames had no voice: the speaker may continue at once, or pause."""
        return self._trims and not self.is_at_rest and self._pause() >= _GAP_SAMPLES

    def feed(self, block: Float32) -> list[ClosedSegment]:
        """Add samples; return the segments that ended in them."""
        closed = []
        while len(block):
            taken, block = np.split(block, [FRAME_SAMPLES - self.heard % FRAME_SAMPLES])
            self._append(taken)
            self._voice.feed(taken)
            if self.heard % FRAME_SAMPLES == 0:
                self._judge_frame()
            if self.heard == self._next_step:
                self._next_step += STEP_SAMPLES
                if (cut := self._cut()) is not None:
                    closed.append(self._close(cut))
        return closed

    def finish(self) -> list[ClosedSegment]:
        """Close the open segment: no more samples follow."""
        self._voice.finish()
        closed = []
        while self._size > self._limit:
            closed.append(self._close(self._quietest()))
        return [*closed, self._close(self.heard)]

    def speech_s(self, first: int, until: int) -> float:
        """Seconds of speech between these samples of the take."""
        return sum(end - begin for begin, end in self.speech(first, until)) / SAMPLE_RATE

    def is_unsure(self, first: int, until: int) -> bool:
        """Whether the detector was sure of no word between these samples of the take."""
        return self._voice.clear_samples(first, until) < _CLEAR_SAMPLES

    def speech(self, first: int, until: int) -> list[tuple[int, int]]:
        """Speech (start, end) in this range, in samples of the take. Scans all of it."""
        return [
            (max(span.start, first), min(span.end, until))
            for span in self._voice.spans()
            if span.end > first and span.start < until
        ]

    def divided(self, closed: ClosedSegment) -> list[ClosedSegment]:
        """A segment of this take as two, cut at the quietest place of its middle; empty if it is too short.

        Both are read to their ends, even where nobody seems to speak: the model was to read them anyway.
        """
        if closed.end < _MIN_DIVIDED_SAMPLES:
            return []
        cut = _quietest(closed.samples, closed.end // 3, closed.end - closed.end // 3)
        middle = closed.start + cut
        return [
            self._closed(closed.start, closed.samples[:cut], cut),
            self._closed(middle, closed.samples[cut:], closed.end - cut),
        ]

    @property
    def _size(self) -> int:
        return self.heard - self.start

    def _judge_frame(self) -> None:
        """Check the frame just completed for noise (the rest of it, if a segment began inside)."""
        frame = self._buffer[max(0, self._size - FRAME_SAMPLES) : self._size]
        is_speech = self._voice.speech_end_samples == self.heard
        if self._noise.push(frame, is_speech=is_speech):
            self._noise_end = self.heard

    def _cut(self) -> int | None:
        """Where to cut the open segment now, if at all. Drops old silence before the first word."""
        if not self._has_speech():
            if self._size > _LONG_PAUSE_SAMPLES:
                self._drop(self.heard - _KEPT_LEAD_SAMPLES)
            return None
        pause = self._pause()
        if pause > _LONG_PAUSE_SAMPLES:
            return self.heard - _KEPT_LEAD_SAMPLES
        spoken = self._size - pause
        if self._trims and any(spoken >= length and pause >= enough for length, enough in _PAUSES):
            return self.heard - pause + TAIL_SAMPLES
        return self._quietest() if self._size >= self._limit else None

    def _has_speech(self) -> bool:
        return self._voice.speech_end_samples > self.start

    def _pause(self) -> int:
        """Samples of silence since the last speech of the open segment, or since the noise after it."""
        if not self._has_speech():
            return 0
        return self.heard - max(self._voice.speech_end_samples, self._noise_end)

    def _open_end(self) -> int:
        """Samples of the open segment that the model has to read."""
        if not self._trims:
            return self._size
        return min(self._size, self._size - self._pause() + TAIL_SAMPLES) if self._has_speech() else 0

    def _quietest(self) -> int:
        """The quietest place near the limit."""
        last = min(self._size, self._limit) - _UNSETTLED_SAMPLES
        first = last - min(_SEARCH_SAMPLES, self._limit // 2)
        return self.start + _quietest(self._buffer, first, last)

    def _close(self, cut: int) -> ClosedSegment:
        speech, size = self.speech(self.start, cut), cut - self.start
        end = size if speech else 0
        if speech and self._trims:
            end = min(size, max(speech[-1][1], self._noise_end) + TAIL_SAMPLES - self.start)
        closed = self._closed(self.start, self._buffer[:size].copy(), end)
        self._drop(cut)
        return closed

    def _closed(self, start: int, samples: Float32, end: int) -> ClosedSegment:
        where = start, start + len(samples)
        return ClosedSegment(start, samples, end, self.speech_s(*where), self.is_unsure(*where))

    def _append(self, samples: Float32) -> None:
        size = self._size
        if size + len(samples) > len(self._buffer):
            self._move(0, 2 * (size + len(samples)))
        self._buffer[size : size + len(samples)] = samples
        self.heard += len(samples)

    def _drop(self, new_start: int) -> None:
        """Drop what is before ``new_start``, where the open segment now begins."""
        self._move(new_start - self.start, max(2 * (self.heard - new_start), _MIN_BUFFER_SAMPLES))
        self.start = new_start

    def _move(self, first: int, capacity: int) -> None:
        """Copy the open samples from number ``first`` on into a new buffer."""
        kept = self._buffer[first : self._size]
        self._buffer = np.zeros(capacity, np.float32)
        self._buffer[: len(kept)] = kept


def _quietest(samples: Float32, first: int, last: int) -> int:
    """The quietest place in the range: the lowest sum over 100 ms, and in it the smallest sample."""
    loudness = np.abs(samples[first:last])
    sums = np.cumsum(np.concatenate(([0.0], loudness)))
    box = int(np.argmin(sums[_BOX_SAMPLES:] - sums[:-_BOX_SAMPLES]))
    return first + box + int(np.argmin(loudness[box : box + _BOX_SAMPLES]))
