"""The page Help and about: what works on this machine, where everything is, and what this program is."""

from __future__ import annotations

from handy_qwen.core.view import Window
from handy_qwen.ui import strings
from handy_qwen.ui.settings import words
from handy_qwen.ui.settings.page import SettingsPage, Tools
from handy_qwen.ui.settings.row import Row
from handy_qwen.ui.widgets import Button


class AboutPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        pages = Button(words.HELP_PAGES, lambda: tools.commands.open_window(Window.HELP))
        file = Button(words.OPEN_FILE, tools.commands.open_settings_file)
        self.add_section("", Row(strings.VERSION, pages), Row(words.SETTINGS_FILE, file))
        self.finish()
