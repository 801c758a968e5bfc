"""What Windows tells when a microphone comes, goes or becomes the default (IMMNotificationClient).

    threads of Windows: _Client --endpoint--> inbox --> thread "microphone-hotplug" --> on_change

A method that Windows calls may not wait for anything, and not ask either: it puts the endpoint's id into the
inbox. The thread asks whether that endpoint records; speakers come and go too, as screens do when they sleep.

Source: "Device Events" and mmdeviceapi.h, https://learn.microsoft.com/windows/win32/coreaudio/; places in the
tables of functions are in the header's order.
"""

from __future__ import annotations

import ctypes
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from handy_qwen.audio import com
from handy_qwen.runtime.worker import WatchedThread

logger = logging.getLogger(__name__)

READY_S = 1.0
ENUMERATOR_CLASS = "{BCDE0395-E52F-467C-8E3D-C4579291692E}"
ENUMERATOR = "{A95664D2-9614-4F35-A746-DE8DB63617E6}"  # IMMDeviceEnumerator
ENDPOINT = "{1BE09788-6894-4089-8586-9A2A6C265AC5}"  # IMMEndpoint
CLIENT = "{7991EEC9-7E89-4D85-8390-6C703CEC60C0}"  # IMMNotificationClient
GET_DEVICE, REGISTER, UNREGISTER, GET_FLOW = 5, 6, 7, 3
CAPTURE, MULTIMEDIA = 1, 1
"""Of EDataFlow and ERole: PortAudio's default is that for multimedia."""
_A_MICROPHONE = ""  # in place of an id: it is one for sure


class _PropertyKey(ctypes.Structure):  # PROPERTYKEY
    _fields_ = (("format", ctypes.c_byte * 16), ("number", ctypes.c_uint32))


class _Client(com.Own):
    """Puts the endpoints of which Windows tells into ``inbox``."""

    def __init__(self, inbox: queue.SimpleQueue[str | None]) -> None:
        def tell(_this: int, endpoint: str | None, *_: Any) -> int:  # noqa: ANN401  a state, or nothing
            inbox.put(endpoint or _A_MICROPHONE)
            return 0

        def tell_default(_this: int, flow: int, role: int, _endpoint: str | None) -> int:
            if (flow, role) == (CAPTURE, MULTIMEDIA):
                inbox.put(_A_MICROPHONE)
            return 0

        def ignore(*_: Any) -> int:  # noqa: ANN401  properties change all the time: volume, peaks
            return 0

        method = (ctypes.c_long, ctypes.c_void_p)
        come_or_gone = com.FUNCTION(*method, ctypes.c_wchar_p)(tell)
        super().__init__(
            CLIENT,
            com.FUNCTION(*method, ctypes.c_wchar_p, ctypes.c_uint32)(tell),  # OnDeviceStateChanged
            come_or_gone,  # OnDeviceAdded
            come_or_gone,  # OnDeviceRemoved
            com.FUNCTION(*method, ctypes.c_int, ctypes.c_int, ctypes.c_wchar_p)(tell_default),
            com.FUNCTION(*method, ctypes.c_wchar_p, _PropertyKey)(ignore),
        )


class Subscription:
    """Calls ``on_change``, on its thread, when a microphone comes or goes, or another is the default.

    Where Windows refuses to tell, it never does.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._inbox: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # None: the end
        self._client = _Client(self._inbox)
        self._is_ready = threading.Event()
        self.thread = WatchedThread(
            "microphone-hotplug", self._run, on_change
        )  # revived: something was missed

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
        com.join_apartment()
        with com.Objects() as objects:
            try:
                enumerator = objects.make(ENUMERATOR_CLASS, ENUMERATOR)
                com.call(enumerator, REGISTER, self._client.pointer)
            except OSError as exc:
                logger.info("Windows does not tell of microphones: %s", exc)
                self.thread.may_end()
                return
            finally:
                self._is_ready.set()
            objects.callback(com.call, enumerator, UNREGISTER, self._client.pointer)
            while (endpoint := self._inbox.get()) is not None:
                self.thread.begin()
                if endpoint == _A_MICROPHONE or _may_record(enumerator, endpoint):
                    self._on_change()
                self.thread.end()


def _may_record(enumerator: Any, endpoint: str) -> bool:  # noqa: ANN401  of ctypes
    """Whether an endpoint is a microphone; yes also if it is gone for good, so that nobody knows."""
    flow = ctypes.c_int()
    try:
        with com.Objects() as objects:
            device = objects.get(enumerator, GET_DEVICE, endpoint)
            com.call(objects.get(device, com.QUERY, com.guid(ENDPOINT)), GET_FLOW, ctypes.byref(flow))
    except OSError as exc:
        logger.debug("an endpoint is not known any more: %s", exc)
        return True
    return flow.value == CAPTURE
