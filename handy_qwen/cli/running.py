"""The commands that start the app and that reach the running one."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from handy_qwen import paths
from handy_qwen.cli.terminal import write
from handy_qwen.control import Endpoint, ask

if TYPE_CHECKING:
    from handy_qwen.cli.transcribe import Subparsers

TAKES = {
    "start": "begin to record, as if the hotkey went down",
    "stop": "end the recording and insert its text",
    "toggle": "begin to record, or end it",
    "cancel": "throw away what is recorded or transcribed",
    "retry": "transcribe once more what failed last, or else the last take",
    "bring-back": "transcribe the take that was cancelled last",
    "paste": "insert the text that waits, or else the last one, where the focus is",
    "quit": "end the running app",
}
WINDOWS = {
    "setup": "open the setup guide of the running app: model, microphone, key",
    "settings": "open the settings file",
    "models": "open the Models window of the running app",
}


def add_app_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the app itself to the program's parser."""
    parser.add_argument("--hidden", action="store_true", help="start without a word: for the autostart")
    parser.add_argument("--debug", action="store_true", help="log more, and to the terminal as well")
    parser.set_defaults(command=run_app)


def add_parsers(commands: Subparsers) -> None:
    """Add the commands that reach the running app to the program's parser."""
    for name, meaning in TAKES.items():
        commands.add_parser(name, help=meaning).set_defaults(command=run_command, verb=name)
    status = commands.add_parser("status", help="what the running app is doing")
    status.add_argument("--json", action="store_true", help="for other programs")
    status.set_defaults(command=run_status)
    for window, meaning in WINDOWS.items():
        commands.add_parser(window, help=meaning).set_defaults(command=run_command, verb=window)
    commands.add_parser("last", help="write the last text to stdout").set_defaults(command=run_last)


def run_app(options: argparse.Namespace) -> int:
    """Start the app, or show the one that runs already."""
    from handy_qwen.app import main

    return main(is_hidden=options.hidden, is_debug=options.debug)


def run_command(options: argparse.Namespace) -> int:
    """Have the running app do something."""
    _ask(options.verb)
    return 0


def run_status(options: argparse.Namespace) -> int:
    """Tell what the running app is doing."""
    status = _ask("status")["status"]
    if options.json:
        write(json.dumps(status, ensure_ascii=False, indent=2) + "\n")
        return 0
    write(f"{status['phase']}\n")
    for name in ("model", "language", "microphone", "waiting", "held"):
        if status[name]:
            write(f"{name}: {status[name]}\n")
    for notice in status["notices"]:
        write(" ".join(part for part in (notice["title"], notice["hint"]) if part) + "\n")
    return 0


def run_last(options: argparse.Namespace) -> int:  # noqa: ARG001  all commands are called alike
    """Write the last text to stdout."""
    write(_ask("last")["text"] + "\n")
    return 0


def _ask(command: str) -> dict[str, Any]:
    return ask(Endpoint(paths.runtime_dir()), command)
