"""The presenter of the guide's page on which macOS is asked for permissions.

    page --watch, ask--> inbox --> thread "permissions" --> the system --Consents--> page

While the page is up the system is asked again and again what is allowed, because it does not tell of changes.
As soon as keys may be heard, hotkeys are listened for again; where macOS wants a restart first, that fails.
So are hotkeys that failed before the page came up: the system's settings may have been changed since.
"""

from __future__ import annotations

from collections.abc import Callable

from handy_qwen.core.permissions import Consent, Consents, ConsentsListener, Permission
from handy_qwen.runtime import watchdog
from handy_qwen.runtime.worker import Worker, queued
from handy_qwen.system import permissions

LOOK_S = 1.0


class PermissionsPresenter:
    """Implements ``core.permissions.PermissionCommands``.

    Args:
        on_keys_allowed: What the hotkeys need is given now, and was not before, or they had failed.
        look: What the user has said, as far as the system tells.
        ask: Has the system ask the user, and calls back when there is an answer, on any thread.
        open_settings: Opens the system's settings at a permission.
    """

    def __init__(
        self,
        on_keys_allowed: Callable[[], None],
        look: Callable[[], Consents] = permissions.consents,
        ask: Callable[[Permission, Callable[[], None]], None] = permissions.ask,
        open_settings: Callable[[Permission], None] = permissions.open_settings,
    ) -> None:
        self._on_keys_allowed = on_keys_allowed
        self._look_at_system, self._ask, self._open_settings = look, ask, open_settings
        self._show: ConsentsListener | None = None  # while the page is up
        self._asked: set[Permission] = set()  # since the program started
        self._were_keys_allowed = True
        self.thread = Worker("permissions", routine=self._look, pause_s=self._pause_s, is_lazy=True)
        self.workers = {watchdog.PERMISSIONS: self.thread}

    def close(self, timeout_s: float) -> None:
        """End the thread. Safe to call twice."""
        self.thread.stop(timeout_s)

    # --- done on "permissions" -----------------------------------------------------------------------

    @queued
    def watch(self, show: ConsentsListener, *, have_hotkeys_failed: bool) -> None:
        """Tell what is allowed, now and again and again: see ``PermissionCommands``."""
        self._show, self._were_keys_allowed = show, not have_hotkeys_failed
        self._look()

    @queued
    def leave(self) -> None:
        """Tell nothing more."""
        self._show = None

    @queued
    def ask(self, permission: Permission) -> None:
        """Have the system ask the user, or open its settings: see ``PermissionCommands``."""
        if self._consents()[permission] is Consent.REFUSED:
            self._open_settings(permission)
        else:
            self._asked.add(permission)
            self._ask(permission, lambda: self.thread.do(self._look))
        self._look()

    def _look(self) -> None:
        if self._show is None:
            return
        consents = self._consents()
        are_keys_allowed = all(consents[one] is Consent.GIVEN for one in permissions.FOR_HOTKEYS)
        if are_keys_allowed and not self._were_keys_allowed:
            self._on_keys_allowed()
        self._were_keys_allowed = are_keys_allowed
        self._show(consents)

    def _consents(self) -> Consents:
        found = dict(self._look_at_system())
        for permission in self._asked - {Permission.MICROPHONE}:  # of which the system tells all
            if found[permission] is Consent.UNASKED:
                found[permission] = Consent.REFUSED
        return found

    def _pause_s(self) -> float | None:
        return None if self._show is None else LOOK_S
