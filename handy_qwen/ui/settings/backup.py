"""All that was set up, to a file and from one: a row of the page General."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QFileDialog

from handy_qwen.core.types import Part
from handy_qwen.core.upkeep import Upkeep, UpkeepCommands
from handy_qwen.ui.layouts import GAP_PX, SMALL_GAP_PX, FlowLayout, column
from handy_qwen.ui.saving import ask_where_to_save
from handy_qwen.ui.settings import words
from handy_qwen.ui.settings.row import Row
from handy_qwen.ui.widgets import Button, Outcome


class BackupRow(Row):
    """Which parts, where to, and what came of it. Made and used on Qt's thread."""

    def __init__(self, commands: UpkeepCommands) -> None:
        self._commands, self._upkeep = commands, Upkeep()
        self.parts = {part: QCheckBox(title) for part, title in words.PARTS.items()}
        for box in self.parts.values():
            box.setChecked(True)
            box.toggled.connect(lambda _is_on: self._update())
        self.export_button = Button(words.EXPORT, self._ask_where_to_export)
        self.import_button = Button(words.IMPORT, self._ask_what_to_import)
        self.handy_button = Button(words.IMPORT_HANDY, self._import_handy)
        self.handy_button.hide()
        self.told = Outcome(words.UNDO)
        self.told.undo_button.clicked.connect(lambda _checked: commands.undo_import())
        buttons = (self.export_button, self.import_button, self.handy_button)
        below = column(
            FlowLayout(*self.parts.values(), gap_px=GAP_PX),
            FlowLayout(*buttons, gap_px=SMALL_GAP_PX),
            self.told,
            gap_px=SMALL_GAP_PX,
        )
        super().__init__(
            words.BACKUP,
            help=words.BACKUP_HELP,
            below=below,
            focus=self.export_button,
            also=words.BACKUP_ALSO,
        )

    def show_upkeep(self, upkeep: Upkeep) -> None:
        """Say what came of the last command."""
        before, self._upkeep = self._upkeep, upkeep
        self.handy_button.setVisible(upkeep.handy is not None)
        if upkeep.moved.number != before.moved.number:
            told = upkeep.moved
            can_undo = upkeep.can_undo
            self.told.say(told.title, told.hint, is_problem=told.is_problem, can_undo=can_undo)

    @property
    def _chosen(self) -> list[Part]:
        return [part for part, box in self.parts.items() if box.isChecked()]

    def _update(self) -> None:
        for button in (self.export_button, self.import_button, self.handy_button):
            button.setEnabled(bool(self._chosen))

    def _ask_where_to_export(self) -> None:
        def export(path: Path) -> None:
            self._commands.export_backup(path, self._chosen)

        ask_where_to_save(self, words.BACKUP, words.BACKUP_NAME, {".toml": words.BACKUP_KIND}, export)

    def _ask_what_to_import(self) -> None:
        dialog = QFileDialog(self, words.IMPORT_TITLE)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters(list(words.IMPORT_KINDS))
        dialog.fileSelected.connect(lambda path: self._commands.import_backup(Path(path), self._chosen))
        dialog.open()

    def _import_handy(self) -> None:
        if self._upkeep.handy is not None:
            self._commands.import_backup(self._upkeep.handy, self._chosen)
