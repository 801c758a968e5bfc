"""The contract of the clipboards that a paste borrows, and those that this program owns meanwhile.

    offer: own, knowing what was there -> (chord is pressed) -> a program fetches a text -> what was there
           comes back, if it still is ours to replace

"Comes back" means that we go on serving it.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from handy_qwen.errors import InsertError, InsertReason
from handy_qwen.message import Message
from handy_qwen.runtime.worker import Inbox, Result, SelectableInbox, WatchedThread
from handy_qwen.system.insert.backend import Deadline, unsupported

logger = logging.getLogger(__name__)

ANSWER_S = 5.0  # how long the clipboard's thread may take for what is done at once
ASK_AGAIN_S = 0.05
CLOSE_S = 3.0  # for the thread to end

Focus = TypeVar("Focus")  # what a back end knows about the window that is to get the keys


class Clipboards(ABC, Generic[Focus]):
    """What a paste borrows. For the inserter's thread, but for ``keep``: any.

    Attributes:
        thread: The thread that serves them, for the watchdog, if they have one.
        tells_fetches: Whether it is known when the text was fetched.
        keeps_focus: Whether the window keeps the focus while they are used.
    """

    thread: WatchedThread | None = None
    tells_fetches: ClassVar = True
    keeps_focus: ClassVar = True

    @abstractmethod
    def save(self, deadline: Deadline, focus: Focus | None, *, is_lent: bool) -> None:
        """Take what is there. A text of ours that is still to be replaced (``is_lent``) is no content.

        ``focus`` is None in advance. Raises InsertError: CLIPBOARD_IN_USE: it cannot be had, or not in time.
        """

    @abstractmethod
    def offer(self, text: str, focus: Focus) -> None:
        """Put ``text`` there, for ``focus``, until ``restore``. Raises InsertError: it cannot be done."""

    def arm(self) -> None:
        """The chord is about to be pressed: who fetches from now on is the window."""

    @abstractmethod
    def is_fetched(self, wait_s: float) -> bool:
        """Wait until the window has fetched the text; False: not in time. True where nobody can tell."""

    @abstractmethod
    def is_ours(self) -> bool:
        """Whether nothing has been copied since our text was offered, as far as can be told."""

    @abstractmethod
    def restore(self) -> None:
        """Put back what was saved, where our text still is. Raises InsertError: it is in use; try again."""

    @abstractmethod
    def keep(self, text: str) -> None:
        """Leave ``text`` there for good, marked as private. Raises InsertError: it is in use."""

    def close(self) -> None:
        """Release everything."""


# --- owned on a thread of our own -------------------------------------------------------------------


@dataclass
class Offer:
    """A text offered for one paste, to the program of the window ``reader``; 0: to any."""

    reader: int = 0
    is_armed: bool = False  # before, no fetch counts
    is_fetched: bool = False
    is_lost: bool = False  # another program has taken the clipboard, or we cannot serve it any more
    settled: threading.Event = field(default_factory=threading.Event)  # one or the other


class ClipboardServer(ABC):
    """The clipboards of a display, as far as they are ours. Subclasses say how they are owned.

    Attributes:
        thread: For the watchdog.

    Raises:
        InsertError: The display cannot be reached, or has no such clipboards.

    Threads: ``clipboard`` alone touches the connection; the public methods hand it a task and may be called
    from any thread. If it dies, callers that wait get an error, and the watchdog starts it again with a new
    connection.
    """

    LOST: ClassVar[tuple[type[Exception], ...]]  # what a broken connection raises

    def __init__(self) -> None:
        self._inbox = SelectableInbox()
        self._connect()
        self.thread = WatchedThread("clipboard", self._run, on_revive=self._connect)
        self.thread.start()

    def _connect(self) -> None:
        """Begin with nothing; what was owned on a connection before is lost. Not on the thread."""
        self._offer: Offer | None = None
        self._open()
        if self._inbox.is_over:  # only now: one that no thread empties lets its callers wait
            self._inbox.close()
            self._inbox = SelectableInbox()

    # --- any thread --------------------------------------------------------------------------------

    def withdraw(self, offer: Offer) -> None:
        """Bring back what was there, where it still is ours to replace."""
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
        self._do(lambda: self._keep(text))

    def close(self, timeout_s: float) -> None:
        """Bring back what is still due, hand over what is ours, end the thread."""
        if self.thread.is_ending():
            return
        self.thread.may_end()
        self._inbox.put(lambda: None)  # wakes the thread
        self.thread.join(timeout_s)
        if not self.thread.is_alive():
            self._inbox.close()

    def _do(self, call: Callable[[], Result], deadline: Deadline | None = None) -> Result:
        def guardedly() -> Result:
            with self._guarded():
                return call()

        return ask(self._inbox, guardedly, deadline)

    # --- the thread "clipboard" --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self.thread.is_ending():
                self._step()
            self._restore()
            self._hand_over()
        except self.LOST as problem:
            logger.info("the clipboard is lost: %s", problem)
        except Exception as problem:
            logger.error("the clipboard's thread ended: %s", described(problem))  # noqa: TRY400 (see there)
        finally:
            self._lose_offer()
            self._disconnect()
            self._inbox.reject(unsupported(Message("The clipboard")))

    def _take_calls(self) -> None:
        """Do what was asked for."""
        try:
            self._inbox.run()
        except Exception as problem:  # the caller gets it, too
            logger.error("the clipboard failed: %s", described(problem))  # noqa: TRY400 (see there)

    def _lose_offer(self) -> None:
        if self._offer is not None:
            self._offer.is_lost = True
            self._offer.settled.set()

    @abstractmethod
    def _open(self) -> None:
        """Connect, owning nothing. Raises InsertError: it cannot be done. Not on the thread."""

    @abstractmethod
    def _guarded(self) -> AbstractContextManager[None]:
        """Has what a display raises inside become an InsertError."""

    @abstractmethod
    def _step(self) -> None:
        """Wait for something to happen, and deal with it."""

    @abstractmethod
    def _keep(self, text: str) -> None:
        """Own CLIPBOARD with ``text``; nothing comes back to it."""

    @abstractmethod
    def _restore(self) -> None:
        """Bring back what was there, where ours still is, and forget it."""

    @abstractmethod
    def _forget(self) -> None:
        """What was there does not come back."""

    @abstractmethod
    def _hand_over(self) -> None:
        """Have somebody serve what is ours, because we are about to end."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Release everything."""


class ServedClipboards(Clipboards[Focus]):
    """Those that ``server`` owns. Subclasses say how to save, to offer and to restore."""

    def __init__(self, server: ClipboardServer) -> None:
        self._server = server
        self.thread = server.thread
        self._offered = Offer()  # the last one

    def arm(self) -> None:
        """See ``Clipboards``."""
        self._offered.is_armed = True

    def is_fetched(self, wait_s: float) -> bool:
        """See ``Clipboards``."""
        offer = self._offered
        offer.settled.wait(wait_s)
        if not offer.is_fetched:
            try:
                self._server.leave(offer)
            except InsertError as problem:  # it has been sent all the same
                logger.info("the text did not stay on the clipboard: %s", problem.reason.name)
        return offer.is_fetched

    def is_ours(self) -> bool:
        """See ``Clipboards``."""
        return not self._offered.is_lost

    def restore(self) -> None:
        """See ``Clipboards``."""
        self._server.withdraw(self._offered)

    def keep(self, text: str) -> None:
        """See ``Clipboards``."""
        self._server.copy(text)

    def close(self) -> None:
        """See ``Clipboards``."""
        self._server.close(CLOSE_S)


def ask(inbox: Inbox, call: Callable[[], Result], deadline: Deadline | None = None) -> Result:
    """What ``call`` returns on the clipboard's thread. Raises InsertError: it failed, or took too long.

    What is not done in time is cancelled, and not begun later. Without ``deadline`` it has ``ANSWER_S``.
    """
    future = inbox.put(call)
    end_s = time.monotonic() + ANSWER_S
    while (end_s - time.monotonic() if deadline is None else deadline.left_s()) > 0:
        try:
            return future.result(ASK_AGAIN_S)
        except TimeoutError:
            continue
        except InsertError:
            raise
        except Exception:  # the thread has logged it; its message may quote the clipboard
            raise InsertError(Message("The clipboard refused."), InsertReason.UNSUPPORTED_DESKTOP) from None
    future.cancel()
    raise unsupported(Message("An answering clipboard"))


def described(problem: BaseException) -> str:
    """What went wrong and where, for the log; without the message, which may quote the clipboard."""
    return type(problem).__name__ + "\n" + "".join(traceback.format_tb(problem.__traceback__))
