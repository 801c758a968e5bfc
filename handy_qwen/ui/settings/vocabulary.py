"""The page Vocabulary: words that the model should know, and what is written for what was said."""

from __future__ import annotations

from handy_qwen.ui.settings.page import SettingsPage, Tools


class VocabularyPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.finish()
