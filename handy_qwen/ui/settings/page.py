"""Shared by the pages of the settings window.

A page is a class that fills itself with sections of rows. The window creates it when it is first shown, or
searched, and passes it every new value: ``show_settings``, ``show_view``, ``show_models`` and so on, each
complete in itself. Expensive things (a microphone, a timer) start in ``enter`` and stop in ``leave``: a page
is left when another one is shown and when the window is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QWidget

from handy_qwen.core.events import Request
from handy_qwen.core.models import ModelCommands, ModelList
from handy_qwen.core.upkeep import Upkeep, UpkeepCommands
from handy_qwen.core.view import Commands, Meter, MicrophoneCommands, View
from handy_qwen.core.vocabulary import VocabularyCommands
from handy_qwen.core.vocabulary import VocabularyPage as Vocabulary
from handy_qwen.settings import SettingsView
from handy_qwen.ui.layouts import GAP_PX, MARGIN_PX, SMALL_GAP_PX, column
from handy_qwen.ui.settings.controls import Control
from handy_qwen.ui.settings.row import Row, SettingRow
from handy_qwen.ui.widgets import Card, Text
from handy_qwen.ui.window import ScrollArea

_LEAST_PX = 160


@dataclass(frozen=True)
class Tools:
    """The program's interface for pages."""

    commands: Commands
    ask: Callable[[Request], None]
    meter: Meter
    models: ModelCommands
    upkeep: UpkeepCommands
    vocabulary: VocabularyCommands
    microphone: MicrophoneCommands


class SettingsPage(ScrollArea):
    """One page. Made and used on Qt's thread.

    A subclass adds its sections in ``__init__``, and overrides the methods it needs.
    """

    def __init__(self, tools: Tools) -> None:
        super().__init__()
        self.tools = tools
        self.rows: list[Row] = []
        self._sections: list[_Section] = []
        self.body.setSpacing(GAP_PX)
        self.body.addStretch()

    def add_section(self, title: str, *rows: Row) -> None:
        """Put ``rows`` on a new card below the others; ``title`` "" for none."""
        section = _Section(title, rows)
        self._sections.append(section)
        self.rows += rows
        self.body.insertWidget(self.body.count() - 1, section)  # above the stretch

    def setting(
        self,
        name: str,
        control: Control | None = None,
        *,
        beside: QWidget | None = None,
        below: QWidget | None = None,
    ) -> SettingRow:
        """The row of the setting ``name``, created from its description; see ``SettingRow``."""
        return SettingRow(name, self.tools.commands.change, control, beside=beside, below=below)

    def enter(self) -> None:
        """The page is shown."""

    def leave(self) -> None:
        """Another page is shown, or the window is closed."""

    def show_settings(self, shown: SettingsView) -> None:
        """Show what the settings say."""
        for row in self.rows:
            row.show_settings(shown)

    def show_view(self, view: View) -> None:
        """Show what the program does."""

    def show_models(self, models: ModelList) -> None:
        """Show which models there are."""

    def show_upkeep(self, upkeep: Upkeep) -> None:
        """Show what is known of the machine and the history as a whole."""

    def show_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Show the words and replacements."""

    def filter(self, sought: str) -> list[Row]:
        """Show only the rows that match the search ``sought``, in lower case; all if it is ""."""
        return [row for section in self._sections for row in section.filter(sought)]

    def minimumSizeHint(self) -> QSize:  # noqa: N802  the name is Qt's
        """Small, so that the window fits on any screen. Called by Qt."""
        return QSize(_LEAST_PX, _LEAST_PX)

    def first_focus(self) -> QWidget | None:
        """The widget to focus when the page is entered by keyboard."""
        return next((row.first_focus() for row in self.rows if not row.isHidden()), None)


class _Section(QWidget):
    """Rows on a card, and a heading."""

    def __init__(self, title: str, rows: tuple[Row, ...]) -> None:
        super().__init__()
        self._rows = rows
        heading = Text(title, is_bold=True)
        if not title:
            heading.hide()
        card = Card(*rows, gap_px=MARGIN_PX)
        column(heading, card, gap_px=SMALL_GAP_PX, parent=self)

    def filter(self, sought: str) -> list[Row]:
        found = [row for row in self._rows if row.matches(sought)]
        for row in self._rows:
            row.setVisible(row in found)
        self.setVisible(bool(found))
        return found
