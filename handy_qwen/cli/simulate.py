"""``handy-qwen transcribe --live --simulate``: a recording, dictated.

The samples come in as they would from a microphone. What the overlay would show goes to stderr, line by line;
the text goes to stdout, and how long it took after the last sample to stderr.

Threads: ``speaker`` feeds, ``work`` (see terminal.py) is the engine's, the main thread waits for signals.
"""

from __future__ import annotations

import argparse
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from handy_qwen.cli.terminal import UsageError, complain, interruptible, say, stoppable, write
from handy_qwen.core.ports import RATE_HZ
from handy_qwen.errors import HandyError

if TYPE_CHECKING:  # the engine is imported when it is needed: argument errors come at once
    from handy_qwen.cli.transcribe import Context
    from handy_qwen.core.ports import Samples
    from handy_qwen.engine.live import LiveTranscription
    from handy_qwen.engine.recognizer import Recognizer

_BLOCK_S = 0.032
_PREVIEW_EVERY_S = 0.1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--simulate`` and ``--speed``."""
    parser.add_argument(
        "--simulate", action="store_true", help="with --live: feed the sound as it would be spoken"
    )
    parser.add_argument(
        "--speed", type=_positive, metavar="X", help="with --simulate: X times as fast (default: 1)"
    )


def is_asked(options: argparse.Namespace) -> bool:
    """Whether to simulate.

    Raises:
        UsageError: Options do not go together.
    """
    if not options.simulate:
        if options.speed is not None:
            raise UsageError("--speed is of use only with --simulate.")
        return False
    if options.exact:
        raise UsageError("Only what is live can be simulated.", "Add --live.")
    if options.format != "text" or options.output != "-":
        raise UsageError("--format and --output are of no use with --simulate.")
    return True


def run(options: argparse.Namespace, context: Context) -> int:
    """Dictate all files; one that fails does not stop the others."""
    from handy_qwen.audio.files import load
    from handy_qwen.cli.transcribe import opened, tell_context

    failed = 0
    with stoppable(), opened(options.model, options.threads) as recognizer:
        recognizer.check_language(options.language)  # before a file is opened
        tell_context(recognizer, context)
        for name in options.files:
            try:
                _dictate(recognizer, load(name), options, context)
            except HandyError as error:
                complain(error)
                failed += 1
    return 1 if failed else 0


def _dictate(recognizer: Recognizer, samples: Samples, options: argparse.Namespace, context: Context) -> None:
    from handy_qwen.engine.sessions import Cancel

    cancel = Cancel()
    live = recognizer.live(language=options.language, context=context, cancel=cancel)
    speaker = _Speaker(live, samples, options.speed or 1.0)
    try:
        text, late_s = interruptible(partial(_listen, live, speaker), cancel)
    finally:
        speaker.stop()
    write(f"{text}\n")
    say(f"{late_s:.3f} s from the last of {len(samples) / RATE_HZ:.1f} s of sound to the text")


def _listen(live: LiveTranscription, speaker: _Speaker) -> tuple[str, float]:
    """Do what the engine's thread does in the app; return the text and how late it came."""
    shown, next_s = live.preview(), 0.0
    speaker.start()
    while not speaker.is_silent.is_set():
        speaker.has_spoken.wait(_BLOCK_S)
        speaker.has_spoken.clear()
        while live.advance() and not speaker.is_silent.is_set():
            pass
        if live.preview() != shown and time.perf_counter() >= next_s:
            shown, next_s = live.preview(), time.perf_counter() + _PREVIEW_EVERY_S
            say(f"{speaker.spoken_s:6.1f} s  {shown.committed}│{shown.tentative}")
    text = live.finish().text
    return text, time.perf_counter() - speaker.silent_since_s


class _Speaker:
    """Feeds samples at the pace of speech, or ``speed`` times as fast, on a thread of its own."""

    def __init__(self, live: LiveTranscription, samples: Samples, speed: float) -> None:
        self._live = live
        self._samples = samples
        self._speed = speed
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._speak, name="speaker", daemon=True)
        self.has_spoken = threading.Event()
        self.is_silent = threading.Event()
        self.silent_since_s = 0.0
        self.spoken_s = 0.0

    def start(self) -> None:
        """Begin to speak."""
        self._thread.start()

    def stop(self) -> None:
        """Fall silent, and wait for that. Safe to call twice, or without ``start``."""
        self._is_stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _speak(self) -> None:
        """Runs on ``speaker``."""
        size, begin_s = int(_BLOCK_S * RATE_HZ), time.perf_counter()
        for first in range(0, len(self._samples), size):
            block = self._samples[first : first + size]
            self.spoken_s = (first + len(block)) / RATE_HZ
            due_s = begin_s + self.spoken_s / self._speed
            if self._is_stopped.wait(max(0.0, due_s - time.perf_counter())):
                return
            self._live.feed(block)
            self.has_spoken.set()
        self.silent_since_s = time.perf_counter()
        self.is_silent.set()
        self._live.stop_drafting()


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError("must lie between 0 and 1000")
    return value
