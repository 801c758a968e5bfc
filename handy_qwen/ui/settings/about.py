"""The page Help and about: checks of this machine, folders, and information about the program."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from handy_qwen import paths
from handy_qwen.core.upkeep import Check, Severity, Upkeep
from handy_qwen.core.view import Window
from handy_qwen.settings.forms import Page
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import SMALL_GAP_PX, FlowLayout, column, row
from handy_qwen.ui.settings.page import Row, SettingsPage, Tools
from handy_qwen.ui.translation import ntr, tr
from handy_qwen.ui.widgets import Button, Icon, SecondaryText, Text, announce
from handy_qwen.ui.window import ask_where_to_save

_ICONS = {
    Severity.FINE: ("mark-good", "good"),
    Severity.WARNING: ("mark-warning", "problem"),
    Severity.PROBLEM: ("mark-warning", "recording"),
}
Go = Callable[[Page], None]
_NOT_CHECKED = tr("Not checked yet.")
# Translators: what came of a check of this computer.
_SEVERITIES = {Severity.FINE: tr("Fine"), Severity.WARNING: tr("Warning"), Severity.PROBLEM: tr("Problem")}
_FIX_MICROPHONE = tr("Choose a microphone")
_FIX_HISTORY = tr("Keep less history")
_ARCHIVE = tr("Support archive")
# Translators: a button: open the folder.
_OPEN = tr("Open")


class AboutPage(SettingsPage):
    """Created and used on Qt's thread.

    Args:
        tools: See ``SettingsPage``.
        go: Shows another page.
    """

    def __init__(self, tools: Tools, go: Go) -> None:
        super().__init__(tools)
        self._go, self._upkeep = go, Upkeep()
        self._again = Button(tr("Check again"), tools.upkeep.check)
        self._checks = _Checks(self._fixes())
        self._state = Row(
            tr("What works on this computer"), self._again, help=_NOT_CHECKED, below=self._checks
        )
        self.add_section(tr("Health"), self._state)
        archive = Button(tr("Save…"), self._ask_for_archive)
        self._archive = Row(
            _ARCHIVE,
            archive,
            help=tr(
                "This report, versions and logs, to attach when you ask for help. Nothing you said is in it."
            ),
        )
        pages = Button(tr("Open manual…"), lambda: tools.commands.open_window(Window.HELP))
        self.add_section(
            tr("Help"),
            Row(tr("Manual"), pages, help=tr("Dictating, models, privacy, troubleshooting.")),
            self._archive,
        )
        file = Button(strings.without_letter(tr("Open the &file")), tools.commands.open_settings_file)
        folders = [Row(tr("Settings file"), file, help=_breakable(paths.settings_file()))]
        for title, folder in _folders():
            opened = Button(_OPEN, partial(_open, folder))
            folders.append(Row(title, opened, help=_breakable(folder)))
        self.add_section(tr("Folders"), *folders)
        self.add_section(
            tr("About"),
            Row(
                strings.VERSION,
                help=tr(
                    "Free software under the MIT licence. It uses Qt, under the LGPL. The full models are "
                    "Qwen3-ASR by Alibaba Cloud, under the Apache licence 2.0; the Models window shows the "
                    "licence of each model."
                ),
            ),
        )

    def enter(self) -> None:
        """Run the checks, unless that was done already."""
        if not self._upkeep.checks and not self._upkeep.is_checking:
            self.tools.upkeep.check()

    def show_upkeep(self, upkeep: Upkeep) -> None:
        """Show the findings so far."""
        before, self._upkeep = self._upkeep, upkeep
        self._checks.show_checks(upkeep.checks)
        summary = _summary(upkeep)
        self._state.set_help(summary)
        self._again.setEnabled(not upkeep.is_checking)
        if before.is_checking and not upkeep.is_checking:
            announce(self, summary)
        if upkeep.archive is not None and upkeep.archive != before.archive:
            self._archive.trouble.say(tr("Saved as {file}.").format(file=upkeep.archive), "good")
        elif (problem := upkeep.archive_problem) is not None and problem != before.archive_problem:
            self._archive.refuse(problem.title, problem.hint)

    def _fixes(self) -> dict[str, tuple[str, Callable[[], None]]]:
        """Actions against findings, by name of the check: title and function."""
        commands = self.tools.commands
        return {
            "model": (tr("Open Models…"), lambda: commands.open_window(Window.MODELS)),
            "settings": (tr("Open the settings file"), commands.open_settings_file),
            "microphone": (_FIX_MICROPHONE, lambda: self._go(Page.MICROPHONE)),
            "sound": (_FIX_MICROPHONE, lambda: self._go(Page.MICROPHONE)),
            "hotkeys": (tr("Choose another key"), lambda: self._go(Page.SHORTCUT)),
            "insertion": (tr("Insert text another way"), lambda: self._go(Page.TEXT)),
            "words": (tr("Shorten the list of words"), lambda: self._go(Page.VOCABULARY)),
            "history": (_FIX_HISTORY, lambda: self._go(Page.HISTORY)),
            "disk": (_FIX_HISTORY, lambda: self._go(Page.HISTORY)),
            "autostart": (tr("Start at login again"), lambda: commands.use_autostart(True)),
        }

    def _ask_for_archive(self) -> None:
        kinds = {".zip": tr("Zip archive (*.zip)")}
        ask_where_to_save(self, _ARCHIVE, "handy-qwen-support", kinds, self.tools.upkeep.write_archive)


class _Checks(QWidget):
    """A line per check: a mark, the finding, its remedy, and possibly a button."""

    def __init__(self, fixes: dict[str, tuple[str, Callable[[], None]]]) -> None:
        super().__init__()
        self._fixes = fixes
        self._shown: tuple[Check, ...] = ()
        self._lines: list[QWidget] = []
        self._column = column(gap_px=SMALL_GAP_PX, parent=self)

    def show_checks(self, checks: tuple[Check, ...]) -> None:
        """Show ``checks``; existing lines stay in place."""
        known = len(self._shown) if checks[: len(self._shown)] == self._shown else 0
        for line in self._lines[known:]:
            self._column.removeWidget(line)
            line.hide()
            line.deleteLater()
        del self._lines[known:]
        for check in checks[known:]:
            self._lines.append(line := self._line(check))
            self._column.addWidget(line)
        self._shown = checks

    def _line(self, check: Check) -> QWidget:
        mark = Icon()
        mark.set_drawing(*_ICONS[check.severity])
        mark.setAccessibleName(_SEVERITIES[check.severity])
        remedy = SecondaryText(_unbroken(check.remedy), scale=0.92)
        if not check.remedy:
            remedy.hide()
        said = column(Text(check.text), remedy, gap_px=2)
        if check.severity is not Severity.FINE and check.name in self._fixes:
            title, do = self._fixes[check.name]
            fix = Button(title, do)
            fix.setAccessibleDescription(check.text)
            line = FlowLayout(gap_px=SMALL_GAP_PX)
            line.push(fix)
            said.addLayout(line)
        whole = QWidget()
        parts = row(mark, (said, 1), gap_px=SMALL_GAP_PX, parent=whole)
        parts.setAlignment(mark, Qt.AlignmentFlag.AlignTop)
        return whole


def _breakable(path: Path) -> str:
    """``path`` with break opportunities at Windows' backslashes, where Qt sees none."""
    return str(path).replace("\\", "\\\N{ZERO WIDTH SPACE}")


def _unbroken(remedy: str) -> str:
    """``remedy`` without line breaks after the hyphens of an option (--start). It cannot be copied."""
    return remedy.replace("--", "--\N{WORD JOINER}")


def _open(folder: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def _folders() -> list[tuple[str, Path]]:
    """The folders that people look for, and their titles."""
    return [
        (tr("Models"), paths.models_dir()),
        (tr("History and other data"), paths.data_dir()),
        (tr("Logs"), paths.log_dir()),
    ]


def _summary(upkeep: Upkeep) -> str:
    """The result of the checks, in a sentence."""
    if upkeep.is_checking:
        return tr("Checking…")
    bad = sum(check.severity is not Severity.FINE for check in upkeep.checks)
    if not upkeep.checks:
        return _NOT_CHECKED
    if not bad:
        return tr("Everything works.")
    return ntr("{count} thing to look at.", "{count} things to look at.", bad).format(
        count=strings.whole(bad)
    )
