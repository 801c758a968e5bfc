"""The page Text: how texts are inserted, and their processing."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from functools import partial

from PySide6.QtWidgets import QCheckBox, QWidget

from handy_qwen.core.commands import COMMAND_LANGUAGES, Command, phrases_of, written_as
from handy_qwen.core.text import TextRules, clean, fit
from handy_qwen.core.types import Method
from handy_qwen.core.view import Choices, View
from handy_qwen.settings import SettingsView
from handy_qwen.settings.fields import OPTIONS
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import SMALL_GAP_PX, column, row
from handy_qwen.ui.settings.controls import ChoiceControl
from handy_qwen.ui.settings.page import Change, Row, SettingsPage, Tools
from handy_qwen.ui.translation import tr, translated
from handy_qwen.ui.widgets import Text, spoken

_SPACE = "␣"  # a trailing space
_COMMANDS = tr("Spoken commands")
_EXAMPLE = tr("Example")
BEFORE, HEARD = "Please send it to Anna", "If you can, um, today."
_LANGUAGE = "English"  # of the example, which the rules are applied to
_MOST_CHARACTERS = 300  # of a dictation


class TextPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._method = ChoiceControl(_methods(None))
        self.add_section(tr("Insertion"), self.setting("method", self._method), self.setting("submit"))
        names = ("smart_spacing", "trailing_space", "remove_fillers")
        self.example = Text()
        self._rules, self._heard = TextRules(), ("", "")
        self._row = Row(_EXAMPLE, help=tr("What these settings make of it."), below=self.example)
        self.add_section(tr("Wording"), *map(self.setting, names), self._row)
        self.languages = CommandLanguages(tools.commands.change)
        self.add_section(_COMMANDS, *map(self.setting, Command), self.languages)

    def show_view(self, view: View) -> None:
        """Show the desktop's best method, the last dictation, and the spoken commands."""
        self._method.set_entries(_methods(view.choices.automatic_method))
        self.languages.offer(view.choices)
        if view.heard != self._heard:
            self._heard = view.heard
            self._show_example()

    def show_settings(self, shown: SettingsView) -> None:
        """Show the settings, and their effect on the last dictation."""
        super().show_settings(shown)
        self._rules = shown.values.text_rules
        self._show_example()

    def _show_example(self) -> None:
        """Show the effect of the general rules on the last dictation, or else on an example.

        Without regular expressions, which could block Qt's thread.
        """
        plain = tuple(one for one in self._rules.replacements if not one.is_regex)
        rules = replace(self._rules, replacements=plain)
        heard, language = self._heard
        heard = textwrap.shorten(heard, _MOST_CHARACTERS, placeholder="…") if heard else ""
        before = "" if heard else BEFORE
        heard, language = heard or HEARD, language if heard else _LANGUAGE
        result = before + fit(clean(heard, rules, language), rules, before or None, language)
        if result.endswith(" "):
            result = f"{result[:-1]}{_SPACE}"
        shown = tr("You said: {heard}\nThe result: {result}")
        if before:
            shown = tr("Already there: {before}\nYou say: {heard}\nThe result: {result}")
        self.example.setText(shown.format(before=before, heard=heard, result=result))
        self._row.label.setText(_EXAMPLE if before else tr("Your last dictation"))


class CommandLanguages(Row):
    """The spoken commands of each language, with a box to disable them there."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self._off: tuple[str, ...] = ()
        self._choices = Choices()
        self.boxes: dict[str, QCheckBox] = {}
        self._lines: dict[str, QWidget] = {}
        for name in COMMAND_LANGUAGES:
            title, phrases = strings.language_title(name), phrases_of(name).values()
            said = tr("{language}: {phrases}").format(
                language=title, phrases=", ".join(f"“{one}”" for one in phrases)
            )
            box = self.boxes[name] = QCheckBox()
            box.setAccessibleName(spoken(said))
            box.clicked.connect(partial(self._switch, name))
            line = self._lines[name] = QWidget()
            row(box, (Text(said), 1), gap_px=SMALL_GAP_PX, parent=line)
        panel = column(*self._lines.values(), gap_px=SMALL_GAP_PX)
        first = next(iter(self.boxes.values()))
        super().__init__(
            tr("Languages of spoken commands"),
            help=tr("Pause before and after a command. In a sentence, the same words are only words."),
            below=panel,
            focus=first,
            also=_COMMANDS,
            setting_name="commands_not_in",
        )

    def show_settings(self, shown: SettingsView) -> None:
        """See ``Row``."""
        super().show_settings(shown)
        self._off = shown.values.commands_not_in
        self._update()

    def offer(self, choices: Choices) -> None:
        """Show the user's languages; if unknown, all that have commands."""
        self._choices = choices
        self._update()

    def _update(self) -> None:
        automatic = self._choices.detected_languages or COMMAND_LANGUAGES
        own = [self._choices.language] if self._choices.language else automatic
        spoken_ones = {*map(written_as, (*own, *self._choices.recent_languages)), *self._off}
        spoken_ones = spoken_ones if self.boxes.keys() & spoken_ones else {*self.boxes}
        for name, box in self.boxes.items():
            self._lines[name].setVisible(name in spoken_ones)
            box.setChecked(name not in self._off)

    def _switch(self, name: str) -> None:
        left = tuple(one for one in self._off if one != name)
        self._change(commands_not_in=left if self.boxes[name].isChecked() else (*left, name))


def _methods(automatic: Method | None) -> list[tuple[Method | None, str]]:
    """The methods and their titles; ``automatic`` is this desktop's, if known."""
    form = OPTIONS["method"].described.form
    titles = {method: translated(form.worded(method)) for method in (None, *Method)}
    if automatic is not None:
        titles[None] = strings.AUTOMATIC_IS.format(what=titles[automatic])
    return [(method, strings.without_letter(title)) for method, title in titles.items()]
