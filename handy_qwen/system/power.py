"""When the machine sleeps, wakes, or is unlocked: hotkeys and microphones may have changed then.

    Linux     logind, on the system bus: PrepareForSleep; Unlock and LockedHint of sessions
    Windows   PowerRegisterSuspendResumeNotification, which calls back on a thread of the system
    macOS     NSWorkspace's notifications, on the thread of the event loop

``on_sleep`` may take a moment: the system waits for at least a second.

Sources: https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.login1.html, and the pages of
WM_POWERBROADCAST and PowerRegisterSuspendResumeNotification at learn.microsoft.com.
"""

from __future__ import annotations

import logging
import select
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from handy_qwen.runtime.worker import SelectableInbox, WatchedThread

logger = logging.getLogger(__name__)

RETRY_S = 60.0  # without a system bus, as in a container; or after losing it
DELAY_S = 3.0  # for a call to logind

Call = Callable[[], None]


def power_watch_for(
    on_sleep: Call, on_wake: Call, platform: str = sys.platform
) -> LogindPower | WindowsPower | MacPower:
    """Calls ``on_sleep`` before the machine sleeps, ``on_wake`` afterwards and after an unlock.

    Both on its own thread, or on that of the event loop. ``thread``: the listening thread, if it is ours.
    """
    if platform == "win32":
        return WindowsPower(on_sleep, on_wake)
    if platform == "darwin":
        return MacPower(on_sleep, on_wake)
    return LogindPower(on_sleep, on_wake)


class LogindPower:
    """Listens to logind on the thread ``power``, and delays sleep until ``on_sleep`` has returned.

    ``on_wake`` is called afterwards, and when a session was unlocked: also another user's, which does no
    harm.
    """

    def __init__(self, on_sleep: Call, on_wake: Call, bus: str = "SYSTEM") -> None:
        self._on_sleep, self._on_wake, self._bus = on_sleep, on_wake, bus
        self._inbox = SelectableInbox()
        self._lock: Any = None  # a file descriptor that delays sleep
        self.thread = WatchedThread("power", self._run)

    def start(self) -> None:
        """Start listening."""
        self.thread.start()

    def stop(self, timeout_s: float) -> None:
        """End the thread. Safe to call twice."""
        self.thread.may_end()
        self._inbox.put(lambda: None)
        self.thread.join(timeout_s)
        if not self.thread.is_alive():
            self._inbox.close()

    def _run(self) -> None:
        from handy_qwen.system.portal import BROKEN

        is_told = False
        while not self.thread.is_ending():
            try:
                self._listen()
            except BROKEN as exc:
                logger.log(logging.DEBUG if is_told else logging.INFO, "no logind: %s", type(exc).__name__)
                is_told = True
            self._let_sleep()
            if not self.thread.is_ending():
                select.select([self._inbox], [], [], RETRY_S)
                self._inbox.run()

    def _listen(self) -> None:
        """Listen until the bus is gone (one of ``portal.BROKEN``), or the thread is to end."""
        from collections import deque

        from jeepney import MatchRule, Message, message_bus
        from jeepney.wrappers import unwrap_msg

        from handy_qwen.system.portal import connect

        rules = [
            MatchRule(type="signal", interface=_MANAGER, member="PrepareForSleep"),
            MatchRule(type="signal", interface=_SESSION, member="Unlock"),
            MatchRule(type="signal", interface=_PROPERTIES, member="PropertiesChanged"),
        ]
        rules[2].add_arg_condition(0, _SESSION)
        with connect(self._bus, has_fds=True) as connection:
            signals: deque[Message] = deque(maxlen=256)
            connection.filter(MatchRule(type="signal"), queue=signals)
            for rule in rules:
                unwrap_msg(connection.send_and_get_reply(message_bus.AddMatch(rule), timeout=DELAY_S))
            self._hold_up(connection)
            while not self.thread.is_ending():
                for signal in _received(connection, signals):
                    self.thread.begin()
                    self._obey(signal, connection)
                    self.thread.end()
                select.select([connection.sock, self._inbox], [], [])
                self._inbox.run()

    def _obey(self, signal: Any, connection: Any) -> None:  # noqa: ANN401 (jeepney has no types)
        match _meaning(signal):
            case "sleep":
                logger.info("the machine goes to sleep")
                self._on_sleep()
                self._let_sleep()
            case "wake":
                logger.info("the machine woke up, or was unlocked")
                self._hold_up(connection)
                self._on_wake()

    def _hold_up(self, connection: Any) -> None:  # noqa: ANN401
        """Make logind wait until ``_let_sleep``; its own setting limits that, 5 s by default."""
        from jeepney import DBusAddress, new_method_call
        from jeepney.wrappers import DBusErrorResponse, unwrap_msg

        if self._lock is not None:
            return
        manager = DBusAddress(_PATH, bus_name=_NAME, interface=_MANAGER)
        what = ("sleep", "Handy Qwen", "Ends the recording, so that nothing said is lost.", "delay")
        try:
            reply = connection.send_and_get_reply(
                new_method_call(manager, "Inhibit", "ssss", what), timeout=DELAY_S
            )
            (self._lock,) = unwrap_msg(reply)
        except DBusErrorResponse as exc:  # the signal arrives nevertheless
            logger.info("the sleep cannot be held up: %s", exc.name)

    def _let_sleep(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()


_NAME, _PATH = "org.freedesktop.login1", "/org/freedesktop/login1"
_MANAGER, _SESSION = f"{_NAME}.Manager", f"{_NAME}.Session"
_PROPERTIES = "org.freedesktop.DBus.Properties"


def _received(connection: Any, signals: Any) -> Iterator[Any]:  # noqa: ANN401
    """New signals; any others stay on the socket."""
    try:
        while True:
            connection.recv_messages(timeout=0)
    except TimeoutError:
        pass
    while signals:
        yield signals.popleft()


def _meaning(signal: Any) -> str:  # noqa: ANN401
    """Return "sleep", "wake" or "" for what a signal of logind says."""
    from jeepney import HeaderFields

    member, body = signal.header.fields.get(HeaderFields.member), signal.body
    if member == "PrepareForSleep" and len(body) == 1:
        return "sleep" if body[0] else "wake"
    if member == "Unlock":
        return "wake"
    if member == "PropertiesChanged" and body[0] == _SESSION:
        return "wake" if body[1].get("LockedHint") == ("b", False) else ""
    return ""


class WindowsPower:
    """Called by Windows, on a thread of its own. Unlocking is ignored: hooks survive it."""

    thread = None

    def __init__(self, on_sleep: Call, on_wake: Call) -> None:
        self._calls = {_PBT_APMSUSPEND: on_sleep, _PBT_APMRESUMEAUTOMATIC: on_wake}
        self._handle: Any = None
        self._parameters: Any = None  # which Windows keeps reading

    def start(self) -> None:
        """Register with Windows."""
        import ctypes

        def hear(_context: object, event: int, _setting: object) -> int:
            if event in self._calls:
                self._calls[event]()
            return 0

        kind = ctypes.WINFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p)  # type: ignore[attr-defined,unused-ignore]

        class Parameters(ctypes.Structure):
            _fields_ = (("callback", kind), ("context", ctypes.c_void_p))

        self._parameters, handle = Parameters(kind(hear), None), ctypes.c_void_p()
        error = ctypes.windll.powrprof.PowerRegisterSuspendResumeNotification(  # type: ignore[attr-defined,unused-ignore]
            _DEVICE_NOTIFY_CALLBACK, ctypes.byref(self._parameters), ctypes.byref(handle)
        )
        if error:
            logger.warning("Windows does not tell of sleep: error %d", error)
        else:
            self._handle = handle

    def stop(self, _timeout_s: float) -> None:
        """Stop listening."""
        import ctypes

        handle, self._handle = self._handle, None
        if handle is not None:
            ctypes.windll.powrprof.PowerUnregisterSuspendResumeNotification(handle)  # type: ignore[attr-defined,unused-ignore]


_DEVICE_NOTIFY_CALLBACK = 2
_PBT_APMSUSPEND, _PBT_APMRESUMEAUTOMATIC = 0x4, 0x12


class MacPower:
    """Observes NSWorkspace; the event loop delivers."""

    thread = None

    def __init__(self, on_sleep: Call, on_wake: Call) -> None:
        self._calls = {
            "NSWorkspaceWillSleepNotification": on_sleep,
            "NSWorkspaceDidWakeNotification": on_wake,
            "NSWorkspaceSessionDidBecomeActiveNotification": on_wake,
        }
        self._observers: list[Any] = []

    def start(self) -> None:
        """Start observing."""
        center = _notifications()
        for name, call in self._calls.items():
            observe = center.addObserverForName_object_queue_usingBlock_
            self._observers.append(observe(name, None, None, lambda _note, call=call: call()))

    def stop(self, _timeout_s: float) -> None:
        """Stop observing."""
        center = _notifications()
        while self._observers:
            center.removeObserver_(self._observers.pop())


def _notifications() -> Any:  # noqa: ANN401 (pyobjc's)
    from AppKit import NSWorkspace  # type: ignore[import-not-found,unused-ignore]  # on macOS only

    return NSWorkspace.sharedWorkspace().notificationCenter()


def wait_while(is_true: Callable[[], bool], most_s: float) -> None:
    """Wait until ``is_true`` is False, but no longer than ``most_s``. For ``on_sleep``."""
    end_s = time.monotonic() + most_s
    while is_true() and time.monotonic() < end_s:
        time.sleep(0.02)
