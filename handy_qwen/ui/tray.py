"""The icon in the tray.

A desktop may have no tray, get one later, or lose it for a while: Qt shows the icon as soon as there is one.
Without one the overlay and the command line serve.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QSystemTrayIcon

from handy_qwen.core.events import Request
from handy_qwen.core.shelf import Shelf
from handy_qwen.core.view import Commands, Phase, View
from handy_qwen.ui import strings
from handy_qwen.ui.icons import tray_icon
from handy_qwen.ui.menu import TrayMenu
from handy_qwen.ui.overlay import has_overlay
from handy_qwen.ui.style import is_dark

_MESSAGE_MS = 8000


class Tray:
    """Icon, tooltip and menu. Lives on Qt's thread."""

    def __init__(self, ask: Callable[[Request], None], commands: Commands) -> None:
        self._icons: dict[Phase, QIcon] = {}
        self._view = View()
        self._told = 0  # number of the last notice shown as a message of the desktop
        self.menu = TrayMenu(ask, commands)
        self._icon = QSystemTrayIcon()
        self._icon.setContextMenu(self.menu)
        self._icon.activated.connect(self._on_activated)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_scheme_changed)
        self._draw_icons()

    def show(self, view: View) -> None:
        """Show ``view``."""
        self._view = view
        self._icon.setIcon(self._icons[view.phase])
        self._icon.setToolTip(_tooltip(view))
        self.menu.show_view(view)
        if not self._icon.isVisible():
            self._icon.show()
        self._tell_problem(view)

    def show_shelf(self, shelf: Shelf) -> None:
        """Tell in the menu how far an installation is."""
        self.menu.show_shelf(shelf)

    def close(self) -> None:
        """Take the icon away."""
        QGuiApplication.styleHints().colorSchemeChanged.disconnect(self._on_scheme_changed)
        self._icon.hide()
        self.menu.deleteLater()

    def _tell_problem(self, view: View) -> None:
        """What lasts and has no overlay to be seen in is told by the desktop, once."""
        lasting = [notice for notice in view.notices if notice.is_lasting and notice.number > self._told]
        if lasting and not has_overlay(view) and QSystemTrayIcon.supportsMessages():
            notice = lasting[-1]
            self._icon.showMessage(notice.title, notice.hint, self._icons[Phase.PROBLEM], _MESSAGE_MS)
        self._told = max([self._told, *(notice.number for notice in view.notices)])

    def _draw_icons(self) -> None:
        self._icons = {phase: tray_icon(phase, is_dark=is_dark()) for phase in Phase}

    def _on_scheme_changed(self) -> None:
        self._draw_icons()
        self._icon.setIcon(self._icons[self._view.phase])

    def _on_activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        """A left click opens the menu as a right one does."""
        if reason is QSystemTrayIcon.ActivationReason.Trigger:
            self.menu.popup_at_cursor()


def _tooltip(view: View) -> str:
    lines = [f"{strings.APP_TITLE} — {strings.PHASES[view.phase]}"]
    lasting = [notice for notice in view.notices if notice.is_lasting]
    if view.choices.is_private:
        lines.append(strings.HISTORY_PAUSED)
    if lasting:
        lines += [lasting[-1].title, lasting[-1].hint]
    elif view.phase is Phase.IDLE:
        lines.append(strings.how_to_dictate(view.choices))
    return "\n".join(filter(None, lines))
