"""A button that shows a hotkey, and while a new one is pressed, what is held so far."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy

from handy_qwen.ui import strings
from handy_qwen.ui.settings import shortcut_words as words
from handy_qwen.ui.style import draw_rounded, outline, scheme
from handy_qwen.ui.widgets import Button, announce

_PULSE_MS = 500
_SIDES_PX, _RADIUS_PX, _EDGE_PX = 32, 5.0, 2.0


class KeyCell(Button):
    """While it records, no key means anything to the window, not even one that the system lets through."""

    deserted = Signal()  # it lost the keyboard while it was recording

    def __init__(self) -> None:
        super().__init__()
        self._title, self._held = "", ""
        self.is_recording = False
        self._is_bright = False
        self._pulse = QTimer(self, interval=_PULSE_MS)
        self._pulse.timeout.connect(self._on_pulse)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def say(self, title: str, name: str) -> None:
        """Show the hotkey ``title``; a screen reader calls it ``name``."""
        self._title = title
        self.setAccessibleName(name)
        self._update()

    def record(self, is_recording: bool) -> None:
        """Show that keys are being recorded, or no longer."""
        self.is_recording, self._held, self._is_bright = is_recording, "", True
        if is_recording:
            self._pulse.start()
            announce(self, words.PRESS, is_urgent=True)
        else:
            self._pulse.stop()
        self._update()

    def hold(self, keys: str) -> None:
        """Show which keys are held while it records."""
        self._held = keys
        self._update()

    def event(self, event: QEvent) -> bool:
        """Called by Qt."""
        if self.is_recording and isinstance(event, QKeyEvent):
            event.accept()
            return True
        return super().event(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        super().focusOutEvent(event)
        if self.is_recording:
            self.deserted.emit()

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Room for the longest words, so that nothing moves when recording begins. Called by Qt."""
        width = QFontMetricsF(self.font()).horizontalAdvance(words.PRESS)
        return QSize(round(width) + _SIDES_PX, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        super().paintEvent(event)
        if self.is_recording:
            edge = scheme().color("recording") if self._is_bright else outline(self.palette())
            inside = QRectF(self.rect()).adjusted(_EDGE_PX, _EDGE_PX, -_EDGE_PX, -_EDGE_PX)
            with QPainter(self) as painter:
                draw_rounded(painter, inside, _RADIUS_PX, None, QPen(edge, _EDGE_PX))

    def _on_pulse(self) -> None:
        self._is_bright = not self._is_bright
        self.update()

    def _update(self) -> None:
        shown = (self._held or words.PRESS) if self.is_recording else self._title
        self.setText(strings.literal(shown))
        self.setAccessibleDescription(words.PRESS if self.is_recording else "")
        self.update()
