"""The page History and privacy: what is kept, how much and for how long."""

from __future__ import annotations

from handy_qwen.core.upkeep import HistoryUse, Upkeep
from handy_qwen.core.view import Window
from handy_qwen.ui.settings.controls import line_up
from handy_qwen.ui.settings.page import Row, SettingsPage, Tools
from handy_qwen.ui.strings import size, whole
from handy_qwen.ui.translation import ntr, tr
from handy_qwen.ui.widgets import Button
from handy_qwen.ui.window import confirm

_UNKNOWN = tr("Counting…")


class HistoryAndPrivacyPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._upkeep = Upkeep()
        self.add_section(
            tr("Everything stays on this computer"), self.setting("history"), self.setting("private")
        )
        names = ("history_count", "history_days", "history_gb")
        limits = [self.setting(name) for name in names]
        line_up(one.setting for one in limits)
        self.add_section(tr("Keep at most"), *limits)
        window = Button(tr("Open History…"), lambda: tools.commands.open_window(Window.HISTORY))
        self._delete = Button(tr("Delete all…"), self._ask_to_delete)
        self._use = Row(tr("Dictations"), window, help=_UNKNOWN)
        self._gone = Row(
            tr("Delete the history"),
            self._delete,
            help=tr("Deletes text and sound for good. Starred dictations stay."),
        )
        self.add_section(tr("In the history now"), self._use, self._gone)

    def enter(self) -> None:
        """Measure the history."""
        self.tools.upkeep.measure_history()

    def show_upkeep(self, upkeep: Upkeep) -> None:
        """Show the size of the history."""
        before, self._upkeep = self._upkeep, upkeep
        use = upkeep.history
        self._use.set_help(_used(use) if use is not None else _UNKNOWN)
        self._delete.setEnabled(use is not None and use.entries > use.starred)
        if upkeep.problem != before.problem:
            problem = upkeep.problem
            self._gone.refuse(problem.title if problem else "", problem.hint if problem else "")

    def _ask_to_delete(self) -> None:
        use = self._upkeep.history
        if use is not None:
            confirm(
                self,
                _delete_question(use),
                _delete_detail(use),
                yes=tr("&Delete for good"),
                no=tr("&Keep"),
                do=self.tools.upkeep.delete_history,
            )


def _used(use: HistoryUse) -> str:
    """The size of the history: "812 dictations, 12 of them starred; their sound uses 1.2 GB."."""
    said = ntr("{count} dictation", "{count} dictations", use.entries).format(count=whole(use.entries))
    if use.starred:
        said = tr("{dictations}, {count} of them starred").format(dictations=said, count=whole(use.starred))
    return tr("{dictations}; their sound uses {size} now.").format(
        dictations=said, size=size(use.sound_bytes)
    )


def _delete_question(use: HistoryUse) -> str:
    """The question before all is deleted."""
    count = use.entries - use.starred
    return ntr("Delete {count} dictation?", "Delete {count} dictations?", count).format(count=whole(count))


def _delete_detail(use: HistoryUse) -> str:
    """Its consequences."""
    if not use.starred:
        return tr("Their texts and their sound cannot be brought back.")
    stays = ntr("{count} starred one stays.", "{count} starred ones stay.", use.starred)
    gone = tr("Their texts and their sound cannot be brought back.")
    return f"{gone} {stays.format(count=whole(use.starred))}"
