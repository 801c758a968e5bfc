"""Exports entries as text, CSV and JSON Lines, one by one: memory does not grow with the history.

Times are in UTC where programs read them, and local where people do.
"""

from __future__ import annotations

import csv
import enum
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from handy_qwen.core.types import Entry
from handy_qwen.files import explained, replacing
from handy_qwen.history.store import moment_of

_ESCAPED = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


class Format(enum.StrEnum):
    """The format of an export."""

    TEXT = "text"
    CSV = "csv"
    JSONL = "jsonl"


# Named as in other programs.
FIELDS: dict[str, Callable[[Entry], object]] = {
    "id": lambda entry: entry.id,
    "created": lambda entry: moment_of(entry.created_s).isoformat(timespec="milliseconds"),
    "state": lambda entry: entry.state.value,
    "duration_s": lambda entry: round(entry.duration_s, 3),
    "text": lambda entry: entry.text,
    "truncated": lambda entry: entry.is_truncated,
    "language": lambda entry: entry.language,
    "model": lambda entry: entry.model,
    "application": lambda entry: entry.application,
    "delivered": lambda entry: entry.delivery.value,
    "error": lambda entry: entry.error,
    "starred": lambda entry: entry.is_starred,
    "audio": lambda entry: entry.has_audio,
}


def _record(entry: Entry) -> dict[str, object]:
    return {name: value_of(entry) for name, value_of in FIELDS.items()}


def as_json(entry: Entry, **more: object) -> str:
    """An entry as a line of JSON; ``more`` adds or replaces fields."""
    raw = json.dumps(_record(entry) | more, ensure_ascii=False)
    return raw.translate(_ESCAPED)  # valid in JSON, but some terminals obey them


def exported(entries: Iterable[Entry], form: Format) -> Iterator[str]:
    """``entries`` in this format, in pieces. In text format, those without a text are skipped."""
    match form:
        case Format.TEXT:
            for entry in entries:
                if entry.text:
                    yield f"{local_time(entry)}\n{entry.text}\n\n"
        case Format.CSV:
            yield _csv_line(FIELDS)
            for entry in entries:
                yield _csv_line(_record(entry).values())
        case Format.JSONL:
            for entry in entries:
                yield as_json(entry) + "\n"


def save(target: Path, pieces: Iterable[str]) -> None:
    """Write all or nothing, readable by the user only. Raises HandyError: it cannot be written."""
    with explained(target), replacing(target, mode=0o600) as file:
        file.writelines(piece.encode() for piece in pieces)


def local_time(entry: Entry) -> str:
    """When it began, in local time."""
    return f"{moment_of(entry.created_s).astimezone():%Y-%m-%d %H:%M:%S}"


def _csv_line(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()
