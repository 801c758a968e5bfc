"""Where somebody speaks, told by Silero VAD on a session of our own.

    samples --frames of 512--> [64 of the frame before | 512], as it is and raised --Silero, batch of 2-->
            the higher probability per 32 ms --hysteresis--> segments (start, end) in samples

This is knowledge about the audio and never cuts it: a detector that is wrong must cost nobody a word.
For that reason the thresholds lean towards hearing too much.

Silero is unsure about faint voices: a digit spoken at a peak of 0.06 scores 0.5, at 0.006 it scores as
little as noise does. So it listens twice, to the sound as it is and to the sound raised to the peak of
a clear voice, by at most 40 dB; either may hear speech. (Raised alone will not do: film music that was
raised made it deaf to the voice that followed.) Noise stays noise at any level: recorded and synthetic
noise scored below 0.1. The peak is remembered for some seconds and never looks ahead, so the result
depends on the samples alone and not on how they were cut into blocks.

Threads: a VoiceStream belongs to one thread. Streams of one detector may run side by side.
Source: silero-vad 6.2.3 (MIT), OnnxWrapper; see assets/vad/README.md for the tensors.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from handy_qwen.engine.qwen3.features import SAMPLE_RATE
from handy_qwen.engine.qwen3.sessions import Cancel, run
from handy_qwen.errors import AudioFormatError

if TYPE_CHECKING:
    import onnxruntime
from handy_qwen.engine.qwen3.model import Float32

FRAME_SAMPLES = 512
CONTEXT_SAMPLES = 64

ONSET_PROBABILITY = 0.3  # speech begins with ONSET_FRAMES frames of at least this
ONSET_FRAMES = 2  # one frame alone is a click; the shortest word lasts some 200 ms
RELEASE_PROBABILITY = 0.15  # while speaking, a frame of at least this is speech
HANGOVER_FRAMES = 6  # 192 ms: a shorter gap lies inside a word or between two

_CLEAR_PEAK = 0.25
_MAX_GAIN = 100.0  # 40 dB: beyond it, 16-bit rounding is all there is to hear
_PEAK_HALF_LIFE_S = 2.0
_PEAK_DECAY = 0.5 ** (FRAME_SAMPLES / SAMPLE_RATE / _PEAK_HALF_LIFE_S)
_LISTENERS = 2  # to the sound as it is, to the raised sound
_STATE_SHAPE = (2, _LISTENERS, 128)

Samples = npt.NDArray[np.float32]


class SpeechSpan(NamedTuple):
    """A stretch of speech, in samples from the beginning; ``end`` is the first sample after it."""

    start: int
    end: int


class VoiceDetector:
    """Finds speech in 16 kHz audio. ``session`` is one of the Silero model, with a single thread."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    def stream(self, kept_s: float = 60.0) -> VoiceStream:
        """Begin to listen. ``kept_s``: for how long probabilities are kept; segments all are."""
        return VoiceStream(self._session, kept_s)

    def detect(self, samples: Samples) -> list[SpeechSpan]:
        """All speech in ``samples``. Shape (n,), float32 in [-1, 1], 16 kHz; n may be 0.

        Raises:
            AudioFormatError: ``samples`` is something else, or holds values that are not numbers.
        """
        stream = self.stream(kept_s=1.0)
        stream.feed(samples)
        stream.finish()
        return stream.segments()


class VoiceStream:
    """Speech in audio that is still coming in.

    What has been fed is judged in whole frames: up to 511 samples (32 ms) wait for the next block,
    or for ``finish``.
    """

    def __init__(self, session: onnxruntime.InferenceSession, kept_s: float) -> None:
        self._session = session
        self._rate = np.array(SAMPLE_RATE, np.int64)
        self._state = np.zeros(_STATE_SHAPE, np.float32)
        self._window = np.zeros((1, CONTEXT_SAMPLES + FRAME_SAMPLES), np.float32)  # before the gain
        self._waiting = np.zeros(0, np.float32)  # less than a frame
        self._never = Cancel()  # a frame takes a quarter of a millisecond
        self._peak = 0.0
        self._fed_samples = 0
        self._is_finished = False
        self._kept: deque[float] = deque(maxlen=max(1, round(kept_s * SAMPLE_RATE / FRAME_SAMPLES)))
        self._hysteresis = _Hysteresis()

    def feed(self, block: Samples) -> None:
        """Listen to the next samples. Shape (n,), float32 in [-1, 1], 16 kHz; any n.

        Raises:
            AudioFormatError: ``block`` is something else, or holds values that are not numbers.
        """
        if self._is_finished:
            raise ValueError("the stream is finished")
        if block.ndim != 1 or block.dtype != np.float32:
            raise AudioFormatError(f"Speech is looked for in float32 (n,), not {block.dtype} {block.shape}.")
        self._fed_samples += block.size
        samples = np.concatenate((self._waiting, block)) if self._waiting.size else block
        end = samples.size - samples.size % FRAME_SAMPLES
        for start in range(0, end, FRAME_SAMPLES):
            self._judge(samples[start : start + FRAME_SAMPLES])
        self._waiting = samples[end:].copy()  # the caller may use the block's memory again

    def finish(self) -> None:
        """No more samples will come: judge those that still wait. Safe to call twice."""
        if self._waiting.size:
            self._judge(np.pad(self._waiting, (0, FRAME_SAMPLES - self._waiting.size)))
            self._waiting = self._waiting[:0]
        self._is_finished = True

    @property
    def probabilities(self) -> Samples:
        """Probability of speech in each of the last frames, oldest first. Shape (frames,), float32."""
        return np.array(self._kept, np.float32)

    @property
    def has_speech(self) -> bool:
        """Somebody has spoken."""
        return self._hysteresis.end_frame > 0

    @property
    def is_speaking(self) -> bool:
        """Somebody spoke within the last 192 ms (HANGOVER_FRAMES)."""
        return self._hysteresis.is_speaking

    @property
    def speech_end_samples(self) -> int:
        """Where the last speech so far ends, in samples from the beginning; 0 if there was none."""
        return min(self._hysteresis.end_frame * FRAME_SAMPLES, self._fed_samples)

    def segments(self) -> list[SpeechSpan]:
        """All speech so far, in order and without overlap; the last one may still grow."""
        return [
            SpeechSpan(start * FRAME_SAMPLES, min(end * FRAME_SAMPLES, self._fed_samples))
            for start, end in self._hysteresis.stretches()
        ]

    def _judge(self, frame: Samples) -> None:
        """Give one frame to the model. Shape (512,)."""
        window = self._window
        window[0, :CONTEXT_SAMPLES] = window[0, -CONTEXT_SAMPLES:]
        window[0, CONTEXT_SAMPLES:] = frame
        both = np.concatenate((window, window * self._gain(frame)))  # (2, 576)
        feeds = {"input": both, "state": self._state, "sr": self._rate}
        output, self._state = run(self._session, feeds, self._never, ("output", "stateN"))
        probability = float(output.max())  # of (2, 1)
        self._kept.append(probability)
        self._hysteresis.push(probability)

    def _gain(self, frame: Samples) -> np.float32:
        """The factor that brings faint sound to the level of a clear voice; loud sound stays as it is."""
        peak = float(np.abs(frame).max())
        if not np.isfinite(peak):  # one such value would make every later probability meaningless
            raise AudioFormatError("The sound holds values that are not numbers.")
        self._peak = max(peak, self._peak * _PEAK_DECAY)
        if self._peak * _MAX_GAIN <= _CLEAR_PEAK:
            return np.float32(_MAX_GAIN)
        return np.float32(max(_CLEAR_PEAK / self._peak, 1.0))


class _Hysteresis:
    """Turns probabilities into stretches of frames. Knows nothing of samples or models."""

    def __init__(self) -> None:
        self.is_speaking = False
        self.end_frame = 0  # the one after the last frame of speech
        self._frames = 0
        self._start_frame = 0  # of the present stretch, while speaking
        self._above_release = 0  # frames in a row up to now
        self._above_onset = 0
        self._closed: list[tuple[int, int]] = []

    def push(self, probability: float) -> None:
        """Take the next frame."""
        self._frames += 1
        self._above_release = self._above_release + 1 if probability >= RELEASE_PROBABILITY else 0
        self._above_onset = self._above_onset + 1 if probability >= ONSET_PROBABILITY else 0
        if self.is_speaking:
            if self._above_release:
                self.end_frame = self._frames
            elif self._frames - self.end_frame >= HANGOVER_FRAMES:
                self._closed.append((self._start_frame, self.end_frame))
                self.is_speaking = False
        elif self._above_onset >= ONSET_FRAMES:
            self.is_speaking = True
            self._start_frame = self._frames - self._above_release  # the quiet beginning of the word too
            self.end_frame = self._frames

    def stretches(self) -> list[tuple[int, int]]:
        """Every (first frame, frame after the last) so far, the present one included."""
        return [*self._closed, (self._start_frame, self.end_frame)] if self.is_speaking else [*self._closed]


LOUD_SHARE = 0.25
"""Of the speaker's mean amplitude (-12 dB): above it, sound is no silence. A fan in the room stays below."""
_FRAMES, _LOUD_FRAMES = 8, 6  # so many of the last 256 ms must be loud


class TrailingNoise:
    """Follows the frames of a take in order."""

    def __init__(self) -> None:
        self._speech_energy = 0.0  # sum over the frames in which somebody spoke
        self._speech_frames = 0
        self._loud: deque[bool] = deque(maxlen=_FRAMES)

    def push(self, frame: Float32, *, is_speech: bool) -> bool:
        """Take the next frame. Shape (n,), n >= 1.

        Returns:
            Whether there is lasting noise up to the end of this frame.
        """
        energy = float(np.dot(frame, frame)) / len(frame)
        if is_speech:
            self._speech_energy += energy
            self._speech_frames += 1
            self._loud.clear()
            return False
        level = self._speech_energy / max(self._speech_frames, 1)
        self._loud.append(self._speech_frames > 0 and energy > LOUD_SHARE**2 * level)
        return sum(self._loud) >= _LOUD_FRAMES
