"""What the window for audio files shows, and the commands it offers.

The UI gets a new ``FilesPage`` after every change. Each one is complete. It holds what was said, so it is
never logged.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from handy_qwen.core.models import Problem, Told
from handy_qwen.message import Message

_SOUNDS = "wav wave flac ogg oga opus mp3 mp2 aif aiff aifc au snd caf w64 rf64 m4a m4b aac wma amr ac3 mka"
_VIDEOS = "mp4 m4v mov mkv webm avi wmv flv 3gp 3g2 mpg mpeg ts"
SUFFIXES = tuple(f".{name}" for name in f"{_SOUNDS} {_VIDEOS}".split())
"""Usual extensions of audio and video files; others are accepted as well."""


class Form(enum.StrEnum):
    """The format of a saved text."""

    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"
    JSON = "json"
    JSONL = "jsonl"

    @property
    def suffix(self) -> str:
        """The file extension."""
        return ".txt" if self is Form.TEXT else f".{self}"

    def base(self, sound: Path) -> Path:
        """The file name for ``sound`` without suffix: subtitles named after the film, as players expect."""
        return sound.with_suffix("") if self.is_timed and sound.suffix.lower() in SUFFIXES else sound

    @property
    def is_timed(self) -> bool:
        """Whether it contains the time of each sentence."""
        return self in {Form.SRT, Form.VTT}


class FileState(enum.Enum):
    """The state of a file."""

    LEFT = enum.auto()  # it was waiting when the program ended, until the user resumes it
    WAITING = enum.auto()
    WORKING = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of the list."""

    number: int  # never used again
    path: Path
    state: FileState = FileState.WAITING
    share: float | None = None  # transcribed share, 0 to 1; None: unknown
    text: str = field(default="", repr=False)
    note: Message = Message()  # a remark about the text, or why there is none
    problem: Problem | None = None
    saved: Path | None = None  # where its text was last saved

    @property
    def is_unsaved(self) -> bool:
        """Whether removing it would lose a text."""
        return bool(self.text) and self.saved is None


@dataclass(frozen=True, slots=True)
class FilesPage:
    """All files, in the order of transcription, and the outcome of the last command."""

    entries: tuple[FileEntry, ...] = ()
    told: Told = field(default_factory=Told)


FilesListener = Callable[[FilesPage], None]
"""Shows a page. Called on any thread; must neither block nor raise."""


class FilesCommands(Protocol):
    """Commands of the window for audio files. Called on Qt's thread; every method returns at once."""

    def look(self) -> None:
        """Show the files, including those of earlier sessions: they stay until they are removed."""

    def add(self, paths: Sequence[Path]) -> None:
        """Transcribe these files, and those in these folders, after the ones already listed."""

    def transcribe(self, numbers: Sequence[int]) -> None:
        """Resume files left over, and retry those that failed."""

    def remove(self, numbers: Sequence[int]) -> None:
        """Remove files from the list. The one being transcribed is given up."""

    def copy(self, numbers: Sequence[int]) -> None:
        """Copy the texts to the clipboard, separated by an empty line."""

    def save(self, numbers: Sequence[int], form: Form, target: Path) -> None:
        """Save the texts: a single one as ``target``, several in that folder, overwriting nothing."""

    def open(self, number: int) -> None:
        """Open the file in which the text was saved."""
