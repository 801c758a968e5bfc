"""``handy-qwen demo``: shows on this machine that the engine works, with what ships with the program."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from handy_qwen import paths
from handy_qwen.cli.terminal import interruptible, write

if TYPE_CHECKING:
    from handy_qwen.cli.transcribe import Subparsers


def add_parser(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "demo",
        help="transcribe the speech that ships with the program",
        description="Transcribe three short recordings with the demo model: no microphone, no download.",
    )
    parser.set_defaults(command=run)


def run(_options: argparse.Namespace) -> int:
    """Transcribe the recordings that ship with the program, with the demo model."""
    from handy_qwen.audio.files import load
    from handy_qwen.cli.transcribe import opened
    from handy_qwen.core.shelf import DEMO
    from handy_qwen.engine.sessions import Cancel

    cancel = Cancel()
    with opened(DEMO, None) as recognizer:
        for path in sorted(paths.asset("speech").glob("*.flac")):
            samples = load(path)
            transcribe = partial(recognizer.transcribe, samples, exact=True, cancel=cancel)
            transcript = interruptible(transcribe, cancel)
            seconds = transcript.timings.total_s
            write(f"{path.name:14} {transcript.duration_s:4.1f} s in {seconds:.2f} s   {transcript.text}\n")
    return 0
