"""Records a new hotkey through the program's own listener.

It hears what Qt does not: which side a modifier is on, media keys, mouse buttons.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QMouseEvent

from handy_qwen.core.capture import Captured
from handy_qwen.core.view import Commands
from handy_qwen.ui.style import application

_POINTING = (  # or none, for a move
    Qt.MouseButton.NoButton,
    Qt.MouseButton.LeftButton,
    Qt.MouseButton.RightButton,
    Qt.MouseButton.MiddleButton,
)


class KeyRecorder(QObject):
    """One recording at a time. Made and used on Qt's thread.

    Meanwhile a side button of the mouse means nothing to the windows: wherever the pointer is, pressing one
    must not move the focus, which would end the recording.

    Args:
        commands: What the program offers.
    """

    heard = Signal(object)  # Captured: a step of the recording that is under way
    _came = Signal(object, object)  # which recording, Captured; from another thread

    def __init__(self, commands: Commands) -> None:
        super().__init__()
        self._commands = commands
        self._recording: object = None
        self._stop: Callable[[], None] | None = None
        self._came.connect(self._on_step, Qt.ConnectionType.QueuedConnection)

    @property
    def is_recording(self) -> bool:
        """Whether keys are heard."""
        return self._recording is not None

    def begin(self) -> None:
        """Hear keys from now on, for ``heard``."""
        self.end()
        recording = self._recording = object()
        application().installEventFilter(self)
        self._stop = self._commands.capture_hotkey(lambda step: self._came.emit(recording, step))

    def end(self) -> None:
        """Hear no more, and say nothing. Safe to call twice."""
        stop, self._stop, self._recording = self._stop, None, None
        application().removeEventFilter(self)
        if stop is not None:
            stop()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        if isinstance(event, QMouseEvent) and event.button() not in _POINTING:
            return True
        return super().eventFilter(watched, event)

    def _on_step(self, recording: object, step: Captured) -> None:
        if recording is not self._recording:
            return  # it was ended before this came
        if step.is_last:
            self._stop = self._recording = None
            application().removeEventFilter(self)
        self.heard.emit(step)


def is_menu_key(keys: str) -> bool:
    """Whether programs use ``keys`` ("Alt+I") for menus and buttons: Alt with a letter or a digit."""
    *modifiers, key = keys.lower().split("+")
    return len(key) == 1 and key.isalnum() and "alt" in modifiers and set(modifiers) <= {"alt", "shift"}
