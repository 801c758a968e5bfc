"""The words of the page History and privacy."""

from __future__ import annotations

from handy_qwen.core.upkeep import HistoryUse
from handy_qwen.ui.strings import size
from handy_qwen.ui.translation import ntr, tr

STAYS_HERE, LIMITS, NOW = (
    tr("Everything stays on this computer"),
    tr("Keep at most"),
    tr("In the history now"),
)
LOOK, OPEN_HISTORY = tr("Dictations"), tr("Open History…")
USE_UNKNOWN = tr("Counting…")
DELETE, DELETE_ALL = tr("Delete the history"), tr("Delete all…")
DELETE_HELP = tr("Deletes text and sound for good. Starred dictations stay.")
DELETE_YES, DELETE_NO = tr("&Delete for good"), tr("&Keep")


def used(use: HistoryUse) -> str:
    """What is there: "812 dictations, 12 of them starred; their sound uses 1.2 GB."."""
    said = ntr("{count} dictation", "{count} dictations", use.entries).format(count=f"{use.entries:n}")
    if use.starred:
        said = tr("{dictations}, {count} of them starred").format(dictations=said, count=f"{use.starred:n}")
    return tr("{dictations}; their sound uses {size} now.").format(
        dictations=said, size=size(use.sound_bytes)
    )


def delete_question(use: HistoryUse) -> str:
    """What is asked before all is deleted."""
    count = use.entries - use.starred
    return ntr("Delete {count} dictation?", "Delete {count} dictations?", count).format(count=f"{count:n}")


def delete_detail(use: HistoryUse) -> str:
    """What that means."""
    if not use.starred:
        return tr("Their texts and their sound cannot be brought back.")
    stays = ntr("{count} starred one stays.", "{count} starred ones stay.", use.starred)
    gone = tr("Their texts and their sound cannot be brought back.")
    return f"{gone} {stays.format(count=f'{use.starred:n}')}"
