"""What the microphone's thread is told, and what it tells besides the events of ``core.events``."""

from __future__ import annotations

from dataclasses import dataclass

from handy_qwen.audio.connection import Chosen, Listed, Opened
from handy_qwen.core.ports import Sink


@dataclass(frozen=True, slots=True)
class Level:
    """How loud a take is. ``is_dead``: nothing but zeros for ``cycle.DEAD_S``, so muted or unplugged."""

    rms_db: float  # dBFS; -100 is silence
    is_dead: bool


@dataclass(frozen=True, slots=True)
class Start:
    """Begin take ``take``."""

    take: int
    sink: Sink


@dataclass(frozen=True, slots=True)
class Stop:
    """End take ``take`` when speech has ended."""

    take: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """End take ``take`` now."""

    take: int


@dataclass(frozen=True, slots=True)
class Configure:
    """Use the device named ``device`` ("": the default), and keep it for ``warm_s`` after a take."""

    device: str
    warm_s: float


@dataclass(frozen=True, slots=True)
class Changed:
    """Devices may have come or gone."""


@dataclass(frozen=True, slots=True)
class Close:
    """The program ends."""


Message = Start | Stop | Cancel | Configure | Changed | Close | Chosen | Opened | Listed
