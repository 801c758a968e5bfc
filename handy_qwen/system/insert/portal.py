"""Keys through the desktop portal's RemoteDesktop interface: GNOME, KDE and others on Wayland.

    CreateSession -> SelectDevices (keyboard) -> Start: the desktop asks the user, once

Keys are sent as keysyms, which the compositor turns into keys of the layout in force; what the layout
lacks, compositors drop, so only text of letters that X11 knows by name is safe, and paste is better.

Threads: for one thread. Source: org.freedesktop.portal.RemoteDesktop, version 2.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Sequence
from typing import Any

from jeepney import DBusAddress, MatchRule, Message, MessageType, message_bus, new_method_call

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.backend import Unsure, unsupported
from handy_qwen.system.portal import BROKEN, connect

logger = logging.getLogger(__name__)

DESKTOP = DBusAddress("/org/freedesktop/portal/desktop", "org.freedesktop.portal.Desktop")
REMOTE = DESKTOP.with_interface("org.freedesktop.portal.RemoteDesktop")
KEYBOARD = 1
UNTIL_REVOKED = 2
ANSWER_S = 5.0
CONSENT_S = 60.0  # the user has to read a question
PRESSED, RELEASED = 1, 0


class Portal:
    """A keyboard that the desktop has allowed us. ``token`` allows it again without a question."""

    def __init__(self, token: str = "") -> None:
        """Connect, and ask for a keyboard.

        Raises:
            InsertError: There is no portal with keyboards, or the user says no.
        """
        self.token = token
        try:
            self._bus = connect()
        except BROKEN as problem:
            raise unsupported("The desktop portal") from problem
        try:
            self._session = self._open()
        except BROKEN as problem:
            self._bus.close()
            raise unsupported("An answering desktop portal") from problem
        except BaseException:
            self._bus.close()
            raise

    def chord(self, *keysyms: int) -> None:
        """Press ``keysyms`` one after the other and release them, the last first.

        Raises:
            InsertError: The portal has taken the keyboard away: the last key was not pressed.
            Unsure: It may have been.
        """
        pressed = 0
        try:
            for keysym in keysyms:
                self._key(keysym, PRESSED)
                pressed += 1
            for keysym in reversed(keysyms):
                self._key(keysym, RELEASED)
        except (InsertError, *BROKEN) as problem:
            self._let_go(keysyms)
            is_refusal = isinstance(problem, InsertError)
            if pressed == len(keysyms) or (pressed == len(keysyms) - 1 and not is_refusal):
                raise Unsure from problem
            raise unsupported("Pressing keys through the desktop portal") from problem

    def _let_go(self, keysyms: Sequence[int]) -> None:
        """Release whatever may be down."""
        try:
            for keysym in reversed(keysyms):
                self._key(keysym, RELEASED)
        except (InsertError, *BROKEN) as problem:
            logger.info("keys may be down in the desktop portal: %s", type(problem).__name__)

    def close(self) -> None:
        """End the session with the connection."""
        self._bus.close()

    def _open(self) -> str:
        session = self._request("CreateSession", "a{sv}", (), {"session_handle_token": ("s", _token())})
        handle = str(session["session_handle"][1])
        options: dict[str, tuple[str, object]] = {
            "types": ("u", KEYBOARD),
            "persist_mode": ("u", UNTIL_REVOKED),
        }
        if self.token:
            options["restore_token"] = ("s", self.token)
        self._request("SelectDevices", "oa{sv}", (handle,), options)
        granted = self._request("Start", "osa{sv}", (handle, ""), {}, wait_s=CONSENT_S)
        if not int(granted.get("devices", ("u", 0))[1]) & KEYBOARD:
            raise InsertError("The desktop gave us no keyboard.", InsertReason.DENIED_BY_USER)
        self.token = str(granted.get("restore_token", ("s", ""))[1])
        return handle

    def _request(
        self,
        method: str,
        signature: str,
        arguments: tuple[Any, ...],
        options: dict[str, tuple[str, object]],
        *,
        wait_s: float = ANSWER_S,
    ) -> dict[str, Any]:
        """Call a portal method and wait for the Response signal of the request it makes."""
        token = _token()
        sender = self._bus.unique_name[1:].replace(".", "_")
        path = f"/org/freedesktop/portal/desktop/request/{sender}/{token}"
        rule = MatchRule(
            type="signal", interface="org.freedesktop.portal.Request", member="Response", path=path
        )
        self._call(message_bus.AddMatch(rule))
        options = options | {"handle_token": ("s", token)}
        end = time.monotonic() + wait_s
        with self._bus.filter(rule) as answers:
            self._call(new_method_call(REMOTE, method, signature, (*arguments, options)))
            answer = self._bus.recv_until_filtered(answers, timeout=end - time.monotonic())
        code, results = answer.body
        if code:
            raise InsertError("Pressing keys was not allowed.", InsertReason.DENIED_BY_USER)
        return dict(results)

    def _key(self, keysym: int, state: int) -> None:
        arguments: tuple[Any, ...] = (self._session, {}, keysym, state)
        self._call(new_method_call(REMOTE, "NotifyKeyboardKeysym", "oa{sv}iu", arguments))

    def _call(self, message: Message) -> None:
        """Send ``message`` and wait for the reply; without one, one of BROKEN is raised.

        Raises:
            InsertError: It was refused.
        """
        reply = self._bus.send_and_get_reply(message, timeout=ANSWER_S)
        if reply.header.message_type is MessageType.error:
            raise unsupported("Pressing keys through the desktop portal")


def _token() -> str:
    return f"handy_qwen_{secrets.token_hex(6)}"
