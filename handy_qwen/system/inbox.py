"""Calls for a thread that waits in a loop of its own: in ``select``, or for messages of Windows."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from handy_qwen.errors import HandyError

Result = TypeVar("Result")


class Inbox:
    """Calls for one thread, whose wait ``wake`` ends, for it to call ``run``. All else is for any thread."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._lock = threading.Lock()
        self._error: Exception | None = None

    @property
    def is_over(self) -> bool:
        """Whether the thread ends, and what is put in is rejected."""
        return self._error is not None

    def put(self, call: Callable[[], Result]) -> Future[Result]:
        """Have ``call`` made on the thread; the future takes what it returns or raises."""
        future: Future[Result] = Future()
        with self._lock:
            if self._error is not None:
                future.set_exception(self._error)
                return future
            self._calls.append((call, future))
        self._wake()
        return future

    def run(self) -> None:
        """Make the calls that wait. HandyErrors go to their futures only, others to the caller as well."""
        while self._calls:
            call, future = self._calls.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except HandyError as exc:
                future.set_exception(exc)
            except Exception as exc:
                future.set_exception(exc)
                if self._calls:
                    self._wake()  # for those behind it
                raise  # perhaps nobody looks at the future; the thread must know

    def reject(self, error: Exception) -> None:
        """Accept nothing more; ``error`` is the answer to whatever waits, and to what is put in later."""
        with self._lock:
            self._error = error
        while self._calls:
            _, future = self._calls.popleft()
            if future.set_running_or_notify_cancel():
                future.set_exception(error)


class SelectableInbox(Inbox):
    """An inbox for a thread that waits in ``select``: ``fileno()`` is readable while calls wait."""

    def __init__(self) -> None:
        super().__init__(self._write)
        self._reader, self._writer = os.pipe()
        self._is_closed = False
        if sys.platform != "win32":  # where ``select`` takes no pipes, and nobody makes one of these
            for end in (self._reader, self._writer):
                os.set_blocking(end, False)

    def fileno(self) -> int:
        """For ``select``."""
        return self._reader

    def run(self) -> None:
        """See ``Inbox``."""
        with self._lock, contextlib.suppress(BlockingIOError):  # empty
            while not self._is_closed and os.read(self._reader, 4096):
                pass
        super().run()

    def close(self) -> None:
        """Release the pipe. Safe to call twice."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                os.close(self._reader)
                os.close(self._writer)

    def _write(self) -> None:
        with (
            self._lock,
            contextlib.suppress(BlockingIOError),
        ):  # full: the thread has not looked yet, and will
            if not self._is_closed:
                os.write(self._writer, b"\0")
