"""``handy-qwen demo``: shows on this machine that the engine works, with what ships with the program."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen import paths
from handy_qwen.cli.terminal import interruptible, write
from handy_qwen.errors import EngineError

if TYPE_CHECKING:
    from handy_qwen.cli.transcribe import Subparsers

SENTENCE = "Please send the report to Anna on Monday."
"""What ``speech/report.flac`` says."""


def add_parser(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "demo",
        help="transcribe the speech that ships with the program",
        description="Transcribe three short recordings with the demo model: no microphone, no download.",
    )
    parser.set_defaults(command=run)


def check_sentence(folder: Path) -> None:
    """If ``folder`` is a package of the demo model, have it write what is known to be said.

    Raises:
        EngineError: It writes something else, or cannot be run.
    """
    from handy_qwen.audio.files import load
    from handy_qwen.engine.manifest import MANIFEST_FILE, load_manifest
    from handy_qwen.models.installed import demo_model, load_recognizer

    is_package = (folder / MANIFEST_FILE).is_file()
    if not is_package or load_manifest(folder).source != load_manifest(demo_model().folder).source:
        return
    recognizer = load_recognizer(str(folder.resolve()))
    try:
        heard = recognizer.transcribe(load(paths.asset("speech/report.flac")), exact=True).text
    finally:
        recognizer.close()
    if heard != SENTENCE:
        raise EngineError("The demo model hears other words than are said.", "Install or convert it again.")


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
