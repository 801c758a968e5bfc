"""What the dictation cycle needs from the outside, as Protocols.

Every method may be called from the controller's thread and returns at once, unless its docstring says
that it may wait: ``runtime.dispatch`` calls those on threads of their own. What takes time is answered with
an event.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from handy_qwen.core.events import Delivery, Event

if TYPE_CHECKING:  # for the type only: core must load without numpy
    import numpy as np
    import numpy.typing as npt
from dataclasses import field

from handy_qwen.core.gestures import Limits, Mode
from handy_qwen.core.text import TextRules

RATE_HZ = 16_000
"""The sample rate of all sound that goes from one part to another."""

Samples: TypeAlias = "npt.NDArray[np.float32]"
"""Mono audio. Shape (n,), float32 in [-1, 1], 16 kHz."""

Post = Callable[[Event], None]
"""Hands an event to the controller. May be called from any thread; never blocks."""

Sink = Callable[[Samples], None]
"""Takes the next block of a take. Called on the microphone's thread; keeps the array, never blocks."""


@dataclass(frozen=True, slots=True)
class Hotkey:
    """One key or chord that the user dictates with."""

    chord: str  # "ctrl_r", "f9", "ctrl+alt+d": names joined by "+"
    language: str = ""  # English name, or "auto" to find it out; empty: the language of the settings
    submit: str = ""  # empty: that of the settings


class Watched(Protocol):
    """A thread as the watchdog sees it. Any thread may call; nothing waits."""

    def has_died(self) -> bool:
        """Whether it ended without being told to."""

    def piece(self) -> int | None:
        """The number of the piece of work it is at; None while it waits."""

    def own_pieces(self) -> int:
        """How many pieces of work it has begun of its own accord, in all."""

    def revive(self) -> None:
        """Start it again; what it was doing is given up.

        Raises:
            HandyError: It cannot be.
        """


class HotkeyListener(Watched, Protocol):
    """Reports the hotkeys, whichever window has the focus."""

    def start(self, hotkeys: Sequence[Hotkey]) -> None:
        """Listen for ``hotkeys`` instead of those listened for until now. Posts KeyDown, KeyUp, KeyJoined.

        May wait for the desktop, some seconds at most.

        Raises:
            HotkeyError: A chord is unknown, another program holds it, or the desktop allows no listening.
        """

    def check(self, hotkeys: Sequence[Hotkey]) -> None:
        """Find out whether ``start`` would take ``hotkeys``, and change nothing. May wait some seconds.

        Raises:
            HotkeyError: As ``start`` would, as far as that can be known beforehand.
        """

    def watch_escape(self, is_wanted: bool) -> None:
        """Report Escape (and swallow it) only while a take runs. Called where ``start`` is."""

    def stop(self) -> None:
        """Stop listening. Safe to call twice."""

    def revive(self) -> None:
        """Posts HotkeysDied, so that the cycle, which knows what to listen for, starts it again."""


class Recorder(Protocol):
    """A microphone."""

    def start(self, take: int, sink: Sink) -> None:
        """Begin take ``take``, with what was heard just before if the stream is warm.

        Posts RecordingBegan with the first samples, or Failed with a MicrophoneError.
        """

    def stop(self, take: int) -> None:
        """End take ``take`` as soon as speech has ended (0.4 s at the latest). Posts RecordingEnded."""

    def cancel(self, take: int) -> None:
        """End take ``take`` now; its sink gets nothing more. Posts RecordingEnded."""

    def close(self, timeout_s: float) -> None:
        """Give the device back. Waits; called at exit."""


class Transcriber(Protocol):
    """The speech engine, working on a thread of its own."""

    def begin(self, take: int, language: str, context: tuple[str, ...]) -> None:
        """Open take ``take``. Language "" is automatic; loads the model if it is not loaded.

        ``context`` are the user's words, in the order in which they matter.
        """

    def feed(self, take: int, block: Samples) -> None:
        """Hand over the next block of take ``take``. Any thread; never blocks; keeps the array."""

    def finish(self, take: int) -> None:
        """No more blocks will come. Transcribed or Failed follows, in the order of the takes."""

    def cancel(self, take: int) -> None:
        """Give up take ``take``; nothing more is posted for it."""

    def use_model(self, name: str) -> None:
        """Load model ``name`` behind the present one. Posts ModelLoading, then ModelReady or ModelFailed."""

    def close(self, timeout_s: float) -> None:
        """End the thread and give the memory back. Waits; called at exit."""


class Method(enum.StrEnum):
    """How text gets into a window."""

    TYPE = "type"
    PASTE = "paste"
    COPY = "copy"
    NONE = "none"


class Live(enum.StrEnum):
    """How much is done while the user still speaks, from most to least."""

    FULL = "full"
    FINAL_WINDOWS_ONLY = "final_windows_only"  # no drafts, hence no previews
    OFF = "off"


class Submit(enum.StrEnum):
    """The key pressed after the text."""

    OFF = "off"
    ENTER = "enter"
    CTRL_ENTER = "ctrl+enter"
    SUPER_ENTER = "super+enter"


@dataclass(frozen=True, slots=True)
class Target:
    """A window that had the focus. ``window`` is the system's own handle, 0 if unknown."""

    window: int = 0
    application: str = ""  # its class or executable, for the history and the spacing between takes


class Inserter(Protocol):
    """Puts text where the user's cursor is, on a thread of its own."""

    @property
    def thread(self) -> Watched:
        """That thread."""

    @property
    def clipboard_thread(self) -> Watched | None:
        """The thread of its clipboard, if that has one of its own."""

    def focused(self) -> Target:
        """The window that has the focus now. May wait for the desktop, for ever if that hangs."""

    def prepare(self, method: Method) -> None:
        """A take has begun whose text will be inserted by ``method``: do now what would take time then."""

    def insert(self, take: int, text: str, *, target: Target | None, method: Method, submit: Submit) -> None:
        """Put ``text`` into the focused window, trying ``method`` first and falling through to the next.

        Posts Delivered. With a ``target`` that has lost the focus, nothing is inserted and Delivered
        says HELD; ``target=None`` means "wherever the focus is".
        """

    def copy(self, text: str) -> None:
        """Put ``text`` on the clipboard, for the user to paste. May wait for the desktop.

        Raises:
            InsertError: There is no clipboard to be had.
        """

    def close(self, timeout_s: float) -> None:
        """End the thread after what is under way. Waits; called at exit."""


class Cues(Protocol):
    """Short sounds that tell without a look."""

    def started(self) -> None:
        """A take began to record."""

    def stopped(self) -> None:
        """A take ended."""


class History(Protocol):
    """What was said, on disk from its first block, by a thread of its own.

    Nothing here raises, waits for the disk, or matters to the take: what goes wrong is told once by
    ``Failed(0, error)``, and what could not be written is written when it can be. What is said of a
    take that the history does not keep (one begun in private) is ignored.

    The order for a take: begin, feed ..., complete, then one of done, failed, cancelled; after done:
    delivering, then delivered. A take may be cancelled at any time, and failed instead of complete.
    """

    def begin(self, take: int, *, language: str = "", model: str = "") -> None:
        """Take ``take`` begins. ``language`` as asked for, "" is automatic. Posts Kept, unless in private."""

    def feed(self, take: int, block: Samples) -> None:
        """The next block of take ``take``. Called on the microphone's thread; keeps the array."""

    def complete(self, take: int) -> None:
        """The recording has ended; the text is awaited."""

    def done(
        self, take: int, text: str, *, language: str = "", model: str = "", application: str = ""
    ) -> None:
        """The text as it is to be delivered; "" if nobody spoke."""

    def failed(self, take: int, title: str) -> None:
        """There is no text, because of what ``title`` says. Of a take that is DONE: it keeps its text."""

    def cancelled(self, take: int) -> None:
        """The user gave it up. A replay that is given up leaves its entry as it was."""

    def delivering(self, take: int) -> None:
        """The insertion is about to begin: from now on until ``delivered`` nobody knows where it is."""

    def delivered(self, take: int, how: Delivery) -> None:
        """It was seen to arrive where ``how`` says. A take that is HELD counts as not delivered.

        Any thread: also the one that copies.
        """

    def dropped(self, take: int) -> None:
        """The user does not want the (held) text any more."""

    def adopt(self, take: int, entry: int) -> None:
        """From now on take ``take`` means entry ``entry``: a text from before that is offered again."""

    def replay(self, take: int, entry: int, sink: Sink) -> None:
        """Adopt ``entry`` as take ``take`` and hand its sound to ``sink``, to be transcribed (again).

        ``sink`` is called on a thread of the history's own. Posts Replayed after the last block, or
        Failed with this take's number if there is no sound.
        """

    def set_private(self, is_private: bool) -> None:
        """Keep nothing, not even until delivery, of the takes that begin while this is on."""

    def close(self, timeout_s: float) -> None:
        """Write what is left and end the thread. Waits; called at exit. Safe to call twice."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How takes are begun, ended and delivered. Taken as they are at each event, not at the take's start."""

    hotkeys: tuple[Hotkey, ...] = ()
    mode: Mode = Mode.AUTO
    limits: Limits = field(default_factory=Limits)
    language: str = ""  # English name; "" is automatic
    context: tuple[str, ...] = ()  # the user's words; the model reads as many as fit
    method: Method = Method.TYPE
    submit: Submit = Submit.OFF
    max_take_s: float = 900.0
    silence_s: float = 20.0  # ends takes that no key holds and no double tap locked; 0: never
    is_private: bool = False  # the history is paused
    text: TextRules = field(default_factory=TextRules)


class EntryState(enum.StrEnum):
    """How far the history saw a take come."""

    RECORDING = "recording"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DeliveryStatus(enum.StrEnum):
    """What is known of where a text went."""

    NOWHERE = ""
    BEGUN = "begun"  # its insertion began, and how it ended was not seen: it may stand in the window
    TYPED = "typed"
    PASTED = "pasted"
    COPIED = "copied"
    HELD = "held"  # it waits for its window
    KEPT = "kept"  # the user wants texts nowhere but in the history
    DROPPED = "dropped"  # the user let go of it
    PRINTED = "printed"  # written by the command line

    @property
    def is_settled(self) -> bool:
        """Whether the user has the text, or does not want it: it need not be offered again."""
        return self not in {DeliveryStatus.NOWHERE, DeliveryStatus.BEGUN, DeliveryStatus.HELD}


class Keep(enum.StrEnum):
    """What stays of a take once its text was delivered."""

    AUDIO_AND_TEXT = "audio_and_text"
    TEXT = "text"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Entry:
    """One take in the history."""

    id: int
    created_s: float  # seconds since 1970 in UTC, by a clock that may have been set back: order by ``id``
    state: EntryState
    duration_s: float = 0.0
    text: str = field(default="", repr=False)
    language: str = ""  # English name: what was found out, or what was asked for
    model: str = ""
    application: str = ""
    whereabouts: DeliveryStatus = DeliveryStatus.NOWHERE
    error: str = ""  # the title of what went wrong
    is_starred: bool = False
    has_audio: bool = False

    @property
    def is_undelivered(self) -> bool:
        """Whether there is a text that the user may never have got."""
        return self.state is EntryState.DONE and bool(self.text) and not self.whereabouts.is_settled
