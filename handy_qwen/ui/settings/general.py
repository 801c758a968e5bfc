"""The page General: how the program starts, and what it shows and sounds like."""

from __future__ import annotations

from PySide6.QtWidgets import QCheckBox

from handy_qwen.core.upkeep import Upkeep
from handy_qwen.core.view import View, Window
from handy_qwen.settings import SettingsView
from handy_qwen.settings.fields import DEFAULT_DEVICE
from handy_qwen.ui.settings import words
from handy_qwen.ui.settings.backup import BackupRow
from handy_qwen.ui.settings.controls import ChoiceControl
from handy_qwen.ui.settings.page import SettingsPage, Tools
from handy_qwen.ui.settings.row import Row
from handy_qwen.ui.translation import is_used, languages, native_name, translated
from handy_qwen.ui.widgets import Button, Outcome


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
        entries = [("", translated(DEFAULT_DEVICE)), *((one, native_name(one)) for one in languages())]
        self._language, self.restart = "", Outcome(words.RESTART)
        self.restart.undo_button.clicked.connect(lambda _checked: tools.commands.quit(and_again=True))
        language = self.setting("interface_language", ChoiceControl(entries), below=self.restart)
        self.add_section("", autostart, self.setting("overlay"), sounds, language)
        self.backup = BackupRow(tools.upkeep)
        guide = Button(words.RUN_SETUP, lambda: tools.commands.open_window(Window.SETUP))
        self.add_section("", Row(words.SETUP, guide, help=words.SETUP_HELP), self.backup)

    def enter(self) -> None:
        """See whether there is another program's settings to take over."""
        self.tools.upkeep.look_for_handy()

    def show_settings(self, shown: SettingsView) -> None:
        """Offer the restart that another language of the windows needs."""
        super().show_settings(shown)
        before, self._language = self._language, shown.values.interface_language
        if self._language != before:
            self.restart.say("" if is_used(self._language) else words.RESTART_HINT, can_undo=True)

    def show_upkeep(self, upkeep: Upkeep) -> None:
        """Say what came of a backup."""
        self.backup.show_upkeep(upkeep)

    def show_view(self, view: View) -> None:
        """Show whether the program starts at login."""
        self._autostart.setChecked(view.choices.is_autostarted)
