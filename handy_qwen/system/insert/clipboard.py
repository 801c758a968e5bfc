"""The interface of the clipboards that a paste borrows, and the thread that serves those we own.

    offer: own, with the saved content -> (chord is pressed) -> a program fetches the text -> the saved
           content is restored, if the text is still ours to replace

"Restored" means that we continue to serve it.
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

ANSWER_S = 5.0  # limit for the clipboard's thread to execute a call
ASK_AGAIN_S = 0.05
CLOSE_S = 3.0  # for the thread to end

Focus = TypeVar("Focus")  # what a back end knows about the window that gets the keys


class Clipboards(ABC, Generic[Focus]):
    """The clipboards of one system. Used on the inserter's thread; ``keep`` may be called on any.

    Attributes:
        thread: Serves them, if they need one; for the watchdog.
        tells_fetches: Whether the system reports that the text was fetched.
        keeps_focus: Whether the window keeps the focus during their use.
    """

    thread: WatchedThread | None = None
    tells_fetches: ClassVar = True
    keeps_focus: ClassVar = True

    @abstractmethod
    def save(self, deadline: Deadline, focus: Focus | None, *, is_lent: bool) -> None:
        """Save the content. If our own text is still there to be replaced (``is_lent``), that is not content.

        ``focus`` is None if it is saved in advance. Raises InsertError: CLIPBOARD_IN_USE: it cannot be read,
        or not in time.
        """

    @abstractmethod
    def offer(self, text: str, focus: Focus) -> None:
        """Put ``text`` there, for ``focus``, until ``restore``. Raises InsertError: impossible."""

    def arm(self) -> None:
        """The chord is about to be pressed: from now on, a fetch is the window's."""

    @abstractmethod
    def is_fetched(self, wait_s: float) -> bool:
        """Wait until the window has fetched the text; False: not in time. True if the system cannot tell."""

    @abstractmethod
    def is_ours(self) -> bool:
        """Whether nothing was copied since our text was offered, as far as is known."""

    @abstractmethod
    def restore(self) -> None:
        """Restore the saved content, unless our text was replaced. Raises InsertError: in use; try again."""

    @abstractmethod
    def keep(self, text: str) -> None:
        """Leave ``text`` there for good, marked as private. Raises InsertError: in use."""

    def close(self) -> None:
        """Release everything."""


# --- owned by a thread of this program -------------------------------------------------------------------


@dataclass
class Offer:
    """A text offered for one paste, to the program of the window ``reader``; 0: to any."""

    reader: int = 0
    is_armed: bool = False  # before, no fetch counts
    is_fetched: bool = False
    is_lost: bool = False  # another program owns the clipboard now, or we can no longer serve it
    settled: threading.Event = field(default_factory=threading.Event)  # fetched or lost


class ClipboardServer(ABC):
    """Owns the clipboards of a display. Subclasses implement the protocol.

    Attributes:
        thread: For the watchdog.

    Raises:
        InsertError: The display cannot be reached, or has no such clipboards.

    Threads: only ``clipboard`` uses the connection; the public methods pass it calls and may be called from
    any thread. If it dies, waiting callers get an error, and the watchdog restarts it with a new connection.
    """

    LOST: ClassVar[tuple[type[Exception], ...]]  # what a broken connection raises

    def __init__(self) -> None:
        self._inbox = SelectableInbox()
        self._connect()
        self.thread = WatchedThread("clipboard", self._run, on_revive=self._connect)
        self.thread.start()

    def _connect(self) -> None:
        """Connect, owning nothing; what an earlier connection owned is lost. Not on the thread."""
        self._offer: Offer | None = None
        self._open()
        if self._inbox.is_over:  # only now: callers would wait for an inbox that no thread serves
            self._inbox.close()
            self._inbox = SelectableInbox()

    # --- any thread --------------------------------------------------------------------------------

    def withdraw(self, offer: Offer) -> None:
        """Restore the saved content, if the text of ``offer`` is still ours to replace."""
        self._do(lambda: self._restore() if self._offer is offer else None)

    def leave(self, offer: Offer) -> None:
        """Keep the text of ``offer`` for good; if the user copied since, restore PRIMARY as well."""

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
        """Restore what is due, hand over what is still ours, end the thread."""
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
        """Execute the queued calls."""
        try:
            self._inbox.run()
        except Exception as problem:  # also raised for the caller
            logger.error("the clipboard failed: %s", described(problem))  # noqa: TRY400 (see there)

    def _lose_offer(self) -> None:
        if self._offer is not None:
            self._offer.is_lost = True
            self._offer.settled.set()

    @abstractmethod
    def _open(self) -> None:
        """Connect. Raises InsertError: impossible. Not on the thread."""

    @abstractmethod
    def _guarded(self) -> AbstractContextManager[None]:
        """Turn the display's exceptions into InsertError."""

    @abstractmethod
    def _step(self) -> None:
        """Wait for events or calls, and process them."""

    @abstractmethod
    def _keep(self, text: str) -> None:
        """Own CLIPBOARD with ``text``, without restoring anything later."""

    @abstractmethod
    def _restore(self) -> None:
        """Restore the saved content unless ours was replaced, and forget it."""

    @abstractmethod
    def _forget(self) -> None:
        """Drop the saved content."""

    @abstractmethod
    def _hand_over(self) -> None:
        """See to it that our content outlives the thread."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Release everything."""


class ServedClipboards(Clipboards[Focus]):
    """The clipboards that ``server`` owns. Subclasses implement ``save`` and ``offer``."""

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
            except InsertError as problem:  # the chord was sent all the same
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
    """Run ``call`` on the clipboard's thread and return its result. Raises InsertError: failed, or too slow.

    A call that has not begun in time is canceled. Without ``deadline`` the limit is ``ANSWER_S``.
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
    """An exception for the log: its type and place, without the message, which may quote the clipboard."""
    return type(problem).__name__ + "\n" + "".join(traceback.format_tb(problem.__traceback__))
