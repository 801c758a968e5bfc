"""One take: from the ring of a stream, or of several one after the other, to its sink.

    ring --> mono (downmix.py) --> 16 kHz (resample.py) --> sink

Threads: the microphone's only.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np

from handy_qwen.audio.conversion import Downmix, Resampler
from handy_qwen.audio.devices import Frames, Stream
from handy_qwen.core.ports import Sink
from handy_qwen.core.types import RATE_HZ, Samples

SILENCE_DB = -100.0
MIXED_CHANNELS = 2  # what an interface has beyond them may be what the speakers play


class Take:
    """What is known of the take that is being recorded.

    Attributes:
        number: The take's number.
        began: RecordingBegan was posted.
        stop_s: When its end was asked for; None before.
        heard_s: When samples arrived last; its start, before the first ones.
        is_broken: A device was lost and none has taken its place.
        avoid: Handles of the devices that went silent during this take.
        unresponsive: The name of a device that did not open for it, until the controller is told.
        duration_s: Of what the sink got.
        zero_s: For how long every sample has been exactly zero.
        tail_s: How much came after the end was asked for.
        lost_frames: How many came too fast for us.
        overflows: How often the device dropped some itself.
        told_device: The name of the device that was last told to the controller.
        has_asked_why: The devices were looked at because of the zeros.
    """

    def __init__(self, number: int, sink: Sink, now_s: float) -> None:
        self.number = number
        self.began = False
        self.stop_s: float | None = None
        self.heard_s = now_s
        self.is_broken = False
        self.avoid: set[str] = set()
        self.unresponsive = ""
        self.zero_s = 0.0
        self.tail_s = 0.0
        self.lost_frames = 0
        self.overflows = 0
        self.told_device = ""
        self.has_asked_why = False
        self._sink = sink
        self._stream: Stream | None = None
        self._position = 0
        self._fresh_from = 0
        self._samples = 0
        self._has_sound = False
        self._recent: deque[Samples] = deque()
        self._recent_samples = 0
        self._squares = 0.0
        self._squared = 0

    @property
    def duration_s(self) -> float:
        """How much the sink has got."""
        return self._samples / RATE_HZ

    @property
    def position(self) -> int:
        """Up to where the ring has been read."""
        return self._position

    @property
    def is_dead(self) -> bool:
        """Whether there were samples and all of them were zero."""
        return self._samples > 0 and not self._has_sound

    @property
    def device(self) -> str:
        """The name of the device it is recorded from, "" if none."""
        return self._stream.device.name if self._stream else ""

    def attach(self, stream: Stream, position: int) -> None:
        """Go on with ``stream``, from ``position`` of its ring; a position in the past is pre-roll."""
        self._stream = stream
        self._position = position
        self._fresh_from = position if position == 0 else stream.ring.written
        self._overflows_before = stream.overflows
        self._downmix = Downmix(stream.rate_hz)
        self._resampler = Resampler(stream.rate_hz)
        self.zero_s = 0.0

    def pull(self, now_s: float) -> bool:
        """Hand on what has arrived. True if any of it is new, not pre-roll."""
        stream = self._stream
        if stream is None:
            return False
        end = stream.ring.written
        frames, lost = stream.ring.read(self._position, end)
        self._position = end
        self.lost_frames += lost
        self.overflows += stream.overflows - self._overflows_before
        self._overflows_before = stream.overflows
        if not len(frames):
            return False
        if self.stop_s is not None:
            self.tail_s += len(frames) / stream.rate_hz
        self._note_zeros(frames, stream.rate_hz)
        self._hand_on(self._resampler.feed(self._downmix(frames[:, :MIXED_CHANNELS])))
        if end <= self._fresh_from:
            return False
        self.heard_s = now_s
        return True

    def forgive(self, stop_s: float) -> None:
        """Nothing could be heard for so long: that counts for no deadline."""
        self.heard_s += stop_s
        if self.stop_s is not None:
            self.stop_s += stop_s

    def detach(self, now_s: float) -> None:
        """Hand on all that is left of the stream, and let go of it."""
        if self._stream is not None:
            self.pull(now_s)
            self._hand_on(self._resampler.flush())
            self._stream = None

    def _note_zeros(self, frames: Frames, rate_hz: int) -> None:
        sounding = np.flatnonzero(frames) // frames.shape[1]
        if len(sounding):
            self._has_sound = True
            self.zero_s = (len(frames) - 1 - int(sounding[-1])) / rate_hz
        else:
            self.zero_s += len(frames) / rate_hz

    def _hand_on(self, block: Samples) -> None:
        if not len(block):
            return
        self._samples += len(block)
        self._squares += float(np.square(block, dtype=np.float64).sum())
        self._squared += len(block)
        self._recent.append(block)
        self._recent_samples += len(block)
        while self._recent_samples - len(self._recent[0]) >= RECENT_S * RATE_HZ:
            self._recent_samples -= len(self._recent.popleft())
        self._sink(block)

    def recent(self) -> Samples:
        """The last ``RECENT_S`` of the take. Shape (n,), float32, 16 kHz."""
        return np.concatenate(self._recent) if self._recent else np.zeros(0, np.float32)

    def level_db(self) -> float | None:
        """RMS in dBFS of what came since the last call; None if nothing did."""
        if not self._squared:
            return None
        power = self._squares / self._squared
        self._squares, self._squared = 0.0, 0
        return max(SILENCE_DB, 10 * math.log10(power)) if power > 0 else SILENCE_DB


TAIL_S = 0.4
RECENT_S = 2.0  # of the take; what a detector is shown

IsSpeaking = Callable[[Samples], bool]
"""Whether a voice is heard at the end of the last ``RECENT_S`` of a take. Runs on the microphone's thread."""

_FRAME = RATE_HZ // 50  # 20 ms
_HANGOVER_FRAMES = 6  # 120 ms: longer than the closure of a "t", shorter than a pause
_ABOVE_FLOOR = 3.0  # 9.5 dB
_QUIET = 10 ** (-60 / 20)  # RMS; below it nothing is speech, however silent the room


def is_speaking_by_energy(recent: Samples) -> bool:
    """Whether the last 120 ms of ``recent`` stand out from its quietest parts."""
    count = len(recent) // _FRAME
    if not count:
        return False
    frames = recent[-count * _FRAME :].reshape(count, _FRAME)
    levels = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1))
    floor = float(np.percentile(levels, 5))
    loudest = float(levels[-_HANGOVER_FRAMES:].max())
    return loudest > max(_QUIET, _ABOVE_FLOOR * floor)
