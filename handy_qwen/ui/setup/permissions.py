"""The guide's step on macOS: permissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QPushButton, QWidget

from handy_qwen.core.permissions import Consent, Consents, Permission, PermissionCommands
from handy_qwen.core.view import HOTKEYS, Commands, View
from handy_qwen.ui.layouts import SMALL_GAP_PX, column, row
from handy_qwen.ui.setup.pages import PROGRESS_ICONS, Page, Progress
from handy_qwen.ui.translation import tr
from handy_qwen.ui.widgets import Button, Card, Icon, Message, SecondaryText, Title, spoken


class _Words(NamedTuple):
    name: str
    why: str


_WORDS: Mapping[Permission, _Words] = {
    Permission.MICROPHONE: _Words(tr("Microphone"), tr("To record what you say.")),
    # Translators: these two are named as in Apple's System Settings → Privacy & Security.
    Permission.ACCESSIBILITY: _Words(tr("Accessibility"), tr("To type your texts where the cursor is.")),
    Permission.INPUT_MONITORING: _Words(tr("Input Monitoring"), tr("To notice when you press the hotkey.")),
}
# Translators: of a permission; on a button that has macOS ask the user, and beside one that is given.
_ALLOW, _ALLOWED = tr("Allow…"), tr("Allowed")
_OPEN_SETTINGS = tr("Open System Settings…")


class PermissionsPage(Page):
    """One row per permission, with a button that has macOS ask, or opens its settings after a refusal.

    macOS asks in its own windows, one above the other if there are several. So the permissions are requested
    one after the other, and the next only when this window has the focus again or macOS has reported the
    answer.
    """

    moved_on = Signal()  # the next button to press is there, or has changed
    _came = Signal(object)  # Consents; from another thread

    def __init__(self, permissions: PermissionCommands, commands: Commands) -> None:
        super().__init__(
            tr("Permissions"),
            tr("What macOS asks you"),
            tr("Allow these three, one after the other. Nothing you say leaves this computer."),
        )
        self._permissions, self._commands = permissions, commands
        self._consents: Consents = {}
        self._is_up = False  # the page
        self._asked: Permission | None = None  # macOS may still be asking
        self._was_asked, self._is_deaf = False, False
        self.rows = {permission: _PermissionRow(words) for permission, words in _WORDS.items()}
        for permission, line in self.rows.items():
            line.button.clicked.connect(lambda _checked, permission=permission: self._on_ask(permission))
        self.advice, self.restart = Message(), Button(tr("&Restart Handy Qwen"), self._on_restart)
        self.restart.hide()
        self._came.connect(self._show_consents, Qt.ConnectionType.QueuedConnection)
        self.fill(*self.rows.values(), row((self.advice, 1), self.restart, gap_px=SMALL_GAP_PX), None)

    def enter(self) -> None:
        """Poll the permissions."""
        super().enter()
        self._is_up, self._asked = True, None
        self._permissions.watch(self._came.emit, have_hotkeys_failed=self._is_deaf)

    def leave(self) -> None:
        """Stop polling."""
        if self._is_up:
            self._is_up = False
            self._permissions.leave()

    def first_focus(self) -> QWidget | None:
        """The button of the next permission."""
        return self._next_button()

    def primary(self) -> QPushButton | None:
        """As ``first_focus``, until all are granted."""
        return self._next_button()

    def show_view(self, view: View) -> None:
        """See whether the hotkeys work. The page itself shows the reason if they don't."""
        others = tuple(one for one in view.notices if one.subject != HOTKEYS)
        super().show_view(replace(view, notices=others))
        self._is_deaf = len(others) < len(view.notices)
        self._update()

    def event(self, event: QEvent) -> bool:
        """Continue after macOS's question. Called by Qt, which tells only windows of ActivationChange."""
        if event.type() is QEvent.Type.WindowActivate and self._asked is not None:
            self._asked = None
            self._update()
        return super().event(event)

    def _show_consents(self, consents: Consents) -> None:
        is_first, self._consents = not self._consents, consents
        if self._asked is not None and _is_over(self._asked, consents[self._asked]):
            self._asked = None
        self.set_progress(Progress.DONE if self._is_all_given() else Progress.OPEN)
        self._update()
        if is_first:
            self.moved_on.emit()

    def _is_all_given(self) -> bool:
        return all(self._consents.get(one) is Consent.GIVEN for one in self.rows)

    def _next_button(self) -> QPushButton | None:
        return next((line.button for line in self.rows.values() if line.can_ask), None)

    def _update(self) -> None:
        focused = next((line for line in self.rows.values() if line.button.hasFocus()), None)
        is_first = True  # of those not requested yet
        for permission, line in self.rows.items():
            consent = self._consents.get(permission)
            may_ask = self._asked in (None, permission) and (consent is Consent.REFUSED or is_first)
            is_first &= consent is not Consent.UNASKED
            line.show_consent(consent, may_ask=may_ask)
        advice = ""
        if self._is_all_given():
            advice = tr("The hotkey works after a restart.") if self._is_deaf else ""
        elif self._was_asked:
            advice = tr("Turned on in System Settings, but not shown here? It takes a restart.")
        if advice != self.advice.words:
            self.advice.say(advice, "quiet")
        self.restart.setVisible(bool(advice))
        if focused is not None and not focused.can_ask:
            self.moved_on.emit()
        self.progress_changed.emit()  # Enter may have another effect now

    def _on_ask(self, permission: Permission) -> None:
        self._asked, self._was_asked = permission, True
        self._permissions.ask(permission)
        self._update()

    def _on_restart(self) -> None:
        """Restart with the guide: there are more steps."""
        self._commands.change(set_up=False)
        self._commands.quit(and_again=True)


def _is_over(asked: Permission, consent: Consent) -> bool:
    """Whether macOS has closed its question, as far as ``consent`` shows.

    A request counts as refused from the start, but the answer about the microphone is reported.
    """
    return consent is Consent.GIVEN or (asked is Permission.MICROPHONE and consent is Consent.REFUSED)


class _PermissionRow(Card):
    """A permission, its purpose, and its state."""

    def __init__(self, words: _Words) -> None:
        self.icon, self.state, self.button = Icon(), SecondaryText(_ALLOWED, is_line=True), Button(_ALLOW)
        self._name = words.name
        said = column(Title(words.name, scale=1.05), SecondaryText(words.why), gap_px=2)
        super().__init__(row(self.icon, (said, 1), self.state, self.button, gap_px=SMALL_GAP_PX))
        self.show_consent(None, may_ask=False)

    @property
    def can_ask(self) -> bool:
        """Whether its button can be pressed."""
        return self.button.isEnabled() and not self.button.isHidden()

    def show_consent(self, consent: Consent | None, *, may_ask: bool) -> None:
        """Show the user's answer; None: unknown."""
        is_given = consent is Consent.GIVEN
        self.icon.set_drawing(*PROGRESS_ICONS[Progress.DONE if is_given else Progress.OPEN])
        self.state.setVisible(is_given)
        self.button.setText(_OPEN_SETTINGS if consent is Consent.REFUSED else _ALLOW)
        self.button.setAccessibleName(spoken(f"{self.button.text()}: {self._name}"))
        self.button.setVisible(consent is not None and not is_given)
        self.button.setEnabled(may_ask)
