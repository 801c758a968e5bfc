"""What was measured on this machine of each model: how fast it is, and what suits it.

One file beside the models. All of it is void on another machine or with another ONNX Runtime, and what is
kept of a model when that is another one. A file that cannot be read or written costs no more than measuring
again. What is kept is measured by tuning.py.

A device that fails, or ends the program, in the middle of a take is not used again until ONNX Runtime, the
model, a driver or the device changes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from handy_qwen import paths
from handy_qwen.engine import default_threads, machine_id
from handy_qwen.engine.api import ModelPart, Placement
from handy_qwen.engine.json_files import read_object
from handy_qwen.engine.qwen3.manifest import MANIFEST_FILE
from handy_qwen.engine.qwen3.sessions import drivers
from handy_qwen.errors import EngineError
from handy_qwen.files import replace_file
from handy_qwen.models.device_mark import crashed, in_use

logger = logging.getLogger(__name__)

FILE = "machine.json"
THREADS, SPEED, _DEVICE = "threads", "speed", "device"
"""Topics: ``count`` threads suit the model; ``clip_s`` for ten seconds of speech; and a ``Choice``."""
_MOST_THREADS = 64
_MOST_MODELS = 50  # the oldest go first: they may be gone
_lock = threading.Lock()


def remembered(folder: Path, topic: str) -> dict[str, Any] | None:
    """What ``remember`` was last given of ``topic`` for the model in ``folder``; None if it does not hold."""
    found = _read().get(_key(folder), {})
    about = found.get(topic) if isinstance(found, dict) else None
    return about if isinstance(about, dict) else None


def remember(folder: Path, topic: str, found: Mapping[str, object]) -> None:
    """Keep ``found``, which JSON can express. Any thread; of two processes at once, the last one is heard."""
    with _lock:
        models, key = _read(), _key(folder)
        known = models.pop(key, {})
        models[key] = (known if isinstance(known, dict) else {}) | {topic: dict(found)}
        kept = dict(list(models.items())[-_MOST_MODELS:])
        text = json.dumps({"machine": machine_id(), "models": kept}, indent=1)
        try:
            replace_file(_file(), f"{text}\n".encode())
        except OSError as exc:
            logger.info("what was measured could not be kept: %s", exc.strerror)


def threads_for(folder: Path) -> int:
    """Threads for the model in ``folder``: what was measured, or else what usually suits."""
    count = _number(folder, THREADS, "count")
    return int(count) if count and count <= _MOST_THREADS and count == int(count) else default_threads()


def clip_s_of(folder: Path) -> float | None:
    """Seconds that ten seconds of speech take with the model in ``folder``; None if that was not measured."""
    return _number(folder, SPEED, "clip_s")


def _number(folder: Path, topic: str, name: str) -> float | None:
    """A number above 0 that was remembered, whatever the file may say."""
    found = (remembered(folder, topic) or {}).get(name)
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if found is not None and is_number and 0 < found < math.inf else None


def _file() -> Path:
    return paths.data_dir() / FILE


def _read() -> dict[str, Any]:
    """What holds of this machine: model -> topic -> what was found."""
    try:
        raw = read_object(_file())
        json.dumps(raw, allow_nan=False)  # 1e999 is read as infinity, which could not be written
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        logger.info("what was measured could not be read: %s", type(exc).__name__)
        return {}
    models = raw.get("models")
    return models if raw.get("machine") == machine_id() and isinstance(models, dict) else {}


def _key(folder: Path) -> str:
    """Tells this model from any other that was or will be in ``folder``."""
    try:
        content = (folder / MANIFEST_FILE).read_bytes()  # which has the checksums of the files
    except OSError:  # a published model has none
        files = sorted(path for path in folder.glob("*") if path.is_file())
        facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        content = repr(facts).encode()
    return f"{folder.name} {hashlib.sha256(content).hexdigest()[:16]}"


# ---- devices --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """What came of trying the devices here with a model: which ``parts`` run on ``provider``, and ``why``.

    Without parts, all runs on the processor. ``why`` is one sentence or several, for people.
    """

    provider: str
    parts: frozenset[ModelPart]
    why: str


def choice_of(folder: Path) -> Choice | None:
    """What is remembered of the model in ``folder``; None if the devices here were not tried with it."""
    _note_crash()
    found = remembered(folder, _DEVICE)
    if found is None or found.get("drivers") != drivers():
        return None
    try:
        parts = frozenset(ModelPart(part) for part in found["parts"])
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
    remember(folder, _DEVICE, found)


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
