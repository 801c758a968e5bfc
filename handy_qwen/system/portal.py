"""Connections to the session bus on which nothing waits for ever, and what jeepney raises when they fail.

jeepney sets no limit to the wait for the bus to say hello: a bus that hangs once it let one in would take the
thread with it.
"""

from __future__ import annotations

import socket

from jeepney import DBusAddress, Message
from jeepney.bus import get_bus
from jeepney.io.blocking import DBusConnection, prep_socket
from jeepney.wrappers import DBusErrorResponse, Properties, unwrap_msg

HELLO_S = 2.0
BROKEN = (OSError, RuntimeError, StopIteration, LookupError, ValueError, TypeError, DBusErrorResponse)
"""What comes of no address, no bus, no answer, an error or nonsense as the answer, a lost connection."""


class Connection(DBusConnection):  # type: ignore[misc]  # jeepney has no types
    """A connection on which the first answer has a time limit as well. Closed if it does not come."""

    def __init__(self, to_bus: socket.socket) -> None:
        try:
            super().__init__(to_bus)
        except BaseException:
            self.close()
            raise

    def send_and_get_reply(self, message: Message, *, timeout: float | None = None) -> Message:
        """As jeepney's, but None stands for ``HELLO_S``."""
        return super().send_and_get_reply(message, timeout=HELLO_S if timeout is None else timeout)


def connect(bus: str = "SESSION") -> Connection:
    """A connection to the bus at the address ``bus``; "SESSION": that of the environment. At most 4 s.

    Raises:
        OSError, RuntimeError, ...: One of ``BROKEN``.
    """
    return Connection(prep_socket(get_bus(bus), timeout=HELLO_S))


def property_of(address: DBusAddress, name: str, *, timeout_s: float, bus: str = "SESSION") -> object:
    """The property ``name``, asked for over a connection of its own.

    Raises:
        OSError, RuntimeError, ...: One of ``BROKEN``.
    """
    with connect(bus) as connection:
        reply = connection.send_and_get_reply(Properties(address).get(name), timeout=timeout_s)
        ((_, value),) = unwrap_msg(reply)
    return value
