"""Pressing keys through the desktop's portal (RemoteDesktop: GNOME, KDE), once the user has allowed it.

    CreateSession -> SelectDevices(keyboard, for ever, token) -> Start, with a dialog unless the token is good
    -> NotifyKeyboardKeysym ...

The token spares the question at the next session; each Start gives a new one. GNOME shows in its panel that
the screen is shared as long as a session lasts, so one is opened for a text and closed soon after: with a
token that takes 30 ms.

Threads: one, the inserter's; ``Permission`` any.
Source: https://flatpak.github.io/xdg-desktop-portal/docs/doc-org.freedesktop.portal.RemoteDesktop.html.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from handy_qwen import paths
from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.files import replace_file
from handy_qwen.message import Message
from handy_qwen.system.insert.backend import Unsure, unsupported
from handy_qwen.system.insert.pasting import Chord
from handy_qwen.system.portal import DeniedError, PortalError, PortalSession, RefusedError, value_in

logger = logging.getLogger(__name__)

KEYBOARD = 1  # a type of device
UNTIL_REVOKED = 2
PRESSED, RELEASED = 1, 0
PORTAL_S = 5.0
CONSENT_S = 40.0  # the user has to read a question; with the rest less than a text may take (INSERTING_S)
CHORD_S, LEAST_S = 2.0, 0.1  # for all keys of a chord, and for each if the portal hangs
_NO = "no\n"


class Permission:
    """What the user has said to the desktop's question, in a file of the data folder.

    Attributes:
        path: The file: the token to restore the permission with, or that it was refused.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.data_dir() / "keyboard-permission"

    def token(self) -> str:
        """What spares the question; "" if there is nothing, so that the user is asked."""
        content = self._content()
        return "" if content == _NO else content.strip()

    def is_refused(self) -> bool:
        """Whether the user has said no."""
        return self._content() == _NO

    def keep(self, token: str) -> None:
        """The user has said yes; ``token`` is good once. Some desktops give none: they ask each time."""
        self._write(token)

    def refuse(self) -> None:
        """The user has said no, and is not asked again unless they want to be."""
        self._write(_NO)

    def forget(self) -> None:
        """Ask at the next occasion."""
        self._write("")

    def _content(self) -> str:
        try:
            return self.path.read_text("utf-8")
        except (OSError, ValueError):  # never asked, or no text
            return ""

    def _write(self, content: str) -> None:
        try:
            replace_file(self.path, content.encode())
        except OSError as problem:  # the user is asked again at the next start
            logger.warning("the permission to press keys was not kept: %s", problem.strerror)


class PortalKeyboard:
    """A keyboard of the desktop portal, for one thread.

    Keys are sent as keysyms, which the compositor turns into keys of the layout in force. What the layout
    lacks, compositors drop; so it is good for chords, not for text.

    Raises:
        InsertError: There is no portal with keyboards, or the user says no (DENIED_BY_USER), now or before.
    """

    may_stay = False  # the desktop shows the user that the session lasts

    def __init__(self, permission: Permission) -> None:
        if permission.is_refused():
            raise _denied()
        try:
            self._session = PortalSession("RemoteDesktop")
        except PortalError as problem:
            raise unsupported(Message("The desktop portal")) from problem
        try:
            self._open(permission)
        except PortalError as problem:
            self.close()
            if isinstance(problem, DeniedError):
                permission.refuse()
                raise _denied() from problem
            raise unsupported(Message("An answering desktop portal")) from problem

    def press(self, chord: Chord) -> None:
        """Press keys, given as keysyms, one after the other, and release them, the last first.

        Raises:
            InsertError: The portal has taken the keyboard away: the last key was not pressed.
            Unsure: It may have been.
        """
        pressed, until_s = 0, time.monotonic() + CHORD_S
        try:
            for keysym in chord:
                self._key(keysym, PRESSED, until_s)
                pressed += 1
            self._release(chord, until_s)
        except PortalError as problem:
            try:
                self._release(chord, time.monotonic() + CHORD_S)
            except PortalError as again:
                logger.info("keys may be down in the desktop portal: %s", again)
            if pressed == len(chord) or (pressed == len(chord) - 1 and not isinstance(problem, RefusedError)):
                raise Unsure from problem
            raise unsupported(Message("Pressing keys through the desktop portal")) from problem

    def answers(self) -> bool:
        """True: one that is gone refuses the first key, and is opened anew for the next text."""
        return True

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def _open(self, permission: Permission) -> None:
        handle, token = self._session.handle, permission.token()
        options: dict[str, tuple[str, object]] = {
            "types": ("u", KEYBOARD),
            "persist_mode": ("u", UNTIL_REVOKED),
        }
        if token:
            options["restore_token"] = ("s", token)
        self._session.ask("SelectDevices", "oa{sv}", (handle,), options, wait_s=PORTAL_S)
        granted = self._session.ask("Start", "osa{sv}", (handle, ""), {}, wait_s=CONSENT_S)
        devices = value_in(granted, "devices", 0)
        if not isinstance(devices, int) or not devices & KEYBOARD:
            raise DeniedError("no keyboard")
        permission.keep(str(value_in(granted, "restore_token", "")))

    def _release(self, chord: Chord, until_s: float) -> None:
        """Release all of them, whatever becomes of one. Raises PortalError: it did not work for one."""
        problem: PortalError | None = None
        for keysym in reversed(chord):
            try:
                self._key(keysym, RELEASED, until_s)
            except PortalError as exc:
                problem = exc
        if problem is not None:
            raise problem

    def _key(self, keysym: int, state: int, until_s: float) -> None:
        """The call is sent also where no time is left for its answer: a key must come up."""
        body: tuple[object, ...] = (self._session.handle, {}, keysym, state)
        left_s = max(LEAST_S, until_s - time.monotonic())
        self._session.call("NotifyKeyboardKeysym", "oa{sv}iu", body, wait_s=left_s)


def _denied() -> InsertError:
    return InsertError(Message("Pressing keys was not allowed."), InsertReason.DENIED_BY_USER)
