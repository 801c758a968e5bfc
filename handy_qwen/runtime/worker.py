"""Threads visible to the watchdog: whether one died, is stuck or spins, and how it restarts.

``Worker`` is the usual one: an inbox of calls, executed in order. A thread that waits for something else (a
socket, the X server, a key) is a ``WatchedThread`` and reports itself when it works. It gets calls through an
``Inbox``, or a ``SelectableInbox`` if it waits in ``select``. ``Ending`` shuts many parts down in parallel:
none delays or prevents the end of another.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from handy_qwen.errors import UNEXPECTED, HandyError
from handy_qwen.message import Message

logger = logging.getLogger(__name__)

LEAVE_S = 2.0  # for a spinning one to finish its piece of work

Call = Callable[[], None]
Close = Callable[[float], object]
"""Ends a part, waiting for at most this many seconds."""
Result = TypeVar("Result")


class WatchedThread:
    """A thread as the watchdog sees it; implements ``core.ports.Watched``.

    It reads no clock. The watchdog sees that the same piece of work takes too long, or that the thread starts
    more unasked pieces than any timer would: it spins.

    ``run`` is its main function: when that returns, the thread ends. ``on_revive`` cleans up after its death,
    before it restarts.

    Threads: ``begin`` and ``end`` belong to the thread itself, ``start`` and ``join`` to its owner,
    ``revive`` to the watchdog. Any thread may read.
    """

    def __init__(self, name: str, run: Call, on_revive: Call | None = None) -> None:
        self.name = name
        self._run = run
        self._on_revive = on_revive
        self._count = 0
        self._own_count = 0
        self._leaving: threading.Thread | None = None  # ends after its current piece of work
        self._piece: int | None = None
        self._is_ending = False
        self._starting = threading.Lock()
        self._thread = self._new_thread()

    # --- for its owner -------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, unless it was started before. Any thread."""
        with self._starting:
            if not self._was_started():
                self._thread.start()

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def is_current(self) -> bool:
        """Whether it is the calling thread."""
        return self._thread is threading.current_thread()

    def is_ending(self) -> bool:
        """Whether it was asked to end."""
        return self._is_ending

    def may_end(self) -> None:
        """From now on its end is expected."""
        self._is_ending = True

    def join(self, timeout_s: float) -> None:
        """Wait for its end; returns at once if it was never started or is the calling thread."""
        if self._thread.is_alive() and not self.is_current():
            self._thread.join(timeout_s)

    def begin(self, *, is_own: bool = False) -> None:
        """A piece of work begins, or its next step. ``is_own``: unasked, as for a timer."""
        self._count += 1
        self._own_count += is_own
        self._piece = self._count

    def end(self) -> None:
        """The thread waits for more.

        SystemExit: it was replaced by another thread. Raised here and nowhere else, so that calls taken from
        an inbox were executed.
        """
        self._piece = None
        if self._leaving is threading.current_thread():
            raise SystemExit

    # --- for the watchdog ----------------------------------------------------------------------------

    def has_died(self) -> bool:
        """Whether it ended unexpectedly."""
        return self._was_started() and not self._thread.is_alive() and not self._is_ending

    def piece(self) -> int | None:
        """The number of the current piece of work; None while it waits."""
        return self._piece

    def own_pieces(self) -> int:
        """How many pieces of work it has started unasked."""
        return self._own_count

    def revive(self) -> None:
        """Restart it without the call that killed it; HandyError if it still runs, or no thread can start."""
        if self.is_alive():
            self._leaving = self._thread
            self._thread.join(LEAVE_S)
            if self.is_alive():
                self._leaving = None
                raise HandyError(Message("The thread {name} does not end.", name=self.name))
        if self._is_ending:
            return
        self._piece = None
        if self._on_revive is not None:
            self._on_revive()
        with self._starting:  # a simultaneous start would start the same thread twice
            dead, self._thread = self._thread, self._new_thread()
            try:
                self._thread.start()
            except RuntimeError as exc:
                self._thread = dead  # it still counts as dead
                raise HandyError(Message("The thread {name} cannot be started.", name=self.name)) from exc

    def _was_started(self) -> bool:
        return self._thread.ident is not None

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name=self.name, daemon=True)


class Worker(WatchedThread):
    """A thread with an inbox of calls, and a routine for when none has come for a while.

    ``routine`` is called when no call has come for ``pause_s``, evaluated before each wait (None: never), and
    ``after`` after each call and routine. ``on_error`` gets their errors, worded for the user; unexpected
    ones are also logged, and without ``on_error`` all are. If it ``is_lazy``, the first call starts the
    thread.

    Threads: ``do`` and ``stop`` may be called from any; the calls and all functions passed in run on the
    thread ``name``.
    """

    def __init__(
        self,
        name: str,
        *,
        routine: Call = lambda: None,
        pause_s: Callable[[], float | None] = lambda: None,
        after: Call = lambda: None,
        on_error: Callable[[HandyError], None] | None = None,
        on_revive: Call | None = None,
        is_lazy: bool = False,
    ) -> None:
        super().__init__(name, self._work, on_revive)
        self._routine, self._pause_s, self._after = routine, pause_s, after
        self._on_error = on_error
        self._is_lazy = is_lazy
        self._inbox: queue.SimpleQueue[Call | None] = queue.SimpleQueue()

    def do(self, call: Call) -> None:
        """Queue ``call``. Any thread; never blocks. RuntimeError: no thread for a lazy worker."""
        if self._is_lazy:
            self.start()
        self._inbox.put(call)

    def is_idle(self) -> bool:
        """Whether no call waits; one may be running. Any thread."""
        return self._inbox.empty()

    def stop(self, timeout_s: float) -> None:
        """End the thread after the calls already queued, and wait for that. Safe to call twice."""
        self.may_end()
        self._inbox.put(None)
        self.join(timeout_s)

    def run_pending(self) -> None:
        """Execute what is queued or due, and what follows from it, on the calling thread. For tests."""
        while not self._inbox.empty() or ((pause_s := self._pause_s()) is not None and pause_s <= 0):
            self._turn()

    def _work(self) -> None:
        while self._turn():
            pass

    def _turn(self) -> bool:
        """Execute the next call, or the routine. False: the end."""
        try:
            call = self._inbox.get(timeout=self._pause_s())
        except queue.Empty:
            call = self._routine
        if call is None:
            return False
        self.begin(is_own=call is self._routine)
        self._try(call)
        self._try(self._after)
        del call  # while the thread waits, nothing may keep objects of the call alive
        self.end()
        return True

    def _try(self, call: Call) -> None:
        try:
            call()
        except Exception as exc:  # top level of this thread
            is_foreseen = isinstance(exc, HandyError)
            if not is_foreseen or self._on_error is None:
                logger.exception("a call on the thread %s failed", self.name)
            if self._on_error is not None:
                self._on_error(exc if isinstance(exc, HandyError) else HandyError(*UNEXPECTED))


class Inbox:
    """Calls for a thread with its own loop, which waits in ``select``, or for Windows messages.

    ``wake`` interrupts its wait, so that it calls ``run``. The rest is for any thread.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._lock = threading.Lock()
        self._error: Exception | None = None

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended, so that calls are rejected."""
        return self._error is not None

    def put(self, call: Callable[[], Result]) -> Future[Result]:
        """Queue ``call``; the future gets its result or error."""
        future: Future[Result] = Future()
        with self._lock:
            if self._error is not None:
                future.set_exception(self._error)
                return future
            self._calls.append((call, future))
        self._wake()
        return future

    def run(self) -> None:
        """Execute the queued calls. HandyErrors go to their futures only, others to the caller as well."""
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
                    self._wake()  # for the remaining ones
                raise  # perhaps nobody reads the future; the thread must know

    def reject(self, error: Exception) -> None:
        """Accept nothing more; ``error`` answers all waiting and later calls."""
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
        if sys.platform != "win32":  # where ``select`` does not support pipes, and this class is not used
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


class Threaded(Protocol):
    """An object with its own worker."""

    thread: Worker


Owner = TypeVar("Owner", bound=Threaded)
Arguments = ParamSpec("Arguments")


def queued(
    method: Callable[Concatenate[Owner, Arguments], None],
) -> Callable[Concatenate[Owner, Arguments], None]:
    """Decorator: the method is queued for its object's ``thread``. Any thread; returns at once."""

    @wraps(method)
    def ask(owner: Owner, /, *args: Arguments.args, **named: Arguments.kwargs) -> None:
        owner.thread.do(partial(method, owner, *args, **named))

    return ask


def in_order(*steps: Callable[[], object]) -> None:
    """Run ``steps`` in order, even if some fail."""
    for step in steps:
        try:
            step()
        except Exception:  # the others must run as well
            logger.exception("a part of the program did not end in order")


class Ending:
    """Shutdown: parts are ended in parallel, within a common time limit.

    Args:
        within_s: The limit for all of it.
    """

    def __init__(self, within_s: float) -> None:
        self._until_s = time.monotonic() + within_s
        self._threads: list[threading.Thread] = []  # one per part

    def left_s(self) -> float:
        """The time that is left."""
        return max(0.0, self._until_s - time.monotonic())

    def begin(self, parts: Mapping[str, Close]) -> Sequence[threading.Thread]:
        """End ``parts``, each on its own thread if possible. Returns the threads, for ``wait``."""
        begun = [
            threading.Thread(target=self._end, args=(close,), name=f"end-{name}", daemon=True)
            for name, close in parts.items()
        ]
        self._threads += begun
        for thread, close in zip(begun, parts.values(), strict=True):
            try:
                thread.start()
            except RuntimeError:  # the system allows no more threads: end it here
                self._end(close)
        return begun

    def wait(self, threads: Sequence[threading.Thread], within_s: float) -> None:
        """Wait for ``threads``, at most ``within_s`` and at most the time left."""
        until_s = min(time.monotonic() + within_s, self._until_s)
        for thread in [one for one in threads if one.is_alive()]:
            thread.join(max(0.0, until_s - time.monotonic()))

    def leave(self) -> None:
        """Wait for all while time is left; the end of the process ends the rest."""
        self.wait(self._threads, self.left_s())
        stuck = [thread.name.removeprefix("end-") for thread in self._threads if thread.is_alive()]
        if stuck:
            logger.warning("did not end in time: %s", ", ".join(stuck))

    def _end(self, close: Close) -> None:
        in_order(lambda: close(self.left_s()))
