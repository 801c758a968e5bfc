"""What the settings window shows of this machine and of the history as a whole.

    Qt --check, write_archive ...--> inbox --> thread "upkeep" --> doctor, Archive --> Upkeep --> Qt

Neither doctor nor SQLite is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.core.models import Problem
from handy_qwen.core.ports import Watched
from handy_qwen.core.upkeep import Check, HistoryUse, Severity, Upkeep, UpkeepListener
from handy_qwen.errors import HandyError
from handy_qwen.history.store import Places
from handy_qwen.runtime import watchdog
from handy_qwen.runtime.worker import Worker

if TYPE_CHECKING:  # slow to import
    from handy_qwen.audio.portaudio import PortAudio
    from handy_qwen.doctor import Context, Finding, Report


class UpkeepPresenter:
    """Implements ``core.upkeep.UpkeepCommands``.

    Threads: the methods are called on Qt's; ``listener`` on the thread ``upkeep``.

    Args:
        folder: The history's.
        library: The program's PortAudio, of which a process has only one; None before it is there.
    """

    def __init__(self, folder: Path, library: Callable[[], PortAudio | None]) -> None:
        self.listener: UpkeepListener = lambda _upkeep: None  # until there is one
        self._folder, self._library = folder, library
        self._shown = Upkeep()
        self._examined: tuple[Context, Report] | None = None
        self._told_as = "problem"  # the field for what goes wrong with the command under way
        self._worker = Worker("upkeep", is_lazy=True, on_error=self._on_error)
        self.workers: dict[str, Watched] = {watchdog.UPKEEP: self._worker}

    # --- called on Qt's thread -----------------------------------------------------------------------

    def check(self) -> None:
        """Look what works on this machine."""
        self._worker.do(self._check)

    def write_archive(self, target: Path) -> None:
        """Write the support archive."""
        self._worker.do(partial(self._write_archive, target))

    def measure_history(self) -> None:
        """Look how much the history holds."""
        self._worker.do(self._measure)

    def delete_history(self) -> None:
        """Delete all but the starred entries."""
        self._worker.do(self._delete)

    def close(self, timeout_s: float) -> None:
        """Finish what was asked for, and end the thread. Safe to call twice."""
        self._worker.stop(timeout_s)

    # --- called on "upkeep" --------------------------------------------------------------------------

    def _show(self, **changes: object) -> None:
        self._shown = replace(self._shown, **changes)  # type: ignore[arg-type]  # names of its fields
        self.listener(self._shown)

    def _on_error(self, error: HandyError) -> None:
        self._show(is_checking=False, **{self._told_as: Problem(error.title, error.hint)})

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
        self._worker.begin()  # a sign of life for the watchdog
        severity = {"ok": Severity.FINE, "warning": Severity.WARNING}.get(finding.status, Severity.PROBLEM)
        check = Check(finding.name, severity, finding.text, finding.remedy)
        self._show(checks=(*self._shown.checks, check))

    def _write_archive(self, target: Path) -> None:
        from handy_qwen.doctor.bundle import write_bundle

        self._told_as = "archive_problem"
        self._show(archive=None, archive_problem=None)
        if self._examined is None:
            self._check()
        assert self._examined is not None
        write_bundle(target, *self._examined, may_replace=True)  # whoever chose it was asked
        self._show(archive=target)

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

    def _delete(self) -> None:
        """What cannot be deleted does not save the others."""
        from handy_qwen.history.archive import Archive

        self._told_as = "problem"
        problem: Problem | None = None
        with Archive(self._folder) as archive:
            for number in [entry.id for entry in archive.newest() if not entry.is_starred]:
                try:
                    archive.delete(number)
                except HandyError as exc:
                    problem = Problem(exc.title, exc.hint)
                self._worker.begin()
            archive.forget_traces()
        self._measure()
        if problem is not None:
            self._show(problem=problem)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # deleted meanwhile
        return 0
