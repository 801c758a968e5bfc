"""What the settings window shows of this machine and of the history.

    Qt --check, export_backup ...--> inbox --> thread "upkeep" --> doctor, Archive, backup --> Upkeep --> Qt

Neither doctor nor SQLite nor the reader of backups is imported before it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.core.models import Problem, Told
from handy_qwen.core.types import BackupPart
from handy_qwen.core.upkeep import Check, HistoryUse, Severity, Upkeep, UpkeepListener
from handy_qwen.errors import HandyError
from handy_qwen.history.store import Places
from handy_qwen.message import Message
from handy_qwen.runtime import watchdog
from handy_qwen.runtime.worker import Worker, queued
from handy_qwen.settings import Settings

if TYPE_CHECKING:  # slow to import
    from handy_qwen.audio.portaudio import PortAudio
    from handy_qwen.doctor import Context, Finding, Report


Revise = Callable[[Callable[[Settings], Mapping[str, object]]], Settings]


class UpkeepPresenter:
    """Implements ``core.upkeep.UpkeepCommands``.

    Threads: the methods are called on Qt's; ``listener`` on the thread ``upkeep``.

    Args:
        folder: The history's.
        library: The program's PortAudio, of which a process can have only one; None before it exists.
        settings: The current ones. Any thread.
        revise: Changes them; see ``SettingsStore.revise``. Called on ``upkeep``.
    """

    def __init__(
        self,
        folder: Path,
        library: Callable[[], PortAudio | None],
        settings: Callable[[], Settings],
        revise: Revise,
    ) -> None:
        self.listener: UpkeepListener = lambda _upkeep: None  # until there is one
        self._folder, self._library = folder, library
        self._settings, self._revise = settings, revise
        self._taken: tuple[dict[str, object], dict[str, object]] = {}, {}  # before and after the last import
        self._shown = Upkeep()
        self._examined: tuple[Context, Report] | None = None
        self._told_as = "problem"  # the field for problems of the current command
        self.thread = Worker("upkeep", is_lazy=True, on_error=self._on_error)
        self.workers: watchdog.Watchable = {watchdog.UPKEEP: self.thread}

    def close(self, timeout_s: float) -> None:
        """Finish pending requests, and end the thread. Safe to call twice."""
        self.thread.stop(timeout_s)

    # --- done on "upkeep" ----------------------------------------------------------------------------

    def _show(self, **changes: object) -> None:
        self._shown = replace(self._shown, **changes)  # type: ignore[arg-type]  # names of its fields
        self.listener(self._shown)

    def _on_error(self, error: HandyError) -> None:
        self._show(is_checking=False, **{self._told_as: Problem(error.title, error.hint)})

    @queued
    def check(self) -> None:
        """Run the checks of this machine."""
        self._check()

    def _check(self) -> None:
        from handy_qwen.doctor import Context, examine

        self._told_as = "archive_problem"
        self._show(checks=(), is_checking=True, archive_problem=None)
        context = Context.here(listen_s=0.0, is_thorough=False)
        if (library := self._library()) is not None:
            context = replace(context, library=library)
        report = examine(context, self._on_finding)
        self._examined = context, report
        self._show(is_checking=False)

    def _on_finding(self, finding: Finding) -> None:
        self.thread.begin()  # a sign of life for the watchdog
        severity = {"ok": Severity.FINE, "warning": Severity.WARNING}.get(finding.status, Severity.PROBLEM)
        check = Check(finding.name, severity, finding.text, finding.remedy)
        self._show(checks=(*self._shown.checks, check))

    @queued
    def write_archive(self, target: Path) -> None:
        """Write the support archive."""
        from handy_qwen.doctor.bundle import write_bundle

        self._told_as = "archive_problem"
        self._show(archive=None, archive_problem=None)
        if self._examined is None:
            self._check()
        assert self._examined is not None
        write_bundle(target, *self._examined, may_replace=True)  # confirmed in the file dialog
        self._show(archive=target)

    @queued
    def export_backup(self, target: Path, parts: Collection[BackupPart]) -> None:
        """Write a backup."""
        self._move(partial(self._export, target, parts))

    @queued
    def import_backup(self, source: Path, parts: Collection[BackupPart]) -> None:
        """Import a backup."""
        self._move(partial(self._import, source, parts))

    @queued
    def undo_import(self) -> None:
        """Undo the import."""
        self._move(self._undo)

    def _move(self, work: Callable[[], Message]) -> None:
        """Do ``work`` on a backup, and report the outcome."""
        try:
            told = Told(self._shown.moved.number + 1, work())
        except HandyError as exc:
            told = Told(self._shown.moved.number + 1, exc.title, exc.hint, is_problem=True)
        self._show(moved=told, can_undo=bool(self._taken[0]))

    @queued
    def look_for_handy(self) -> None:
        """Look for Handy's settings."""
        from handy_qwen.vocabulary import handy

        self._show(handy=handy.settings_file())

    def _export(self, target: Path, parts: Collection[BackupPart]) -> Message:
        from handy_qwen.vocabulary.backup import write_backup

        self._taken = {}, {}  # undo must not refer to an earlier import
        write_backup(target, self._settings(), parts)
        return Message("Exported to {path}.", path=target)

    def _import(self, source: Path, parts: Collection[BackupPart]) -> Message:
        from handy_qwen.system.hotkeys.chord import parse_chord
        from handy_qwen.vocabulary.backup import read_backup

        self._taken = {}, {}
        backup, told = read_backup(source, parse_chord), Message()

        def changes(now: Settings) -> dict[str, object]:
            nonlocal told
            after, told = backup.changes(now, parts)
            self._taken = {name: getattr(now, name) for name in after}, after
            return after

        self._revise(changes)
        return told

    def _undo(self) -> Message:
        before, after = self._taken
        self._taken = {}, {}

        def changes(now: Settings) -> dict[str, object]:
            return {name: before[name] for name in before if getattr(now, name) == after[name]}

        self._revise(changes)
        return Message("Undone.")

    @queued
    def measure_history(self) -> None:
        """Measure how much the history holds."""
        self._measure()

    def _measure(self) -> None:
        from handy_qwen.history.archive import Archive

        self._told_as = "problem"
        entries = starred = 0
        with Archive(self._folder) as archive:
            for entry in archive.newest():
                entries += 1
                starred += entry.is_starred
        takes = Places(self._folder).takes
        sound_bytes = sum(_size_of(path) for path in takes.iterdir()) if takes.is_dir() else 0
        self._show(history=HistoryUse(entries, starred, sound_bytes), problem=None)

    @queued
    def delete_history(self) -> None:
        """Delete all but the starred entries, even if some cannot be deleted."""
        from handy_qwen.history.archive import Archive

        self._told_as = "problem"
        problem: Problem | None = None
        with Archive(self._folder) as archive:
            for number in [entry.id for entry in archive.newest() if not entry.is_starred]:
                try:
                    archive.delete(number)
                except HandyError as exc:
                    problem = Problem(exc.title, exc.hint)
                self.thread.begin()
            archive.forget_traces()
        self._measure()
        if problem is not None:
            self._show(problem=problem)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # deleted meanwhile
        return 0
