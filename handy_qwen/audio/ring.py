"""The last seconds of sound, between PortAudio's thread and the microphone's.

One thread writes, one reads, and neither waits for the other: there is no lock. The writer
overwrites the oldest frames whether they were read or not; positions only grow, so that the
reader can tell what it missed.

    claimed   first position that the writer has not begun to overwrite for, raised before it copies
    written   first position without sound yet, raised after it copied

A reader that copies frames while the writer comes round finds out by looking at ``claimed``
afterwards, and gives up those it was overtaken on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

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
