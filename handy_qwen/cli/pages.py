"""``handy-qwen help``: the help pages, on the terminal."""

from __future__ import annotations

import argparse
import re
from difflib import get_close_matches

from handy_qwen import manual
from handy_qwen.cli.options import Subparsers, add_command
from handy_qwen.cli.terminal import UsageError, write
from handy_qwen.message import Message


def add_parsers(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    parser = add_command(commands, "help", _run, "read the manual")
    parser.add_argument("topic", nargs="?", default="", metavar="TOPIC", help=", ".join(manual.TOPICS))


def _run(options: argparse.Namespace) -> int:
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
        write("\n".join(["handy-qwen help TOPIC", "", *_columns(rows), "", about]) + "\n")
    return 0


def plain(page: str) -> str:
    """Markdown, as far as the help pages use it, as text."""
    lines: list[str] = []
    table: list[list[str]] = []
    is_code = False
    for line in [*page.splitlines(), ""]:
        if table and not line.startswith("|"):
            lines += _columns(table)
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
        else:
            lines.append(_plain(line))
    return "\n".join(lines).rstrip() + "\n"


def _plain(line: str) -> str:
    return re.sub(
        r"\[([^]]+)\]\([^)]*\)|\*\*(.+?)\*\*|`([^`]+)`", lambda found: found[found.lastindex or 0], line
    )


def _columns(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
