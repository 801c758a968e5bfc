"""The command line. Text goes to stdout, everything else to stderr, both in UTF-8.

Exit status: 0 all done, 1 something failed, 2 wrong usage, 130 interrupted (143 if asked to end). Nothing
heavy is imported before a command needs it: ``handy-qwen stop`` must be as quick as a key.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import cast

from handy_qwen import __version__
from handy_qwen.cli import bench, doctor, history, model, pages, running, settings, transcribe, uninstall
from handy_qwen.cli.options import Command, Parser
from handy_qwen.cli.terminal import UsageError, complain, exit_status, open_streams
from handy_qwen.errors import HandyError, LanguageError

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
    except BrokenPipeError:  # whoever read our output has gone; there is nobody to tell
        return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = Parser(
        prog="handy-qwen",
        groups=_GROUPS,
        examples=_EXAMPLES,
        description="Hold a key, speak, release: your words appear in the focused window. "
        "Without a command, the app starts in the tray.",
    )
    parser.add_argument("--version", action="version", version=f"handy-qwen {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    running.add_app_options(parser)
    for module in (running, settings, transcribe, history, model, bench, doctor, uninstall, pages):
        module.add_parsers(commands)
    return parser
