"""Declares commands and their options, and their defaults from the settings."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from handy_qwen.cli.terminal import UsageError, tell, write
from handy_qwen.errors import EngineError, SettingsError
from handy_qwen.files import is_stream
from handy_qwen.message import Message

if TYPE_CHECKING:
    from handy_qwen.settings import Configuration, Settings

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Command = Callable[[argparse.Namespace], int]
Context: TypeAlias = str | tuple[str, ...]  # a text, or words of which as many as fit are read

_MAX_VOCABULARY_BYTES = 1_000_000
_MAX_THREADS = 256


class Parser(argparse.ArgumentParser):
    """Writes like the commands, so that a closed output has the same effect, and suggests similar choices.

    ``groups``: headings and the names of the commands under them; ``examples`` end the help.
    """

    def __init__(
        self,
        *,
        groups: Mapping[str, str] | None = None,
        examples: Sequence[str] = (),
        **options: Any,  # noqa: ANN401  argparse's own
    ) -> None:
        super().__init__(**options)
        self._command_groups, self._examples = groups or {}, examples

    def format_help(self) -> str:
        """The output of ``--help``."""
        text = self._grouped() if self._command_groups else super().format_help()
        lines = "".join(f"  {line}\n" for line in self._examples)
        return f"{text}\nexamples:\n{lines}" if lines else text

    def _grouped(self) -> str:
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        sections: dict[str, list[argparse.Action]] = {"options": []}
        commands: list[argparse.Action] = []
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                commands += action._choices_actions
            else:
                sections["options"].append(action)
        for title, names in self._command_groups.items():
            sections[title] = [one for name in names.split() for one in commands if one.dest == name]
        for title, actions in sections.items():
            formatter.start_section(title)
            formatter.add_arguments(actions)
            formatter.end_section()
        return formatter.format_help()

    def _print_message(self, message: str, file: object = None) -> None:
        (write if file is sys.stdout else tell)(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401  argparse's own
        choices = list(map(str, action.choices or ()))
        if choices and value not in choices:
            near = get_close_matches(str(value), choices, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(choices)}"
            raise argparse.ArgumentError(action, f"invalid choice: {value!r}, {hint}")


def add_command(
    commands: Subparsers,
    name: str,
    run: Command,
    summary: str,
    description: str = "",
    *,
    has_json: bool = False,
    examples: Sequence[str] = (),
) -> argparse.ArgumentParser:
    """Add a command; ``has_json``: with the option ``--json``; ``examples``: see ``Parser``."""
    description = description or f"{summary[:1].upper()}{summary[1:]}."
    parser = commands.add_parser(name, help=summary, description=description, examples=examples)
    parser.set_defaults(command=run)
    if has_json:
        parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    return parser


def add_group(
    commands: Subparsers, name: str, summary: str, examples: Sequence[str] = ()
) -> tuple[argparse.ArgumentParser, Subparsers]:
    """Add a command with subcommands, listed if none is given."""
    parser = commands.add_parser(name, help=summary, examples=examples)

    def run(_options: argparse.Namespace) -> int:
        tell(parser.format_help())
        return 2

    parser.set_defaults(command=run)
    return parser, parser.add_subparsers(title="commands", metavar="COMMAND")


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--model`` and ``--threads``."""
    parser.add_argument(
        "--model", default="", metavar="NAME|DIR", help="model name or folder (default: the model in use)"
    )
    parser.add_argument(
        "--threads", type=number(1, _MAX_THREADS), metavar="N", help="number of processor threads"
    )


def number(low: int, high: int) -> Callable[[str], int]:
    """Parses an option: a whole number from ``low`` to ``high``."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return int(text)

    return read


def context_of(text: str, vocabulary: Path | None) -> Context:
    """``text``, followed by the vocabulary's entries. Raises UsageError: not a text file, or too large."""
    if vocabulary is None:
        return text
    try:
        with vocabulary.open("rb") as file:
            raw = file.read(_MAX_VOCABULARY_BYTES + 1)
        lines = raw.decode("utf-8-sig").splitlines()
    except OSError as exc:
        problem = Message(
            "{vocabulary} cannot be read: {reason}.", vocabulary=vocabulary, reason=exc.strerror
        )
        raise UsageError(problem, Message("Give a text file with one name or term per line.")) from exc
    except UnicodeDecodeError:
        lines = ["\0"]
    if len(raw) > _MAX_VOCABULARY_BYTES:
        title = Message("{vocabulary} is too large for a word list.", vocabulary=vocabulary)
        hint = Message("Use one name or term per line.")
        raise UsageError(title, hint)
    if any("\0" in line for line in lines):
        title = Message("{vocabulary} is not a text file.", vocabulary=vocabulary)
        hint = Message("Save it as UTF-8 text.")
        raise UsageError(title, hint)
    words = [line.strip() for line in lines]
    return tuple(filter(None, [text, *(word for word in words if not word.startswith("#"))]))


def found_settings() -> Configuration:
    """The settings file, which commands change only on request. Raises SettingsError: it cannot be read."""
    from handy_qwen.settings import read_configuration

    found = read_configuration()
    if found.error and (complaint := found.complaint()):
        raise complaint
    return found


def read_settings() -> Settings:
    """The user's settings. Raises SettingsError: they cannot be read."""
    return found_settings().settings


def asked_or_used(asked: str) -> str:
    """``asked``, or else the model of the settings, which may be "". Raises SettingsError."""
    return asked or read_settings().model


def may_use_devices() -> bool:
    """Whether models may run on a graphics card or the like; not if the settings cannot be read."""
    try:
        return read_settings().use_devices
    except SettingsError:
        return False


def used_folder() -> Path | None:
    """The folder of the model that the app uses or would use; None if it does not exist."""
    from handy_qwen.models.installed import find_model
    from handy_qwen.settings import read_configuration

    try:
        return find_model(read_configuration().settings.model).folder.resolve()
    except EngineError:
        return None


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add the output file, and ``--force``; see ``check_target``."""
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def check_target(options: argparse.Namespace) -> None:
    """Raise a UsageError if a file would be replaced without ``--force``."""
    if not options.force and os.path.lexists(options.file) and not is_stream(options.file):
        title = Message("{file} is there already.", file=options.file)
        raise UsageError(title, Message("To replace it: --force"))
