"""Tray, main window and overlay together: all that the program shows unasked."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QApplication, QSystemTrayIcon

from handy_qwen.core.events import Request, Requested
from handy_qwen.core.ports import Post
from handy_qwen.core.shelf import Shelf
from handy_qwen.core.view import Commands, Meter, View
from handy_qwen.ui.bridge import Bridge
from handy_qwen.ui.icons import app_icon
from handy_qwen.ui.outlines import use_outlines
from handy_qwen.ui.overlay import OverlayWindow
from handy_qwen.ui.tray import Tray
from handy_qwen.ui.windows.main import MainWindow


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
    def show_shelf(self, shelf: Shelf) -> None:
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
