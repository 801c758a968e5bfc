"""``handy-qwen history``: view and use past dictations, with or without the app running."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.cli.options import (
    Subparsers,
    add_command,
    add_group,
    add_model_options,
    context_of,
    number,
    read_settings,
)
from handy_qwen.cli.terminal import UsageError, agrees, complain, interruptible, say, stoppable, write
from handy_qwen.control import ask_app
from handy_qwen.core.types import Entry, EntryState
from handy_qwen.errors import ControlError, HandyError, HistoryError
from handy_qwen.history.export import Format, as_json, exported, local_time, save
from handy_qwen.message import Message

if TYPE_CHECKING:  # numpy and SQLite only when needed
    from handy_qwen.engine.api import Transcript
    from handy_qwen.history.archive import Archive

_EXAMPLES = (
    "handy-qwen history list -n 5",
    "handy-qwen history search invoice anna",
    "handy-qwen history retry last --language de",
    "handy-qwen history export --format csv --output dictations.csv",
)
_EMPTY = "handy-qwen: The history is empty."
_SHOWN = 20
_MOST_SHOWN = 1_000_000
_LEAST_TEXT = 20  # columns, on the narrowest terminal
_LINE_ENDS = "\u2028\u2029"
_DIRECTION_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # reorder the rest of a line


def add_parsers(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    parser, actions = add_group(
        commands, "history", "list, search, export, retry or delete dictations", _EXAMPLES
    )
    parser.add_argument("--window", action="store_true", help="open the History window")
    list_actions = parser.get_default("command")
    parser.set_defaults(command=lambda options: _run_window() if options.window else list_actions(options))
    _add_looking(actions)
    _add_changing(actions)


def _run_window() -> int:
    ask_app("history")
    return 0


def _add_looking(actions: Subparsers) -> None:
    listing = add_command(actions, "list", _run_list, "list the last dictations", has_json=True)
    listing.add_argument(
        "--state", choices=[state.value for state in EntryState], help="only dictations in this state"
    )
    show = add_command(actions, "show", _run_show, "show one dictation in full", has_json=True)
    show.add_argument("id", type=_id, metavar="ID", help='its number, or "last"')
    meaning = "find dictations by words in the text or application"
    search = add_command(actions, "search", _run_search, meaning, has_json=True)
    search.add_argument(
        "words", nargs="+", metavar="WORD", help="all must occur; accents and case are ignored"
    )
    for parser in (listing, search):
        count = number(1, _MOST_SHOWN)
        parser.add_argument("-n", dest="count", type=count, default=_SHOWN, metavar="N", help="(default: 20)")
        parser.add_argument("--all", action="store_const", dest="count", const=_MOST_SHOWN, help="no limit")
    export = add_command(actions, "export", _run_export, "export dictations as text, CSV or JSON")
    export.add_argument("ids", nargs="*", type=_id, metavar="ID", help="(default: all)")
    export.add_argument("--format", choices=("text", "csv", "jsonl"), default="text")
    export.add_argument("--output", type=Path, metavar="FILE", help="(default: stdout)")
    export.add_argument("--audio", type=Path, metavar="DIR", help="also save the recordings there, as WAV")


def _add_changing(actions: Subparsers) -> None:
    for name, meaning in (
        ("retry", "transcribe one again, if you like with another model, language or vocabulary"),
        ("restore", "transcribe a cancelled dictation"),
    ):
        parser = add_command(
            actions, name, partial(_run_retry, is_restore=name == "restore"), meaning, has_json=True
        )
        parser.add_argument("id", type=_id, metavar="ID", help='its number, or "last"')
        add_model_options(parser)
        parser.add_argument(
            "--language", metavar="L", help='name or ISO code, "" to detect (default: as recorded)'
        )
        parser.add_argument(
            "--vocabulary", type=Path, metavar="FILE", help="a text file with one name or term per line"
        )
    star = add_command(actions, "star", _run_star, "protect dictations from automatic deletion")
    star.add_argument("ids", nargs="+", type=_id, metavar="ID")
    star.add_argument("--remove", action="store_true", help="remove the star")
    delete = add_command(actions, "delete", _run_delete, "delete text and recording for good")
    delete.add_argument("ids", nargs="*", type=_id, metavar="ID")
    delete.add_argument("--all", action="store_true", help="delete all but starred dictations")
    delete.add_argument("--yes", action="store_true", help="do not ask for confirmation (with --all)")


def _id(text: str) -> int:
    """The id of an entry; 0 is the last."""
    if text == "last":
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and int(text)):
        raise argparse.ArgumentTypeError(f'{text!r} is neither a number nor "last"')
    return int(text)


def _archive() -> Archive:
    from handy_qwen.history.archive import Archive
    from handy_qwen.history.store import default_folder

    def is_app_running() -> bool:
        try:
            ask_app("status")
        except ControlError:
            return False  # entries that seem in use were left behind
        return True

    return Archive(default_folder(), is_app_running=is_app_running)


def _number(archive: Archive, asked: int) -> int:
    """The id of the entry asked for; 0 is the last."""
    if asked:
        return asked
    last = next(archive.newest(1), None)
    if last is None:
        raise HistoryError(Message("The history is empty."))
    return last.id


# --- looking -----------------------------------------------------------------------------------------


def _run_list(options: argparse.Namespace) -> int:
    with _archive() as archive:
        entries = archive.newest()
        if options.state:
            entries = (entry for entry in entries if entry.state == options.state)
        if not _show(islice(entries, options.count), is_json=options.json) and not options.json:
            say("handy-qwen: No dictations.")
    return 0


def _run_search(options: argparse.Namespace) -> int:
    """Show the entries that contain all words; exit status 1 if there are none, as with grep."""
    words = [word for given in options.words for word in given.split()]
    if not words:
        raise UsageError(Message("No search words given."))
    with _archive() as archive:
        if _show(archive.matching(words, options.count), is_json=options.json):
            return 0
    if not options.json:
        say(f"handy-qwen: No dictation contains {' and '.join(words)}.")
    return 1


def _run_show(options: argparse.Namespace) -> int:
    with _archive() as archive:
        entry = archive.entry(_number(archive, options.id))
        sound = str(archive.audio(entry.id)) if entry.has_audio else ""
    if options.json:
        write(as_json(entry, audio=sound or None) + "\n")
        return 0
    for name, value in _details(entry, sound):
        say(f"{name:>12}  {value}")
    if entry.text:
        _write_text(entry.text + "\n")
    return 0


def _show(entries: Iterable[Entry], *, is_json: bool) -> bool:
    """Print the entries. Returns whether there are any."""
    entries = iter(entries)
    first = list(islice(entries, 1))
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    before = "[\n"
    for entry in chain(first, entries):
        if is_json:
            write(f"{before}  {as_json(entry)}")
            before = ",\n"
        else:
            write(line(entry, len(str(first[0].id)), columns) + "\n")  # the newest has the greatest id
    if is_json:
        write("\n]\n" if first else "[]\n")
    return bool(first)


def _write_text(text: str) -> None:
    """Print a text: unchanged to a file or another program, without control characters to a terminal."""
    write(_harmless(text) if sys.stdout.isatty() else text)


def _run_export(options: argparse.Namespace) -> int:
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
        if next(archive.newest(1), None) is None:
            say(_EMPTY)
    return 0


def _copy_sound(archive: Archive, entries: Iterable[Entry], folder: Path) -> None:
    from handy_qwen.history import wav

    private = partial(os.open, mode=0o600)  # from the first byte
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for entry in entries:
            if not entry.has_audio:
                continue
            time = local_time(entry).replace(":", "").replace(" ", "-")
            copy = folder / f"dictation-{entry.id}-{time}.wav"
            copy.unlink(missing_ok=True)
            with archive.audio(entry.id).open("rb") as source, open(copy, "xb", opener=private) as target:
                shutil.copyfileobj(source, target)
            wav.repair(copy, wav.Stage.SETTLED)
    except OSError as exc:
        title = Message("{folder} cannot be written to: {reason}.", folder=folder, reason=exc.strerror)
        hint = Message("Choose another place.")
        raise HandyError(title, hint) from exc


# --- changing ----------------------------------------------------------------------------------------


def _run_retry(options: argparse.Namespace, *, is_restore: bool) -> int:
    with _archive() as archive, stoppable():
        number = _number(archive, options.id)
        entry = archive.entry(number)
        if is_restore and entry.state is not EntryState.CANCELLED:
            title = Message("Entry {number} was not cancelled.", number=number)
            hint = Message("To transcribe it again: history retry")
            raise UsageError(title, hint)
        archive.check_is_free(number)
        new = _retry(archive, entry, options)
    if options.json:
        write(as_json(new) + "\n")
    else:
        _write_text(new.text + "\n")
    return 0


def _retry(archive: Archive, entry: Entry, options: argparse.Namespace) -> Entry:
    """Transcribe ``entry`` in this process as the app would, store the text, and return the new entry.

    Model and words are those of the settings and the program it was dictated in, and the language is the
    recording's, unless others are given. If interrupted or after a HandyError, the entry is unchanged.
    """
    from handy_qwen.app.choices import rules_of
    from handy_qwen.app.history import transcribe_again, written_again
    from handy_qwen.cli.transcribe import opened, sample_progress, tell_context
    from handy_qwen.core.profiles import rules_for
    from handy_qwen.core.types import RATE_HZ, Method
    from handy_qwen.engine.api import Cancel
    from handy_qwen.languages import language_name

    sound = archive.audio(entry.id)
    settings = read_settings()
    rules = rules_for(entry.application, rules_of(settings, Method.NONE))
    language = archive.asked_language(entry.id) if options.language is None else options.language
    context = context_of("", options.vocabulary) if options.vocabulary else rules.context
    threads = options.threads or settings.threads or None
    cancel = Cancel()
    with opened(options.model or settings.model, threads, language) as recognizer:
        tell_context(recognizer, context)
        languages = rules.spoken(language_name(language, recognizer.languages))

        def work() -> Transcript:
            with sample_progress("", round(entry.duration_s * RATE_HZ)) as on_step:
                return transcribe_again(
                    recognizer, sound, language=languages, context=context, on_step=on_step, cancel=cancel
                )

        found, name = interruptible(work, cancel), recognizer.name
    if found.is_truncated:
        say("handy-qwen: The text may be incomplete: words may be missing where it has […].")
    archive.transcribed(entry.id, written_again(found, rules, name))
    return archive.entry(entry.id)


def _run_star(options: argparse.Namespace) -> int:
    with _archive() as archive:
        for one in options.ids:
            archive.star(_number(archive, one), is_starred=not options.remove)
    return 0


def _run_delete(options: argparse.Namespace) -> int:
    """Delete entries, even if one of them cannot be deleted."""
    if bool(options.ids) == options.all:
        raise UsageError(Message("Which ones? Give their numbers, or --all."))
    has_failed = False
    with _archive() as archive:
        if options.all:
            numbers = _all_but_starred(archive, is_agreed=options.yes)
        else:
            numbers = [_number(archive, one) for one in options.ids]
        for number in numbers:
            try:
                entry = archive.entry(number)
                archive.delete(number)
            except HistoryError as error:
                complain(error)
                has_failed = True
            else:
                say(f"Deleted: {line(entry, 1, 80)}")
        archive.forget_traces()
    return int(has_failed)


def _all_but_starred(archive: Archive, *, is_agreed: bool) -> list[int]:
    """The entries for ``delete --all``, if the user agrees."""
    entries = list(archive.newest())
    numbers = [entry.id for entry in entries if not entry.is_starred]
    starred = len(entries) - len(numbers)
    kept = f"{starred} with a star {'is' if starred == 1 else 'are'} kept" if starred else ""
    if numbers and not is_agreed:
        question = f"Delete text and sound of all dictations ({len(numbers)}{kept and '; '}{kept})?"
        if not agrees(f"{question} This cannot be undone."):
            raise HistoryError(Message("Nothing was deleted."))
    elif not entries:
        say(_EMPTY)
    elif kept:
        say(f"{kept}.")
    return numbers


# --- how entries look on a terminal ------------------------------------------------------------------


def line(entry: Entry, id_columns: int, columns: int | None) -> str:
    """One line for an entry; ``columns`` None: unlimited."""
    minutes, seconds = divmod(int(entry.duration_s), 60)
    star = "*" if entry.is_starred else " "
    head = f"{entry.id:>{id_columns}}{star} {local_time(entry)} {minutes:>3}:{seconds:02} "
    return head + _shortened(
        _summary(entry), None if columns is None else max(_LEAST_TEXT, columns - len(head))
    )


def _summary(entry: Entry) -> str:
    if entry.state is EntryState.DONE and not entry.text:
        return f"[nothing to insert: {entry.original}]" if entry.original else "[no speech]"
    if entry.state is EntryState.FAILED:
        return f"[failed: {entry.error}] {entry.text}".strip()
    if entry.state is EntryState.DONE:
        incomplete = "[may be incomplete] " if entry.is_truncated else ""
        return (
            f"{incomplete}[not delivered] {entry.text}" if entry.is_undelivered else incomplete + entry.text
        )
    return f"[{entry.state.value}] {entry.text}".strip()


def _details(entry: Entry, sound: str) -> list[tuple[str, str]]:
    """Everything about an entry but its text: name and value. ``sound``: the path, or empty."""
    values = [
        ("id", str(entry.id)),
        ("recorded", local_time(entry)),
        ("state", entry.state.value),
        ("duration", f"{entry.duration_s:.1f} s"),
        ("language", entry.language),
        ("model", entry.model),
        ("application", entry.application),
        ("delivered", entry.delivery.value or ("no" if entry.text else "")),
        ("complete", "perhaps not" if entry.is_truncated else ""),
        ("error", entry.error),
        ("starred", "yes" if entry.is_starred else ""),
        ("sound", sound or "no"),
    ]
    return [(name, _harmless(value)) for name, value in values if value]


def _harmless(text: str) -> str:
    """``text`` without control characters, or ones that reorder the line."""

    def shown(char: str) -> str:
        if char in "\n\t":
            return char
        if char in _DIRECTION_CONTROLS:
            return ""
        return "\ufffd" if unicodedata.category(char) in {"Cc", "Cs"} or char in _LINE_ENDS else char

    return "".join(map(shown, text))


def _shortened(text: str, columns: int | None) -> str:
    """``text`` on one line of at most ``columns``; characters may be two columns wide, or none."""
    text = " ".join(_harmless(text.replace("\n", " ")).split())
    if columns is None or sum(map(_columns, text)) <= columns:
        return text
    used, kept = 1, ""  # one for the ellipsis
    for char in text:
        used += _columns(char)
        if used > columns:
            break
        kept += char
    return f"{kept.rstrip()}…"


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
