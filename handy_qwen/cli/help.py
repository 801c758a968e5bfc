"""``handy-qwen help``: the help pages, on the terminal."""

from __future__ import annotations

import argparse
from difflib import get_close_matches
from typing import TYPE_CHECKING

from handy_qwen import manual
from handy_qwen.cli.terminal import UsageError, write

if TYPE_CHECKING:
    from handy_qwen.cli.transcribe import Subparsers


def add_parser(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser("help", help="read the help pages")
    parser.add_argument("topic", nargs="?", default="", metavar="TOPIC", help=", ".join(manual.TOPICS))
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write a page, or which there are."""
    topic = options.topic.lower()
    if topic in manual.TOPICS:
        write(manual.page(topic))
    elif topic:
        near = get_close_matches(topic, manual.TOPICS, 1)
        hint = f"Did you mean {near[0]}?" if near else "handy-qwen help lists the topics."
        raise UsageError(f"There is no help about {options.topic!r}.", hint)
    else:
        width = max(map(len, manual.TOPICS))
        lines = [f"  {name:{width}}  {manual.title(name)}" for name in manual.TOPICS]
        about = "Each command explains itself with --help, e.g. handy-qwen transcribe --help."
        write("\n".join(["handy-qwen help TOPIC", "", *lines, "", about]) + "\n")
    return 0
