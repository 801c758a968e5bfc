"""The recordings that ship with the program, for comparing a converted model with its original.

Twenty sentences in 17 languages, 115 s, real and synthetic voices alternating, so that the first few are
varied already. Lossless, so that every machine measures the same. Made by packaging/build_check_speech.py.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from handy_qwen.engine.json_files import parse_object
from handy_qwen.errors import CheckSpeechError
from handy_qwen.languages import ALL_LANGUAGES
from handy_qwen.message import Message
from handy_qwen.paths import asset

RATE_HZ = 16_000
INDEX = "index.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class CheckClip:
    """One sentence. ``samples``: shape (n,), float32 in [-1, 1], 16 kHz; ``language``: in English."""

    name: str
    language: str
    text: str
    samples: npt.NDArray[np.float32]


def load_check_speech(folder: Path | None = None) -> list[CheckClip]:
    """All sentences, in the order of the index.

    Args:
        folder: By default the one that ships with the program.

    Raises:
        CheckSpeechError: A file is missing, or is not the one that the index names.
    """
    folder = folder or asset("check-speech")
    index = folder / INDEX
    try:
        clips = [_clip(folder, dict(entry)) for entry in _entries(parse_object(_read(index)))]
    except (ValueError, LookupError, TypeError) as exc:
        raise CheckSpeechError(index, Message("is damaged")) from exc
    if not clips:
        raise CheckSpeechError(index, Message("names no sentences"))
    return clips


def _entries(index: dict[str, Any]) -> list[Any]:
    if index["format"] != _FORMAT:
        raise ValueError("it is of another version")
    return list(index["clips"])


def _clip(folder: Path, entry: dict[str, str]) -> CheckClip:
    path = folder / Path(entry["file"]).name
    data = _read(path)
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise CheckSpeechError(path, Message("is damaged"))
    if entry["language"] not in ALL_LANGUAGES:
        raise ValueError("a language of no model")
    try:
        samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32")
    except soundfile.LibsndfileError as exc:
        raise CheckSpeechError(path, Message("cannot be decoded")) from exc
    if rate_hz != RATE_HZ or samples.ndim != 1:
        raise ValueError("not 16 kHz mono")
    return CheckClip(path.stem, entry["language"], entry["text"], samples)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise CheckSpeechError(path, Message("is missing")) from exc
    except OSError as exc:
        raise CheckSpeechError(path, Message("cannot be read ({reason})", reason=exc.strerror)) from exc
