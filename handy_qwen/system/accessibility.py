"""Reads the text around the cursor in the focused field, from the accessibility tree (AT-SPI, Linux).

Only where the AT-SPI bus is already running: starting it would make programs slower. Many programs expose
nothing, or no text; then the result is unknown.

Source: at-spi2-core, xml/Accessible.xml and xml/Text.xml; states and roles in atspi-constants.h.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from jeepney import DBusAddress, Message, Properties, message_bus, new_method_call
from jeepney.wrappers import DBusErrorResponse, unwrap_msg

from handy_qwen.core.types import TextAround
from handy_qwen.system.portal import BROKEN, BusConnection, connect

logger = logging.getLogger(__name__)

MOST_S = 0.8
_BUS, _REGISTRY = "org.a11y.Bus", "org.a11y.atspi.Registry"
_ROOT = "/org/a11y/atspi/accessible/root"
_ACCESSIBLE, _TEXT = "org.a11y.atspi.Accessible", "org.a11y.atspi.Text"
_FOCUSED, _SHOWING = 1 << 12, 1 << 25
_MANAGES_DESCENDANTS = 1 << 31  # e.g. a table, whose cells are created on demand
_MOST_CHILDREN = 200  # listing more would slow the program down; they are cells or rows
_PASSWORD_TEXT = 40  # a role
_EMBEDDED = "\ufffc"  # stands for anything that is not in this node's own text
_SAME = {0x2028: "\n", 0x2029: "\n", 0xA0: " "}


def text_around_cursor(process: int, most: int, bus: str = "SESSION") -> TextAround | None:
    """Up to ``most`` characters on either side of the cursor in the focused field of ``process``.

    None: unknown, or a password field. May take ``MOST_S``; some seconds more if a bus hangs.
    """
    try:
        with connect(bus) as session:
            asked = message_bus.NameHasOwner(_BUS)
            if not unwrap_msg(session.send_and_get_reply(asked, timeout=MOST_S))[0]:
                return None
            asked = new_method_call(DBusAddress("/org/a11y/bus", _BUS, _BUS), "GetAddress")
            (address,) = unwrap_msg(session.send_and_get_reply(asked, timeout=MOST_S))
        with connect(str(address)) as connection:
            return _Reader(connection).around(process, most)
    except BROKEN as exc:
        logger.info("the field with the focus is not known: %s", type(exc).__name__)
        return None


class _Reader:
    """Queries until its time is over, and then raises TimeoutError, which is an OSError."""

    def __init__(self, connection: BusConnection) -> None:
        self._connection = connection
        self._end_s = time.monotonic() + MOST_S

    def around(self, process: int, most: int) -> TextAround | None:
        for name, path in self._children(_REGISTRY, _ROOT):
            if self._ask(message_bus.GetConnectionUnixProcessID(name))[0] == process:
                for owner, place in self._focused(name, path):
                    try:
                        return self._around_cursor(owner, place, most)
                    except DBusErrorResponse:  # it has no text: a container that passes its focus on
                        continue
        return None

    def _focused(self, name: str, path: str) -> Iterator[tuple[str, str]]:
        """The focused nodes below ``path``, the innermost of each branch first."""
        for child in self._children(name, path):
            (states,) = self._ask(new_method_call(DBusAddress(child[1], child[0], _ACCESSIBLE), "GetState"))
            if states[0] & _SHOWING and not states[0] & _MANAGES_DESCENDANTS:
                yield from self._focused(*child)
            if states[0] & _FOCUSED:
                yield child

    def _around_cursor(self, owner: str, place: str, most: int) -> TextAround | None:
        field = DBusAddress(place, owner, _TEXT)
        ((_, start),) = self._ask(Properties(field).get("CaretOffset"))
        (role,) = self._ask(new_method_call(DBusAddress(place, owner, _ACCESSIBLE), "GetRole"))
        if start < 0 or role == _PASSWORD_TEXT:
            return None
        end = start
        if self._ask(new_method_call(field, "GetNSelections"))[0]:
            start, end = self._ask(new_method_call(field, "GetSelection", "i", (0,)))
        ((_, count),) = self._ask(Properties(field).get("CharacterCount"))
        places = (max(0, start - most), start), (end, min(end + most, count))
        before, after = (
            self._ask(new_method_call(field, "GetText", "ii", place))[0].translate(_SAME) for place in places
        )
        if _EMBEDDED in before:
            return None
        return TextAround(before, after.partition(_EMBEDDED)[0], is_marked=start != end)

    def _children(self, name: str, path: str) -> list[tuple[str, str]]:
        part = DBusAddress(path, name, _ACCESSIBLE)
        ((_, count),) = self._ask(Properties(part).get("ChildCount"))
        return list(self._ask(new_method_call(part, "GetChildren"))[0]) if count <= _MOST_CHILDREN else []

    def _ask(self, message: Message) -> tuple:  # type: ignore[type-arg]  # of whatever
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return unwrap_msg(self._connection.send_and_get_reply(message, timeout=left_s))  # type: ignore[no-any-return]
