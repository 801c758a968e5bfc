"""Rows of the embedding matrix, looked up in the memory-mapped file that the output head is made of.

Threads: any; nothing changes after construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handy_qwen.engine.backend import Float32
from handy_qwen.errors import ModelCorruptError, ModelMissingError


class FloatTable:
    """A table of plain numbers. Shape (vocab, hidden), float32 or float16."""

    def __init__(self, path: Path, shape: tuple[int, int], dtype: npt.DTypeLike = np.float32) -> None:
        self._rows = map_array(path, shape, dtype)

    def rows(self, ids: Sequence[int]) -> Float32:
        """Embeddings of ``ids``. Shape (len(ids), hidden), float32."""
        return np.asarray(self._rows[np.asarray(ids, np.int64)], np.float32)


class ByteTable:
    """A table of 8-bit blocks with one scale each: value = (code - 128) * scale."""

    def __init__(self, codes: npt.NDArray[np.uint8], scales: Float32) -> None:
        """Codes of shape (vocab, blocks, block size), uint8; scales of shape (vocab, blocks), float32."""
        self._codes = codes
        self._scales = scales

    def rows(self, ids: Sequence[int]) -> Float32:
        """Embeddings of ``ids``. Shape (len(ids), hidden), float32."""
        index = np.asarray(ids, np.int64)
        centered = self._codes[index].astype(np.float32) - np.float32(128)
        _, blocks, block = centered.shape
        return (centered * self._scales[index][:, :, None]).reshape(len(index), blocks * block)


class NibbleTable:
    """A table of 4-bit blocks with a scale and a zero point each: value = (code - zero) * scale."""

    def __init__(self, codes: npt.NDArray[np.uint8], scales: Float32, zeros: npt.NDArray[np.uint8]) -> None:
        """Codes (vocab, blocks, block / 2), zeros (vocab, ceil(blocks / 2)), two to a byte, low first."""
        self._codes = codes
        self._scales = scales
        self._zeros = zeros

    def rows(self, ids: Sequence[int]) -> Float32:
        """Embeddings of ``ids``. Shape (len(ids), hidden), float32."""
        index = np.asarray(ids, np.int64)
        scales = self._scales[index]
        codes = _halves(self._codes[index]).astype(np.float32)
        zeros = _halves(self._zeros[index])[:, : scales.shape[1]].astype(np.float32)
        return ((codes - zeros[..., None]) * scales[..., None]).reshape(len(index), -1)


def _halves(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Two codes for each byte, low half first. The last axis doubles."""
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1)


def map_array(
    path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, offset_bytes: int = 0
) -> npt.NDArray[Any]:
    """Map part of a file read-only into memory.

    Raises:
        ModelMissingError: There is no such file.
        ModelCorruptError: It is shorter than the array.
    """
    try:
        return np.memmap(path, dtype=dtype, mode="r", offset=offset_bytes, shape=shape)
    except FileNotFoundError as exc:
        raise ModelMissingError(path) from exc
    except (ValueError, OverflowError, OSError) as exc:
        raise ModelCorruptError(path, "it is shorter than it should be") from exc
