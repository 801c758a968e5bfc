"""Owns CLIPBOARD and PRIMARY on its own thread, and notices who fetched.

A fetch counts when it comes from the connection, or the process, of the window that had the focus; clipboard
managers fetch everything at once and would fool a counter. A program may fetch twice, so the saved content is
restored a moment after the last fetch.
"""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message
from handy_qwen.system.insert.backend import Deadline, clipboard_in_use
from handy_qwen.system.insert.clipboard import ClipboardServer, Focus, Offer, ServedClipboards
from handy_qwen.system.x11.connection import LOST, connect, guarded
from handy_qwen.system.x11.selection import (
    PRIVATE_FORMAT,
    SELECTIONS,
    Content,
    NotFetchedError,
    SelectionCache,
    SelectionOwner,
    Snapshot,
    text_content,
)
from handy_qwen.system.x11.windows import FocusedWindow, FocusReader, is_same_program, is_terminal

logger = logging.getLogger(__name__)

GRACE_S = 0.3  # programs may ask twice per paste: for the formats, then for the text
HAND_OVER_S = 1.0


class Clipboard(ClipboardServer):
    """The two selections of the X server ``name``."""

    LOST = LOST

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def _open(self) -> None:
        owner = SelectionOwner(connect(self._name, is_listening=True))
        self._saved: dict[str, Content | None] = {}  # by selection: what comes back; None: it was empty
        self._restore_at_s: float | None = None
        self._owner = owner
        owner.on_fetch = self._on_fetch
        owner.on_lost = self._on_lost

    # --- any thread --------------------------------------------------------------------------------

    @property
    def window(self) -> int:
        """The window that owns our selections."""
        return int(self._owner.window.id)

    def offer(self, text: str, reader: int, there: Mapping[str, Snapshot]) -> Offer:
        """Own the selections in ``there`` with ``text``, for the program of the window ``reader``.

        ``there`` is their current content, to be restored.

        Raises:
            InsertError: The selections cannot be owned. CLIPBOARD_IN_USE: their content has changed.
        """
        offer = Offer(reader)
        self._do(lambda: self._begin(offer, text_content(text), there))
        return offer

    def primary_belongs_to(self, window: int) -> bool:
        """Whether the program of ``window`` owns PRIMARY: it may have text selected."""
        return self._do(lambda: self._has_primary(window))

    def _guarded(self) -> AbstractContextManager[None]:
        return guarded(Message("Using the clipboard"))

    # --- the thread "clipboard" --------------------------------------------------------------------

    def _step(self) -> None:
        self.thread.begin()
        if self._restore_at_s is not None and time.monotonic() >= self._restore_at_s:
            self._restore()
        self._owner.process_events()
        left_s = None if self._restore_at_s is None else max(self._restore_at_s - time.monotonic(), 0)
        self.thread.end()
        readable, _, _ = select.select([self._owner.connection, self._inbox], [], [], left_s)
        if self._inbox in readable:
            self.thread.begin()
            self._take_calls()

    def _begin(self, offer: Offer, content: Content, there: Mapping[str, Snapshot]) -> None:
        stamp = self._owner.stamp()  # all changes before are known now, and later ones have a later stamp
        ours = {selection: self._owner.owned.get(selection) for selection in there}
        for selection, snapshot in there.items():
            # No owner now: it has ended, or it was us, and the last paste was undone.
            if ours[selection] is None and self._owner.owner_of(selection) not in {0, snapshot.owner}:
                raise clipboard_in_use()  # copied just now
        for selection, snapshot in there.items():
            if (own := ours[selection]) is None:
                self._saved[selection] = snapshot.content
            else:
                self._saved.setdefault(selection, own)  # permanent content of ours
        self._offer, self._restore_at_s = offer, None
        try:
            for selection in there:
                self._owner.own(selection, content, stamp)
        except BaseException:
            self._restore()
            raise

    def _keep(self, text: str) -> None:
        self._saved.pop("CLIPBOARD", None)
        self._owner.own("CLIPBOARD", text_content(text))

    def _restore(self) -> None:
        for selection, content in self._saved.items():
            if selection in self._owner.owned:
                self._owner.give_back(selection, content)
        self._forget()

    def _forget(self) -> None:
        self._offer, self._restore_at_s = None, None
        self._saved.clear()

    def _has_primary(self, window: int) -> bool:
        owner = self._owner.owner_of("PRIMARY")
        return bool(owner) and is_same_program(self._owner.connection, owner, window)

    def _hand_over(self) -> None:
        """Let a clipboard manager take CLIPBOARD over."""
        content = self._owner.owned.get("CLIPBOARD")
        if content is None or PRIVATE_FORMAT in content or not self._owner.owner_of("CLIPBOARD_MANAGER"):
            return
        end_s = time.monotonic() + HAND_OVER_S
        with suppress(NotFetchedError):
            self._owner.convert("CLIPBOARD_MANAGER", "SAVE_TARGETS", lambda: time.monotonic() > end_s, 0)

    def _disconnect(self) -> None:
        self._owner.close()

    def _on_fetch(self, requestor: int) -> None:
        offer = self._offer
        if offer is None or not offer.is_armed:
            return
        if not offer.reader or is_same_program(self._owner.connection, requestor, offer.reader):
            offer.is_fetched = True
            offer.settled.set()
            self._restore_at_s = time.monotonic() + GRACE_S

    def _on_lost(self, selection: str) -> None:
        self._saved.pop(selection, None)
        if selection == "CLIPBOARD":
            self._lose_offer()


class XSelections(ServedClipboards[Focus]):
    """The selections of the X server ``display``, for whichever window fetches them."""

    def __init__(self, display: str) -> None:
        self._clipboard = Clipboard(display)
        super().__init__(self._clipboard)
        self._display = display
        self._cache: SelectionCache | None = None  # made when first needed, and anew after a failure
        self._there: dict[str, Snapshot] = {}

    def save(self, deadline: Deadline, _focus: Focus | None, *, is_lent: bool) -> None:  # noqa: ARG002 (it knows itself)
        """See ``Clipboards``."""
        self._there = self.fetch(SELECTIONS, deadline)

    def offer(self, text: str, _focus: Focus) -> None:
        """See ``Clipboards``."""
        self._offered = self._clipboard.offer(text, 0, self._there)

    def restore(self) -> None:
        """See ``Clipboards``. After a fetch the clipboard's own thread does it, a moment after the last."""
        if not self._offered.is_fetched:
            super().restore()

    def fetch(self, selections: Sequence[str], deadline: Deadline) -> dict[str, Snapshot]:
        """What is on ``selections``; raises if it cannot be had in time."""
        try:
            if self._cache is None:
                self._cache = SelectionCache(connect(self._display, is_listening=True))
            return self._cache.fetch(selections, self._clipboard.window, deadline)
        except InsertError as problem:
            if problem.reason is not InsertReason.CLIPBOARD_IN_USE and self._cache is not None:
                self._cache.close()
                self._cache = None
            raise

    def close(self) -> None:
        """See ``Clipboards``."""
        super().close()
        if self._cache is not None:
            self._cache.close()


class WindowSelections(XSelections[FocusedWindow]):
    """The same, for the window that ``focus`` tells of: only its program's fetch counts."""

    def __init__(self, display: str, focus: FocusReader) -> None:
        super().__init__(display)
        self._focus = focus
        self._text = ""

    def save(self, deadline: Deadline, focus: FocusedWindow | None, *, is_lent: bool) -> None:  # noqa: ARG002 (as above)
        """See ``Clipboards``."""
        if focus is None:
            if self._cache is not None:
                self._cache.try_again()
            self.fetch(SELECTIONS, deadline)
            return
        # A text field with marked text owns PRIMARY. If that were taken, the field would drop the mark, and
        # the text would not be replaced.
        application = self._focus.target().application
        with_primary = is_terminal(application) or not self._clipboard.primary_belongs_to(focus.window)
        self._there = self.fetch(SELECTIONS if with_primary else SELECTIONS[:1], deadline)

    def offer(self, text: str, focus: FocusedWindow) -> None:
        """See ``Clipboards``. Nobody else's fetch counts, so it may be now."""
        self._text = text
        self._offered = self._clipboard.offer(text, focus.window, self._there)
        self.arm()

    def is_ours(self) -> bool:
        """See ``Clipboards``. Clipboard managers may take over the text that they see."""
        if super().is_ours():
            return True
        try:
            there = self.fetch(SELECTIONS[:1], Deadline())[SELECTIONS[0]]
        except InsertError:
            return False
        values = there.content.values() if there.content else ()
        return not there.owner or any(value.data == self._text.encode() for value in values)
