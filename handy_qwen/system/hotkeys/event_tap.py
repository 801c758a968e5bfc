"""Shows the keys and clicks of macOS to a function, on a thread of its own.

pynput could do that, but its listener for keys asks for the keyboard layout and makes NSEvents of media keys
and Caps Lock, which macOS lets only the main thread do: beside Qt that ends the process (pynput issue 511).

Not run on macOS: written from CGEvent.h, CFMachPort.h, CFRunLoop.h and PyObjC's metadata.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from handy_qwen.runtime.worker import WatchedThread

logger = logging.getLogger(__name__)

STOP_S = 2.0  # for the thread to end; nothing is shown to it any more

OnEvent = Callable[[int, Any], Any]
"""Takes the kind of an event and the event; returns the event, or None to keep it from all programs."""


class EventTap:
    """A tap for the events of some ``kinds``; one that cannot keep them back delays nobody.

    The system waits for ``on_event`` and disables a tap that answers late, which is an event as well.

    Threads: ``on_event`` is called on the tap's own, which has to run a loop of the system's.

    Attributes:
        thread: For the watchdog.
    """

    def __init__(self, quartz: Any, kinds: Iterable[int], on_event: OnEvent, *, can_keep: bool) -> None:  # noqa: ANN401 (pyobjc has no types)
        self._quartz, self._on_event = quartz, on_event
        self._mask = sum(1 << kind for kind in kinds)
        self._can_keep = can_keep
        self._tap: Any = None
        self._loop: Any = None  # of the thread, once it listens
        self._is_ready = threading.Event()
        self.thread = WatchedThread("hotkeys-tap", self._run)

    def start(self) -> bool:
        """Listen from now on; False if the system makes no tap, or takes it away at once."""
        quartz = self._quartz
        option = quartz.kCGEventTapOptionDefault if self._can_keep else quartz.kCGEventTapOptionListenOnly
        self._tap = quartz.CGEventTapCreate(
            quartz.kCGSessionEventTap, quartz.kCGHeadInsertEventTap, option, self._mask, self._hear, None
        )
        if self._tap is None:
            return False
        self.thread.start()
        self._is_ready.wait()
        if self._loop is None:
            self.stop()  # a tap that nobody listens to has all programs wait
            return False
        return True

    def stop(self) -> None:
        """Listen no more. Not on the tap's own thread. Safe to call twice."""
        if self._tap is not None:
            self._quartz.CFMachPortInvalidate(self._tap)  # which leaves the loop nothing to wait for
            if self._loop is not None:
                self._quartz.CFRunLoopStop(self._loop)
            self.thread.may_end()
            self.thread.join(STOP_S)

    def is_alive(self) -> bool:
        """Whether it listens."""
        return self.thread.is_alive()

    def _run(self) -> None:
        quartz = self._quartz
        try:
            source = quartz.CFMachPortCreateRunLoopSource(None, self._tap, 0)
            if source is None:  # the port is not valid any more
                return
            loop = quartz.CFRunLoopGetCurrent()
            quartz.CFRunLoopAddSource(loop, source, quartz.kCFRunLoopCommonModes)
            quartz.CGEventTapEnable(self._tap, True)
            self._loop = loop
        finally:
            self._is_ready.set()  # start waits for it, whatever has failed
        quartz.CFRunLoopRun()

    def _hear(self, _proxy: Any, kind: int, event: Any, _info: Any) -> Any:  # noqa: ANN401 (as above)
        self.thread.begin()
        try:
            return self._on_event(kind, event)
        except Exception:  # the top of Python's part: an exception that goes on ends the process
            logger.exception("an event of the keyboard or mouse was not understood")
            return event
        finally:
            self.thread.end()
