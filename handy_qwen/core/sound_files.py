"""What the window for sound files shows, and what it may ask for.

The UI gets a new ``FilesPage`` after every change. A page is complete: the last one is all that is needed. It
holds what was said, so it is never logged.
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
"""How the names of sound files and videos end; a file of any other name can be one as well."""


class Form(enum.StrEnum):
    """The form of a saved text."""

    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"
    JSON = "json"
    JSONL = "jsonl"

    @property
    def suffix(self) -> str:
        """What the names of such files end with."""
        return ".txt" if self is Form.TEXT else f".{self}"

    def base(self, sound: Path) -> Path:
        """What a text of ``sound`` is called before the suffix: subtitles as the film, as players expect."""
        return sound.with_suffix("") if self.is_timed and sound.suffix.lower() in SUFFIXES else sound

    @property
    def is_timed(self) -> bool:
        """Whether it says when each sentence was spoken."""
        return self in {Form.SRT, Form.VTT}


class FileState(enum.Enum):
    """How far a file has come."""

    LEFT = enum.auto()  # it waited when the program ended, and does until the user goes on
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
    share: float | None = None  # of it that is transcribed, 0 to 1; None: not known
    text: str = field(default="", repr=False)
    note: Message = Message()  # what is to be known of the text, or why there is none
    problem: Problem | None = None
    saved: Path | None = None  # where its text was saved last

    @property
    def is_unsaved(self) -> bool:
        """Whether a text would be lost with it."""
        return bool(self.text) and self.saved is None


@dataclass(frozen=True, slots=True)
class FilesPage:
    """All files, in the order in which they are transcribed, and what came of the last command."""

    entries: tuple[FileEntry, ...] = ()
    told: Told = field(default_factory=Told)


FilesListener = Callable[[FilesPage], None]
"""Shows a page. Called on any thread; must neither block nor raise."""


class FilesCommands(Protocol):
    """What the window for sound files asks for. Called on Qt's thread; every method returns at once."""

    def look(self) -> None:
        """Show the files that there are: those of earlier sessions stay until they are removed."""

    def add(self, paths: Sequence[Path]) -> None:
        """Transcribe these files, and those in these folders, after those that are there."""

    def transcribe(self, numbers: Sequence[int]) -> None:
        """Go on with files that were left, and try again those that failed."""

    def remove(self, numbers: Sequence[int]) -> None:
        """Take files off the list. One that is being transcribed is given up."""

    def copy(self, numbers: Sequence[int]) -> None:
        """Put the texts on the clipboard, with an empty line between two."""

    def save(self, numbers: Sequence[int], form: Form, target: Path) -> None:
        """Save the texts: that of one file as ``target``, of several in that folder, replacing nothing."""

    def open(self, number: int) -> None:
        """Open the file that the text was saved in."""
