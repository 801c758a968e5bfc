"""The result of transcribing an audio file: text, subtitles, or all data, ready to be saved.

Files in the window's list are kept on disk with their texts until they are removed, so they survive a crash:
one file each, readable by the user alone. Unreadable ones are left alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handy_qwen.core import subtitles
from handy_qwen.core.models import Problem
from handy_qwen.core.sound_files import FileEntry, FileState, Form
from handy_qwen.files import replace_file
from handy_qwen.message import verbatim

if TYPE_CHECKING:  # the command line need not wait for the engine
    from handy_qwen.engine.api import TextSegment, Transcript

logger = logging.getLogger(__name__)


def described(name: str, found: Transcript, *, model: str, is_truncated: bool) -> dict[str, Any]:
    """A transcript as JSON.

    Args:
        name: Of the file.
        found: What the model made of it.
        model: Its name.
        is_truncated: The audio file is cut off.
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


def rendered(form: Form, known: Mapping[str, Any], segments: Iterable[TextSegment]) -> str:
    """The contents of a file of this form. ``known`` is the result of ``described``, perhaps with more."""
    match form:
        case Form.TEXT:
            return f"{known['text']}\n"
        case Form.SRT | Form.VTT:
            cues = subtitles.cues((segment.text, segment.speech_s) for segment in segments)
            return subtitles.srt(cues) if form is Form.SRT else subtitles.vtt(cues)
        case Form.JSON:
            return as_json(known)
        case Form.JSONL:
            return json.dumps(known, ensure_ascii=False) + "\n"


def as_json(known: object) -> str:
    """``known`` as JSON, indented."""
    return json.dumps(known, ensure_ascii=False, indent=2) + "\n"


@dataclass
class Transcribed:
    """The source of a file's text. ``known`` is the result of ``described``."""

    known: dict[str, Any] = field(default_factory=dict, repr=False)
    segments: Sequence[TextSegment] = field(default=(), repr=False)


class KeptFiles:
    """The entries in ``folder``. For one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, entry: FileEntry, made: Transcribed) -> None:
        """Store ``entry`` with its text, replacing an earlier version.

        Raises:
            OSError: It cannot be written.
        """
        problem = entry.problem
        content = {
            "state": entry.state.name.lower(),
            "problem": [problem.title, problem.hint] if problem else None,
            "note": entry.note,
            "saved": str(entry.saved or ""),
            "known": made.known or {"file": str(entry.path), "text": ""},
            "passages": [[segment.text, segment.speech_s] for segment in made.segments],
        }
        replace_file(self._place(entry.number), json.dumps(content).encode())

    def remove(self, number: int) -> None:
        """Delete the file ``number``.

        Raises:
            OSError: It cannot be deleted.
        """
        self._place(number).unlink(missing_ok=True)

    def read(self) -> Iterator[tuple[FileEntry, Transcribed]]:
        """All entries, in order."""
        for number in self.numbers():
            try:
                yield _read(number, json.loads(self._place(number).read_bytes()))
            except (OSError, ValueError, TypeError, KeyError) as exc:  # truncated, or of another version
                logger.warning("what was kept of a file cannot be read: %s", type(exc).__name__)

    def numbers(self) -> list[int]:
        """The numbers in use, also of unreadable entries."""
        stems = (path.stem for path in self._folder.glob("*.json"))
        return sorted(int(stem) for stem in stems if stem.isdecimal())

    def _place(self, number: int) -> Path:
        return self._folder / f"{number}.json"


def _read(number: int, content: Any) -> tuple[FileEntry, Transcribed]:  # noqa: ANN401  whatever JSON holds
    from handy_qwen.engine.api import TextSegment

    known = dict(content["known"])
    segments = [
        TextSegment(str(text), tuple((float(start), float(end)) for start, end in speech))
        for text, speech in content["passages"]
    ]
    saved, note = Path(content["saved"]) if content["saved"] else None, verbatim(str(content["note"]))
    path, text = Path(known["file"]), str(known["text"])
    state = _STATES.get(content.get("state", "done"), FileState.LEFT)
    told = content["problem"] if state is FileState.FAILED else None
    problem = Problem(*(verbatim(str(part)) for part in told)) if told else None
    share = 1.0 if state is FileState.DONE else None
    return FileEntry(number, path, state, share, text, note, problem, saved), Transcribed(known, segments)


_STATES = {"done": FileState.DONE, "failed": FileState.FAILED}  # all others were not finished
