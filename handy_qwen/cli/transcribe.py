"""``handy-qwen transcribe``: sound files in, text out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from handy_qwen.cli import simulate
from handy_qwen.cli.choice import asked_or_used
from handy_qwen.cli.terminal import (
    ProgressLine,
    UsageError,
    complain,
    interruptible,
    say,
    stoppable,
    write,
)
from handy_qwen.errors import HandyError

if TYPE_CHECKING:  # the engine is imported when it is needed: argument errors come at once
    from handy_qwen.engine.prompt import FittedWords
    from handy_qwen.engine.recognizer import Recognizer
    from handy_qwen.engine.sessions import Cancel

    Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

Context: TypeAlias = str | tuple[str, ...]
"""A text, or words of which as many as fit are read."""

_SUFFIXES = {"text": ".txt", "json": ".json", "jsonl": ".jsonl"}
_MAX_VOCABULARY_BYTES = 1_000_000
_MAX_THREADS = 256
_TIMINGS = ("features_s", "encoder_s", "prefill_s", "decode_s", "total_s")  # a file has no others


def add_parser(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "transcribe", help="turn sound files into text", description="Turn sound files into text."
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a sound file, or - for standard input")
    add_model_options(parser)
    parser.add_argument(
        "--language", default="", metavar="L", help="name or ISO code; found out if not given"
    )
    parser.add_argument("--context", default="", metavar="TEXT", help="names and terms that may come up")
    parser.add_argument(
        "--vocabulary",
        type=Path,
        metavar="FILE",
        help="a text file with one name or term per line; lines that begin with # are left out",
    )
    parser.add_argument("--format", choices=tuple(_SUFFIXES), default="text", help="(default: %(default)s)")
    parser.add_argument(
        "--output",
        default="-",
        metavar="DIR",
        help="write a file for each sound file there (default: - for stdout)",
    )
    features = parser.add_mutually_exclusive_group()
    features.add_argument(
        "--exact",
        dest="exact",
        action="store_true",
        default=True,
        help="features of the whole clip (default)",
    )
    features.add_argument(
        "--live",
        dest="exact",
        action="store_false",
        help="as when dictating: features of what was heard so far",
    )
    simulate.add_options(parser)
    parser.set_defaults(command=run)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--model`` and ``--threads``."""
    parser.add_argument(
        "--model",
        default="",
        metavar="NAME|DIR",
        help="an installed model or a folder (default: the one in use)",
    )
    parser.add_argument("--threads", type=thread_count, metavar="N", help="processor threads to use")


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for all files of one call."""

    recognizer: Recognizer
    language: str
    context: Context
    exact: bool


def run(options: argparse.Namespace) -> int:
    """Transcribe all files; one that fails does not stop the others."""
    context = context_of(options.context, options.vocabulary)
    if simulate.is_asked(options):
        return simulate.run(options, context)
    places = _places(options)
    with stoppable(), opened(options.model, options.threads) as recognizer:
        recognizer.check_language(options.language)  # before a file is opened
        words = tell_context(recognizer, context)
        job = Job(recognizer, options.language, context, options.exact)
        results = []
        for name, result in _results(options.files, job):
            if words is not None:
                result["vocabulary"] = {
                    "words": words.total,
                    "used": words.used,
                    "tokens": words.tokens,
                    "limit": words.limit,
                }
            if places:
                if not _is_saved(places[name], _rendered(result, options.format)):
                    continue
            elif options.format != "json":
                write(_rendered(result, options.format))
            results.append(result)
    if not places and options.format == "json" and results:
        write(_rendered(results[0] if len(options.files) == 1 else results, "json"))
    return 0 if len(results) == len(options.files) else 1


def _results(names: list[str], job: Job) -> Iterator[tuple[str, dict[str, Any]]]:
    """The result of each file that can be transcribed; of the others, it is told why not."""
    from handy_qwen.engine.sessions import Cancel

    cancel, progress = Cancel(), ProgressLine()
    for name in names:
        try:
            result = interruptible(partial(_transcribed, name, job, progress, cancel), cancel)
        except HandyError as error:
            progress.clear()
            complain(error)
            continue
        except KeyboardInterrupt:
            progress.clear()
            raise
        progress.clear()
        if result["truncated"]:
            say(f"handy-qwen: {name}: The text may not be complete: the sound or the answer broke off.")
        yield name, result


@contextmanager
def opened(model: str, threads: int | None) -> Iterator[Recognizer]:
    """Load a model, tell what should be known about it, and close it at the end."""
    from handy_qwen.models.installed import load_recognizer

    recognizer = load_recognizer(asked_or_used(model), threads)
    try:
        if recognizer.notice:
            say(f"handy-qwen: {recognizer.notice}")
        yield recognizer
    finally:
        recognizer.close()


def tell_context(recognizer: Recognizer, context: Context) -> FittedWords | None:
    """Say what of ``context`` the model does not read. Returns how its words fit; None for a plain text."""
    if isinstance(context, str):
        if not recognizer.is_context_read_whole(context):
            say("handy-qwen: The context is longer than the model reads: its end is left out.")
        return None
    words = recognizer.fit_words(context)
    if words.left_out:
        say(f"handy-qwen: {words.summary}")
    return words


def _transcribed(name: str, job: Job, progress: ProgressLine, cancel: Cancel) -> dict[str, Any]:
    """Transcribe one file. Runs on a thread of its own."""
    from handy_qwen.audio.files import read

    with read(name) as audio:
        live = job.recognizer.live(
            language=job.language, context=job.context, exact=job.exact, drafts=False, cancel=cancel
        )
        heard = 0
        for block in audio:
            live.feed(block)
            while live.advance():
                pass
            heard += len(block)
            if audio.total_samples:
                progress.show(name, min(1.0, heard / audio.total_samples))
        result = live.finish()
        timings = {"load_s": job.recognizer.load_s}
        timings |= {name: getattr(result.timings, name) for name in _TIMINGS}
        return {
            "file": name,
            "text": result.text,
            "language": result.language,
            "language_forced": result.is_language_forced,
            "truncated": result.is_truncated or audio.is_truncated,
            "duration_s": round(result.duration_s, 3),
            "tokens": len(result.tokens),
            "model": job.recognizer.name,
            "timings": {key: round(value, 4) for key, value in timings.items()},
        }


def context_of(text: str, vocabulary: Path | None) -> Context:
    """The context given, and the vocabulary's entries behind it."""
    if vocabulary is None:
        return text
    try:
        with vocabulary.open("rb") as file:
            raw = file.read(_MAX_VOCABULARY_BYTES + 1)
        lines = raw.decode("utf-8-sig").splitlines()
    except OSError as exc:
        raise UsageError(
            f"{vocabulary} cannot be read: {exc.strerror}.",
            "Give a text file with one name or term per line.",
        ) from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"{vocabulary} is not a text file.", "Save it as text in UTF-8.") from exc
    if len(raw) > _MAX_VOCABULARY_BYTES:
        raise UsageError(f"{vocabulary} is too large for a vocabulary.", "One name or term per line, please.")
    if b"\0" in raw:
        raise UsageError(f"{vocabulary} is not a text file.", "Save it as text in UTF-8.")
    words = [line.strip() for line in lines]
    return tuple(filter(None, [text, *(word for word in words if not word.startswith("#"))]))


def _places(options: argparse.Namespace) -> dict[str, Path]:
    """Which file the text of each sound file goes to; none for stdout. Makes the folder."""
    if options.output == "-":
        return {}
    folder = Path(options.output)
    places: dict[str, Path] = {}
    taken: dict[Path, str] = {}
    for name in options.files:
        stem = "stdin" if name == "-" else Path(name).name
        place = places[name] = folder / (stem + _SUFFIXES[options.format])
        if place in taken:
            raise UsageError(
                f"{taken[place]} and {name} would both be written to {place}.",
                "Transcribe them one after the other, into different folders.",
            )
        taken[place] = name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise HandyError(f"{folder} cannot be used as a folder.", "Choose another place.") from exc
    return places


def _is_saved(path: Path, text: str) -> bool:
    """Write a result; tell why if that is not possible."""
    try:
        _save(path, text)
    except HandyError as error:
        complain(error)
        return False
    return True


def _save(path: Path, text: str) -> None:
    """Write all of ``text`` or nothing."""
    unfinished = path.with_name(f".{path.name}.part")
    try:
        try:
            unfinished.write_text(text, encoding="utf-8", errors="surrogateescape")
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)  # fails as well where the name is too long
    except OSError as exc:
        raise HandyError(f"{path} could not be written: {exc.strerror}.", "Choose another place.") from exc


def _rendered(result: dict[str, Any] | list[dict[str, Any]], form: str) -> str:
    if form == "text" and isinstance(result, dict):
        return f"{result['text']}\n"
    return json.dumps(result, ensure_ascii=False, indent=2 if form == "json" else None) + "\n"


def thread_count(text: str) -> int:
    """A number of threads from the command line."""
    if not (text.isdecimal() and 1 <= int(text) <= _MAX_THREADS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MAX_THREADS}")
    return int(text)
