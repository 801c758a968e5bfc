"""Carries what happens on other threads over to Qt's main thread.

Its methods only emit a signal; Qt queues it, and the slot runs on the main thread, where widgets may be
touched. The object must be made there.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from handy_qwen.core.view import View


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
