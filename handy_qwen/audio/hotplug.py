"""Notices that microphones were connected or removed, or that the default has changed.

    a thread of the system --notification--> inbox --> thread "microphone-hotplug" --> on_change

The system's callbacks must neither wait nor query anything: they only put notifications into the inbox.
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
    """The implementation for one system. Called on the subscription's thread."""

    def open(self, put: Put) -> None:
        """Pass notifications to ``put``, on any thread. Raises OSError: the system refuses."""

    def concerns_microphones(self, told: str) -> bool:
        """Whether that notification is about microphones. May query the system."""

    def close(self) -> None:
        """Stop the notifications. It may be opened again."""


class Subscription:
    """Calls ``on_change``, on its thread, when microphones or the default one change.

    Where the system refuses notifications, it never does.
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
        """Start, unless it is running. Blocks for at most ``READY_S``; after that changes may be missed."""
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
