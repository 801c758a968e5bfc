"""Measurements of each model on this machine: its speed, and the best settings.

One file beside the models. All of it is void on another machine or with another ONNX Runtime, and a model's
entry when the model changes. If the file cannot be read or written, models are only measured again. The
measurements are made by tuning.py.

A device that fails, or crashes the program, during a take is not used again until ONNX Runtime, the model, a
driver or the device changes.
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
"""Topics: the best number of threads, ``count``; ``clip_s`` for ten seconds of speech; a ``Choice``."""
_MOST_THREADS = 64
_MOST_MODELS = 50  # the oldest are dropped first: they may be gone
_lock = threading.Lock()


def remembered(folder: Path, topic: str) -> dict[str, Any] | None:
    """The last value given to ``remember`` for ``topic`` and the model in ``folder``; None if void."""
    found = _read().get(_key(folder), {})
    about = found.get(topic) if isinstance(found, dict) else None
    return about if isinstance(about, dict) else None


def remember(folder: Path, topic: str, found: Mapping[str, object]) -> None:
    """Store ``found``, which must be JSON. Any thread; of two processes at once, the last one wins."""
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
    """Threads for the model in ``folder``: the measured number, or the default."""
    count = _number(folder, THREADS, "count")
    return int(count) if count and count <= _MOST_THREADS and count == int(count) else default_threads()


def clip_s_of(folder: Path) -> float | None:
    """Seconds for ten seconds of speech with the model in ``folder``; None if not measured."""
    return _number(folder, SPEED, "clip_s")


def _number(folder: Path, topic: str, name: str) -> float | None:
    """A stored number above 0, whatever the file may contain."""
    found = (remembered(folder, topic) or {}).get(name)
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if found is not None and is_number and 0 < found < math.inf else None


def _file() -> Path:
    return paths.data_dir() / FILE


def _read() -> dict[str, Any]:
    """The valid entries for this machine: model -> topic -> value."""
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
    """Identifies the model now in ``folder``."""
    try:
        content = (folder / MANIFEST_FILE).read_bytes()  # has the checksums of the files
    except OSError:  # a published model has none
        files = sorted(path for path in folder.glob("*") if path.is_file())
        facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        content = repr(facts).encode()
    return f"{folder.name} {hashlib.sha256(content).hexdigest()[:16]}"


# ---- devices --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """The result of trying devices with a model: which ``parts`` run on ``provider``, and ``why``.

    Without parts, all runs on the processor. ``why`` is one sentence or several, for people.
    """

    provider: str
    parts: frozenset[ModelPart]
    why: str


def choice_of(folder: Path) -> Choice | None:
    """The stored choice for the model in ``folder``; None if the current devices were not tried."""
    _note_crash()
    found = remembered(folder, _DEVICE)
    if found is None or found.get("drivers") != drivers():
        return None
    try:
        parts = frozenset(ModelPart(part) for part in found["parts"])
        return Choice(str(found["provider"]), parts, str(found["why"]))
    except (KeyError, TypeError, ValueError):  # the file was edited
        return None


def keep_choice(folder: Path, choice: Choice | None) -> None:
    """Store ``choice`` for the model in ``folder``; None to have the devices tried again.

    It replaces an earlier crash that nobody has asked about.
    """
    _note_crash()
    found: dict[str, Any] = {}
    if choice is not None:
        found = {"provider": choice.provider, "parts": sorted(choice.parts), "why": choice.why}
        found["drivers"] = drivers()
    remember(folder, _DEVICE, found)


def placement_of(folder: Path) -> Placement | None:
    """The placement of the model in ``folder``; None for the processor alone."""
    choice = choice_of(folder)
    if choice is None or not choice.parts:
        return None

    def on_failure(error: EngineError) -> None:
        keep_choice(folder, Choice("", frozenset(), f"It failed while it was used: {error.title}"))

    return Placement(choice.provider, choice.parts, on_failure, partial(in_use, folder))


def _note_crash() -> None:
    """Record that a device has crashed a program."""
    if (folder := crashed()) is not None:
        keep_choice(folder, Choice("", frozenset(), "The program crashed while the device was used."))
