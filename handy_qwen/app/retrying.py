"""One dictation transcribed by a model of its own, beside the one that the program works with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from handy_qwen.core.rules import Rules
from handy_qwen.core.text import clean
from handy_qwen.errors import HistoryError


def transcribe_file(
    path: Path,
    model: str,
    language: str,
    moves: Callable[[], None],
    *,
    threads: int | None,
    rules: Callable[[], Rules],
) -> tuple[str, str, str]:
    """Text, language and name of the model. Slow; for a thread of its own.

    Read and written as a dictation would be: the same features, the user's words and replacements. Calls
    ``moves`` after each step.

    Raises:
        HandyError: The model cannot be used, or the file cannot be read.
    """
    from handy_qwen.history import wav
    from handy_qwen.models.installed import load_recognizer

    now = rules()
    recognizer = load_recognizer(model, threads)
    try:
        live = recognizer.live(language=language, context=now.context, drafts=False)
        with wav.blocks(path) as blocks:
            for block in blocks:
                live.feed(block)
                moves()
                while live.advance():
                    moves()
        found = live.finish()
        return clean(found.text, now.text, found.language), found.language, recognizer.name
    except OSError as exc:
        raise HistoryError(f"The recording cannot be read: {exc.strerror}.") from exc
    finally:
        recognizer.close()
