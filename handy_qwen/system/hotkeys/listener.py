"""The thread of a listener that waits in ``select``, and the inbox through which it gets its commands."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future

from handy_qwen.core.events import HotkeysDied, HotkeysFailed
from handy_qwen.core.types import Post
from handy_qwen.errors import HandyError
from handy_qwen.runtime.worker import WatchedThread

logger = logging.getLogger(__name__)


class Inbox:
    """Commands for one thread, which selects on ``fileno()`` and calls ``run`` when that is readable.

    All methods but ``run`` may be called from any thread.
    """

    def __init__(self) -> None:
        self._commands: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._lock = threading.Lock()
        self._is_closed = False
        self.is_over = False  # the thread ends: what is put in is cancelled
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        """Readable while there is something to run."""
        return self._reader

    def put(self, command: Callable[[], None]) -> Future[None]:
        """Have ``command`` called on the thread; the future takes what it raises. Cancelled if closed."""
        future: Future[None] = Future()
        with self._lock:
            if self._is_closed or self.is_over:
                future.cancel()
                return future
            self._commands.append((command, future))
            self._wake()
        return future

    def run(self) -> None:
        """Do what has been put in. Its HandyErrors go to its future, others to the caller too."""
        with self._lock:
            if not self._is_closed:
                self._drain()
        while self._commands:
            command, future = self._commands.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                command()
            except HandyError as exc:
                future.set_exception(exc)
            except Exception as exc:
                future.set_exception(exc)
                raise  # perhaps nobody looks at the future; the thread must know
            else:
                future.set_result(None)

    def reject(self, error: Exception) -> None:
        """Take nothing more, and answer whatever waits with ``error`` instead of doing it."""
        with self._lock:
            self.is_over = True
        while self._commands:
            _, future = self._commands.popleft()
            if future.set_running_or_notify_cancel():
                future.set_exception(error)

    def close(self) -> None:
        """Take nothing more and give the pipe back. Safe to call twice."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                os.close(self._reader)
                os.close(self._writer)

    def _wake(self) -> None:
        try:
            os.write(self._writer, b"\0")
        except BlockingIOError:
            return  # the pipe is full: the thread has not looked yet, and will

    def _drain(self) -> None:
        try:
            while os.read(self._reader, 4096):
                pass
        except BlockingIOError:
            return  # empty, as it should be


class ListenerThread:
    """The thread ``hotkeys`` of a listener that waits in ``select``: starts it, hands it commands, ends it.

    Threads: ``_serve`` and ``_disconnect`` run on the thread; the other methods are for any.
    """

    def __init__(self, post: Post) -> None:
        self._post = post
        self._inbox: Inbox | None = None
        self._thread: WatchedThread | None = None

    def stop(self) -> None:
        """Stop listening and give every key back. Safe to call twice."""
        thread, self._thread = self._thread, None
        inbox, self._inbox = self._inbox, None
        if thread is not None and inbox is not None:
            thread.may_end()
            inbox.put(lambda: None)  # wakes the thread
            thread.join(5.0)
            inbox.close()

    def has_died(self) -> bool:
        """Whether the thread ended without being told to."""
        thread = self._thread
        return thread is not None and thread.has_died()

    def piece(self) -> int | None:
        """See ``Watched``."""
        thread = self._thread
        return thread.piece() if thread is not None else None

    def own_pieces(self) -> int:
        """See ``Watched``."""
        thread = self._thread
        return thread.own_pieces() if thread is not None else 0

    def revive(self) -> None:
        """See ``HotkeyListener``."""
        self._post(HotkeysDied())

    def _do(self, command: Callable[[], None], wait_s: float, unanswered: HandyError) -> None:
        """Have ``command`` done on the thread, which is started if it is not running.

        Raises:
            HandyError: What ``command`` raised; or ``unanswered``, after ``wait_s``.
        """
        answer = self._running().put(command)
        try:
            answer.result(wait_s)
        except (CancelledError, TimeoutError) as exc:
            answer.cancel()  # or else it may be done after it was said that it cannot be
            raise unanswered from exc

    def _running(self) -> Inbox:
        inbox = self._inbox
        if inbox is not None and not inbox.is_over and self._thread is not None and self._thread.is_alive():
            return inbox
        self.stop()
        inbox = self._inbox = Inbox()
        thread = self._thread = WatchedThread("hotkeys", lambda: self._run(thread, inbox))
        thread.start()
        return inbox

    def _run(self, thread: WatchedThread, inbox: Inbox) -> None:
        failure: HandyError | None = None
        try:
            self._serve(thread, inbox)
        except HandyError as exc:
            failure = exc
        except Exception:
            logger.exception("the thread of the hotkeys failed")
            failure = HandyError("The hotkeys stopped working.", "Start the program again.")
        finally:
            self._disconnect()
            # First: whoever hears of the failure may start again at once, and must not get this inbox.
            inbox.reject(failure or HandyError("The hotkeys stopped working."))
        if failure is not None:
            self._post(HotkeysFailed(failure))

    def _serve(self, thread: WatchedThread, inbox: Inbox) -> None:
        """Run the inbox and listen, until the thread is to end.

        Raises:
            HandyError: Nothing can be listened for any more.
        """
        raise NotImplementedError

    def _disconnect(self) -> None:
        """Give back what ``_serve`` has opened."""
        raise NotImplementedError
