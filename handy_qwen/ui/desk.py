"""Tray, main window and overlay together: all that the program shows unasked."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from handy_qwen.core.events import Request, Requested
from handy_qwen.core.models import ModelCommands, ModelList
from handy_qwen.core.ports import Post
from handy_qwen.core.view import Commands, HistoryCommands, HistoryPage, Meter, View, Window
from handy_qwen.ui.icons import app_icon
from handy_qwen.ui.overlay import OverlayWindow
from handy_qwen.ui.setup.window import SetupWindow
from handy_qwen.ui.style import use_outlines
from handy_qwen.ui.tray import Tray
from handy_qwen.ui.windows.help import HelpWindow
from handy_qwen.ui.windows.history import HistoryWindow
from handy_qwen.ui.windows.main import MainWindow
from handy_qwen.ui.windows.models import ModelsWindow


class Desk(QObject):
    """Owns tray, main window and overlay and keeps them up to date.

    Threads: made, closed and used on Qt's thread; ``on_view`` may be called from any.
    """

    def __init__(
        self,
        post: Post,
        commands: Commands,
        meter: Meter,
        is_composited: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__()
        QApplication.setWindowIcon(app_icon())
        use_outlines()
        self._post = post
        self._bridge = Bridge()
        self._tray = Tray(self._ask, commands)
        self._overlay = OverlayWindow(meter, is_composited)
        self._bridge.view_changed.connect(self._show)
        self.view_changed = self._bridge.view_changed
        self.on_view = self._bridge.on_view
        self._main: MainWindow | None = None
        self._view = View()
        self._commands = commands
        self._tray.show(self._view)

    @staticmethod
    def has_tray() -> bool:
        """Whether the desktop has a tray."""
        return QSystemTrayIcon.isSystemTrayAvailable()

    def open(self) -> None:
        """Bring the main window to the front."""
        if self._main is None:
            self._main = MainWindow(self._tray.menu, self._commands)
            self._main.show_view(self._view)
        self._main.present()

    @Slot(object)
    def show_shelf(self, shelf: ModelList) -> None:
        """Tell in the menu how far an installation is."""
        self._tray.show_shelf(shelf)

    def close(self) -> None:
        """Take everything off the screen. Safe to call twice."""
        self._bridge.view_changed.disconnect(self._show)
        if self._main is not None:
            self._main.close()
        self._tray.close()
        self._overlay.close()

    @Slot(object)
    def _show(self, view: View) -> None:
        self._view = view
        self._tray.show(view)
        self._overlay.show_view(view)
        if self._main is not None:
            self._main.show_view(view)

    def _ask(self, what: Request) -> None:
        self._post(Requested(what, time.monotonic()))


class Carrier(QObject):
    """Carries one kind of value. Lives on the main thread."""

    carried = Signal(object)

    def carry(self, value: object) -> None:
        """Hand ``value`` over. Any thread."""
        self.carried.emit(value)


class Bridge(QObject):
    """Signals for the widgets. Lives on the main thread."""

    view_changed = Signal(object)  # View

    def on_view(self, view: View) -> None:
        """Show ``view``. Called on the controller's thread."""
        self.view_changed.emit(view)


class Windows(QObject):
    """Owns the windows.

    Threads: made, closed and used on Qt's thread; ``on_shelf`` and ``on_past`` may be called from any.
    """

    shelf_changed = Signal(object)  # Shelf
    left_at_work = Signal(str)  # the Models window was closed while this model is being installed

    def __init__(self, shelf_keeper: ModelCommands, past_keeper: HistoryCommands, commands: Commands) -> None:
        super().__init__()
        self._shelf_keeper, self._past_keeper, self._commands = shelf_keeper, past_keeper, commands
        self._view, self._shelf = View(), ModelList()
        self._models: ModelsWindow | None = None
        self._history: HistoryWindow | None = None
        self._help: HelpWindow | None = None
        self._shelves, self._pasts = Carrier(), Carrier()
        self._shelves.carried.connect(self._show_shelf)
        self._pasts.carried.connect(self._show_past)
        self.on_shelf: Callable[[ModelList], None] = self._shelves.carry
        self.on_past: Callable[[HistoryPage], None] = self._pasts.carry

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
    def _show_shelf(self, shelf: ModelList) -> None:
        self._shelf = shelf
        self.shelf_changed.emit(shelf)
        if self._models is not None:
            self._models.show_shelf(shelf)

    @Slot(object)
    def _show_past(self, past: HistoryPage) -> None:
        if self._history is not None:
            self._history.show_past(past)


class Guide(QObject):
    """Owns the window.

    Threads: made, closed and used on Qt's thread; ``open`` may be called from any.
    """

    def __init__(
        self,
        ask: Callable[[Request], None],
        commands: Commands,
        meter: Meter,
        keeper: ModelCommands,
    ) -> None:
        super().__init__()
        self._ask, self._commands, self._meter, self._keeper = ask, commands, meter, keeper
        self._view, self._shelf = View(), ModelList()
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
    def show_shelf(self, shelf: ModelList) -> None:
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
