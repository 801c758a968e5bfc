"""The session bus and the desktop portal (org.freedesktop.portal.*), with a time limit for every wait.

    call -> reply: the path of a request          later: signal Response(code, results) at that path

The path of a request is computed beforehand, so its Response cannot be missed. A portal that crashes closes
no session; the bus reports that its name has lost or changed its owner.

jeepney itself does not limit the wait for the bus's hello: a bus that hangs after accepting the connection
would block the thread.

Source: https://flatpak.github.io/xdg-desktop-portal/docs/.
"""

from __future__ import annotations

import logging
import secrets
import socket
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from jeepney import DBusAddress, HeaderFields, MatchRule, Message, MessageFlag, message_bus, new_method_call
from jeepney.bus import get_bus
from jeepney.io.blocking import DBusConnection, prep_socket
from jeepney.wrappers import DBusErrorResponse, Properties, unwrap_msg

from handy_qwen.paths import APP_ID

logger = logging.getLogger(__name__)

NAME = "org.freedesktop.portal.Desktop"
GLOBAL_SHORTCUTS, REMOTE_DESKTOP = "GlobalShortcuts", "RemoteDesktop"  # interfaces: hotkeys, pressing keys
HELLO_S = 2.0
ANSWER_S = 10.0
DENIED = 1  # a Response's code: by the user; 2 is any other failure
BROKEN = (OSError, RuntimeError, StopIteration, LookupError, ValueError, TypeError, DBusErrorResponse)
"""Raised for a missing address or bus, no answer, an error or invalid answer, a lost connection."""

_PATH = "/org/freedesktop/portal/desktop"
_GNOME = "org.freedesktop.impl.portal.desktop.gnome"
_CHAIN = ("org.gnome.Shell", _GNOME, NAME)
"""Passes on keys of GNOME, as a separate process."""
_BUS = "org.freedesktop.DBus"
_NO_ANSWER = ("NoReply", "TimedOut", "Timeout")  # errors of the bus in place of an answer

Options = Mapping[str, tuple[str, object]]  # the values of a{sv}, each with its signature


class PortalError(Exception):
    """The portal refused, went away, or does not answer."""


class NoPortalError(PortalError):
    """There is no portal with this interface, permanently."""


class RefusedError(PortalError):
    """The portal answered a call with an error: nothing was done."""


class DeniedError(PortalError):
    """The user said no."""


class BusConnection(DBusConnection):  # type: ignore[misc]  # jeepney has no types
    """A connection on which the first answer has a time limit as well; closed if it does not come."""

    def __init__(self, to_bus: socket.socket, *, has_fds: bool = False) -> None:
        try:
            super().__init__(to_bus, enable_fds=has_fds)
        except BaseException:
            self.close()
            raise

    def send_and_get_reply(self, message: Message, *, timeout: float | None = None) -> Message:
        """As jeepney's, but None means ``HELLO_S``."""
        return super().send_and_get_reply(message, timeout=HELLO_S if timeout is None else timeout)


def connect(bus: str = "SESSION", *, has_fds: bool = False) -> BusConnection:
    """Connect to ``bus``; "SESSION", "SYSTEM": from the environment. At most 4 s.

    ``has_fds``: answers may bring file descriptors. Raises one of ``BROKEN``.
    """
    return BusConnection(prep_socket(get_bus(bus), has_fds, timeout=HELLO_S), has_fds=has_fds)


def property_of(address: DBusAddress, name: str, *, timeout_s: float, bus: str = "SESSION") -> object:
    """The property ``name``, over a separate connection. Raises one of ``BROKEN``."""
    with connect(bus) as connection:
        reply = connection.send_and_get_reply(Properties(address).get(name), timeout=timeout_s)
        ((_, value),) = unwrap_msg(reply)
    return value


def version_of(interface: str) -> int | None:
    """The version of an interface (``GLOBAL_SHORTCUTS``); None: no such interface, no portal, or no bus.

    Opens no dialog. May take some seconds: the bus starts the portal on demand.
    """
    try:
        return int(str(property_of(_address(interface), "version", timeout_s=3.0)))
    except BROKEN as exc:
        logger.debug("no portal %s: %s", interface, type(exc).__name__)
        return None


class PortalSession:
    """A session of one interface of the portal. For one thread, which may select on ``fileno()``.

    ``has_sessions``: False for an interface without sessions.

    Raises NoPortalError: no bus, no portal, or none with this interface; PortalError: no answer, or a
    refusal.
    """

    def __init__(self, interface: str, bus: str = "SESSION", *, has_sessions: bool = True) -> None:
        self.handle = ""
        self._address = _address(interface)
        try:
            self._connection = connect(bus)
        except BROKEN as exc:
            raise NoPortalError("there is no session bus") from exc
        self._signals: deque[Message] = deque(maxlen=1024)
        self._until_s = time.monotonic() + ANSWER_S  # for everything needed to open the session
        try:
            self._connection.filter(MatchRule(type="signal"), queue=self._signals)
            self._call(message_bus.AddMatch(MatchRule(type="signal", sender=NAME)))
            owner = MatchRule(type="signal", sender=_BUS, member="NameOwnerChanged")
            owner.add_arg_condition(0, NAME)
            self._call(message_bus.AddMatch(owner))
            self._require_interface()
            self._register()
            if has_sessions:
                token = {"session_handle_token": ("s", _token())}
                results = self.ask("CreateSession", "a{sv}", (), token, wait_s=self._left_s())
                self.handle = str(value_in(results, "session_handle"))
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Readable when something has arrived."""
        return int(self._connection.sock.fileno())

    def call(self, method: str, signature: str, body: tuple[object, ...], *, wait_s: float) -> None:
        """Call ``method`` and wait for its reply. Raises PortalError: refused, or no answer."""
        self._until_s = time.monotonic() + wait_s
        self._call(new_method_call(self._address, method, signature, body))

    def request(
        self, method: str, signature: str, body: tuple[object, ...], options: Options | None = None
    ) -> str:
        """Call ``method``; return the path of its Response. Raises PortalError: no answer, or refused.

        It has the rest of the time for opening the session.
        """
        token = _token()
        sender = self._connection.unique_name.lstrip(":").replace(".", "_")
        all_options = {**(options or {}), "handle_token": ("s", token)}
        self._call(new_method_call(self._address, method, signature, (*body, all_options)))
        return f"{_PATH}/request/{sender}/{token}"

    def ask(
        self, method: str, signature: str, body: tuple[object, ...], options: Options, *, wait_s: float
    ) -> dict[str, Any]:
        """The results of ``method``'s Response. Raises DeniedError: by the user; PortalError: no answer."""
        self._until_s = time.monotonic() + wait_s
        path = self.request(method, signature, body, options)
        rule = MatchRule(type="signal", member="Response", path=path)
        try:
            while not (found := [message for message in self._signals if rule.matches(message)]):
                self._connection.recv_messages(timeout=self._left_s())
            code, results = found[0].body
            if code == DENIED:
                raise DeniedError(f"{method} was refused")
            if code:  # the dialog could not be shown, or the portal gave up: it may work the next time
                raise PortalError(f"{method} came to nothing")
            return dict(results)
        except BROKEN as exc:
            raise PortalError("the portal does not answer as it should") from exc

    def receive(self) -> Iterator[Message]:
        """New signals. Raises PortalError: bus or portal is gone."""
        try:
            while True:
                self._connection.recv_messages(timeout=0)
        except TimeoutError:
            logger.debug("%d signals of the portal", len(self._signals))
        except BROKEN as exc:
            raise PortalError("the session bus is gone") from exc
        while self._signals:
            message = self._signals.popleft()
            fields = message.header.fields
            if fields.get(HeaderFields.member) != "NameOwnerChanged":
                yield message
            elif message.body[0] == NAME and message.body[1]:  # gone; another may have taken its place
                self._close_behind()
                raise PortalError("the portal is gone")

    def reply_to(self, message: Message) -> Any:  # noqa: ANN401  of whatever type
        """The answer of another program on the bus to ``message``, within 2 s. It is not started for that.

        Raises PortalError: no answer; RefusedError: an error, or it is not running.
        """
        message.header.flags = MessageFlag.no_auto_start
        self._until_s = time.monotonic() + HELLO_S
        return self._call(message)

    def tell(self, message: Message) -> None:
        """Send ``message`` to another program on the bus, if it is running. Does not wait."""
        message.header.flags = MessageFlag.no_reply_expected | MessageFlag.no_auto_start
        try:
            self._connection.send(message)
        except BROKEN as exc:  # the next ``receive`` reports it
            logger.info("the session bus is gone: %s", type(exc).__name__)

    def await_desktop(self) -> None:
        """Wait until GNOME and its portal have processed everything sent before this call, 2 s each.

        Their signals are then available to ``receive``. Other desktops are not waited for. Raises
        PortalError.
        """
        for name in _CHAIN:
            message = new_method_call(DBusAddress("/", bus_name=name, interface=f"{_BUS}.Peer"), "Ping")
            message.header.flags = MessageFlag.no_auto_start
            try:
                self._connection.send_and_get_reply(message, timeout=HELLO_S)
            except TimeoutError:
                logger.info("%s is busy", name)
            except BROKEN as exc:
                raise PortalError("the session bus is gone") from exc

    def close(self) -> None:
        """End the connection, and with it the session."""
        self._connection.close()

    def _close_behind(self) -> None:
        """Close the session that GNOME's part of the portal, a separate process, still holds after a crash.

        It would continue to keep that session's keys, and report them to nobody.
        """
        behind = DBusAddress(self.handle, bus_name=_GNOME, interface="org.freedesktop.impl.portal.Session")
        self.tell(new_method_call(behind, "Close"))

    def _require_interface(self) -> None:
        try:
            self._call(Properties(self._address).get("version"))
        except RefusedError as exc:
            raise NoPortalError(str(exc)) from exc

    def _register(self) -> None:
        """Tell the portal our identity. Older portals, and sandboxes, determine it by themselves."""
        registry = DBusAddress(_PATH, bus_name=NAME, interface="org.freedesktop.host.portal.Registry")
        try:
            self._call(new_method_call(registry, "Register", "sa{sv}", (APP_ID, {})))
        except PortalError as exc:
            logger.debug("the portal has no registry: %s", exc)

    def _call(self, message: Message) -> Any:  # noqa: ANN401  the body of the reply
        try:
            return unwrap_msg(self._connection.send_and_get_reply(message, timeout=self._left_s()))
        except DBusErrorResponse as exc:
            has_answered = not exc.name.endswith(_NO_ANSWER)
            raise (RefusedError if has_answered else PortalError)(exc.name) from exc
        except BROKEN as exc:
            raise PortalError("the session bus does not answer") from exc

    def _left_s(self) -> float:
        return max(0.0, self._until_s - time.monotonic())


def value_in(results: Mapping[str, Any], name: str, default: object = None) -> object:
    """The value ``name`` in a{sv}, or ``default``. Raises PortalError: both missing, or invalid."""
    try:
        return results[name][1] if default is None or name in results else default
    except (LookupError, TypeError) as exc:
        raise PortalError(f"the portal sends no proper {name}") from exc


def _address(interface: str) -> DBusAddress:
    return DBusAddress(_PATH, bus_name=NAME, interface=f"org.freedesktop.portal.{interface}")


def _token() -> str:
    return f"handy_qwen_{secrets.token_hex(6)}"
