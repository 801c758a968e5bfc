"""Takes what another program offers as a selection, so that it can come back after a paste.

The owner may be slow (a picture is made into a file only when it is asked for), hang, or refuse. Four
answers are told apart: it is empty; here is all of it; it is ours already; it cannot be had. In the
last case the selection must not be taken from its owner. A format that the owner refuses cannot be
had by anybody, so nothing is lost with it; one that is too large or too slow would be.

The fetching is done in advance, on a connection of its own, and stays valid until the X server tells
of another owner (XFIXES). What has been fetched before time ran out is kept for the next try.

Threads: for one thread.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from Xlib import X
from Xlib.ext import xfixes

from handy_qwen.system.insert.backend import KEEP_BYTES, Deadline, clipboard_in_use, unsupported
from handy_qwen.system.x11.connection import XObject, guarded
from handy_qwen.system.x11.selection import PLAIN_FORMATS, Content, Requestor, Value, worth_keeping

logger = logging.getLogger(__name__)

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
    is_hopeless: bool = False  # too large
    is_late: bool = False  # time ran out: nobody shall wait for it again in vain

    def content(self) -> Content | None:
        """All that there is, in the order of the owner; None if that is nothing."""
        order = self.formats or []
        got = {name: value for name in order if (value := self.values.get(name)) is not None}
        return Content(got) if got else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a selection held when ``owner`` owned it (0: nobody); None: nothing."""

    owner: int
    content: Content | None


class SelectionCache(Requestor):
    """Fetches the selections of other programs."""

    def __init__(self, connection: XObject) -> None:
        """Listen for changes of the owners.

        Raises:
            InsertError: The X server lacks XFIXES.
        """
        super().__init__(connection)
        if not connection.has_extension(xfixes.extname):
            raise unsupported("Seeing who owns the clipboard (the XFIXES extension)")
        connection.xfixes_query_version()
        self._changed = connection.extension_event.SetSelectionOwnerNotify[0]
        for selection in SELECTIONS:
            connection.xfixes_select_selection_input(self.window, self.atoms.atom(selection), _OWNER_CHANGES)
        self._offered: dict[str, _Offered] = {}
        self._has_changed = False  # since the fetching began

    def fetch(self, selections: Sequence[str], ours: int, patience: Deadline) -> dict[str, Snapshot]:
        """What is on ``selections``, all at the same time, unless their owner is the window ``ours``.

        Raises:
            InsertError: CLIPBOARD_IN_USE: it could not be had in time, or is too large.
        """
        with guarded("Looking at the clipboard"):
            while True:
                self._has_changed = False
                kept = {selection: self._keep(selection, ours, patience) for selection in selections}
                self.connection.sync()
                self.work()  # tells of all changes before
                if not self._has_changed:
                    return kept
                if patience.left_s() <= 0:
                    raise clipboard_in_use()

    def _keep(self, selection: str, ours: int, patience: Deadline) -> Snapshot:
        """What is on ``selection``; anything if another program takes it meanwhile.

        Raises:
            InsertError: As ``fetch``.
        """
        owner = self.owner_of(selection)
        self.work()
        if not owner or owner == ours:
            self._offered.pop(selection, None)
            return Snapshot(owner, None)
        offered = self._offered.setdefault(selection, _Offered(owner))
        is_fetched = not offered.is_late and self._fetch(selection, offered, patience)
        if not is_fetched and self._offered.get(selection) is offered:
            offered.is_late = offered.is_late or patience.left_s() <= 0
            raise clipboard_in_use()
        return Snapshot(owner, offered.content())

    def try_again(self) -> None:
        """Ask owners again that were too slow."""
        for offered in self._offered.values():
            offered.is_late = False

    def deal_with(self, happened: XObject) -> None:
        """An event that is no answer: another program may have taken a selection."""
        if happened.type == self._changed:
            self._offered.pop(self.atoms.name(happened.selection), None)
            self._has_changed = True

    def _fetch(self, selection: str, offered: _Offered, patience: Deadline) -> bool:
        """Fetch what is still missing. False: not all of it could be had, or the offer has changed."""

        def is_over() -> bool:
            return patience.left_s() <= 0 or self._offered.get(selection) is not offered

        if offered.formats is None:
            answer = self.convert(selection, "TARGETS", is_over, KEEP_BYTES)
            if answer is None or answer.is_too_large:
                return False
            offered.formats = self._names(answer.value) if answer.value else [*PLAIN_FORMATS]
        left = KEEP_BYTES - sum(len(value.data) for value in offered.values.values() if value)
        for name in worth_keeping(offered.formats):
            if offered.is_hopeless:
                return False
            if name in offered.values:
                continue
            answer = self.convert(selection, name, is_over, left)
            if answer is None:
                return False
            offered.is_hopeless = answer.is_too_large
            offered.values[name] = answer.value
            left -= len(answer.value.data) if answer.value else 0
        return not offered.is_hopeless

    def _names(self, value: Value) -> list[str]:
        atoms = struct.unpack(f"={len(value.data) // 4}I", value.data) if value.bits == 32 else ()
        return [self.atoms.name(atom) for atom in atoms]

    def owner_of(self, selection: str) -> int:
        """The window that owns ``selection``, 0 for none."""
        owner = self.connection.get_selection_owner(self.atoms.atom(selection))
        return 0 if owner == X.NONE else int(owner.id)
