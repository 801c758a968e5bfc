"""Owns CLIPBOARD and PRIMARY, on a thread of its own, and knows who fetched.

    offer: snapshot of what is there -> own -> (chord is pressed) -> the focused program's fetch
           -> a moment for its second look -> what was there comes back, if it still is ours to replace

"Comes back" means that we go on serving it: X11 has no clipboard but the program that answers. A
fetch counts when it comes from the connection, or the process, of the window that had the focus;
clipboard managers fetch everything at once and would fool a counter.

Threads: ``clipboard`` runs the loop and alone touches the connection; the public methods of
``Clipboard`` hand it a task and may be called from any thread.
"""

from __future__ import annotations

import logging
import os
import queue
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from Xlib import error

from handy_qwen.errors import HandyError, InsertError, InsertReason
from handy_qwen.system.insert.backend import unsupported
from handy_qwen.system.insert.x11.connection import connect
from handy_qwen.system.insert.x11.content import Content, text_content
from handy_qwen.system.insert.x11.serving import Server
from handy_qwen.system.insert.x11.snapshot import Unknown, hand_over, snapshot

logger = logging.getLogger(__name__)

GRACE_S = 0.3  # programs may ask twice for one paste: once to look, once to take
ANSWER_S = 5.0  # how long the loop may take to do what it is told, snapshot included


@dataclass
class Offer:
    """A text offered for one paste."""

    reader: int
    fetched: threading.Event = field(default_factory=threading.Event)
    lost: threading.Event = field(default_factory=threading.Event)
    is_armed: bool = False


@dataclass
class _Task:
    run: Callable[[], None]
    done: threading.Event = field(default_factory=threading.Event)
    problem: InsertError | None = None


class Clipboard:
    """The two selections of one X server."""

    def __init__(self, name: str) -> None:
        """Connect and start the thread.

        Raises:
            InsertError: The X server cannot be reached.
        """
        self._server = Server(connect(name))
        self._server.on_fetch = self._on_fetch
        self._server.on_lost = self._on_lost
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._wake_reader, self._wake_writer = os.pipe()
        self._offer: Offer | None = None
        self._saved: dict[str, Content | None] = {}  # by selection: what comes back; None: it was empty
        self._restore_at_s: float | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="clipboard", daemon=True)
        self._thread.start()

    # --- any thread --------------------------------------------------------------------------------

    def offer(self, text: str, reader: int, *, with_primary: bool) -> Offer:
        """Own the selections with ``text``, for the program that window ``reader`` belongs to.

        Raises:
            InsertError: The selections cannot be owned.
        """
        offer = Offer(reader)
        wanted = ("CLIPBOARD", "PRIMARY") if with_primary else ("CLIPBOARD",)
        self._do(lambda: self._begin(offer, text_content(text), wanted))
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
        found: list[bool] = []

        def look() -> None:
            owner = self._server.owner_of("PRIMARY")
            found.append(bool(owner) and self._server.is_same_program(owner, window))

        self._do(look)
        return found[0]

    def close(self, timeout_s: float) -> None:
        """Bring back what is still due, hand the content to a clipboard manager, end the thread."""
        if self._is_closed:
            return
        self._is_closed = True
        self._tasks.put(None)
        os.write(self._wake_writer, b"x")
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            os.close(self._wake_reader)
            os.close(self._wake_writer)

    def _do(self, run: Callable[[], None]) -> None:
        task = _Task(run)
        if self._is_closed or not self._thread.is_alive():
            raise unsupported("The clipboard")
        self._tasks.put(task)
        os.write(self._wake_writer, b"x")
        if not task.done.wait(ANSWER_S):
            raise unsupported("An answering clipboard")
        if task.problem is not None:
            raise task.problem

    # --- the thread "clipboard" --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._step():
                pass
            self._restore()
            hand_over(self._server)
        except (error.ConnectionClosedError, OSError):
            logger.debug("the X server is gone, and the clipboard with it")
        except Exception:
            logger.exception("the clipboard's thread ended")
        finally:
            self._server.close()

    def _step(self) -> bool:
        """Wait for something to happen and deal with it. Returns False at the end."""
        if self._restore_at_s is not None and time.monotonic() >= self._restore_at_s:
            self._restore()
        self._server.work()
        now = time.monotonic()
        timeout = None if self._restore_at_s is None else max(self._restore_at_s - now, 0)
        readable, _, _ = select.select([self._server.fileno(), self._wake_reader], [], [], timeout)
        if self._wake_reader not in readable:
            return True
        os.read(self._wake_reader, 1)
        task = self._tasks.get()
        if task is None:
            return False
        try:
            task.run()
        except HandyError as problem:
            task.problem = problem if isinstance(problem, InsertError) else None
        except error.XError:
            task.problem = InsertError("The clipboard refused.", InsertReason.UNSUPPORTED_DESKTOP)
        finally:
            task.done.set()
        return True

    def _begin(self, offer: Offer, content: Content, wanted: tuple[str, ...]) -> None:
        self._restore_at_s = None
        for selection in wanted:
            held = self._server.owned(selection)
            if held is None:
                self._save(selection)
            elif selection not in self._saved:
                self._saved[selection] = held  # something of ours that was there for good
        self._offer = offer
        try:
            for selection in wanted:
                self._server.own(selection, content)
        except InsertError:
            self._restore()
            raise

    def _save(self, selection: str) -> None:
        self._saved.pop(selection, None)
        try:
            self._saved[selection] = snapshot(self._server, selection)
        except Unknown:
            logger.debug("the owner of %s does not answer; it will not come back", selection)

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
