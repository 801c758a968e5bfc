"""Tells the system which work the user waits for, and which can be delayed.

    system    while somebody waits (``PerformanceBoost``)            work that can wait (``yield_to_others``)
    Windows   no EcoQoS: ProcessPowerThrottling           THREAD_PRIORITY_LOWEST
    macOS     no App Nap; the thread is user-initiated    the thread is of the class "utility"
    Linux     nothing helps (MODEL.md, Threads)           nice 10, for the thread and those it starts

Linux lets a user lower a priority but not raise it again: hence ``in_background``, which uses a thread for
one piece of work. Nothing here raises an error: it is only an optimization.

Sources: SetProcessInformation and SetThreadPriority at learn.microsoft.com; Apple, "Energy Efficiency Guide
for Mac Apps", and pthread/qos.h; man 2 setpriority.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

NICE = 10
_POWER_THROTTLING, _EXECUTION_SPEED, _LOWEST = 4, 1, -2  # ProcessPowerThrottling, THREAD_PRIORITY_LOWEST
_USER_INITIATED, _UTILITY = 0x19, 0x11  # QOS_CLASS_...
_ACTIVITY = 0x00FFFFFF & ~(1 << 20)  # NSActivityUserInitiatedAllowingIdleSystemSleep

T = TypeVar("T")


class PerformanceBoost:
    """Keeps the system from saving power while the user waits for a text. For one thread: the engine's."""

    def __init__(self) -> None:
        self._activity: Any = None  # on macOS, while the user waits
        self._is_refused = False

    def __call__(self, is_waiting: bool) -> None:
        """Whether the user waits from now on."""
        if self._is_refused:
            return
        try:
            if sys.platform == "win32":
                _throttle(is_waiting)
            elif sys.platform == "darwin":
                self._keep_awake(is_waiting)
        except (OSError, AttributeError, ImportError) as exc:  # an older system, or an emulation
            self._is_refused = True
            logger.info("the system saves power as it likes: %s", type(exc).__name__)

    def _keep_awake(self, is_waiting: bool) -> None:
        from AppKit import NSProcessInfo  # type: ignore[import-not-found,unused-ignore]

        info = NSProcessInfo.processInfo()
        if is_waiting and self._activity is None:
            ctypes.CDLL(None).pthread_set_qos_class_self_np(_USER_INITIATED, 0)
            self._activity = info.beginActivityWithOptions_reason_(_ACTIVITY, "Transcribing")
        elif not is_waiting and self._activity is not None:
            info.endActivity_(self._activity)
            self._activity = None


def _throttle(is_waiting: bool) -> None:
    """Disable Windows' throttling of this process, or leave it to Windows again."""
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        state = (ctypes.c_uint32 * 3)(1, _EXECUTION_SPEED if is_waiting else 0, 0)  # version, control, state
        process = ctypes.c_void_p(kernel.GetCurrentProcess())
        if not kernel.SetProcessInformation(process, _POWER_THROTTLING, state, ctypes.sizeof(state)):
            raise ctypes.WinError(ctypes.get_last_error())


def yield_to_others() -> None:
    """Let the calling thread use only idle processor time. Cannot be undone."""
    try:
        if sys.platform == "win32":
            kernel = ctypes.WinDLL("kernel32", use_last_error=True)
            kernel.GetCurrentThread.restype = ctypes.c_void_p
            kernel.SetThreadPriority(ctypes.c_void_p(kernel.GetCurrentThread()), _LOWEST)
        elif sys.platform == "darwin":
            ctypes.CDLL(None).pthread_set_qos_class_self_np(_UTILITY, 0)
        else:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    except (OSError, AttributeError) as exc:
        logger.info("background work has the usual priority: %s", type(exc).__name__)


def in_background(name: str, work: Callable[[], T]) -> T:
    """Run ``work`` on a low-priority thread ``name``; return its result, or raise its error."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        yield_to_others()
        try:
            results.append(work())
        except BaseException as exc:  # raised below, whatever it is
            errors.append(exc)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
