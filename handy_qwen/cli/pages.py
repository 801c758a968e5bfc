"""``handy-qwen help``: the help pages, on the terminal."""

from __future__ import annotations

import argparse
import re
from difflib import get_close_matches

from handy_qwen import manual
from handy_qwen.cli.options import Subparsers, add_command
from handy_qwen.cli.terminal import UsageError, columns, width, wrapped, write
from handy_qwen.message import Message

_ENTRIES = ("* ", "- ")  # begin one of a list


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
        write("\n".join(["handy-qwen help TOPIC", "", *columns(rows, width()), "", about]) + "\n")
    return 0


def plain(page: str) -> str:
    """Markdown, as far as the help pages use it, as text that fits into the terminal."""
    lines: list[str] = []
    table: list[list[str]] = []
    said: list[str] = []  # the lines of a paragraph, or of an entry of a list
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
