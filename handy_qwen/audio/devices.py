"""Microphones as the rest of the program sees them, and the choice between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from handy_qwen.errors import MicrophoneError, MicrophoneReason
from handy_qwen.message import Message

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Device:
    """A microphone."""

    name: str  # what the user sees and the settings store; survives replugging
    handle: str  # the system's identifier; may change when it is replugged
    rate_hz: int  # its native rate
    channels: int
    is_default: bool = False  # the system's default
    is_monitor: bool = False  # loopback of the speakers: used only at the user's request
    is_headset: bool = False  # Bluetooth: it plays in telephone quality while its microphone is open


@dataclass(frozen=True, slots=True)
class Wish:
    """The microphone that the user wants: the first connected one of ``names``."""

    names: tuple[str, ...] = ()  # or handles; "" is the system's default, which also comes after all others
    avoids_headsets: bool = False  # prefer the next one to a headset that plays music


Frames: TypeAlias = "npt.NDArray[np.float32]"
"""Audio from the device. Shape (frames, channels), float32 in [-1, 1], the device's rate."""


class FrameBuffer:
    """Audio between PortAudio's thread and the microphone's: one writes, one reads, neither waits.

    It needs no lock: the ends of a deque may be used by different threads. When ``capacity`` frames are
    waiting, the oldest are dropped.
    """

    def __init__(self, capacity: int, channels: int) -> None:
        self.written = 0  # total frames; belongs to the writer, like ``dropped``
        self.dropped = 0  # how many of them were dropped unread
        self._taken = 0  # by the reader
        self._capacity = capacity
        self._channels = channels
        self._frame_bytes = 4 * channels
        self._blocks: deque[bytes] = deque()

    def write(self, block: memoryview) -> None:
        """Append interleaved float32 frames, given as bytes."""
        self._blocks.append(bytes(block))
        self.written += block.nbytes // self._frame_bytes
        while self._waiting() > self._capacity and (oldest := self._pop()):
            self.dropped += len(oldest) // self._frame_bytes

    def read(self) -> Frames:
        """Remove and return all that is waiting."""
        data = b"".join(iter(self._pop, b""))
        self._taken += len(data) // self._frame_bytes
        return np.frombuffer(data, np.float32).reshape(-1, self._channels)

    def keep(self, frames: int) -> None:
        """Drop all but the last ``frames``, or a block more. For the reader."""
        while self._waiting() > frames and (oldest := self._pop()):
            self._taken += (count := len(oldest) // self._frame_bytes)
            if self._waiting() < frames:
                self._blocks.appendleft(oldest)
                self._taken -= count
                break

    def _waiting(self) -> int:
        return self.written - self.dropped - self._taken

    def _pop(self) -> bytes:
        try:
            return self._blocks.popleft()
        except IndexError:
            return b""


def in_order(devices: Sequence[Device], names: Sequence[str] = ()) -> list[Device]:
    """The microphones in order of preference: those of ``names`` ("" is the default), the default, then any.

    Sound servers fall back to a monitor of the speakers when the last microphone is gone. A monitor is
    included only if it is among ``names``, or if it is the default although there are microphones, which must
    be intentional.
    """
    microphones = [device for device in devices if not device.is_monitor]
    found = []
    for name in (*names, ""):
        if name:
            found += [device for device in devices if name in (device.name, device.handle)]
        elif microphones:
            found += [device for device in devices if device.is_default]
    return list(dict.fromkeys([*found, *microphones]))


def pick(
    devices: Sequence[Device],
    names: Sequence[str] = (),
    avoid: Collection[str] = (),
    spare: Collection[str] = (),
) -> Device:
    """The first of ``in_order``; MicrophoneError if there is none.

    Handles of headsets to ``spare`` come after the others; those to ``avoid``, which did not work, last.
    """
    order = in_order(devices, names)
    if not order:
        raise no_microphone()
    return min(order, key=lambda device: (device.handle in avoid, device.handle in spare))


def spared(
    playing: Callable[[], Collection[str] | None], devices: Sequence[Device], wish: Wish
) -> frozenset[str]:
    """Handles of the headsets that should continue to play music. May block. Raises MicrophoneError.

    Where ``playing`` (of ``Microphones``) is unknown, a headset that the user has chosen by name is used.
    """
    headsets = [device for device in devices if device.is_headset] if wish.avoids_headsets else []
    if not headsets:
        return frozenset()
    in_use = playing()
    if in_use is None:
        return frozenset(one.handle for one in headsets if not {one.name, one.handle} & {*wish.names})
    return frozenset(one.handle for one in headsets if one.handle in in_use)


def no_microphone() -> MicrophoneError:
    """The error for no microphone at all."""
    return MicrophoneError(
        Message("No microphone was found."),
        MicrophoneReason.NO_DEVICE,
        Message("Connect one, or switch one on, and try again."),
    )


class HungError(MicrophoneError):
    """The sound system does not respond."""

    def __init__(self) -> None:
        super().__init__(
            Message("The sound system isn't responding."),
            MicrophoneReason.UNRESPONSIVE,
            Message("If this persists, log out and back in, or restart the sound server."),
        )


def unresponsive(device: Device) -> MicrophoneError:
    """A single microphone does not respond."""
    return MicrophoneError(
        Message("{name} isn't responding.", name=device.name),
        MicrophoneReason.UNRESPONSIVE,
        Message("Disconnect and reconnect it, or choose another microphone."),
    )


def tell_apart(names: Sequence[str]) -> list[str]:
    """Number duplicate names from the second on: two headsets of one model are two menu entries."""
    seen: dict[str, int] = {}
    apart = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        apart.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return apart
