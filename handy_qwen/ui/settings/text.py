"""The page Text: how a text gets into a window, and what is done to it before."""

from __future__ import annotations

from dataclasses import replace

from handy_qwen.core.commands import COMMAND_LANGUAGES, Command, phrases_of
from handy_qwen.core.text import clean, fit
from handy_qwen.core.types import Method
from handy_qwen.core.view import Choices, View
from handy_qwen.settings import SettingsView
from handy_qwen.settings.fields import OPTIONS
from handy_qwen.ui import strings
from handy_qwen.ui.settings import words
from handy_qwen.ui.settings.controls import ChoiceControl
from handy_qwen.ui.settings.page import SettingsPage, Tools
from handy_qwen.ui.settings.row import Row
from handy_qwen.ui.widgets import Text

_SPACE = "␣"  # one that is not followed by anything


class TextPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._method = ChoiceControl(_methods(""))
        self.add_section(words.INSERTION, self.setting("method", self._method), self.setting("submit"))
        names = ("smart_spacing", "trailing_space", "remove_fillers")
        self.example = Text()
        example = Row(words.EXAMPLE, help=words.EXAMPLE_HELP, below=self.example)
        self.add_section(words.WORDING, *map(self.setting, names), example)
        self.phrases = Text()
        said = Row("", below=self.phrases, also=words.COMMANDS)
        self.add_section(words.COMMANDS, *map(self.setting, Command), said)

    def show_view(self, view: View) -> None:
        """Say which method suits this desktop, and what the commands are called in the user's languages."""
        self._method.set_entries(_methods(strings.METHODS[view.choices.automatic_method]))
        self.phrases.setText(_phrases(view.choices))

    def show_settings(self, shown: SettingsView) -> None:
        """Show the settings, and what they make of the example, by the rules that all texts go through.

        Without the replacements, which belong to another page: a pattern may take long on Qt's thread.
        """
        super().show_settings(shown)
        rules = replace(shown.values.text_rules, replacements=(), custom_words=())
        before = words.EXAMPLE_BEFORE
        added = fit(clean(words.EXAMPLE_HEARD, rules, _LANGUAGE), rules, before, _LANGUAGE)
        result = f"{before}{added}"
        if result.endswith(" "):
            result = f"{result[:-1]}{_SPACE}"
        texts = {"before": before, "heard": words.EXAMPLE_HEARD, "result": result}
        self.example.setText(words.EXAMPLE_SHOWN.format(**texts))


_LANGUAGE = "English"  # of the example


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


def _methods(automatic: str) -> list[tuple[Method | None, str]]:
    """The methods and their titles; ``automatic`` is that of this desktop."""
    form = OPTIONS["method"].described.form
    entries = [(method, words.said(form.worded(method))) for method in (None, *Method)]
    if automatic:
        entries[0] = (None, strings.AUTOMATIC_IS.format(what=automatic))
    return [(method, strings.without_letter(title)) for method, title in entries]
