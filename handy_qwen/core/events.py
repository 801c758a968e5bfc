"""Events of the dictation cycle. Adapters post these from their own threads.

Every event that belongs to a take carries its number, which identifies late ones. Times are seconds of
``time.monotonic()``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from handy_qwen.core.types import (
    Delivery,
    Entry,
    Hotkey,
    KeyOffer,
    KeyPermission,
    Rules,
    Target,
    TextAround,
)
from handy_qwen.core.view import Choices, Remedy
from handy_qwen.errors import HandyError
from handy_qwen.message import Message

# --- hotkeys -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyDown:
    """Hotkey number ``hotkey`` (its index in the settings) went down. Auto-repeat is left out.

    ``is_injected``: another program holds it (a remote desktop, an on-screen keyboard), so releasing its
    modifiers releases the hotkey; a real keyboard is unaffected.
    """

    hotkey: int
    at_s: float
    is_injected: bool = False


@dataclass(frozen=True, slots=True)
class KeyUp:
    """Hotkey ``hotkey`` came up: any member of its chord was released."""

    hotkey: int
    at_s: float


@dataclass(frozen=True, slots=True)
class KeyJoined:
    """Another key went down while lone-modifier hotkey ``hotkey`` was held: it was a shortcut."""

    hotkey: int
    at_s: float


@dataclass(frozen=True, slots=True)
class LockPressed:
    """The key that locks a take went down while a hotkey was held, and the lock was watched."""

    at_s: float


@dataclass(frozen=True, slots=True)
class EscapePressed:
    """The cancel key went down while it was watched."""

    at_s: float


@dataclass(frozen=True, slots=True)
class HotkeysSet:
    """ListenFor was carried out: these hotkeys are active."""

    hotkeys: tuple[Hotkey, ...]


@dataclass(frozen=True, slots=True)
class HotkeysFailed:
    """``asked`` could not be registered; None: the listener died and could not be restarted."""

    error: HandyError
    asked: tuple[Hotkey, ...] | None = None


@dataclass(frozen=True, slots=True)
class HotkeysAssigned:
    """The desktop has assigned ``keys`` to the hotkeys, in its own wording; "" for none.

    ``cancel`` is the key that cancels a take; ``offer`` is set where the desktop can bind a key itself.
    """

    keys: tuple[str, ...]
    cancel: str = ""
    offer: KeyOffer | None = None


@dataclass(frozen=True, slots=True)
class KeysPermitted:
    """Whether the desktop lets the program press keys: posted at startup and after every change."""

    permission: KeyPermission


@dataclass(frozen=True, slots=True)
class HotkeysDied:
    """The listener's thread has ended: listen again."""


# --- the microphone ----------------------------------------------------------------------------------


class EndCause(enum.Enum):
    """Why a recording ended."""

    STOPPED = enum.auto()
    CANCELLED = enum.auto()
    DEVICE_LOST = enum.auto()


@dataclass(frozen=True, slots=True)
class RecordingBegan:
    """The first samples of take ``take`` have arrived from ``device``."""

    take: int
    device: str


@dataclass(frozen=True, slots=True)
class RecordingEnded:
    """The last block of take ``take`` has been handed to its sink.

    ``is_dead``: every sample was exactly zero, as from a muted microphone, not a quiet room.
    """

    take: int
    cause: EndCause
    duration_s: float
    is_dead: bool


@dataclass(frozen=True, slots=True)
class MicrophoneChanged:
    """Take ``take`` continues with ``device``: the last one was lost, or ``unresponsive`` did not open."""

    take: int
    device: str
    unresponsive: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """Something louder than the background was heard in take ``take``. At most twice a second."""

    take: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Muted:
    """The microphone of take ``take`` has delivered digital silence for a while, or sound again."""

    take: int
    is_muted: bool


# --- the engine --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelLoading:
    """The model ``name`` is being loaded."""

    name: str


@dataclass(frozen=True, slots=True)
class ModelReady:
    """The model ``name`` is loaded; ``languages`` are the English names of those it knows."""

    name: str
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelFailed:
    """The model ``name`` could not be loaded. The previous one stays in use."""

    name: str
    error: HandyError


@dataclass(frozen=True, slots=True)
class ModelUnloaded:
    """The model was idle and its memory was freed. The next take loads it again."""


@dataclass(frozen=True, slots=True)
class Previewed:
    """The text of take ``take`` so far. ``committed`` only grows; ``tentative`` may change."""

    take: int
    committed: str = field(repr=False)
    tentative: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Progressed:
    """The engine is still working on take ``take``. At most once a second."""

    take: int


@dataclass(frozen=True, slots=True)
class Transcribed:
    """The engine has finished take ``take``. An empty ``text`` means no speech.

    ``is_truncated``: words may be missing where the text has […]. ``values``: those of the placeholders in
    the text, see ``text.PLACEHOLDERS``; None: not looked up.
    """

    take: int
    text: str = field(repr=False)
    language: str  # English name, "" if unknown
    is_truncated: bool
    values: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """An effect of take ``take`` failed; 0: something else did."""

    take: int
    error: HandyError


# --- insertion ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FocusNoted:
    """``target`` had the focus when take ``take`` began.

    ``touched_s``: when the user last pressed a key or mouse button other than a hotkey; None: unknown.
    """

    take: int
    target: Target
    touched_s: float | None = None


@dataclass(frozen=True, slots=True)
class TextAroundNoted:
    """``around`` was read at ``seen_s``, after the release, where the text of take ``take`` will go."""

    take: int
    around: TextAround
    seen_s: float


@dataclass(frozen=True, slots=True)
class Touched:
    """The insertion of take ``take`` begins; the user last pressed a key at ``touched_s``: see FocusNoted."""

    take: int
    touched_s: float | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """The text of take ``take`` was delivered as ``how``; ``note`` tells the user if that is not as asked.

    With ``rest``, the first part is in the window and ``how`` is about the rest: COPIED or HELD. HELD with
    ``may_have_arrived``: it may be in the window already, so only the user inserts it again (also if COPIED).
    ``has_erased``: the text before the cursor was deleted as requested.
    """

    take: int
    how: Delivery
    note: Message = Message()
    rest: str = field(default="", repr=False)
    may_have_arrived: bool = False
    has_erased: bool = False


@dataclass(frozen=True, slots=True)
class Copied:
    """Copy was carried out: the held text of ``takes`` is on the clipboard."""

    takes: tuple[int, ...] = ()


# --- the history -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recovered:
    """What earlier sessions left behind, oldest first; posted once at startup, even if empty.

    ``unfinished`` have audio but no text: the program ended before. ``undelivered`` have a text of the last
    week that the user may not have received. Each is reported at every start until it is settled; an
    unfinished one during whose replay the program ended twice becomes FAILED.
    """

    unfinished: tuple[Entry, ...]
    undelivered: tuple[Entry, ...]
    recent: tuple[Entry, ...] = ()  # the latest texts, newest first, for the menu


@dataclass(frozen=True, slots=True)
class Kept:
    """Take ``take`` is stored as ``entry``, from which it can be replayed."""

    take: int
    entry: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """The last block of take ``take``, read from the history, was passed to its sink."""

    take: int
    duration_s: float


# --- the user ----------------------------------------------------------------------------------------


class Request(enum.Enum):
    """What the user can request without a hotkey."""

    START = enum.auto()
    STOP = enum.auto()
    TOGGLE = enum.auto()
    CANCEL = enum.auto()
    PASTE_AGAIN = enum.auto()
    COPY_LAST = enum.auto()
    DROP_HELD = enum.auto()
    RETRY = enum.auto()  # transcribe again what failed last, or else the last take
    BRING_BACK = enum.auto()  # transcribe the take that was cancelled last
    REHEARSE = enum.auto()  # hotkeys are only shown from now on, and begin nothing (View.is_key_down)
    PERFORM = enum.auto()  # hotkeys dictate again
    SHOW = enum.auto()  # the program was started by hand: say that it is running, and how to use it


REQUESTS: Mapping[Remedy | None, Request] = {
    Remedy.PASTE: Request.PASTE_AGAIN,
    Remedy.COPY: Request.COPY_LAST,
    Remedy.RESTORE: Request.BRING_BACK,
    Remedy.RETRY: Request.RETRY,
}
"""What a click on a notice requests; the other remedies open a window."""


@dataclass(frozen=True, slots=True)
class Requested:
    """The user requested ``what`` through the tray, a window or the command line."""

    what: Request
    at_s: float


@dataclass(frozen=True, slots=True)
class Recalled:
    """The user wants ``entry`` of the history again: its text, or its audio transcribed again.

    The audio is transcribed in the entry's language, "" is automatic. The text is inserted into the focused
    window if ``is_here``; otherwise it is held.
    """

    entry: Entry
    is_sound: bool
    is_here: bool = False


@dataclass(frozen=True, slots=True)
class Corrected:
    """The user corrected a text: see ``corrections.corrected``."""

    before: str = field(repr=False)
    after: str = field(repr=False)


# --- the program -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Configured:
    """The current settings, models and devices. The first one activates the hotkeys."""

    rules: Rules
    choices: Choices


@dataclass(frozen=True, slots=True)
class Noted:
    """A notice that is not a failure."""

    title: Message
    hint: Message
    remedy: Remedy | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """The part of the program called ``subject`` does not work; None: it works again."""

    subject: str
    error: HandyError | None


@dataclass(frozen=True, slots=True)
class Ticked:
    """The requested wake-up time has come."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Slept:
    """The machine slept for ``for_s`` seconds that ``time.monotonic()`` did not count."""

    for_s: float


KeyEvent = KeyDown | KeyUp | KeyJoined | LockPressed | EscapePressed
HotkeyEvent = KeyEvent | HotkeysSet | HotkeysFailed | HotkeysAssigned | HotkeysDied
MicrophoneEvent = RecordingBegan | RecordingEnded | MicrophoneChanged | Heard | Muted
ModelEvent = ModelLoading | ModelReady | ModelFailed | ModelUnloaded
EngineEvent = ModelEvent | Previewed | Progressed | Transcribed | Failed
InsertionEvent = FocusNoted | TextAroundNoted | Touched | Delivered | Copied | KeysPermitted
HistoryEvent = Recovered | Kept | Replayed
UserEvent = Requested | Recalled | Corrected
ProgramEvent = Configured | Noted | Trouble | Ticked | Slept
Event = HotkeyEvent | MicrophoneEvent | EngineEvent | InsertionEvent | HistoryEvent | UserEvent | ProgramEvent
