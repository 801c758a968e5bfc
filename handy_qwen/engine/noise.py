"""Whether what follows the last word is silence, or noise that might be words.

The voice detector says that nobody speaks; only where it is quiet as well is that believed to the point of
leaving sound out. A detector can miss a voice behind music; it cannot miss one that is not there.

A click, of a key that is let go for instance, is too short to count.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from handy_qwen.engine.backend import Float32

LOUD_SHARE = 0.25
"""Of the speaker's mean amplitude (-12 dB): above it, sound is no silence. A fan in the room stays below."""
_FRAMES, _LOUD_FRAMES = 8, 6  # so many of the last 256 ms must be loud


class NoiseAfterSpeech:
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
