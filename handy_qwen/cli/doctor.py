"""``handy-qwen doctor``: what works on this machine, what does not, and what to do about it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.cli.options import Subparsers, add_command
from handy_qwen.cli.terminal import say, write, write_json

if TYPE_CHECKING:
    from handy_qwen.doctor import Context, Finding, Report

LISTEN_S = 1.5
MOST_LISTEN_S = 60.0
SIGNS = {"ok": "ok", "warning": "warning", "problem": "PROBLEM"}
COLORS = {"ok": "32", "warning": "33", "problem": "1;31"}
NAME_CHARS = 13
WIDEST = 100


def add_parsers(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    summary = "check this computer and suggest fixes"
    about = (
        "Check display, tray, hotkey, insertion, microphone, model, disk, memory and permissions. "
        "Exits with 1 if there is a problem."
    )
    parser = add_command(commands, "doctor", _run, summary, about, has_json=True)
    meaning = (
        "also write a support archive to attach to a question: report, versions, logs, settings; "
        "never your texts or recordings"
    )
    parser.add_argument("--bundle", type=Path, metavar="FILE.zip", help=meaning)
    parser.add_argument("--thorough", action="store_true", help="also read the whole model and run it")
    meaning = "seconds to listen to the microphone; 0 to skip (default: %(default)s)"
    parser.add_argument("--listen", type=_seconds, default=LISTEN_S, metavar="S", help=meaning)


def _run(options: argparse.Namespace) -> int:
    from handy_qwen.doctor import Context, Status, examine

    def silent(_: object) -> None:
        """Programs get the report at the end."""

    context = Context.here(
        listen_s=options.listen, is_thorough=options.thorough, ask=silent if options.json else say
    )
    report = examine(context, silent if options.json else _Page().show)
    if options.json:
        write_json(report.as_dict())
    else:
        write(f"\n{_summary(report)}\n")
    if options.bundle:
        _write_bundle(options.bundle, context, report)
    return 1 if report.status is Status.PROBLEM else 0


def _write_bundle(place: Path, context: Context, report: Report) -> None:
    from handy_qwen.doctor.bundle import write_bundle

    packed = write_bundle(place, context, report)
    say(f"{place} contains the following. Look through it before you send it:")
    for name, size_bytes in packed.items():
        say(f"  {name:26} {size_bytes / 1000:8.1f} kB")
    say("It has none of your texts, recordings, history, custom words or replacements (see CONTENTS.txt).")


class _Page:
    """Prints each finding as soon as it is known."""

    def __init__(self) -> None:
        self._width = min(WIDEST, shutil.get_terminal_size().columns)
        self._is_colored = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._last = ""

    def show(self, finding: Finding) -> None:
        sign = f"{SIGNS[finding.status]:8}"
        if self._is_colored:
            sign = f"\x1b[{COLORS[finding.status]}m{sign}\x1b[0m"
        name = finding.name if finding.name != self._last else ""
        self._last = finding.name
        margin = " " * (NAME_CHARS + 9)
        self._write(finding.text, f"{name:{NAME_CHARS}}{sign} ", margin)
        if finding.remedy:
            self._write(finding.remedy, f"{margin}→ ", f"{margin}  ")

    def _write(self, text: str, before: str, margin: str) -> None:
        room = max(30, self._width - NAME_CHARS - 12)
        lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
        write(before + f"\n{margin}".join(lines) + "\n")


def _summary(report: Report) -> str:
    counts = {name: sum(one.status == name for one in report.findings) for name in ("problem", "warning")}
    if not any(counts.values()):
        return "Everything works."
    parts = [f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items() if count]
    return " and ".join(parts).capitalize() + "."


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MOST_LISTEN_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to {MOST_LISTEN_S:g}")
    return value
