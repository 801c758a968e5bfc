"""A client of a Wayland compositor: objects with requests and events, over a socket.

    message: object id, (size << 16 | opcode), arguments, each in 32-bit words; file descriptors beside them

An ``Interface`` lists requests and events in the order of their opcodes, as "name types": i and u are
numbers, f one in 256ths, s a string, o an object or none, n a new object, a bytes, h a file descriptor.

Source: https://wayland.freedesktop.org/docs/html/ch04.html (wire format), and the XML of each protocol.
"""

from __future__ import annotations

import array
import logging
import os
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

logger = logging.getLogger(__name__)

ANSWER_S = 2.0  # a compositor answers at once; this is for one that hangs
_HEADER, _WORD = struct.Struct("=II"), struct.Struct("=I")
_READ_BYTES, _MOST_FDS = 1 << 16, 28


class WaylandError(Exception):
    """The compositor cannot be reached, does not answer, or has ended the connection."""


@dataclass(frozen=True, slots=True)
class Interface:
    """The requests and events of a kind of object. ``made`` are the objects that events create."""

    name: str
    requests: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    made: Mapping[str, Interface] = field(default_factory=dict)


DISPLAY = Interface("wl_display", ("sync n", "get_registry n"), ("error ous", "delete_id u"))
REGISTRY = Interface("wl_registry", ("bind usun",), ("global usu", "global_remove u"))
CALLBACK = Interface("wl_callback", (), ("done u",))
KEYBOARD = Interface(
    "wl_keyboard",
    ("release",),
    ("keymap uhu", "enter uoa", "leave uo", "key uuuu", "modifiers uuuuu", "repeat_info ii"),
)
SEAT = Interface("wl_seat", ("get_pointer n", "get_keyboard n", "get_touch n"), ("capabilities u", "name s"))


class Thing:
    """An object of the compositor.

    Attributes:
        on: Handlers of events, by name. File descriptors belong to whoever gets them.
    """

    def __init__(self, connection: Connection, interface: Interface, number: int) -> None:
        self._connection = connection
        self.interface, self.number = interface, number
        self.on: dict[str, Callable[..., object]] = {}

    def ask(self, request: str, *values: object, made: Interface | None = None) -> Thing:
        """Send ``request``. Returns the new object if it creates one of the kind ``made``, else this one.

        Raises:
            WaylandError: The connection is lost.
        """
        return self._connection.send(self, request, values, made)

    def destroy(self) -> None:
        """Destroy the object, and ignore later events: they must not destroy it again.

        Raises:
            WaylandError: The connection is lost.
        """
        self.on.clear()
        self.ask("destroy")


class Connection:
    """A connection to the compositor at ``path``. For one thread.

    Without ``waits`` it never blocks its thread: ``offered`` is known once ``after`` calls back, and a
    compositor that no longer reads counts as gone.

    Attributes:
        offered: The globals of the compositor: number and version, by interface; of several the first.

    Raises:
        WaylandError: There is none, or it does not answer.
    """

    def __init__(self, path: str, *, waits: bool = True) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)  # type: ignore[attr-defined,unused-ignore]  # not on Windows
        self._things: dict[int, Thing] = {}
        self._next = 1
        self._data, self._fds = bytearray(), deque[int]()
        self.offered: dict[str, tuple[int, int]] = {}
        try:
            self._socket.settimeout(ANSWER_S if waits else 0.0)
            self._socket.connect(path)
            self._display = self._new(DISPLAY)
            self._display.on["error"] = self._on_error
            self._display.on["delete_id"] = lambda number: self._things.pop(number, None)
            self._registry = self._display.ask("get_registry", made=REGISTRY)
            self._registry.on["global"] = lambda number, name, version: self.offered.setdefault(
                name, (number, version)
            )
            if waits:
                self.roundtrip()
        except OSError as exc:
            self.close()
            raise WaylandError(f"the compositor cannot be reached: {type(exc).__name__}") from exc
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Readable when something has arrived."""
        return self._socket.fileno()

    def bind(self, interface: Interface, most: int) -> Thing:
        """The global of this kind, in its newest version up to ``most``.

        Raises:
            WaylandError: The compositor has none.
        """
        if interface.name not in self.offered:
            raise WaylandError(f"the compositor offers no {interface.name}")
        number, version = self.offered[interface.name]
        name, version = interface.name, min(version, most)
        return self._registry.ask("bind", number, name, version, made=interface)

    def after(self, call: Callable[[], object]) -> None:
        """Call ``call`` as soon as all earlier requests are processed.

        Raises:
            WaylandError: The connection is lost.
        """
        self._display.ask("sync", made=CALLBACK).on["done"] = lambda _data: call()

    def roundtrip(self) -> None:
        """Wait until all requests are processed, and handle their events.

        Raises:
            WaylandError: The compositor does not answer.
        """
        is_done: list[bool] = []
        self.after(lambda: is_done.append(True))
        end_s = time.monotonic() + ANSWER_S
        while not is_done:
            left_s = end_s - time.monotonic()
            if left_s <= 0 or not self.take_in(left_s):
                raise WaylandError("the compositor does not answer")

    def take_in(self, wait_s: float = 0.0) -> bool:
        """Handle events that have arrived, or arrive within ``wait_s``. False: there were none.

        Raises:
            WaylandError: The connection is lost.
        """
        if not select.select([self._socket], [], [], wait_s)[0]:
            return False
        try:
            data, fds, _flags, _address = socket.recv_fds(  # type: ignore[attr-defined,unused-ignore]
                self._socket,
                _READ_BYTES,
                _MOST_FDS,
                socket.MSG_CMSG_CLOEXEC,  # type: ignore[attr-defined,unused-ignore]
            )
        except OSError as exc:
            raise WaylandError(f"the compositor is gone: {type(exc).__name__}") from exc
        if not data:
            raise WaylandError("the compositor has ended the connection")
        self._data += data
        self._fds += fds
        while len(self._data) >= _HEADER.size:
            number, word = _HEADER.unpack_from(self._data)
            size = word >> 16
            if size < _HEADER.size:
                raise _senseless()
            if len(self._data) < size:
                break
            body = bytes(self._data[_HEADER.size : size])
            del self._data[:size]
            try:
                self._hear(number, word & 0xFFFF, body)
            except struct.error as exc:
                raise _senseless() from exc
        return True

    def close(self) -> None:
        """Close the connection, with all objects. Safe to call twice, even in an event handler."""
        self._socket.close()
        self._data.clear()  # later events are dropped
        while self._fds:
            os.close(self._fds.popleft())

    def send(self, thing: Thing, request: str, values: tuple[object, ...], made: Interface | None) -> Thing:
        """See ``Thing.ask``."""
        opcode, types = _find(thing.interface.requests, request)
        result = thing if made is None else self._new(made)
        rest = list(values)
        body, fds = bytearray(), array.array("i")
        for kind in types:
            if kind == "n":
                body += _WORD.pack(result.number)
                continue
            value: Any = rest.pop(0)
            if kind == "h":
                fds.append(value)
            elif kind == "s":
                body += _padded(value.encode() + b"\0")
            elif kind == "o":
                body += _WORD.pack(0 if value is None else value.number)
            else:
                body += _WORD.pack(value & 0xFFFFFFFF)
        message = _HEADER.pack(thing.number, (len(body) + _HEADER.size) << 16 | opcode) + body
        try:
            sent = socket.send_fds(self._socket, [message], list(fds)) if fds else 0  # type: ignore[attr-defined,unused-ignore]
            self._socket.sendall(message[sent:])
        except OSError as exc:
            raise WaylandError(f"the compositor is gone: {type(exc).__name__}") from exc
        return result

    def _new(self, interface: Interface) -> Thing:
        thing = self._things[self._next] = Thing(self, interface, self._next)
        self._next += 1  # ids need not be reused: there are 4 billion
        return thing

    def _hear(self, number: int, opcode: int, body: bytes) -> None:
        thing = self._things.get(number)
        if thing is None or opcode >= len(thing.interface.events):
            logger.debug("an event of an object that is gone, or of a newer version")
            return
        name, _, types = thing.interface.events[opcode].partition(" ")
        values: list[object] = []
        place = 0
        for kind in types:
            if kind == "h":
                if not self._fds:
                    raise _senseless()
                values.append(self._fds.popleft())
                continue
            (word,) = _WORD.unpack_from(body, place)
            place += _WORD.size
            if kind in "sa":
                data = body[place : place + word]
                values.append(data.rstrip(b"\0").decode("utf-8", "replace") if kind == "s" else data)
                place += -(-word // 4) * 4
            elif kind == "n":
                made = self._things[word] = Thing(self, thing.interface.made[name], word)
                values.append(made)
            elif kind == "o":
                values.append(self._things.get(word))
            else:
                values.append(word - (1 << 32) if kind == "i" and word >> 31 else word)
        call = thing.on.get(name)
        if call is not None:
            call(*values)
        else:
            for kind, value in zip(types, values, strict=True):
                if kind == "h" and isinstance(value, int):
                    os.close(value)

    def _on_error(self, thing: Thing | None, code: int, _message: str) -> None:
        kind = thing.interface.name if thing is not None else "an object"
        raise WaylandError(f"the compositor refuses {kind}: error {code}")


def _senseless() -> WaylandError:
    return WaylandError("the compositor sends what it should not")


def _find(listed: tuple[str, ...], name: str) -> tuple[int, str]:
    for opcode, entry in enumerate(listed):
        found, _, types = entry.partition(" ")
        if found == name:
            return opcode, types
    raise LookupError(name)


def _padded(data: bytes) -> bytes:
    return _WORD.pack(len(data)) + data + bytes(-len(data) % 4)


def socket_path(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """The socket of the compositor ``name`` (as in WAYLAND_DISPLAY)."""
    return name if name.startswith("/") else f"{environment.get('XDG_RUNTIME_DIR', '')}/{name}"


def offers(path: str, *interfaces: Interface) -> bool:
    """Whether the compositor at ``path`` has one of these globals. Waits ``ANSWER_S`` for it at most."""
    try:
        connection = Connection(path)
    except WaylandError:
        return False
    connection.close()
    return any(interface.name in connection.offered for interface in interfaces)
