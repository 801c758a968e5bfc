"""Clipboard data on its way from program to program, in both directions.

What is larger than one request goes in pieces (INCR, ICCCM 2.7.2): the sender announces it, and writes
a piece whenever the receiver has deleted the one before; a piece of no bytes ends it.
"""

from __future__ import annotations

import logging
import select
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from Xlib import X, Xatom, error

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.x11.connection import Atoms, XObject
from handy_qwen.system.insert.x11.content import Value

logger = logging.getLogger(__name__)

PIECE_BYTES = 1 << 16  # four pieces fit the smallest maximum request (262,140 bytes)
STAMP_S = 2.0  # the X server answers at once; this is for one that hangs
POLL_S = 0.05  # how often it is looked whether waiting is over
RECEIVERS = 16  # properties used in turn, so that a late answer does not pass for the next one
STALE_S = 10.0  # a receiver that has not asked for the next piece in this time is gone
_ITEMS = {16: "H", 32: "I"}
_SIZE = struct.Struct("=I")  # what INCR announces: so many bytes at least


class TooLarge(Exception):  # noqa: N818 (not an error: the owner may have what it wants)
    """There is more than can be kept."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an owner said when it was asked for a format; without ``value`` it refused."""

    value: Value | None = None
    is_too_large: bool = False


class Requestor:
    """A connection with a window that asks the owners of selections. For one thread.

    Attributes:
        connection: The connection.
        atoms: Its atoms.
        window: Ours: the receiver of conversions.
    """

    def __init__(self, connection: XObject) -> None:
        self.connection = connection
        self.atoms = Atoms(connection)
        self.window = connection.screen().root.create_window(
            -1, -1, 1, 1, 0, X.CopyFromParent, event_mask=X.PropertyChangeMask
        )
        self._arrived: list[XObject] = []  # answers to our own conversions
        self._asked = 0

    def close(self) -> None:
        """Give the connection back."""
        try:
            self.connection.close()
        except (error.ConnectionClosedError, OSError):
            return  # the server went first

    def stamp(self) -> int:
        """The X server's time, as the conventions want it: from an event.

        Raises:
            InsertError: The X server hangs.
        """
        prop = self.atoms.atom("_HANDY_QWEN_STAMP")
        self._arrived.clear()
        self.window.change_property(prop, Xatom.INTEGER, 32, [], mode=X.PropModeAppend)
        end = time.monotonic() + STAMP_S
        found = self._await(
            lambda e: e.type == X.PropertyNotify and e.atom == prop, lambda: time.monotonic() > end
        )
        if found is None:
            raise InsertError("The X server does not answer.", InsertReason.UNSUPPORTED_DESKTOP)
        return int(found.time)

    def convert(
        self, selection: str, target: str, is_over: Callable[[], bool], limit_bytes: int
    ) -> Answer | None:
        """Ask the owner of ``selection`` for ``target``; None if it has not answered when it ``is_over``."""
        stamp = self.stamp()
        wanted, chosen = self.atoms.atom(selection), self.atoms.atom(target)
        self._asked += 1
        prop = self.atoms.atom(f"_HANDY_QWEN_{self._asked % RECEIVERS}")
        self.window.convert_selection(wanted, chosen, prop, stamp)
        notice = self._await(
            lambda e: (
                e.type == X.SelectionNotify
                and (e.selection, e.target) == (wanted, chosen)
                and e.property in {prop, X.NONE}
            ),
            is_over,
        )
        if notice is None:
            return None
        if notice.property == X.NONE:
            return Answer()
        try:
            got = take(self.window, prop, limit_bytes)
            if got is not None and self.atoms.name(got[0]) == "INCR":
                got = self._collect(prop, got[2], is_over, limit_bytes)
                if got is None:
                    return None
        except TooLarge:
            return Answer(is_too_large=True)
        if got is None:
            return Answer()
        kind, bits, data = got
        return Answer(Value(self.atoms.name(kind), bits, data))

    def _collect(
        self, prop: int, least: bytes, is_over: Callable[[], bool], limit_bytes: int
    ) -> tuple[int, int, bytes] | None:
        if len(least) == _SIZE.size and _SIZE.unpack(least)[0] > limit_bytes:
            raise TooLarge  # it says so itself: there is no need to take all that
        pieces: list[bytes] = []
        size = 0
        while True:
            arrived = self._await(
                lambda e: e.type == X.PropertyNotify and e.atom == prop and e.state == X.PropertyNewValue,
                is_over,
            )
            got = take(self.window, prop, limit_bytes - size) if arrived is not None else None
            if got is None:
                return None
            kind, bits, piece = got
            if not piece:
                return kind, bits, b"".join(pieces)
            pieces.append(piece)
            size += len(piece)

    def _await(self, is_wanted: Callable[[XObject], bool], is_over: Callable[[], bool]) -> XObject | None:
        """The first answer to one of our conversions that ``is_wanted``; others before it are dropped."""
        while True:
            self.work()
            while self._arrived:
                if is_wanted(found := self._arrived.pop(0)):
                    return found
            if is_over():
                return None
            select.select([self.connection], [], [], POLL_S)

    def work(self) -> None:
        """Deal with all events that are there. Call before waiting: some may have been read already."""
        while self.connection.pending_events():
            happened = self.connection.next_event()
            is_ours = happened.type == X.PropertyNotify and happened.window.id == self.window.id
            if is_ours or happened.type == X.SelectionNotify:
                self._arrived.append(happened)
                continue
            try:
                self.deal_with(happened)
            except error.XError as problem:  # a window that vanished while it asked
                logger.debug("the X server answered %s", type(problem).__name__)

    def deal_with(self, happened: XObject) -> None:
        """An event that is no answer."""


def put(window: XObject, prop: int, kind: int, bits: int, data: bytes) -> None:
    """Write ``data``, at most one piece long, to property ``prop`` of ``window``, with type ``kind``."""
    items = data if bits == 8 else list(struct.unpack(f"={len(data) * 8 // bits}{_ITEMS[bits]}", data))
    window.change_property(prop, kind, bits, items)


def take(window: XObject, prop: int, limit_bytes: int) -> tuple[int, int, bytes] | None:
    """Read property ``prop`` of our ``window`` and delete it: type, bits, data.

    Returns:
        None if there is none.

    Raises:
        TooLarge: There are more than ``limit_bytes``.
    """
    pieces: list[bytes] = []
    at, size = 0, 0
    while True:
        # In pieces: python-xlib's time for one answer grows with the square of its length.
        answer = window.get_property(prop, X.AnyPropertyType, at, PIECE_BYTES // 4, delete=True)
        if answer is None:
            return None
        piece = bytes(answer.value) if answer.format == 8 else answer.value.tobytes()
        size += len(piece)
        if size + answer.bytes_after > limit_bytes:
            window.delete_property(prop)
            raise TooLarge
        pieces.append(piece)
        at += PIECE_BYTES // 4
        if not answer.bytes_after:
            return int(answer.property_type), int(answer.format), b"".join(pieces)


@dataclass
class Outgoing:
    """One transfer in pieces to another program's window."""

    window: XObject
    prop: int
    kind: int
    bits: int
    data: bytes
    on_done: Callable[[], None]
    touched_s: float
    sent: int = 0

    def begin(self, incr: int) -> None:
        """Announce it. SelectionNotify has to follow."""
        self.window.change_attributes(event_mask=X.PropertyChangeMask)
        self.window.change_property(self.prop, incr, 32, [len(self.data)])

    def go_on(self, now_s: float) -> bool:
        """Write the next piece. Returns False when that was the last one, the empty one."""
        self.touched_s = now_s
        piece = self.data[self.sent : self.sent + PIECE_BYTES]
        self.sent += len(piece)
        put(self.window, self.prop, self.kind, self.bits, piece)
        return bool(piece)

    def end(self) -> None:
        """Stop listening to the window."""
        self.window.change_attributes(event_mask=X.NoEventMask)
