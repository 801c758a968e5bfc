"""Windows' notifications of connected, removed or new default microphones: a backend of hotplug.py.

Source: "Device Events" and mmdeviceapi.h, https://learn.microsoft.com/windows/win32/coreaudio/; indexes of
methods follow the header.
"""

from __future__ import annotations

import ctypes
import logging
from typing import Any

from handy_qwen.audio import com
from handy_qwen.audio.hotplug import Put

logger = logging.getLogger(__name__)

ENUMERATOR_CLASS = "{BCDE0395-E52F-467C-8E3D-C4579291692E}"
ENUMERATOR = "{A95664D2-9614-4F35-A746-DE8DB63617E6}"  # IMMDeviceEnumerator
ENDPOINT = "{1BE09788-6894-4089-8586-9A2A6C265AC5}"  # IMMEndpoint
CLIENT = "{7991EEC9-7E89-4D85-8390-6C703CEC60C0}"  # IMMNotificationClient
GET_DEVICE, REGISTER, UNREGISTER, GET_FLOW = 5, 6, 7, 3
CAPTURE, MULTIMEDIA = 1, 1
"""Values of EDataFlow and ERole: PortAudio's default is the multimedia one."""
_A_MICROPHONE = ""  # in place of an id: it is certainly one


class _PropertyKey(ctypes.Structure):  # PROPERTYKEY
    _fields_ = (("format", ctypes.c_byte * 16), ("number", ctypes.c_uint32))


class _Client(com.Own):
    """Passes the endpoints of Windows' notifications to ``put`` (IMMNotificationClient)."""

    def __init__(self, put: Put) -> None:
        def tell(_this: int, endpoint: str | None, *_: Any) -> int:  # noqa: ANN401  a state, or nothing
            put(endpoint or _A_MICROPHONE)
            return 0

        def tell_default(_this: int, flow: int, role: int, _endpoint: str | None) -> int:
            if (flow, role) == (CAPTURE, MULTIMEDIA):
                put(_A_MICROPHONE)
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


class Endpoints:
    """Implements ``HotplugBackend``. Reports speakers, too: screens come and go when they sleep."""

    def __init__(self) -> None:
        self._objects = com.Objects()
        self._enumerator: Any = None
        self._client: _Client | None = None

    def open(self, put: Put) -> None:
        """See ``HotplugBackend``."""
        com.join_apartment()
        client = self._client = _Client(put)
        with com.Objects() as objects:
            self._enumerator = objects.make(ENUMERATOR_CLASS, ENUMERATOR)
            com.call(self._enumerator, REGISTER, client.pointer)
            objects.callback(com.call, self._enumerator, UNREGISTER, client.pointer)
            self._objects = objects.pop_all()

    def concerns_microphones(self, told: str) -> bool:
        """See ``HotplugBackend``. Also true for an endpoint that is gone, since its kind is unknown."""
        if told == _A_MICROPHONE:
            return True
        flow = ctypes.c_int()
        try:
            with com.Objects() as objects:
                device = objects.get(self._enumerator, GET_DEVICE, told)
                endpoint = objects.get(device, com.QUERY, com.guid(ENDPOINT))
                com.call(endpoint, GET_FLOW, ctypes.byref(flow))
        except OSError as exc:
            logger.debug("an endpoint is not known any more: %s", exc)
            return True
        return flow.value == CAPTURE

    def close(self) -> None:
        """See ``HotplugBackend``."""
        self._objects.close()
