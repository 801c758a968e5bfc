"""The page History and privacy: what is kept, how much and how long."""

from __future__ import annotations

from handy_qwen.core.upkeep import Upkeep
from handy_qwen.core.view import Window
from handy_qwen.ui.settings import history_words as words
from handy_qwen.ui.settings.page import SettingsPage, Tools
from handy_qwen.ui.settings.row import Row
from handy_qwen.ui.widgets import Button, confirm


class HistoryAndPrivacyPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._upkeep = Upkeep()
        self.add_section(words.STAYS_HERE, self.setting("history"), self.setting("private"))
        names = ("history_count", "history_days", "history_gb")
        self.add_section(words.LIMITS, *map(self.setting, names))
        window = Button(words.OPEN_HISTORY, lambda: tools.commands.open_window(Window.HISTORY))
        self._delete = Button(words.DELETE_ALL, self._ask_to_delete)
        self._use = Row(words.LOOK, window, help=words.USE_UNKNOWN)
        self._gone = Row(words.DELETE, self._delete, help=words.DELETE_HELP)
        self.add_section(words.NOW, self._use, self._gone)

    def enter(self) -> None:
        """Look how much there is."""
        self.tools.upkeep.measure_history()

    def show_upkeep(self, upkeep: Upkeep) -> None:
        """Show how much there is."""
        before, self._upkeep = self._upkeep, upkeep
        use = upkeep.history
        self._use.set_help(words.used(use) if use is not None else words.USE_UNKNOWN)
        self._delete.setEnabled(use is not None and use.entries > use.starred)
        if upkeep.problem != before.problem:
            problem = upkeep.problem
            self._gone.refuse(problem.title if problem else "", problem.hint if problem else "")

    def _ask_to_delete(self) -> None:
        use = self._upkeep.history
        if use is not None:
            confirm(
                self,
                words.delete_question(use),
                words.delete_detail(use),
                yes=words.DELETE_YES,
                no=words.DELETE_NO,
                do=self.tools.upkeep.delete_history,
            )
