"""What the settings window shows of this machine and of the history as a whole, and what it may ask for.

The UI gets a new ``Upkeep`` whenever something in it has changed. Each is complete: the last one is all that
is needed.
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
    """How bad it is, from good to bad."""

    FINE = enum.auto()
    WARNING = enum.auto()  # it works, but not everywhere or not for long
    PROBLEM = enum.auto()  # dictation does not work until it is fixed


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: the words of ``doctor.Finding``."""

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
    """What is known now."""

    checks: tuple[Check, ...] = ()  # in their order; more come while ``is_checking``
    is_checking: bool = False
    archive: Path | None = None  # the support archive that was written last
    history: HistoryUse | None = None  # None: not looked at yet
    problem: Problem | None = None  # with what was asked for last of the history
    archive_problem: Problem | None = None  # and of the checks or the support archive
    moved: Told = field(default_factory=Told)  # what came of the last backup, or of reading one
    can_undo: bool = False  # what was read can be taken back
    handy: Path | None = None  # the settings of Handy on this machine, which can be read


UpkeepListener = Callable[[Upkeep], None]
"""Shows it. Called on any thread; must neither block nor raise."""


class UpkeepCommands(Protocol):
    """What the window asks for. Called on Qt's thread; every method returns at once."""

    def check(self) -> None:
        """Look what works on this machine, as ``handy-qwen doctor`` does, without listening."""

    def write_archive(self, target: Path) -> None:
        """Write the support archive to ``target``, in place of a file that is there."""

    def measure_history(self) -> None:
        """Look how much the history holds."""

    def look_for_handy(self) -> None:
        """See whether Handy has settings on this machine."""

    def export_backup(self, target: Path, parts: Collection[BackupPart]) -> None:
        """Write ``parts`` to ``target``, in place of a file that is there."""

    def import_backup(self, source: Path, parts: Collection[BackupPart]) -> None:
        """Take over ``parts`` of a backup, of a settings file, or of Handy's settings."""

    def undo_import(self) -> None:
        """Take the last import back, but for what was changed since."""

    def delete_history(self) -> None:
        """Delete all texts and sounds for good, but the starred ones."""
