"""What becomes of a sound file: its text, or subtitles, or all that is known of it, ready to be saved."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from handy_qwen.core import subtitles
from handy_qwen.core.sound_files import Form

if TYPE_CHECKING:
    from handy_qwen.engine.api import Passage, Transcript


def described(name: str, found: Transcript, *, model: str, is_truncated: bool) -> dict[str, Any]:
    """All that is known of a transcript, as JSON has it.

    Args:
        name: Of the file.
        found: What the model made of it.
        model: Its name.
        is_truncated: The file broke off.
    """
    return {
        "file": name,
        "text": found.text,
        "language": found.language,
        "language_forced": found.is_language_forced,
        "truncated": found.is_truncated or is_truncated,
        "duration_s": round(found.duration_s, 3),
        "tokens": len(found.tokens),
        "model": model,
    }


def rendered(form: Form, known: Mapping[str, Any], passages: Iterable[Passage]) -> str:
    """The contents of a file of that form. ``known`` is what ``described`` says, and perhaps more."""
    match form:
        case Form.TEXT:
            return f"{known['text']}\n"
        case Form.SRT | Form.VTT:
            cues = subtitles.cues((passage.text, passage.speech_s) for passage in passages)
            return subtitles.srt(cues) if form is Form.SRT else subtitles.vtt(cues)
        case Form.JSON:
            return as_json(known)
        case Form.JSONL:
            return json.dumps(known, ensure_ascii=False) + "\n"


def as_json(known: object) -> str:
    """``known`` for people as well as for programs."""
    return json.dumps(known, ensure_ascii=False, indent=2) + "\n"
