"""Owns CLIPBOARD and PRIMARY, on a thread of its own, and knows who fetched.

    offer: own, with what was there in hand -> (chord is pressed) -> the focused program's fetch
           -> a moment for its second look -> what was there comes back, if it still is ours to replace

"Comes back" means that we go on serving it: X11 has no clipboard but the program that answers. A
fetch counts when it comes from the connection, or the process, of the window that had the focus;
clipboard managers fetch everything at once and would fool a counter.

Threads: ``clipboard`` runs the loop and alone touches the connection; the public methods of
``Clipboard`` hand it a task and may be called from any thread. If the thread dies, whoever waits for
it gets an error, and the watchdog starts it again with a new connection.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from Xlib import error

from handy_qwen.runtime.worker import WatchedThread
from handy_qwen.system.insert.backend import clipboard_in_use, unsupported
from handy_qwen.system.insert.tasks import Result, Tasks, described
from handy_qwen.system.x11.connection import connect, guarded
from handy_qwen.system.x11.selection import PRIVATE_FORMAT, Content, SelectionOwner, text_content
from handy_qwen.system.x11.snapshot import Snapshot

logger = logging.getLogger(__name__)

GRACE_S = 0.3  # programs may ask twice for one paste: once to look, once to take
HAND_OVER_S = 1.0


@dataclass
class Offer:
    """A text offered for one paste."""

    reader: int
    fetched: threading.Event = field(default_factory=threading.Event)
    lost: threading.Event = field(default_factory=threading.Event)
    is_armed: bool = False


class Clipboard:
    """The two selections of one X server.

    Attributes:
        thread: For the watchdog.
    """

    def __init__(self, name: str) -> None:
        """Connect and start the thread.

        Raises:
            InsertError: The X server cannot be reached.
        """
        self._name = name
        self._wake_reader, self._wake_writer = os.pipe()
        self._tasks = Tasks(lambda: os.write(self._wake_writer, b"x"))
        self._offer: Offer | None = None
        self._saved: dict[str, Content | None] = {}  # by selection: what comes back; None: it was empty
        self._restore_at_s: float | None = None
        self._is_closed = False
        self._server = self._serve()
        self.thread = WatchedThread("clipboard", self._run, on_revive=self._revive)
        self.thread.start()

    # --- any thread --------------------------------------------------------------------------------

    @property
    def window(self) -> int:
        """The window that owns what is ours."""
        return int(self._server.window.id)

    def offer(self, text: str, reader: int, kept: Mapping[str, Snapshot]) -> Offer:
        """Own the selections in ``kept`` with ``text``, for the program that window ``reader`` belongs to.

        ``kept`` is what they hold now, and what comes back.

        Raises:
            InsertError: The selections cannot be owned. CLIPBOARD_IN_USE: they hold something else by now.
        """
        offer = Offer(reader)
        self._do(lambda: self._begin(offer, text_content(text), kept))
        return offer

    def withdraw(self, offer: Offer) -> None:
        """Bring back what was there: the chord was never pressed."""
        self._do(lambda: self._restore() if self._offer is offer else None)

    def leave(self, offer: Offer) -> None:
        """Keep the text of ``offer`` on the clipboard for good."""
        self._do(lambda: self._forget() if self._offer is offer else None)

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
        if self._is_closed:
            return
        self._is_closed = True
        self.thread.may_end()
        os.write(self._wake_writer, b"x")
        self.thread.join(timeout_s)
        if not self.thread.is_alive():
            os.close(self._wake_reader)
            os.close(self._wake_writer)

    def _do(self, run: Callable[[], Result]) -> Result:
        if self._is_closed or not self.thread.is_alive():
            raise unsupported("The clipboard")

        def guardedly() -> Result:
            with guarded("Using the clipboard"):
                return run()

        return self._tasks.do(guardedly)

    def _serve(self) -> SelectionOwner:
        server = SelectionOwner(connect(self._name))
        server.on_fetch = self._on_fetch
        server.on_lost = self._on_lost
        return server

    def _revive(self) -> None:
        """The thread died, and what it owned is lost with its connection. Called on the watchdog's thread."""
        self._offer, self._restore_at_s = None, None
        self._saved.clear()
        self._server = self._serve()

    # --- the thread "clipboard" --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._is_closed:
                self._step()
            self._restore()
            self._hand_over()
        except (error.ConnectionClosedError, OSError):
            logger.info("the X server is gone, and the clipboard with it")
        except Exception as problem:
            logger.error("the clipboard's thread ended: %s", described(problem))  # noqa: TRY400 (see there)
        finally:
            if self._offer is not None:
                self._offer.lost.set()
            self._tasks.give_up()
            self._server.close()

    def _step(self) -> None:
        """Wait for something to happen and deal with it."""
        self.thread.begin()
        if self._restore_at_s is not None and time.monotonic() >= self._restore_at_s:
            self._restore()
        self._server.work()
        left = None if self._restore_at_s is None else max(self._restore_at_s - time.monotonic(), 0)
        self.thread.end()
        readable, _, _ = select.select([self._server.fileno(), self._wake_reader], [], [], left)
        if self._wake_reader in readable:
            self.thread.begin()
            os.read(self._wake_reader, 1024)
            self._tasks.work_off()

    def _begin(self, offer: Offer, content: Content, kept: Mapping[str, Snapshot]) -> None:
        stamp = self._server.stamp()  # all changes before are known now, and those after count as later
        held = {selection: self._server.owned(selection) for selection in kept}
        for selection, there in kept.items():
            # Without an owner by now: it has ended, or it was us, and the paste before has been given back.
            if held[selection] is None and self._server.owner_of(selection) not in {0, there.owner}:
                raise clipboard_in_use()  # copied this very moment
        for selection, there in kept.items():
            if (own := held[selection]) is None:
                self._saved[selection] = there.content
            else:
                self._saved.setdefault(selection, own)  # something of ours that was there for good
        self._offer, self._restore_at_s = offer, None
        try:
            for selection in kept:
                self._server.own(selection, content, stamp)
        except BaseException:
            self._restore()
            raise

    def _has_primary(self, window: int) -> bool:
        owner = self._server.owner_of("PRIMARY")
        return bool(owner) and self._server.is_same_program(owner, window)

    def _hand_over(self) -> None:
        """Let a clipboard manager take CLIPBOARD over, because we are about to end."""
        content = self._server.owned("CLIPBOARD")
        is_private = content is not None and PRIVATE_FORMAT in content.values
        if content is None or is_private or not self._server.owner_of("CLIPBOARD_MANAGER"):
            return
        end_s = time.monotonic() + HAND_OVER_S
        self._server.convert("CLIPBOARD_MANAGER", "SAVE_TARGETS", lambda: time.monotonic() > end_s, 0)

    def _keep(self, content: Content) -> None:
        self._saved.pop("CLIPBOARD", None)
        self._server.own("CLIPBOARD", content)

    def _forget(self) -> None:
        self._offer, self._restore_at_s = None, None
        self._saved.clear()

    def _restore(self) -> None:
        for selection, content in self._saved.items():
            if self._server.owned(selection) is not None:
                self._server.give_back(selection, content)
        self._forget()

    def _on_fetch(self, requestor: int) -> None:
        offer = self._offer
        if offer is None or not offer.is_armed or not self._server.is_same_program(requestor, offer.reader):
            return
        offer.fetched.set()
        self._restore_at_s = time.monotonic() + GRACE_S

    def _on_lost(self, selection: str) -> None:
        self._saved.pop(selection, None)
        if selection == "CLIPBOARD" and self._offer is not None:
            self._offer.lost.set()
