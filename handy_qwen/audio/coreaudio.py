"""What PortAudio does not report on macOS: Bluetooth headsets, and devices being connected or removed.

PortAudio uses CoreAudio's names, so devices are matched by name.

Source: AudioHardware.h and AudioHardwareBase.h of the macOS SDK, for all constants.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache, partial
from typing import Any

from handy_qwen.audio.hotplug import Put

logger = logging.getLogger(__name__)

_SYSTEM = 1  # kAudioObjectSystemObject
_UTF_8 = 0x08000100  # kCFStringEncodingUTF8
_BLUETOOTH = {b"blue", b"blea"}  # kAudioDeviceTransportTypeBluetooth, …BluetoothLE
_NAME_BYTES = 512


class _Address(ctypes.Structure):
    """AudioObjectPropertyAddress: a property, of input or output, of a channel."""

    _fields_ = (("selector", ctypes.c_uint32), ("scope", ctypes.c_uint32), ("element", ctypes.c_uint32))


_LISTENER = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(_Address), ctypes.c_void_p
)


class DeviceListener:
    """Implements ``HotplugBackend``. CoreAudio reports changes of the device list and the default input."""

    def __init__(self) -> None:
        self._heard = ExitStack()
        self._listener: Any = None  # kept after closing: CoreAudio may be about to call it

    def open(self, put: Put) -> None:
        """See ``HotplugBackend``."""
        libraries = _libraries()
        if libraries is None:
            raise OSError("no CoreAudio")

        def tell(*_: Any) -> int:  # noqa: ANN401
            put("")
            return 0

        listener = self._listener = _LISTENER(tell)
        with ExitStack() as heard:
            for selector in ("dev#", "dIn "):
                about = _SYSTEM, ctypes.byref(_address(selector)), listener, None
                if failed := libraries[0].AudioObjectAddPropertyListener(*about):
                    raise OSError(f"OSStatus {failed}")
                heard.callback(partial(libraries[0].AudioObjectRemovePropertyListener, *about))
            self._heard = heard.pop_all()

    def concerns_microphones(self, _told: str) -> bool:
        """See ``HotplugBackend``. Speakers may have changed the list: the event does not say."""
        return True

    def close(self) -> None:
        """See ``HotplugBackend``."""
        self._heard.close()


def headsets() -> frozenset[str]:
    """The names of the Bluetooth devices that have a microphone."""
    return frozenset(_name(device) for device in _bluetooth() if _size(device, "stm#", "inpt"))


def playing_headsets() -> frozenset[str] | None:
    """The names of the Bluetooth devices that play; None if CoreAudio cannot tell.

    A headset is two devices with the same name: one for input, one for output.
    """
    if _libraries() is None:
        return None
    outputs = (device for device in _bluetooth() if _size(device, "stm#", "outp"))
    return frozenset(_name(device) for device in outputs if _number(device, "gone"))  # …IsRunningSomewhere


@cache
def _libraries() -> tuple[Any, Any] | None:
    try:
        audio, foundation = (
            ctypes.CDLL(f"/System/Library/Frameworks/{name}.framework/{name}")
            for name in ("CoreAudio", "CoreFoundation")
        )
    except OSError as error:
        logger.info("no CoreAudio: %s", error)
        return None
    address, size = ctypes.POINTER(_Address), ctypes.POINTER(ctypes.c_uint32)
    ask = (ctypes.c_uint32, address, ctypes.c_uint32, ctypes.c_void_p, size)
    audio.AudioObjectGetPropertyDataSize.argtypes = ask
    audio.AudioObjectGetPropertyData.argtypes = (*ask, ctypes.c_void_p)
    hear = (ctypes.c_uint32, address, _LISTENER, ctypes.c_void_p)
    audio.AudioObjectAddPropertyListener.argtypes = hear
    audio.AudioObjectRemovePropertyListener.argtypes = hear
    foundation.CFStringGetCString.argtypes = (
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_long,
        ctypes.c_uint32,
    )
    foundation.CFStringGetCString.restype = ctypes.c_ubyte
    foundation.CFRelease.argtypes = (ctypes.c_void_p,)
    foundation.CFRelease.restype = None
    return audio, foundation


def _bluetooth() -> Iterator[int]:
    size = _size(_SYSTEM, "dev#")
    devices = (ctypes.c_uint32 * (size // 4))()
    if size and _read(_SYSTEM, "dev#", devices):
        yield from (one for one in devices if _number(one, "tran").to_bytes(4, "big") in _BLUETOOTH)


def _address(selector: str, scope: str = "glob") -> _Address:
    return _Address(*(int.from_bytes(code.encode(), "big") for code in (selector, scope)), 0)


def _size(device: int, selector: str, scope: str = "glob") -> int:
    """The size of a property in bytes; 0 if it does not exist."""
    libraries, size = _libraries(), ctypes.c_uint32(0)
    if libraries is None:
        return 0
    address = _address(selector, scope)
    failed = libraries[0].AudioObjectGetPropertyDataSize(
        device, ctypes.byref(address), 0, None, ctypes.byref(size)
    )
    return 0 if failed else size.value


def _read(device: int, selector: str, into: Any) -> bool:  # noqa: ANN401  any of ctypes' types
    """Read a property; False if it does not exist."""
    libraries, size, address = _libraries(), ctypes.c_uint32(ctypes.sizeof(into)), _address(selector)
    return libraries is not None and not libraries[0].AudioObjectGetPropertyData(
        device, ctypes.byref(address), 0, None, ctypes.byref(size), ctypes.byref(into)
    )


def _number(device: int, selector: str) -> int:
    found = ctypes.c_uint32(0)
    return found.value if _read(device, selector, found) else 0


def _name(device: int) -> str:
    """The name of a device, or ""."""
    libraries, text = _libraries(), ctypes.c_void_p()
    if libraries is None or not _read(device, "lnam", text) or not text.value:
        return ""
    buffer = ctypes.create_string_buffer(_NAME_BYTES)
    is_read = libraries[1].CFStringGetCString(text, buffer, len(buffer), _UTF_8)
    libraries[1].CFRelease(text)
    return buffer.value.decode(errors="replace") if is_read else ""
