"""What the dictation cycle can ask of the outside. Carried out by ``runtime.dispatch``, in order."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from handy_qwen.core.types import Delivery, Hotkey, Method, Submit, Target


@dataclass(frozen=True, slots=True)
class NoteFocus:
    """Find out which window has the focus; FocusNoted answers."""

    take: int


@dataclass(frozen=True, slots=True)
class PrepareInsertion:
    """A text will have to be inserted by ``method``."""

    method: Method


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Open take ``take`` in the engine and record it."""

    take: int
    language: str
    context: tuple[str, ...] = field(repr=False)
    model: str = ""  # for the history


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
    brings: tuple[int, ...] = ()  # takes whose texts are part of it


@dataclass(frozen=True, slots=True)
class Copy:
    """Put ``text`` on the clipboard, for the user to paste; Copied answers. It is the text of ``takes``."""

    text: str = field(repr=False)
    takes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Replay:
    """Open take ``take`` in the engine and feed it the sound of an entry of the history; Replayed answers."""

    take: int
    entry: int
    language: str
    context: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take ``take`` means an entry of the history from now on."""

    take: int
    entry: int


@dataclass(frozen=True, slots=True)
class KeepSound:
    """All the sound of take ``take`` is there, and its text is awaited."""

    take: int


@dataclass(frozen=True, slots=True)
class KeepText:
    """The history keeps the text of take ``take``."""

    take: int
    text: str = field(repr=False)
    language: str
    model: str
    application: str


@dataclass(frozen=True, slots=True)
class KeepFailure:
    """The history keeps why take ``take`` has no text."""

    take: int
    title: str


@dataclass(frozen=True, slots=True)
class KeepCancellation:
    """The history keeps that take ``take`` was given up."""

    take: int


@dataclass(frozen=True, slots=True)
class KeepDelivery:
    """The history keeps what became of the text of take ``take``; None: nobody wants it any more."""

    take: int
    how: Delivery | None


@dataclass(frozen=True, slots=True)
class PauseHistory:
    """Keep nothing of the takes that begin from now on, or keep them again."""

    is_paused: bool


@dataclass(frozen=True, slots=True)
class ListenFor:
    """Listen for these hotkeys instead of those before. HotkeysSet or HotkeysFailed answers."""

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
    | PrepareInsertion
    | StartRecording
    | StopRecording
    | CancelRecording
    | Transcribe
    | CancelTranscription
    | Insert
    | Copy
    | Replay
    | Adopt
    | KeepSound
    | KeepText
    | KeepFailure
    | KeepCancellation
    | KeepDelivery
    | PauseHistory
    | ListenFor
    | WatchEscape
    | PlayCue
    | WakeAt
)
