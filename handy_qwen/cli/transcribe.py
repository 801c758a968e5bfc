"""``handy-qwen transcribe``: transcribes audio files."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handy_qwen.app.transcripts import as_json, described, rendered
from handy_qwen.cli.options import (
    Context,
    Subparsers,
    add_command,
    add_model_options,
    asked_or_used,
    context_of,
    may_use_devices,
)
from handy_qwen.cli.terminal import ProgressLine, UsageError, complain, interruptible, say, stoppable, write
from handy_qwen.core.sound_files import Form
from handy_qwen.errors import HandyError
from handy_qwen.files import replacing
from handy_qwen.message import Message

if TYPE_CHECKING:  # imported when needed, so that argument errors come at once
    from handy_qwen.audio.files import Loudness
    from handy_qwen.core.types import Samples
    from handy_qwen.engine.api import Cancel, FittedWords, Model, Transcript

_EXAMPLES = (
    "handy-qwen transcribe interview.mp3",
    "handy-qwen transcribe --language de,en --output texts *.wav",
    "handy-qwen transcribe --vocabulary names.txt meeting.ogg",
    "handy-qwen transcribe --recursive --format srt --output subtitles films/",
)
_TIMINGS = ("features_s", "encoder_s", "prefill_s", "decode_s", "total_s")  # the timings of a file


def add_parsers(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    summary = "turn sound files into text"
    parser = add_command(commands, "transcribe", _run, summary, examples=_EXAMPLES)
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a sound file or video, or - for standard input"
    )
    add_model_options(parser)
    meaning = "name or ISO code; of several, the one that is spoken (default: detect)"
    parser.add_argument("--language", "--languages", default="", metavar="L[,L…]", help=meaning)
    parser.add_argument("--context", default="", metavar="TEXT", help="names and terms that may come up")
    parser.add_argument(
        "--vocabulary",
        type=Path,
        metavar="FILE",
        help="a text file with one name or term per line; lines starting with # are skipped",
    )
    parser.add_argument(
        "--format",
        choices=[form.value for form in Form],
        default=Form.TEXT.value,
        help="srt and vtt are subtitles, timed by the pauses in the speech (default: %(default)s)",
    )
    parser.add_argument(
        "-r", "--recursive", action="store_true", help="take the sound files and videos in folders as well"
    )
    meaning = "write one text file per sound file there (default: - for stdout)"
    parser.add_argument("--output", default="-", metavar="DIR", help=meaning)
    parser.add_argument(
        "-H", "--with-filename", action="store_true", help="print the file name before each text"
    )
    features = parser.add_mutually_exclusive_group()
    meaning = "process the whole recording at once (the default, except for subtitles)"
    features.add_argument("--exact", action="store_true", default=None, help=meaning)
    features.add_argument(
        "--live", dest="exact", action="store_false", help="process it piece by piece, exactly as a dictation"
    )


def _run(options: argparse.Namespace) -> int:
    """Transcribe all files, even if some fail."""
    from handy_qwen.audio.files import check

    context = context_of(options.context, options.vocabulary)
    form = Form(options.format)
    is_text_on_stdout = options.output == "-" and form is Form.TEXT
    if options.with_filename and not is_text_on_stdout:
        raise UsageError(Message("--with-filename only works with text on standard output."))
    if options.exact and form.is_timed:
        raise UsageError(
            Message("--exact gives no times."), Message("Leave it out, or choose another format.")
        )
    options.exact = not form.is_timed if options.exact is None else options.exact
    meant = _meant(options)
    if form.is_timed and options.output == "-" and len(meant) > 1:
        raise UsageError(
            Message("Subtitles of several files need a folder."), Message("Choose one with --output DIR.")
        )
    places = _places(options, meant)
    names = [name for name, _stem in meant if _succeeds(partial(check, name))]
    if places:
        names = _writable(names, places)
    if not names:
        return 1
    options.language = [one.strip() for one in options.language.split(",")]
    with stoppable(), opened(options.model, options.threads, options.language) as recognizer:
        words = tell_context(recognizer, context, is_for_file=True)
        options.context = words.text if words else options.context
        results: list[dict[str, Any]] = []
        try:
            for name, result, found in _results(names, recognizer, options):
                if words is not None:
                    counts = {"used": words.used, "tokens": words.tokens, "limit": words.limit}
                    result["vocabulary"] = {"words": words.total} | counts
                if places and not _is_saved(places[name], rendered(form, result, found.segments)):
                    continue
                if is_text_on_stdout and options.with_filename:
                    write(f"{name}: ")
                if not places and form is not Form.JSON:
                    write(rendered(form, result, found.segments))
                results.append(result)
        finally:  # also partial results when the user interrupts
            if not places and form is Form.JSON and results:
                write(as_json(results[0] if len(meant) == 1 else results))
    return 0 if len(results) == len(meant) else 1


def _succeeds(work: Callable[[], None]) -> bool:
    try:
        work()
    except HandyError as error:
        complain(error)
        return False
    return True


def _results(
    names: list[str], recognizer: Model, options: argparse.Namespace
) -> Iterator[tuple[str, dict[str, Any], Transcript]]:
    """The result for each file that can be transcribed; for the others, report why not."""
    from handy_qwen.audio.files import Loudness
    from handy_qwen.engine.api import Cancel

    cancel = Cancel()
    for name in names:
        loudness = Loudness()
        try:
            result, found = interruptible(
                partial(_transcribed, name, recognizer, options, loudness, cancel), cancel
            )
        except HandyError as error:
            complain(error)
            continue
        if result["truncated"]:
            say(f"handy-qwen: {name}: The text may be incomplete: the recording or the model broke off.")
        elif not result["text"]:
            say(f"handy-qwen: {name}: No text: {loudness.why_no_text()}.")
        yield name, result, found


@contextmanager
def opened(model: str, threads: int | None, language: str | Sequence[str] = "") -> Iterator[Model]:
    """Load a model, print its notices, and close it at the end. Raises EngineError."""

    def load() -> Model:
        from handy_qwen.models.installed import load_recognizer

        return load_recognizer(asked_or_used(model), threads, use_devices=may_use_devices())

    recognizer = interruptible(load)
    try:
        for one in [language] if isinstance(language, str) else language:
            recognizer.check_language(one)
        if recognizer.notice:
            say(f"handy-qwen: {recognizer.notice}")
        yield recognizer
    finally:
        recognizer.close()


def tell_context(recognizer: Model, context: Context, *, is_for_file: bool = False) -> FittedWords | None:
    """Report what of ``context`` the model does not read; return how words fit, None for a text."""
    if isinstance(context, str):
        if not recognizer.is_context_read_whole(context):
            say("handy-qwen: The context is too long for the model; its end is ignored.")
        return None
    words = recognizer.fit_words(context, is_for_file=is_for_file)
    if words.left_out:
        say(f"handy-qwen: {words.summary}")
    return words


def _transcribed(
    name: str, recognizer: Model, options: argparse.Namespace, loudness: Loudness, cancel: Cancel
) -> tuple[dict[str, Any], Transcript]:
    """Transcribe one file. Runs on a thread of its own."""
    from handy_qwen.audio.files import read
    from handy_qwen.engine.api import transcribe_blocks

    with read(name) as audio:
        wanted = {"language": options.language, "context": options.context, "exact": options.exact}
        live = recognizer.live(**wanted, drafts=False, cancel=cancel)

        def blocks() -> Iterator[Samples]:
            for block in audio:
                loudness.feed(block)
                yield block

        with sample_progress(name, audio.total_samples) as on_step:
            found = transcribe_blocks(live, blocks(), on_step)
        timings = {"load_s": recognizer.load_s}
        timings |= {name: getattr(found.timings, name) for name in _TIMINGS}
        known = described(name, found, model=recognizer.name, is_truncated=audio.is_truncated)
        return known | {"timings": {key: round(value, 4) for key, value in timings.items()}}, found


@contextmanager
def sample_progress(name: str, total_samples: int | None) -> Iterator[Callable[[int], None]]:
    """Shows how much of ``name`` is done, if its length is known."""
    line = ProgressLine()

    def show(done: int) -> None:
        if total_samples:
            line.show(name, min(1.0, done / total_samples))

    try:
        yield show
    finally:
        line.clear()


def _meant(options: argparse.Namespace) -> list[tuple[str, str]]:
    """All input files, and the names of their texts below --output: as in their folders."""
    from handy_qwen.audio.files import files_in

    meant: list[tuple[str, str]] = []
    for name in options.files:
        if not options.recursive or name == "-" or not Path(name).is_dir():
            meant.append((name, "stdin" if name == "-" else Path(name).name))
            continue
        try:
            found = files_in(Path(name))
        except OSError as exc:
            title = Message("{name} can't be read: {reason}.", name=name, reason=exc.strerror)
            hint = Message("Check its permissions.")
            raise HandyError(title, hint) from exc
        if not found:
            title = Message("There is no sound file in {name}.", name=name)
            hint = Message("Name the files in it one by one.")
            raise HandyError(title, hint)
        meant += [(str(file), str(file.relative_to(name))) for file in found]
    return meant


def _places(options: argparse.Namespace, meant: Sequence[tuple[str, str]]) -> dict[str, Path]:
    """The output file for each input file; empty for stdout."""
    if options.output == "-":
        return {}
    if not options.output:  # an unset shell variable; it would mean the current folder
        raise UsageError(Message("--output needs a folder."))
    folder, form = Path(options.output), Form(options.format)
    bases = Counter(form.base(Path(stem)) for _name, stem in meant)
    places: dict[str, Path] = {}
    taken: dict[Path, str] = {}
    for name, stem in meant:
        base = form.base(Path(stem))
        place = places[name] = folder / f"{base if bases[base] == 1 else stem}{form.suffix}"
        if place in taken:
            title = Message(
                "{taken} and {name} would both be saved as {path}.", taken=taken[place], name=name, path=place
            )
            hint = Message("Transcribe them one after the other, into different folders.")
            raise UsageError(title, hint)
        taken[place] = name
        if place.exists() and any(Path(other).exists() and place.samefile(other) for other, _stem in meant):
            raise UsageError(
                Message("{path} is one of the sound files.", path=place), Message("Choose another folder.")
            )
    return places


def _writable(names: list[str], places: dict[str, Path]) -> list[str]:
    """Those of ``names`` whose text can be written, as far as known in advance. Creates the folder."""
    if not names:
        return []
    for folder in dict.fromkeys(places[name].parent for name in names):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as exc:
            reason = "it is not a folder" if isinstance(exc, FileExistsError) else exc.strerror
            title = Message("Can't write to {folder}: {reason}.", folder=folder, reason=reason)
            hint = Message("Choose another folder.")
            raise HandyError(title, hint) from exc
    return [name for name in names if _succeeds(partial(_check_place, places[name]))]


def _check_place(path: Path) -> None:
    try:
        is_folder = path.is_dir()
        os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise _not_written(path, exc) from exc
    if is_folder:
        title = Message("{path} cannot be written: it is a folder.", path=path)
        hint = Message("Rename it, or choose another folder.")
        raise HandyError(title, hint)
    if path.exists() and not os.access(path, os.W_OK):
        raise HandyError(
            Message("{path} is write-protected.", path=path), Message("Rename it, or choose another folder.")
        )


def _is_saved(path: Path, text: str) -> bool:
    """Write all of ``text`` or nothing; if that fails, print it to stdout with a message."""
    try:
        with replacing(path) as file:
            file.write(text.encode("utf-8", "surrogateescape"))
    except OSError as exc:
        complain(_not_written(path, exc))
        say("handy-qwen: Its text is on standard output instead.")
        write(text)
        return False
    return True


def _not_written(path: Path, exc: OSError) -> HandyError:
    title = Message("{path} cannot be written: {reason}.", path=path, reason=exc.strerror)
    hint = Message("Choose another folder.")
    return HandyError(title, hint)
