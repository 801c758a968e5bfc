"""A row of a page: label, control, explanation, and problem.

``Row`` is the general one; ``SettingRow`` is for a setting, created from its description.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSizePolicy, QToolButton, QWidget

from handy_qwen.settings import OPTIONS, SettingsView
from handy_qwen.settings.fields import Option
from handy_qwen.settings.file import SettingsProblem
from handy_qwen.settings.forms import sentence
from handy_qwen.ui.layouts import SMALL_GAP_PX, FlowLayout, Part, column, row
from handy_qwen.ui.settings.controls import Control, control_for
from handy_qwen.ui.strings import without_letter
from handy_qwen.ui.translation import tr, translated
from handy_qwen.ui.widgets import Button, Message, SecondaryText, Text, spoken

_GAP_PX = 4
_NOTHING = object()  # no value of a setting
# Translators: a button that sets a setting back to its default.
_RESET_TO = tr("Reset {setting} to {value}")
_FOUND_BY = {  # further search words of a setting; translators: words that people may search for
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
