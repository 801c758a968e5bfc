"""Why a recording gave no text: what its level and length tell."""

from __future__ import annotations

import math

import numpy as np

from handy_qwen.core.ports import RATE_HZ, Samples

FRAME = RATE_HZ // 10
SHORT_S = 0.3  # no word is shorter
SILENT_DB = -85.0  # less than one step of 16 bits
QUIET_DB = -60.0


class Loudness:
    """The level of what was heard, block by block. Belongs to one thread."""

    def __init__(self) -> None:
        self._samples = 0
        self._loudest = 0.0  # mean square of the loudest tenth of a second

    def feed(self, block: Samples) -> None:
        """Hear the next block, of any length; it is not kept."""
        self._samples += len(block)
        for at in range(0, len(block), FRAME):
            power = float(np.mean(np.square(block[at : at + FRAME], dtype=np.float64)))
            self._loudest = max(self._loudest, power)

    def why_no_text(self) -> str:
        """Why nothing was understood in it, as the end of a sentence."""
        duration_s = self._samples / RATE_HZ
        loudest_db = 10 * math.log10(self._loudest) if self._loudest else -math.inf
        if duration_s < SHORT_S:
            return f"the recording is too short ({duration_s:.2f} s)"
        if loudest_db < SILENT_DB:
            return "the recording is silent"
        if loudest_db < QUIET_DB:
            return f"the recording is too quiet ({loudest_db:.0f} dBFS at its loudest)"
        return "no speech was found"
