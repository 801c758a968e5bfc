"""The page General: startup, appearance and sounds."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QCheckBox

from handy_qwen.core.types import BackupPart
from handy_qwen.core.upkeep import Upkeep, UpkeepCommands
from handy_qwen.core.view import View, Window
from handy_qwen.settings import SettingsView
from handy_qwen.settings.fields import DEFAULT_DEVICE
from handy_qwen.ui.layouts import GAP_PX, SMALL_GAP_PX, FlowLayout, column
from handy_qwen.ui.settings.controls import ChoiceControl
from handy_qwen.ui.settings.page import Row, SettingsPage, Tools
from handy_qwen.ui.translation import is_used, languages, native_name, tr, translated
from handy_qwen.ui.widgets import Button, Outcome
from handy_qwen.ui.window import ask_what_to_open, ask_where_to_save

_BACKUP = tr("Backup")
_PARTS = {
    BackupPart.SETTINGS: tr("Settings"),
    BackupPart.APPS: tr("Apps"),
    BackupPart.WORDS: tr("Words"),
    BackupPart.REPLACEMENTS: tr("Replacements"),
}
_IMPORT_KINDS = (tr("Backups and Handy's settings (*.toml *.json)"), tr("All files (*)"))


class GeneralPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._autostart = QCheckBox()
        self._autostart.clicked.connect(tools.commands.use_autostart)
        autostart = Row(
            tr("Start when I log in"),
            self._autostart,
            help=tr("Starts in the background, without a window."),
            also=tr("autostart startup boot background"),
        )
        play = Button(tr("▶ Play"), tools.commands.play_sounds)
        play.setAccessibleName(tr("Play the sounds"))
        sounds = self.setting("sounds", beside=play)
        entries = [("", translated(DEFAULT_DEVICE)), *((one, native_name(one)) for one in languages())]
        self._language, self.restart = "", Outcome(tr("&Restart Handy Qwen"))
        self.restart.undo_button.clicked.connect(lambda _checked: tools.commands.quit(and_again=True))
        language = self.setting("interface_language", ChoiceControl(entries), below=self.restart)
        self.add_section("", autostart, self.setting("overlay"), sounds, language)
        self.backup = BackupRow(tools.upkeep)
        guide = Button(tr("Run setup…"), lambda: tools.commands.open_window(Window.SETUP))
        self.add_section(
            "",
            Row(
                tr("Set up again"),
                guide,
                help=tr("Test the microphone, choose a key and a model, step by step."),
            ),
            self.backup,
        )

    def enter(self) -> None:
        """Check whether another program's settings can be imported."""
        self.tools.upkeep.look_for_handy()

    def show_settings(self, shown: SettingsView) -> None:
        """Offer the restart needed for another interface language."""
        super().show_settings(shown)
        before, self._language = self._language, shown.values.interface_language
        if self._language != before:
            self.restart.say(
                "" if is_used(self._language) else tr("The new language shows after a restart."),
                can_undo=True,
            )

    def show_upkeep(self, upkeep: Upkeep) -> None:
        """Show the outcome of a backup."""
        self.backup.show_upkeep(upkeep)

    def show_view(self, view: View) -> None:
        """Show whether the program starts at login."""
        self._autostart.setChecked(view.choices.is_autostarted)


class BackupRow(Row):
    """Exporting and importing all settings: which parts, the file, and the outcome."""

    def __init__(self, commands: UpkeepCommands) -> None:
        self._commands, self._upkeep = commands, Upkeep()
        self.parts = {part: QCheckBox(title) for part, title in _PARTS.items()}
        for box in self.parts.values():
            box.setChecked(True)
            box.toggled.connect(lambda _is_on: self._update())
        self.export_button = Button(tr("&Export…"), self._ask_where_to_export)
        self.import_button = Button(tr("&Import…"), self._ask_what_to_import)
        self.handy_button = Button(tr("Import from &Handy"), self._import_handy)
        self.handy_button.hide()
        self.told = Outcome(tr("Und&o"))
        self.told.undo_button.clicked.connect(lambda _checked: commands.undo_import())
        buttons = (self.export_button, self.import_button, self.handy_button)
        below = column(
            FlowLayout(*self.parts.values(), gap_px=GAP_PX),
            FlowLayout(*buttons, gap_px=SMALL_GAP_PX),
            self.told,
            gap_px=SMALL_GAP_PX,
        )
        super().__init__(
            _BACKUP,
            help=tr("What you have set up, in one file that you can read."),
            below=below,
            focus=self.export_button,
            also=tr("export import restore transfer migrate handy another computer"),
        )

    def show_upkeep(self, upkeep: Upkeep) -> None:
        """Show the outcome of the last command."""
        before, self._upkeep = self._upkeep, upkeep
        self.handy_button.setVisible(upkeep.handy is not None)
        if upkeep.moved.number != before.moved.number:
            told = upkeep.moved
            can_undo = upkeep.can_undo
            self.told.say(told.title, told.hint, is_problem=told.is_problem, can_undo=can_undo)

    @property
    def _chosen(self) -> list[BackupPart]:
        return [part for part, box in self.parts.items() if box.isChecked()]

    def _update(self) -> None:
        for button in (self.export_button, self.import_button, self.handy_button):
            button.setEnabled(bool(self._chosen))

    def _ask_where_to_export(self) -> None:
        def export(path: Path) -> None:
            self._commands.export_backup(path, self._chosen)

        ask_where_to_save(self, _BACKUP, "handy-qwen", {".toml": tr("Backup (*.toml)")}, export)

    def _ask_what_to_import(self) -> None:
        def use(path: Path) -> None:
            self._commands.import_backup(path, self._chosen)

        ask_what_to_open(self, tr("Import a backup"), _IMPORT_KINDS, use)

    def _import_handy(self) -> None:
        if self._upkeep.handy is not None:
            self._commands.import_backup(self._upkeep.handy, self._chosen)
