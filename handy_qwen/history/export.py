"""Entries as text, CSV and JSON Lines, one after the other: memory does not grow with the history.

Times are written in UTC where programs read them, and in the user's own where people do.
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
    """What an export looks like."""

    TEXT = "text"
    CSV = "csv"
    JSONL = "jsonl"


# In the terms of other programs.
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
    """An entry as JSON on one line, with ``more`` fields, or others in place of its own."""
    raw = json.dumps(_record(entry) | more, ensure_ascii=False)
    return raw.translate(_ESCAPED)  # JSON lets them pass, terminals obey some


def exported(entries: Iterable[Entry], form: Format) -> Iterator[str]:
    """``entries`` in this format, piece by piece. As text, those without any are left out."""
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
    """Write all of it or nothing, readable by the user only. Raises HandyError: it cannot be written."""
    with explained(target), replacing(target, mode=0o600) as file:
        file.writelines(piece.encode() for piece in pieces)


def local_time(entry: Entry) -> str:
    """When it began, by the clock on the user's wall."""
    return f"{moment_of(entry.created_s).astimezone():%Y-%m-%d %H:%M:%S}"


def _csv_line(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()
