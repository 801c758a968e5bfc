"""The page Shortcut: which keys are dictated with, and how."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QWidget

from handy_qwen.core.view import View
from handy_qwen.settings import SettingsView
from handy_qwen.ui.settings.hotkeys import HotkeyList
from handy_qwen.ui.settings.page import SettingsPage, Tools
from handy_qwen.ui.settings.row import Row
from handy_qwen.ui.translation import tr
from handy_qwen.ui.window import AppWindow

# Translators: heading above settings about how long things take.
_TIMES = tr("Times")


class ShortcutPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.hotkeys = HotkeyList(tools)
        # Queued: a new row has no place yet.
        self.hotkeys.changed.connect(self._order_tabs, Qt.ConnectionType.QueuedConnection)
        self.add_section("", _HotkeysRow(self.hotkeys), self.setting("mode"))
        self.add_section(
            _TIMES, *(self.setting(name) for name in ("hold_s", "lock_key", "silence_s", "max_take_s"))
        )

    def enter(self) -> None:
        """From now on the window may lose the keyboard."""
        self.window().installEventFilter(self)

    def leave(self) -> None:
        """Nothing is recorded or tested behind the user's back."""
        self.window().removeEventFilter(self)
        self._end()

    def show_view(self, view: View) -> None:
        """See ``SettingsPage``."""
        self.hotkeys.show_view(view)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802  the name is Qt's
        """End what needs the keyboard when the window loses it. Called by Qt."""
        if event.type() is QEvent.Type.WindowDeactivate:
            self._end()
        return super().eventFilter(watched, event)

    def _end(self) -> None:
        self.hotkeys.end_capture()
        self.hotkeys.end_test()

    def _order_tabs(self) -> None:
        window = self.window()
        if isinstance(window, AppWindow):
            window.order_tabs()


class _HotkeysRow(Row):
    """The hotkeys, as a row that a search finds and that says what the file has wrong."""

    def __init__(self, hotkeys: HotkeyList) -> None:
        super().__init__(
            tr("Hotkeys"),
            help=tr("Click a key to change it. A second hotkey can have its own language."),
            below=hotkeys,
            also=tr("key keyboard shortcut mouse button record"),
            setting_name="hotkeys",
        )
        self._hotkeys = hotkeys

    def first_focus(self) -> QWidget:
        """The first key."""
        return self._hotkeys.first_focus

    def show_settings(self, shown: SettingsView) -> None:
        """Show them, and what the file has wrong."""
        super().show_settings(shown)
        self._hotkeys.show_settings(shown.values)
