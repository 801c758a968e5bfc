"""Shared by the pages of the settings window: the page, and the rows that it is made of.

A page is a class that fills itself with sections of rows. The window creates it when it is first shown, or
searched, and passes it every new value: ``show_settings``, ``show_view``, ``show_models`` and so on, each
complete in itself. Expensive things (a microphone, a timer) start in ``enter`` and stop in ``leave``: a page
is left when another one is shown and when the window is closed.

A row says what it is called, how it is changed, what it means, and what is wrong with it. ``Row`` is any such
row; ``SettingRow`` that of one setting, made of its description alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QSizePolicy, QToolButton, QWidget

from handy_qwen.core.events import Request
from handy_qwen.core.models import ModelCommands, ModelList
from handy_qwen.core.upkeep import Upkeep, UpkeepCommands
from handy_qwen.core.view import Commands, Meter, MicrophoneCommands, View
from handy_qwen.core.vocabulary import VocabularyCommands
from handy_qwen.core.vocabulary import VocabularyPage as Vocabulary
from handy_qwen.settings import OPTIONS, SettingsView
from handy_qwen.settings.fields import Option
from handy_qwen.settings.file import SettingsProblem
from handy_qwen.settings.forms import sentence
from handy_qwen.ui.layouts import GAP_PX, MARGIN_PX, SMALL_GAP_PX, FlowLayout, Part, column, row
from handy_qwen.ui.settings.controls import Control, control_for
from handy_qwen.ui.strings import without_letter
from handy_qwen.ui.translation import tr, translated
from handy_qwen.ui.widgets import Button, Card, Message, SecondaryText, Text, spoken
from handy_qwen.ui.window import ScrollArea

_LEAST_PX = 160
_GAP_PX = 4
_NOTHING = object()  # no value of a setting
# Translators: a button that sets a setting back to its default.
_RESET_TO = tr("Reset {setting} to {value}")
_FOUND_BY = {  # what else a setting is searched by; translators: words that people may search for
    "overlay": tr("popup indicator"),
    "sounds": tr("beep cue tone"),
    "while_recording": tr("music video pause duck volume player"),
    "mode": tr("push to talk toggle"),
    "model": tr("accuracy speed"),
    "live": tr("streaming preview speed"),
    "live_on_battery": tr("streaming preview speed"),
    "threads": tr("cpu cores speed"),
    "idle_unload_min": tr("ram"),
    "method": tr("clipboard ctrl+v keystrokes"),
    "submit": tr("return send chat"),
    "smart_spacing": tr("capital lowercase punctuation"),
    "remove_fillers": tr("filler hesitation"),
    "say_new_line": tr("voice command line break"),
    "say_new_paragraph": tr("voice command line break"),
    "say_scratch_that": tr("voice command undo delete backspace"),
    "say_press_enter": tr("voice command return send"),
    "private": tr("incognito record"),
}


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
        for one in self.rows:
            one.show_settings(shown)

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
        found = [one for one in self._rows if one.matches(sought)]
        for one in self._rows:
            one.setVisible(one in found)
        self.setVisible(bool(found))
        return found


class Row(QWidget):
    """A label with its control beside it, if there is room, and help and trouble below.

    Args:
        label: The name, also for a screen reader; "" for a self-explanatory row.
        control: Has the value. Wide ones (a table) go into ``below``.
        help: A sentence or two.
        before: An addition at the left of the control.
        below: More, over the whole width.
        focus: What to focus, if there is no ``control``.
        also: Further search words.
        setting_name: The setting it is about, or "".
    """

    def __init__(
        self,
        label: str,
        control: QWidget | None = None,
        *,
        help: str = "",  # noqa: A002
        before: QWidget | None = None,
        below: Part = None,
        focus: QWidget | None = None,
        also: str = "",
        setting_name: str = "",
    ) -> None:
        super().__init__()
        self.label, self.control = Text(label, is_line=True), control
        self.setting_name, self._focus = setting_name, focus
        self.help, self.trouble = SecondaryText(help, scale=0.92), Message()
        self._also = also
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        for words in (self.label, self.help):
            if not words.text():
                words.hide()
        line = FlowLayout(self.label, gap_px=SMALL_GAP_PX * 2)
        if control is not None:
            self.label.setBuddy(control)
            action = control.text() if isinstance(control, Button) else ""
            control.setAccessibleName(": ".join(filter(None, (spoken(label), without_letter(action)))))
            control.setAccessibleDescription(spoken(help))
            line.push(control if before is None else _together(before, control))
        parts: list[Part] = [line, self.help, self.trouble]
        column(*parts, *([] if below is None else [below]), gap_px=_GAP_PX, parent=self)

    def matches(self, sought: str) -> bool:
        """Whether the search ``sought``, words in lower case, matches the row."""
        known = f"{self.label.text()} {self.help.text()} {self._also}".casefold()
        return all(word in known for word in sought.split())

    def is_called(self, sought: str) -> bool:
        """Whether its label contains all words of ``sought``."""
        return all(word in self.label.text().casefold() for word in sought.split())

    def first_focus(self) -> QWidget | None:
        """What to focus when a search ends here."""
        return self.control or self._focus

    def show_settings(self, shown: SettingsView) -> None:
        """Show the problem in the settings file."""
        self.show_problem(shown.problem_of(self.setting_name))

    def show_problem(self, problem: SettingsProblem | None) -> None:
        """Show the problem in the settings file, or none."""
        if self.setting_name:
            self.refuse(sentence(translated(problem.told)) if problem else "")

    def set_help(self, text: str) -> None:
        """Change the help below the label, also for screen readers."""
        self.help.setText(text)
        self.help.setVisible(bool(text))
        if self.control is not None:
            self.control.setAccessibleDescription(spoken(text))

    def refuse(self, reason: str, hint: str = "") -> None:
        """Show the problem under the row until ``refuse("")``; it is announced."""
        self.trouble.say(reason, hint=hint)


class Change(Protocol):
    """Changes settings by name, at once: ``core.view.Commands.change``."""

    def __call__(self, **changes: object) -> None:
        """See there."""


class SettingRow(Row):
    """The row of the setting ``name``: shows its value, validates and passes on the user's choice.

    An invalid value stays as it was typed, with the reason below; the setting is unchanged. Problems of the
    file are shown in the same place.

    Args:
        name: Of ``settings.fields.Settings``.
        change: Changes it.
        control: Its control, if the description is not enough to create one.
        beside: An addition at the left of the control.
        below: More, over the whole width.
    """

    def __init__(
        self,
        name: str,
        change: Change,
        control: Control | None = None,
        *,
        beside: QWidget | None = None,
        below: Part = None,
    ) -> None:
        self.option: Option = OPTIONS[name]
        described = self.option.described
        self.setting = control or control_for(self.option)
        self.reset = ResetButton(self._reset)
        super().__init__(
            translated(described.label),
            self.setting.widget,
            help=translated(described.help),
            before=self.reset if beside is None else _together(self.reset, beside),
            below=below,
            also=f"{name} {self.setting.words} {_FOUND_BY.get(name, '')}",
            setting_name=name,
        )
        self._change = change
        self.setting.connect(self._choose)
        self._value: Any = _NOTHING
        self._asked: list[Any] = []  # chosen, but not confirmed yet
        self._problem: SettingsProblem | None = None
        self._show_reset()

    def show_settings(self, shown: SettingsView) -> None:
        """Show the value, unless the user is editing a refused one; and problems of the file.

        A value that was overtaken by another choice is not shown: the newer one is on its way.
        """
        value, problem = getattr(shown.values, self.option.name), shown.problem_of(self.option.name)
        if value in self._asked:
            del self._asked[: self._asked.index(value) + 1]
        elif value != self._value:  # changed elsewhere
            self._asked.clear()
        if value != self._value or problem != self._problem:
            self._value, self._problem = value, problem
            if not self._asked:
                self.setting.show_value(value)
                self.show_problem(problem)
        self._show_reset()

    def _choose(self, value: object) -> None:
        try:
            value = self.option.read(value)
        except ValueError as exc:
            self.refuse(self.setting.reason(exc))
            return
        self.refuse("")
        if self._problem or value != [self._value, *self._asked][-1]:
            self._ask(value)

    def _reset(self) -> None:
        self.refuse("")
        self.setting.show_value(self.option.default)
        self.setting.widget.setFocus(Qt.FocusReason.OtherFocusReason)
        self._ask(self.option.default)

    def _ask(self, value: object) -> None:
        self._asked.append(value)
        self._change(**{self.option.name: value})

    def _show_reset(self) -> None:
        default = translated(self.option.worded(self.option.default))
        self.reset.explain(self.label.text(), default)
        self.reset.set_shown(self._value != self.option.default or self._problem is not None)


def _together(*widgets: QWidget) -> QWidget:
    """``widgets`` in a row that is never broken."""
    whole = QWidget()
    row(*widgets, gap_px=SMALL_GAP_PX, parent=whole)
    return whole


class ResetButton(QToolButton):
    """Keeps its place while hidden, so that nothing moves when it appears."""

    def __init__(self, do: Callable[[], None]) -> None:
        super().__init__()
        self.setText("↺")
        self.setAutoRaise(True)
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)
        self.clicked.connect(lambda _checked: do())

    def explain(self, setting: str, default: str) -> None:
        """Explain its effect, also for screen readers."""
        text = _RESET_TO.format(setting=f"“{setting}”", value=f"“{default}”")
        self.setToolTip(text)
        self.setAccessibleName(text)

    def set_shown(self, is_shown: bool) -> None:
        """Show it, or nothing in its place."""
        self.setVisible(is_shown)
