"""What is remembered of the devices that were tried with a model on this machine, and where its parts run.

A device that fails, or ends the program, in the middle of a take is not used again until ONNX Runtime, the
model, a driver or the device changes. It is tried, and what came of it written, by device_trial.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from handy_qwen.engine.api import Part, Placement
from handy_qwen.engine.qwen3.sessions import drivers
from handy_qwen.errors import EngineError
from handy_qwen.models.device_mark import crashed, in_use
from handy_qwen.models.machine import remember, remembered

_TOPIC = "device"


@dataclass(frozen=True, slots=True)
class Choice:
    """What came of trying the devices here with a model: which ``parts`` run on ``provider``, and ``why``.

    Without parts, all runs on the processor. ``why`` is one sentence or several, for people.
    """

    provider: str
    parts: frozenset[Part]
    why: str


def choice_of(folder: Path) -> Choice | None:
    """What is remembered of the model in ``folder``; None if the devices here were not tried with it."""
    _note_crash()
    found = remembered(folder, _TOPIC)
    if found is None or found.get("drivers") != drivers():
        return None
    try:
        parts = frozenset(Part(part) for part in found["parts"])
        return Choice(str(found["provider"]), parts, str(found["why"]))
    except (KeyError, TypeError, ValueError):  # somebody has changed the file
        return None


def keep_choice(folder: Path, choice: Choice | None) -> None:
    """Remember ``choice`` for the model in ``folder``; None to have the devices tried again.

    It takes the place of a crash before that nobody has asked about.
    """
    _note_crash()
    found: dict[str, Any] = {}
    if choice is not None:
        found = {"provider": choice.provider, "parts": sorted(choice.parts), "why": choice.why}
        found["drivers"] = drivers()
    remember(folder, _TOPIC, found)


def placement_of(folder: Path) -> Placement | None:
    """Where the parts of the model in ``folder`` run; None for the processor alone."""
    choice = choice_of(folder)
    if choice is None or not choice.parts:
        return None

    def on_failure(error: EngineError) -> None:
        keep_choice(folder, Choice("", frozenset(), f"It failed while it was used: {error.title}"))

    return Placement(choice.provider, choice.parts, on_failure, partial(in_use, folder))


def _note_crash() -> None:
    """Remember of a device that ended a program."""
    if (folder := crashed()) is not None:
        keep_choice(folder, Choice("", frozenset(), "The program crashed while the device was used."))
