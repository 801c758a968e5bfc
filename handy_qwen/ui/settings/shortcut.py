"""The page Shortcut: which keys are dictated with, and how."""

from __future__ import annotations

from handy_qwen.ui.settings import words
from handy_qwen.ui.settings.page import SettingsPage, Tools


class ShortcutPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.add_section("", self.setting("mode"))
        self.add_section(words.TIMES, *(self.setting(name) for name in ("hold_s", "silence_s", "max_take_s")))
        self.finish()
