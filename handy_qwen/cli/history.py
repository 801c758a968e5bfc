"""``handy-qwen history``: look at what was dictated, and do something with it, with or without the app."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen import paths
from handy_qwen.cli.terminal import UsageError, agrees, complain, say, stoppable, write
from handy_qwen.control import Endpoint, ask
from handy_qwen.core.types import Entry, EntryState
from handy_qwen.errors import ControlError, HandyError, HistoryError

if TYPE_CHECKING:  # numpy and SQLite only when they are needed
    from handy_qwen.cli.transcribe import Subparsers
    from handy_qwen.history.archive import Archive
from handy_qwen.cli.options import read_settings
from handy_qwen.cli.terminal import ProgressLine, interruptible

if TYPE_CHECKING:  # slow to import: argument errors come at once
    from handy_qwen.cli.transcribe import Context
    from handy_qwen.engine.api import Cancel, Model, Transcript
    from handy_qwen.history.archive import Archive
import unicodedata

from handy_qwen.history.export import local_time

_SHOWN = 20
_MOST_SHOWN = 1_000_000


def add_parser(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser("history", help="look at, search, export, retry or delete what was dictated")
    parser.add_argument("--window", action="store_true", help="open the History window of the running app")
    parser.set_defaults(command=run_window, usage_error=parser.error)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    _add_looking(actions)
    _add_changing(actions)


def run_window(options: argparse.Namespace) -> int:
    """Have the running app open its window."""
    if not options.window:
        options.usage_error("the following arguments are required: ACTION")
    ask(Endpoint(paths.runtime_dir()), "history")
    return 0


def _add_looking(actions: Subparsers) -> None:
    listing = actions.add_parser("list", help="the last dictations")
    _add_count(listing)
    listing.add_argument(
        "--state", choices=[state.value for state in EntryState], help="only those that came that far"
    )
    listing.set_defaults(command=run_list)
    show = actions.add_parser("show", help="all there is about one")
    show.add_argument("id", type=_id, metavar="ID", help='its number, or "last"')
    show.add_argument("--json", action="store_true", help="for other programs")
    show.set_defaults(command=run_show)
    search = actions.add_parser("search", help="those in whose text, or application, all the words occur")
    search.add_argument("words", nargs="+", metavar="WORD", help="upper and lower case, é and e are the same")
    _add_count(search)
    search.set_defaults(command=run_search)
    export = actions.add_parser("export", help="all of them, or some, for other programs or to be kept")
    export.add_argument("ids", nargs="*", type=_id, metavar="ID", help="(default: all)")
    export.add_argument("--format", choices=("text", "csv", "jsonl"), default="text")
    export.add_argument("--output", type=Path, metavar="FILE", help="(default: stdout)")
    export.add_argument("--audio", type=Path, metavar="DIR", help="also copy their sound there, as WAV files")
    export.set_defaults(command=run_export)


def _add_changing(actions: Subparsers) -> None:
    for name, meaning in (
        ("retry", "transcribe one again, with another model, language or vocabulary if wanted"),
        ("restore", "transcribe one that was cancelled"),
    ):
        parser = actions.add_parser(name, help=meaning)
        parser.add_argument("id", type=_id, metavar="ID", help='its number, or "last"')
        add_options(parser)
        parser.set_defaults(command=run_retry, is_restore=name == "restore")
    star = actions.add_parser("star", help="keep these, whatever the settings say of age and number")
    star.add_argument("ids", nargs="+", type=_id, metavar="ID")
    star.add_argument("--remove", action="store_true", help="no longer")
    star.set_defaults(command=run_star)
    delete = actions.add_parser("delete", help="delete text and sound, for good")
    delete.add_argument("ids", nargs="*", type=_id, metavar="ID")
    delete.add_argument("--all", action="store_true", help="all but the starred ones")
    delete.add_argument("--yes", action="store_true", help="with --all: do not ask")
    delete.set_defaults(command=run_delete)


def _add_count(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", dest="count", type=_count, default=_SHOWN, metavar="N", help="(default: 20)")
    parser.add_argument(
        "--all", action="store_const", dest="count", const=_MOST_SHOWN, help="not only the last"
    )
    parser.add_argument("--json", action="store_true", help="for other programs")


# --- looking -----------------------------------------------------------------------------------------


def run_list(options: argparse.Namespace) -> int:
    """Show the last entries, newest first."""
    with _archive() as archive:
        entries = archive.newest()
        if options.state:
            entries = (entry for entry in entries if entry.state == options.state)
        if not _show(islice(entries, options.count), is_json=options.json) and not options.json:
            say("handy-qwen: There is nothing to show.")
    return 0


def run_search(options: argparse.Namespace) -> int:
    """Show the entries that hold all the words; the exit status is 1 if there are none, as grep's is."""
    words = [word for given in options.words for word in given.split()]
    if not words:
        raise UsageError("There is no word to look for.")
    with _archive() as archive:
        if _show(archive.matching(words, options.count), is_json=options.json):
            return 0
    if not options.json:
        say(f"handy-qwen: No dictation holds {' and '.join(words)}.")
    return 1


def run_show(options: argparse.Namespace) -> int:
    """Show all there is about one entry; the text alone goes to stdout."""
    from handy_qwen.history.export import as_json

    with _archive() as archive:
        entry = archive.entry(_number(archive, options.id))
        sound = str(archive.audio(entry.id)) if entry.has_audio else ""
    if options.json:
        write(as_json(entry, audio=sound or None) + "\n")
        return 0
    for name, value in details(entry):
        say(f"{name:>12}  {sound if name == 'sound' and sound else value}")
    if entry.text:
        _write_text(entry.text + "\n")
    return 0


def _show(entries: Iterable[Entry], *, is_json: bool) -> bool:
    """Write the entries. Returns whether there are any."""
    entries = iter(entries)
    first = list(islice(entries, 1))
    every = chain(first, entries)
    if is_json:
        _write_json(every)
        return bool(first)
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for entry in every:
        id_columns = len(str(first[0].id))  # the newest has the greatest
        write(line(entry, id_columns, columns) + "\n")
    return bool(first)


def _write_json(entries: Iterable[Entry]) -> None:
    from handy_qwen.history.export import as_json

    before = "[\n"
    for entry in entries:
        write(f"{before}  {as_json(entry)}")
        before = ",\n"
    write("[]\n" if before == "[\n" else "\n]\n")


def run_export(options: argparse.Namespace) -> int:
    """Write entries, oldest first, and copy their sound."""
    from handy_qwen.history.export import Format, exported, save

    with _archive() as archive, stoppable():
        numbers = sorted({_number(archive, one) for one in options.ids})

        def chosen() -> Iterator[Entry]:
            return map(archive.entry, numbers) if numbers else archive.oldest()

        pieces = exported(chosen(), Format(options.format))
        if options.output is None:
            for piece in pieces:
                _write_text(piece)
        else:
            save(options.output, pieces)
        if options.audio is not None:
            _copy_sound(archive, chosen(), options.audio)
    return 0


def _copy_sound(archive: Archive, entries: Iterable[Entry], folder: Path) -> None:
    from handy_qwen.history import wav
    from handy_qwen.history.export import local_time

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for entry in entries:
            if not entry.has_audio:
                continue
            time = local_time(entry).replace(":", "").replace(" ", "-")
            copy = folder / f"dictation-{entry.id}-{time}.wav"
            _copy_privately(archive.audio(entry.id), copy)
            wav.repair(copy, wav.Stage.SETTLED)
    except OSError as exc:
        raise HandyError(f"{folder} cannot be written to: {exc.strerror}.", "Choose another place.") from exc


def _copy_privately(sound: Path, copy: Path) -> None:
    """Copy a file into one that nobody else could ever open."""
    copy.unlink(missing_ok=True)
    private = partial(os.open, mode=0o600)
    with sound.open("rb") as source, open(copy, "xb", opener=private) as target:
        shutil.copyfileobj(source, target)


# --- changing ----------------------------------------------------------------------------------------


def run_retry(options: argparse.Namespace) -> int:
    """Transcribe an entry again and write its text to stdout."""
    with _archive() as archive, stoppable():
        number = _number(archive, options.id)
        entry = archive.entry(number)
        if options.is_restore and entry.state is not EntryState.CANCELLED:
            raise UsageError(f"Entry {number} was not cancelled.", "To transcribe it again: history retry")
        archive.check_is_free(number)
        new = retry(archive, entry, options)
    if options.json:
        from handy_qwen.history.export import as_json

        write(as_json(new) + "\n")
    else:
        _write_text(new.text + "\n")
    return 0


def run_star(options: argparse.Namespace) -> int:
    """Star entries, or take their stars away."""
    with _archive() as archive:
        for one in options.ids:
            archive.star(_number(archive, one), is_starred=not options.remove)
    return 0


def run_delete(options: argparse.Namespace) -> int:
    """Delete entries; one that cannot be deleted does not save the others."""
    if bool(options.ids) == options.all:
        raise UsageError("Say which: numbers, or --all.")
    has_failed = False
    with _archive() as archive:
        if options.all:
            numbers = _all_but_starred(archive, is_agreed=options.yes)
        else:
            numbers = [_number(archive, one) for one in options.ids]
        for number in numbers:
            try:
                archive.delete(number)
            except HistoryError as error:
                complain(error)
                has_failed = True
        archive.forget_traces()
    return int(has_failed)


def _all_but_starred(archive: Archive, *, is_agreed: bool) -> list[int]:
    """What ``delete --all`` is about, if the user wants that."""
    entries = list(archive.newest())
    numbers = [entry.id for entry in entries if not entry.is_starred]
    starred = len(entries) - len(numbers)
    told = f"{starred} with a star {'is' if starred == 1 else 'are'} kept" if starred else ""
    if numbers and not is_agreed:
        question = f"Delete text and sound of all dictations ({len(numbers)}{told and '; '}{told})?"
        if not agrees(f"{question} They cannot be brought back."):
            raise HistoryError("Nothing was deleted.")
    elif told:
        say(f"{told}.")
    return numbers


# --- what the actions share --------------------------------------------------------------------------


def _write_text(text: str) -> None:
    """Write what was said: as it is to a file or another program, and harmless to a terminal."""
    write(harmless(text) if sys.stdout.isatty() else text)


def _archive() -> Archive:
    from handy_qwen.history.archive import Archive
    from handy_qwen.history.store import default_folder

    return Archive(default_folder(), is_app_running=_is_app_running)


def _is_app_running() -> bool:
    try:
        ask(Endpoint(paths.runtime_dir()), "status")
    except ControlError:
        return False  # what seems to be in work was left behind
    return True


def _number(archive: Archive, asked: int) -> int:
    """The id that is meant; 0 is the last entry."""
    if asked:
        return asked
    last = next(archive.newest(1), None)
    if last is None:
        raise HistoryError("The history is empty.")
    return last.id


def _id(text: str) -> int:
    if text == "last":
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and int(text)):
        raise argparse.ArgumentTypeError(f'{text!r} is no number of an entry; or say "last"')
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST_SHOWN):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MOST_SHOWN}")
    return int(text)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what may be different this time."""
    from handy_qwen.cli.transcribe import add_model_options

    add_model_options(parser)
    parser.add_argument(
        "--language", metavar="L", help='name or ISO code, "" to find it out (default: as it was asked for)'
    )
    parser.add_argument(
        "--vocabulary", type=Path, metavar="FILE", help="a text file with one name or term per line"
    )
    parser.add_argument("--json", action="store_true", help="for other programs")


def retry(archive: Archive, entry: Entry, options: argparse.Namespace) -> Entry:
    """Transcribe ``entry``, keep the text in the history, and return the entry as it is then.

    Raises:
        HandyError: It has no sound, or the model cannot be used; the entry is as it was.
        KeyboardInterrupt: The user has had enough; likewise.
    """
    from handy_qwen.app.choices import rules_of
    from handy_qwen.cli.transcribe import context_of, opened, tell_context
    from handy_qwen.core.text import clean
    from handy_qwen.core.types import Method
    from handy_qwen.engine.api import Cancel

    sound = archive.audio(entry.id)
    settings = read_settings()
    rules = rules_of(settings, Method.NONE)
    language = archive.asked_language(entry.id) if options.language is None else options.language
    context = context_of("", options.vocabulary) if options.vocabulary else rules.context
    with opened(options.model or settings.model, options.threads or settings.threads or None) as recognizer:
        recognizer.check_language(language)
        tell_context(recognizer, context)
        cancel = Cancel()
        work = partial(_transcribed, recognizer, sound, language, context, cancel)
        found = interruptible(work, cancel)
        name = recognizer.name
    if not found.text and entry.text:
        raise HistoryError("No speech was found this time.", "The previous text is unchanged.")
    if found.is_truncated:
        say("handy-qwen: The text may not be complete: the answer broke off.")
    text = clean(found.text, rules.text, found.language)
    archive.transcribed(entry.id, text, language=found.language, model=name)
    return archive.entry(entry.id)


def _transcribed(
    recognizer: Model, path: Path, language: str, context: Context, cancel: Cancel
) -> Transcript:
    """Runs on a thread of its own. Features as when dictating, so that the same model writes the same."""
    from handy_qwen.core.types import RATE_HZ
    from handy_qwen.history import wav

    live = recognizer.live(language=language, context=context, drafts=False, cancel=cancel)
    progress, heard_s, duration_s = ProgressLine(), 0.0, wav.look(path).duration_s
    try:
        with wav.blocks(path) as blocks:
            for block in blocks:
                live.feed(block)
                while live.advance():
                    pass
                heard_s += len(block) / RATE_HZ
                progress.show("", min(1.0, heard_s / duration_s))
        return live.finish()
    except OSError as exc:
        raise HistoryError(f"The recording cannot be read: {exc.strerror}.") from exc
    finally:
        progress.clear()


_LEAST_TEXT = 20  # columns, on the narrowest terminal
_ABOUT_LINES = "\u2028\u2029"
_TURNERS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # would turn round what stands behind


def line(entry: Entry, id_columns: int, columns: int | None) -> str:
    """One line for an entry; ``columns`` None: as wide as it takes."""
    minutes, seconds = divmod(round(entry.duration_s), 60)
    star = "*" if entry.is_starred else " "
    head = f"{entry.id:>{id_columns}}{star} {local_time(entry)} {minutes:>3}:{seconds:02} "
    return head + shortened(
        summary(entry), None if columns is None else max(_LEAST_TEXT, columns - len(head))
    )


def summary(entry: Entry) -> str:
    """What there is to say of an entry: its text, or why there is none."""
    if entry.state is EntryState.DONE and not entry.text:
        return "[no speech]"
    if entry.state is EntryState.FAILED:
        return f"[failed: {entry.error}] {entry.text}".strip()
    if entry.state is EntryState.DONE:
        return f"[not delivered] {entry.text}" if entry.is_undelivered else entry.text
    return f"[{entry.state.value}] {entry.text}".strip()


def details(entry: Entry) -> list[tuple[str, str]]:
    """All that is known of an entry but its text: name and value."""
    values = [
        ("id", str(entry.id)),
        ("recorded", local_time(entry)),
        ("state", entry.state.value),
        ("duration", f"{entry.duration_s:.1f} s"),
        ("language", entry.language),
        ("model", entry.model),
        ("application", entry.application),
        ("delivered", entry.delivery.value or ("no" if entry.text else "")),
        ("error", entry.error),
        ("starred", "yes" if entry.is_starred else ""),
        ("sound", "yes" if entry.has_audio else "no"),
    ]
    return [(name, harmless(value)) for name, value in values if value]


def harmless(text: str) -> str:
    """``text`` without what a terminal would obey, or what would turn round the rest of the line."""
    return "".join(_harmless(char) for char in text)


def shortened(text: str, columns: int | None) -> str:
    """``text`` on one line of at most ``columns``; characters may be two columns wide, or none."""
    text = " ".join(harmless(text.replace("\n", " ")).split())
    if columns is None or sum(map(_columns, text)) <= columns:
        return text
    used, kept = 1, ""  # one for the ellipsis
    for char in text:
        used += _columns(char)
        if used > columns:
            break
        kept += char
    return f"{kept.rstrip()}…"


def _harmless(char: str) -> str:
    if char in "\n\t":
        return char
    if char in _TURNERS:
        return ""
    return "\ufffd" if unicodedata.category(char) in {"Cc", "Cs"} or char in _ABOUT_LINES else char


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
