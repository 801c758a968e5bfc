"""What the dictation cycle asks of the outside, carried out in order by ``handy_qwen.runtime.controller``."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

from handy_qwen.core.events import Transcribed
from handy_qwen.core.types import Delivery, Hotkey, Method, Submit, Target


@dataclass(frozen=True, slots=True)
class ListenFor:
    """Listen for these hotkeys instead of those before. HotkeysSet or HotkeysFailed answers."""

    hotkeys: tuple[Hotkey, ...]


@dataclass(frozen=True, slots=True)
class WatchEscape:
    """Report the Escape key, or leave it alone; and the key that locks a take, "" for none."""

    is_wanted: bool
    lock_key: str = ""


class Cue(enum.Enum):
    """A short sound."""

    STARTED = enum.auto()
    STOPPED = enum.auto()


@dataclass(frozen=True, slots=True)
class PlayCue:
    """Let the user hear what happens."""

    cue: Cue


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Open take ``take`` in the engine and record it."""

    take: int
    languages: tuple[str, ...]  # one of which is spoken; (): any
    context: tuple[str, ...] = field(repr=False)
    model: str = ""  # for the history


@dataclass(frozen=True, slots=True)
class Adapt:
    """Take ``take``, just begun, is spoken in another language or with other words than it began with."""

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
    """The text of take ``take`` is not wanted any more."""

    take: int


@dataclass(frozen=True, slots=True)
class LookUp:
    """Find out what the placeholders ``names`` stand for: ``transcribed`` comes again, with ``values``."""

    transcribed: Transcribed = field(repr=False)
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class PrepareInsertion:
    """Take ``take`` will be inserted by ``method``. FocusNoted says into which window."""

    take: int
    method: Method


@dataclass(frozen=True, slots=True)
class LookAround:
    """Find out what the text of take ``take``, the next for ``target``, will stand between.

    TextAroundNoted answers, if anybody knows.
    """

    take: int
    target: Target


def is_after(touched_s: float | None, seen_s: float) -> bool:
    """Whether the user has touched anything since ``seen_s``, as far as is known."""
    return touched_s is not None and touched_s > seen_s


@dataclass(frozen=True, slots=True)
class Insert:
    """Put ``text`` into ``target``, or into whatever has the focus if that is None. Delivered answers.

    Before that, delete ``erased``, which is before the cursor unless the user has touched anything since
    ``since_s``.
    """

    take: int
    text: str = field(repr=False)
    target: Target | None
    method: Method
    submit: Submit
    brings: tuple[int, ...] = ()  # takes whose texts are part of it
    erased: str = field(default="", repr=False)
    since_s: float = 0.0
    # Instead of ``text``, if the user has touched anything since ``seen_s``, when what it continues was seen
    otherwise: str = field(default="", repr=False)
    seen_s: float = math.inf

    def text_after(self, touched_s: float | None) -> str:
        """What is to be inserted, if the user last touched anything at ``touched_s``; None: nobody knows."""
        return self.otherwise if is_after(touched_s, self.seen_s) else self.text


@dataclass(frozen=True, slots=True)
class Copy:
    """Put ``text``, which is that of ``takes``, on the clipboard. Copied answers."""

    text: str = field(repr=False)
    takes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take ``take`` means an entry of the history from now on."""

    take: int
    entry: int


@dataclass(frozen=True, slots=True)
class KeepSound:
    """The history has all the sound of take ``take``, and its text is awaited."""

    take: int


@dataclass(frozen=True, slots=True)
class KeepText:
    """The history keeps the text of take ``take``; if that is empty, an earlier one stays.

    An empty language, model or application says nothing new.
    """

    take: int
    text: str = field(repr=False)
    language: str
    model: str
    application: str
    is_truncated: bool = False  # words may be missing
    # What was said, if there is nothing in it to insert; "" if nobody spoke.
    original: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class KeepFailure:
    """The history keeps why take ``take`` has no text."""

    take: int
    title: str


@dataclass(frozen=True, slots=True)
class KeepCancellation:
    """The history keeps that take ``take`` was cancelled."""

    take: int


@dataclass(frozen=True, slots=True)
class KeepDelivery:
    """The history keeps what became of the text of take ``take``."""

    take: int
    how: Delivery


@dataclass(frozen=True, slots=True)
class PauseHistory:
    """Keep nothing of the takes that begin from now on, or keep them again."""

    is_paused: bool


HotkeyEffect = ListenFor | WatchEscape
EngineEffect = (
    StartRecording | Adapt | StopRecording | CancelRecording | Replay | Transcribe | CancelTranscription
)
InsertionEffect = LookUp | PrepareInsertion | LookAround | Insert | Copy
HistoryEffect = Adopt | KeepSound | KeepText | KeepFailure | KeepCancellation | KeepDelivery | PauseHistory
Effect = HotkeyEffect | PlayCue | EngineEffect | InsertionEffect | HistoryEffect
