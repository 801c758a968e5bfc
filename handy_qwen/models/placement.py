"""What is remembered of the devices that were tried with a model on this machine, and where its parts run.

A device that fails, or ends the program, in the middle of a take is not used again until ONNX Runtime, the
model, a driver or the device changes. It is tried, and what came of it written, by device_trial.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from handy_qwen import paths
from handy_qwen.engine.api import Part, Placement
from handy_qwen.engine.qwen3.devices import drivers
from handy_qwen.errors import EngineError
from handy_qwen.files import try_lock
from handy_qwen.models.machine import remember, remembered

_TOPIC = "device"
_LONGEST_PATH = 32_767  # of Windows; others have shorter ones


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
    """Remember ``choice`` for the model in ``folder``; None to have the devices tried again."""
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

    return Placement(choice.provider, choice.parts, on_failure, partial(_in_use, folder))


@contextmanager
def _in_use(folder: Path) -> Iterator[None]:
    """Have a file tell, while the block runs, that a device runs the model in ``folder``.

    Where another process does so at the same time, or nothing can be written, this one goes without.
    """
    handle = -1
    with suppress(OSError):
        handle = os.open(_marker(), os.O_RDWR | os.O_CREAT, 0o600)
    if handle < 0:
        yield
        return
    is_mine = try_lock(handle)  # until it is closed: of a program that ended, the file stays and no lock
    try:
        if is_mine:
            os.ftruncate(handle, 0)
            os.write(handle, os.fsencode(folder.absolute()))
        yield
    finally:
        if is_mine:
            os.ftruncate(handle, 0)
        os.close(handle)


def _note_crash() -> None:
    """Remember of a device that ended a program, which left the file behind."""
    with suppress(OSError):
        handle = os.open(_marker(), os.O_RDWR)
        try:
            if os.fstat(handle).st_size and try_lock(handle):
                folder = Path(os.fsdecode(os.read(handle, _LONGEST_PATH)))
                keep_choice(folder, Choice("", frozenset(), "The program crashed while the device was used."))
                os.ftruncate(handle, 0)
        finally:
            os.close(handle)


def _marker() -> Path:
    return paths.data_dir() / "device-in-use"
