"""Hears from the system that microphones have come or gone, or that another one is the default.

    a thread of the system --what it tells--> inbox --> thread "microphone-hotplug" --> on_change

What the system calls may wait for nothing, and ask nothing: it puts what it is told into the inbox.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Protocol

from handy_qwen.runtime.worker import WatchedThread

logger = logging.getLogger(__name__)

READY_S = 1.0
Put = Callable[[str], None]


class HotplugBackend(Protocol):
    """One system. All is called on the thread of the subscription."""

    def open(self, put: Put) -> None:
        """Have ``put`` called with what is told, on any thread. Raises OSError: the system refuses."""

    def concerns_microphones(self, told: str) -> bool:
        """Whether that means a change of the microphones. May ask the system."""

    def close(self) -> None:
        """Hear no more. It may be opened again."""


class Subscription:
    """Calls ``on_change``, on its thread, when a microphone comes or goes, or another is the default.

    Where the system refuses to tell, it never does.
    """

    def __init__(self, on_change: Callable[[], None], listener: HotplugBackend) -> None:
        self._on_change = on_change
        self._listener = listener
        self._inbox: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # None: the end
        self._is_ready = threading.Event()
        self.thread = WatchedThread(
            "microphone-hotplug", self._run, on_change
        )  # revived: it missed something

    @property
    def is_alive(self) -> bool:
        """Whether changes are reported."""
        return self._is_ready.is_set() and self.thread.is_alive()

    def begin(self) -> None:
        """Begin, unless it has begun. Blocks for ``READY_S`` at most; then changes may be missed."""
        self.thread.start()
        self._is_ready.wait(READY_S)

    def stop(self, timeout_s: float = 1.0) -> None:
        """End it. Safe to call twice."""
        self.thread.may_end()
        self._inbox.put(None)
        self.thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._listener.open(self._inbox.put)
        except OSError as exc:
            logger.info("the system does not tell of microphones: %s", exc)
            self.thread.may_end()
            return
        finally:
            self._is_ready.set()
        try:
            while (told := self._inbox.get()) is not None:
                self.thread.begin()
                if self._listener.concerns_microphones(told):
                    self._on_change()
                self.thread.end()
        finally:
            self._listener.close()
