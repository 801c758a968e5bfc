"""The hotkey as a key of the keyboard: it sinks and lights up while it is held, and can take a new one."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QKeyCombination, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QFontMetricsF, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from handy_qwen.ui.setup import words
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


_KEYSYMS = {
    0xFFE1: "shift_l",
    0xFFE2: "shift_r",
    0xFFE3: "ctrl_l",
    0xFFE4: "ctrl_r",
    0xFFE9: "alt_l",
    0xFFEA: "alt_r",
    0xFFE7: "super_l",
    0xFFE8: "super_r",
    0xFFEB: "super_l",
    0xFFEC: "super_r",
    0xFE03: "altgr",
}
_SCAN_CODES = {
    0x02A: "shift_l",
    0x036: "shift_r",
    0x01D: "ctrl_l",
    0x11D: "ctrl_r",
    0x038: "alt_l",
    0x138: "alt_r",
    0x15B: "super_l",
    0x15C: "super_r",
}
_MAC_CODES = {
    0x38: "shift_l",
    0x3C: "shift_r",
    0x3B: "ctrl_l",
    0x3E: "ctrl_r",
    0x3A: "alt_l",
    0x3D: "alt_r",
    0x37: "super_l",
    0x36: "super_r",
}
_MODIFIER_KEYS = {
    Qt.Key.Key_Shift,
    Qt.Key.Key_Control,
    Qt.Key.Key_Alt,
    Qt.Key.Key_AltGr,
    Qt.Key.Key_Meta,
    Qt.Key.Key_Super_L,
    Qt.Key.Key_Super_R,
}
_NAMES = {
    Qt.Key.Key_Space: "space",
    Qt.Key.Key_Return: "enter",
    Qt.Key.Key_Enter: "enter",
    Qt.Key.Key_Tab: "tab",
    Qt.Key.Key_Backtab: "tab",
    Qt.Key.Key_Backspace: "backspace",
    Qt.Key.Key_Insert: "insert",
    Qt.Key.Key_Delete: "delete",
    Qt.Key.Key_Home: "home",
    Qt.Key.Key_End: "end",
    Qt.Key.Key_PageUp: "page_up",
    Qt.Key.Key_PageDown: "page_down",
    Qt.Key.Key_Up: "up",
    Qt.Key.Key_Down: "down",
    Qt.Key.Key_Left: "left",
    Qt.Key.Key_Right: "right",
    Qt.Key.Key_Pause: "pause",
    Qt.Key.Key_ScrollLock: "scroll_lock",
    Qt.Key.Key_Print: "print_screen",
    Qt.Key.Key_Menu: "menu",
    Qt.Key.Key_MediaTogglePlayPause: "media_play_pause",
    Qt.Key.Key_MediaPlay: "media_play_pause",
    Qt.Key.Key_MediaStop: "media_stop",
    Qt.Key.Key_MediaNext: "media_next",
    Qt.Key.Key_MediaPrevious: "media_previous",
    Qt.Key.Key_MicMute: "microphone_mute",
}
_F13_KEYCODE = 191  # evdev's, on X11 and Wayland
_ORDER = ("ctrl", "alt", "altgr", "shift", "super")


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key of the keyboard: the name of a modifier, or of another key; both empty if it has none here."""

    modifier: str = ""
    key: str = ""


def pressed(event: QKeyEvent, platform: str = sys.platform) -> Pressed:
    """What ``event`` is about."""
    modifier = _modifier(event, platform)
    if modifier or event.key() in _MODIFIER_KEYS:
        return Pressed(modifier=modifier)
    if event.modifiers() & Qt.KeyboardModifier.KeypadModifier and platform != "darwin":
        return Pressed(key=_keypad_key(event.key()))
    return Pressed(key=_key(event.key()) or _function_key(event, platform))


def _modifier(event: QKeyEvent, platform: str) -> str:
    if platform == "win32":
        return _SCAN_CODES.get(event.nativeScanCode() & 0x1FF, "") if event.key() in _MODIFIER_KEYS else ""
    if platform == "darwin":
        return _MAC_CODES.get(event.nativeVirtualKey(), "") if event.key() in _MODIFIER_KEYS else ""
    return _KEYSYMS.get(event.nativeVirtualKey(), "")


def _key(code: int) -> str:
    if Qt.Key.Key_F1 <= code <= Qt.Key.Key_F24:
        return f"f{code - Qt.Key.Key_F1 + 1}"
    if Qt.Key.Key_A <= code <= Qt.Key.Key_Z or Qt.Key.Key_0 <= code <= Qt.Key.Key_9:
        return chr(code).lower()
    try:
        return _NAMES.get(QKeyCombination.fromCombined(code).key(), "")
    except ValueError:  # a key that Qt has a number but no name for
        return ""


def _keypad_key(code: int) -> str:
    """Digits only: what else is on the keypad has the names of keys elsewhere, and is not those."""
    return f"kp_{code - Qt.Key.Key_0}" if Qt.Key.Key_0 <= code <= Qt.Key.Key_9 else ""


def _function_key(event: QKeyEvent, platform: str) -> str:
    """F13 to F24 by their place, to which layouts of X11 and Wayland give other keys, or none."""
    number = event.nativeScanCode() - _F13_KEYCODE + 13
    return f"f{number}" if platform == "linux" and number in range(13, 25) else ""


def is_menu_key(chord: str) -> bool:
    """Whether programs use such a chord for menus and buttons: Alt with a letter or a digit."""
    *modifiers, key = chord.split("+")
    families = {name.partition("_")[0] for name in modifiers}
    return len(key) == 1 and key.isalnum() and "alt" in families and families <= {"alt", "shift"}


class Capture:
    """Gathers what is pressed until it is a hotkey: a key with modifiers, or modifiers let go alone."""

    def __init__(self) -> None:
        self._held: list[str] = []
        self._most: list[str] = []

    def press(self, key: Pressed) -> str:
        """A key went down, perhaps one without a name. Returns the chord if it is complete, "" otherwise."""
        if key.modifier:
            if key.modifier not in self._held:
                self._held.append(key.modifier)
            self._most = list(self._held)
            return ""
        self._most = []
        if not key.key:
            return ""  # what is held belonged to that, and is no hotkey when it comes up
        families = dict.fromkeys(name.partition("_")[0] for name in self._held)
        return "+".join([*sorted(families, key=_ORDER.index), key.key])

    def release(self, key: Pressed) -> str:
        """A key came up. Returns the chord if all modifiers are up and no key was among them."""
        if key.modifier in self._held:
            self._held.remove(key.modifier)
        if self._held or not self._most:
            return ""
        alone, self._most = self._most, []
        if len(alone) == 1:
            return alone[0]
        families = dict.fromkeys(name.partition("_")[0] for name in alone)
        return "+".join(sorted(families, key=_ORDER.index)) if len(families) == len(alone) else alone[0]
