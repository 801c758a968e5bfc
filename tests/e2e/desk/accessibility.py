"""What a screen reader is told of a desktop: the tree of AT-SPI, and what is announced."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jeepney import DBusAddress, MatchRule, Message, MessageType, Properties, new_method_call
from jeepney.io.blocking import open_dbus_connection

from tests.e2e.desk.desktop import Desktop
from tests.e2e.desk.processes import wait_until

LAUNCHER = "/usr/libexec/at-spi-bus-launcher"
_ACCESSIBLE = "org.a11y.atspi.Accessible"
_REGISTRY = "org.a11y.atspi.Registry"
_ROOT = "/org/a11y/atspi/accessible/root"
_ENABLED, _FOCUSABLE, _SHOWING = 8, 11, 25  # bits of a state
_LABELLED_BY = 2
_STATES_PER_WORD = 32


@dataclass(frozen=True)
class Node:
    """A part of a program, as a screen reader sees it."""

    name: str  # its own, or that of its label
    description: str
    role: str
    is_focusable: bool
    is_showing: bool
    has_value: bool
    depth: int


class ScreenReader:
    """Asks what a screen reader asks. Programs that are started later tell it all."""

    def __init__(self, desktop: Desktop) -> None:
        desktop.start("at-spi", LAUNCHER, "--launch-immediately")
        self._session = open_dbus_connection(desktop.env["DBUS_SESSION_BUS_ADDRESS"])
        bus = DBusAddress("/org/a11y/bus", "org.a11y.Bus", "org.a11y.Bus")
        wait_until(lambda: self._address(bus), "the accessibility bus")
        self._bus = open_dbus_connection(self._address(bus))
        rule = MatchRule(type="signal", interface="org.a11y.atspi.Event.Object", member="Announcement")
        self._bus.send_and_get_reply(
            new_method_call(
                DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus"),
                *("AddMatch", "s", (rule.serialise(),)),
            )
        )
        wanted = DBusAddress("/org/a11y/atspi/registry", _REGISTRY, _REGISTRY)
        self._reply(new_method_call(wanted, "RegisterEvent", "sass", ("object:announcement", [], "")))

    def close(self) -> None:
        """Ask no more."""
        self._bus.close()
        self._session.close()

    def programs(self) -> list[tuple[str, str]]:
        """All programs that tell anything."""
        return self._children(_REGISTRY, _ROOT)

    def walk(self, program: tuple[str, str]) -> Iterator[Node]:
        """All of ``program`` that is to be seen, parents first."""
        yield from self._walk(*program, 0)

    def announced(self, within_s: float) -> str:
        """What is announced next."""
        end = time.monotonic() + within_s
        while True:
            message = self._bus.receive(timeout=end - time.monotonic())
            fields = message.header.fields.values()
            if message.header.message_type is MessageType.signal and "Announcement" in fields:
                return str(message.body[3][1])

    def _walk(self, bus: str, path: str, depth: int) -> Iterator[Node]:
        for child_bus, child in self._children(bus, path):
            node = self._node(child_bus, child, depth)
            if node.is_showing:
                yield node
                yield from self._walk(child_bus, child, depth + 1)

    def _node(self, bus: str, path: str, depth: int) -> Node:
        (states,) = self._ask(bus, path, "GetState")
        (relations,) = self._ask(bus, path, "GetRelationSet")
        labels = [target for kind, targets in relations if kind == _LABELLED_BY for target in targets]
        names = [self._text(label[0], label[1], "Name") for label in labels]
        has = [bool(states[bit // _STATES_PER_WORD] >> bit % _STATES_PER_WORD & 1) for bit in range(64)]
        return Node(
            name=" ".join(names) or self._text(bus, path, "Name"),
            description=self._text(bus, path, "Description"),
            role=self._ask(bus, path, "GetRoleName")[0],
            is_focusable=has[_FOCUSABLE] and has[_ENABLED],
            is_showing=has[_SHOWING],
            has_value="org.a11y.atspi.Value" in self._ask(bus, path, "GetInterfaces")[0],
            depth=depth,
        )

    def _children(self, bus: str, path: str) -> list[tuple[str, str]]:
        return list(self._ask(bus, path, "GetChildren")[0])

    def _ask(self, bus: str, path: str, method: str) -> Any:
        return self._reply(new_method_call(DBusAddress(path, bus, _ACCESSIBLE), method))

    def _text(self, bus: str, path: str, name: str) -> str:
        return str(self._reply(Properties(DBusAddress(path, bus, _ACCESSIBLE)).get(name))[0][1])

    def _reply(self, message: Message) -> Any:
        answer = self._bus.send_and_get_reply(message, timeout=60)
        assert answer.header.message_type is not MessageType.error, answer.body
        return answer.body

    def _address(self, bus: DBusAddress) -> str:
        answer = self._session.send_and_get_reply(new_method_call(bus, "GetAddress"), timeout=60)
        return "" if answer.header.message_type is MessageType.error else str(answer.body[0])
