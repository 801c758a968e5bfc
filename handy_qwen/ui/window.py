"""The base of all windows.

- Native widgets; colors from the palette or from ``style.scheme()``, never fixed ones, so that light, dark,
  and switching between them work.
- Everything is reachable by keyboard: a mnemonic for each button and field, a tab order that follows the eye,
  Enter for the focused button, Escape and Ctrl+W to close. News is announced (``widgets.announce``).
- Large fonts and small screens cut nothing off: text and rows wrap (``layouts.FlowLayout``), and what is too
  high for the window scrolls.
- A window shows the latest value, updated in place, so that focus and scroll position stay.
- Closing a window hides it and ends nothing that runs in the background. Its size is remembered.
- Nothing blocks: questions and file dialogs, the functions below, are opened, not executed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from operator import itemgetter
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QHideEvent, QKeyEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QDialog,
    QFileDialog,
    QFrame,
    QLabel,
    QLayout,
    QMessageBox,
    QPushButton,
    QScrollArea,
    QSplitter,
    QWidget,
)

from handy_qwen import paths
from handy_qwen.core.models import ModelList
from handy_qwen.core.sound_files import FilesPage
from handy_qwen.core.upkeep import Upkeep
from handy_qwen.core.view import HistoryPage, View
from handy_qwen.core.vocabulary import VocabularyPage
from handy_qwen.settings import SettingsView
from handy_qwen.ui import strings
from handy_qwen.ui.icons import app_icon
from handy_qwen.ui.layouts import MARGIN_PX, SMALL_GAP_PX, FlowLayout, column
from handy_qwen.ui.style import application
from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import Button

GEOMETRY_FILE = "windows.ini"
_TITLE_BAR_PX, _EDGE_PX = 30, 10  # approximate; unknown before the window is shown
_LINE_PX = 20  # of a line of text at the usual font size, at most
_LEAST_PX = 120  # of the scroll area
_FOCUS_S, _SETTLE_S = 1.5, 0.15  # for another program to get the focus, and to be ready for keys


class AppWindow(QDialog):
    """A window with a body and a row of buttons below it. Created and used on Qt's thread.

    A subclass fills ``body``, adds buttons to ``buttons``, and returns the initial focus in ``first_focus``.

    Args:
        name: For the remembered size; never shown.
        title: In the title bar, before the program's name.
        size_px: The initial size, at the usual font size.
    """

    shown = Signal()  # its contents may be outdated
    hidden = Signal()  # it was closed
    settings_asked = Signal()  # Ctrl+comma

    def __init__(self, name: str, title: str, size_px: QSize) -> None:
        # A dialog for its keys, but a normal window for the desktop, in the task bar.
        super().__init__(None, Qt.WindowType.Window)
        self.setObjectName(name)
        self.setWindowTitle(strings.window_title(title))
        self.setWindowIcon(app_icon())
        self.scrolled = ScrollArea()
        self.body = self.scrolled.body
        self.buttons, self.foot = FlowLayout(gap_px=SMALL_GAP_PX), FlowLayout(gap_px=SMALL_GAP_PX)
        self.close_button = Button(strings.CLOSE, self.close)
        self.foot.addLayout(self.buttons)
        self.foot.push(self.close_button)
        whole = column((self.scrolled, 1), self.foot, parent=self)
        whole.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        QShortcut(QKeySequence("Ctrl+W"), self, self.close)
        QShortcut(QKeySequence("Ctrl+,"), self, self.settings_asked.emit)
        self._size_px = size_px
        self._kept_size: QSize | None = None  # last read or written; None before it was first shown

    def show_view(self, view: View) -> None:
        """Show what the program does."""

    def show_settings(self, shown: SettingsView) -> None:
        """Show what the settings say."""

    def show_models(self, models: ModelList) -> None:
        """Show which models there are."""

    def show_history(self, page: HistoryPage) -> None:
        """Show an answer of the history."""

    def show_files(self, page: FilesPage) -> None:
        """Show the sound files that are transcribed."""

    def show_upkeep(self, upkeep: Upkeep) -> None:
        """Show what is known of the machine and the history as a whole."""

    def show_vocabulary(self, page: VocabularyPage) -> None:
        """Show the words and replacements."""

    def first_focus(self) -> QWidget | None:
        """The widget to focus when the window is shown; None leaves it to Qt."""
        return None

    def alternatives(self) -> Sequence[QWidget]:
        """The pages of which one is shown at a time, if any."""
        return ()

    def present(self) -> None:
        """Show the window, restored from the task bar, in front, with the focus."""
        if self._kept_size is None:
            self._restore_size()
        if self.isMinimized():  # and still maximized, if it was
            self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        if not self.isVisible():  # otherwise Qt 6.8 would report once more that the dialog is shown
            self.show()
        self.raise_()
        self.activateWindow()

    def step_aside(self, do: Callable[[bool], None]) -> None:
        """Hide, and call ``do`` as soon as another program has the focus.

        The argument is False if none takes the focus in time: another window of this program has it.
        """
        self.hide()
        _FocusLoss(self, do)

    def order_tabs(self) -> None:
        """Let Tab follow the eye; to be called again when widgets were added."""
        ordered = list(_by_eye(self))
        stops = [one for one in ordered if one.focusPolicy() & Qt.FocusPolicy.TabFocus]
        for before, after in pairwise(stops):
            QWidget.setTabOrder(before, after)
        self._underline_apart(ordered)

    def _underline_apart(self, ordered: Sequence[QWidget]) -> None:
        """Make mnemonics unique among what is visible together: not across pages or hidden widgets."""
        titled = [
            one
            for one in ordered
            if isinstance(one, QAbstractButton) or (isinstance(one, QLabel) and one.buddy() is not None)
        ]
        pages = self.alternatives()
        on_page = [
            [one for one in titled if page.isAncestorOf(one) and one.isVisibleTo(page)] for page in pages
        ]
        beside = [
            one
            for one in titled
            if one.isVisibleTo(self) and not any(page.isAncestorOf(one) for page in pages)
        ]
        for inside in on_page or [[]]:
            together = beside + inside
            for one, apart in zip(together, strings.unlike([one.text() for one in together]), strict=True):
                if apart != one.text():
                    one.setText(apart)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  the name is Qt's
        """Let Enter press the focused button, or else the default one. Called by Qt.

        Once, however long it is held. A check box does not count: only Space changes it.
        """
        if event.key() not in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            super().keyPressEvent(event)
        elif not event.isAutoRepeat() and (pressed := self._enter_button()) is not None:
            pressed.click()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        super().showEvent(event)
        if not event.spontaneous():
            self.order_tabs()
            self.shown.emit()
            if (widget := self.first_focus()) is not None:
                widget.setFocus(Qt.FocusReason.ActiveWindowFocusReason)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802  the name is Qt's
        """Remember the size. Called by Qt."""
        if not event.spontaneous():
            if self.size() != self._kept_size:  # it is written to disk at once
                self._kept_size = self.size()
                _geometry().setValue(self._size_key, self._kept_size)
            self.hidden.emit()
        super().hideEvent(event)

    def _enter_button(self) -> QAbstractButton | None:
        focused = self.focusWidget()
        if isinstance(focused, QAbstractButton) and not isinstance(focused, QCheckBox):
            return focused
        return next((one for one in self.findChildren(QPushButton) if one.isDefault()), None)

    def _restore_size(self) -> None:
        """Restore the last or initial size, centered on the screen.

        Left to itself, a dialog as high as the screen appears with its title bar above the upper edge.
        """
        remembered = _geometry().value(self._size_key)
        area = (self.screen() or QGuiApplication.primaryScreen()).availableGeometry()
        first = self._size_px * max(1.0, self.fontMetrics().height() / _LINE_PX)
        room = area.size() - QSize(2 * _EDGE_PX, _TITLE_BAR_PX + 2 * _EDGE_PX)
        size = (remembered if isinstance(remembered, QSize) else first).boundedTo(room)
        self.resize(size)
        self._kept_size = self.size()
        free = room - size
        self.move(area.left() + _EDGE_PX + free.width() // 2, area.top() + _EDGE_PX + free.height() // 2)

    @property
    def _size_key(self) -> str:
        return f"{self.objectName()}/size"


class ScrollArea(QScrollArea):
    """Scrolls ``body`` where the window is too small for it."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = QWidget()
        self.body = column(parent=self.inside)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setWidget(self.inside)
        self.verticalScrollBar().rangeChanged.connect(self._on_range_changed)
        self.viewport().setAutoFillBackground(False)
        self.inside.setAutoFillBackground(False)
        application().focusChanged.connect(self._on_focus_changed)

    def _on_range_changed(self, lowest: int, highest: int) -> None:
        """Keep cards clear of the scroll bar, if there is one."""
        gap = SMALL_GAP_PX if highest > lowest else 0  # beside the scroll bar
        left, right = (gap, 0) if self.isRightToLeft() else (0, gap)
        self.body.setContentsMargins(left, 0, right, 0)

    def _on_focus_changed(self, _before: QWidget | None, now: QWidget | None) -> None:
        """Qt itself scrolls only when the focus comes from another widget in here."""
        if now is not None and self.inside.isAncestorOf(now):
            self.ensureWidgetVisible(now)

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Low, and as wide as its contents, unless the screen is narrower. Called by Qt."""
        bar_px = self.verticalScrollBar().sizeHint().width()
        most_px = round((self.screen() or QGuiApplication.primaryScreen()).availableGeometry().width() * 0.8)
        return QSize(min(self.inside.minimumSizeHint().width() + bar_px, most_px), _LEAST_PX)


class _FocusLoss(QObject):
    """Waits until the program has lost the focus, and its window is hidden."""

    def __init__(self, window: QWidget, do: Callable[[bool], None]) -> None:
        super().__init__(window)
        self._do = do
        self._deadline = QTimer(self, singleShot=True, interval=round(_FOCUS_S * 1000))
        self._settling = QTimer(self, singleShot=True, interval=round(_SETTLE_S * 1000))
        self._deadline.timeout.connect(lambda: self._end(False))
        self._settling.timeout.connect(lambda: self._end(True))
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


def _by_eye(widget: QWidget) -> Iterator[QWidget]:
    """All leaf widgets in ``widget``, from top to bottom, from left to right."""
    layout = widget.layout()
    if isinstance(widget, ScrollArea):
        yield from _by_eye(widget.inside)
    elif isinstance(widget, QSplitter):
        for place in range(widget.count()):
            if (part := widget.widget(place)) is not None:
                yield from _by_eye(part)
    elif layout is None:
        yield widget
    else:
        yield from _in_layout(layout, widget)


def _in_layout(layout: QLayout, host: QWidget) -> Iterator[QWidget]:
    """By position in ``host``: PySide keeps a wrapper for each item it returns; see ``boxed``."""
    children = (*host.children(), *layout.children())
    placed = [(layout.indexOf(one), one) for one in children if isinstance(one, QWidget | QLayout)]
    for place, part in sorted(placed, key=itemgetter(0)):
        if place < 0:  # not in this layout
            continue
        if isinstance(part, QWidget):
            yield from _by_eye(part)
        else:
            yield from _in_layout(part, host)


def _geometry() -> QSettings:
    """The sizes of windows. Not in the settings file, where nobody would want to read them."""
    return QSettings(str(paths.config_dir() / GEOMETRY_FILE), QSettings.Format.IniFormat)


def confirm(
    parent: QWidget, question: str, detail: str, *, yes: str, no: str, do: Callable[[], None]
) -> QMessageBox:
    """Ask over the window of ``parent``, and call ``do`` on ``yes``. Enter and Escape are ``no``."""
    box = QMessageBox(QMessageBox.Icon.Question, strings.APP_TITLE, question, parent=parent.window())
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setInformativeText(detail)
    agree = box.addButton(yes, QMessageBox.ButtonRole.DestructiveRole)
    keep = box.addButton(no, QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keep)
    box.setEscapeButton(keep)
    agree.clicked.connect(do)
    box.open()
    return box


def ask_what_to_open(parent: QWidget, title: str, kinds: Sequence[str], use: Callable[[Path], None]) -> None:
    """Ask over ``parent`` for a file of one of ``kinds``, such as "Text (*.txt)", and ``use`` it."""
    dialog = _dialog(parent, title)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.setNameFilters(kinds)
    dialog.fileSelected.connect(lambda path: use(Path(path)))
    dialog.open()


def ask_for_folder(parent: QWidget, title: str, use: Callable[[Path], None]) -> None:
    """Ask over ``parent`` for a folder, and ``use`` it."""
    dialog = _dialog(parent, title)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.fileSelected.connect(lambda path: use(Path(path)))
    dialog.open()


def ask_where_to_save(
    parent: QWidget, title: str, name: str, kinds: Mapping[str, str], save: Callable[[Path], None]
) -> QFileDialog:
    """Ask over ``parent``, and call ``save`` with the file; the dialog is opened, not executed.

    Args:
        parent: A widget of the window.
        title: The dialog's.
        name: The suggested name, without extension.
        kinds: Extension, such as ".txt" -> the title of the format; the first is the default.
        save: Called with the file's path, which has one of the extensions.
    """
    dialog = _dialog(parent, title)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilters(list(kinds.values()))
    dialog.selectFile(name + next(iter(kinds)))
    dialog.fileSelected.connect(
        lambda path: _save(parent, Path(path), dialog.selectedNameFilter(), kinds, save)
    )
    dialog.open()
    return dialog


def _save(
    parent: QWidget, target: Path, kind: str, kinds: Mapping[str, str], save: Callable[[Path], None]
) -> None:
    """The extension determines the format; without one, the selected format adds it.

    That is then another file, whose existence the dialog has not checked.
    """
    if target.suffix.lower() in kinds:
        save(target)
        return
    ending = next((one for one, title in kinds.items() if title == kind), next(iter(kinds)))
    target = target.with_name(target.name + ending)
    if os.path.lexists(target):
        confirm(
            parent,
            tr("Replace {name}?").format(name=target.name),
            tr("A file with this name already exists."),
            yes=tr("&Replace"),
            no=tr("&Keep it"),
            do=partial(save, target),
        )
    else:
        save(target)


def _dialog(parent: QWidget, title: str) -> QFileDialog:
    dialog = QFileDialog(parent, title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return dialog
