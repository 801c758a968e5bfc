"""The X side of a selection: becoming its owner, and answering those who ask for it.

Source: Inter-Client Communication Conventions Manual 2.0, section 2.
"""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Callable

from Xlib import X, Xatom, error
from Xlib.protocol import event, request

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.system.insert.x11.connection import XObject
from handy_qwen.system.insert.x11.content import NOT_CONTENT, PRIVATE_FORMAT, Content
from handy_qwen.system.insert.x11.focus import client_of, process_of
from handy_qwen.system.insert.x11.transfer import PIECE_BYTES, STALE_S, Outgoing, Requestor, put

logger = logging.getLogger(__name__)


class Server(Requestor):
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
            put(asked.requestor, prop, Xatom.ATOM, 32, atoms)
        elif name == "TIMESTAMP":
            put(asked.requestor, prop, Xatom.INTEGER, 32, struct.pack("=I", self._since[selection]))
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
            put(requestor, prop, kind, bits, data)
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
