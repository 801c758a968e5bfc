"""The permission to press keys, which GNOME and KDE want on Wayland: why, and the button that asks.

The desktop asks once. Without this its question would come in the middle of the first dictation.
"""

from __future__ import annotations

from handy_qwen.core.types import KeyPermission
from handy_qwen.core.view import Commands, View
from handy_qwen.ui.layouts import row
from handy_qwen.ui.setup import words
from handy_qwen.ui.widgets import Button, Card, Message


class TypingPermission(Card):
    """Says what the desktop will ask, and lets it ask. Hidden where nothing has to be allowed."""

    def __init__(self, commands: Commands) -> None:
        self.message = Message()
        self.allow = Button(words.ALLOW_TYPING, commands.allow_keys)
        super().__init__(self.message, row(self.allow, None))
        self._shown: KeyPermission | None = None
        self.hide()

    def show_view(self, view: View) -> None:
        """Say what is still to do."""
        permission = view.key_permission
        if permission is self._shown:
            return
        self._shown = permission
        self.setVisible(permission in (KeyPermission.UNASKED, KeyPermission.REFUSED))
        if permission is KeyPermission.UNASKED:
            self.message.say(words.TYPING_TITLE, "text", hint=words.TYPING_HINT)
        elif permission is KeyPermission.REFUSED:
            self.message.say(words.TYPING_REFUSED, "problem", hint=words.TYPING_HINT)
