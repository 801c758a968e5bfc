"""A key that the desktop itself can bind to the program: the lines that it takes, and a button to add them.

Shown where programs get no keys (niri, Hyprland without its portal, GNOME 47 or older).
"""

from __future__ import annotations

from handy_qwen.core.types import KeyOffer
from handy_qwen.core.view import Commands, View
from handy_qwen.ui.layouts import row
from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import Button, Card, Message

TITLE = tr("Your desktop can start and stop dictation with a key.")
LINES = tr("This goes into {where}:")
BOUND = tr("Your desktop starts and stops dictation with this key.")
BIND, UNBIND = tr("Add &it"), tr("&Remove it")


class OwnKeyOffer(Card):
    """Hidden where there is nothing to offer. Made and used on Qt's thread."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._offer: KeyOffer | None = None
        self.message = Message()
        self.button = Button(BIND, self._on_button)
        super().__init__(self.message, row(self.button, None))
        self.hide()

    def show_view(self, view: View) -> None:
        """Show what would be written, or that it has been."""
        offer, before = view.key_offer, self._offer
        if offer == before:
            return
        self._offer = offer
        self.setVisible(offer is not None)
        if offer is not None:
            title = BOUND if offer.is_bound else TITLE
            hint = "\n".join((LINES.format(where=offer.where), *(line.strip() for line in offer.lines)))
            self.message.say(title, "good" if offer.is_bound else "text", hint=hint)
            self.button.setText(UNBIND if offer.is_bound else BIND)

    def _on_button(self) -> None:
        if self._offer is not None:
            self._commands.configure_hotkeys(not self._offer.is_bound)
