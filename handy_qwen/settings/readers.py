"""Checks of single settings: from what stands in the file to the value, or a ValueError.

A reader takes its own result as well, so that the same check serves the file and the program. No
message repeats the value: custom words and replacements are the user's.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from handy_qwen.core.ports import Hotkey, Submit
from handy_qwen.core.text import Replacement, pattern_error

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
    return str(value)


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


def hotkey(value: object) -> Hotkey:
    """A table with ``chord`` and, if wanted, ``language`` and ``submit``; or just the chord."""
    if isinstance(value, Hotkey):
        value = {"chord": value.chord, "language": value.language, "submit": value.submit}
    table = _table({"chord": value} if isinstance(value, str) else value, ("chord", "language", "submit"))
    chord = text(table.get("chord", "")).strip()
    if not chord:
        raise ValueError("must name a chord")
    submit = text(table.get("submit", ""))
    return Hotkey(chord, text(table.get("language", "")), choice(Submit)(submit).value if submit else "")


def replacement(value: object) -> Replacement:
    """A table with ``heard`` and ``written`` and, if wanted, ``regex`` and ``case``."""
    if isinstance(value, Replacement):
        value = {
            "heard": value.heard,
            "written": value.written,
            "regex": value.is_regex,
            "case": value.is_case_sensitive,
        }
    table = _table(value, ("heard", "written", "regex", "case"))
    read = Replacement(
        text(table.get("heard", "")),
        text(table.get("written", "")),
        is_regex=flag(table.get("regex", False)),
        is_case_sensitive=flag(table.get("case", False)),
    )
    if not read.heard.strip():
        raise ValueError("must say what is heard")
    if pattern_error(read):
        raise ValueError("is no regular expression")
    return read


def _table(value: object, known: Sequence[str]) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ValueError("must be a table")  # noqa: TRY004
    if unknown := set(value) - set(known):
        raise ValueError(f"has {len(unknown)} unknown keys; known are {', '.join(known)}")
    return value
