"""Recording hotkeys in windows: shown as a key of the keyboard (the guide) or a button (Settings)."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from handy_qwen.core.types import Captured, CaptureStep, KeyOffer
from handy_qwen.core.view import Commands, View
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import row
from handy_qwen.ui.style import application, draw_rounded, outline, scheme
from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import Button, Card, Message, announce, scaled_font

_POINTING = (  # NoButton is for moves
    Qt.MouseButton.NoButton,
    Qt.MouseButton.LeftButton,
    Qt.MouseButton.RightButton,
    Qt.MouseButton.MiddleButton,
)


class KeyRecorder(QObject):
    """One recording at a time. Created and used on Qt's thread.

    Meanwhile the windows ignore side buttons of the mouse: wherever the pointer is, pressing one must not
    move the focus, which would end the recording.

    Args:
        commands: What the program offers.
    """

    heard = Signal(object)  # Captured: a step of the current recording
    _came = Signal(object, object)  # which recording, Captured; from another thread

    def __init__(self, commands: Commands) -> None:
        super().__init__()
        self._commands = commands
        self._recording: object = None
        self._stop: Callable[[], None] | None = None
        self._came.connect(self._on_step, Qt.ConnectionType.QueuedConnection)

    def begin(self) -> None:
        """Start recording keys, sent to ``heard``."""
        self.end()
        recording = self._recording = object()
        application().installEventFilter(self)
        self._stop = self._commands.capture_hotkey(lambda step: self._came.emit(recording, step))

    def end(self) -> None:
        """Stop recording silently. Safe to call twice."""
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
            return  # that recording has ended
        if step.is_last:
            self._stop = self._recording = None
            application().removeEventFilter(self)
        self.heard.emit(step)


def is_menu_key(keys: str) -> bool:
    """Whether programs use ``keys`` ("Alt+I") for menus and buttons: Alt with a letter or digit."""
    *modifiers, key = keys.lower().split("+")
    return len(key) == 1 and key.isalnum() and "alt" in modifiers and set(modifiers) <= {"alt", "shift"}


_CAP_HEIGHT_PX, _DEPTH_PX, _CAP_RADIUS_PX = 76, 5, 12.0
_SIDE_PX = 34
_LIT_ALPHA = 60


class KeyCap(QWidget):
    """Shows the name of the hotkey; ``capture`` lets the user press another."""

    captured = Signal(str)  # the keys pressed, worded for people: "Right Ctrl", "Ctrl+Alt+D"
    refused = Signal()  # a key without a name
    failed = Signal(object)  # HandyError: keys cannot be recorded here
    capture_ended = Signal()  # with or without a new one

    def __init__(self, commands: Commands) -> None:
        super().__init__()
        self._title, self._keys, self.is_lit = "", "", False
        self._recorder = KeyRecorder(commands)
        self._recorder.heard.connect(self._on_heard)
        self.is_capturing = False  # the next key pressed becomes the hotkey
        self._titles: dict[QAbstractButton, str] = {}  # of the window's buttons, during recording
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        self.setFont(scaled_font(self, 1.5, is_bold=True))

    def say(self, title: str, *, is_lit: bool) -> None:
        """Show the key ``title``, up or pressed."""
        if (title, is_lit) != (self._title, self.is_lit):
            self._title, self.is_lit = title, is_lit
            self._update()

    def capture(self) -> None:
        """Record the next keys as the hotkey. Escape, or losing the focus, ends it.

        Meanwhile the window's buttons have no mnemonics: with Alt, one would become the hotkey.
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
        """Keep the current hotkey. Safe to call twice."""
        if not self.is_capturing:
            return
        self._recorder.end()
        self.is_capturing = False
        titles, self._titles = self._titles, {}
        for one, title in titles.items():
            if one.text() == _without_letter(title):  # else it has another text by now
                one.setText(title)
        self._update()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.capture_ended.emit()

    def event(self, event: QEvent) -> bool:
        """The window ignores all keys during recording. Called by Qt."""
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
        return QSize(round(width) + 2 * _SIDE_PX, _CAP_HEIGHT_PX)

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
            draw_rounded(painter, whole.adjusted(0, _DEPTH_PX, 0, 0), _CAP_RADIUS_PX, edge, QPen(edge, 1.5))
            draw_rounded(painter, top, _CAP_RADIUS_PX, self.palette().base().color(), QPen(edge, 1.5, style))
            if self.is_lit:
                lit = colors.color("working", _LIT_ALPHA)
                draw_rounded(painter, top, _CAP_RADIUS_PX, lit, QPen(edge, 1.5))
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
    """A button's title without its mnemonic; a literal ampersand stays."""
    return strings.literal(strings.without_letter(title))


_PULSE_MS = 500
_CELL_SIDES_PX, _CELL_RADIUS_PX, _CELL_EDGE_PX = 32, 5.0, 2.0


class KeyCell(Button):
    """While it records, the window ignores all keys, even those that the system lets through."""

    deserted = Signal()  # it lost the focus during recording

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
        """Show whether keys are being recorded."""
        self.is_recording, self._held, self._is_bright = is_recording, "", True
        if is_recording:
            self._pulse.start()
            announce(self, strings.PRESS_KEY, is_urgent=True)
        else:
            self._pulse.stop()
        self._update()

    def hold(self, keys: str) -> None:
        """Show which keys are held during recording."""
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
        """Wide enough for the longest text, so that nothing moves when recording begins. Called by Qt."""
        width = QFontMetricsF(self.font()).horizontalAdvance(strings.PRESS_KEY)
        return QSize(round(width) + _CELL_SIDES_PX, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        super().paintEvent(event)
        if self.is_recording:
            edge = scheme().color("recording") if self._is_bright else outline(self.palette())
            inside = QRectF(self.rect()).adjusted(
                _CELL_EDGE_PX, _CELL_EDGE_PX, -_CELL_EDGE_PX, -_CELL_EDGE_PX
            )
            with QPainter(self) as painter:
                draw_rounded(painter, inside, _CELL_RADIUS_PX, None, QPen(edge, _CELL_EDGE_PX))

    def _on_pulse(self) -> None:
        self._is_bright = not self._is_bright
        self.update()

    def _update(self) -> None:
        shown = (self._held or strings.PRESS_KEY) if self.is_recording else self._title
        self.setText(strings.literal(shown))
        self.setAccessibleDescription(strings.PRESS_KEY if self.is_recording else "")
        self.update()


_BIND = tr("Add &it")


class OwnKeyOffer(Card):
    """Offers a key that the desktop itself can bind to the program: the lines to add, and a button.

    Shown where programs cannot register keys (niri, Hyprland without its portal, GNOME 47 or older), else
    hidden. Created and used on Qt's thread.
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._offer: KeyOffer | None = None
        self.message = Message()
        self.button = Button(_BIND, self._on_button)
        super().__init__(self.message, row(self.button, None))
        self.hide()

    def show_view(self, view: View) -> None:
        """Show what would be written, or that it is done."""
        offer, before = view.key_offer, self._offer
        if offer == before:
            return
        self._offer = offer
        self.setVisible(offer is not None)
        if offer is not None:
            bound = tr("Your desktop starts and stops dictation with this key.")
            title = bound if offer.is_bound else tr("Your desktop can start and stop dictation with a key.")
            where = tr("This goes into {where}:").format(where=offer.where)
            hint = "\n".join((where, *(line.strip() for line in offer.lines)))
            self.message.say(title, "good" if offer.is_bound else "text", hint=hint)
            self.button.setText(tr("&Remove it") if offer.is_bound else _BIND)

    def _on_button(self) -> None:
        if self._offer is not None:
            self._commands.configure_hotkeys(not self._offer.is_bound)
