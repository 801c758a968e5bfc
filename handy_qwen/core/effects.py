"""What the dictation cycle asks of the outside, carried out in order by ``handy_qwen.runtime.controller``."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

from handy_qwen.core.events import Transcribed
from handy_qwen.core.types import Delivery, Hotkey, Method, Submit, Target


@dataclass(frozen=True, slots=True)
class ListenFor:
    """Listen for these hotkeys and no others. HotkeysSet or HotkeysFailed answers."""

    hotkeys: tuple[Hotkey, ...]


@dataclass(frozen=True, slots=True)
class WatchEscape:
    """Watch the Escape key, or not; also the key that locks a take, "" for none."""

    is_wanted: bool
    lock_key: str = ""


class Cue(enum.Enum):
    """A short sound."""

    STARTED = enum.auto()
    STOPPED = enum.auto()


@dataclass(frozen=True, slots=True)
class PlayCue:
    """Play a sound."""

    cue: Cue


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Open take ``take`` in the engine and record it."""

    take: int
    languages: tuple[str, ...]  # the possible languages; (): any
    context: tuple[str, ...] = field(repr=False)
    model: str = ""  # for the history


@dataclass(frozen=True, slots=True)
class Adapt:
    """Language or words of take ``take``, which has just begun, have changed."""

    take: int
    languages: tuple[str, ...]  # as for StartRecording
    context: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class StopRecording:
    """End the recording of take ``take`` once speech has ended; RecordingEnded answers."""

    take: int


@dataclass(frozen=True, slots=True)
class CancelRecording:
    """End the recording of take ``take`` now. Another may begin at once."""

    take: int


@dataclass(frozen=True, slots=True)
class Replay:
    """Open take ``take`` in the engine and feed it the sound of an entry of the history; Replayed answers."""

    take: int
    entry: int
    languages: tuple[str, ...]  # as for StartRecording
    context: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Take ``take`` is complete: Transcribed answers."""

    take: int


@dataclass(frozen=True, slots=True)
class CancelTranscription:
    """The text of take ``take`` is no longer needed."""

    take: int


@dataclass(frozen=True, slots=True)
class LookUp:
    """Get the values of the placeholders ``names``: ``transcribed`` comes again, with ``values``."""

    transcribed: Transcribed = field(repr=False)
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class PrepareInsertion:
    """Take ``take`` will be inserted by ``method``. FocusNoted reports the window."""

    take: int
    method: Method


@dataclass(frozen=True, slots=True)
class LookAround:
    """Read the text around the cursor for take ``take``, the next one for ``target``.

    TextAroundNoted answers if the application offers it.
    """

    take: int
    target: Target


def is_after(touched_s: float | None, seen_s: float) -> bool:
    """Whether the user is known to have touched anything since ``seen_s``."""
    return touched_s is not None and touched_s > seen_s


@dataclass(frozen=True, slots=True)
class Insert:
    """Insert ``text`` into ``target``; None is whatever window has the focus. Delivered answers.

    First delete ``erased``, which is directly before the cursor, unless the user has touched anything since
    ``since_s``.
    """

    take: int
    text: str = field(repr=False)
    target: Target | None
    method: Method
    submit: Submit
    brings: tuple[int, ...] = ()  # takes whose texts are included
    erased: str = field(default="", repr=False)
    since_s: float = 0.0
    # Replaces ``text`` if the user has touched anything since ``seen_s``, when the context was read
    otherwise: str = field(default="", repr=False)
    seen_s: float = math.inf

    def text_after(self, touched_s: float | None) -> str:
        """The text to insert if the user last touched anything at ``touched_s``; None: unknown."""
        return self.otherwise if is_after(touched_s, self.seen_s) else self.text


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy ``text``, which is that of ``takes``, to the clipboard. Copied answers."""

    text: str = field(repr=False)
    takes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take ``take`` stands for an entry of the history from now on."""

    take: int
    entry: int


@dataclass(frozen=True, slots=True)
class KeepSound:
    """All audio of take ``take`` was recorded; its text follows."""

    take: int


@dataclass(frozen=True, slots=True)
class KeepText:
    """Store the text of take ``take``; an empty one does not replace an earlier text.

    An empty language, model or application changes nothing.
    """

    take: int
    text: str = field(repr=False)
    language: str
    model: str
    application: str
    is_truncated: bool = False  # words may be missing
    # What was said, if none of it is to be inserted; "" if there was no speech.
    original: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class KeepFailure:
    """Store why take ``take`` has no text."""

    take: int
    title: str


@dataclass(frozen=True, slots=True)
class KeepCancellation:
    """Store that take ``take`` was cancelled."""

    take: int


@dataclass(frozen=True, slots=True)
class KeepDelivery:
    """Store how the text of take ``take`` was delivered."""

    take: int
    how: Delivery


@dataclass(frozen=True, slots=True)
class PauseHistory:
    """Stop or resume storing takes that begin from now on."""

    is_paused: bool


HotkeyEffect = ListenFor | WatchEscape
EngineEffect = (
    StartRecording | Adapt | StopRecording | CancelRecording | Replay | Transcribe | CancelTranscription
)
InsertionEffect = LookUp | PrepareInsertion | LookAround | Insert | Copy
HistoryEffect = Adopt | KeepSound | KeepText | KeepFailure | KeepCancellation | KeepDelivery | PauseHistory
Effect = HotkeyEffect | PlayCue | EngineEffect | InsertionEffect | HistoryEffect
