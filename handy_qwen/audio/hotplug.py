"""Notices that microphones were connected or removed, or that the default has changed.

    a thread of the system --notification--> inbox of the thread "microphone-hotplug" --> on_change

The system's callbacks must neither wait nor query anything: they only put notifications into the inbox.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Protocol

from handy_qwen.runtime.worker import Worker

logger = logging.getLogger(__name__)

THREAD = "microphone-hotplug"  # the one that hears of changes, whoever tells
READY_S = 1.0
Put = Callable[[str], None]


class HotplugBackend(Protocol):
    """The implementation for one system. Called on the subscription's thread."""

    def open(self, put: Put) -> None:
        """Pass notifications to ``put``, on any thread. Raises OSError: the system refuses."""

    def concerns_microphones(self, told: str) -> bool:
        """Whether that notification is about microphones. May query the system."""

    def close(self) -> None:
        """Stop the notifications, if there are any. It may be opened again."""


class SystemSubscription:
    """Calls ``on_change``, on its thread, when microphones or the default one change.

    Where the system refuses notifications, it never does.
    """

    def __init__(self, on_change: Callable[[], None], listener: HotplugBackend) -> None:
        self._on_change = on_change
        self._listener = listener
        self._is_begun = self._is_open = False
        self._is_ready = threading.Event()
        self.thread = Worker(THREAD, on_revive=self._revive)

    @property
    def is_alive(self) -> bool:
        """Whether changes are reported."""
        return self._is_open and self.thread.is_alive()

    def begin(self) -> None:
        """Start, unless it was started. Blocks for at most ``READY_S``; after that changes may be missed."""
        if not self._is_begun:
            self._is_begun = True
            self.thread.do(self._open)
            self.thread.start()
        self._is_ready.wait(READY_S)

    def stop(self, timeout_s: float = 1.0) -> None:
        """End it. Safe to call twice."""
        self.thread.do(self._close)
        self.thread.stop(timeout_s)

    def _revive(self) -> None:
        """The thread died: subscribe again, and report a change, as one may have been missed."""
        self._is_open = False
        self.thread.do(self._open)
        self.thread.do(self._on_change)

    # --- the thread ----------------------------------------------------------------------------------

    def _open(self) -> None:
        self._listener.close()  # the subscription of a thread that died
        try:
            self._listener.open(lambda told: self.thread.do(partial(self._hear, told)))
            self._is_open = True
        except OSError as exc:
            logger.info("the system does not tell of microphones: %s", exc)
        finally:
            if not self._is_open:
                self.thread.stop(0.0)  # ``is_alive`` says so
            self._is_ready.set()

    def _hear(self, told: str) -> None:
        if not self._is_open:
            return
        try:
            has_changed = self._listener.concerns_microphones(told)
        except Exception:
            self._on_change()  # it may have been about microphones
            raise
        if has_changed:
            self._on_change()

    def _close(self) -> None:
        self._is_open = False
        self._listener.close()
