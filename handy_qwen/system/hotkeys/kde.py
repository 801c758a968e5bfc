"""Escape on KDE: it cancels while there is something to cancel, and belongs to the windows otherwise.

KDE's portal makes each shortcut of a program an action of kglobalacceld, a part of KWin that is reachable on
the session bus. An action has keys, which are stored in kglobalshortcutsrc and shown in System Settings; and
it is present or not, which is not stored. Only the keys of present actions are taken from windows.

    the portal binds "Cancel the dictation"          present, without a key at first
    setInactive(cancel)                              not present
    setForeignShortcutKeys(cancel, [Esc, ...])       once, unless the user has chosen a key, or none
    setShortcutKeys(cancel, [], SetPresent)          a take begins; the portal reports a press
    setInactive(cancel)                              it has ended

So nothing is stored for a take, and KDE's dialogs are not involved. An action of our own would survive a
crash, since kglobalacceld does not notice who leaves the bus, and keep Escape from every window. The portal
does notice: it closes the session, which makes all of its shortcuts inactive.

* The portal makes a shortcut present when it binds it, and newer ones already when the session is created.
  So it is made inactive after both.
* A shortcut only matches with exactly its modifiers. So Escape is also bound with those of each hotkey, which
  may be held meanwhile.
* Keys in use elsewhere are dropped (Plasma 6.3), or go to whoever had them first (newer).

Source: https://invent.kde.org/plasma/kglobalacceld, src/kglobalacceld.h and src/globalshortcut.cpp; a key is
Qt's key code with modifiers, as in QKeySequence.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from typing import Any

from jeepney import DBusAddress, new_method_call

from handy_qwen.paths import APP_ID
from handy_qwen.system.portal import PortalError, PortalSession

logger = logging.getLogger(__name__)

ESCAPE = 0x01000000
MODIFIERS = {"SHIFT": 0x02000000, "CTRL": 0x04000000, "ALT": 0x08000000, "LOGO": 0x10000000}  # as in triggers
SET_PRESENT = 2
_SERVICE = DBusAddress("/kglobalaccel", bus_name="org.kde.kglobalaccel", interface="org.kde.KGlobalAccel")


def is_kde(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this desktop, and so its portal, is KDE's."""
    return "KDE" in environment.get("XDG_CURRENT_DESKTOP", "").split(":")


class KdeCancelKey:
    """The key of the portal's shortcut ``name``, taken from windows while it is wanted.

    For one thread. Failures are logged: the shortcut then has the key that the user assigns, if any.

    Args:
        portal: The session that has the shortcut.
        name: Its name in the portal.
        triggers: Those of the hotkeys, as in ``chord.trigger``.
        had_escape: Whether Escape was the key before: if there is none now, the user has removed it.
    """

    def __init__(
        self, portal: PortalSession, name: str, triggers: Iterable[str], *, had_escape: bool
    ) -> None:
        self._portal, self._had_escape = portal, had_escape
        self._action = [APP_ID, name, "", ""]  # component and action; their titles are known there
        self._wanted = {(ESCAPE,)} | {(ESCAPE | _modifiers(trigger),) for trigger in triggers}
        self._has_escape = False

    @property
    def is_escape(self) -> bool:
        """Whether Escape is the key, as of ``bind`` or ``look``."""
        return self._has_escape

    def bind(self) -> None:
        """Make Escape the key of the bound shortcut, unless the user has chosen another or none."""
        try:
            self._ask("setInactive", "as", self._action)  # before it gets a key
            keys = self._keys()
            is_ours = (ESCAPE,) in keys if keys else not self._had_escape
            if is_ours and keys != self._wanted:
                written = [([key, 0, 0, 0],) for (key,) in sorted(self._wanted)]
                self._ask("setForeignShortcutKeys", "asa(ai)", self._action, written)
        except PortalError as exc:
            logger.info("Escape cannot be had from KDE: %s", exc)
        self.look()

    def look(self) -> None:
        """Read its key: the user may have changed it."""
        try:
            self._has_escape = (ESCAPE,) in self._keys()
        except PortalError as exc:
            logger.info("KDE does not say which key cancels: %s", exc)
            self._has_escape = False

    def take(self) -> None:
        """Take the key from windows from now on. Returns at once."""
        body: tuple[object, ...] = (self._action, [], SET_PRESENT)  # its keys stay unchanged
        self._portal.tell(new_method_call(_SERVICE, "setShortcutKeys", "asa(ai)u", body))

    def give_back(self) -> None:
        """Give the key back to windows. Returns at once; may be called before the shortcut is bound."""
        self._portal.tell(new_method_call(_SERVICE, "setInactive", "as", (self._action,)))

    def _keys(self) -> set[tuple[int, ...]]:
        """Its current keys: sequences of up to four keys."""
        found = self._ask("shortcutKeys", "as", self._action)
        try:
            (sequences,) = found
            return {tuple(filter(None, keys)) for (keys,) in sequences} - {()}
        except (TypeError, ValueError) as exc:
            raise PortalError("KDE sends no proper keys") from exc

    def _ask(self, method: str, signature: str, *body: object) -> Any:  # noqa: ANN401  of whatever type
        return self._portal.reply_to(new_method_call(_SERVICE, method, signature, body))


def _modifiers(trigger: str) -> int:
    return sum(MODIFIERS.get(name, 0) for name in trigger.split("+")[:-1])
