"""The presenter of the guide's page that requests permissions on macOS.

    page --watch, ask--> inbox --> thread "permissions" --> the system --Consents--> page

While the page is shown, permissions are polled, because macOS does not report changes. As soon as the keys
are permitted, the hotkeys are started again; where macOS requires a restart first, that fails. Hotkeys that
failed before the page was shown are also retried: the permission may have been granted since.
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
        on_keys_allowed: The hotkeys' permissions have just been granted, or exist though the hotkeys failed.
        look: The current permissions, as far as known.
        ask: Has the system ask the user; calls back with the answer, on any thread.
        open_settings: Opens the system's settings for a permission.
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
        self._show: ConsentsListener | None = None  # while the page is shown
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
        """Report the permissions repeatedly: see ``PermissionCommands``."""
        self._show, self._were_keys_allowed = show, not have_hotkeys_failed
        self._look()

    @queued
    def leave(self) -> None:
        """Stop reporting."""
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
        for permission in self._asked - {Permission.MICROPHONE}:  # whose state the system reveals completely
            if found[permission] is Consent.UNASKED:
                found[permission] = Consent.REFUSED
        return found

    def _pause_s(self) -> float | None:
        return None if self._show is None else LOOK_S
