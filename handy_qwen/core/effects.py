"""What the dictation cycle can ask of the outside. Carried out by ``handy_qwen.effects``, in order."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from handy_qwen.core.ports import Hotkey, Method, Submit, Target


@dataclass(frozen=True, slots=True)
class NoteFocus:
    """Find out which window has the focus; FocusNoted answers."""

    take: int


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Open take ``take`` in the engine and record it."""

    take: int
    language: str
    context: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StopRecording:
    """End the recording of take ``take`` once speech has ended; RecordingEnded answers."""

    take: int


@dataclass(frozen=True, slots=True)
class CancelRecording:
    """End the recording of take ``take`` now. Another may begin at once."""

    take: int


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Take ``take`` is complete: its text is wanted."""

    take: int


@dataclass(frozen=True, slots=True)
class CancelTranscription:
    """Nobody wants the text of take ``take`` any more."""

    take: int


@dataclass(frozen=True, slots=True)
class Insert:
    """Put ``text`` into ``target``; into whatever has the focus if that is None."""

    take: int
    text: str = field(repr=False)
    target: Target | None
    method: Method
    submit: Submit


@dataclass(frozen=True, slots=True)
class Copy:
    """Put ``text`` on the clipboard, for the user to paste."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ListenFor:
    """Listen for these hotkeys instead of those before."""

    hotkeys: tuple[Hotkey, ...]


@dataclass(frozen=True, slots=True)
class WatchEscape:
    """Report the Escape key, or leave it alone."""

    is_wanted: bool


class Cue(enum.Enum):
    """A short sound."""

    STARTED = enum.auto()
    STOPPED = enum.auto()


@dataclass(frozen=True, slots=True)
class PlayCue:
    """Let the user hear what happens."""

    cue: Cue


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Post Ticked at this time, and at none set before; None: at no time."""

    at_s: float | None


Effect = (
    NoteFocus
    | StartRecording
    | StopRecording
    | CancelRecording
    | Transcribe
    | CancelTranscription
    | Insert
    | Copy
    | ListenFor
    | WatchEscape
    | PlayCue
    | WakeAt
)
