"""Fetches what another program offers as a selection, so that it can come back after a paste.

The owner may be slow (a picture is made into a file only when it is asked for), hang, or refuse. If its
content cannot be had, the selection must not be taken from it. A format that the owner refuses
is refused to all, so nothing is lost with it; one that is too large or too slow would be lost.

The fetching is done in advance, on a connection of its own, and stays valid until the X server reports
another owner (XFIXES). What has been fetched before time ran out is kept for the next try.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from Xlib.ext import xfixes

from handy_qwen.message import Message
from handy_qwen.system.insert.backend import KEEP_BYTES, Deadline, clipboard_in_use, unsupported
from handy_qwen.system.x11.connection import XObject, guarded
from handy_qwen.system.x11.selection import (
    PLAIN_FORMATS,
    Content,
    NotFetchedError,
    Requestor,
    Value,
    worth_keeping,
)

SELECTIONS = ("CLIPBOARD", "PRIMARY")
_OWNER_CHANGES = (
    xfixes.XFixesSetSelectionOwnerNotifyMask
    | xfixes.XFixesSelectionWindowDestroyNotifyMask
    | xfixes.XFixesSelectionClientCloseNotifyMask
)


@dataclass
class _Offered:
    """What one owner offers, as far as it has been fetched."""

    owner: int
    formats: list[str] | None = None  # as it names them; None: not asked yet
    values: dict[str, Value | None] = field(default_factory=dict, repr=False)  # None: refused
    is_too_large: bool = False
    is_late: bool = False  # time ran out: it is not waited for again

    def content(self) -> Content | None:
        """All that there is, in the order of the owner; None if that is nothing."""
        got = {name: value for name in self.formats or [] if (value := self.values.get(name)) is not None}
        return got or None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a selection held when ``owner`` owned it (0: no window); None: nothing."""

    owner: int
    content: Content | None


class SelectionCache(Requestor):
    """Fetches the selections of other programs. For one thread.

    Raises:
        InsertError: The X server lacks XFIXES.
    """

    def __init__(self, connection: XObject) -> None:
        super().__init__(connection)
        if not connection.has_extension(xfixes.extname):
            raise unsupported(Message("Seeing who owns the clipboard (the XFIXES extension)"))
        connection.xfixes_query_version()
        self._changed = connection.extension_event.SetSelectionOwnerNotify[0]
        for selection in SELECTIONS:
            connection.xfixes_select_selection_input(self.window, self.atom(selection), _OWNER_CHANGES)
        self._offered: dict[str, _Offered] = {}
        self._has_changed = False  # since the fetching began

    def fetch(self, selections: Sequence[str], ours: int, deadline: Deadline) -> dict[str, Snapshot]:
        """What is on ``selections``, all at the same time, unless their owner is the window ``ours``.

        Raises:
            InsertError: CLIPBOARD_IN_USE: it could not be had in time, or is too large.
        """
        with guarded(Message("Looking at the clipboard")):
            while True:
                self._has_changed = False
                taken = {selection: self._snapshot(selection, ours, deadline) for selection in selections}
                self.connection.sync()
                self.process_events()  # so that all changes before are known
                if not self._has_changed:
                    return taken
                if deadline.left_s() <= 0:
                    raise clipboard_in_use()

    def try_again(self) -> None:
        """Ask owners again that were too slow."""
        for offered in self._offered.values():
            offered.is_late = False

    def handle(self, happened: XObject) -> None:
        """Another program may have taken a selection."""
        if happened.type == self._changed:
            self._offered.pop(self.name_of(happened.selection), None)
            self._has_changed = True

    def _snapshot(self, selection: str, ours: int, deadline: Deadline) -> Snapshot:
        """What is on ``selection``; anything if another program takes it meanwhile."""
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
        """Fetch what is still missing."""
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
