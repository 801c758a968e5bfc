"""The command line. Text goes to stdout, everything else to stderr, both in UTF-8.

Exit status: 0 all done, 1 something failed, 2 wrong usage, 130 interrupted (143 if terminated). Nothing heavy
is imported before a command needs it: ``handy-qwen stop`` must be as fast as a key.

``handy-qwen help``, which prints the help pages, is here; the other commands have modules.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import cast

from handy_qwen import __version__, manual
from handy_qwen.cli import bench, doctor, history, model, running, settings, transcribe, uninstall
from handy_qwen.cli.options import Command, Parser, Subparsers, add_command
from handy_qwen.cli.terminal import (
    UsageError,
    columns,
    complain,
    exit_status,
    open_streams,
    width,
    wrapped,
    write,
)
from handy_qwen.errors import HandyError, LanguageError
from handy_qwen.message import Message

_GROUPS = {
    "dictation": "start stop toggle cancel paste last retry bring-back history correct words",
    "files": "transcribe files",
    "models": "model models demo bench",
    "app": "status setup settings autostart quit",
    "trouble": "doctor help uninstall",
}
_EXAMPLES = (
    "handy-qwen                                # start the app in the tray",
    "handy-qwen toggle                         # for a shortcut of your desktop",
    "handy-qwen transcribe interview.mp3       # print what is said in a file",
    "handy-qwen model install qwen3-asr-0.6b   # download a full model",
    "handy-qwen doctor                         # check this computer",
)
_ENTRIES = ("* ", "- ")  # list items of a help page


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    open_streams()
    try:
        options = build_parser().parse_args(arguments)
        return cast("Command", options.command)(options)
    except (UsageError, LanguageError) as error:
        complain(error)
        return 2
    except HandyError as error:
        complain(error)
        return 1
    except KeyboardInterrupt as interrupt:
        return exit_status(interrupt)
    except BrokenPipeError:  # the reader of our output is gone; there is nobody to tell
        return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser: argparse.ArgumentParser = Parser(
        prog="handy-qwen",
        groups=_GROUPS,
        examples=_EXAMPLES,
        description="Hold a key, speak, release: your words appear in the focused window. "
        "Without a command, the app starts in the tray.",
    )
    parser.add_argument("--version", action="version", version=f"handy-qwen {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    running.add_app_options(parser)
    for module in (running, settings, transcribe, history, model, bench, doctor, uninstall):
        module.add_parsers(commands)
    _add_help(commands)
    return parser


def _add_help(commands: Subparsers) -> None:
    parser = add_command(commands, "help", _help, "read the manual")
    parser.add_argument("topic", nargs="?", default="", metavar="TOPIC", help=", ".join(manual.TOPICS))


def _help(options: argparse.Namespace) -> int:
    topic = options.topic.lower()
    if found := topic if topic in manual.TOPICS else manual.topic_about(topic):
        write(plain(manual.page(found)))
    elif topic:
        near = get_close_matches(topic, manual.TOPICS, 1)
        hint = (
            Message("Did you mean {near}?", near=near[0])
            if near
            else Message("handy-qwen help lists the topics.")
        )
        raise UsageError(Message("There is no help about {topic}.", topic=repr(options.topic)), hint)
    else:
        rows = [["", name, manual.title(name)] for name in manual.TOPICS]
        about = "Each command explains itself with --help, e.g. handy-qwen transcribe --help."
        write("\n".join(["handy-qwen help TOPIC", "", *columns(rows, width()), "", about]) + "\n")
    return 0


def plain(page: str) -> str:
    """The Markdown of the help pages as plain text that fits the terminal."""
    lines: list[str] = []
    table: list[list[str]] = []
    said: list[str] = []  # the lines of a paragraph or list item
    is_code = False
    for line in [*page.splitlines(), ""]:
        if said and (not line or line.startswith(("```", "|", "#", *_ENTRIES))):
            lines += _paragraph(" ".join(said))
            said = []
        if table and not line.startswith("|"):
            lines += columns(table, width())
            table = []
        if line.startswith("```"):
            is_code = not is_code
        elif is_code:
            lines.append(f"    {line}")
        elif line.startswith("|"):
            if set(line) - set("|-: "):
                table.append([_plain(cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[:-1]])
        elif title := re.fullmatch("#+ (.*)", line):
            lines += [title[1], "-" * len(title[1])]
        elif line:
            said.append(line.strip())
        else:
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _paragraph(text: str) -> list[str]:
    mark = text[:2] if text.startswith(_ENTRIES) else ""
    return wrapped(_plain(text.removeprefix(mark)), " " * len(mark), first=mark)


def _plain(line: str) -> str:
    return re.sub(
        r"\[([^]]+)\]\([^)]*\)|\*\*(.+?)\*\*|`([^`]+)`", lambda found: found[found.lastindex or 0], line
    )
