"""Drafts of an answer, and when to write one.

Drafts cost what the user's other programs and the battery could use. They are therefore written only as often
as leaves the engine idle for a part of the time: on a slow machine there are fewer of them, on one that is
too slow for any, hardly one. At a pause there is always one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from handy_qwen.engine.features import SAMPLE_RATE
from handy_qwen.engine.transcript import Timings

_EVERY_S = 1.0
_SHARE = 0.3
"""Of the time while somebody speaks, for windows and drafts together."""


@dataclass(slots=True)
class Draft:
    """An answer to the first ``samples`` samples of a passage.

    Whole if ``is_done``; else what there was time for, followed by what an older draft has there.
    """

    samples: int = 0
    tokens: list[int] = field(default_factory=list)
    is_done: bool = False
    is_complete: bool = False  # the model ended it by itself
    timings: Timings = field(default_factory=Timings)


class Schedule:
    """When the next draft of a passage is due, in samples of the passage."""

    def __init__(self) -> None:
        self._next = int(_EVERY_S * SAMPLE_RATE)
        self._took_s = 0.0  # the last draft

    def is_due(self, samples: int, until_window: int) -> bool:
        """Whether a draft is due when ``samples`` were heard.

        None is begun that would still be written when the next window is final, ``until_window`` samples from
        now: the window would have to wait, and is most of what a draft costs.
        """
        return samples >= self._next and until_window > self._took_s * SAMPLE_RATE

    def spent(self, seconds: float) -> None:
        """Other work took ``seconds``."""
        self._next += int(seconds / _SHARE * SAMPLE_RATE)

    def drafted(self, samples: int, seconds: float) -> None:
        """A draft of ``samples`` took ``seconds``."""
        self._next = samples + int(max(_EVERY_S, seconds / _SHARE) * SAMPLE_RATE)
        self._took_s = seconds
