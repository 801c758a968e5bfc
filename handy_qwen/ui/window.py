"""What all windows of the program have in common.

- Native widgets; colors from the palette or from ``style.scheme()``, never fixed ones, so that light and dark
  both work and a change of scheme is followed.
- Fonts are the system's, larger or bolder by ``parts``; distances are the constants below.
- Everything is reached with the keyboard: a letter for each button and field, a tab order that follows the
  eye, Enter for the button with the focus, Escape and Ctrl+W to close. What a picture says has an
  accessible name, and news is announced (``spoken``).
- Large letters and small screens cut nothing off: text wraps, rows go on in the next line (``parts.Flow``),
  and what is too high for the window scrolls.
- A window decides nothing. It shows the last value it was given, in place, so that the focus and the
  place in a list stay where they are, and passes on what it is asked.
- Closing a window hides it and ends nothing that runs behind it. The size is remembered.
- Nothing waits: questions and file dialogs are opened, not executed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from PySide6.QtCore import QObject, QSettings, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QHideEvent, QKeyEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QDialog,
    QFrame,
    QLayout,
    QPushButton,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from handy_qwen import paths
from handy_qwen.ui import strings
from handy_qwen.ui.icons import app_icon
from handy_qwen.ui.layouts import FlowLayout
from handy_qwen.ui.widgets import button

MARGIN_PX, GAP_PX, SMALL_GAP_PX = 18, 12, 6
GEOMETRY_FILE = "windows.ini"
_TITLE_BAR_PX, _EDGE_PX = 30, 10  # about; nobody tells before the window is there
_LINE_PX = 20  # of a line of text of the usual size, at most
_LEAST_PX = 120  # of what scrolls
_FOCUS_S, _SETTLE_S = 1.5, 0.15  # for another program to take the focus, and for it to be ready for keys


class AppWindow(QDialog):
    """A window with a body and a row of buttons below it. Made and used on Qt's thread.

    A subclass fills ``body``, puts buttons of its own into ``buttons``, and says with ``first_focus``
    where the keyboard begins.

    Args:
        name: For the remembered size; never shown.
        title: What stands in the title bar.
        size_px: How large it is the first time, with letters of the usual size.
    """

    shown = Signal()  # it came up: what it shows may be old
    hidden = Signal()  # it was closed

    def __init__(self, name: str, title: str, size_px: QSize) -> None:
        # A dialog for its keys, but for the desktop a window like any other, in the task bar.
        super().__init__(None, Qt.WindowType.Window)
        self.setObjectName(name)
        self.setWindowTitle(strings.window_title(title))
        self.setWindowIcon(app_icon())
        self.scrolled = Scrolled()
        self.body = self.scrolled.body
        self.buttons, self._foot = FlowLayout(SMALL_GAP_PX), FlowLayout(SMALL_GAP_PX)
        self.close_button = button(strings.CLOSE, self.close)
        self._foot.addLayout(self.buttons)
        self._foot.push()
        self._foot.addWidget(self.close_button)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        whole.setSpacing(GAP_PX)
        whole.addWidget(self.scrolled, 1)
        whole.addLayout(self._foot)
        QShortcut(QKeySequence("Ctrl+W"), self, self.close)
        self._size_px = size_px
        self._is_sized = False

    def first_focus(self) -> QWidget | None:
        """The widget that has the keyboard when the window comes up; None leaves it to Qt."""
        return None

    def present(self) -> None:
        """Bring the window up: made visible, out of the task bar, to the front, with the keyboard."""
        if not self._is_sized:
            self._restore_size()
        if self.isMinimized():
            self.showNormal()
        self.show()
        self.raise_()
        self.activateWindow()

    def step_aside(self, do: Callable[[bool], None]) -> None:
        """Hide, and ``do`` it as soon as another program has the focus.

        It is called with False where no program takes the focus in time: another window of this one has it.
        """
        self.hide()
        _Departure(self, do)

    def order_tabs(self) -> None:
        """Let Tab follow the eye; to be called again when widgets were added."""
        stops = [one for one in _by_eye(self) if one.focusPolicy() & Qt.FocusPolicy.TabFocus]
        for before, after in pairwise(stops):
            QWidget.setTabOrder(before, after)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  the name is Qt's
        """Enter presses the button that has the keyboard, or else the one that looks like it.

        Once, however long it is held. A check box is no such button: only Space changes it.
        """
        if event.key() not in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            super().keyPressEvent(event)
        elif not event.isAutoRepeat() and (pressed := self._enter_button()) is not None:
            pressed.click()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  the name is Qt's
        """Tell that it came up. Called by Qt."""
        super().showEvent(event)
        if not event.spontaneous():
            self.order_tabs()
            self.shown.emit()
            if (widget := self.first_focus()) is not None:
                widget.setFocus(Qt.FocusReason.ActiveWindowFocusReason)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802  the name is Qt's
        """Remember the size. Called by Qt."""
        if not event.spontaneous():
            _memory().setValue(self._key(), self.size())
            self.hidden.emit()
        super().hideEvent(event)

    def _enter_button(self) -> QAbstractButton | None:
        focused = self.focusWidget()
        if isinstance(focused, QAbstractButton) and not isinstance(focused, QCheckBox):
            return focused
        return next((one for one in self.findChildren(QPushButton) if one.isDefault()), None)

    def _restore_size(self) -> None:
        """As large as it was left, or as it should be, in the middle of its screen.

        Left to itself, a dialog as high as the screen comes up with its title bar above the upper edge.
        """
        self._is_sized = True
        remembered = _memory().value(self._key())
        area = (self.screen() or QGuiApplication.primaryScreen()).availableGeometry()
        first = self._size_px * max(1.0, self.fontMetrics().height() / _LINE_PX)
        room = area.size() - QSize(2 * _EDGE_PX, _TITLE_BAR_PX + 2 * _EDGE_PX)
        size = (remembered if isinstance(remembered, QSize) else first).boundedTo(room)
        self.resize(size)
        free = room - size
        self.move(area.left() + _EDGE_PX + free.width() // 2, area.top() + _EDGE_PX + free.height() // 2)

    def _key(self) -> str:
        return f"{self.objectName()}/size"


class Scrolled(QScrollArea):
    """Scrolls ``body`` where the window is too small for it."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = inside = QWidget()
        self.body = QVBoxLayout(inside)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(GAP_PX)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setWidget(inside)
        self.verticalScrollBar().rangeChanged.connect(self._on_range_changed)
        self.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)
        application().focusChanged.connect(self._on_focus_changed)

    def _on_range_changed(self, lowest: int, highest: int) -> None:
        """Keep cards off the scroll bar, where there is one."""
        self.body.setContentsMargins(0, 0, SMALL_GAP_PX if highest > lowest else 0, 0)

    def _on_focus_changed(self, _before: QWidget | None, now: QWidget | None) -> None:
        """Qt itself scrolls only for who comes from another widget in here."""
        if now is not None and self.inside.isAncestorOf(now):
            self.ensureWidgetVisible(now)

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Low, and as wide as its contents, unless the screen is narrower. Called by Qt."""
        bar_px = self.verticalScrollBar().sizeHint().width()
        most_px = round((self.screen() or QGuiApplication.primaryScreen()).availableGeometry().width() * 0.8)
        return QSize(min(self.inside.minimumSizeHint().width() + bar_px, most_px), _LEAST_PX)


class _Departure(QObject):
    """Waits until the program has lost the focus, and its window is hidden."""

    def __init__(self, window: QWidget, do: Callable[[bool], None]) -> None:
        super().__init__(window)
        self._do = do
        self._deadline, self._settling = QTimer(self), QTimer(self)
        for timer, wait_s, is_elsewhere in (
            (self._deadline, _FOCUS_S, False),
            (self._settling, _SETTLE_S, True),
        ):
            timer.setSingleShot(True)
            timer.setInterval(round(wait_s * 1000))
            timer.timeout.connect(lambda is_elsewhere=is_elsewhere: self._end(is_elsewhere))
        self._deadline.start()
        application().focusWindowChanged.connect(self._look)
        self._look()

    def _look(self) -> None:
        focused = QGuiApplication.focusWindow()
        if focused is None or not focused.isVisible():
            self._settling.start()
        else:
            self._settling.stop()

    def _end(self, is_elsewhere: bool) -> None:
        application().focusWindowChanged.disconnect(self._look)
        self._deadline.stop()
        self._settling.stop()
        self._do(is_elsewhere)
        self.deleteLater()


def application() -> QApplication:
    """The one there is: nothing is shown without it."""
    app = QApplication.instance()
    assert isinstance(app, QApplication), "made before the first window"
    return app


def _by_eye(widget: QWidget) -> Iterator[QWidget]:
    """All widgets in ``widget`` that are not made of others, from top to bottom, from left to right."""
    layout = widget.layout()
    if isinstance(widget, Scrolled):
        yield from _by_eye(widget.inside)
    elif isinstance(widget, QScrollArea) and (inside := widget.widget()) is not None:
        yield widget
        yield from _by_eye(inside)
    elif isinstance(widget, QSplitter):
        for place in range(widget.count()):
            if (part := widget.widget(place)) is not None:
                yield from _by_eye(part)
    elif layout is None:
        yield widget
    else:
        yield from _in_layout(layout)


def _in_layout(layout: QLayout) -> Iterator[QWidget]:
    for place in range(layout.count()):
        item = layout.itemAt(place)
        if item is not None and (widget := item.widget()) is not None:
            yield from _by_eye(widget)
        elif item is not None and (inner := item.layout()) is not None:
            yield from _in_layout(inner)


def _memory() -> QSettings:
    """Where windows stood. Not among the settings: nobody would want to read it there."""
    return QSettings(str(paths.config_dir() / GEOMETRY_FILE), QSettings.Format.IniFormat)
