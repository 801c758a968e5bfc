"""The last steps: start at login, and what has been shown to work."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QVBoxLayout, QWidget

from handy_qwen.core.view import Commands, View
from handy_qwen.ui.setup import words
from handy_qwen.ui.setup.page import Page, Progress
from handy_qwen.ui.windows.parts import Panel, Quiet, Sign, Text, button
from handy_qwen.ui.windows.window import MARGIN_PX, SMALL_GAP_PX

PLACE = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft


class AutostartPage(Page):
    """A check box."""

    def __init__(self, commands: Commands) -> None:
        super().__init__(words.AUTOSTART, words.AUTOSTART_TITLE, words.AUTOSTART_LEAD)
        self.box = QCheckBox(words.AT_LOGIN)
        self.box.clicked.connect(commands.use_autostart)
        card = Panel()
        inside = QVBoxLayout(card)
        inside.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        inside.setSpacing(SMALL_GAP_PX)
        inside.addWidget(self.box)
        inside.addWidget(Quiet(words.AT_LOGIN_HINT))
        self.body.addWidget(card)
        self.body.addStretch()

    @property
    def summary(self) -> str:
        """Whether it is on."""
        return words.AT_LOGIN_ON if self.box.isChecked() else words.AT_LOGIN_OFF

    def enter(self) -> None:
        """There is nothing to try here: having seen it is enough."""
        super().enter()
        self._settle()

    def first_focus(self) -> QWidget:
        """The check box."""
        return self.box

    def show_view(self, view: View) -> None:
        """Show how it is."""
        super().show_view(view)
        self.box.setChecked(view.choices.is_autostarted)
        if self.progress is not Progress.OPEN:
            self._settle()

    def _settle(self) -> None:
        self.set_progress(Progress.DONE if self.box.isChecked() else Progress.SETTLED)


class DonePage(Page):
    """What works, and what has been left out, with a way back to it."""

    wanted = Signal(int)  # the step to go back to

    def __init__(self, steps: Sequence[Page]) -> None:
        super().__init__(words.DONE, words.DONE_TITLE, words.DONE_LEAD)
        self._steps = tuple(steps)
        self._rows = [Row(step.name) for step in self._steps]
        card = Panel()
        grid = QGridLayout(card)
        grid.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        grid.setHorizontalSpacing(MARGIN_PX)
        grid.setVerticalSpacing(SMALL_GAP_PX)
        grid.setColumnStretch(3, 1)
        for place, row in enumerate(self._rows):
            row.again.clicked.connect(lambda _checked, place=place: self.wanted.emit(place))
            for sign in row.signs.values():
                grid.addWidget(sign, place, 0, PLACE)
            for column, part in enumerate((row.name, row.state, row.again), start=1):
                grid.addWidget(part, place, column, PLACE)
            grid.setRowMinimumHeight(place, row.again.sizeHint().height())
        self.body.addWidget(card)
        self.body.addWidget(Quiet(words.FIND_AGAIN))
        self.body.addStretch()

    def enter(self) -> None:
        """Look what has been done."""
        super().enter()
        self.show_progress()
        self.set_done()

    def show_progress(self) -> None:
        """Show how far the steps are now."""
        for step, row in zip(self._steps, self._rows, strict=True):
            row.show_state(step.summary, step.progress)
        is_open = any(step.progress is Progress.OPEN for step in self._steps)
        self.title.setText(words.DONE_TITLE_OPEN if is_open else words.DONE_TITLE)

    def show_view(self, view: View) -> None:
        """Name the hotkey."""
        super().show_view(view)
        keys = " / ".join(view.choices.hotkeys) or words.YOUR_HOTKEY
        self.lead.setText(words.DONE_LEAD.format(keys=keys))


class Row:
    """A step in the list of ``DonePage``."""

    def __init__(self, name: str) -> None:
        self.signs = {
            Progress.OPEN: Sign("mark-info", "quiet"),
            Progress.SETTLED: Sign("mark-dot", "quiet"),
            Progress.DONE: Sign("mark-good", "good"),
        }
        self.name, self.state = Text(name), Quiet()
        for label in (self.name, self.state):
            label.setWordWrap(False)
        self.again = button(words.TRY_AGAIN.replace("&", ""))
        self.again.setAccessibleName(f"{self.again.text()}: {name}")

    def show_state(self, summary: str, progress: Progress) -> None:
        """Say how far the step is."""
        for of, sign in self.signs.items():
            sign.setVisible(of is progress)
        self.again.setVisible(progress is Progress.OPEN)
        self.state.setText(summary)
