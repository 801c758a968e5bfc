"""Whether somebody is still speaking: what decides how long a take goes on after the key came up.

People let go of the key while their last word is still in the air. So a take ends when speech has
ended, and after ``TAIL_S`` at the latest. The detector here knows energies only and is meant for
that alone; the app passes one backed by the voice detector of the engine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from handy_qwen.core.ports import RATE_HZ, Samples

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
