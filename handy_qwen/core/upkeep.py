"""What the settings window shows of this machine and of the history, and the commands it offers.

The UI gets a new ``Upkeep`` after every change. Each one is complete.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from handy_qwen.core.models import Problem, Told
from handy_qwen.core.types import BackupPart
from handy_qwen.message import Message


class Severity(enum.Enum):
    """How serious a finding is, from good to bad."""

    FINE = enum.auto()
    WARNING = enum.auto()  # it works, but not everywhere or not for long
    PROBLEM = enum.auto()  # dictation does not work until it is fixed


@dataclass(frozen=True, slots=True)
class Check:
    """A finding of ``doctor``."""

    name: str  # for programs: "microphone"; several may share it
    severity: Severity
    text: Message
    remedy: Message = Message()  # what to do about it


@dataclass(frozen=True, slots=True)
class HistoryUse:
    """How much the history holds."""

    entries: int = 0
    starred: int = 0  # of these
    sound_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The current state."""

    checks: tuple[Check, ...] = ()  # in their order; more come while ``is_checking``
    is_checking: bool = False
    archive: Path | None = None  # the last support archive written
    history: HistoryUse | None = None  # None: not looked at yet
    problem: Problem | None = None  # of the last command on the history
    archive_problem: Problem | None = None  # of the checks or the support archive
    moved: Told = field(default_factory=Told)  # the outcome of the last backup or import
    can_undo: bool = False  # whether the last import can be undone
    handy: Path | None = None  # Handy's settings on this machine, which can be imported


UpkeepListener = Callable[[Upkeep], None]
"""Shows it. Called on any thread; must neither block nor raise."""


class UpkeepCommands(Protocol):
    """Commands of the window. Called on Qt's thread; every method returns at once."""

    def check(self) -> None:
        """Run the checks of ``handy-qwen doctor``, without recording."""

    def write_archive(self, target: Path) -> None:
        """Write the support archive to ``target``, replacing an existing file."""

    def measure_history(self) -> None:
        """Measure how much the history holds."""

    def look_for_handy(self) -> None:
        """Look for Handy's settings on this machine."""

    def export_backup(self, target: Path, parts: Collection[BackupPart]) -> None:
        """Write ``parts`` to ``target``, replacing an existing file."""

    def import_backup(self, source: Path, parts: Collection[BackupPart]) -> None:
        """Import ``parts`` of a backup, of a settings file, or of Handy's settings."""

    def undo_import(self) -> None:
        """Undo the last import, except what was changed since."""

    def delete_history(self) -> None:
        """Delete all texts and audio for good, except starred entries."""
