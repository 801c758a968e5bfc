"""The weights that codes stand for, to compare with."""

from typing import Any

import numpy as np
import numpy.typing as npt

from handy_qwen.convert.graph import Blocks


def dequantize_blocks(blocks: Blocks, bits: int) -> npt.NDArray[np.float32]:
    """Shape (N, K), float32."""
    rows, count, _ = blocks.codes.shape
    codes, zeros = blocks.codes, np.full((rows, count), 128 if bits == 8 else 8)
    if bits == 4:
        codes = _halves(codes)
    if blocks.zeros is not None:
        zeros = _halves(blocks.zeros)[:, :count]
    values: npt.NDArray[np.float32] = (codes.astype(np.float32) - zeros[..., None]) * blocks.scales[..., None]
    return values.astype(np.float32).reshape(rows, -1)


def _halves(packed: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Two codes for each byte, low half first. The last axis doubles."""
    return np.stack([packed & 15, packed >> 4], -1).reshape(*packed.shape[:-1], -1)
