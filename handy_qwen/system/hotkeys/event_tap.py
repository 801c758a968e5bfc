"""Passes the key and mouse events of macOS to a function, on a thread of its own.

pynput could do that, but its key listener queries the keyboard layout and creates NSEvents of media keys and
Caps Lock, which macOS allows on the main thread only: beside Qt that crashes the process (pynput issue 511).

Not run on macOS: written from CGEvent.h, CFMachPort.h, CFRunLoop.h and PyObjC's metadata.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

logger = logging.getLogger(__name__)

OnEvent = Callable[[int, Any], Any]
"""Takes the type of an event and the event; returns the event, or None to swallow it."""


class EventTap:
    """A tap for some ``kinds`` of events; one that cannot swallow them delays nobody.

    The system waits for ``on_event`` and disables a tap that responds late, which is also an event.

    Threads: ``on_event`` is called on the tap's own.
    """

    def __init__(self, quartz: Any, kinds: Iterable[int], on_event: OnEvent, *, can_keep: bool) -> None:  # noqa: ANN401 (pyobjc has no types)
        self._quartz, self._on_event = quartz, on_event
        self._mask = sum(1 << kind for kind in kinds)
        self._can_keep = can_keep
        self._tap: Any = None
        self._loop: Any = None  # of the thread, while it listens
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hotkeys-tap", daemon=True)

    def start(self) -> bool:
        """Start listening; False if the system refuses the tap, or disables it at once."""
        quartz = self._quartz
        option = quartz.kCGEventTapOptionDefault if self._can_keep else quartz.kCGEventTapOptionListenOnly
        self._tap = quartz.CGEventTapCreate(
            quartz.kCGSessionEventTap, quartz.kCGHeadInsertEventTap, option, self._mask, self._hear, None
        )
        if self._tap is None:
            return False
        self._thread.start()
        self._is_ready.wait()
        if self._loop is None:
            self.stop()  # a tap without a listener would delay all programs
            return False
        return True

    def stop(self) -> None:
        """Stop listening. Not on the tap's own thread. Safe to call twice."""
        if self._tap is not None:
            self._quartz.CFMachPortInvalidate(self._tap)  # ends the loop, as nothing is left to wait for
            if self._loop is not None:
                self._quartz.CFRunLoopStop(self._loop)
            self._thread.join()

    def is_alive(self) -> bool:
        """Whether it listens."""
        return self._thread.is_alive()

    def _run(self) -> None:
        quartz = self._quartz
        try:
            source = quartz.CFMachPortCreateRunLoopSource(None, self._tap, 0)
            if source is None:  # the port is no longer valid
                return
            loop = quartz.CFRunLoopGetCurrent()
            quartz.CFRunLoopAddSource(loop, source, quartz.kCFRunLoopCommonModes)
            quartz.CGEventTapEnable(self._tap, True)
            self._loop = loop
        finally:
            self._is_ready.set()  # start waits for it, even after a failure
        quartz.CFRunLoopRun()

    def _hear(self, _proxy: Any, kind: int, event: Any, _info: Any) -> Any:  # noqa: ANN401 (as above)
        try:
            return self._on_event(kind, event)
        except Exception:  # top level of Python code: an exception beyond it ends the process
            logger.exception("an event of the keyboard or mouse was not understood")
            return event
