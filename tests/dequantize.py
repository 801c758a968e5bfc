"""The weights that codes stand for, to compare with."""

import numpy as np


def dequantize_blocks(blocks, bits):
    """Shape (N, K), float32. ``blocks`` is a ``convert.graph.Blocks``."""
    rows, count, _ = blocks.codes.shape
    if bits == 8:
        values = (blocks.codes.astype(np.float32) - 128) * blocks.scales[..., None]
    elif blocks.zeros is None:
        values = (halves(blocks.codes).astype(np.float32) - 8) * blocks.scales[..., None]
    else:
        zeros = halves(blocks.zeros)[:, :count]
        values = (halves(blocks.codes).astype(np.float32) - zeros[..., None]) * blocks.scales[..., None]
    return values.reshape(rows, -1)


def halves(packed):
    """Two codes for each byte, low half first. The last axis doubles."""
    return np.stack([packed & 15, packed >> 4], -1).reshape(*packed.shape[:-1], -1)
