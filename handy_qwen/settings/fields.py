"""All settings: name, default, check and meaning. The meaning is the comment in the file."""

# ruff: noqa: RUF009  option() only describes a field

from __future__ import annotations

import enum
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from handy_qwen.core.text import Replacement
from handy_qwen.core.types import Hotkey, Keep, LiveMode, Mode, Overlay, Submit
from handy_qwen.settings.readers import (
    HOTKEY,
    REPLACEMENT,
    Reader,
    choice,
    flag,
    hotkey,
    known_language,
    number,
    replacement,
    several,
    text,
    whole,
)

T = TypeVar("T")
NO_KEYS: Mapping[str, Reader[Any]] = {}


class MeansOfInsertion(enum.StrEnum):
    """How text gets into a window: a ``core.ports.Method``, or what suits this system."""

    AUTO = "auto"
    TYPE = "type"
    PASTE = "paste"
    COPY = "copy"
    NONE = "none"


def default_chord(platform: str = sys.platform) -> str:
    """The key that types nothing and is under the right hand."""
    return "alt_r" if platform == "darwin" else "ctrl_r"


def option(default: T, read: Reader[T], meaning: str) -> T:
    """A field of ``Settings``."""
    return field(default=default, metadata={"read": read, "meaning": meaning, "item": None, "keys": {}})


def listed(
    default: tuple[T, ...], item: Reader[T], meaning: str, keys: Mapping[str, Reader[Any]] = NO_KEYS
) -> tuple[T, ...]:
    """A field that holds a list. ``item`` reads one entry, so that a bad one can be left out.

    ``keys``, of an entry that is a table, are read one by one, so that a bad one costs no more than itself.
    """
    metadata = {"read": several(item), "meaning": meaning, "item": item, "keys": keys}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """The user's choices. Frozen: ``SettingsStore.update`` makes new ones.

    Raises:
        ValueError: A value does not pass its check; the message names the field but not the value.
    """

    mode: Mode = option(
        Mode.AUTO,
        choice(Mode),
        '"auto": hold to talk, a short tap starts and stops, a double tap locks hands-free;\n'
        '"hold": only while the key is down; "toggle": every tap starts or stops',
    )
    hold_s: float = option(
        0.3, number(0.1, 2), "a press of at least this many seconds counts as holding, a shorter one as a tap"
    )
    max_take_s: float = option(900.0, number(5, 7200), "the longest recording, in seconds")
    silence_s: float = option(
        20.0,
        number(0, 3600),
        "a tapped recording ends after this many seconds of silence; 0: never. A locked one goes on",
    )
    microphone: str = option("", text, "name of the microphone; empty: the system's default")
    warm_s: float = option(
        30.0,
        number(-1, 86_400),
        "seconds the microphone stays open after use, so that the first syllable of the next recording is\n"
        "not lost; 0: not at all, -1: always. Only half a second is kept, in memory",
    )
    model: str = option("", text, "name of the speech model; empty: the one that is installed")
    threads: int = option(0, whole(0, 256), "processor threads for the model; 0: automatic")
    idle_unload_min: float = option(
        15.0,
        number(-1, 10_080),
        "minutes without use until the model frees its memory; 0: never, -1: at once. It loads again when\n"
        "the key goes down; nothing you say meanwhile is lost",
    )
    live: LiveMode = option(
        LiveMode.FULL,
        choice(LiveMode),
        'work done while you speak: "full" shows the text as it comes, "final_windows_only" shows none but\n'
        'has most of the work done when you let go, "off" begins when you let go. With the 0.6B model on\n'
        "two slow cores the engine works for up to two thirds of the time while you speak, up to a third of\n"
        "it, or not at all",
    )
    live_on_battery: LiveMode = option(
        LiveMode.FINAL_WINDOWS_ONLY, choice(LiveMode), "the same while the machine runs on its battery"
    )
    language: str = option(
        "", known_language, 'the language you speak, such as "German" or "de"; "auto": detected automatically'
    )
    recent_languages: tuple[str, ...] = listed((), known_language, "languages chosen last, for the menu")
    method: MeansOfInsertion = option(
        MeansOfInsertion.AUTO,
        choice(MeansOfInsertion),
        'how text gets into the window: "type", "paste", "copy" (only to the clipboard), "none",\n'
        'or "auto" for what suits this system',
    )
    submit: Submit = option(
        Submit.OFF,
        choice(Submit),
        'the key pressed after the text: "off", "enter", "ctrl+enter", "super+enter"',
    )
    trailing_space: bool = option(False, flag, "put a space after each text")
    smart_spacing: bool = option(
        True,
        flag,
        "continue the text inserted before into the same window: space, and small letter in a sentence",
    )
    remove_fillers: bool = option(False, flag, 'leave out "um", "uh" and their like')
    custom_words: tuple[str, ...] = listed(
        (), text, "names and terms that the model should know, the most important first: about 60 are used"
    )
    overlay: Overlay = option(Overlay.BOTTOM, choice(Overlay), 'the overlay: "off", "top" or "bottom"')
    set_up: bool = option(
        False, flag, 'the guide of the first start has been shown; it is there again as "handy-qwen setup"'
    )
    sounds: bool = option(False, flag, "short sounds when a recording starts and ends")
    history: Keep = option(
        Keep.AUDIO_AND_TEXT,
        choice(Keep),
        'what to keep after delivery: "audio_and_text", "text" or "nothing". Until then the sound is on\n'
        "disk in any case, so that nothing is lost in a crash",
    )
    history_count: int = option(
        1000, whole(0, 1_000_000), "how many dictations are kept, besides the starred ones; 0: any number"
    )
    history_days: float = option(
        90.0, number(0, 36_500), "for how many days they are kept; 0: for good. Starred ones stay"
    )
    history_gb: float = option(
        2.0,
        number(0, 100_000),
        "how much disk their sound may take, in gigabytes (nine hours take 2); 0: any. The oldest sound\n"
        "goes first, its text stays",
    )
    private: bool = option(False, flag, "the history is paused: nothing you say is kept")
    hotkeys: tuple[Hotkey, ...] = listed(
        (Hotkey(default_chord()),),
        hotkey,
        "From here on each line belongs to the [[...]] above it: add all other settings above this line.\n"
        'chord: a key or several, such as "ctrl_r", "f9", "ctrl+alt+d"\n'
        "language: another than that above; submit: another than that above",
        HOTKEY,
    )
    replacements: tuple[Replacement, ...] = listed(
        (),
        replacement,
        "heard, written: write this wherever that was heard, as whole words\n"
        "regex = true: heard is a regular expression, left out if it takes longer than 0.2 s;\n"
        "case = true: capitals matter\n"
        'Under a line [[replacements]], for example: heard = "new line" and below it written = "\\n"',
        REPLACEMENT,
    )

    def __post_init__(self) -> None:
        for one in fields(self):
            try:
                value = one.metadata["read"](getattr(self, one.name))
            except ValueError as exc:
                raise ValueError(f"{one.name} {exc}") from None
            object.__setattr__(self, one.name, value)
