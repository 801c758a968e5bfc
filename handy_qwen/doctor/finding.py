"""What was found, in words and as data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from handy_qwen import __version__
from handy_qwen.errors import HandyError

FORMAT = 1
"""Raised when what ``Report.as_dict`` gives changes its meaning."""


class Status(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # it works, but not everywhere or not for long
    PROBLEM = "problem"  # dictation does not work until it is mended


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: The check, for programs: "microphone". Several findings may share it.
        status: How bad it is.
        text: What was found, in a sentence or two.
        remedy: What to do about it; "" if there is nothing to be done.
        details: Facts behind the text, for programs: numbers, names, flags. No text of the user's.
    """

    name: str
    status: Status
    text: str
    remedy: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "status": self.status.value,
            "text": self.text,
            "remedy": self.remedy,
            "details": dict(self.details),
        }


def fine(name: str, text: str, **details: object) -> Finding:
    """It is as it should be."""
    return Finding(name, Status.OK, text, details=details)


def warning(name: str, text: str, remedy: str, **details: object) -> Finding:
    """It works, but not everywhere or not for long."""
    return Finding(name, Status.WARNING, text, remedy, details)


def problem(name: str, text: str, remedy: str, **details: object) -> Finding:
    """Dictation does not work until it is mended."""
    return Finding(name, Status.PROBLEM, text, remedy, details)


def failed(name: str, error: HandyError, **details: object) -> Finding:
    """A part of the program says what is wrong in its own words."""
    return problem(name, error.title, error.hint, **details)


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        """The worst of all."""
        order = list(Status)
        return max((one.status for one in self.findings), key=order.index, default=Status.OK)

    def as_dict(self) -> dict[str, Any]:
        """For JSON. Fields may be added; those there are keep their meaning while ``format`` is the same."""
        return {
            "format": FORMAT,
            "version": __version__,
            "status": self.status.value,
            "findings": [finding.as_dict() for finding in self.findings],
        }
