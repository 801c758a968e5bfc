"""The Models window: all models as cards, and a way in for those that come by another road."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QMenu, QVBoxLayout, QWidget

from handy_qwen.core.shelf import Shelf, ShelfKeeper, Standing
from handy_qwen.ui.windows import figures
from handy_qwen.ui.windows import model_words as words
from handy_qwen.ui.windows.model_card import ModelCard
from handy_qwen.ui.windows.parts import Quiet, Text, button
from handy_qwen.ui.windows.window import GAP_PX, AppWindow


class ModelsWindow(AppWindow):
    """Shows the last shelf it was given. Lives on Qt's thread."""

    left_at_work = Signal(str)  # closed while this model (its title) is being installed

    def __init__(self, keeper: ShelfKeeper) -> None:
        super().__init__("models", words.TITLE, QSize(760, 720))
        self._keeper = keeper
        self._shelf = Shelf()
        self._cards: dict[str, ModelCard] = {}
        self._names: list[str] = []
        self._introduction, self._looking, self._room = (
            Text(words.INTRODUCTION),
            Quiet(words.LOOKING),
            Quiet(),
        )
        self._room.hide()
        self._column = QVBoxLayout()
        self._column.setSpacing(GAP_PX)
        self.body.addWidget(self._introduction)
        self.body.addWidget(self._looking)
        self.body.addLayout(self._column)
        self.body.addStretch()
        self.body.addWidget(self._room)
        self.import_button = button(words.IMPORT)
        self.import_button.setMenu(self._import_menu())
        self.buttons.addWidget(self.import_button)
        self.shown.connect(keeper.refresh)
        self.hidden.connect(self._on_hidden)

    def show_shelf(self, shelf: Shelf) -> None:
        """Show ``shelf``."""
        is_first = not self._shelf.entries
        self._shelf = shelf
        self._looking.hide()
        self._room.show()
        self._introduction.setText(words.INTRODUCTION if shelf.has_full_model else words.ONLY_DEMO)
        self._room.setText(
            words.PLACE.format(folder=_short(shelf.folder), free=figures.size(shelf.free_bytes))
        )
        names = [entry.name for entry in shelf.entries]
        for name in set(self._cards) - set(names):
            card = self._cards.pop(name)
            self._column.removeWidget(card)
            card.deleteLater()
        for place, entry in enumerate(shelf.entries):
            self._card(entry.name, place).show_entry(entry, shelf)
        if names != self._names:
            self._names = names
            self.order_tabs()
        if is_first and self.isVisible():  # it came up before there was anything to press
            self.first_focus().setFocus(Qt.FocusReason.ActiveWindowFocusReason)

    def first_focus(self) -> QWidget:
        """The button that does most for the user: the first one of the first card that has one.

        Before there is any, the page, on which an early Enter does nothing.
        """
        buttons = [self._cards[entry.name].primary for entry in self._shelf.entries]
        return next((button for button in buttons if not button.isHidden()), self.scrolled)

    def _on_hidden(self) -> None:
        """Tell what goes on behind the closed window."""
        busy = [one.title for one in self._shelf.entries if one.standing is Standing.INSTALLING]
        if busy:
            self.left_at_work.emit(busy[0])

    def _card(self, name: str, place: int) -> ModelCard:
        """The card of ``name``, made if there is none, at its place."""
        card = self._cards.get(name)
        if card is None:
            card = self._cards[name] = ModelCard(self._keeper)
        if self._column.indexOf(card) != place:
            self._column.insertWidget(place, card)
        return card

    def _import_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction(words.IMPORT_FOLDER, self._ask_for_folder)
        menu.addAction(words.IMPORT_ARCHIVE, self._ask_for_archive)
        return menu

    def _ask_for_folder(self) -> None:
        dialog = QFileDialog(self, words.CHOOSE_FOLDER)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        self._open(dialog)

    def _ask_for_archive(self) -> None:
        dialog = QFileDialog(self, words.CHOOSE_ARCHIVE)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilter(words.ARCHIVES)
        self._open(dialog)

    def _open(self, dialog: QFileDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda chosen: self._keeper.import_from(Path(chosen)))
        dialog.open()


def _short(folder: Path) -> str:
    """A folder as people write it."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  Path's own raises where there is none
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
