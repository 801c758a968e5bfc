"""The command line. Text goes to stdout, everything else to stderr, both in UTF-8.

Exit status: 0 all done, 1 something failed, 2 wrong usage, 130 interrupted (143 if asked to end).

Nothing heavy is imported before a command needs it: ``handy-qwen stop`` must be as quick as a key.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import cast

from handy_qwen import __version__
from handy_qwen.cli import (
    bench,
    doctor,
    help,  # noqa: A004  the command is called so
    history,
    model,
    running,
    transcribe,
    uninstall,
)
from handy_qwen.cli.terminal import UsageError, complain, exit_status, open_streams, tell, write
from handy_qwen.errors import HandyError, LanguageError

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    open_streams()
    try:
        options = build_parser().parse_args(arguments)
        command = cast("Command", options.command)
        return command(options)
    except (UsageError, LanguageError) as error:
        complain(error)
        return 2
    except HandyError as error:
        complain(error)
        return 1
    except KeyboardInterrupt as interrupt:
        return exit_status(interrupt)
    except BrokenPipeError:  # whoever read our output has gone; there is nobody to tell
        return 1


class _Parser(argparse.ArgumentParser):
    """Says what it says by the same ways as the commands, so that a missing output means the same."""

    def _print_message(self, message: str, file: object = None) -> None:
        (write if file is sys.stdout else tell)(message)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser: argparse.ArgumentParser = _Parser(
        prog="handy-qwen",
        description="Hold a key, speak, release: your words appear in the focused window. "
        "Without a command, the app starts in the tray.",
    )
    parser.add_argument("--version", action="version", version=f"handy-qwen {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    running.add_app_options(parser)
    running.add_parsers(commands)
    transcribe.add_parser(commands)
    history.add_parser(commands)
    model.add_demo_parser(commands)
    model.add_parser(commands)
    bench.add_parser(commands)
    doctor.add_parser(commands)
    running.add_autostart_parser(commands)
    uninstall.add_parser(commands)
    help.add_parser(commands)
    return parser
