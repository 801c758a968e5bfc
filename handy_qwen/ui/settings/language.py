"""The page Language and model: what is spoken, what understands it, and what that may cost."""

from __future__ import annotations

from handy_qwen.core.models import ModelEntry, ModelList, ModelStatus
from handy_qwen.core.view import View, Window
from handy_qwen.ui import strings
from handy_qwen.ui.settings import words
from handy_qwen.ui.settings.controls import ChoiceControl, language_entries
from handy_qwen.ui.settings.language_list import LanguagesControl
from handy_qwen.ui.settings.page import SettingsPage, Tools
from handy_qwen.ui.settings.row import Row
from handy_qwen.ui.widgets import Button


class LanguagePage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._language = ChoiceControl([("", words.DETECT)], strings.language_title)
        self._detected = LanguagesControl()
        self._model = ChoiceControl([("", strings.AUTOMATIC)])
        self._models: tuple[ModelEntry, ...] = ()
        self._used = ""
        self.model = self.setting("model", self._model)
        manage = Button(words.MANAGE_MODELS, lambda: tools.commands.open_window(Window.MODELS))
        detected = self.setting("languages", self._detected, below=self._detected.panel)
        self.add_section("", self.setting("language", self._language), detected)
        self.add_section("", self.model, Row("", manage))
        self.add_section(words.WORK, self.setting("live"), self.setting("live_on_battery"))
        self.add_section(words.RESOURCES, self.setting("idle_unload_min"), self.setting("threads"))

    def enter(self) -> None:
        """Look which models there are, and how fast they are here."""
        self.tools.commands.refresh_choices()
        self.tools.models.look()

    def show_view(self, view: View) -> None:
        """Offer the languages of the model, the recent ones first, and the models."""
        choices = view.choices
        self._language.set_entries([("", words.DETECT), *language_entries(choices)])
        self._detected.set_languages(choices.languages)
        models = [(model.name, model.title) for model in choices.models]
        automatic = strings.AUTOMATIC_IS.format(what=models[0][1]) if models else strings.AUTOMATIC
        self._model.set_entries([("", automatic), *models])
        self._used = choices.model
        self._show_facts()

    def show_models(self, models: ModelList) -> None:
        """Say what the model in use takes."""
        self._models = models.entries
        self._show_facts()

    def _show_facts(self) -> None:
        used = next((one for one in self._models if one.name == self._used), None)
        is_here = used is not None and used.status is ModelStatus.INSTALLED
        self.model.set_help(words.model_facts(used) if used is not None and is_here else "")
