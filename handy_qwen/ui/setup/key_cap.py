"""The hotkey as a key of the keyboard: it sinks and lights up while it is held, and can take a new one."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QFontMetricsF, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from handy_qwen.ui.setup import words
from handy_qwen.ui.setup.keys import Capture, Pressed, pressed
from handy_qwen.ui.style import outline, scheme

_HEIGHT_PX, _DEPTH_PX, _RADIUS_PX = 76, 5, 12.0
_SIDE_PX = 34
_LIT_ALPHA = 60


class KeyCap(QWidget):
    """Shows the name of the hotkey; ``capture`` lets the user press another."""

    captured = Signal(str)  # the chord pressed: "ctrl_r", "ctrl+alt+d"
    refused = Signal()  # a key without a name
    capture_ended = Signal()  # with or without a new one

    def __init__(self) -> None:
        super().__init__()
        self._title, self.is_lit = "", False
        self._capture: Capture | None = None
        self._titles: dict[QAbstractButton, str] = {}  # of the window's buttons, while a key is taken
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * 1.5)
        font.setWeight(QFont.Weight.DemiBold)
        self.setFont(font)

    @property
    def is_capturing(self) -> bool:
        """Whether the next key pressed here becomes the hotkey."""
        return self._capture is not None

    def say(self, title: str, *, is_lit: bool) -> None:
        """Show the key ``title``, up or held down."""
        if (title, is_lit) != (self._title, self.is_lit):
            self._title, self.is_lit = title, is_lit
            self._change()

    def capture(self) -> None:
        """Take the next key, or keys, as the hotkey. Escape, or losing the focus, ends it.

        Meanwhile no button of the window shows a letter: pressed with Alt, it would become the hotkey.
        """
        self._capture = Capture()
        self._hide_letters()
        self._change()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFocus()

    def stop_capture(self) -> None:
        """Keep the hotkey as it is. Safe to call twice."""
        if self._capture is not None:
            self._capture = None
            self._show_letters()
            self._change()
            self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self.capture_ended.emit()

    def event(self, event: QEvent) -> bool:
        """While a key is taken, all of them come here first: also Tab, and those of the buttons."""
        if self._capture is None or not isinstance(event, QKeyEvent):
            return super().event(event)
        if event.type() is QEvent.Type.ShortcutOverride:
            event.accept()
        elif event.type() is QEvent.Type.KeyPress and not event.isAutoRepeat():
            self._on_press(event)
        elif event.type() is QEvent.Type.KeyRelease and not event.isAutoRepeat():
            self._take(self._capture.release(pressed(event)))
        return True

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
        """Paint the key: its side, its top, its name. Called by Qt."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors = scheme()
        is_bright = self.is_lit or self.is_capturing
        edge = colors.color("working") if is_bright else outline(self.palette())
        whole = QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5)
        painter.setPen(QPen(edge, 1.5))
        painter.setBrush(edge)
        painter.drawRoundedRect(whole.adjusted(0, _DEPTH_PX, 0, 0), _RADIUS_PX, _RADIUS_PX)
        top = whole.adjusted(0, _DEPTH_PX if self.is_lit else 0, 0, 0 if self.is_lit else -_DEPTH_PX)
        painter.setBrush(self.palette().base())
        pen = QPen(edge, 1.5, Qt.PenStyle.DashLine if self.is_capturing else Qt.PenStyle.SolidLine)
        painter.setPen(pen)
        painter.drawRoundedRect(top, _RADIUS_PX, _RADIUS_PX)
        if self.is_lit:
            painter.setBrush(colors.color("working", _LIT_ALPHA))
            painter.drawRoundedRect(top, _RADIUS_PX, _RADIUS_PX)
        painter.setPen(colors.color("quiet" if self.is_capturing else "text"))
        painter.drawText(top, Qt.AlignmentFlag.AlignCenter, self._words)
        painter.end()

    @property
    def _words(self) -> str:
        return words.PRESS_NEW if self.is_capturing else self._title

    def _change(self) -> None:
        """Other words are shown, which a screen reader is to read."""
        self.setAccessibleName(self._words)
        self.updateGeometry()
        self.update()

    def _on_press(self, event: QKeyEvent) -> None:
        assert self._capture is not None, "only while a key is taken"
        if event.key() == Qt.Key.Key_Escape:
            self.stop_capture()
            return
        key = pressed(event)
        if key == Pressed():
            self.refused.emit()
        self._take(self._capture.press(key))

    def _hide_letters(self) -> None:
        for one in self.window().findChildren(QAbstractButton):
            if "&" in one.text():
                self._titles[one] = one.text()
                one.setText(_plain(one.text()))

    def _show_letters(self) -> None:
        titles, self._titles = self._titles, {}
        for one, title in titles.items():
            if one.text() == _plain(title):  # else it says something else by now
                one.setText(title)

    def _take(self, chord: str) -> None:
        if chord:
            self.captured.emit(chord)
            self.stop_capture()


def _plain(title: str) -> str:
    """A button's title without its letter. Two ampersands are one that is shown, and stay."""
    return "&&".join(part.replace("&", "") for part in title.split("&&"))
