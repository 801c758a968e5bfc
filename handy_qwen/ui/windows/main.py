"""The main window: all that the tray's menu offers, for desktops without a tray and for who starts twice.

It has no entries of its own. Each group of the menu is a row: an entry is a button, a submenu a button that
opens it, with what is chosen in it as its text.
"""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLabel, QMenu, QPushButton, QWidget

from handy_qwen.core.view import Commands, Phase, View
from handy_qwen.ui import strings
from handy_qwen.ui.icons import app_icon
from handy_qwen.ui.layouts import FlowLayout
from handy_qwen.ui.overlay import has_overlay
from handy_qwen.ui.tray import ChoiceMenu, TrayMenu
from handy_qwen.ui.widgets import SecondaryText, Text, Title, announce, button
from handy_qwen.ui.window import GAP_PX, MARGIN_PX, SMALL_GAP_PX, AppWindow

_ICON_PX = 48
_CHOOSER_CHARACTERS = 20


class MainWindow(AppWindow):
    """Shows the last view it was given. Lives on Qt's thread.

    Args:
        menu: The tray's, whose actions are shown here as well.
        commands: To look for microphones and models when the window comes up.
    """

    def __init__(self, menu: TrayMenu, commands: Commands) -> None:
        super().__init__("main", "", QSize(700, 430))
        self.setWindowTitle(strings.APP_TITLE)
        self.state, self._keys, self._problem = Title(scale=1.4), SecondaryText(), Text(color="problem")
        self._build(menu)
        self.shown.connect(commands.refresh_choices)
        self.close_button.setText(strings.CLOSE.replace("&", ""))  # its letter is that of Cancel

    def show_view(self, view: View) -> None:
        """Say what the program does, which key it waits for, and what is wrong."""
        lasting = [notice for notice in view.notices if notice.is_lasting]
        problem = f"{lasting[-1].title} {lasting[-1].hint}".strip() if lasting else ""
        if problem != self._problem.text() and not has_overlay(view):
            announce(self, problem)
        how = strings.how_to_dictate(view.choices)
        self.state.setText(strings.PHASES[view.phase])
        self._keys.setText(how)
        self._keys.setVisible(bool(how) and view.phase is not Phase.PROBLEM)
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))

    def _build(self, menu: TrayMenu) -> None:
        head = QHBoxLayout()
        head.setSpacing(MARGIN_PX)
        picture = QLabel()
        picture.setPixmap(app_icon().pixmap(_ICON_PX, _ICON_PX))
        words = QGridLayout()
        words.setVerticalSpacing(2)
        for row, label in enumerate((self.state, self._keys, self._problem)):
            words.addWidget(label, row, 0)
        head.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        head.addLayout(words, 1)
        self.body.addLayout(head)
        for group in _groups(menu.entries()):
            self._add_group(group, menu)
        self.body.addStretch()

    def _add_group(self, group: list[QAction], menu: TrayMenu) -> None:
        row, form = FlowLayout(SMALL_GAP_PX), QGridLayout()
        form.setHorizontalSpacing(GAP_PX)
        form.setVerticalSpacing(SMALL_GAP_PX)
        form.setColumnStretch(1, 1)
        for action in group:
            if isinstance(submenu := action.menu(), ChoiceMenu):
                chooser, label = Chooser(submenu), QLabel(submenu.title())
                label.setBuddy(chooser)
                place = form.count()
                form.addWidget(label, place, 0)
                form.addWidget(chooser, place, 1)
            else:
                row.addWidget(self._widget(action, menu))
        for layout in (row, form):
            if layout.count():
                self.body.addLayout(layout)

    def _widget(self, action: QAction, menu: TrayMenu) -> QWidget:
        made: QPushButton | QCheckBox
        if action.isCheckable():
            made = QCheckBox(self)
        else:
            made = button()
            made.setParent(self)
        if isinstance(submenu := action.menu(), QMenu) and isinstance(made, QPushButton):
            made.setMenu(submenu)
        elif menu.is_for_other_window(action):
            made.clicked.connect(lambda _checked: self.step_aside(lambda _is_elsewhere: action.trigger()))
        else:
            made.clicked.connect(lambda _checked: action.trigger())
        _follow(made, action)
        return made


class Chooser(QPushButton):
    """A submenu of which one entry is chosen: its text is that entry, cut where there is no room for it."""

    def __init__(self, menu: ChoiceMenu) -> None:
        super().__init__()
        self.setAutoDefault(False)
        self.setMenu(menu)
        self._submenu, self._chosen = menu, ""
        menu.chosen_changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        self._chosen = strings.without_letter(self._submenu.chosen_title)
        self.setAccessibleName(f"{strings.without_letter(self._submenu.title())}: {self._chosen}")
        self.setToolTip(self._chosen)
        self._fit()

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """No wider for a long entry, such as the name of a microphone. Called by Qt."""
        return QSize(_CHOOSER_CHARACTERS * self.fontMetrics().averageCharWidth(), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        return self.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  the name is Qt's
        """Called by Qt."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        metrics = self.fontMetrics()
        room = self.width() - 4 * metrics.averageCharWidth() - metrics.height()  # the edges, and the arrow
        self.setText(metrics.elidedText(self._chosen, Qt.TextElideMode.ElideRight, room).replace("&", "&&"))


def _follow(widget: QPushButton | QCheckBox, action: QAction) -> None:
    """Keep ``widget`` as ``action`` is."""

    def show() -> None:
        widget.setText(action.text())
        widget.setEnabled(action.isEnabled())
        widget.setVisible(action.isVisible())
        if action.isCheckable():
            widget.setChecked(action.isChecked())

    action.changed.connect(show)
    show()


def _groups(actions: list[QAction]) -> list[list[QAction]]:
    """The actions between the menu's separators."""
    groups: list[list[QAction]] = [[]]
    for action in actions:
        if action.isSeparator():
            groups.append([])
        else:
            groups[-1].append(action)
    return groups
