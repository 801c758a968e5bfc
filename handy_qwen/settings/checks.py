"""The validation of each setting: from a value of the file or the program to the setting.

A reader returns the value or raises a ValueError that does not repeat it: words are private. It accepts its
own result as well, so that the same check serves the file and the program.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from handy_qwen.core.text import Replacement, pattern_error
from handy_qwen.core.types import Hotkey, Method, Profile, Spacing, Submit
from handy_qwen.errors import LanguageError
from handy_qwen.languages import AUTOMATIC, language_name
from handy_qwen.message import Message, Number, messages, reason_of

T = TypeVar("T")
E = TypeVar("E", bound=enum.StrEnum)
Reader = Callable[[object], T]

MAX_TEXT = 500  # characters of a name, word or pattern
MAX_ITEMS = 2000


def text(value: object) -> str:
    """A string of moderate length."""
    if not isinstance(value, str):
        raise ValueError(Message("must be text in quotes"))  # noqa: TRY004  one kind of error for what a file may hold
    if len(value) > MAX_TEXT:
        raise ValueError(Message("must not be longer than {count} characters", count=MAX_TEXT))
    if any("\ud800" <= char <= "\udfff" for char in value):  # surrogates, which no file can contain
        raise ValueError(Message("must be Unicode text"))
    return str(value)


def known_language(value: object, *, may_be_automatic: bool = True) -> str:
    """The English name of a language given as a name or code; "" is automatic."""
    try:
        return language_name(text(value))
    except LanguageError as exc:
        problem = Message('must be a language such as "German" or "de"')
        if may_be_automatic:
            problem = Message('must be a language such as "German" or "de", or "auto"')
        if exc.guess:
            problem = Message("{problem} (did you mean {name}?)", problem=problem, name=exc.guess)
        raise ValueError(problem) from None


def one_language(value: object) -> str:
    """As ``known_language``, but not automatic."""
    if not (name := known_language(value, may_be_automatic=False)):
        raise ValueError(Message('must be a language such as "German" or "de"'))
    return name


def interface(value: object) -> str:
    """The code of a language for the windows; "" is the system's."""
    if not re.fullmatch(r"([a-z]{2,3}(_[A-Z][A-Za-z]{1,3})?)?", text(value)):
        raise ValueError(Message('must be a code such as "de" or "pt_BR"'))
    return text(value)


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(Message("must be true or false"))  # noqa: TRY004
    return value


@dataclass(frozen=True)
class number:  # noqa: N801  a check, as the functions are
    """A number from ``low`` to ``high``."""

    low: float
    high: float

    def __call__(self, value: object) -> float:
        """``value``, checked."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(Message("must be a number"))
        if not self.low <= value <= self.high:
            raise ValueError(
                Message("must be from {low} to {high}", low=Number(self.low), high=Number(self.high))
            )
        return float(value)


@dataclass(frozen=True)
class whole(number):  # noqa: N801
    """A whole number from ``low`` to ``high``."""

    def __call__(self, value: object) -> int:
        """``value``, checked."""
        checked = super().__call__(value)
        if checked != int(checked):
            raise ValueError(Message("must be a whole number"))
        return int(checked)


def choice(options: type[E]) -> Reader[E]:
    """One of the values of an enumeration."""

    def read(value: object) -> E:
        try:
            return options(text(value).strip().lower())
        except ValueError:
            raise ValueError(Message("must be one of {names}", names=", ".join(options))) from None

    return read


def insertion(value: object) -> Method | None:
    """A method of insertion; None for "auto"."""
    if value is None or (isinstance(value, str) and value.strip().lower() == AUTOMATIC):
        return None
    try:
        return choice(Method)(value)
    except ValueError:
        raise ValueError(Message("must be one of {names}", names=", ".join([AUTOMATIC, *Method]))) from None


@dataclass(frozen=True)
class Several(Generic[T]):
    """Reads a list. ``keys`` are those of a table entry; an invalid entry does not affect the others."""

    item: Reader[T]
    keys: Mapping[str, Reader[Any]] = field(default_factory=dict)

    def __call__(self, value: object) -> tuple[T, ...]:
        """The entries of ``value``, each checked."""
        if not isinstance(value, list | tuple):
            raise ValueError(Message("must be a list"))  # noqa: TRY004
        if len(value) > MAX_ITEMS:
            raise ValueError(Message("must not have more than {count} entries", count=MAX_ITEMS))
        return tuple(self.item(item) for item in value)


class Once(Several[str]):
    """Reads a list of names without duplicates."""

    def __call__(self, value: object) -> tuple[str, ...]:
        """The names of ``value``, each checked."""
        return tuple(dict.fromkeys(super().__call__(value)))


class InOrder(Once):
    """Names of microphones. The system's default comes after all others in any case."""

    def __call__(self, value: object) -> tuple[str, ...]:
        """The names of ``value``, each checked."""
        names = super().__call__(value)
        return names[:-1] if names and not names[-1] else names


def _or_usual(options: type[E]) -> Reader[E | None]:
    """As ``choice``; but "" is None, which is as in the settings."""
    return lambda value: choice(options)(value) if value is not None and text(value) else None


submit_of = _or_usual(Submit)
"""The key of a hotkey or an app."""


def named(value: object) -> str:
    """A non-empty text."""
    if not text(value).strip():
        raise ValueError(Message("must not be empty"))
    return text(value)


def _own_language(value: object) -> str:
    """As ``known_language``, except that "" is as in the settings, and automatic is a word."""
    return known_language(value) or (AUTOMATIC if text(value).strip() else "")


HOTKEY: Mapping[str, Reader[Any]] = {
    "chord": lambda value: named(value).strip(),
    "language": _own_language,
    "submit": submit_of,
}
REPLACEMENT: Mapping[str, Reader[Any]] = {
    "heard": named,
    "written": text,
    "regex": flag,
    "case": flag,
    "alone": flag,
}
PROFILE: Mapping[str, Reader[Any]] = {
    "name": named,
    "programs": Several(named),
    "language": _own_language,
    "method": _or_usual(Method),
    "submit": submit_of,
    "spacing": _or_usual(Spacing),
    "words": Several(text),
}
"""The keys of an entry and their checks; the result of ``item_of`` is read as the same entry."""


def item_of(entry: Hotkey | Replacement | Profile) -> dict[str, object]:
    """``entry`` as a table of plain values, without defaults."""
    if isinstance(entry, Hotkey):
        more: dict[str, object] = {"language": entry.language, "submit": entry.submit}
        return {"chord": entry.chord} | {key: value for key, value in more.items() if value}
    if isinstance(entry, Profile):
        values = {key: getattr(entry, key) for key in PROFILE}
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in values.items() if value
        }
    flags = {"regex": entry.is_regex, "case": entry.is_case_sensitive, "alone": entry.is_alone}
    return {"heard": entry.heard, "written": entry.written} | {key: True for key, on in flags.items() if on}


def hotkey(value: object) -> Hotkey:
    """A table with ``chord`` and optionally ``language`` and ``submit``; or just the chord."""
    return Hotkey(**_table({"chord": value} if isinstance(value, str) else value, HOTKEY))


def replacement(value: object) -> Replacement:
    """A table with ``heard`` and ``written`` and optionally ``regex``, ``case`` and ``alone``."""
    table = _table(value, REPLACEMENT)
    flags = (table.get(key, False) for key in ("regex", "case", "alone"))
    read = Replacement(table["heard"], table.get("written", ""), *flags)
    if pattern_error(read):
        raise ValueError(Message("is not a valid regular expression"))
    return read


def profile(value: object) -> Profile:
    """A table with ``name`` and optionally other keys of ``PROFILE``."""
    return Profile(**_table(value, PROFILE))


def _table(value: object, known: Mapping[str, Reader[Any]]) -> dict[str, Any]:
    """The keys of a table, each checked. The first of ``known`` is required."""
    if isinstance(value, Hotkey | Replacement | Profile):
        value = item_of(value)
    if not isinstance(value, Mapping):
        raise ValueError(Message("must be a table"))  # noqa: TRY004
    if unknown := set(value) - set(known):
        raise ValueError(
            messages(
                "has {count} unknown key; known are {names}",
                "has {count} unknown keys; known are {names}",
                len(unknown),
                names=", ".join(known),
            )
        )
    read = {}
    for key, item in value.items():
        try:
            read[key] = known[key](item)
        except ValueError as exc:
            raise ValueError(
                Message("has a key {key} that {problem}", key=key, problem=reason_of(exc))
            ) from None
    if (needed := next(iter(known))) not in read:
        raise ValueError(Message("must have a key {key}", key=needed))
    return read
