"""Transfers selections (the clipboard, the selected text) between programs, in both directions.

X11 has no clipboard but the program that owns the selection and answers requests. Content larger than one
request is sent in pieces (INCR): the sender announces it, and writes a piece whenever the receiver has
deleted the last one; an empty piece ends it. X11 names a format by an atom; here names are stored, so that
content outlives connections. It is never logged, and ``repr`` does not show it.

Source: Inter-Client Communication Conventions Manual 2.0, section 2.
"""

from __future__ import annotations

import select
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from Xlib import X, Xatom, error
from Xlib.ext import xfixes
from Xlib.protocol import event, request

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message
from handy_qwen.system.insert.backend import KEEP_BYTES, Deadline, clipboard_in_use, unsupported
from handy_qwen.system.x11.connection import XObject, disconnect, guarded, log_error

PIECE_BYTES = 1 << 16  # four pieces fit the smallest maximum request (262,140 bytes)
STAMP_S = 2.0  # the X server answers at once; this is for one that hangs
POLL_S = 0.05
RECEIVERS = 16  # properties used in turn, so that a late answer is not taken for the next one
STALE_S = 10.0  # a receiver that has not asked for the next piece in this time is gone
TEXT_FORMATS = ("UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "TEXT", "STRING")
PLAIN_FORMATS = ("UTF8_STRING", "STRING")  # to request if the owner does not list its formats
PRIVATE_FORMAT = "x-kde-passwordManagerHint"  # honored by Klipper, CopyQ, Parcellite, GPaste and others
PICTURE_FORMAT = "image/png"
NOT_CONTENT = frozenset(  # answered by the owner itself, or with side effects
    ("TARGETS", "TIMESTAMP", "MULTIPLE", "SAVE_TARGETS", "DELETE", "INSERT_SELECTION", "INSERT_PROPERTY", "")
) | frozenset(  # ids of server objects that go with their owner
    ("PIXMAP", "BITMAP", "DRAWABLE", "COLORMAP", "FOREGROUND", "BACKGROUND", "WINDOW", "CLIENT_WINDOW")
)
_ITEMS = {16: "H", 32: "I"}


@dataclass(frozen=True, slots=True)
class Value:
    """The bytes of one format: the name of their type and the bits of an item (8, 16 or 32)."""

    kind: str
    bits: int
    data: bytes = field(repr=False)


Content: TypeAlias = Mapping[str, Value]  # values by format


def text_content(text: str) -> Content:
    """``text`` in every format that X11 programs request for text, marked as private."""
    utf8 = Value("UTF8_STRING", 8, text.encode())
    mime = ("text/plain;charset=utf-8", "text/plain")
    return {
        "UTF8_STRING": utf8,
        **{name: Value(name, 8, utf8.data) for name in mime},
        "TEXT": utf8,
        "STRING": Value("STRING", 8, text.encode("latin-1", "replace")),
        PRIVATE_FORMAT: Value(PRIVATE_FORMAT, 8, b"secret"),
    }


def worth_keeping(formats: list[str]) -> list[str]:
    """The formats to fetch from an owner, the most important first: there may be no time for all.

    Programs offer a picture in up to twenty formats and produce each on request, which takes seconds and
    blocks them; so only the lossless one that everybody reads is fetched.
    """
    kept = [name for name in dict.fromkeys(formats) if name not in NOT_CONTENT]
    if PICTURE_FORMAT in kept:
        vector = "image/svg"
        kept = [n for n in kept if n == PICTURE_FORMAT or n.startswith(vector) or not n.startswith("image/")]
    return sorted(kept, key=_importance)


def _importance(name: str) -> int:
    if name in TEXT_FORMATS or name == PRIVATE_FORMAT:
        return 0
    if name.startswith(("text/", "x-special/")):  # formatted text, lists of files
        return 1
    return 2 if name in (PICTURE_FORMAT, "image/svg+xml") else 3


class NotFetchedError(Exception):
    """The owner did not answer in time, or has more than can be saved."""

    def __init__(self, *, is_too_large: bool = False) -> None:
        super().__init__()
        self.is_too_large = is_too_large


class Requestor:
    """A connection whose ``window`` requests selections from their owners. For one thread."""

    def __init__(self, connection: XObject) -> None:
        self.connection = connection
        self.window = connection.screen().root.create_window(
            -1, -1, 1, 1, 0, X.CopyFromParent, event_mask=X.PropertyChangeMask
        )
        self._names: dict[int, str] = {}  # of atoms
        self._arrived: list[XObject] = []  # answers to our own conversions
        self._asked = 0

    def close(self) -> None:
        """Close the connection."""
        disconnect(self.connection)

    def atom(self, name: str) -> int:
        """The atom called ``name``."""
        return int(self.connection.get_atom(name))

    def name_of(self, atom: int) -> str:
        """The name of ``atom``; empty if there is no such atom."""
        if atom not in self._names:
            try:
                self._names[atom] = str(self.connection.get_atom_name(atom))
            except error.BadAtom:
                return ""  # another program sent an invalid one
        return self._names[atom]

    def owner_of(self, selection: str) -> int:
        """The window that owns ``selection``, 0 for none."""
        owner = self.connection.get_selection_owner(self.atom(selection))
        return 0 if owner == X.NONE else int(owner.id)

    def stamp(self) -> int:
        """The X server's time, from an event as the conventions require. Raises InsertError: it hangs."""
        prop = self.atom("_HANDY_QWEN_STAMP")
        self._arrived.clear()
        self.window.change_property(prop, Xatom.INTEGER, 32, [], mode=X.PropModeAppend)
        end_s = time.monotonic() + STAMP_S
        try:
            found = self._await(
                lambda e: e.type == X.PropertyNotify and e.atom == prop, lambda: time.monotonic() > end_s
            )
        except NotFetchedError as problem:
            raise InsertError(
                Message("The X server isn't responding."), InsertReason.UNSUPPORTED_DESKTOP
            ) from problem
        return int(found.time)

    def convert(
        self, selection: str, target: str, is_over: Callable[[], bool], limit_bytes: int
    ) -> Value | None:
        """The content of ``selection`` as ``target``; None: refused. Raises NotFetchedError."""
        stamp = self.stamp()
        wanted, chosen = self.atom(selection), self.atom(target)
        self._asked += 1
        prop = self.atom(f"_HANDY_QWEN_{self._asked % RECEIVERS}")
        self.window.convert_selection(wanted, chosen, prop, stamp)
        notice = self._await(
            lambda e: (
                e.type == X.SelectionNotify
                and (e.selection, e.target) == (wanted, chosen)
                and e.property in {prop, X.NONE}
            ),
            is_over,
        )
        got = None if notice.property == X.NONE else self._take_property(prop, limit_bytes)
        if got is not None and got.kind == "INCR":
            got = self._collect(prop, got.data, is_over, limit_bytes)
        return got

    def _collect(self, prop: int, least: bytes, is_over: Callable[[], bool], limit_bytes: int) -> Value:
        """Collect the pieces; INCR announced at least ``least`` bytes."""
        if len(least) == 4 and struct.unpack("=I", least)[0] > limit_bytes:
            raise NotFetchedError(is_too_large=True)
        pieces: list[bytes] = []
        while True:
            self._await(
                lambda e: e.type == X.PropertyNotify and e.atom == prop and e.state == X.PropertyNewValue,
                is_over,
            )
            got = self._take_property(prop, limit_bytes - sum(map(len, pieces)))
            if got is None:
                raise NotFetchedError
            if not got.data:
                return Value(got.kind, got.bits, b"".join(pieces))
            pieces.append(got.data)

    def _take_property(self, prop: int, limit_bytes: int) -> Value | None:
        """Read property ``prop`` of our window and delete it; None if there is none."""
        pieces: list[bytes] = []
        at, size = 0, 0
        while True:
            # In pieces: python-xlib's time for one answer is quadratic in its length.
            answer = self.window.get_property(prop, X.AnyPropertyType, at, PIECE_BYTES // 4, delete=True)
            if answer is None:
                return None
            piece = bytes(answer.value) if answer.format == 8 else answer.value.tobytes()
            size += len(piece)
            if size + answer.bytes_after > limit_bytes:
                self.window.delete_property(prop)
                raise NotFetchedError(is_too_large=True)
            pieces.append(piece)
            at += PIECE_BYTES // 4
            if not answer.bytes_after:
                return Value(self.name_of(answer.property_type), int(answer.format), b"".join(pieces))

    def _await(self, is_wanted: Callable[[XObject], bool], is_over: Callable[[], bool]) -> XObject:
        """The first answer to one of our conversions that ``is_wanted``; earlier ones are dropped."""
        while True:
            self.process_events()
            while self._arrived:
                if is_wanted(found := self._arrived.pop(0)):
                    return found
            if is_over():
                raise NotFetchedError
            select.select([self.connection], [], [], POLL_S)

    def process_events(self) -> None:
        """Handle all events that have arrived. Call before waiting: some may have been read already."""
        while self.connection.pending_events():
            happened = self.connection.next_event()
            is_ours = happened.type == X.PropertyNotify and happened.window.id == self.window.id
            if is_ours or happened.type == X.SelectionNotify:
                self._arrived.append(happened)
                continue
            try:
                self.handle(happened)
            except error.XError as problem:  # a requesting window that vanished
                log_error(problem)

    def handle(self, happened: XObject) -> None:
        """Handle any event except answers to conversions."""


@dataclass
class _Transfer:
    """A transfer in pieces to another program's window."""

    window: XObject
    prop: int
    kind: int
    value: Value
    touched_s: float
    sent: int = 0

    def send_piece(self) -> bool:
        """Write the next piece. Returns False when that was the last one, the empty one."""
        self.touched_s = time.monotonic()
        piece = self.value.data[self.sent : self.sent + PIECE_BYTES]
        self.sent += len(piece)
        _write_property(self.window, self.prop, self.kind, self.value.bits, piece)
        return bool(piece)


class SelectionOwner(Requestor):
    """A connection that owns selections, ``owned``, and serves them. For one thread.

    ``on_fetch`` gets the requestor's window when content has been fetched completely, ``on_lost`` a
    selection that another program has taken.
    """

    def __init__(self, connection: XObject) -> None:
        super().__init__(connection)
        self.owned: dict[str, Content] = {}
        self._since: dict[str, int] = {}
        self._transfers: dict[tuple[int, int], _Transfer] = {}  # by window and property
        self.on_fetch: Callable[[int], None] = lambda _: None
        self.on_lost: Callable[[str], None] = lambda _: None

    def own(self, selection: str, content: Content, stamp: int | None = None) -> None:
        """Serve ``content`` as ``selection`` from ``stamp`` or now on. Raises InsertError: taken since."""
        self._take(selection, content, self.stamp() if stamp is None else stamp)
        if self.owner_of(selection) != self.window.id:
            del self.owned[selection]
            raise InsertError(Message("Can't use the clipboard."), InsertReason.UNSUPPORTED_DESKTOP)

    def give_back(self, selection: str, content: Content | None) -> None:
        """Serve ``content`` again, or leave the selection without an owner, as before.

        The time stamp is taken before the check of the owner: if another program takes the selection in
        between, its stamp is the later one, and the X server ignores ours.
        """
        stamp = self.stamp()
        if self.owner_of(selection) != self.window.id:
            self.owned.pop(selection, None)
        elif content is not None:
            self._take(selection, content, stamp)
        else:
            self.owned.pop(selection, None)
            request.SetSelectionOwner(
                display=self.connection.display,
                onerror=None,
                window=X.NONE,
                selection=self.atom(selection),
                time=stamp,
            )
            self.connection.sync()

    def _take(self, selection: str, content: Content, stamp: int) -> None:
        self.owned[selection], self._since[selection] = content, stamp
        self.window.set_selection_owner(self.atom(selection), stamp)
        self.connection.sync()

    def process_events(self) -> None:
        """Handle all events that have arrived, and end transfers whose receiver is gone."""
        super().process_events()
        stale = time.monotonic() - STALE_S
        for key in [key for key, transfer in self._transfers.items() if transfer.touched_s < stale]:
            self._end(*key)

    def handle(self, happened: XObject) -> None:
        """Another program requests content, has taken a piece of it, or has become the owner."""
        if happened.type == X.SelectionRequest:
            self._answer(happened)
        elif happened.type == X.SelectionClear:
            selection = self.name_of(happened.atom)
            if self.owned.pop(selection, None) is not None:
                self.on_lost(selection)
        elif happened.type == X.PropertyNotify and happened.state == X.PropertyDelete:
            self._go_on(happened.window.id, happened.atom)

    def _go_on(self, window: int, prop: int) -> None:
        transfer = self._transfers.get((window, prop))
        if transfer is not None and not transfer.send_piece():
            self._end(window, prop)
            self.on_fetch(window)

    def _end(self, window: int, prop: int) -> None:
        """Forget a transfer, and stop listening to its window if it was the only one."""
        ended = self._transfers.pop((window, prop))
        if not any(other == window for other, _ in self._transfers):
            ended.window.change_attributes(event_mask=X.NoEventMask)

    def _answer(self, asked: XObject) -> None:
        prop = asked.property or asked.target  # programs older than the conventions name no property
        content = self.owned.get(self.name_of(asked.selection))
        try:
            is_given = content is not None and self._give(content, asked, asked.target, prop)
        except error.XError as problem:  # it is gone, or its property does not accept as much
            log_error(problem)
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
        is_content = self.name_of(asked.target) not in NOT_CONTENT | {PRIVATE_FORMAT}
        is_under_way = (asked.requestor.id, prop) in self._transfers  # counts when its last piece is taken
        if is_given and is_content and not is_under_way:
            self.on_fetch(asked.requestor.id)

    def _give(self, content: Content, asked: XObject, target: int, prop: int) -> bool:
        name, requestor = self.name_of(target), asked.requestor
        if name == "TARGETS":
            formats = ("TARGETS", "TIMESTAMP", "MULTIPLE", *content)
            requestor.change_property(prop, Xatom.ATOM, 32, [self.atom(format_) for format_ in formats])
        elif name == "TIMESTAMP":
            since = self._since[self.name_of(asked.selection)]
            requestor.change_property(prop, Xatom.INTEGER, 32, [since])
        elif name == "MULTIPLE":
            return self._give_several(content, asked, prop)
        elif (value := content.get(name)) is None:
            return False
        else:
            self._send(requestor, prop, value)
        return True

    def _give_several(self, content: Content, asked: XObject, prop: int) -> bool:
        pairs = asked.requestor.get_full_property(prop, X.AnyPropertyType) if asked.property else None
        if pairs is None or pairs.format != 32:
            return False
        atoms = list(pairs.value)
        for place in range(0, len(atoms) - 1, 2):
            is_nested = self.name_of(atoms[place]) == "MULTIPLE"
            if is_nested or not self._give(content, asked, atoms[place], atoms[place + 1]):
                atoms[place + 1] = X.NONE
        asked.requestor.change_property(prop, self.atom("ATOM_PAIR"), 32, atoms)
        return True

    def _send(self, requestor: XObject, prop: int, value: Value) -> None:
        kind = self.atom(value.kind)
        if len(value.data) <= PIECE_BYTES:
            _write_property(requestor, prop, kind, value.bits, value.data)
            return
        self._transfers[requestor.id, prop] = _Transfer(requestor, prop, kind, value, time.monotonic())
        requestor.change_attributes(event_mask=X.PropertyChangeMask)
        requestor.change_property(prop, self.atom("INCR"), 32, [len(value.data)])


def _write_property(window: XObject, prop: int, kind: int, bits: int, data: bytes) -> None:
    items = data if bits == 8 else list(struct.unpack(f"={len(data) * 8 // bits}{_ITEMS[bits]}", data))
    window.change_property(prop, kind, bits, items)


# --- what other programs offer, fetched in advance so that it can come back after a paste -----------
#
# The owner may be slow (a picture is encoded on request), hang, or refuse. If its content is not available,
# the selection must not be taken from it. A format that the owner refuses is refused to all, so nothing is
# lost with it; one that is too large or too slow would be lost.
#
# It is fetched on a separate connection, and stays valid until the X server reports another owner (XFIXES).
# What has been fetched before time ran out is kept for the next try.

SELECTIONS = ("CLIPBOARD", "PRIMARY")
_OWNER_CHANGES = (
    xfixes.XFixesSetSelectionOwnerNotifyMask
    | xfixes.XFixesSelectionWindowDestroyNotifyMask
    | xfixes.XFixesSelectionClientCloseNotifyMask
)


@dataclass
class _Offered:
    """One owner's content, as far as it has been fetched."""

    owner: int
    formats: list[str] | None = None  # as listed by it; None: not asked yet
    values: dict[str, Value | None] = field(default_factory=dict, repr=False)  # None: refused
    is_too_large: bool = False
    is_late: bool = False  # time ran out: do not wait for it again

    def content(self) -> Content | None:
        """All that there is, in the order of the owner; None if that is nothing."""
        got = {name: value for name in self.formats or [] if (value := self.values.get(name)) is not None}
        return got or None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The content of a selection when ``owner`` owned it (0: no window); None: empty."""

    owner: int
    content: Content | None


class SelectionCache(Requestor):
    """Fetches the selections of other programs. For one thread. Raises InsertError: there is no XFIXES."""

    def __init__(self, connection: XObject) -> None:
        super().__init__(connection)
        if not connection.has_extension(xfixes.extname):
            raise unsupported(Message("Seeing who owns the clipboard (the XFIXES extension)"))
        connection.xfixes_query_version()
        self._changed = connection.extension_event.SetSelectionOwnerNotify[0]
        for selection in SELECTIONS:
            connection.xfixes_select_selection_input(self.window, self.atom(selection), _OWNER_CHANGES)
        self._offered: dict[str, _Offered] = {}
        self._has_changed = False  # since fetching began

    def fetch(self, selections: Sequence[str], ours: int, deadline: Deadline) -> dict[str, Snapshot]:
        """The content of ``selections``, all at one time, unless their owner is the window ``ours``.

        Raises InsertError: CLIPBOARD_IN_USE: not available in time, or too large.
        """
        with guarded(Message("Looking at the clipboard")):
            while True:
                self._has_changed = False
                taken = {selection: self._snapshot(selection, ours, deadline) for selection in selections}
                self.connection.sync()
                self.process_events()  # all changes before are known afterwards
                if not self._has_changed:
                    return taken
                if deadline.left_s() <= 0:
                    raise clipboard_in_use()

    def try_again(self) -> None:
        """Ask owners that were too slow again."""
        for offered in self._offered.values():
            offered.is_late = False

    def handle(self, happened: XObject) -> None:
        """Another program may have taken a selection."""
        if happened.type == self._changed:
            self._offered.pop(self.name_of(happened.selection), None)
            self._has_changed = True

    def _snapshot(self, selection: str, ours: int, deadline: Deadline) -> Snapshot:
        """The content of ``selection``; anything if another program takes it meanwhile."""
        owner = self.owner_of(selection)
        self.process_events()
        if not owner or owner == ours:
            self._offered.pop(selection, None)
            return Snapshot(owner, None)
        offered = self._offered.setdefault(selection, _Offered(owner))
        try:
            self._fetch(selection, offered, deadline)
        except NotFetchedError as problem:
            offered.is_too_large |= problem.is_too_large
            if self._offered.get(selection) is offered:
                offered.is_late |= deadline.left_s() <= 0
                raise clipboard_in_use() from problem
        return Snapshot(owner, offered.content())

    def _fetch(self, selection: str, offered: _Offered, deadline: Deadline) -> None:
        """Fetch what is missing."""
        if offered.is_late or offered.is_too_large:
            raise NotFetchedError

        def is_over() -> bool:
            return deadline.left_s() <= 0 or self._offered.get(selection) is not offered

        if offered.formats is None:
            answer = self.convert(selection, "TARGETS", is_over, KEEP_BYTES)
            offered.formats = self._formats(answer) if answer else [*PLAIN_FORMATS]
        left = KEEP_BYTES - sum(len(value.data) for value in offered.values.values() if value)
        for name in worth_keeping(offered.formats):
            if name not in offered.values:
                answer = offered.values[name] = self.convert(selection, name, is_over, left)
                left -= len(answer.data) if answer else 0

    def _formats(self, targets: Value) -> list[str]:
        atoms = struct.unpack(f"={len(targets.data) // 4}I", targets.data) if targets.bits == 32 else ()
        return [self.name_of(atom) for atom in atoms]
