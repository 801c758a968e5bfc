"""The page Text: how a text gets into a window, and what is done to it before."""

from __future__ import annotations

from handy_qwen.ui.settings import words
from handy_qwen.ui.settings.page import SettingsPage, Tools


class TextPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.add_section(words.INSERTION, self.setting("method"), self.setting("submit"))
        names = ("smart_spacing", "trailing_space", "remove_fillers")
        self.add_section(words.WORDING, *map(self.setting, names))
        self.finish()
