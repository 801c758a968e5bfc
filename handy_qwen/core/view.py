"""What the tray, the overlay and the windows show, and the commands they offer.

The controller passes a new ``View`` to its listener after every change; the UI moves it to its own thread.
The History window gets a new ``HistoryPage`` in the same way after every query and change. Each one is
complete. They hold what the user said, so they are never logged.

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
"""The subject of the notice that there is no microphone."""
HOTKEYS = "hotkeys"
"""The subject of notices about the hotkeys as a whole."""
CLIPBOARD = "clipboard"
"""The subject of the notice that a text may not have arrived in its window."""
ESCAPE = "Esc"
SETTINGS = "settings"
"""The subject of notices about the settings file. Dictation works nevertheless, with other settings."""


class Phase(enum.Enum):
    """The state that the icon shows: the first one that applies."""

    RECORDING = enum.auto()
    TRANSCRIBING = enum.auto()  # microphone closed; one or more takes wait for their text
    LOADING = enum.auto()  # the model is loading, and no take waits for it
    PROBLEM = enum.auto()  # dictation does not work; a lasting notice says why
    IDLE = enum.auto()


class Window(enum.Enum):
    """The windows that can be opened, by the command that opens them."""

    MAIN = "show"  # everything the tray menu offers, for desktops without a tray
    MODELS = "models"
    HISTORY = "history"
    SETUP = "setup"
    CORRECT = "correct"
    SETTINGS = "settings"
    HELP = "help"
    FILES = "files"


class NoticeKind(enum.Enum):
    """The kind of a notice, for its icon and color."""

    INFO = enum.auto()  # nothing is wrong: "Handy Qwen is running", "Cancelled"
    NO_SPEECH = enum.auto()  # the take held no speech
    DEAD_MICROPHONE = enum.auto()  # every sample was zero: muted or unplugged
    MICROPHONE_LOST = enum.auto()  # the take ended early, or went on with another device
    COPIED = enum.auto()  # the text is on the clipboard instead of in the window
    HELD = enum.auto()  # another window has the focus: the text is held (see ``View.held``)
    FAILED = enum.auto()  # an error: ``hint`` says what to do


class Remedy(enum.Enum):
    """What a click on a notice does: open a window, or an action of the menu."""

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
    """A message to the user. ``number`` grows: a higher one has not been shown yet."""

    number: int
    kind: NoticeKind
    title: Message
    hint: Message = Message()
    is_lasting: bool = False  # stays until its cause is gone; others leave ``View`` after some seconds
    subject: str = ""  # of a lasting one; of those with the same subject only the newest stays
    until_s: float = math.inf  # when it leaves ``View`` even if its cause persists
    news_until_s: float = 0.0  # when a lasting one the user has run into stops being news
    take: int = 0  # once the history has this take ...
    kept_hint: Message = Message()  # ... the hint becomes this one
    remedy: Remedy | None = None  # what a click on it does, if ``View.can`` do that

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
    """What the menus offer and the current choice; from the settings, the model and the devices."""

    model: str = ""  # in use; "" before one is installed
    is_model_automatic: bool = False  # in use because it is the first of ``models``
    models: tuple[ModelChoice, ...] = ()
    is_demo_only: bool = False  # no other model is installed than the one that ships with the program
    language: str = ""  # English name; "" is automatic
    languages: tuple[str, ...] = ()  # English names of all the model's languages, in alphabetical order
    detected_languages: tuple[str, ...] = ()  # those that "automatic" detects; (): all
    recent_languages: tuple[str, ...] = ()  # the latest ones chosen, newest first
    microphone: str = ""  # device name of the preferred one; "" is the system's default
    microphone_order: tuple[str, ...] = ()  # all preferred ones, connected or not
    microphones: tuple[str, ...] = ()  # those that are connected
    spared_microphones: tuple[str, ...] = ()  # headsets that play sound, used only if there is no other
    default_microphone: str = ""  # the system's default among them
    method: Method = Method.TYPE  # in use
    automatic_method: Method = Method.TYPE  # the best one on this desktop
    overlay: Overlay = Overlay.BOTTOM
    chords: tuple[str, ...] = ()  # the hotkeys as configured
    hotkeys: tuple[str, ...] = ()  # and each worded for people: "Right Ctrl", "Ctrl+Alt+D"; in a view those
    # assigned by the desktop instead, "" where it has none
    mode: Mode = Mode.AUTO
    is_private: bool = False  # the history is paused
    is_autostarted: bool = False  # the program starts at login


@dataclass(frozen=True, slots=True)
class View:
    """All that tray and overlay show."""

    phase: Phase = Phase.LOADING
    is_loading: bool = False  # the model is loading, whatever the phase: texts are delayed
    is_listening: bool = False  # the hotkeys are active, or known not to work
    take: int = 0  # the take that the overlay is about; 0: none
    began_s: float | None = None  # start of the current recording; None while nothing is recorded
    is_rehearsing: bool = False  # hotkeys are only shown, and begin nothing
    is_key_down: bool = False  # a hotkey is held down, whether it has an effect or not
    keys_down: frozenset[int] = frozenset()  # which ones, by their position in the settings
    desktop_keys: tuple[str, ...] | None = None  # what the desktop assigned to each, in its wording, "" if
    # nothing; None: the keys are those of the settings
    cancel_key: str = ESCAPE  # cancels a take, worded for people; "" if there is none
    key_offer: KeyOffer | None = None  # what the desktop could bind where programs cannot register keys
    key_permission: KeyPermission = KeyPermission.NOT_NEEDED  # to insert texts
    is_hands_free: bool = False  # the recording continues after the key came up ...
    is_locked: bool = False  # ... and during long silence
    finish_keys: tuple[str, ...] = ()  # the hotkeys that end the current recording, worded for people
    device: str = ""  # the microphone of the current recording; "" until its first samples
    language: str = ""  # of the current take: from its hotkey or the settings; "" is automatic
    committed: str = field(default="", repr=False)  # final live text of the take
    tentative: str = field(default="", repr=False)  # and what follows it, which may change
    waiting: int = 0  # takes that are recorded and have no text yet
    notices: tuple[Notice, ...] = ()  # currently shown, oldest first
    can_retry: bool = False  # there is a failed or last take whose audio is kept
    can_bring_back: bool = False  # there is a cancelled take whose audio is kept
    held: tuple[str, ...] = field(default=(), repr=False)  # held texts, oldest first: the focus moved
    recent: tuple[str, ...] = field(default=(), repr=False)  # the last texts delivered, newest first
    application: str = ""  # target of the last dictation, as the desktop calls it
    heard: tuple[str, str] = field(default=("", ""), repr=False)  # what the model wrote last, and in which
    # language, before any processing; empty while the history is paused
    choices: Choices = field(default_factory=Choices)

    def can(self, remedy: Remedy | None) -> bool:
        """Whether ``remedy`` can be carried out."""
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
"""The level of the last tenth of a second, in dBFS from -100 to 0, polled by the UI. Any thread."""


class Commands(Protocol):
    """Commands of the menus besides the ``Requested`` events they post.

    Called on Qt's thread; every method returns at once. The result is a new ``View``. All choices are
    written to the settings file.
    """

    def change(self, **changes: object) -> None:
        """Change settings by name; see ``settings.fields.Settings``."""

    def capture_hotkey(self, on_captured: OnCaptured) -> Callable[[], None]:
        """Record the keys of a new hotkey. No hotkey dictates meanwhile.

        Args:
            on_captured: Gets each step, on any thread. The last one always comes.

        Returns:
            A function that ends it early.
        """

    def configure_hotkeys(self, bind: bool | None) -> None:
        """Have the desktop show its hotkey settings, where it assigns the keys.

        With ``bind`` not None: have it bind the key of ``View.key_offer``, or unbind it.
        """

    def allow_keys(self) -> None:
        """Have the desktop ask the user whether the program may press keys, where that is necessary."""

    def use_hotkeys(
        self, hotkeys: Sequence[Hotkey], place: int | None, on_used: Callable[[HandyError | None], None]
    ) -> None:
        """Dictate with ``hotkeys`` from now on; the one at ``place`` has new keys, None: none has.

        ``on_used`` is called with None, or with the reason why that one cannot be used; then nothing changes.
        On any thread.
        """

    def repair_settings(self) -> None:
        """Make a broken settings file readable again: faulty lines become comments."""

    def fix_key(self, place: tuple[str | int, ...], *, is_meant: bool) -> None:
        """Rename or move the unknown key at ``place`` of the settings file as meant, or comment it out."""

    def play_sounds(self) -> None:
        """Play the start and stop sounds as a preview."""

    def use_microphone(self, name: str) -> None:
        """Prefer the microphone ``name``; the order of the others stays."""

    def use_autostart(self, is_on: bool) -> None:
        """Start the program when the user logs in, or not."""

    def copy_text(self, text: str) -> None:
        """Put ``text`` on the clipboard."""

    def refresh_choices(self) -> None:
        """Rescan microphones and models: the menu is about to open."""

    def open_window(self, window: Window) -> None:
        """Bring ``window`` to the front."""

    def open_settings_file(self) -> None:
        """Open the settings file in the user's editor, or else its folder."""

    def quit(self, *, and_again: bool = False) -> None:
        """Quit in an orderly way, and restart if requested."""


class Voice(enum.Enum):
    """How well a voice is heard."""

    UNKNOWN = enum.auto()  # nothing was said yet
    SILENT = enum.auto()  # digital silence: the microphone is muted
    QUIET = enum.auto()
    GOOD = enum.auto()
    CLIPPING = enum.auto()


VOICE_DB = -40.0
"""The level a voice reaches with a good microphone, in dBFS; see ``Meter``."""


class Doing(enum.Enum):
    """What a microphone test is doing."""

    LISTENING = enum.auto()
    RECORDING = enum.auto()
    PLAYING = enum.auto()


@dataclass(frozen=True, slots=True)
class MicrophoneTest:
    """The state of the microphone test. ``device`` is "" while nothing is recorded."""

    device: str = ""
    voice: Voice = Voice.UNKNOWN
    doing: Doing = Doing.LISTENING
    has_recording: bool = False
    problem: Problem | None = None


MicrophoneListener = Callable[[MicrophoneTest], None]
"""Shows it. Called on any thread; must neither block nor raise."""


class MicrophoneCommands(Protocol):
    """Commands of the microphone page. Called on Qt's thread; all return at once.

    The level is that of ``Meter``. Nothing recorded here is written to disk.
    """

    def listen(self, show: MicrophoneListener) -> None:
        """Open the microphone that a dictation would use, until ``leave``. Dictation has priority."""

    def leave(self) -> None:
        """Close the microphone, stop playback and forget what was recorded."""

    def record(self) -> None:
        """Record some seconds and play them back; refused with a message during a dictation."""

    def play(self) -> None:
        """Play the last recording again."""

    def stop(self) -> None:
        """End the recording and play it, or stop playback."""


class HistoryFilter(enum.Enum):
    """Which entries are shown."""

    ALL = enum.auto()
    STARRED = enum.auto()
    OPEN = enum.auto()  # not delivered, failed or cancelled

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
    """The newest ``most`` entries that contain all ``words``."""

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
    played: int = 0  # id of the one being played; 0: none
    deleted: int = 0  # how many entries an undo would restore
    exported: Path | None = None  # the file that ``export`` wrote
    problem: Problem | None = None


HistoryListener = Callable[[HistoryPage], None]
"""Shows a page. Called on any thread; must neither block nor raise."""


class HistoryCommands(Protocol):
    """Commands of the History window. Called on Qt's thread; every method returns at once.

    Deleting takes two steps. Deleted entries disappear at once and can be restored for a while; they are
    deleted from disk after that, when the window is closed, or when the program ends.
    """

    def look(self, query: HistoryQuery) -> None:
        """Answer ``query`` now, and again after every change from anywhere, until ``leave``."""

    def copy(self, entry: Entry) -> None:
        """Copy the text to the clipboard."""

    def insert(self, entry: Entry, *, is_here: bool) -> None:
        """Insert the text into the focused window, or hold it for one that the user will choose."""

    def retry(self, entry: Entry, *, model: str = "", language: str | None = None) -> None:
        """Transcribe the audio again, also of a cancelled take.

        Args:
            entry: Whose audio.
            model: "" is the one in use.
            language: "" is automatic, None the one it was recorded in.
        """

    def correct(self, before: str, after: str, number: int = 0) -> None:
        """The user corrected the text ``before``: of the entry ``number``, 0: the newest that has it.

        The entry keeps both; swapping the arguments undoes it.
        """

    def play(self, entry: Entry) -> None:
        """Play the audio, replacing what is playing. Recording stops it."""

    def stop_playing(self) -> None:
        """Stop playback."""

    def star(self, ids: Sequence[int], *, is_starred: bool) -> None:
        """Exempt entries from automatic deletion, or not."""

    def delete(self, ids: Sequence[int]) -> None:
        """Hide entries, to be deleted."""

    def undo_delete(self) -> None:
        """Restore deleted entries that are not gone yet."""

    def leave(self) -> None:
        """The window is closed: stop answering, and delete the hidden entries for good."""

    def export(self, target: Path, ids: Sequence[int] | None) -> None:
        """Write entries (None: all) to ``target``; its extension sets the format: .txt, .csv or .jsonl."""
