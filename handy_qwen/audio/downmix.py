"""From the channels a microphone has to the one channel that is transcribed.

The mean of the first two channels has the least noise, but two kinds of device spoil it: those
with a channel that carries nothing, where the mean costs 6 dB, and those that wire the second
channel with its polarity turned, where it leaves silence. Both are told by the energies of the
last second; then the louder channel is used alone. A change is faded over one block, so that it
makes no click.
"""

from __future__ import annotations

import numpy as np

from handy_qwen.audio.ring import Frames
from handy_qwen.core.ports import Samples

MEMORY_S = 1.0
DEAD_RATIO = 1e-4  # -40 dB: a channel that much weaker than the other carries crosstalk, not a voice
CANCELLED_RATIO = 0.05  # the mean of two alike channels has the energy of one, of two strangers half of it


class Downmix:
    """Turns blocks of frames into mono, remembering what the channels were like."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._energies = np.zeros(3)  # left, right, mean
        self._weights = np.array([0.5, 0.5], np.float32)

    def __call__(self, frames: Frames) -> Samples:
        """Mix one block.

        Args:
            frames: Shape (n, channels); channels beyond the second are left out.

        Returns:
            Shape (n,), float32, at the rate of ``frames``.
        """
        if frames.shape[1] == 1 or not len(frames):
            return np.ascontiguousarray(frames[:, 0])
        pair = frames[:, :2]  # (n, 2)
        before = self._weights
        self._weights = self._choose(pair)
        if np.array_equal(before, self._weights):
            return pair @ before
        fade = np.linspace(0.0, 1.0, len(pair), dtype=np.float32)[:, None]  # (n, 1)
        mixed: Samples = (pair * (before + (self._weights - before) * fade)).sum(axis=1)
        return mixed

    def _choose(self, pair: Frames) -> Frames:
        """The share of each channel. Shape (2,)."""
        columns = np.column_stack((pair, pair.mean(axis=1))).astype(np.float64)
        kept = np.exp(-len(pair) / (MEMORY_S * self._rate_hz))
        self._energies = kept * self._energies + np.square(columns).sum(axis=0)
        left, right, mean = self._energies
        louder = max(left, right)
        if min(left, right) < DEAD_RATIO * louder or mean < CANCELLED_RATIO * louder:
            return np.array([left >= right, left < right], np.float32)
        return np.array([0.5, 0.5], np.float32)
