"""What all windows of the program have in common.

- Native widgets; colors from the palette or from ``style.scheme()``, never fixed ones, so that light and dark
  both work and a change of scheme is followed.
- Fonts are the system's, larger or bolder by ``parts``; distances are the constants below.
- Everything is reached with the keyboard: a letter for each button and field, a tab order that follows the
  eye, Enter for the button with the focus, Escape and Ctrl+W to close. What a picture says has an
  accessible name.
- A window decides nothing. It shows the last value it was given, in place, so that the focus and the
  place in a list stay where they are, and passes on what it is asked.
- Closing a window hides it and ends nothing that runs behind it. The size is remembered.
- Nothing waits: questions and file dialogs are opened, not executed.
"""

from __future__ import annotations

from PySide6.QtCore import QSettings, QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QHideEvent, QKeyEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QAbstractButton, QDialog, QHBoxLayout, QVBoxLayout, QWidget

from handy_qwen import paths
from handy_qwen.ui import strings
from handy_qwen.ui.icons import app_icon
from handy_qwen.ui.windows.parts import button

MARGIN_PX, GAP_PX, SMALL_GAP_PX = 18, 12, 6
GEOMETRY_FILE = "windows.ini"
_TITLE_BAR_PX = 30  # about; nobody tells before the window is there


class AppWindow(QDialog):
    """A window with a body and a row of buttons below it. Made and used on Qt's thread.

    A subclass fills ``body``, puts buttons of its own into ``buttons``, and says with ``first_focus``
    where the keyboard begins.

    Args:
        name: For the remembered size; never shown.
        title: What stands in the title bar.
        size_px: How large it is the first time.
    """

    shown = Signal()  # it came up: what it shows may be old
    hidden = Signal()  # it was closed

    def __init__(self, name: str, title: str, size_px: QSize) -> None:
        # A dialog for its keys, but for the desktop a window like any other, in the task bar.
        super().__init__(None, Qt.WindowType.Window)
        self.setObjectName(name)
        self.setWindowTitle(strings.window_title(title))
        self.setWindowIcon(app_icon())
        self.body = QVBoxLayout()
        self.body.setSpacing(GAP_PX)
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(SMALL_GAP_PX)
        self.close_button = button(strings.CLOSE, self.close)
        self._foot = QHBoxLayout()
        self._foot.addLayout(self.buttons)
        self._foot.addStretch()
        self._foot.addWidget(self.close_button)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        whole.setSpacing(GAP_PX)
        whole.addLayout(self.body, 1)
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

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  the name is Qt's
        """Enter presses the button that has the keyboard, and no other; once, however long it is held."""
        if event.key() not in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            super().keyPressEvent(event)
        elif isinstance(focused := self.focusWidget(), QAbstractButton) and not event.isAutoRepeat():
            focused.click()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  the name is Qt's
        """Tell that it came up. Called by Qt."""
        super().showEvent(event)
        if not event.spontaneous():
            self.shown.emit()
            if (widget := self.first_focus()) is not None:
                widget.setFocus(Qt.FocusReason.ActiveWindowFocusReason)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802  the name is Qt's
        """Remember the size. Called by Qt."""
        if not event.spontaneous():
            _memory().setValue(self._key(), self.size())
            self.hidden.emit()
        super().hideEvent(event)

    def _restore_size(self) -> None:
        """As large as it was left, or as it should be, in the middle of its screen.

        Left to itself, a dialog as high as the screen comes up with its title bar above the upper edge.
        """
        self._is_sized = True
        remembered = _memory().value(self._key())
        area = (self.screen() or QGuiApplication.primaryScreen()).availableGeometry()
        size = (remembered if isinstance(remembered, QSize) else self._size_px).boundedTo(area.size() * 0.9)
        self.resize(size)
        free = area.size() - size
        self.move(area.left() + free.width() // 2, area.top() + max(0, free.height() - _TITLE_BAR_PX) // 2)

    def _key(self) -> str:
        return f"{self.objectName()}/size"


def _memory() -> QSettings:
    """Where windows stood. Not among the settings: nobody would want to read it there."""
    return QSettings(str(paths.config_dir() / GEOMETRY_FILE), QSettings.Format.IniFormat)
