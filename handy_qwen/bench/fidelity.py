"""What quantization costs: how far a package's answers are from those of the checkpoint it was made of.

Each part is measured alone, with the others in float32, and then all together:

    convolutions, encoder    features of real speech, and what they change in the logits
    decoder                  logits: of its layers
    head                     logits (the embedding is the same tensor, so it is in this)
    all                      the package itself

Logits are compared along the tokens that the exact model writes, so that one early difference does not make
everything after it incomparable. An error is the norm of the difference divided by that of the exact vector;
of logits without their mean, which changes no choice.

The float32 graphs are as large as the checkpoint and are made in a temporary folder, one after the other.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from handy_qwen.bench.wer import Recording, Score, Scorer, measure_errors, total
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import PLAIN, PRESETS, Preset
from handy_qwen.convert.trial import relative_error
from handy_qwen.engine import load_model
from handy_qwen.engine.api import Cancel
from handy_qwen.engine.qwen3.features import log_mel, windows
from handy_qwen.engine.qwen3.model import Float32, ModelParts
from handy_qwen.engine.qwen3.prompt import Prompt, build_prompt
from handy_qwen.engine.qwen3.recognizer import open_parts

Progress = Callable[[str, float], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PartError:
    """What one part alone changes. ``agreement`` is the share of tokens that stay the first choice."""

    part: str
    form: str
    features: float
    logits: float
    agreement: float


@dataclass(frozen=True, slots=True)
class Fidelity:
    """The errors of all parts of a package, over ``clips`` clips and ``tokens`` tokens."""

    preset: str
    clips: int
    tokens: int
    parts: tuple[PartError, ...]


@dataclass(frozen=True, slots=True)
class ExactAnswer:
    """What the model in float32 makes of a clip."""

    features: list[Float32]  # of each window, shape (tokens, hidden)
    tokens: list[int]
    logits: Float32  # (tokens, vocab): those that each token was chosen from


def measure_fidelity(
    source: Path,
    package: Path,
    preset: Preset,
    clips: Iterable[Float32],
    *,
    threads: int,
    tokens: int = 24,
    progress: Progress = lambda _what, _part: None,
) -> Fidelity:
    """Compare ``package``, made of ``source`` with ``preset``, with float32.

    ``clips`` are speech, each of shape (n,), float32, 16 kHz, of which ``tokens`` tokens are compared at the
    most. ``progress`` is called on this thread. EngineError: a model cannot be loaded or run.
    ConversionError: there is no room for the float32 graphs.
    """
    mels = [windows(log_mel(clip)) for clip in clips]
    exact = PRESETS["exact"]
    alone = {  # part -> its form, and a preset that quantizes that part only
        "convolutions": (preset.convolutions, replace(exact, convolutions=preset.convolutions)),
        "encoder": (preset.encoder, replace(exact, encoder=preset.encoder)),
        "decoder": (preset.decoder, replace(exact, decoder=preset.decoder)),
        "head": (preset.head, replace(exact, head=preset.head)),
    }
    found: list[PartError] = []
    with tempfile.TemporaryDirectory(prefix=f".{package.name}.report.", dir=package.parent) as folder:
        place = Path(folder) / "model"
        progress("float32", 0.0)
        convert(source, place, exact, Details("exact"))
        expected = with_model(place, threads, lambda model: [answer(model, mel, tokens) for mel in mels])
        shutil.rmtree(place)  # there may be no room for two
        for number, (part, (form, variant)) in enumerate(alone.items(), start=1):
            if form != PLAIN:
                progress(part, number / (len(alone) + 2))
                convert(source, place, variant, Details(part))
                measure = partial(compare, part, str(form), mels=mels, expected=expected)
                found.append(with_model(place, threads, measure))
                shutil.rmtree(place)
    progress("all", 0.9)
    measure = partial(compare, "all", preset.name, mels=mels, expected=expected)
    found.append(with_model(package, threads, measure))
    return Fidelity(preset.name, len(mels), sum(len(clip.tokens) for clip in expected), tuple(found))


def measure_presets(
    source: Path, beside: Path, recordings: list[Recording], *, voice_model: Path, threads: int
) -> dict[str, Score]:
    """Word errors of each preset's package of ``source``, made temporarily beside the folder ``beside``.

    Raises as ``measure_fidelity``, and HandyError if the libraries for word error rates are not installed.
    """
    scorer, found = Scorer(), {}
    with tempfile.TemporaryDirectory(prefix=f".{beside.name}.report.", dir=beside.parent) as folder:
        for name, preset in PRESETS.items():
            place = Path(folder) / name
            convert(source, place, preset, Details(name))
            model = load_model(place, voice_model=voice_model, threads=threads)
            scores = measure_errors(model, recordings, scorer=scorer, language="", cancel=Cancel())
            found[name] = total(scores)
            model.close()
            del model, scores  # or Windows would not let go of the files
            shutil.rmtree(place)
    return found


def with_model(folder: Path, threads: int, work: Callable[[ModelParts], T]) -> T:
    """Open the model in ``folder`` for ``work`` only."""
    model = open_parts(folder, threads)
    try:
        return work(model)
    finally:
        model.decoder.close()


def encode(model: ModelParts, mels: list[Float32]) -> list[Float32]:
    """Features of each window."""
    return [model.encoder.encode(mel, Cancel()) for mel in mels]


def answer(model: ModelParts, mels: list[Float32], count: int) -> ExactAnswer:
    """Let the model write up to ``count`` tokens."""
    features = encode(model, mels)
    prompt = _read(model, features)
    tokens: list[int] = []
    rows: list[Float32] = []
    while len(tokens) < count and not prompt.ends & set(tokens):
        if tokens:
            model.decoder.extend(tokens[-1:])
        rows.append(model.decoder.logits(1, Cancel())[0].copy())
        tokens.append(int(rows[-1].argmax()))
    return ExactAnswer(features, tokens, np.stack(rows))


def _read(model: ModelParts, features: list[Float32]) -> Prompt:
    prompt = build_prompt(model.tokenizer)
    model.decoder.truncate(0)
    model.decoder.extend(prompt.head)
    for rows in features:
        model.decoder.extend(rows)
    model.decoder.extend(prompt.tail)
    return prompt


def compare(
    part: str, form: str, model: ModelParts, mels: list[list[Float32]], expected: list[ExactAnswer]
) -> PartError:
    """Give ``model`` the same windows and the exact tokens."""
    encoded, logits, agreed = [], [], []
    for windows_of_clip, exact in zip(mels, expected, strict=True):
        own = encode(model, windows_of_clip)
        encoded.append((np.concatenate(own), np.concatenate(exact.features)))
        _read(model, own)
        model.decoder.extend(exact.tokens[:-1])
        rows = model.decoder.logits(len(exact.tokens), Cancel())
        agreed.append(rows.argmax(-1) == exact.tokens)
        logits.append((_centered(rows), _centered(exact.logits)))
    agreement = float(np.concatenate(agreed).mean())
    return PartError(part, form, relative_error(encoded), relative_error(logits), agreement)


def _centered(logits: Float32) -> Float32:
    centered: Float32 = logits - logits.mean(axis=-1, keepdims=True)
    return centered
