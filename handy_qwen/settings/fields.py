"""All settings: name, default, check and meaning. The meaning is the comment in the file.

A reader checks what is written in the file: it returns the value or raises a ValueError. It takes its own
result as well, so that the same check serves the file and the program. No message repeats the value: custom
words and replacements are the user's.
"""

# ruff: noqa: RUF009  option() only describes a field

from __future__ import annotations

import enum
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Generic, TypeVar

from handy_qwen.core.text import Replacement, pattern_error
from handy_qwen.core.types import Hotkey, Keep, LiveMode, Method, Mode, Overlay, Submit
from handy_qwen.errors import LanguageError
from handy_qwen.languages import AUTOMATIC, language_name

T = TypeVar("T")
E = TypeVar("E", bound=enum.StrEnum)
Reader = Callable[[object], T]

MAX_TEXT = 500  # characters of a name, word or pattern
MAX_ITEMS = 2000


def text(value: object) -> str:
    """A string of moderate length."""
    if not isinstance(value, str):
        raise ValueError("must be a text in quotes")  # noqa: TRY004  one kind of error for what a file may hold
    if len(value) > MAX_TEXT:
        raise ValueError(f"must not be longer than {MAX_TEXT} characters")
    if any("\ud800" <= char <= "\udfff" for char in value):  # halves of characters, which no file can hold
        raise ValueError("must be a text in Unicode")
    return str(value)


def known_language(value: object) -> str:
    """The English name of a language, which may be given as a code or in its own words; "" is automatic."""
    try:
        return language_name(text(value))
    except LanguageError as exc:
        guess, asks, _rest = exc.hint.partition("?")
        meant = f" ({guess[:1].lower()}{guess[1:]}?)" if asks else ""
        raise ValueError(f'must be a language such as "German" or "de", or "auto"{meant}') from None


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004
    return value


def number(low: float, high: float) -> Reader[float]:
    """A number from ``low`` to ``high``."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError("must be a number")
        if not low <= value <= high:
            raise ValueError(f"must be from {low:g} to {high:g}")
        return float(value)

    return read


def whole(low: int, high: int) -> Reader[int]:
    """A whole number from ``low`` to ``high``."""

    def read(value: object) -> int:
        checked = number(low, high)(value)
        if checked != int(checked):
            raise ValueError("must be a whole number")
        return int(checked)

    return read


def choice(options: type[E]) -> Reader[E]:
    """One of the values of an enumeration."""

    def read(value: object) -> E:
        try:
            return options(text(value).strip().lower())
        except ValueError:
            raise ValueError(f"must be one of {', '.join(options)}") from None

    return read


def insertion(value: object) -> Method | None:
    """A way to insert text; None for "auto"."""
    if value is None or (isinstance(value, str) and value.strip().lower() == AUTOMATIC):
        return None
    try:
        return choice(Method)(value)
    except ValueError:
        raise ValueError(f"must be one of {', '.join([AUTOMATIC, *Method])}") from None


@dataclass(frozen=True)
class Several(Generic[T]):
    """Reads a list. ``keys`` are those of an entry that is a table; a bad one costs no more than itself."""

    item: Reader[T]
    keys: Mapping[str, Reader[Any]] = field(default_factory=dict)

    def __call__(self, value: object) -> tuple[T, ...]:
        """The entries of ``value``, each checked."""
        if not isinstance(value, list | tuple):
            raise ValueError("must be a list")  # noqa: TRY004
        if len(value) > MAX_ITEMS:
            raise ValueError(f"must not have more than {MAX_ITEMS} entries")
        return tuple(self.item(item) for item in value)


def _submit(value: object) -> str:
    return choice(Submit)(value).value if text(value) else ""


def _named(value: object) -> str:
    """A text that is not empty."""
    if not text(value).strip():
        raise ValueError("must not be empty")
    return text(value)


def _chord(value: object) -> str:
    return _named(value).strip()


def _own_language(value: object) -> str:
    """As ``known_language``; but "" is that of the settings, so that automatic keeps its word."""
    return known_language(value) or (AUTOMATIC if text(value).strip() else "")


HOTKEY: Mapping[str, Reader[Any]] = {"chord": _chord, "language": _own_language, "submit": _submit}
REPLACEMENT: Mapping[str, Reader[Any]] = {"heard": _named, "written": text, "regex": flag, "case": flag}
"""The keys of an entry and the check of each; what ``item_of`` gives is read back as the same entry."""


def item_of(entry: Hotkey | Replacement) -> dict[str, object]:
    """``entry`` as a table of plain values, without those that are usual."""
    if isinstance(entry, Hotkey):
        more: dict[str, object] = {"language": entry.language, "submit": entry.submit}
        return {"chord": entry.chord} | {key: value for key, value in more.items() if value}
    flags = {"regex": entry.is_regex, "case": entry.is_case_sensitive}
    return {"heard": entry.heard, "written": entry.written} | {key: True for key, on in flags.items() if on}


def hotkey(value: object) -> Hotkey:
    """A table with ``chord`` and, if wanted, ``language`` and ``submit``; or just the chord."""
    return Hotkey(**_table({"chord": value} if isinstance(value, str) else value, HOTKEY))


def replacement(value: object) -> Replacement:
    """A table with ``heard`` and ``written`` and, if wanted, ``regex`` and ``case``."""
    table = _table(value, REPLACEMENT)
    flags = {"is_regex": table.get("regex", False), "is_case_sensitive": table.get("case", False)}
    read = Replacement(table["heard"], table.get("written", ""), **flags)
    if pattern_error(read):
        raise ValueError("is not a valid regular expression")
    return read


def _table(value: object, known: Mapping[str, Reader[Any]]) -> dict[str, Any]:
    """The keys of a table, each checked. The first of ``known`` must be there."""
    if isinstance(value, Hotkey | Replacement):
        value = item_of(value)
    if not isinstance(value, Mapping):
        raise ValueError("must be a table")  # noqa: TRY004
    if unknown := set(value) - set(known):
        raise ValueError(f"has {len(unknown)} unknown keys; known are {', '.join(known)}")
    read = {}
    for key, item in value.items():
        try:
            read[key] = known[key](item)
        except ValueError as exc:
            raise ValueError(f"has a key {key} that {exc}") from None
    if (needed := next(iter(known))) not in read:
        raise ValueError(f"must have a key {needed}")
    return read


def default_chord(platform: str = sys.platform) -> str:
    """The key that types nothing and is under the right hand."""
    return "alt_r" if platform == "darwin" else "ctrl_r"


def option(default: T, read: Reader[T], meaning: str) -> T:
    """A field of ``Settings``."""
    return field(default=default, metadata={"read": read, "meaning": meaning})


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
    recent_languages: tuple[str, ...] = option(
        (), Several(known_language), "languages chosen last, for the menu"
    )
    method: Method | None = option(
        None,
        insertion,
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
    custom_words: tuple[str, ...] = option(
        (),
        Several(text),
        "names and terms that the model should know, the most important first: about 60 are used",
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
        'disk in any case, so that nothing is lost in a crash. With "text" it stays a day longer if words\n'
        "may be missing in the text",
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
    hotkeys: tuple[Hotkey, ...] = option(
        (Hotkey(default_chord()),),
        Several(hotkey, HOTKEY),
        "From here on each line belongs to the [[...]] above it: add all other settings above this line.\n"
        'chord: a key or several, such as "ctrl_r", "f9", "ctrl+alt+d"\n'
        "language: another than that above; submit: another than that above",
    )
    replacements: tuple[Replacement, ...] = option(
        (),
        Several(replacement, REPLACEMENT),
        "heard, written: write this wherever that was heard, as whole words\n"
        "regex = true: heard is a regular expression, left out if it takes longer than 0.2 s;\n"
        "case = true: capitals matter\n"
        'Under a line [[replacements]], for example: heard = "new line" and below it written = "\\n"',
    )

    def __post_init__(self) -> None:
        for one in fields(self):
            try:
                value = one.metadata["read"](getattr(self, one.name))
            except ValueError as exc:
                raise ValueError(f"{one.name} {exc}") from None
            object.__setattr__(self, one.name, value)
