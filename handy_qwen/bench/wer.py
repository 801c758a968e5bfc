"""Word error rate on recordings with known texts: WAV or FLAC beside TXT, or in LibriSpeech's layout.

    report.flac  report.txt                             a text for each recording
    84-121123.trans.txt  84-121123-0000.flac …          a line for each: its name, a space, its text

Texts are compared after Whisper's normalization, as is usual (no case, no punctuation, one spelling, numbers
in digits for English); in scripts without spaces, each letter counts as a word.

Source: Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision (2022), appendix C.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.errors import AudioFileError, HandyError
from handy_qwen.extras import how_to_get
from handy_qwen.message import Message

if TYPE_CHECKING:
    from handy_qwen.engine.api import Cancel, Model

_SOUNDS = (".flac", ".wav")
_LISTS = ".trans.txt"
_WITHOUT_SPACES = frozenset({"Chinese", "Cantonese", "Japanese", "Thai"})


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound file and what is said in it."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Score:
    """How far ``heard`` is from ``said``, both normalized, in words. ``took_s`` is the time to transcribe."""

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
        """All of them."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors for each word that was said; nothing said and nothing heard is right."""
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
            Message("{path} cannot be read as text.", path=path), Message("Save it as text in UTF-8.")
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
    """The sound files below ``folder`` that are none of ``recordings``, by path."""
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

    Without a ``language``, texts are normalized for the language that the model hears. A recording that
    cannot be read raises an error, or is left out if there is an ``on_unreadable`` to call.

    Raises:
        AudioFileError: A recording cannot be read, and there is no ``on_unreadable``.
        LanguageError: The model does not know ``language``.
        CancelledError: ``cancel`` was set.
        EngineError: A run failed.
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
    """All of them as one text: long recordings weigh more than short ones."""
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
