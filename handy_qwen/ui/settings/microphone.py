"""The page Microphone: which one is used, and how long it stays ready."""

from __future__ import annotations

from handy_qwen.core.view import View
from handy_qwen.ui import strings
from handy_qwen.ui.settings.controls import ChoiceControl
from handy_qwen.ui.settings.page import SettingsPage, Tools


class MicrophonePage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._device = ChoiceControl([("", strings.DEFAULT_DEVICE)])
        self.add_section("", self.setting("microphone", self._device), self.setting("warm_s"))
        self.finish()

    def enter(self) -> None:
        """Look which microphones there are."""
        self.tools.commands.refresh_choices()

    def show_view(self, view: View) -> None:
        """Offer the microphones there are."""
        self._device.set_entries(strings.microphones(view.choices))
