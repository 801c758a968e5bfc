"""Voice activity detection (Silero VAD), and whether the audio after the last word is silence.

    samples --frames of 512--> [64 of the last frame | 512], original and amplified --Silero, batch of 2-->
            the higher probability per 32 ms --hysteresis--> spans (start, end) in samples

The detector only describes the audio and never cuts it: a wrong decision must lose no word. The thresholds
therefore prefer false alarms.

Silero is unsure about faint voices: a digit spoken at a peak of 0.06 scores 0.5, at 0.006 as little as noise.
So it gets the audio as it is and amplified to the peak of a clear voice, by at most 40 dB; either may be
speech. (Amplified audio alone is not enough: after amplified film music, a voice was not detected.) Noise
stays noise at any level: recorded and synthetic noise scored below 0.1. The peak is remembered for some
seconds and never looks ahead, so the result depends on the samples alone, not on their division into blocks.

Threads: a VoiceStream belongs to one thread.
Source: silero-vad 6.2.3 (MIT), OnnxWrapper; see assets/vad/README.md for the tensors.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from handy_qwen.engine.api import Cancel
from handy_qwen.engine.qwen3.features import SAMPLE_RATE, Float32
from handy_qwen.engine.qwen3.sessions import run
from handy_qwen.errors import AudioFormatError
from handy_qwen.message import Message

if TYPE_CHECKING:
    import onnxruntime

FRAME_SAMPLES = 512
CONTEXT_SAMPLES = 64

ONSET_PROBABILITY = 0.3  # speech begins with ONSET_FRAMES frames of at least this
ONSET_FRAMES = 2  # one frame alone is a click; the shortest word lasts some 200 ms
RELEASE_PROBABILITY = 0.15  # while speaking, a frame of at least this is speech
HANGOVER_FRAMES = 6  # 192 ms: a shorter gap is inside a word or between two

CLEAR_PROBABILITY = 0.5  # of a frame that is almost certainly a voice; Silero's own threshold

_CLEAR_PEAK = 0.25
_MAX_GAIN = 100.0  # 40 dB: beyond it, there is only 16-bit quantization noise
_PEAK_HALF_LIFE_S = 2.0
_PEAK_DECAY = 0.5 ** (FRAME_SAMPLES / SAMPLE_RATE / _PEAK_HALF_LIFE_S)
_STATE_SHAPE = (2, 2, 128)  # the second: the original audio, the amplified audio

LOUD_SHARE = 0.25
"""Relative to the speaker's mean amplitude (-12 dB): louder sound is not silence. A fan stays below."""
_NOISE_FRAMES, _LOUD_FRAMES = 8, 6  # this many of the last 256 ms must be loud; a click is shorter


class SpeechSpan(NamedTuple):
    """A span of speech, in samples from the beginning; ``end`` is the first sample after it."""

    start: int
    end: int


class VoiceStream:
    """Speech in 16 kHz audio that is still coming in.

    Only whole frames are judged: up to 511 samples (32 ms) wait for the next block, or for ``finish``.
    ``session`` runs the Silero model with a single thread.
    """

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._rate = np.array(SAMPLE_RATE, np.int64)
        self._state = np.zeros(_STATE_SHAPE, np.float32)
        self._window = np.zeros((1, CONTEXT_SAMPLES + FRAME_SAMPLES), np.float32)  # before the gain
        self._waiting = np.zeros(0, np.float32)  # less than a frame
        self._never = Cancel()  # a frame takes a quarter of a millisecond
        self._peak = 0.0
        self._fed_samples = 0
        self._is_finished = False
        self._hysteresis = _Hysteresis()

    def feed(self, block: Float32) -> None:
        """Judge the next samples: shape (n,), float32 in [-1, 1], 16 kHz; any n.

        AudioFormatError: ``block`` is something else, or holds values that are not numbers.
        """
        if self._is_finished:
            raise ValueError("the stream is finished")
        if block.ndim != 1 or block.dtype != np.float32:
            raise AudioFormatError(
                Message(
                    "Speech is looked for in float32 (n,), not {dtype} {shape}.",
                    dtype=block.dtype,
                    shape=block.shape,
                )
            )
        self._fed_samples += block.size
        samples = np.concatenate((self._waiting, block)) if self._waiting.size else block
        end = samples.size - samples.size % FRAME_SAMPLES
        for start in range(0, end, FRAME_SAMPLES):
            self._judge(samples[start : start + FRAME_SAMPLES])
        self._waiting = samples[end:].copy()  # the caller may use the block's memory again

    def finish(self) -> None:
        """Judge the remaining samples: no more follow. Safe to call twice."""
        if self._waiting.size:
            self._judge(np.pad(self._waiting, (0, FRAME_SAMPLES - self._waiting.size)))
            self._waiting = self._waiting[:0]
        self._is_finished = True

    @property
    def speech_end_samples(self) -> int:
        """Where the last speech so far ends, in samples; 0 if there was none."""
        return min(self._hysteresis.end_frame * FRAME_SAMPLES, self._fed_samples)

    def spans(self) -> list[SpeechSpan]:
        """All speech so far, in order and without overlap; the last one may still grow."""
        return [
            SpeechSpan(start * FRAME_SAMPLES, min(end * FRAME_SAMPLES, self._fed_samples))
            for start, end in self._hysteresis.spans()
        ]

    def clear_samples(self, start: int, end: int) -> int:
        """How many of the samples from ``start`` to ``end`` are almost certainly a voice.

        Words heard at a distance or in equally loud noise have 256 ms and more. Music, or a tone that swells
        like a voice, can pass the other thresholds, which are made not to miss words; it had 64 ms at most.
        """
        return FRAME_SAMPLES * self._hysteresis.clear_frames(start // FRAME_SAMPLES, -(-end // FRAME_SAMPLES))

    def _judge(self, frame: Float32) -> None:
        """Run the model on a frame. Shape (512,)."""
        window = self._window
        window[0, :CONTEXT_SAMPLES] = window[0, -CONTEXT_SAMPLES:]
        window[0, CONTEXT_SAMPLES:] = frame
        both = np.concatenate((window, window * self._gain(frame)))  # (2, 576)
        feeds = {"input": both, "state": self._state, "sr": self._rate}
        output, self._state = run(self._session, feeds, self._never, ("output", "stateN"))
        self._hysteresis.push(float(output.max()))  # of (2, 1)

    def _gain(self, frame: Float32) -> np.float32:
        """The factor that amplifies faint sound to the level of a clear voice; 1 for loud sound."""
        peak = float(np.abs(frame).max())
        if not np.isfinite(peak):  # one such value would make every later probability NaN
            raise AudioFormatError(Message("The sound holds values that are not numbers."))
        self._peak = max(peak, self._peak * _PEAK_DECAY)
        if self._peak * _MAX_GAIN <= _CLEAR_PEAK:
            return np.float32(_MAX_GAIN)
        return np.float32(max(_CLEAR_PEAK / self._peak, 1.0))


class _Hysteresis:
    def __init__(self) -> None:
        self.end_frame = 0  # the one after the last frame of speech
        self._is_speaking = False
        self._frames = 0
        self._start_frame = 0  # of the current span, while speaking
        self._above_release = 0  # consecutive frames up to now
        self._above_onset = 0
        self._closed: list[tuple[int, int]] = []
        self._clear = array("L")  # numbers of frames, ascending

    def push(self, probability: float) -> None:
        if probability >= CLEAR_PROBABILITY:
            self._clear.append(self._frames)
        self._frames += 1
        self._above_release = self._above_release + 1 if probability >= RELEASE_PROBABILITY else 0
        self._above_onset = self._above_onset + 1 if probability >= ONSET_PROBABILITY else 0
        if self._is_speaking:
            if self._above_release:
                self.end_frame = self._frames
            elif self._frames - self.end_frame >= HANGOVER_FRAMES:
                self._closed.append((self._start_frame, self.end_frame))
                self._is_speaking = False
        elif self._above_onset >= ONSET_FRAMES:
            self._is_speaking = True
            self._start_frame = self._frames - self._above_release  # with the quiet beginning of the word
            self.end_frame = self._frames

    def clear_frames(self, first: int, end: int) -> int:
        return bisect_left(self._clear, end) - bisect_left(self._clear, first)

    def spans(self) -> list[tuple[int, int]]:
        """Every (first frame, frame after the last) so far, including the current one."""
        return [*self._closed, (self._start_frame, self.end_frame)] if self._is_speaking else [*self._closed]


class TrailingNoise:
    """Whether lasting noise, which might be words that the detector missed, follows the last word.

    A detector can miss a voice behind music; in silence there is none to miss.
    """

    def __init__(self) -> None:
        self._speech_energy = 0.0  # sum over the frames with speech
        self._speech_frames = 0
        self._loud: deque[bool] = deque(maxlen=_NOISE_FRAMES)

    def push(self, frame: Float32, *, is_speech: bool) -> bool:
        """Add a frame, of shape (n,), n >= 1; return whether there is noise up to its end."""
        energy = float(np.dot(frame, frame)) / len(frame)
        if is_speech:
            self._speech_energy += energy
            self._speech_frames += 1
            self._loud.clear()
            return False
        level = self._speech_energy / max(self._speech_frames, 1)
        self._loud.append(self._speech_frames > 0 and energy > LOUD_SHARE**2 * level)
        return sum(self._loud) >= _LOUD_FRAMES
