"""Weights as they lie in files, read in pieces as float32.

    plain     float32, float16 or bfloat16, as the official checkpoint has it or transposed
    blocks    4- or 8-bit codes with a scale, and perhaps a zero point, for each block of a row:
              w = (code - zero) * scale, the code - zero being exact in float32

Files are read, not memory-mapped: pages of a mapped file count as the process's own memory for as long as the
system likes to keep them.

Source: MatMulNBits in ONNX Runtime's contrib operators (1.32).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from handy_qwen.errors import ModelCorruptError

Float32 = npt.NDArray[np.float32]
OnRead = Callable[[int], None]

PIECE_NUMBERS = 1 << 22
"""Read at once: 16 MB as float32."""

DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
_BITS = {"F32": 32, "F16": 16, "BF16": 32}  # bfloat16 is what all of it was to begin with


class Stored(Protocol):
    """A tensor in a file, or several."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As in the official checkpoint."""

    @property
    def bits(self) -> int:
        """How precise it is: 32, 16, 8 or 4."""

    @property
    def size_bytes(self) -> int:
        """What reading it once reads."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files it lies in."""

    def read(self, on_read: OnRead) -> Float32:
        """All of it. ``on_read`` is told of the bytes read.

        Raises:
            ModelCorruptError: A file cannot be read, or is cut short.
        """

    def rows(self, count: int, on_read: OnRead) -> Iterator[Float32]:
        """All of it, ``count`` rows at a time. Shapes (rows, columns).

        Raises:
            ModelCorruptError: A file cannot be read, or is cut short.
        """


def rows_at_once(shape: tuple[int, ...]) -> int:
    """How many rows make a piece; at least one."""
    return max(1, PIECE_NUMBERS // max(1, math.prod(shape[1:])))


@dataclass(frozen=True, slots=True)
class Plain:
    """Numbers that lie one after the other. ``stored`` is their shape in the file."""

    path: Path
    offset_bytes: int
    dtype: str
    stored: tuple[int, ...]
    is_transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """See ``Stored``."""
        return self.stored[::-1] if self.is_transposed else self.stored

    @property
    def bits(self) -> int:
        """See ``Stored``."""
        return _BITS[self.dtype]

    @property
    def size_bytes(self) -> int:
        """See ``Stored``."""
        return math.prod(self.stored) * DTYPES[self.dtype].itemsize

    @property
    def paths(self) -> tuple[Path, ...]:
        """See ``Stored``."""
        return (self.path,)

    def read(self, on_read: OnRead) -> Float32:
        """See ``Stored``."""
        values = np.empty(self.stored, np.float32)
        flat, first = values.reshape(-1), 0
        for piece in self._pieces(PIECE_NUMBERS, on_read):
            flat[first : first + len(piece)] = piece
            first += len(piece)
        return np.ascontiguousarray(values.T) if self.is_transposed else values

    def rows(self, count: int, on_read: OnRead) -> Iterator[Float32]:
        """See ``Stored``."""
        if self.is_transposed:
            yield from self._columns(count, on_read)
            return
        columns = math.prod(self.stored[1:])
        if not columns:
            return
        for piece in self._pieces(count * columns, on_read):
            yield piece.reshape(-1, columns)

    def _pieces(self, count: int, on_read: OnRead) -> Iterator[Float32]:
        dtype = DTYPES[self.dtype]
        for raw in _read(self.path, self.offset_bytes, dtype, math.prod(self.stored), count):
            on_read(raw.nbytes)
            yield _as_float32(raw, self.dtype)

    def _columns(self, count: int, on_read: OnRead) -> Iterator[Float32]:
        """Some columns of a matrix that is too large to be turned as a whole."""
        height, width = self.stored
        dtype = DTYPES[self.dtype]
        for first in range(0, width, count):
            taken = min(count, width - first)
            part = np.empty((height, taken), dtype)
            for row in range(height):
                offset = self.offset_bytes + (row * width + first) * dtype.itemsize
                (part[row],) = _read(self.path, offset, dtype, taken, taken)
            on_read(part.nbytes)
            yield np.ascontiguousarray(_as_float32(part, self.dtype).T)


@dataclass(frozen=True, slots=True)
class RoundedBlocks:
    """Codes of ``bits`` bits, of 4 two to a byte, low half first. Each row begins at a whole byte."""

    codes: Plain
    scales: Plain
    zeros: Plain | None
    shape: tuple[int, int]
    bits: int
    block: int

    @property
    def size_bytes(self) -> int:
        """See ``Stored``."""
        rows, blocks = self.shape[0], self._blocks
        zeros = rows * self._zeros_bytes if self.zeros else 0
        scales = rows * blocks * DTYPES[self.scales.dtype].itemsize
        return rows * blocks * (self.block * self.bits // 8) + scales + zeros

    @property
    def paths(self) -> tuple[Path, ...]:
        """See ``Stored``."""
        parts = (self.codes, self.scales, self.zeros)
        return tuple(dict.fromkeys(part.path for part in parts if part))

    def read(self, on_read: OnRead) -> Float32:
        """See ``Stored``."""
        values = np.empty(self.shape, np.float32)
        first = 0
        for piece in self.rows(rows_at_once(self.shape), on_read):
            values[first : first + len(piece)] = piece
            first += len(piece)
        return values

    def rows(self, count: int, on_read: OnRead) -> Iterator[Float32]:
        """See ``Stored``."""
        rows, columns = self.shape
        for first in range(0, rows, count):
            taken = min(count, rows - first)
            codes = self._part(self.codes, first, taken, self._blocks * self.block * self.bits // 8, on_read)
            scales = self._part(self.scales, first, taken, self._blocks, on_read)
            scales = _as_float32(scales, self.scales.dtype)
            values = self._unpacked(codes).reshape(taken, self._blocks, self.block)
            values -= self._zero_points(first, taken, on_read)
            values *= scales.reshape(taken, self._blocks, 1)
            yield values.reshape(taken, -1)[:, :columns]

    @property
    def _blocks(self) -> int:
        return -(-self.shape[1] // self.block)

    @property
    def _zeros_bytes(self) -> int:
        return -(-self._blocks * self.bits // 8)

    def _zero_points(self, first: int, taken: int, on_read: OnRead) -> Float32:
        if self.zeros is None:
            return np.full((1, 1, 1), 1 << (self.bits - 1), np.float32)
        packed = self._part(self.zeros, first, taken, self._zeros_bytes, on_read)
        unpacked = self._unpacked(packed).reshape(taken, -1)
        return unpacked[:, : self._blocks, None]

    def _unpacked(self, packed: npt.NDArray[np.uint8]) -> Float32:
        if self.bits == 4:
            packed = np.stack([packed & 15, packed >> 4], -1)
        return packed.astype(np.float32)

    def _part(self, part: Plain, first: int, taken: int, row_items: int, on_read: OnRead) -> npt.NDArray[Any]:
        dtype = DTYPES.get(part.dtype, np.dtype(np.uint8))
        offset = part.offset_bytes + first * row_items * dtype.itemsize
        pieces = list(_read(part.path, offset, dtype, taken * row_items, PIECE_NUMBERS))
        on_read(sum(piece.nbytes for piece in pieces))
        return np.concatenate(pieces) if len(pieces) != 1 else pieces[0]


def _read(
    path: Path, offset_bytes: int, dtype: np.dtype[Any], total: int, count: int
) -> Iterator[npt.NDArray[Any]]:
    """Pieces of ``count`` numbers as they are stored."""
    try:
        with path.open("rb") as file:
            file.seek(offset_bytes)
            for first in range(0, total, count):
                wanted = min(count, total - first)
                raw = np.fromfile(file, dtype, wanted)
                if len(raw) < wanted:
                    raise ModelCorruptError(path, "it is truncated")
                yield raw
    except OSError as exc:
        raise ModelCorruptError(
            path, f"it cannot be read ({exc.strerror})", "Check the disk it lies on."
        ) from exc


def _as_float32(raw: npt.NDArray[Any], dtype: str) -> Float32:
    if dtype == "BF16":  # the upper half of a float32
        raw = (raw.astype(np.uint32) << 16).view(np.float32)
    return raw.astype(np.float32, copy=False)
