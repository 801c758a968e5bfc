"""All windows, made when they are first asked for and kept up to date from then on."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal, Slot

from handy_qwen.core.past import Past, PastKeeper
from handy_qwen.core.shelf import Shelf, ShelfKeeper
from handy_qwen.core.view import Commands, View, Window
from handy_qwen.ui.bridge import Carrier
from handy_qwen.ui.windows.help import HelpWindow
from handy_qwen.ui.windows.history import HistoryWindow
from handy_qwen.ui.windows.models import ModelsWindow


class Windows(QObject):
    """Owns the windows.

    Threads: made, closed and used on Qt's thread; ``on_shelf`` and ``on_past`` may be called from any.
    """

    shelf_changed = Signal(object)  # Shelf
    left_at_work = Signal(str)  # the Models window was closed while this model is being installed

    def __init__(self, shelf_keeper: ShelfKeeper, past_keeper: PastKeeper, commands: Commands) -> None:
        super().__init__()
        self._shelf_keeper, self._past_keeper, self._commands = shelf_keeper, past_keeper, commands
        self._view, self._shelf = View(), Shelf()
        self._models: ModelsWindow | None = None
        self._history: HistoryWindow | None = None
        self._help: HelpWindow | None = None
        self._shelves, self._pasts = Carrier(), Carrier()
        self._shelves.carried.connect(self._show_shelf)
        self._pasts.carried.connect(self._show_past)
        self.on_shelf: Callable[[Shelf], None] = self._shelves.carry
        self.on_past: Callable[[Past], None] = self._pasts.carry

    def open(self, window: Window) -> None:
        """Bring the Models, the History or the Help window to the front."""
        made = {Window.MODELS: self._models_window, Window.HISTORY: self._history_window}
        made.get(window, self._help_window)().present()

    @Slot(object)
    def show_view(self, view: View) -> None:
        """The program does something else now."""
        old, self._view = self._view.choices, view
        has_others = (old.model, old.models) != (view.choices.model, view.choices.models)
        if has_others and self._models is not None and self._models.isVisible():
            self._shelf_keeper.look()
        if self._history is not None:
            self._history.show_view(view)

    def close(self) -> None:
        """Take all windows off the screen. Safe to call twice."""
        for window in filter(None, (self._models, self._history, self._help)):
            window.blockSignals(True)  # nothing is told of it: the program ends
            window.close()

    def _models_window(self) -> ModelsWindow:
        if self._models is None:
            self._models = ModelsWindow(self._shelf_keeper)
            self._models.left_at_work.connect(self.left_at_work)
            if self._shelf.entries:  # else nobody has looked yet
                self._models.show_shelf(self._shelf)
        return self._models

    def _history_window(self) -> HistoryWindow:
        if self._history is None:
            self._history = HistoryWindow(self._past_keeper, self._commands)
            self._history.show_view(self._view)
        return self._history

    def _help_window(self) -> HelpWindow:
        if self._help is None:
            self._help = HelpWindow()
        return self._help

    @Slot(object)
    def _show_shelf(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.shelf_changed.emit(shelf)
        if self._models is not None:
            self._models.show_shelf(shelf)

    @Slot(object)
    def _show_past(self, past: Past) -> None:
        if self._history is not None:
            self._history.show_past(past)
