"""Telling whether somebody speaks from loudness alone, for the limit on silence.

Speech is at least three times (10 dB) louder than the room. The room's level is the lowest that was
met, let up slowly (a factor of two in ten seconds), so that a fan that starts is learned. No model is
asked: the engine may be busy or not loaded, and a take that goes on too long costs little.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from handy_qwen.core.events import Heard
from handy_qwen.core.ports import RATE_HZ, Post, Samples

ABOVE_ROOM = 3.0  # a ratio of RMS values
QUIETEST = 0.001  # RMS (-60 dBFS) below which nothing counts, however quiet the room
ROOM_DOUBLES_S = 10.0
EVERY_S = 0.5


class Ear:
    """Posts Heard for one take while something is louder than the room. Lives on the microphone's thread."""

    def __init__(self, take: int, post: Post, clock: Callable[[], float] = time.monotonic) -> None:
        self._take = take
        self._post = post
        self._clock = clock
        self._room = 1.0
        self._next_s = 0.0

    def listen(self, block: Samples) -> None:
        """Take in the next block. Shape (n,), float32, 16 kHz."""
        if not len(block):
            return
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
