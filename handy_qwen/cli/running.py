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
from typing import TYPE_CHECKING

from handy_qwen.cli.terminal import say

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


def add_autostart_parser(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "autostart",
        help="start the app when you log in",
        description="Start the app, hidden, when you log in. It is off unless you turn it on.",
    )
    parser.add_argument(
        "what", choices=("on", "off", "status"), nargs="?", default="status", metavar="on|off|status"
    )
    parser.set_defaults(command=run_autostart)


def run_autostart(options: argparse.Namespace) -> int:
    """Turn it on or off, and tell how it is."""
    from handy_qwen.system.autostart import autostart_for, launch_for

    autostart = autostart_for()
    if options.what == "on":
        autostart.turn_on(launch_for())
    elif options.what == "off":
        autostart.turn_off()
    state = autostart.state()
    write("on\n" if state.is_on else "off\n")
    if state.is_on:
        say(f"{' '.join(state.command)}   ({autostart.place})")
        if state.is_broken:
            say("That program is not there any more: handy-qwen autostart on writes the entry anew.")
    return 0
