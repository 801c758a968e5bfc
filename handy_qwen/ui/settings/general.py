"""The page General: how the program starts, and what it shows and sounds like."""

from __future__ import annotations

from PySide6.QtWidgets import QCheckBox

from handy_qwen.core.upkeep import Upkeep
from handy_qwen.core.view import View, Window
from handy_qwen.ui.settings import words
from handy_qwen.ui.settings.backup import BackupRow
from handy_qwen.ui.settings.page import SettingsPage, Tools
from handy_qwen.ui.settings.row import Row
from handy_qwen.ui.widgets import Button


class GeneralPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._autostart = QCheckBox()
        self._autostart.clicked.connect(tools.commands.use_autostart)
        autostart = Row(
            words.AUTOSTART, self._autostart, help=words.AUTOSTART_HELP, also=words.FOUND_BY["autostart"]
        )
        play = Button(words.PLAY, tools.commands.play_sounds)
        play.setAccessibleName(words.PLAY_NAME)
        sounds = self.setting("sounds", beside=play)
        self.add_section("", autostart, self.setting("overlay"), sounds)
        self.backup = BackupRow(tools.upkeep)
        guide = Button(words.RUN_SETUP, lambda: tools.commands.open_window(Window.SETUP))
        self.add_section("", Row(words.SETUP, guide, help=words.SETUP_HELP), self.backup)

    def enter(self) -> None:
        """See whether there is another program's settings to take over."""
        self.tools.upkeep.look_for_handy()

    def show_upkeep(self, upkeep: Upkeep) -> None:
        """Say what came of a backup."""
        self.backup.show_upkeep(upkeep)

    def show_view(self, view: View) -> None:
        """Show whether the program starts at login."""
        self._autostart.setChecked(view.choices.is_autostarted)
