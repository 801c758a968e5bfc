"""Transcribing an entry of the history again, in this process: no app need run, and one may.

The text is made as the app would make it, with the user's replacements; the settings' model, words and
language are used unless others are given.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.cli.choice import read_settings
from handy_qwen.cli.terminal import ProgressLine, interruptible, say
from handy_qwen.core.entries import Entry
from handy_qwen.errors import HistoryError

if TYPE_CHECKING:  # slow to import: argument errors come at once
    from handy_qwen.cli.transcribe import Context
    from handy_qwen.engine.recognizer import Recognizer
    from handy_qwen.engine.sessions import Cancel
    from handy_qwen.engine.transcript import Transcript
    from handy_qwen.history.archive import Archive


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what may be different this time."""
    from handy_qwen.cli.transcribe import add_model_options

    add_model_options(parser)
    parser.add_argument(
        "--language", metavar="L", help='name or ISO code, "" to find it out (default: as it was asked for)'
    )
    parser.add_argument(
        "--vocabulary", type=Path, metavar="FILE", help="a text file with one name or term per line"
    )
    parser.add_argument("--json", action="store_true", help="for other programs")


def retry(archive: Archive, entry: Entry, options: argparse.Namespace) -> Entry:
    """Transcribe ``entry``, keep the text in the history, and return the entry as it is then.

    Raises:
        HandyError: It has no sound, or the model cannot be used; the entry is as it was.
        KeyboardInterrupt: The user has had enough; likewise.
    """
    from handy_qwen.app.choices import rules_of
    from handy_qwen.cli.transcribe import context_of, opened, tell_context
    from handy_qwen.core.ports import Method
    from handy_qwen.core.text import clean
    from handy_qwen.engine.sessions import Cancel

    sound = archive.audio(entry.id)
    settings = read_settings()
    rules = rules_of(settings, Method.NONE)
    language = archive.asked_language(entry.id) if options.language is None else options.language
    context = context_of("", options.vocabulary) if options.vocabulary else rules.context
    with opened(options.model or settings.model, options.threads or settings.threads or None) as recognizer:
        recognizer.check_language(language)
        tell_context(recognizer, context)
        cancel = Cancel()
        work = partial(_transcribed, recognizer, sound, language, context, cancel)
        found = interruptible(work, cancel)
        name = recognizer.name
    if not found.text and entry.text:
        raise HistoryError("No speech was found this time.", "The previous text is unchanged.")
    if found.is_truncated:
        say("handy-qwen: The text may not be complete: the answer broke off.")
    text = clean(found.text, rules.text, found.language)
    archive.transcribed(entry.id, text, language=found.language, model=name)
    return archive.entry(entry.id)


def _transcribed(
    recognizer: Recognizer, path: Path, language: str, context: Context, cancel: Cancel
) -> Transcript:
    """Runs on a thread of its own. Features as when dictating, so that the same model writes the same."""
    from handy_qwen.core.ports import RATE_HZ
    from handy_qwen.history import wav

    live = recognizer.live(language=language, context=context, drafts=False, cancel=cancel)
    progress, heard_s, duration_s = ProgressLine(), 0.0, wav.look(path).duration_s
    try:
        with wav.blocks(path) as blocks:
            for block in blocks:
                live.feed(block)
                while live.advance():
                    pass
                heard_s += len(block) / RATE_HZ
                progress.show("", min(1.0, heard_s / duration_s))
        return live.finish()
    except OSError as exc:
        raise HistoryError(f"The recording cannot be read: {exc.strerror}.") from exc
    finally:
        progress.clear()
