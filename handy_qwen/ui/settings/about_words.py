"""The words of the page Help and about."""

from __future__ import annotations

from pathlib import Path

from handy_qwen import paths
from handy_qwen.core.upkeep import Severity, Upkeep
from handy_qwen.ui.settings.words import HELP_PAGES, OPEN_FILE, SETTINGS_FILE
from handy_qwen.ui.translation import ntr, tr

__all__ = ["HELP_PAGES", "OPEN_FILE", "SETTINGS_FILE"]
HEALTH, HELP, FOLDERS, ABOUT = tr("Health"), tr("Help"), tr("Folders"), tr("About")
CHECKS, CHECK_AGAIN = tr("What works on this computer"), tr("Check again")
NOT_CHECKED, CHECKING, ALL_WELL = tr("Not checked yet."), tr("Checking…"), tr("Everything works.")
# Translators: what came of a check of this computer.
SEVERITIES = {Severity.FINE: tr("Fine"), Severity.WARNING: tr("Warning"), Severity.PROBLEM: tr("Problem")}
FIX_MODEL, FIX_FILE = tr("Open Models…"), tr("Open the settings file")
FIX_MICROPHONE, FIX_HOTKEYS = tr("Choose a microphone"), tr("Choose another key")
FIX_INSERTION, FIX_WORDS = tr("Insert text another way"), tr("Shorten the list of words")
FIX_HISTORY, FIX_AUTOSTART = tr("Keep less history"), tr("Start at login again")
MANUAL, MANUAL_HELP = tr("Manual"), tr("Dictating, models, privacy, troubleshooting.")
ARCHIVE, WRITE_ARCHIVE = tr("Support archive"), tr("Save…")
ARCHIVE_HELP = tr(
    "This report, versions and logs, to attach when you ask for help. Nothing you said is in it."
)
ARCHIVE_NAME, ARCHIVE_KIND = "handy-qwen-support", tr("Zip archive (*.zip)")
ARCHIVE_WRITTEN = tr("Saved as {file}.")
# Translators: a button: open the folder.
OPEN_FOLDER = tr("Open")
LICENCES = tr(
    "Free software under the MIT licence. The speech models are Qwen3-ASR by Alibaba Cloud, under the Apache "
    "licence 2.0; their page in Models names the licence of each."
)


def folders() -> list[tuple[str, Path]]:
    """The folders that people look for, and their titles."""
    return [
        (tr("Models"), paths.models_dir()),
        (tr("History and other data"), paths.data_dir()),
        (tr("Logs"), paths.log_dir()),
    ]


def summary(upkeep: Upkeep) -> str:
    """How the checks went, in a sentence."""
    if upkeep.is_checking:
        return CHECKING
    bad = sum(check.severity is not Severity.FINE for check in upkeep.checks)
    if not upkeep.checks:
        return NOT_CHECKED
    return (
        ntr("{count} thing to look at.", "{count} things to look at.", bad).format(count=bad)
        if bad
        else ALL_WELL
    )
