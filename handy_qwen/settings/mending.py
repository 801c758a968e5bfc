"""A settings file that is broken, made readable again: the lines at fault become comments.

Nothing is lost: what was written is still there to be looked at. Which lines those are cannot be known for
certain (a bracket that is missing is missed further down), so that several are tried: the best is what makes
most of the file readable, and of equals what is shortest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from handy_qwen.settings.document import Document, TomlError

_BEGINS = re.compile(r"\s*(?:\[|[\w.\"'-]+\s*=|[\w-]+\s*$)")  # a statement, or what was meant to be one
_NAME = re.compile(r"\s*([A-Za-z_]+)\s*(?:=|$)")
_STARTS = 40  # of statements that are tried, from the fault upwards
_STARTS_IF_LARGE = 3
_MOST_CHARS = 3_000_000  # that are read to find one fault: every try reads the whole file
_MOST_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Span:
    """Lines ``first`` to ``last`` of a file, from 1."""

    first: int
    last: int


def name_at(text: str, line: int) -> str:
    """What seems to be set in ``line``, from 1, or above it; "" if that cannot be seen."""
    for written in reversed(text.split("\n")[:line]):
        if found := _NAME.match(written):
            return found[1]
    return ""


def mended(text: str) -> str:
    """``text`` without its faults.

    Raises:
        TomlError: There are too many.
    """
    for _ in range(_MOST_FAULTS):
        try:
            Document(text)
        except TomlError as exc:
            text = max(_attempts(text, exc.line), key=lambda one: one.rank).text
        else:
            return text
    Document(text)
    return text


@dataclass(frozen=True, slots=True)
class _Attempt:
    text: str
    rank: tuple[float, int]


def _attempts(text: str, fault: int) -> Iterator[_Attempt]:
    lines = text.split("\n")
    fault = min(max(fault, 1), len(lines))
    begins = [number for number, line in enumerate(lines, 1) if _BEGINS.match(line)]
    most = max(_STARTS_IF_LARGE, min(_STARTS, _MOST_CHARS // (3 * len(text) + 1)))  # three tries for each
    firsts = [number for number in reversed(begins) if number <= fault][:most]
    above = (number for number in range(fault, 0, -1) if _is_more_than_comment(lines[number - 1]))
    spans = {Span(fault, fault), *(Span(number, number) for number in islice(above, most))}
    for first in firsts:
        after = next((number for number in begins if number > first), len(lines) + 1)
        spans |= {Span(first, after - 1), Span(first, fault)}
    for span in sorted(spans, key=lambda one: (-one.first, one.last)):
        attempt = "\n".join(
            f"# {line}" if span.first <= number <= span.last and _is_more_than_comment(line) else line
            for number, line in enumerate(lines, 1)
        )
        yield _Attempt(attempt, (_readable_to(attempt), span.first - span.last))


def _is_more_than_comment(line: str) -> bool:
    return line.strip()[:1] not in {"", "#"}


def _readable_to(text: str) -> float:
    """The line of the first fault."""
    try:
        Document(text)
    except TomlError as exc:
        return exc.line
    return math.inf
