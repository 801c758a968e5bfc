"""``handy-qwen words``: which custom words the model reads; words and replacements from and to files."""

from __future__ import annotations

import argparse
from pathlib import Path

from handy_qwen import paths
from handy_qwen.cli.options import Subparsers, add_command, add_group, add_target, check_target, read_settings
from handy_qwen.cli.terminal import say, write, write_json
from handy_qwen.errors import EngineError

_FORMS = "a word a line (.txt), a table (.csv, .tsv) of heard, written, regex and case, or Handy's settings"


def add_parsers(commands: Subparsers) -> None:
    """Add the commands to the program's parser."""
    summary = "list your custom words, import and export words and replacements"
    _parser, actions = add_group(commands, "words", summary)
    add_command(actions, "list", _list, "your words, and whether the model reads them", has_json=True)
    imported = add_command(actions, "import", _import, "add the words and replacements of a file", _FORMS)
    imported.add_argument("file", type=Path, metavar="FILE")
    exported = add_command(actions, "export", _export, "write your words to a file: .txt, .csv or .tsv")
    add_target(exported)
    exported.add_argument("--replacements", action="store_true", help="the replacements: .csv or .tsv")


def _list(options: argparse.Namespace) -> int:
    """The words as they are in the settings; how many tokens they take goes to the user."""
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


def _import(options: argparse.Namespace) -> int:
    from handy_qwen.settings import Settings, revise
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


def _export(options: argparse.Namespace) -> int:
    from handy_qwen.vocabulary.exchange import write_replacements, write_words

    check_target(options)
    settings = read_settings()
    if options.replacements:
        write_replacements(options.file, settings.replacements)
    else:
        write_words(options.file, settings.custom_words)
    return 0
