"""The texts of sound files on disk, until they are taken off the list: an hour's work outlives a crash.

One file for each, readable by the user alone. What cannot be read is left alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handy_qwen.core.sound_files import FileEntry, FileState
from handy_qwen.engine.api import Passage
from handy_qwen.files import replace_file
from handy_qwen.message import verbatim

logger = logging.getLogger(__name__)


@dataclass
class Transcribed:
    """What a file's text is made of. ``known`` is what ``transcripts.described`` says."""

    known: dict[str, Any] = field(default_factory=dict, repr=False)
    passages: Sequence[Passage] = field(default=(), repr=False)


class KeptFiles:
    """What is in ``folder``. Belongs to one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, entry: FileEntry, made: Transcribed) -> None:
        """Keep the text of ``entry``, in place of what was kept of it.

        Raises:
            OSError: It cannot be written.
        """
        content = {
            "note": entry.note,
            "saved": str(entry.saved or ""),
            "known": made.known,
            "passages": [[passage.text, passage.speech_s] for passage in made.passages],
        }
        replace_file(self._place(entry.number), json.dumps(content).encode())

    def remove(self, number: int) -> None:
        """Keep no text of the file ``number``.

        Raises:
            OSError: It cannot be deleted.
        """
        self._place(number).unlink(missing_ok=True)

    def read(self) -> Iterator[tuple[FileEntry, Transcribed]]:
        """All that is kept, in order."""
        for number in self.numbers():
            try:
                yield _read(number, json.loads(self._place(number).read_bytes()))
            except (OSError, ValueError, TypeError, KeyError) as exc:  # cut short, or of another version
                logger.warning("the text of a file cannot be read: %s", type(exc).__name__)

    def numbers(self) -> list[int]:
        """Those that are in use, also for what cannot be read."""
        stems = (path.stem for path in self._folder.glob("*.json"))
        return sorted(int(stem) for stem in stems if stem.isdecimal())

    def _place(self, number: int) -> Path:
        return self._folder / f"{number}.json"


def _read(number: int, content: Any) -> tuple[FileEntry, Transcribed]:  # noqa: ANN401  whatever JSON holds
    known = dict(content["known"])
    passages = [
        Passage(str(text), tuple((float(start), float(end)) for start, end in speech))
        for text, speech in content["passages"]
    ]
    saved, note = Path(content["saved"]) if content["saved"] else None, verbatim(str(content["note"]))
    path, text = Path(known["file"]), str(known["text"])
    entry = FileEntry(number, path, FileState.DONE, 1.0, text, note, saved=saved)
    return entry, Transcribed(known, passages)
