"""Checks of single settings: from what is written in the file to the value, or a ValueError.

A reader takes its own result as well, so that the same check serves the file and the program. No
message repeats the value: custom words and replacements are the user's.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from handy_qwen.core.text import Replacement, pattern_error
from handy_qwen.core.types import Hotkey, Submit
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


def several(read_one: Reader[T]) -> Reader[tuple[T, ...]]:
    """A list of values that ``read_one`` takes."""

    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError("must be a list")  # noqa: TRY004
        if len(value) > MAX_ITEMS:
            raise ValueError(f"must not have more than {MAX_ITEMS} entries")
        return tuple(read_one(item) for item in value)

    return read


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
    table = _table({"chord": value} if isinstance(value, str) else value, HOTKEY)
    if "chord" not in table:
        raise ValueError("must have a chord")
    return Hotkey(table["chord"], table.get("language", ""), table.get("submit", ""))


def replacement(value: object) -> Replacement:
    """A table with ``heard`` and ``written`` and, if wanted, ``regex`` and ``case``."""
    table = _table(value, REPLACEMENT)
    if "heard" not in table:
        raise ValueError("must have heard")
    read = Replacement(
        table["heard"],
        table.get("written", ""),
        is_regex=table.get("regex", False),
        is_case_sensitive=table.get("case", False),
    )
    if pattern_error(read):
        raise ValueError("is not a valid regular expression")
    return read


def _table(value: object, known: Mapping[str, Reader[Any]]) -> dict[str, Any]:
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
    return read
