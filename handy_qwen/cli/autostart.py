"""``handy-qwen autostart``: start the app when the user logs in, or not."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from handy_qwen.cli.terminal import say, write

if TYPE_CHECKING:
    from handy_qwen.cli.transcribe import Subparsers


def add_parser(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "autostart",
        help="start the app when you log in",
        description="Start the app, hidden, when you log in. It is off unless you turn it on.",
    )
    parser.add_argument(
        "what", choices=("on", "off", "status"), nargs="?", default="status", metavar="on|off|status"
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
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
