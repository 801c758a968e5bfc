"""One take: from the buffers of one or more streams to its sink.

    buffer --> mono --> 16 kHz (conversion.py) --> sink

People release the key during their last word, so a take continues until speech has ended, for at most
``TAIL_S``. Speech is detected by energy alone, relative to the quietest moments: the engine may be busy or
not loaded, and a mistake costs little.

Threads: the microphone's only.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from handy_qwen.audio.conversion import Downmix, Resampler
from handy_qwen.core.ports import Sink
from handy_qwen.core.types import RATE_HZ, Samples
from handy_qwen.core.view import VOICE_DB, Voice

if TYPE_CHECKING:
    from handy_qwen.audio.microphones import InputStream

SILENCE_DB = -100.0
TAIL_S = 0.4
LISTENING = 0  # the number of the take that only listens
MIXED_CHANNELS = 2  # further channels of an interface may be loopbacks of the speakers
_FRAME = RATE_HZ // 50  # 20 ms
_RECENT_FRAMES = 100  # 2 s
_HANGOVER_FRAMES = 6  # 120 ms: longer than the closure of a "t", shorter than a pause
_METER_FRAMES = 3
_ABOVE_FLOOR = 3.0  # 9.5 dB
_QUIET = 10 ** (-60 / 20)  # RMS; anything below is not speech, however silent the room
_STILL = 1e-6  # between the highest and the lowest sample (-120 dBFS); converters alone have more noise
_TENTH_S = 1600  # 0.1 s at 16 kHz
_CLIPPED = 0.995
_FULL_SCALE_SHARE = 0.001  # of the samples, for clipping


class Take:
    """The state of the take being recorded."""

    def __init__(self, number: int, sink: Sink, now_s: float) -> None:
        self.number = number
        self.began = False  # RecordingBegan was posted
        self.stop_s: float | None = None  # when its end was requested
        self.heard_s = now_s  # when the last samples arrived; its start, before the first ones
        self.is_broken = False  # a device was lost and not replaced yet
        self.avoid: set[str] = set()  # handles of the devices that went silent during this take
        self.unresponsive = ""  # name of a device that did not open, until that is reported
        self.reported_device = ""  # the name of the device that was last reported
        self.has_asked_why = False  # devices were rescanned because of silence
        self.is_silent = True  # every sample so far was exactly zero
        self.still_s = 0.0  # duration of digital silence: zeros, or another constant
        self.is_muted = False  # Muted was posted
        self.next_heard_s = now_s  # when Heard may be posted again
        self.tail_s = 0.0  # how much came after the end was requested
        self.dropped_frames = 0  # how many we were too slow for
        self.overflows = 0  # how often the device dropped some
        self._sink = sink
        self._samples = 0
        self._stream: InputStream | None = None
        self._rest = np.zeros(0, np.float32)  # not measured yet, less than a frame
        self._levels: deque[float] = deque(maxlen=_RECENT_FRAMES)  # RMS of the last frames

    @property
    def is_listening(self) -> bool:
        """Whether somebody only listens."""
        return self.number == LISTENING

    @property
    def duration_s(self) -> float:
        """How much the sink has received."""
        return self._samples / RATE_HZ

    @property
    def device(self) -> str:
        """The name of the device it is recorded from, "" if none."""
        return self._stream.device.name if self._stream else ""

    def attach(self, stream: InputStream, *, is_fresh: bool) -> None:
        """Continue with ``stream``. Its buffer is pre-roll unless the stream ``is_fresh``."""
        self._stream = stream
        self._fresh_from = 0 if is_fresh else stream.buffer.written
        self._gaps = stream.buffer.dropped, stream.overflows
        self._downmix = Downmix(stream.rate_hz)
        self._resampler = Resampler(stream.rate_hz)
        self.still_s = 0.0

    def pull(self, now_s: float) -> bool:
        """Pass on what has arrived. True if any of it is new, not pre-roll."""
        stream = self._stream
        if stream is None or not len(frames := stream.buffer.read()):
            return False
        if self.stop_s is not None:
            self.tail_s += len(frames) / stream.rate_hz
        self.hand_on(self._resampler.feed(self._downmix(frames[:, :MIXED_CHANNELS])))
        if stream.buffer.written <= self._fresh_from:
            return False
        self.heard_s = now_s
        return True

    def detach(self, now_s: float) -> None:
        """Pass on the rest of the stream, and release it."""
        stream = self._stream
        if stream is not None:
            self.pull(now_s)
            self.hand_on(self._resampler.flush())
            self.dropped_frames += stream.buffer.dropped - self._gaps[0]
            self.overflows += stream.overflows - self._gaps[1]
            self._stream = None

    def skip_pause(self, stop_s: float) -> None:
        """The process was suspended for ``stop_s``: extend all deadlines."""
        self.heard_s += stop_s
        if self.stop_s is not None:
            self.stop_s += stop_s

    def is_speaking(self) -> bool:
        """Whether the last 120 ms stand out from the quietest of the last two seconds."""
        if not self._levels:
            return False
        levels = np.array(self._levels)
        floor = float(np.percentile(levels, 5))
        return float(levels[-_HANGOVER_FRAMES:].max()) > max(_QUIET, _ABOVE_FLOOR * floor)

    def level_db(self) -> float:
        """RMS of the last 60 ms, in dBFS."""
        recent = list(self._levels)[-_METER_FRAMES:]
        return _db(float(np.mean(np.square(recent)))) if recent else SILENCE_DB

    def hand_on(self, block: Samples) -> None:
        """Pass audio to the sink. Shape (n,), float32, 16 kHz."""
        if not len(block):
            return
        self._samples += len(block)
        self._sink(block)
        self.is_silent &= not block.any()
        is_still = float(np.ptp(block)) <= _STILL
        self.still_s = self.still_s + len(block) / RATE_HZ if is_still else 0.0
        whole = np.concatenate((self._rest, block))
        count = len(whole) // _FRAME
        frames = whole[: count * _FRAME].reshape(count, _FRAME)
        self._levels.extend(np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1)).tolist())
        self._rest = whole[count * _FRAME :]


def loudest_db(samples: Samples) -> float:
    """Level of the loudest tenth of a second, in dBFS from -100 to 0; of all, if it is shorter."""
    count = len(samples) // _TENTH_S
    tenths = samples[: count * _TENTH_S].reshape(count, _TENTH_S) if count else samples[np.newaxis]
    return _db(float(np.square(tenths, dtype=np.float64).mean(axis=1).max())) if len(samples) else SILENCE_DB


def _db(power: float) -> float:
    return max(SILENCE_DB, 10 * math.log10(power)) if power else SILENCE_DB


def judged(blocks: Sequence[Samples]) -> Voice:
    """The verdict on the voice in ``blocks``."""
    samples = np.concatenate(list(blocks))
    if is_clipping(samples):
        return Voice.CLIPPING
    return Voice.GOOD if loudest_db(samples) >= VOICE_DB else Voice.QUIET


def is_clipping(samples: Samples) -> bool:
    """Whether the peaks are clipped, more than once."""
    return bool(len(samples)) and float(np.mean(np.abs(samples) >= _CLIPPED)) > _FULL_SCALE_SHARE
