"""The page History and privacy: what is kept, how much and how long."""

from __future__ import annotations

from handy_qwen.ui.settings import words
from handy_qwen.ui.settings.page import SettingsPage, Tools


class HistoryAndPrivacyPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.add_section(words.STAYS_HERE, self.setting("history"), self.setting("private"))
        names = ("history_count", "history_days", "history_gb")
        self.add_section(words.LIMITS, *map(self.setting, names))
        self.finish()
