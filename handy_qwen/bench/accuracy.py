"""The accuracy of a model: the cost of quantization, and word error rates.

Cost of quantization: how far a package's answers are from those of its checkpoint.

Each part is measured alone, with the others in float32, and then all together:

    convolutions, encoder    features of real speech, and their effect on the logits
    decoder                  logits: of its layers
    head                     logits (the embedding is the same tensor, so it is in this)
    all                      the package itself

Logits are compared along the tokens that the exact model writes, so that an early difference does not make
everything after it incomparable. An error is the norm of the difference divided by that of the exact vector;
for logits without their mean, which affects no choice.

The float32 graphs are as large as the checkpoint and are made in a temporary folder, one after the other.

Word error rates use recordings with known texts: WAV or FLAC beside TXT, or in LibriSpeech's layout.

    report.flac  report.txt                             a text for each recording
    84-121123.trans.txt  84-121123-0000.flac …          a line for each: its name, a space, its text

Texts are compared after Whisper's normalization, as is usual (no case, no punctuation, one spelling, numbers
in digits for English); in scripts without spaces, each letter counts as a word.

Source: Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision (2022), appendix C.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import PLAIN, PRESETS, Preset
from handy_qwen.convert.trial import relative_error
from handy_qwen.engine import load_model
from handy_qwen.engine.api import Cancel, Model
from handy_qwen.engine.qwen3.features import log_mel, windows
from handy_qwen.engine.qwen3.model import Float32, ModelParts
from handy_qwen.engine.qwen3.prompt import Prompt, build_prompt
from handy_qwen.engine.qwen3.recognizer import open_parts
from handy_qwen.errors import AudioFileError, HandyError
from handy_qwen.message import Message
from handy_qwen.shell import how_to_get

Progress = Callable[[str, float], None]
T = TypeVar("T")
_SOUNDS = (".flac", ".wav")
_LISTS = ".trans.txt"
_WITHOUT_SPACES = frozenset({"Chinese", "Cantonese", "Japanese", "Thai"})


@dataclass(frozen=True, slots=True)
class PartError:
    """The effect of quantizing one part. ``agreement`` is the share of tokens that stay the first choice."""

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
    """The float32 model's answer to a clip."""

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
    """Compare ``package``, made from ``source`` with ``preset``, with float32.

    ``clips`` are speech, each of shape (n,), float32, 16 kHz, of which at most ``tokens`` tokens are
    compared. ``progress`` is called on this thread. EngineError: a model cannot be loaded or run.
    ConversionError: there is no space for the float32 graphs.
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
        shutil.rmtree(place)  # there may be no space for two
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
            del model, scores  # or Windows would keep the files locked
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
    """Run ``model`` on the same windows and the exact tokens."""
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


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound file and its text."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Score:
    """The word errors of ``heard`` against ``said``, both normalized. ``took_s``: time to transcribe."""

    name: str
    words: int
    substitutions: int
    deletions: int
    insertions: int
    duration_s: float = 0.0
    took_s: float = 0.0
    said: str = ""
    heard: str = ""

    @property
    def errors(self) -> int:
        """Their sum."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per spoken word; 0 if nothing was said or heard."""
        return self.errors / self.words if self.words else float(self.errors > 0)


def find_recordings(folder: Path) -> list[Recording]:
    """All recordings below ``folder`` with a text, by path; HandyError if there is none or one is broken."""
    texts: dict[Path, str] = {}
    try:
        for path in sorted(folder.rglob("*.txt")):
            if path.name.endswith(_LISTS):
                lines = (line.partition(" ") for line in path.read_text(encoding="utf-8").splitlines())
                texts |= {path.with_name(name): text.strip() for name, _, text in lines if name}
            else:
                texts[path.with_suffix("")] = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise HandyError(
            Message("{path} cannot be read as text.", path=path), Message("Save it as UTF-8 text.")
        ) from exc
    sounds = {base.with_name(base.name + suffix): text for base, text in texts.items() for suffix in _SOUNDS}
    found = [Recording(path, text) for path, text in sorted(sounds.items()) if path.is_file()]
    if not found:
        raise HandyError(
            Message("There are no recordings with texts in {folder}.", folder=folder),
            Message("Put a TXT beside each WAV or FLAC, or give a folder in LibriSpeech's layout."),
        )
    return found


class Scorer:
    """Counts the words that differ."""

    def __init__(self) -> None:
        """Load the libraries; HandyError if they are not installed."""
        try:
            import jiwer
            from whisper_normalizer.basic import BasicTextNormalizer
            from whisper_normalizer.english import EnglishTextNormalizer
        except ImportError as exc:
            raise HandyError(
                Message("Word error rates need two libraries that are not installed."),
                how_to_get("bench"),
            ) from exc
        self._compare = jiwer.process_words
        self._english: Callable[[str], str] = EnglishTextNormalizer()
        self._basic: Callable[[str], str] = BasicTextNormalizer()
        self._letters: Callable[[str], str] = BasicTextNormalizer(split_letters=True)

    def score(self, name: str, said: str, heard: str, language: str) -> Score:
        """Compare two texts in ``language`` (English name; "" if unknown)."""
        normalize = self._basic
        if language == "English":
            normalize = self._english
        elif language in _WITHOUT_SPACES:
            normalize = self._letters
        said, heard = (" ".join(normalize(text).split()) for text in (said, heard))
        words = len(said.split())
        if not words:  # the library refuses to divide by nothing
            return Score(name, 0, 0, 0, len(heard.split()), said=said, heard=heard)
        found = self._compare(said, heard)
        counts = found.substitutions, found.deletions, found.insertions
        return Score(name, words, *counts, said=said, heard=heard)


def sounds_without_text(folder: Path, recordings: Iterable[Recording]) -> list[Path]:
    """The sound files below ``folder`` that are not among ``recordings``, by path."""
    known = {recording.path for recording in recordings}
    return sorted(path for path in folder.rglob("*") if path.suffix in _SOUNDS and path not in known)


def measure_errors(
    model: Model,
    recordings: Iterable[Recording],
    *,
    scorer: Scorer,
    language: str,
    cancel: Cancel,
    on_unreadable: Callable[[AudioFileError], None] | None = None,
) -> Iterator[Score]:
    """Transcribe each recording and compare.

    Without a ``language``, texts are normalized for the language that the model detects. AudioFileError: a
    recording cannot be read, and there is no ``on_unreadable`` to call instead. LanguageError: the model does
    not know ``language``. CancelledError: ``cancel`` was set. EngineError: a run failed.
    """
    from handy_qwen.audio.files import load

    for recording in recordings:
        try:
            samples = load(recording.path)
        except AudioFileError as exc:
            if on_unreadable is None:
                raise
            on_unreadable(exc)
            continue
        begin = time.perf_counter()
        found = model.transcribe(samples, language=language, exact=True, cancel=cancel)
        took_s = time.perf_counter() - begin
        score = scorer.score(recording.path.name, recording.text, found.text, found.language)
        yield replace(score, duration_s=found.duration_s, took_s=took_s)


def total(scores: Iterable[Score]) -> Score:
    """The score of all as one text: long recordings weigh more than short ones."""
    scores = list(scores)
    return Score(
        "all",
        sum(score.words for score in scores),
        sum(score.substitutions for score in scores),
        sum(score.deletions for score in scores),
        sum(score.insertions for score in scores),
        sum(score.duration_s for score in scores),
        sum(score.took_s for score in scores),
    )
