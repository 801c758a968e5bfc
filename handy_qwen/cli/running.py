"""The commands that start the app, now or at login, and that control the running one."""

from __future__ import annotations

import argparse
from functools import partial

from handy_qwen.cli.options import Subparsers, add_command
from handy_qwen.cli.terminal import say, write, write_json
from handy_qwen.control import ask_app

_DICTATION = {
    "start": "start recording, as if you pressed the hotkey",
    "stop": "stop recording and insert the text",
    "toggle": "start recording, or stop and insert the text",
    "cancel": "cancel the recording or transcription in progress",
    "retry": "transcribe the last failed recording again, or else the last one, and insert the text",
    "bring-back": "restore and transcribe the last cancelled dictation",
    "paste": "insert the waiting text, or else the last one, into the focused window",
    "quit": "quit the app",
}
_WINDOWS = {
    "setup": "open the setup guide: model, microphone, hotkey",
    "models": "open the Models window",
    "files": "open the Transcribe files window",
    "correct": "open the last text, to correct it and add words",
}


def add_app_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the app itself to the program's parser."""
    parser.add_argument(
        "--hidden", action="store_true", help="start in the tray without a greeting or window"
    )
    parser.add_argument("--debug", action="store_true", help="log more, also to the terminal")
    parser.set_defaults(command=_run_app)


def add_parsers(commands: Subparsers) -> None:
    """Add the commands to the program's parser."""
    for name, meaning in _DICTATION.items():
        add_command(commands, name, partial(_run_verb, name), meaning)
    add_command(commands, "status", _run_status, "show what the app is doing", has_json=True)
    for name, meaning in _WINDOWS.items():
        add_command(commands, name, partial(_run_verb, name), meaning)
    add_command(commands, "last", _run_last, "print the last text")
    about = "Start the app in the tray when you log in. Off by default."
    parser = add_command(commands, "autostart", _run_autostart, "start the app at login", about)
    parser.add_argument(
        "what", choices=("on", "off", "status"), nargs="?", default="status", metavar="on|off|status"
    )


def _run_app(options: argparse.Namespace) -> int:
    from handy_qwen.app import main

    return main(is_hidden=options.hidden, is_debug=options.debug)


def _run_verb(verb: str, _options: argparse.Namespace) -> int:
    ask_app(verb)
    return 0


def _run_status(options: argparse.Namespace) -> int:
    status = ask_app("status")["status"]
    if options.json:
        write_json(status)
        return 0
    facts = ("model", "language", "microphone", "waiting", "held")
    lines = [status["phase"], *(f"{name}: {status[name]}" for name in facts if status[name])]
    lines += [f"{notice['title']} {notice['hint']}".strip() for notice in status["notices"]]
    write("\n".join(lines) + "\n")
    return 0


def _run_last(_options: argparse.Namespace) -> int:
    write(ask_app("last")["text"] + "\n")
    return 0


def _run_autostart(options: argparse.Namespace) -> int:
    from handy_qwen.system.entries import autostart_for, set_autostart

    if options.what != "status":
        set_autostart(options.what == "on")
    autostart = autostart_for()
    state = autostart.state()
    write("on\n" if state.is_on else "off\n")
    if state.is_on:
        say(f"{' '.join(state.command)}   ({autostart.place})")
        if state.is_broken:
            say("That program no longer exists. To fix the entry: handy-qwen autostart on")
    return 0
