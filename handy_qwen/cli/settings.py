"""``handy-qwen settings`` and ``words``: every setting on the terminal, and the window of the running app.

Changes are written to the settings file, where a running app finds them within two seconds.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handy_qwen import paths
from handy_qwen.cli.options import (
    Subparsers,
    add_command,
    add_group,
    add_target,
    check_target,
    found_settings,
    read_settings,
)
from handy_qwen.cli.terminal import UsageError, columns, say, width, write, write_json
from handy_qwen.control import ask_app
from handy_qwen.core.types import BackupPart
from handy_qwen.errors import ControlError, EngineError, HotkeyError, SettingsError
from handy_qwen.message import Message

if TYPE_CHECKING:
    from handy_qwen.settings import Configuration, Option, Settings

_SHOWN_CHARS = 48
_EXAMPLES = """examples:
  handy-qwen settings set language German
  handy-qwen settings set hotkeys "Right Ctrl" F9
  handy-qwen settings add custom_words Kovács "Frau Wagner"
  handy-qwen settings add replacements '{heard = "btw", written = "by the way"}'
  handy-qwen settings reset warm_s
  handy-qwen settings export backup.toml"""


def add_parsers(commands: Subparsers) -> None:
    """Add the commands to the program's parser."""
    about = "Without a command, open the Settings window of the running app."
    parser = add_command(commands, "settings", _open, "open the settings, or list and change them", about)
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(title="commands", metavar="COMMAND")
    listed = add_command(actions, "list", _list, "all settings; * marks those you changed", has_json=True)
    listed.add_argument("names", nargs="*", metavar="NAME", help="only these")
    listed.add_argument("--changed", action="store_true", help="only those you changed")
    got = add_command(actions, "get", _get, "the value of one setting", has_json=True)
    got.add_argument("name", metavar="NAME")
    for name, run, meaning in (
        ("set", _set, "change a setting; for a list, replace all its entries"),
        ("add", _add, "add entries to a list"),
        ("remove", _remove, "remove entries from a list"),
    ):
        action = add_command(actions, name, run, meaning)
        action.add_argument("name", metavar="NAME")
        action.add_argument("values", nargs="*" if name == "set" else "+", metavar="VALUE")
    reset = add_command(actions, "reset", _reset, "reset settings to their defaults")
    reset.add_argument("names", nargs="+", metavar="NAME")
    parts = f"Parts: {', '.join(BackupPart)}."
    about = f"Write a backup. {parts}"
    exported = add_command(actions, "export", _export, "write settings, apps, words and replacements", about)
    add_target(exported)
    about = "Take over a backup, the settings file of another computer, or Handy's settings_store.json. "
    about += f"{parts} Words and replacements are added to those there are."
    imported = add_command(actions, "import", _import, "take over what a file has", about)
    imported.add_argument("file", type=Path, metavar="FILE")
    for one in (exported, imported):
        one.add_argument(
            "--only", type=_parts, action="extend", metavar="PART[,PART…]", help="only these parts"
        )
    add_command(actions, "edit", _edit, "open the settings file in your editor")
    _add_words(commands)


def _open(_options: argparse.Namespace) -> int:
    try:
        ask_app("settings")
    except ControlError:
        say(
            "These work without the app: handy-qwen settings list, get, set, add, remove, reset, export, "
            "import and edit."
        )
        raise
    return 0


def _list(options: argparse.Namespace) -> int:
    from handy_qwen.settings import OPTIONS

    found = found_settings()
    options_listed = [_option(name) for name in options.names] or OPTIONS.values()
    rows = [_row(option, found) for option in options_listed]
    rows = [row for row in rows if row["is_changed"] or not options.changed]
    if options.json:
        write_json(rows)
        return 0
    table = []
    for row in rows:
        value = _elided(_shown(_worded(OPTIONS[row["name"]], row["value"])))
        mark = "*" if row["is_changed"] else " "
        table.append([f"{mark} {row['name']}", value, row["label"]])
    write("".join(f"{line}\n" for line in columns(table, width() if sys.stdout.isatty() else sys.maxsize)))
    for problem in found.problems:
        say(f"{found.path}: {problem}")
    return 0


def _get(options: argparse.Namespace) -> int:
    value = _row(_option(options.name), found_settings())["value"]
    if options.json:
        write_json(value)
        return 0
    items = value if isinstance(value, list) else [_worded(_option(options.name), value)]
    write("".join(f"{item if isinstance(item, str) else _shown(item)}\n" for item in items))
    return 0


def _set(options: argparse.Namespace) -> int:
    option = _option(options.name)
    if _is_list(option):
        _change(option, lambda _before: _entries(option, options.values), is_whole=True)
    elif len(options.values) != 1:
        title = Message("{name} takes one value.", name=option.name)
        hint = Message("Put a value with spaces in quotes.")
        raise UsageError(title, hint)
    else:
        given = "" if _is_automatic(option, options.values[0]) else options.values[0]
        _change(option, lambda _before: _read(option.read, given, option.name), is_whole=True)
    return 0


def _add(options: argparse.Namespace) -> int:
    """Add entries; a word that exists in other case takes the new spelling."""
    option = _list_option(options.name)
    added = _entries(option, options.values)

    def with_them(before: tuple[Any, ...]) -> tuple[Any, ...]:
        entries = {one.casefold() if isinstance(one, str) else one: one for one in (*before, *added)}
        return tuple(entries.values())

    _change(option, with_them)
    return 0


def _remove(options: argparse.Namespace) -> int:
    """Remove entries, identified by a word, a chord or what is heard."""
    option = _list_option(options.name)

    def without(before: tuple[Any, ...]) -> tuple[Any, ...]:
        keys = {_key(entry): entry for entry in before}
        gone = [one if one in keys else _key(_entries(option, [one])[0]) for one in options.values]
        if unknown := [one for one, key in zip(options.values, gone, strict=True) if key not in keys]:
            title = Message("{name} has no entry {entry}.", name=option.name, entry=repr(unknown[0]))
            hint = Message("To see them: handy-qwen settings get {name}", name=option.name)
            raise UsageError(title, hint)
        return tuple(entry for entry in before if _key(entry) not in gone)

    _change(option, without)
    return 0


def _reset(options: argparse.Namespace) -> int:
    from handy_qwen.settings import change

    change(paths.settings_file(), **{name: _option(name).default for name in options.names})
    return 0


def _parts(text: str) -> list[BackupPart]:
    """Parses ``--only``: names separated by commas, so that the file may follow them."""
    found = []
    for name in text.split(","):
        if name not in list(BackupPart):
            near = get_close_matches(name, list(BackupPart), 1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(BackupPart)}"
            raise argparse.ArgumentTypeError(f"invalid choice: {name!r}, {hint}")
        found.append(BackupPart(name))
    return found


def _export(options: argparse.Namespace) -> int:
    from handy_qwen.vocabulary.backup import write_backup

    check_target(options)
    write_backup(options.file, read_settings(), options.only or list(BackupPart))
    return 0


def _import(options: argparse.Namespace) -> int:
    from handy_qwen.settings import revise
    from handy_qwen.system.hotkeys.chord import parse_chord
    from handy_qwen.vocabulary.backup import read_backup

    backup, told = read_backup(options.file, parse_chord), ""

    def changes(now: Settings) -> dict[str, object]:
        nonlocal told
        made, told = backup.changes(now, options.only or list(BackupPart))
        return made

    revise(paths.settings_file(), changes)
    say(told)
    return 0


def _edit(_options: argparse.Namespace) -> int:
    """Open the file in the user's or the desktop's editor; without one, print its path."""
    from handy_qwen.settings import read_configuration
    from handy_qwen.settings.file import save
    from handy_qwen.system.opening import open_with_desktop

    found = read_configuration()
    path = found.path
    if not found.exists:
        try:
            save(found, {})
        except OSError as exc:
            title = Message("{path} cannot be written: {reason}.", path=path, reason=exc.strerror)
            hint = Message("Check its permissions.")
            raise SettingsError(title, hint) from exc
    elif not path.is_file() and (complaint := found.complaint()):
        raise complaint
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if named and sys.stdin.isatty():
        # Windows takes a command line, in which a backslash is part of a path.
        words = f'{named} "{path}"' if os.name == "nt" else [*shlex.split(named), str(path)]
        try:
            return subprocess.run(words, check=False).returncode
        except (OSError, ValueError):
            say(f"{named} cannot be started.")
    if not open_with_desktop(path):
        say("No editor could be opened. The settings file is:")
        write(f"{path}\n")
    return 0


# --- values ------------------------------------------------------------------------------------------


def _option(name: str) -> Option:
    from handy_qwen.settings import OPTIONS

    if name in OPTIONS:
        return OPTIONS[name]
    near = get_close_matches(name.replace("-", "_"), OPTIONS, 1)
    hint = (
        Message("Did you mean {near}?", near=near[0])
        if near
        else Message("handy-qwen settings list shows them all.")
    )
    raise UsageError(Message("There is no setting {name}.", name=repr(name)), hint)


def _list_option(name: str) -> Option:
    option = _option(name)
    if not _is_list(option):
        title = Message("{name} is not a list.", name=name)
        hint = Message("Use: handy-qwen settings set {name} VALUE", name=name)
        raise UsageError(title, hint)
    return option


def _is_list(option: Option) -> bool:
    from handy_qwen.settings.checks import Several

    return isinstance(option.read, Several)


def _row(option: Option, found: Configuration) -> dict[str, Any]:
    value = getattr(found.settings, option.name)
    return {
        "name": option.name,
        "value": _plain(value),
        "default": _plain(option.default),
        "is_changed": value != option.default,
        "label": option.described.label,
        "help": option.described.help,
    }


def _plain(value: Any) -> Any:  # noqa: ANN401  of any setting
    """``value`` as in the file."""
    from handy_qwen.languages import AUTOMATIC
    from handy_qwen.settings.checks import item_of

    if isinstance(value, tuple):
        return [entry if isinstance(entry, str) else item_of(entry) for entry in value]
    return AUTOMATIC if value is None else value


def _worded(option: Option, value: Any) -> Any:  # noqa: ANN401  of any setting
    """``value`` worded for people: a value that leaves the choice to the program has a name."""
    from handy_qwen.languages import AUTOMATIC

    return AUTOMATIC if value == option.default == "" else value


def _is_automatic(option: Option, given: str) -> bool:
    """Whether ``given`` leaves the choice to the program, in the words of ``_worded``."""
    from handy_qwen.languages import AUTOMATIC

    return option.default == "" and given.strip().lower() == AUTOMATIC


def _shown(value: object) -> str:
    from handy_qwen.settings.document import dump

    return dump(value).replace("\n", "")


def _elided(line: str) -> str:
    return line if len(line) <= _SHOWN_CHARS else f"{line[: _SHOWN_CHARS - 1]}…"


def _key(entry: Any) -> str:  # noqa: ANN401  of any list
    """What distinguishes an entry in its list."""
    return entry if isinstance(entry, str) else str(next(iter(_plain((entry,))[0].values())))


def _entries(option: Option, given: Sequence[str]) -> tuple[Any, ...]:
    """Each of ``given`` is an entry; a single one may be the whole list in TOML."""
    from handy_qwen.settings.checks import Several

    assert isinstance(option.read, Several)
    item = option.read.item
    if len(given) == 1 and isinstance(whole := _toml(given[0]), list):
        entries = [_checked(item, one, f"{_elided(_shown(one))} in {option.name}") for one in whole]
        return tuple(_checked(option.read, entries, option.name))
    return tuple(_read(item, one, f"{_elided(repr(one))} in {option.name}") for one in given)


def _read(read: Callable[[object], Any], given: str, called: str) -> Any:  # noqa: ANN401  of any setting
    """Parse ``given`` as TOML or plain text; on and off are true and false. Raises UsageError."""
    switches = {"on": True, "yes": True, "off": False, "no": False}
    table = _toml(given)
    # Nobody means a table to be a text: what is wrong with it is in it.
    readings = [table] if isinstance(table, dict) else [table, given, switches.get(given.lower())]
    for reading in readings:
        if reading is None:
            continue
        try:
            return read(reading)
        except ValueError:
            continue
    return _checked(read, readings[0] if readings[0] is not None else given, called)


def _checked(read: Callable[[object], Any], value: object, called: str) -> Any:  # noqa: ANN401  of any setting
    try:
        return read(value)
    except ValueError as exc:
        raise UsageError(Message("{setting} {problem}.", setting=called, problem=exc)) from None


def _toml(given: str) -> object:
    """``given`` parsed as TOML, or None."""
    try:
        found = tomllib.loads(f"value = {given}")
    except (ValueError, RecursionError):
        return None
    return found["value"] if list(found) == ["value"] else None


def _change(option: Option, changed: Callable[[Any], Any], *, is_whole: bool = False) -> None:
    """Write the value that ``changed`` makes of the one in the file; ``is_whole``: regardless of that."""
    from handy_qwen.settings import Settings, change, revise

    def changes(now: Settings) -> dict[str, object]:
        value = changed(getattr(now, option.name))
        if option.name == "hotkeys":
            _check_chords(one.chord for one in value)
        return {option.name: value}

    if is_whole:
        change(paths.settings_file(), **changes(Settings()))
    else:
        revise(paths.settings_file(), changes)


def _check_chords(chords: Iterable[str]) -> None:
    from handy_qwen.system.hotkeys.chord import parse_chord

    for chord in chords:
        try:
            parse_chord(chord)
        except HotkeyError as exc:
            raise UsageError(exc.title, exc.hint) from exc


# --- the words --------------------------------------------------------------------------------------

_FORMS = "a word a line (.txt), a table (.csv, .tsv) of heard, written, regex and case, or Handy's settings"


def _add_words(commands: Subparsers) -> None:
    summary = "list your custom words, import and export words and replacements"
    _parser, actions = add_group(commands, "words", summary)
    add_command(actions, "list", _list_words, "your words, and whether the model reads them", has_json=True)
    imported = add_command(
        actions, "import", _import_words, "add the words and replacements of a file", _FORMS
    )
    imported.add_argument("file", type=Path, metavar="FILE")
    exported = add_command(actions, "export", _export_words, "write your words to a file: .txt, .csv or .tsv")
    add_target(exported)
    exported.add_argument("--replacements", action="store_true", help="the replacements: .csv or .tsv")


def _list_words(options: argparse.Namespace) -> int:
    """Print the words of the settings, and to stderr how many tokens they take."""
    from handy_qwen.models.installed import fit_custom_words

    settings = read_settings()
    left_out: set[int] = set()
    try:
        fitted = fit_custom_words(settings.model, settings.custom_words)
    except EngineError as exc:
        say(f"Not counted: {exc}")
    else:
        left_out = set(fitted.left_out)
        say(f"{fitted.tokens} of {fitted.limit} tokens used.")
    words = list(enumerate(settings.custom_words))
    if options.json:
        write_json([{"word": word, "is_used": place not in left_out} for place, word in words])
        return 0
    write("".join(f"{word}{' (not used)' if place in left_out else ''}\n" for place, word in words))
    return 0


def _import_words(options: argparse.Namespace) -> int:
    from handy_qwen.settings import revise
    from handy_qwen.vocabulary.exchange import read_file
    from handy_qwen.vocabulary.lists import Outcome, Vocabulary, added

    found = read_file(options.file)
    outcome = Outcome(Vocabulary())

    def changes(now: Settings) -> dict[str, object]:
        nonlocal outcome
        old = Vocabulary.of(now)
        outcome = added(old, found.items).after(found.skipped)
        return outcome.vocabulary.changes_from(old)

    revise(paths.settings_file(), changes)
    say(outcome.summary)
    if found.warning:
        say(found.warning)
    return 0


def _export_words(options: argparse.Namespace) -> int:
    from handy_qwen.vocabulary.exchange import write_replacements, write_words

    check_target(options)
    settings = read_settings()
    if options.replacements:
        write_replacements(options.file, settings.replacements)
    else:
        write_words(options.file, settings.custom_words)
    return 0
