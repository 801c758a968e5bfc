"""The wording of settings: for the comment in the file, the row in the window, and answers.

In plain English, translated where they are shown. Nothing here draws.
"""

from __future__ import annotations

import enum
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from handy_qwen.message import Message, messages, verbatim

_COMMENT_CHARS = 100
_ENDS = tuple(".?!…。？！؟")  # noqa: RUF001


class Page(enum.StrEnum):
    """The pages of the window, in order."""

    GENERAL = "general"
    SHORTCUT = "shortcut"
    MICROPHONE = "microphone"
    LANGUAGE = "language"
    TEXT = "text"
    VOCABULARY = "vocabulary"
    APPS = "apps"
    HISTORY = "history"
    ABOUT = "about"


class Unit(enum.Enum):
    """The unit of a number."""

    SECONDS = "seconds"
    MINUTES = "minutes"
    DAYS = "days"
    GIGABYTES = "gigabytes"
    DICTATIONS = "dictations"
    THREADS = "threads"

    def short(self, number: float) -> Message:
        """The abbreviation after a ``number``: "s"."""
        return _SHORT[self](number)

    def counted(self, number: float) -> Message:
        """The number with its unit: "15 minutes"."""
        return _COUNTED[self](number)


# Translators: units behind a field for a number, as in "0.3 s", "15 min", "90 days".
_SHORT: dict[Unit, Callable[[float], Message]] = {
    Unit.SECONDS: lambda _number: Message("s"),
    Unit.MINUTES: lambda _number: Message("min"),
    Unit.DAYS: lambda number: messages("day", "days", number),
    Unit.GIGABYTES: lambda _number: Message("GB"),
    Unit.DICTATIONS: lambda number: messages("dictation", "dictations", number),
    Unit.THREADS: lambda _number: Message("threads"),
}
_COUNTED: dict[Unit, Callable[[float], Message]] = {
    Unit.SECONDS: lambda count: messages("{count} second", "{count} seconds", count),
    Unit.MINUTES: lambda count: messages("{count} minute", "{count} minutes", count),
    Unit.DAYS: lambda count: messages("{count} day", "{count} days", count),
    Unit.GIGABYTES: lambda count: messages("{count} gigabyte", "{count} gigabytes", count),
    Unit.DICTATIONS: lambda count: messages("{count} dictation", "{count} dictations", count),
    Unit.THREADS: lambda count: messages("{count} thread", "{count} threads", count),
}


@dataclass(frozen=True)
class Switch:
    """On or off."""

    def worded(self, value: object) -> Message:
        """Return "On" or "Off"."""
        return Message("On") if value else Message("Off")

    def explained(self) -> str:
        """For a comment: empty; true and false are self-explanatory."""
        return ""


@dataclass(frozen=True)
class Worded:
    """One of several values, each with its words."""

    values: Mapping[Any, Message]  # the choices
    # The words of a value that only the file can have ("After 45 minutes"); None: there is none
    other: Callable[[Any], Message] | None = None
    raw: Callable[[Any], str] = lambda value: f'"{value}"'  # how the file writes a value
    is_long: bool = False  # too many for a comment, or they depend on the machine

    def worded(self, value: Any) -> Message:  # noqa: ANN401  of any setting
        """What ``value`` is called."""
        if value in self.values:
            return self.values[value]
        return self.other(value) if self.other else verbatim(str(value))

    def explained(self) -> str:
        """For a comment: the possible values, and their meanings."""
        if self.is_long:
            return ""
        return "; ".join(f"{self.raw(value)}: {words}" for value, words in self.values.items())


@dataclass(frozen=True)
class Amount:
    """A number."""

    unit: Unit  # in the window
    file_unit: Unit | None = None  # in the file, if different
    scale: float = 1.0  # the file's units per unit of the window
    step: float = 1.0  # of the arrows, in the window's unit
    decimals: int = 0  # in the window
    zero: Message = Message()  # the meaning of 0; empty if it has no special one
    first: float = 0.0  # the window's suggestion when 0 becomes a number, in the file's unit

    def worded(self, value: float) -> Message:
        """Return "15 minutes", or the meaning of 0."""
        return self.zero if not value and self.zero else self.unit.counted(value / self.scale)

    def explained(self) -> str:
        """For a comment: the unit, and the meaning of 0."""
        unit = (self.file_unit or self.unit).value
        return f"A number of {unit}; 0: {self.zero.lower()}" if self.zero else f"A number of {unit}"


@dataclass(frozen=True)
class Own:
    """A value with its own control: a text, a list."""

    worded: Callable[[Any], str] = str

    def explained(self) -> str:
        """For a comment: empty; the note explains it."""
        return ""


Form = Switch | Worded | Amount | Own


@dataclass(frozen=True)
class Description:
    """The texts about a setting."""

    label: Message  # its name, a few words without a full stop
    help: Message = Message()  # a sentence or two more; empty if the label is enough
    form: Form = field(default_factory=Switch)  # how its value is shown
    page: Page | None = None  # its page in the window; None: not there
    note: str = ""  # only for people who edit the file

    def comment(self) -> list[str]:
        """The lines above the setting in the file."""
        said = f"{self.label}. {self.help}".strip()
        return [*_wrapped(said), *_wrapped(self.form.explained()), *self.note.splitlines()]


def sentence(text: str) -> str:
    """``text`` as a sentence, with capital and full stop: "must be a number" is a check's wording."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(_ENDS) else '.'}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _COMMENT_CHARS, break_long_words=False, break_on_hyphens=False)
