"""Types that the dictation cycle shares with the rest of the program."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from handy_qwen.errors import HandyError

if TYPE_CHECKING:  # type hints only: core must load without numpy, the command line without ``text``
    import numpy as np
    import numpy.typing as npt

    from handy_qwen.core.text import TextRules

RATE_HZ = 16_000
"""The sample rate of all audio inside the program."""

Samples: TypeAlias = "npt.NDArray[np.float32]"
"""Mono audio. Shape (n,), float32 in [-1, 1], 16 kHz."""


@dataclass(frozen=True, slots=True)
class Hotkey:
    """A key or chord to dictate with."""

    chord: str  # "Right Ctrl", "F9", "Ctrl+Alt+D": names joined by "+"; also "ctrl_r", "f9"
    language: str = ""  # English name, or "auto" to detect it; empty: the language of the settings
    submit: Submit | None = None  # None: as in the settings


@dataclass(frozen=True, slots=True)
class Profile:
    """Settings for certain programs. What is empty, or None, is as in the settings."""

    name: str
    programs: tuple[str, ...] = ()  # as ``Target.application`` has them; see ``profiles.profile_of``
    language: str = ""  # English name, or "auto" to detect it
    method: Method | None = None
    submit: Submit | None = None
    spacing: Spacing | None = None
    words: tuple[str, ...] = field(default=(), repr=False)  # for the model, before those of the settings


class Mode(enum.StrEnum):
    """How hotkeys start and stop a take."""

    AUTO = "auto"
    HOLD = "hold"
    TOGGLE = "toggle"


class LockKey(enum.StrEnum):
    """The key that makes a take hands-free when pressed while the hotkey is held."""

    SPACE = "space"
    TAB = "tab"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Limits:
    """The time limits that distinguish gestures."""

    hold_s: float = 0.3  # a press at least this long was held, a shorter one was a tap
    double_tap_s: float = 0.35  # the longest pause between the taps of a double tap
    join_s: float = 1.0  # a take at least this old is not cancelled by a key that joins its hotkey
    bounce_s: float = 0.03  # a release followed by a press within this time is ignored


class KeyPermission(enum.Enum):
    """Whether the desktop lets this program press keys."""

    NOT_NEEDED = enum.auto()
    UNASKED = enum.auto()  # the desktop will ask the user
    GIVEN = enum.auto()
    REFUSED = enum.auto()


@dataclass(frozen=True, slots=True)
class KeyOffer:
    """A key that the desktop can bind to the program where programs cannot register keys.

    Attributes:
        where: What would be changed, for people: "~/.config/niri/config.kdl".
        lines: What would be added.
        is_bound: Whether it is bound.
    """

    where: str
    lines: tuple[str, ...]
    is_bound: bool


class CaptureStep(enum.Enum):
    """A step in recording a new hotkey. After the last four nothing more follows."""

    HOLDING = enum.auto()  # these keys are down; more may come
    NAMELESS = enum.auto()  # a key that has no name cannot be a hotkey
    CHOSEN = enum.auto()  # the keys were released
    CLEARED = enum.auto()  # Backspace alone
    OVER = enum.auto()  # Escape alone, a timeout, or the listener ended
    FAILED = enum.auto()  # the desktop does not show keys to programs; ``error`` says more


@dataclass(frozen=True, slots=True)
class Captured:
    """A step in recording the keys of a new hotkey.

    Attributes:
        step: What happened.
        keys: Worded for people: "Ctrl+Alt+…" while only modifiers are down; for CHOSEN the hotkey, as the
            settings take it ("Right Ctrl").
        error: Why it failed.
    """

    step: CaptureStep
    keys: str = ""
    error: HandyError | None = None

    @property
    def is_last(self) -> bool:
        """Whether nothing more follows."""
        return self.step not in {CaptureStep.HOLDING, CaptureStep.NAMELESS}


OnCaptured = Callable[[Captured], None]
"""Gets each step. Called on a thread of the listener; must neither block nor raise."""


class Overlay(enum.StrEnum):
    """Where the overlay is shown."""

    OFF = "off"
    TOP = "top"
    BOTTOM = "bottom"


class LiveMode(enum.StrEnum):
    """How much is transcribed while the user speaks, from most to least."""

    FULL = "full"
    FINAL_WINDOWS_ONLY = "final_windows_only"  # no drafts, hence no previews
    OFF = "off"


class Method(enum.StrEnum):
    """How text gets into a window."""

    TYPE = "type"
    PASTE = "paste"
    COPY = "copy"
    NONE = "none"


class Submit(enum.StrEnum):
    """The key pressed after the text."""

    OFF = "off"
    ENTER = "enter"
    CTRL_ENTER = "ctrl+enter"
    SUPER_ENTER = "super+enter"


class Spacing(enum.StrEnum):
    """Whether a text continues the sentence around the cursor."""

    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Target:
    """A window that had the focus. ``window`` is the system's own handle, 0 if unknown."""

    window: int = 0
    application: str = ""  # its class or executable
    is_out_of_reach: bool = False  # the system lets no key events of ours into it


@dataclass(frozen=True, slots=True)
class TextAround:
    """The text in a field around the cursor, or around a selection that will be replaced."""

    before: str = field(repr=False)
    after: str = field(repr=False)
    is_marked: bool = False


class Delivery(enum.StrEnum):
    """How a text was delivered."""

    NOWHERE = ""
    BEGUN = "begun"  # its insertion began; the outcome is unknown: it may be in the window
    TYPED = "typed"
    PASTED = "pasted"
    COPIED = "copied"  # on the clipboard, for the user to paste
    HELD = "held"  # another window has the focus: it waits to be pasted or copied
    KEPT = "kept"  # the method is "none": only the history has it
    DROPPED = "dropped"  # the user discarded it
    PRINTED = "printed"  # printed by the command line

    @property
    def is_settled(self) -> bool:
        """Whether the user has the text or does not want it: it need not be offered again."""
        return self not in {Delivery.NOWHERE, Delivery.BEGUN, Delivery.HELD}


def _default_text_rules() -> TextRules:
    from handy_qwen.core.text import TextRules

    return TextRules()


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of the dictation cycle. Read at each event, not at the take's start."""

    hotkeys: tuple[Hotkey, ...] = ()
    mode: Mode = Mode.AUTO
    limits: Limits = field(default_factory=Limits)
    lock_key: str = ""  # makes the take hands-free when pressed while a hotkey is held; "": none
    language: str = ""  # English name; "" is automatic ...
    languages: tuple[str, ...] = ()  # ... among these; (): among all
    context: tuple[str, ...] = ()  # the user's words; the model reads as many as fit
    method: Method = Method.TYPE
    submit: Submit = Submit.OFF
    max_take_s: float = 900.0
    silence_s: float = 20.0  # ends takes that no key holds and no double tap locked; 0: never
    is_private: bool = False  # the history is paused
    text: TextRules = field(default_factory=_default_text_rules)
    profiles: tuple[Profile, ...] = ()

    def hotkey(self, place: int | None) -> Hotkey | None:
        """The hotkey at ``place``, or None."""
        return self.hotkeys[place] if place is not None and place < len(self.hotkeys) else None

    def spoken(self, language: str) -> tuple[str, ...]:
        """The possible languages if ``language`` was requested, "" being automatic; (): any."""
        return (language,) if language else self.languages


class BackupPart(enum.StrEnum):
    """A part of a backup."""

    SETTINGS = "settings"
    APPS = "apps"
    WORDS = "words"
    REPLACEMENTS = "replacements"


class WhileRecording(enum.StrEnum):
    """What happens to other programs' sound while recording."""

    OFF = "off"
    PAUSE = "pause"
    LOWER = "lower"


class EntryState(enum.StrEnum):
    """The state of an entry of the history.

    RECORDING --> WAITING --> DONE       its text is there
                         `--> FAILED     it could not be transcribed; its audio is kept
                         `--> CANCELLED  can be restored for a while
    """

    RECORDING = "recording"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Keep(enum.StrEnum):
    """What is kept of a take after delivery."""

    AUDIO_AND_TEXT = "audio_and_text"
    TEXT = "text"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Entry:
    """A take in the history. Its ``id`` is never reused; a take's number begins at 1 in each session."""

    id: int
    created_s: float  # seconds since 1970 in UTC; the clock may have been set back: order by ``id``
    state: EntryState
    duration_s: float = 0.0
    text: str = field(default="", repr=False)
    language: str = ""  # English name: as detected, or as requested
    model: str = ""
    application: str = ""
    delivery: Delivery = Delivery.NOWHERE
    error: str = ""  # the title of the failure
    is_starred: bool = False
    has_audio: bool = False
    is_truncated: bool = False  # words may be missing in the text
    # What was said, if the text differs: it was corrected, or was all commands and hesitations.
    original: str = field(default="", repr=False)

    @property
    def is_blank(self) -> bool:
        """Whether it was cancelled and cannot be restored."""
        return self.state is EntryState.CANCELLED and not self.text and not self.has_audio

    @property
    def is_undelivered(self) -> bool:
        """Whether it has a text that the user may not have received."""
        return self.state is EntryState.DONE and bool(self.text) and not self.delivery.is_settled


@dataclass(frozen=True, slots=True)
class Retried:
    """The result of transcribing an entry again; see ``Entry``."""

    text: str = field(repr=False)
    language: str
    model: str
    is_truncated: bool = False
    original: str = field(default="", repr=False)
