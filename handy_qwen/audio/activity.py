"""Detects from loudness alone whether somebody speaks, and whether the microphone is muted.

Speech is at least three times (10 dB) louder than the room. The room's level is the lowest one
measured, rising slowly (a factor of two in ten seconds), so that a fan that starts becomes part of it. No
model is used: the engine may be busy or not loaded, and a take that goes on too long costs little.

A microphone that is muted gives zeros, or a constant; the quietest room is never as still as that.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from handy_qwen.core.events import Heard, Muted
from handy_qwen.core.ports import Post
from handy_qwen.core.types import RATE_HZ, Samples

ABOVE_ROOM = 3.0  # a ratio of RMS values
QUIETEST = 0.001  # RMS (-60 dBFS) below which nothing counts, however quiet the room
ROOM_DOUBLES_S = 10.0
EVERY_S = 0.5
STILL = 1e-6  # between the highest and the lowest sample (-120 dBFS); converters alone make more noise
MUTED_S = 1.5  # of silence before it is reported: some headsets need a second to begin


class ActivityDetector:
    """Listens to one take, on the microphone's thread.

    Posts Heard while something is louder than the room, and Muted when digital silence begins and ends.
    """

    def __init__(self, take: int, post: Post, clock: Callable[[], float] = time.monotonic) -> None:
        self._take = take
        self._post = post
        self._clock = clock
        self._room = 1.0
        self._next_s = 0.0
        self._still_samples = 0
        self._is_muted = False

    def listen(self, block: Samples) -> None:
        """Take in the next block. Shape (n,), float32, 16 kHz."""
        if not len(block):
            return
        self._watch_stillness(block)
        rms = float(block @ block / len(block)) ** 0.5
        self._room = max(
            QUIETEST / ABOVE_ROOM, min(rms, self._room * 2 ** (len(block) / RATE_HZ / ROOM_DOUBLES_S))
        )
        if rms <= self._room * ABOVE_ROOM:
            return
        now_s = self._clock()
        if now_s >= self._next_s:
            self._next_s = now_s + EVERY_S
            self._post(Heard(self._take, now_s))

    def _watch_stillness(self, block: Samples) -> None:
        is_still = float(block.max()) - float(block.min()) <= STILL
        self._still_samples = self._still_samples + len(block) if is_still else 0
        is_muted = self._still_samples >= MUTED_S * RATE_HZ
        if is_muted != self._is_muted:
            self._is_muted = is_muted
            self._post(Muted(self._take, is_muted))
