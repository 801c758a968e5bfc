"""The guide's window, made when it is first asked for and kept up to date from then on."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Slot

from handy_qwen.core.events import Request
from handy_qwen.core.shelf import Shelf, ShelfKeeper
from handy_qwen.core.view import Commands, Meter, View
from handy_qwen.ui.bridge import Carrier
from handy_qwen.ui.setup.window import SetupWindow


class Guide(QObject):
    """Owns the window.

    Threads: made, closed and used on Qt's thread; ``open`` may be called from any.
    """

    def __init__(
        self,
        ask: Callable[[Request], None],
        commands: Commands,
        meter: Meter,
        keeper: ShelfKeeper,
    ) -> None:
        super().__init__()
        self._ask, self._commands, self._meter, self._keeper = ask, commands, meter, keeper
        self._view, self._shelf = View(), Shelf()
        self.window: SetupWindow | None = None
        self._calls = Carrier()
        self._calls.carried.connect(self._present)

    def open(self) -> None:
        """Bring the window up. Any thread."""
        self._calls.carry(None)

    @Slot(object)
    def show_view(self, view: View) -> None:
        """The program does something else now."""
        self._view = view
        if self.window is not None:
            self.window.show_view(view)

    @Slot(object)
    def show_shelf(self, shelf: Shelf) -> None:
        """The models are others now."""
        self._shelf = shelf
        if self.window is not None:
            self.window.show_shelf(shelf)

    def close(self) -> None:
        """Take the window off the screen. Safe to call twice."""
        if self.window is not None:
            self.window.close()

    @Slot(object)
    def _present(self, _nothing: object) -> None:
        if self.window is None:
            self.window = SetupWindow(self._ask, self._commands, self._meter, self._keeper)
            self.window.show_view(self._view)
            self.window.show_shelf(self._shelf)
        self._keeper.refresh()  # so that the models are there when their page comes up
        self.window.present()
