"""One session of the portal org.freedesktop.portal.GlobalShortcuts, over one D-Bus connection.

    CreateSession -> Response(session)    BindShortcuts -> Response(shortcuts), after a dialog perhaps
    then signals:  Activated(session, id, ...)   Deactivated(session, id, ...)   Session.Closed
                   ShortcutsChanged(session, shortcuts), when the user chose other keys

A portal answers a call with the path of a request, and the request later with the signal Response. The
path can be computed beforehand, so the answer cannot be missed. What was bound is in the list of that answer:
GNOME 48 says 2 ("other") even when all went well. A portal that crashes closes no session; the bus says
that its name has no owner any more.

Threads: for one thread, which selects on ``fileno()`` and then calls ``receive``.

Source: https://flatpak.github.io/xdg-desktop-portal/docs/doc-org.freedesktop.portal.GlobalShortcuts.html,
version 1; triggers as in https://specifications.freedesktop.org/shortcuts/latest.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from jeepney import DBusAddress, MatchRule, Message, message_bus, new_method_call
from jeepney.low_level import HeaderFields
from jeepney.wrappers import DBusErrorResponse, Properties, unwrap_msg

from handy_qwen.system.dbus import BROKEN, connect

logger = logging.getLogger(__name__)

APP_ID = "io.github.handy_qwen"
_NAME = "org.freedesktop.portal.Desktop"
_PATH = "/org/freedesktop/portal/desktop"
_SHORTCUTS = DBusAddress(_PATH, bus_name=_NAME, interface="org.freedesktop.portal.GlobalShortcuts")
_REGISTRY = DBusAddress(_PATH, bus_name=_NAME, interface="org.freedesktop.host.portal.Registry")
_BUS = "org.freedesktop.DBus"
_REQUEST = "org.freedesktop.portal.Request"
_ANSWER_S = 10.0  # for all that it takes until the shortcuts have been asked for
_NO_ANSWER = ("NoReply", "TimedOut", "Timeout")  # names of errors with which the bus answers instead
_SUCCESS, _REFUSED_BY_USER = 0, 1

_SENSELESS = (LookupError, TypeError, ValueError, AttributeError)


class PortalError(Exception):
    """The portal refused, went away, or does not answer. Turned into a HandyError by the listener."""


class NoPortalError(PortalError):
    """There is no portal with global shortcuts, and there will be none."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """What the portal is asked for. An empty ``trigger`` leaves the key to the user."""

    name: str
    description: str
    trigger: str


@dataclass(frozen=True, slots=True)
class Signal:
    """What the portal said.

    Attributes:
        kind: "Activated" or "Deactivated", a shortcut; "Bound", what was asked for, or "Changed", by the
            user; "Refused", by the user; "Closed", the session.
        name: The shortcut.
        keys: The shortcuts that are bound, and the key of each in the desktop's words; "" if it has none.
    """

    kind: str
    name: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)


class Portal:
    """A session with shortcuts.

    Args:
        bus: Address of the session bus; "SESSION": that of the environment.

    Raises:
        NoPortalError: There is no bus, no portal, or none with global shortcuts.
        PortalError: It does not answer.
    """

    def __init__(self, bus: str) -> None:
        try:
            self._connection = connect(bus)
        except BROKEN as exc:
            raise NoPortalError("there is no session bus") from exc
        self._until_s = time.monotonic() + _ANSWER_S
        self._signals: deque[Message] = deque()
        self._tokens = (f"handy_qwen_{n}" for n in itertools.count(1))
        self._binding = ""
        try:
            self._filter = self._connection.filter(MatchRule(type="signal"), queue=self._signals)
            self._call(message_bus.AddMatch(MatchRule(type="signal", sender=_NAME)))
            owner = MatchRule(type="signal", sender=_BUS, member="NameOwnerChanged")
            owner.add_arg_condition(0, _NAME)
            self._call(message_bus.AddMatch(owner))
            self._require_shortcuts()
            self._register()
            self._session = self._create_session()
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """What to select on."""
        return int(self._connection.sock.fileno())

    def bind(self, shortcuts: Sequence[Shortcut]) -> None:
        """Ask for ``shortcuts``. The answer is the signal "Bound" or "Refused"; the user may be asked before.

        To be called at once: it shares its time with the opening of the session.

        Raises:
            PortalError: The portal refuses to listen.
        """
        wanted = [(s.name, _facts(s)) for s in shortcuts]
        self._binding = self._request("BindShortcuts", "oa(sa{sv})sa{sv}", (self._session, wanted, ""))

    def receive(self) -> Iterator[Signal]:
        """What has come since the last time. Does not wait.

        Raises:
            PortalError: The bus is gone, or says what cannot be understood.
        """
        try:
            while True:
                self._connection.recv_messages(timeout=0)
        except TimeoutError:
            logger.debug("%d signals of the portal", len(self._signals))
        except BROKEN as exc:
            raise PortalError("the session bus is gone") from exc
        while self._signals:
            signal = self._read_safely(self._signals.popleft())
            if signal is not None:
                yield signal

    def close(self) -> None:
        """End the session, and with it the shortcuts."""
        self._connection.close()

    def _read_safely(self, message: Message) -> Signal | None:
        try:
            return self._read(message)
        except _SENSELESS as exc:
            raise PortalError("the portal sends what it should not") from exc

    def _read(self, message: Message) -> Signal | None:
        fields = message.header.fields
        path, member = fields.get(HeaderFields.path), fields.get(HeaderFields.member)
        if member == "NameOwnerChanged":
            return Signal("Closed") if message.body[0] == _NAME and not message.body[2] else None
        if member == "Response" and path == self._binding:
            code, results = message.body
            _, bound = results.get("shortcuts", ("", []))
            return Signal("Refused") if code == _REFUSED_BY_USER else Signal("Bound", keys=_keys(bound))
        if member == "Closed" and path == self._session:
            return Signal("Closed")
        if member in ("Activated", "Deactivated", "ShortcutsChanged") and message.body[0] == self._session:
            if member == "ShortcutsChanged":
                return Signal("Changed", keys=_keys(message.body[1]))
            return Signal(str(member), str(message.body[1]))
        return None

    def _require_shortcuts(self) -> None:
        try:
            self._call(Properties(_SHORTCUTS).get("version"))
        except PortalError as exc:
            is_refusal = isinstance(exc.__cause__, DBusErrorResponse)
            if is_refusal and not str(exc).endswith(_NO_ANSWER):
                raise NoPortalError(str(exc)) from exc
            raise

    def _register(self) -> None:
        """Tell the portal who is asking. Older portals find out by themselves, from the desktop's scope."""
        try:
            self._call(new_method_call(_REGISTRY, "Register", "sa{sv}", (APP_ID, {})))
        except PortalError as exc:
            logger.debug("the portal keeps no registry: %s", exc)

    def _create_session(self) -> str:
        options = {"session_handle_token": ("s", next(self._tokens))}
        path = self._request("CreateSession", "a{sv}", (), options)
        rule = MatchRule(type="signal", interface=_REQUEST, member="Response", path=path)
        waiting = deque(message for message in self._signals if rule.matches(message))
        with self._connection.filter(rule, queue=waiting):
            try:
                response = self._connection.recv_until_filtered(waiting, timeout=self._left_s())
            except BROKEN as exc:
                raise PortalError("the portal does not answer") from exc
        try:
            code, results = response.body
            if code != _SUCCESS:
                raise PortalError("the portal refused a session")
            return str(results["session_handle"][1])
        except _SENSELESS as exc:
            raise PortalError("the portal answers what it should not") from exc

    def _request(
        self,
        member: str,
        signature: str,
        body: tuple[object, ...],
        options: Mapping[str, object] | None = None,
    ) -> str:
        """Call ``member`` and return the path on which the answer will come."""
        token = next(self._tokens)
        sender = self._connection.unique_name.lstrip(":").replace(".", "_")
        all_options = {**(options or {}), "handle_token": ("s", token)}
        self._call(new_method_call(_SHORTCUTS, member, signature, (*body, all_options)))
        return f"{_PATH}/request/{sender}/{token}"

    def _call(self, message: Message) -> tuple[object, ...]:
        try:
            reply = self._connection.send_and_get_reply(message, timeout=self._left_s())
            return tuple(unwrap_msg(reply))
        except DBusErrorResponse as exc:
            raise PortalError(exc.name) from exc
        except BROKEN as exc:
            raise PortalError("the session bus does not answer") from exc

    def _left_s(self) -> float:
        return max(0.0, self._until_s - time.monotonic())


def _keys(bound: Sequence[tuple[str, Mapping[str, tuple[str, object]]]]) -> dict[str, str]:
    return {str(name): str(facts.get("trigger_description", ("s", ""))[1]) for name, facts in bound}


def _facts(shortcut: Shortcut) -> dict[str, tuple[str, str]]:
    facts = {"description": ("s", shortcut.description)}
    if shortcut.trigger:
        facts["preferred_trigger"] = ("s", shortcut.trigger)
    return facts
