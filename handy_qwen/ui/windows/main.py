"""The main window: the tray menu's entries, for desktops without a tray and for a second start.

It has no entries of its own. Each group of the menu is a row: an entry is a button, a submenu a button that
opens it, with the chosen entry as its text.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QPaintEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QLabel,
    QLayout,
    QMenu,
    QPushButton,
    QStyle,
    QStyleOptionButton,
    QStylePainter,
)

from handy_qwen.core.view import Commands, Phase, View
from handy_qwen.ui import strings
from handy_qwen.ui.icons import app_icon
from handy_qwen.ui.layouts import MARGIN_PX, SMALL_GAP_PX, FlowLayout, boxed, column, form, row
from handy_qwen.ui.overlay import has_overlay
from handy_qwen.ui.tray import ChoiceMenu, TrayMenu, lasting_notice
from handy_qwen.ui.widgets import Button, SecondaryText, Text, Title, announce, labelled
from handy_qwen.ui.window import AppWindow

_ICON_PX = 48
_CHOOSER_CHARACTERS = 20


class MainWindow(AppWindow):
    """Shows the latest view. Created and used on Qt's thread.

    Args:
        menu: The tray's, whose actions are shown here as well.
        commands: To look for microphones and models when the window is shown.
    """

    def __init__(self, menu: TrayMenu, commands: Commands) -> None:
        super().__init__("main", "", QSize(700, 380))
        self.setWindowTitle(strings.APP_TITLE)
        self._menu = menu
        self.state, self._keys, self._problem = Title(scale=1.4), SecondaryText(), Text(color="problem")
        picture = QLabel()
        picture.setPixmap(app_icon().pixmap(_ICON_PX, _ICON_PX))
        picture.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._remedy = Button(do=menu.fix_problem)
        said = column(self.state, self._keys, self._problem, SMALL_GAP_PX, FlowLayout(self._remedy), gap_px=2)
        groups = groupby(menu.entries(), QAction.isSeparator)
        parts = [part for is_separator, group in groups if not is_separator for part in self._group(group)]
        whole = column(row(picture, (said, 1), gap_px=MARGIN_PX), *parts, None)
        self.body.addWidget(boxed(whole), 1)
        self.shown.connect(commands.refresh_choices)
        self.close_button.setText(strings.without_letter(strings.CLOSE))  # its mnemonic is used by Cancel

    def show_view(self, view: View) -> None:
        """Show the state, the function of the key, and problems."""
        notice = lasting_notice(view)
        problem = f"{notice.title} {notice.hint}".strip() if notice else ""
        if problem != self._problem.text() and not has_overlay(view):
            announce(self, problem)
        how = strings.how_to_go_on(view)
        self.state.setText(strings.PHASES[view.phase])
        self._keys.setText(how)
        self._keys.setVisible(bool(how) and view.phase is not Phase.PROBLEM)
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        remedy = notice.remedy if notice and view.can(notice.remedy) else None
        self._remedy.setText(strings.REMEDIES[remedy] if remedy else "")
        self._remedy.setVisible(remedy is not None)

    def _group(self, actions: Iterable[QAction]) -> list[QLayout]:
        buttons, choosers = FlowLayout(gap_px=SMALL_GAP_PX), form()
        for action in actions:
            if isinstance(submenu := action.menu(), ChoiceMenu):
                chooser, place = _Chooser(submenu), choosers.count()
                choosers.addWidget(labelled(submenu.title(), chooser), place, 0)
                choosers.addWidget(chooser, place, 1)
            else:
                buttons.addWidget(self._button(action))
        return [layout for layout in (buttons, choosers) if layout.count()]

    def _button(self, action: QAction) -> QPushButton | QCheckBox:
        """A button or check box for ``action``, with its state."""
        made: QPushButton | QCheckBox = QCheckBox(self) if action.isCheckable() else Button()
        made.setParent(self)
        if isinstance(submenu := action.menu(), QMenu) and isinstance(made, QPushButton):
            made.setMenu(submenu)
        elif self._menu.is_for_other_window(action):
            made.clicked.connect(lambda _checked: self.step_aside(lambda _is_elsewhere: action.trigger()))
        else:
            made.clicked.connect(lambda _checked: action.trigger())

        def follow() -> None:
            made.setText(action.text())
            made.setEnabled(action.isEnabled())
            made.setVisible(action.isVisible())
            if action.isCheckable():
                made.setChecked(action.isChecked())

        action.changed.connect(follow)
        follow()
        return made


class _Chooser(QPushButton):
    """A submenu with one chosen entry: its text is that entry, elided if necessary."""

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
        self.setToolTip(strings.tip(self._chosen))
        self._fit()

    def sizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        return QSize(_CHOOSER_CHARACTERS * self.fontMetrics().averageCharWidth(), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        return self.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802  the name is Qt's
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  the name is Qt's
        """Align its text like that of other lists."""
        option = QStyleOptionButton()
        self.initStyleOption(option)
        text, option.text = option.text, ""
        painter = QStylePainter(self)
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
        edge = self.fontMetrics().averageCharWidth()
        first = QStyle.visualAlignment(self.layoutDirection(), Qt.AlignmentFlag.AlignLeft)
        painter.drawItemText(
            self.rect().adjusted(edge, 0, -edge, 0),
            first | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextShowMnemonic,
            self.palette(),
            self.isEnabled(),
            text,
            QPalette.ColorRole.ButtonText,
        )
        painter.end()

    def _fit(self) -> None:
        metrics = self.fontMetrics()
        room = self.width() - 4 * metrics.averageCharWidth() - metrics.height()  # the edges, and the arrow
        self.setText(strings.literal(metrics.elidedText(self._chosen, Qt.TextElideMode.ElideRight, room)))
