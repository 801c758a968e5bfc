"""Microphones as the rest of the program sees them, and which one is to be used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from handy_qwen.errors import MicrophoneError, MicrophoneReason

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Device:
    """A microphone.

    Attributes:
        name: What the user reads and the settings hold. Survives replugging.
        handle: What the system calls it; may change with every plugging.
        rate_hz: The rate it works at by itself.
        channels: How many it has.
        is_default: The system uses it unless told otherwise.
        is_monitor: It hears what the speakers play: no microphone, unless the user says so.
    """

    name: str
    handle: str
    rate_hz: int
    channels: int
    is_default: bool = False
    is_monitor: bool = False


class Stream(Protocol):
    """A microphone that is open and fills its ring."""

    device: Device
    rate_hz: int
    ring: Ring
    is_finished: bool  # it ended by itself: the device or the sound server went away

    @property
    def overflows(self) -> int:
        """How often the system dropped samples because they were not taken in time."""

    def close(self) -> None:
        """Give the device back and clear the ring. May block forever if the sound server hangs."""


class Backend(Protocol):
    """A sound system. All methods but ``watch`` may block: call them on threads that can be given up."""

    def devices(self) -> Sequence[Device]:
        """The microphones there are now.

        Raises:
            MicrophoneError: The sound system is missing or does not answer.
        """

    def open(self, device: Device) -> Stream:
        """Begin to listen.

        Raises:
            MicrophoneError: The device cannot be opened, or there is no sound system.
        """

    def watch(self, on_change: Callable[[], None]) -> None:
        """Call ``on_change`` (from any thread) when devices or the default may have changed.

        Takes effect with the next call of ``devices``; sound systems that tell nothing never call.
        """

    def close(self) -> None:
        """End the watching. Streams that hang are left to the end of the process."""


def pick(devices: Sequence[Device], wanted: str = "", avoid: Collection[str] = ()) -> Device:
    """The device named ``wanted`` if it is there, otherwise the default one, otherwise any microphone.

    A monitor of the speakers is what sound servers fall back to when the last microphone is gone. It
    is used if it is ``wanted``, or if it is the default although there are microphones, which somebody
    must have decided; otherwise it counts as no microphone.

    Args:
        devices: What there is.
        wanted: A name or handle; "" is the default.
        avoid: Handles of microphones that gave nothing; taken only if there is no other.

    Raises:
        MicrophoneError: There is none.
    """
    others = [device for device in devices if device.handle not in avoid]
    if any(not device.is_monitor for device in others):
        devices = others
    for device in devices:
        if wanted and wanted in (device.name, device.handle):
            return device
    microphones = [device for device in devices if not device.is_monitor]
    if not microphones:
        raise no_microphone()
    return next((device for device in devices if device.is_default), microphones[0])


def no_microphone() -> MicrophoneError:
    """Nothing to record with."""
    return MicrophoneError(
        "No microphone was found.",
        MicrophoneReason.NO_DEVICE,
        "Plug one in, or switch one on, and try again.",
    )


class HungError(MicrophoneError):
    """The sound system is there, but does nothing."""

    def __init__(self) -> None:
        super().__init__(
            "The sound system does not answer.",
            MicrophoneReason.UNRESPONSIVE,
            "If it stays like this, log out and in again, or restart the sound server.",
        )


def unresponsive(device: Device) -> MicrophoneError:
    """One microphone does nothing."""
    return MicrophoneError(
        f"{device.name} does not respond.",
        MicrophoneReason.UNRESPONSIVE,
        "Disconnect and reconnect it, or choose another microphone.",
    )


def tell_apart(names: Sequence[str]) -> list[str]:
    """Number equal names from the second on: two headsets of one make are two entries in a menu."""
    seen: dict[str, int] = {}
    apart = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        apart.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return apart


Frames: TypeAlias = "npt.NDArray[np.float32]"
"""Sound as the device gives it. Shape (frames, channels), float32 in [-1, 1], the device's rate."""


class Ring:
    """Room for ``capacity`` frames of ``channels`` samples, allocated once."""

    def __init__(self, capacity: int, channels: int) -> None:
        if capacity < 1 or channels < 1:
            raise ValueError(f"a ring needs frames and channels, not {capacity} and {channels}")
        self.capacity = capacity
        self.channels = channels
        self._frames = np.zeros((capacity, channels), np.float32)
        self._bytes = self._frames.data.cast("B")
        self._frame_bytes = 4 * channels
        self._claimed = 0
        self._written = 0
        self._forgotten = 0

    @property
    def written(self) -> int:
        """How many frames were ever written. Any thread."""
        return self._written

    def write(self, block: memoryview) -> None:
        """Append interleaved float32 frames, given as bytes, overwriting the oldest.

        Called on PortAudio's thread: copies memory and moves two numbers, nothing else.
        """
        source = block
        frame_bytes = self._frame_bytes
        count = source.nbytes // frame_bytes
        end = self._written + count
        self._claimed = end
        if count > self.capacity:  # only the last of them fit
            source = source[(count - self.capacity) * frame_bytes :]
            count = self.capacity
        at = (end - count) % self.capacity
        head = min(count, self.capacity - at) * frame_bytes
        start = at * frame_bytes
        self._bytes[start : start + head] = source[:head]
        if head < count * frame_bytes:
            self._bytes[: count * frame_bytes - head] = source[head:]
        self._written = end

    def read(self, start: int, stop: int) -> tuple[Frames, int]:
        """Copy the frames from position ``start`` up to ``stop``, which must have been written.

        Returns:
            The frames that were still there, and how many at the beginning were not.
        """
        first = min(max(start, self._written - self.capacity), stop)
        places = np.arange(first, stop) % self.capacity
        frames = self._frames[places]  # a copy
        overtaken = min(max(self._claimed - self.capacity - first, 0), stop - first)
        return frames[overtaken:], first + overtaken - start

    def forget(self, position: int) -> None:
        """Erase the frames before ``position``, so that no more is in memory than may be needed.

        Call it often: what lies in the older half of the ring is left to the writer, who may be there.
        """
        first = max(self._forgotten, self._claimed - self.capacity // 2)
        if position > first:
            self._frames[np.arange(first, position) % self.capacity] = 0.0
            self._forgotten = position

    def clear(self) -> None:
        """Forget the sound. Call it when nothing writes any more."""
        self._frames.fill(0.0)
