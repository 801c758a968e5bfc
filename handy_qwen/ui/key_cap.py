"""The hotkey as a key of the keyboard: it sinks and lights up while it is held, and can take a new one.

Qt does not say which side a modifier is on; the system's own numbers do: keysyms on X11 and Wayland, scan
codes on Windows, key codes on macOS. Modifiers pressed alone keep their side ("ctrl_r"); with another key
either side will do ("ctrl+alt+d").

Source: X11/keysymdef.h; Windows, keyboard scan codes (0x100: extended); macOS, HIToolbox/Events.h.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QKeyCombination, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from handy_qwen.ui import strings
from handy_qwen.ui.style import draw_rounded, outline, scheme
from handy_qwen.ui.widgets import scaled_font

_HEIGHT_PX, _DEPTH_PX, _RADIUS_PX = 76, 5, 12.0
_SIDE_PX = 34
_LIT_ALPHA = 60
_ORDER = ("ctrl", "alt", "altgr", "shift", "super")
_MODIFIERS = {  # name: keysyms, scan code, key code of macOS
    "shift_l": ((0xFFE1,), 0x02A, 0x38),
    "shift_r": ((0xFFE2,), 0x036, 0x3C),
    "ctrl_l": ((0xFFE3,), 0x01D, 0x3B),
    "ctrl_r": ((0xFFE4,), 0x11D, 0x3E),
    "alt_l": ((0xFFE9,), 0x038, 0x3A),
    "alt_r": ((0xFFEA,), 0x138, 0x3D),
    "super_l": ((0xFFE7, 0xFFEB), 0x15B, 0x37),
    "super_r": ((0xFFE8, 0xFFEC), 0x15C, 0x36),
    "altgr": ((0xFE03,), None, None),
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
_SAME_NAMES = (  # in Qt: Key_PageUp
    *("space", "tab", "backspace", "insert", "delete", "home", "end", "page_up", "page_down", "up", "down"),
    *("left", "right", "pause", "scroll_lock", "menu", "media_stop", "media_next", "media_previous"),
)
_NAMES = {Qt.Key[f"Key_{name.title().replace('_', '')}"]: name for name in _SAME_NAMES} | {
    Qt.Key.Key_Return: "enter",
    Qt.Key.Key_Enter: "enter",
    Qt.Key.Key_Backtab: "tab",
    Qt.Key.Key_Print: "print_screen",
    Qt.Key.Key_MediaTogglePlayPause: "media_play_pause",
    Qt.Key.Key_MediaPlay: "media_play_pause",
    Qt.Key.Key_MicMute: "microphone_mute",
}
_F13_KEYCODE = 191  # evdev's, on X11 and Wayland


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key of the keyboard: the name of a modifier, or of another key; both empty if it has none here."""

    modifier: str = ""
    key: str = ""


def pressed(event: QKeyEvent, platform: str = sys.platform) -> Pressed:
    """The key of ``event``."""
    modifier = _modifier(event, platform)
    if modifier or event.key() in _MODIFIER_KEYS:
        return Pressed(modifier=modifier)
    if event.modifiers() & Qt.KeyboardModifier.KeypadModifier and platform != "darwin":
        return Pressed(key=_keypad_key(event.key()))
    return Pressed(key=_key(event.key()) or _function_key(event, platform))


def _modifier(event: QKeyEvent, platform: str) -> str:
    if platform in {"win32", "darwin"} and event.key() not in _MODIFIER_KEYS:
        return ""
    for name, (keysyms, scan_code, mac_code) in _MODIFIERS.items():
        if platform == "win32":
            is_it = event.nativeScanCode() & 0x1FF == scan_code
        elif platform == "darwin":
            is_it = event.nativeVirtualKey() == mac_code
        else:
            is_it = event.nativeVirtualKey() in keysyms
        if is_it:
            return name
    return ""


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
    """Whether programs use ``chord`` for menus and buttons: Alt with a letter or a digit."""
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


class KeyCap(QWidget):
    """Shows the name of the hotkey; ``capture`` lets the user press another."""

    captured = Signal(str)  # the chord pressed: "ctrl_r", "ctrl+alt+d"
    refused = Signal()  # a key without a name
    capture_ended = Signal()  # with or without a new one

    def __init__(self) -> None:
        super().__init__()
        self._title, self.is_lit = "", False
        self._capture: Capture | None = None
        self._titles: dict[QAbstractButton, str] = {}  # of the window's buttons, while a key is captured
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        self.setFont(scaled_font(self, 1.5, is_bold=True))

    @property
    def is_capturing(self) -> bool:
        """Whether the next key pressed here becomes the hotkey."""
        return self._capture is not None

    def say(self, title: str, *, is_lit: bool) -> None:
        """Show the key ``title``, up or held down."""
        if (title, is_lit) != (self._title, self.is_lit):
            self._title, self.is_lit = title, is_lit
            self._update()

    def capture(self) -> None:
        """Take the next key, or keys, as the hotkey. Escape, or losing the focus, ends it.

        Meanwhile no button of the window shows a letter: pressed with Alt, it would become the hotkey.
        """
        self._capture = Capture()
        for one in self.window().findChildren(QAbstractButton):
            if "&" in one.text():
                self._titles[one] = one.text()
                one.setText(_without_letter(one.text()))
        self._update()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFocus()

    def stop_capture(self) -> None:
        """Keep the hotkey as it is. Safe to call twice."""
        if self._capture is None:
            return
        self._capture = None
        titles, self._titles = self._titles, {}
        for one, title in titles.items():
            if one.text() == _without_letter(title):  # else it says something else by now
                one.setText(title)
        self._update()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.capture_ended.emit()

    def event(self, event: QEvent) -> bool:
        """Take all keys while one is captured: also Tab, and those of the buttons. Called by Qt."""
        if self._capture is None or not isinstance(event, QKeyEvent):
            return super().event(event)
        if event.type() is QEvent.Type.ShortcutOverride:
            event.accept()
        elif event.isAutoRepeat():
            pass
        elif event.type() is QEvent.Type.KeyRelease:
            self._take(self._capture.release(pressed(event)))
        elif event.key() == Qt.Key.Key_Escape:
            self.stop_capture()
        else:
            key = pressed(event)
            if key == Pressed():
                self.refused.emit()
            self._take(self._capture.press(key))
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
        return strings.PRESS_KEY if self.is_capturing else self._title

    def _update(self) -> None:
        self.setAccessibleName(self._words)
        self.updateGeometry()
        self.update()

    def _take(self, chord: str) -> None:
        if chord:
            self.captured.emit(chord)
            self.stop_capture()


def _without_letter(title: str) -> str:
    """A button's title without its letter; an ampersand that is shown stays."""
    return strings.literal(strings.without_letter(title))
