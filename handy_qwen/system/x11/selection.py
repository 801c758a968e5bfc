"""Clipboard data on its way from program to program, in both directions.

What is larger than one request goes in pieces (INCR, ICCCM 2.7.2): the sender announces it, and writes
a piece whenever the receiver has deleted the one before; a piece of no bytes ends it.
"""

from __future__ import annotations

import logging
import select
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from Xlib import X, Xatom, error
from Xlib.protocol import event, request

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.x11.connection import Atoms, XObject
from handy_qwen.system.x11.windows import client_of, process_of

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
            got = read_property(self.window, prop, limit_bytes)
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
            got = read_property(self.window, prop, limit_bytes - size) if arrived is not None else None
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


def write_property(window: XObject, prop: int, kind: int, bits: int, data: bytes) -> None:
    """Write ``data``, at most one piece long, to property ``prop`` of ``window``, with type ``kind``."""
    items = data if bits == 8 else list(struct.unpack(f"={len(data) * 8 // bits}{_ITEMS[bits]}", data))
    window.change_property(prop, kind, bits, items)


def read_property(window: XObject, prop: int, limit_bytes: int) -> tuple[int, int, bytes] | None:
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
        write_property(self.window, self.prop, self.kind, self.bits, piece)
        return bool(piece)

    def end(self) -> None:
        """Stop listening to the window."""
        self.window.change_attributes(event_mask=X.NoEventMask)


TEXT_FORMATS = ("UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "TEXT", "STRING")
PRIVATE_FORMAT = "x-kde-passwordManagerHint"  # honored by Klipper, CopyQ, Parcellite, GPaste and others
PLAIN_FORMATS = ("UTF8_STRING", "STRING")  # what to ask an owner for who does not tell what it has
PICTURE_FORMAT = "image/png"
NOT_CONTENT = frozenset(  # answered by the owner itself, or doing something when asked for
    ("TARGETS", "TIMESTAMP", "MULTIPLE", "SAVE_TARGETS", "DELETE", "INSERT_SELECTION", "INSERT_PROPERTY", "")
) | frozenset(  # numbers of things in the X server that go with their owner
    ("PIXMAP", "BITMAP", "DRAWABLE", "COLORMAP", "FOREGROUND", "BACKGROUND", "WINDOW", "CLIENT_WINDOW")
)


@dataclass(frozen=True, slots=True)
class Value:
    """One format's bytes: the name of their type and the bits of an item (8, 16 or 32)."""

    kind: str
    bits: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Content:
    """Values by format."""

    values: Mapping[str, Value] = field(repr=False)


def text_content(text: str) -> Content:
    """``text`` in every format that X11 programs ask text for, marked as private."""
    utf8 = Value("UTF8_STRING", 8, text.encode())
    latin1 = Value("STRING", 8, text.encode("latin-1", "replace"))
    return Content(
        {
            "UTF8_STRING": utf8,
            "text/plain;charset=utf-8": Value("text/plain;charset=utf-8", 8, utf8.data),
            "text/plain": Value("text/plain", 8, utf8.data),
            "TEXT": utf8,
            "STRING": latin1,
            PRIVATE_FORMAT: Value(PRIVATE_FORMAT, 8, b"secret"),
        }
    )


def worth_keeping(formats: list[str]) -> list[str]:
    """The formats to fetch from an owner, the most important first: there may be no time for all.

    Programs offer a picture in up to twenty formats and make each only when asked, which takes seconds
    and stops them for that time; so it is kept in the one without loss that everybody reads.
    """
    kept = [name for name in dict.fromkeys(formats) if name not in NOT_CONTENT]
    if PICTURE_FORMAT in kept:
        kept = [name for name in kept if name == PICTURE_FORMAT or not _is_raster(name)]
    return sorted(kept, key=_importance)


def _is_raster(name: str) -> bool:
    return name.startswith("image/") and not name.startswith("image/svg")


def _importance(name: str) -> int:
    if name in TEXT_FORMATS or name == PRIVATE_FORMAT:
        return 0
    if name.startswith(("text/", "x-special/")):  # formatted text, lists of files
        return 1
    return 2 if name in (PICTURE_FORMAT, "image/svg+xml") else 3


logger = logging.getLogger(__name__)


class SelectionOwner(Requestor):
    """One connection that owns selections. For one thread.

    Attributes:
        on_fetch: Called with the requestor's window when content has been fetched completely.
        on_lost: Called with the selection when another program has taken it.
    """

    def __init__(self, connection: XObject) -> None:
        super().__init__(connection)
        self._owned: dict[str, Content] = {}
        self._since: dict[str, int] = {}
        self._outgoing: dict[tuple[int, int], Outgoing] = {}
        self.on_fetch: Callable[[int], None] = lambda _: None
        self.on_lost: Callable[[str], None] = lambda _: None

    def fileno(self) -> int:
        """For ``select``."""
        return int(self.connection.fileno())

    # --- owning ------------------------------------------------------------------------------------

    def owned(self, selection: str) -> Content | None:
        """What we serve as ``selection``; None if it is not ours."""
        return self._owned.get(selection)

    def owner_of(self, selection: str) -> int:
        """The window that owns ``selection``, 0 for none."""
        owner = self.connection.get_selection_owner(self.atoms.atom(selection))
        return 0 if owner == X.NONE else int(owner.id)

    def own(self, selection: str, content: Content, stamp: int | None = None) -> None:
        """Serve ``content`` as ``selection`` from ``stamp`` on, or from now.

        Raises:
            InsertError: The X server did not make us the owner: another program took it since ``stamp``.
        """
        self._take(selection, content, self.stamp() if stamp is None else stamp)
        if self.owner_of(selection) != self.window.id:
            del self._owned[selection]
            raise InsertError("The clipboard cannot be taken.", InsertReason.UNSUPPORTED_DESKTOP)

    def give_back(self, selection: str, content: Content | None) -> None:
        """Serve ``content`` again, or leave the selection without an owner, as it was before.

        The time stamp is taken before the look at the owner: should another program take the
        selection in between, its stamp is the later one, and the X server ignores ours.
        """
        stamp = self.stamp()
        if self.owner_of(selection) != self.window.id:
            self._owned.pop(selection, None)
        elif content is not None:
            self._take(selection, content, stamp)
        else:
            self._owned.pop(selection, None)
            request.SetSelectionOwner(
                display=self.connection.display,
                onerror=None,
                window=X.NONE,
                selection=self.atoms.atom(selection),
                time=stamp,
            )
            self.connection.sync()

    def is_same_program(self, one: int, other: int) -> bool:
        """Whether two windows belong to the same connection or process."""
        if client_of(self.connection, one) == client_of(self.connection, other):
            return True
        process = process_of(self.connection, one)
        return bool(process) and process == process_of(self.connection, other)

    def _take(self, selection: str, content: Content, stamp: int) -> None:
        self._owned[selection], self._since[selection] = content, stamp
        self.window.set_selection_owner(self.atoms.atom(selection), stamp)
        self.connection.sync()

    # --- events ------------------------------------------------------------------------------------

    def work(self) -> None:
        """Deal with all events that are there, and end transfers that nobody fetches any more."""
        super().work()
        stale = time.monotonic() - STALE_S
        for key in [key for key, transfer in self._outgoing.items() if transfer.touched_s < stale]:
            self._outgoing.pop(key).end()

    def deal_with(self, happened: XObject) -> None:
        """Somebody asks for content, has taken a piece of it, or has become the owner."""
        if happened.type == X.SelectionRequest:
            self._answer(happened)
        elif happened.type == X.SelectionClear:
            selection = self.atoms.name(happened.atom)
            if self._owned.pop(selection, None) is not None:
                self.on_lost(selection)
        elif happened.type == X.PropertyNotify and happened.state == X.PropertyDelete:
            self._go_on(happened.window.id, happened.atom)

    def _go_on(self, window: int, prop: int) -> None:
        transfer = self._outgoing.get((window, prop))
        if transfer is not None and not transfer.go_on(time.monotonic()):
            del self._outgoing[window, prop]
            if not any(other == window for other, _ in self._outgoing):
                transfer.end()
            transfer.on_done()

    # --- answering ---------------------------------------------------------------------------------

    def _answer(self, asked: XObject) -> None:
        prop = asked.property or asked.target  # programs from before the conventions name no property
        content = self._owned.get(self.atoms.name(asked.selection))
        try:
            is_given = content is not None and self._give(content, asked, asked.target, prop)
        except error.XError as problem:  # it has gone, or its property does not take so much
            logger.debug("the X server answered %s", type(problem).__name__)
            is_given = False
        asked.requestor.send_event(
            event.SelectionNotify(
                time=asked.time,
                requestor=asked.requestor,
                selection=asked.selection,
                target=asked.target,
                property=prop if is_given else X.NONE,
            )
        )
        self.connection.sync()
        is_content = self.atoms.name(asked.target) not in NOT_CONTENT | {PRIVATE_FORMAT}
        is_under_way = (asked.requestor.id, prop) in self._outgoing  # counts when its last piece is taken
        if is_given and is_content and not is_under_way:
            self.on_fetch(asked.requestor.id)

    def _give(self, content: Content, asked: XObject, target: int, prop: int) -> bool:
        name = self.atoms.name(target)
        selection = self.atoms.name(asked.selection)
        if name == "TARGETS":
            formats = ("TARGETS", "TIMESTAMP", "MULTIPLE", *content.values)
            atoms = struct.pack(f"={len(formats)}I", *map(self.atoms.atom, formats))
            write_property(asked.requestor, prop, Xatom.ATOM, 32, atoms)
        elif name == "TIMESTAMP":
            write_property(
                asked.requestor, prop, Xatom.INTEGER, 32, struct.pack("=I", self._since[selection])
            )
        elif name == "MULTIPLE":
            return self._give_several(content, asked, prop)
        elif (value := content.values.get(name)) is None:
            return False
        else:
            kind = self.atoms.atom(value.kind)
            self._send(asked.requestor, prop, kind, value.bits, value.data)
        return True

    def _give_several(self, content: Content, asked: XObject, prop: int) -> bool:
        pairs = asked.requestor.get_full_property(prop, X.AnyPropertyType) if asked.property else None
        if pairs is None or pairs.format != 32:
            return False
        atoms = list(pairs.value)
        for place in range(0, len(atoms) - 1, 2):
            is_nested = self.atoms.name(atoms[place]) == "MULTIPLE"
            if is_nested or not self._give(content, asked, atoms[place], atoms[place + 1]):
                atoms[place + 1] = X.NONE
        asked.requestor.change_property(prop, self.atoms.atom("ATOM_PAIR"), 32, atoms)
        return True

    def _send(self, requestor: XObject, prop: int, kind: int, bits: int, data: bytes) -> None:
        if len(data) <= PIECE_BYTES:
            write_property(requestor, prop, kind, bits, data)
            return
        transfer = Outgoing(
            window=requestor,
            prop=prop,
            kind=kind,
            bits=bits,
            data=data,
            on_done=lambda: self.on_fetch(requestor.id),
            touched_s=time.monotonic(),
        )
        self._outgoing[requestor.id, prop] = transfer
        transfer.begin(self.atoms.atom("INCR"))
