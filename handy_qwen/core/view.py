"""What the tray, the overlay and the windows show, and what they may ask for.

The controller hands a new ``View`` to its listener whenever something in it has changed; the UI carries it
over to its own thread. The History window gets a new ``HistoryPage`` in the same way after every query and
every change. Each is complete: the last one is all that is needed. They hold what the user said, so they are
never logged.

Times are seconds of ``time.monotonic()``.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from handy_qwen.core.models import Problem
from handy_qwen.core.types import (
    Entry,
    EntryState,
    Hotkey,
    KeyOffer,
    KeyPermission,
    Method,
    Mode,
    OnCaptured,
    Overlay,
)
from handy_qwen.errors import HandyError
from handy_qwen.message import Message

MICROPHONE = "recording"
"""The subject of the notice that there is nothing to record with."""
HOTKEYS = "hotkeys"
"""The subject of notices about the hotkeys as a whole."""
CLIPBOARD = "clipboard"
"""The subject of the notice that a text is there which may not have arrived in its window."""
ESCAPE = "Esc"
SETTINGS = "settings"
"""The subject of notices about the settings file. Dictation works in spite of them, with other settings."""


class Phase(enum.Enum):
    """What the icon shows. Of several that hold at once, the first in this order."""

    RECORDING = enum.auto()
    TRANSCRIBING = enum.auto()  # no microphone open; one or more takes wait for their text
    LOADING = enum.auto()  # the model is being loaded, and no take waits for it
    PROBLEM = enum.auto()  # dictation does not work; a lasting notice says why
    IDLE = enum.auto()


class Window(enum.Enum):
    """The windows that can be opened, by the command that opens them."""

    MAIN = "show"  # everything the tray's menu offers, for desktops without a tray
    MODELS = "models"
    HISTORY = "history"
    SETUP = "setup"
    CORRECT = "correct"
    SETTINGS = "settings"
    HELP = "help"
    FILES = "files"


class NoticeKind(enum.Enum):
    """What a notice is about, for its icon and color."""

    INFO = enum.auto()  # nothing is wrong: "Handy Qwen is running", "Cancelled"
    NO_SPEECH = enum.auto()  # the take held no speech
    DEAD_MICROPHONE = enum.auto()  # every sample was zero: muted or unplugged
    MICROPHONE_LOST = enum.auto()  # the take ended early, or went on with another device
    COPIED = enum.auto()  # the text is on the clipboard instead of in the window
    HELD = enum.auto()  # another window has the focus: the text waits (see ``View.held``)
    FAILED = enum.auto()  # an error: ``hint`` says what to do


class Remedy(enum.Enum):
    """What a click on a notice does: open a window, or what the menu can do as well."""

    MODELS = enum.auto()
    SETTINGS = enum.auto()
    HISTORY = enum.auto()
    FILES = enum.auto()
    PASTE = enum.auto()
    COPY = enum.auto()
    RESTORE = enum.auto()
    RETRY = enum.auto()


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to the user. ``number`` grows: a higher one has not been shown yet."""

    number: int
    kind: NoticeKind
    title: Message
    hint: Message = Message()
    is_lasting: bool = False  # stays until its cause is gone; others leave ``View`` after some seconds
    subject: str = ""  # what a lasting one is about; of those about the same only the newest stays
    until_s: float = math.inf  # when it leaves ``View``, also if its cause is not gone
    news_until_s: float = 0.0  # of a lasting one that somebody has run into: until when it is news again
    take: int = 0  # once the history has this take ...
    kept_hint: Message = Message()  # ... the hint becomes this one
    remedy: Remedy | None = None  # what a click on it does, if ``View.can`` still do that

    @property
    def is_news(self) -> bool:
        """Whether the user has just run into it, however long it has been known."""
        return not self.is_lasting or self.news_until_s > 0


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """An entry of the model menu."""

    name: str  # the value of the setting ``model``
    title: str  # for people


@dataclass(frozen=True, slots=True)
class Choices:
    """What the menus offer and what is chosen now; from the settings, the model and the devices."""

    model: str = ""  # the name of the one in use; "" before one is installed
    is_model_automatic: bool = False  # it is in use because it is the first of ``models``
    models: tuple[ModelChoice, ...] = ()
    is_demo_only: bool = False  # there is none but the one that ships with the program
    language: str = ""  # English name; "" is automatic
    languages: tuple[str, ...] = ()  # English names of all the model knows, in alphabetical order
    detected_languages: tuple[str, ...] = ()  # which automatic means; (): all
    recent_languages: tuple[str, ...] = ()  # the last ones chosen, newest first
    microphone: str = ""  # device name of the one wanted most; "" is the system's default
    microphone_order: tuple[str, ...] = ()  # all that are wanted, whether they are connected or not
    microphones: tuple[str, ...] = ()  # those that are connected
    spared_microphones: tuple[str, ...] = ()  # headsets that play, and are used only if there is no other
    default_microphone: str = ""  # the one of them that the system uses unless told otherwise
    method: Method = Method.TYPE  # the one in use
    automatic_method: Method = Method.TYPE  # what suits this desktop
    overlay: Overlay = Overlay.BOTTOM
    chords: tuple[str, ...] = ()  # the hotkeys as the settings have them
    hotkeys: tuple[str, ...] = ()  # and each worded for people: "Right Ctrl", "Ctrl+Alt+D"; in a view those
    # that the desktop has assigned instead, "" where it has none
    mode: Mode = Mode.AUTO
    is_private: bool = False  # the history is paused: nothing is kept
    is_autostarted: bool = False  # the program starts when the user logs in


@dataclass(frozen=True, slots=True)
class View:
    """All that tray and overlay show."""

    phase: Phase = Phase.LOADING
    is_loading: bool = False  # the model is being loaded, whatever the phase: texts come later
    is_listening: bool = False  # the hotkeys of the settings are listened for by now, or known not to work
    take: int = 0  # the take that the overlay is about; 0: none
    began_s: float | None = None  # when the present recording began; None while nothing is recorded
    is_rehearsing: bool = False  # hotkeys are only shown, and begin nothing
    is_key_down: bool = False  # a hotkey is held down, whatever comes of it
    keys_down: frozenset[int] = frozenset()  # which ones, by their places in the settings
    desktop_keys: tuple[str, ...] | None = None  # what the desktop assigned to each, in its words, "" if
    # nothing; None: the keys are those of the settings
    cancel_key: str = ESCAPE  # what cancels a take, worded for people; "" if no key does
    key_offer: KeyOffer | None = None  # what the desktop could bind, where it gives programs no keys
    key_permission: KeyPermission = KeyPermission.NOT_NEEDED  # to insert texts
    is_hands_free: bool = False  # the recording goes on after the key came up ...
    is_locked: bool = False  # ... also when nothing is said for long
    finish_keys: tuple[str, ...] = ()  # the hotkeys that end the present recording, worded for people
    device: str = ""  # the microphone of the present recording; "" until its first samples
    language: str = ""  # of the present take: that of its hotkey or of the settings; "" is automatic
    committed: str = field(default="", repr=False)  # live text of the take that won't change any more
    tentative: str = field(default="", repr=False)  # and what follows it, which may
    waiting: int = 0  # takes whose recording is over and whose text is not there yet
    notices: tuple[Notice, ...] = ()  # those to be shown now, oldest first
    can_retry: bool = False  # something failed, or was said, and its sound is kept
    can_bring_back: bool = False  # a take was cancelled, and its sound is kept
    held: tuple[str, ...] = field(default=(), repr=False)  # texts held back, oldest first: the focus moved
    recent: tuple[str, ...] = field(default=(), repr=False)  # the last texts delivered, newest first
    application: str = ""  # what the last dictation was for, as the desktop calls it
    heard: tuple[str, str] = field(default=("", ""), repr=False)  # what the model wrote last, and in which
    # language, before anything was done to it; nothing while the history is paused
    choices: Choices = field(default_factory=Choices)

    def can(self, remedy: Remedy | None) -> bool:
        """Whether there is anything to carry ``remedy`` out on."""
        match remedy:
            case None:
                return False
            case Remedy.PASTE | Remedy.COPY:
                return bool(self.held or self.recent)
            case Remedy.RESTORE:
                return self.can_bring_back
            case Remedy.RETRY:
                return self.can_retry
            case _:
                return True


ViewListener = Callable[[View], None]
"""Shows a view. Called on the controller's thread; must neither block nor raise."""

Meter = Callable[[], float]
"""The level of the last tenth of a second, in dBFS from -100 to 0, for the UI to poll. Any thread."""


class Commands(Protocol):
    """What the menus ask for besides the ``Requested`` events they post.

    Called on Qt's thread; every method returns at once. The answer is a new ``View``. All choices are
    written to the settings file.
    """

    def change(self, **changes: object) -> None:
        """Change settings, by their names; see ``settings.fields.Settings``."""

    def capture_hotkey(self, on_captured: OnCaptured) -> Callable[[], None]:
        """Hear the keys of a new hotkey. No hotkey dictates meanwhile.

        Args:
            on_captured: Hears each step, on any thread. The last one comes always.

        Returns:
            Ends it, if it is not over yet.
        """

    def configure_hotkeys(self, bind: bool | None) -> None:
        """Have the desktop show its settings of the hotkeys, where it assigns their keys.

        With ``bind`` not None: have it bind the key of ``View.key_offer`` itself, or not any more.
        """

    def allow_keys(self) -> None:
        """Have the desktop ask the user whether the program may press keys, where it must be asked."""

    def use_hotkeys(
        self, hotkeys: Sequence[Hotkey], place: int | None, on_used: Callable[[HandyError | None], None]
    ) -> None:
        """Dictate with ``hotkeys`` from now on; the keys of the one at ``place`` are new, None: no keys are.

        ``on_used`` is called with None, or with the reason why that one cannot be; then nothing changes.
        On any thread.
        """

    def repair_settings(self) -> None:
        """Make a settings file that is broken readable again: its faulty lines become comments."""

    def fix_key(self, place: tuple[str | int, ...], *, is_meant: bool) -> None:
        """Call the key at ``place`` of the settings file what it was meant to be; else make it a comment."""

    def use_hotkey(self, chord: str, on_refused: Callable[[HandyError], None]) -> None:
        """Dictate with ``chord`` ("Right Ctrl", "F9") instead of the first hotkey.

        If that is not possible nothing changes, and ``on_refused`` is called with the reason, on any thread.
        """

    def play_sounds(self) -> None:
        """Play the sounds of start and stop, to hear what they are like."""

    def use_microphone(self, name: str) -> None:
        """Prefer the microphone ``name`` to all others, whose order stays."""

    def use_autostart(self, is_on: bool) -> None:
        """Start the program when the user logs in, or not."""

    def copy_text(self, text: str) -> None:
        """Put ``text`` on the clipboard."""

    def refresh_choices(self) -> None:
        """Look for microphones and models again: the menu is about to open."""

    def open_window(self, window: Window) -> None:
        """Bring ``window`` to the front."""

    def open_settings_file(self) -> None:
        """Open the settings file in the user's editor; where there is none, show its folder."""

    def quit(self, *, and_again: bool = False) -> None:
        """End the program in an orderly way, and start it again if wanted."""


class Voice(enum.Enum):
    """How a voice arrives."""

    UNKNOWN = enum.auto()  # nothing was said yet
    SILENT = enum.auto()  # digital silence: the microphone is muted
    QUIET = enum.auto()
    GOOD = enum.auto()
    CLIPPING = enum.auto()


VOICE_DB = -40.0
"""What a voice reaches with a microphone that is good enough, in dBFS; see ``Meter``."""


class Doing(enum.Enum):
    """What is done with the microphone while it is tried."""

    LISTENING = enum.auto()
    RECORDING = enum.auto()
    PLAYING = enum.auto()


@dataclass(frozen=True, slots=True)
class MicrophoneTest:
    """What is heard while microphones are chosen. ``device`` is "" while nothing is."""

    device: str = ""
    voice: Voice = Voice.UNKNOWN
    doing: Doing = Doing.LISTENING
    has_recording: bool = False
    problem: Problem | None = None


MicrophoneListener = Callable[[MicrophoneTest], None]
"""Shows it. Called on any thread; must neither block nor raise."""


class MicrophoneCommands(Protocol):
    """What the page on which microphones are chosen asks for. Called on Qt's thread; all return at once.

    The level is that of ``Meter``. Nothing that is recorded here is written to the disk.
    """

    def listen(self, show: MicrophoneListener) -> None:
        """Open the microphone that a dictation would use, until ``leave``. A dictation comes first."""

    def leave(self) -> None:
        """Close the microphone, end what is played and forget what was recorded."""

    def record(self) -> None:
        """Record some seconds and play them back; refused in words while somebody dictates."""

    def play(self) -> None:
        """Play back again what was recorded last."""

    def stop(self) -> None:
        """End the recording, and play what there is of it; or end the playing."""


class HistoryFilter(enum.Enum):
    """Which entries are to be seen."""

    ALL = enum.auto()
    STARRED = enum.auto()
    OPEN = enum.auto()  # what the user may still want to have: not delivered, failed, cancelled

    def admits(self, entry: Entry) -> bool:
        """Whether ``entry`` is one of them."""
        open_states = {EntryState.FAILED, EntryState.CANCELLED, EntryState.WAITING}
        match self:
            case HistoryFilter.ALL:
                return not entry.is_blank
            case HistoryFilter.STARRED:
                return entry.is_starred
            case HistoryFilter.OPEN:
                return entry.is_undelivered or (entry.state in open_states and not entry.is_blank)


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What is to be seen: the newest ``most`` entries that hold all ``words``."""

    words: str = field(default="", repr=False)
    only: HistoryFilter = HistoryFilter.ALL
    most: int = 200


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """The answer to a query."""

    query: HistoryQuery = field(default_factory=HistoryQuery)
    entries: tuple[Entry, ...] = ()  # newest first
    has_more: bool = False
    retried: frozenset[int] = frozenset()  # ids of those being transcribed again
    played: int = 0  # id of the one whose sound is being played; 0: none
    deleted: int = 0  # how many entries an undo would bring back
    exported: Path | None = None  # the file that ``export`` wrote
    problem: Problem | None = None


HistoryListener = Callable[[HistoryPage], None]
"""Shows a page. Called on any thread; must neither block nor raise."""


class HistoryCommands(Protocol):
    """What the History window asks for. Called on Qt's thread; every method returns at once.

    Deleting takes two steps. What is deleted is out of sight at once and can be brought back for a while; it
    is gone from the disk when the window is closed, when the program ends, or when that while is over.
    """

    def look(self, query: HistoryQuery) -> None:
        """Answer ``query`` now, and again after every change by anybody, until ``leave``."""

    def copy(self, entry: Entry) -> None:
        """Put the text on the clipboard."""

    def insert(self, entry: Entry, *, is_here: bool) -> None:
        """Insert the text into the focused window, or let it wait for one that the user will choose."""

    def retry(self, entry: Entry, *, model: str = "", language: str | None = None) -> None:
        """Transcribe the sound again, also of what was cancelled.

        Args:
            entry: Whose sound.
            model: "" is the one in use.
            language: "" is automatic, None the one it was recorded in.
        """

    def correct(self, before: str, after: str, number: int = 0) -> None:
        """The user has corrected the text ``before``: of the entry ``number``, 0: the newest that has it.

        The entry keeps both; the same the other way round undoes it.
        """

    def play(self, entry: Entry) -> None:
        """Play the sound, in place of what is being played. It stops when something is recorded."""

    def stop_playing(self) -> None:
        """Play no more."""

    def star(self, ids: Sequence[int], *, is_starred: bool) -> None:
        """Exempt entries from automatic deletion, or no longer."""

    def delete(self, ids: Sequence[int]) -> None:
        """Take entries out of sight."""

    def undo_delete(self) -> None:
        """Bring back what was deleted and is not gone yet."""

    def leave(self) -> None:
        """The window is closed: answer no more, and delete for good what was deleted."""

    def export(self, target: Path, ids: Sequence[int] | None) -> None:
        """Write entries (None: all) to ``target``; the extension says how: .txt, .csv or .jsonl."""
