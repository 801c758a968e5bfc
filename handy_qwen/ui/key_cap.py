"""The hotkey as a key of the keyboard: it sinks and lights up while it is held, and can take a new one."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from handy_qwen.core.capture import Captured, CaptureStep
from handy_qwen.core.view import Commands
from handy_qwen.ui import strings
from handy_qwen.ui.key_recorder import KeyRecorder
from handy_qwen.ui.style import draw_rounded, outline, scheme
from handy_qwen.ui.widgets import scaled_font

_HEIGHT_PX, _DEPTH_PX, _RADIUS_PX = 76, 5, 12.0
_SIDE_PX = 34
_LIT_ALPHA = 60


class KeyCap(QWidget):
    """Shows the name of the hotkey; ``capture`` lets the user press another."""

    captured = Signal(str)  # the keys pressed, worded for people: "Right Ctrl", "Ctrl+Alt+D"
    refused = Signal()  # a key without a name
    failed = Signal(object)  # HandyError: no key can be heard here
    capture_ended = Signal()  # with or without a new one

    def __init__(self, commands: Commands) -> None:
        super().__init__()
        self._title, self._keys, self.is_lit = "", "", False
        self._recorder = KeyRecorder(commands)
        self._recorder.heard.connect(self._on_heard)
        self.is_capturing = False  # the next key pressed becomes the hotkey
        self._titles: dict[QAbstractButton, str] = {}  # of the window's buttons, while a key is captured
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        self.setFont(scaled_font(self, 1.5, is_bold=True))

    def say(self, title: str, *, is_lit: bool) -> None:
        """Show the key ``title``, up or held down."""
        if (title, is_lit) != (self._title, self.is_lit):
            self._title, self.is_lit = title, is_lit
            self._update()

    def capture(self) -> None:
        """Take the next key, or keys, as the hotkey. Escape, or losing the focus, ends it.

        Meanwhile no button of the window shows a letter: pressed with Alt, it would become the hotkey.
        """
        self.is_capturing, self._keys = True, ""
        for one in self.window().findChildren(QAbstractButton):
            if "&" in one.text():
                self._titles[one] = one.text()
                one.setText(_without_letter(one.text()))
        self._update()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFocus()
        self._recorder.begin()

    def stop_capture(self) -> None:
        """Keep the hotkey as it is. Safe to call twice."""
        if not self.is_capturing:
            return
        self._recorder.end()
        self.is_capturing = False
        titles, self._titles = self._titles, {}
        for one, title in titles.items():
            if one.text() == _without_letter(title):  # else it says something else by now
                one.setText(title)
        self._update()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.capture_ended.emit()

    def event(self, event: QEvent) -> bool:
        """No key means anything to the window while one is captured. Called by Qt."""
        if self.is_capturing and isinstance(event, QKeyEvent):
            event.accept()
            return True
        return super().event(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        self.stop_capture()
        super().focusOutEvent(event)

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        width = QFontMetricsF(self.font()).horizontalAdvance(self._words)
        return QSize(round(width) + 2 * _SIDE_PX, _HEIGHT_PX)

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Paint the key's side, its top, and its name. Called by Qt."""
        colors, is_bright = scheme(), self.is_lit or self.is_capturing
        edge = colors.color("working") if is_bright else outline(self.palette())
        style = Qt.PenStyle.DashLine if self.is_capturing else Qt.PenStyle.SolidLine
        whole, sunk_px = QRectF(self.rect()).adjusted(1, 1, -1, -1), _DEPTH_PX if self.is_lit else 0
        top = whole.adjusted(0, sunk_px, 0, sunk_px - _DEPTH_PX)
        with QPainter(self) as painter:
            draw_rounded(painter, whole.adjusted(0, _DEPTH_PX, 0, 0), _RADIUS_PX, edge, QPen(edge, 1.5))
            draw_rounded(painter, top, _RADIUS_PX, self.palette().base().color(), QPen(edge, 1.5, style))
            if self.is_lit:
                lit = colors.color("working", _LIT_ALPHA)
                draw_rounded(painter, top, _RADIUS_PX, lit, QPen(edge, 1.5))
            painter.setPen(colors.color("quiet" if self.is_capturing else "text"))
            painter.drawText(top, Qt.AlignmentFlag.AlignCenter, self._words)

    @property
    def _words(self) -> str:
        return (self._keys or strings.PRESS_KEY) if self.is_capturing else self._title

    def _update(self) -> None:
        self.setAccessibleName(self._words)
        self.updateGeometry()
        self.update()

    def _on_heard(self, captured: Captured) -> None:
        match captured.step:
            case CaptureStep.HOLDING:
                self._keys = captured.keys
                self._update()
            case CaptureStep.NAMELESS:
                self.refused.emit()
            case CaptureStep.CHOSEN:
                self.captured.emit(captured.keys)
            case CaptureStep.FAILED:
                self.failed.emit(captured.error)
        if captured.is_last:
            self.stop_capture()


def _without_letter(title: str) -> str:
    """A button's title without its letter; an ampersand that is shown stays."""
    return strings.literal(strings.without_letter(title))
