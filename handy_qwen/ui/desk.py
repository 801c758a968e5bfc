"""Tray and overlay together: all that the program shows."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QApplication

from handy_qwen.core.events import Request, Requested
from handy_qwen.core.ports import Post
from handy_qwen.core.shelf import Shelf
from handy_qwen.core.view import Commands, Meter, View
from handy_qwen.ui.bridge import Bridge
from handy_qwen.ui.icons import app_icon
from handy_qwen.ui.overlay import OverlayWindow
from handy_qwen.ui.tray import Tray


class Desk(QObject):
    """Owns tray and overlay and keeps them up to date.

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
        self._post = post
        self._bridge = Bridge()
        self._tray = Tray(self._ask, commands)
        self._overlay = OverlayWindow(meter, is_composited)
        self._bridge.view_changed.connect(self._show)
        self.view_changed = self._bridge.view_changed
        self.on_view = self._bridge.on_view
        self._tray.show(View())

    @Slot(object)
    def show_shelf(self, shelf: Shelf) -> None:
        """Tell in the menu how far an installation is."""
        self._tray.show_shelf(shelf)

    def close(self) -> None:
        """Take everything off the screen. Safe to call twice."""
        self._bridge.view_changed.disconnect(self._show)
        self._tray.close()
        self._overlay.close()

    @Slot(object)
    def _show(self, view: View) -> None:
        self._tray.show(view)
        self._overlay.show_view(view)

    def _ask(self, what: Request) -> None:
        self._post(Requested(what, time.monotonic()))
