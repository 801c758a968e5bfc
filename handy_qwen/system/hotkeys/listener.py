"""Hands work over to a thread that waits in ``select``.

The thread selects on ``fileno()`` beside its own sockets and calls ``run`` when it is readable.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from handy_qwen.errors import HandyError


class Inbox:
    """Commands for one thread. All methods but ``run`` may be called from any thread."""

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
