"""Owns CLIPBOARD and PRIMARY on a thread of its own, and notices who fetched.

    offer: own, knowing what was there -> (chord is pressed) -> the focused program's fetch
           -> a moment for its second look -> what was there comes back, if it still is ours to replace

"Comes back" means that we go on serving it. A fetch counts when it comes from the connection, or the
process, of the window that had the focus; clipboard managers fetch everything at once and would fool a
counter.

Threads: ``clipboard`` runs the loop and alone touches the connection; the public methods of
``Clipboard`` hand it a task and may be called from any thread. If the thread dies, callers that wait
get an error, and the watchdog starts it again with a new connection.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from handy_qwen.message import Message
from handy_qwen.runtime.worker import Result, SelectableInbox, WatchedThread
from handy_qwen.system.insert.backend import clipboard_in_use, unsupported
from handy_qwen.system.insert.clipboard import ask, described
from handy_qwen.system.x11.connection import LOST, connect, guarded
from handy_qwen.system.x11.selection import (
    PRIVATE_FORMAT,
    Content,
    NotFetchedError,
    SelectionOwner,
    Snapshot,
    text_content,
)
from handy_qwen.system.x11.windows import is_same_program

logger = logging.getLogger(__name__)

GRACE_S = 0.3  # programs may ask twice for one paste: once to look, once to take
HAND_OVER_S = 1.0


@dataclass
class Offer:
    """A text offered for one paste, to the program of the window ``reader``; 0: to any."""

    reader: int
    is_armed: bool = False  # before, no fetch counts
    is_fetched: bool = False
    is_lost: bool = False  # another program has taken the clipboard, or we cannot serve it any more
    settled: threading.Event = field(default_factory=threading.Event)  # one or the other


class Clipboard:
    """The two selections of the X server ``name``.

    Attributes:
        thread: For the watchdog.

    Raises:
        InsertError: Can't reach the X server.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._inbox = SelectableInbox()
        self._connect()
        self.thread = WatchedThread("clipboard", self._run, on_revive=self._connect)
        self.thread.start()

    def _connect(self) -> None:
        """Begin with nothing; what was owned on a connection before is lost. Not on the thread."""
        # If that fails, callers still get their error at once.
        owner = SelectionOwner(connect(self._name, is_listening=True))
        if self._inbox.is_over:
            self._inbox.close()
            self._inbox = SelectableInbox()
        self._offer: Offer | None = None
        self._saved: dict[str, Content | None] = {}  # by selection: what comes back; None: it was empty
        self._restore_at_s: float | None = None
        self._owner = owner
        owner.on_fetch = self._on_fetch
        owner.on_lost = self._on_lost

    # --- any thread --------------------------------------------------------------------------------

    @property
    def window(self) -> int:
        """The window that owns what is ours."""
        return int(self._owner.window.id)

    def offer(self, text: str, reader: int, there: Mapping[str, Snapshot]) -> Offer:
        """Own the selections in ``there`` with ``text``, for the program that window ``reader`` belongs to.

        ``there`` is what they hold now, and what comes back.

        Raises:
            InsertError: The selections cannot be owned. CLIPBOARD_IN_USE: they hold something else by now.
        """
        offer = Offer(reader)
        self._do(lambda: self._begin(offer, text_content(text), there))
        return offer

    def withdraw(self, offer: Offer) -> None:
        """Bring back what was there: the chord was never pressed."""
        self._do(lambda: self._restore() if self._offer is offer else None)

    def leave(self, offer: Offer) -> None:
        """Keep the text of ``offer`` for good; if the user has copied since, PRIMARY is theirs again, too."""

        def settle() -> None:
            if self._offer is offer:
                self._restore() if offer.is_lost else self._forget()

        self._do(settle)

    def copy(self, text: str) -> None:
        """Own CLIPBOARD with ``text`` for good.

        Raises:
            InsertError: It cannot be owned.
        """
        self._do(lambda: self._keep(text_content(text)))

    def primary_belongs_to(self, window: int) -> bool:
        """Whether the program of ``window`` has the present selection (PRIMARY): it may have text marked."""
        return self._do(lambda: self._has_primary(window))

    def close(self, timeout_s: float) -> None:
        """Bring back what is still due, hand the content to a clipboard manager, end the thread."""
        if self.thread.is_ending():
            return
        self.thread.may_end()
        self._inbox.put(lambda: None)  # wakes the thread
        self.thread.join(timeout_s)
        if not self.thread.is_alive():
            self._inbox.close()

    def _do(self, call: Callable[[], Result]) -> Result:
        def guardedly() -> Result:
            with guarded(Message("Using the clipboard")):
                return call()

        return ask(self._inbox, guardedly)

    # --- the thread "clipboard" --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self.thread.is_ending():
                self._step()
            self._restore()
            self._hand_over()
        except LOST:
            logger.info("the X server is gone, and the clipboard with it")
        except Exception as problem:
            logger.error("the clipboard's thread ended: %s", described(problem))  # noqa: TRY400 (see there)
        finally:
            self._lose_offer()
            self._owner.close()
            self._inbox.reject(unsupported(Message("The clipboard")))

    def _step(self) -> None:
        """Wait for something to happen and deal with it."""
        self.thread.begin()
        if self._restore_at_s is not None and time.monotonic() >= self._restore_at_s:
            self._restore()
        self._owner.process_events()
        left_s = None if self._restore_at_s is None else max(self._restore_at_s - time.monotonic(), 0)
        self.thread.end()
        readable, _, _ = select.select([self._owner.connection, self._inbox], [], [], left_s)
        if self._inbox in readable:
            self.thread.begin()
            try:
                self._inbox.run()
            except Exception as problem:  # the caller gets it, too
                logger.error("the clipboard failed: %s", described(problem))  # noqa: TRY400 (see there)

    def _begin(self, offer: Offer, content: Content, there: Mapping[str, Snapshot]) -> None:
        stamp = self._owner.stamp()  # all changes before are known now, and those after count as later
        ours = {selection: self._owner.owned.get(selection) for selection in there}
        for selection, snapshot in there.items():
            # Without an owner by now: it has ended, or it was us, and the paste before has been given back.
            if ours[selection] is None and self._owner.owner_of(selection) not in {0, snapshot.owner}:
                raise clipboard_in_use()  # copied this very moment
        for selection, snapshot in there.items():
            if (own := ours[selection]) is None:
                self._saved[selection] = snapshot.content
            else:
                self._saved.setdefault(selection, own)  # something of ours that was there for good
        self._offer, self._restore_at_s = offer, None
        try:
            for selection in there:
                self._owner.own(selection, content, stamp)
        except BaseException:
            self._restore()
            raise

    def _keep(self, content: Content) -> None:
        self._saved.pop("CLIPBOARD", None)
        self._owner.own("CLIPBOARD", content)

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
        """Let a clipboard manager take CLIPBOARD over, because we are about to end."""
        content = self._owner.owned.get("CLIPBOARD")
        if content is None or PRIVATE_FORMAT in content or not self._owner.owner_of("CLIPBOARD_MANAGER"):
            return
        end_s = time.monotonic() + HAND_OVER_S
        with suppress(NotFetchedError):
            self._owner.convert("CLIPBOARD_MANAGER", "SAVE_TARGETS", lambda: time.monotonic() > end_s, 0)

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

    def _lose_offer(self) -> None:
        if self._offer is not None:
            self._offer.is_lost = True
            self._offer.settled.set()
