"""The page Text: how a text gets into a window, and what is done to it before."""

from __future__ import annotations

import textwrap
from dataclasses import replace

from handy_qwen.core.commands import COMMAND_LANGUAGES, Command, phrases_of
from handy_qwen.core.text import TextRules, clean, fit
from handy_qwen.core.types import Method
from handy_qwen.core.view import Choices, View
from handy_qwen.settings import SettingsView
from handy_qwen.settings.fields import OPTIONS
from handy_qwen.ui import strings
from handy_qwen.ui.settings import words
from handy_qwen.ui.settings.controls import ChoiceControl
from handy_qwen.ui.settings.page import SettingsPage, Tools
from handy_qwen.ui.settings.row import Row
from handy_qwen.ui.translation import translated
from handy_qwen.ui.widgets import Text

_SPACE = "␣"  # one that is not followed by anything


class TextPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._method = ChoiceControl(_methods(None))
        self.add_section(words.INSERTION, self.setting("method", self._method), self.setting("submit"))
        names = ("smart_spacing", "trailing_space", "remove_fillers")
        self.example = Text()
        self._rules, self._heard = TextRules(), ("", "")
        self._row = Row(words.EXAMPLE, help=words.EXAMPLE_HELP, below=self.example)
        self.add_section(words.WORDING, *map(self.setting, names), self._row)
        self.phrases = Text()
        said = Row("", below=self.phrases, also=words.COMMANDS)
        self.add_section(words.COMMANDS, *map(self.setting, Command), said)

    def show_view(self, view: View) -> None:
        """Say which method suits this desktop, show the last dictation, and how commands are said."""
        self._method.set_entries(_methods(view.choices.automatic_method))
        self.phrases.setText(_phrases(view.choices))
        if view.heard != self._heard:
            self._heard = view.heard
            self._show_example()

    def show_settings(self, shown: SettingsView) -> None:
        """Show the settings, and what they make of the last dictation."""
        super().show_settings(shown)
        self._rules = shown.values.text_rules
        self._show_example()

    def _show_example(self) -> None:
        """What the rules that all texts go through make of the last dictation, or else of an example.

        Without patterns, which may take long on Qt's thread.
        """
        plain = tuple(one for one in self._rules.replacements if not one.is_regex)
        rules = replace(self._rules, replacements=plain)
        heard, language = self._heard
        heard = textwrap.shorten(heard, _MOST_CHARACTERS, placeholder="…") if heard else ""
        before = "" if heard else words.EXAMPLE_BEFORE
        heard, language = heard or words.EXAMPLE_HEARD, language if heard else _LANGUAGE
        result = before + fit(clean(heard, rules, language), rules, before or None, language)
        if result.endswith(" "):
            result = f"{result[:-1]}{_SPACE}"
        shown = words.EXAMPLE_SHOWN if before else words.LAST_SHOWN
        self.example.setText(shown.format(before=before, heard=heard, result=result))
        self._row.label.setText(words.EXAMPLE if before else words.LAST)


_LANGUAGE = "English"  # of the example
_MOST_CHARACTERS = 300  # of a dictation


def _phrases(choices: Choices) -> str:
    """What to say in the languages that the user speaks; in all that have commands, if that is unknown."""
    spoken = dict.fromkeys([choices.language, *choices.recent_languages])
    wanted = [name for name in spoken if phrases_of(name)] or list(COMMAND_LANGUAGES)
    lines = [
        words.SAY_IN.format(
            language=strings.language_title(name),
            phrases=", ".join(f"“{one}”" for one in phrases_of(name).values()),
        )
        for name in wanted
    ]
    return "\n".join([words.COMMANDS_HELP, *lines])


def _methods(automatic: Method | None) -> list[tuple[Method | None, str]]:
    """The methods and their titles; ``automatic`` is that of this desktop, if it is known."""
    form = OPTIONS["method"].described.form
    titles = {method: translated(form.worded(method)) for method in (None, *Method)}
    if automatic is not None:
        titles[None] = strings.AUTOMATIC_IS.format(what=titles[automatic])
    return [(method, strings.without_letter(title)) for method, title in titles.items()]
