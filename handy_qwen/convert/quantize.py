"""Weights as small integers.

All with weights of shape (N, K), one row for each output:

    4-bit blocks    uint4 codes, a scale and a zero point for each block along K: w = (code - zero) * scale
    the same,       uint4 codes around 8 and a scale, which is negative where the
      symmetric     weight furthest from 0 is positive, as the codes reach lower: w = (code - 8) * scale
    8-bit blocks    uint8 codes around 128 and a scale for each block:            w = (code - 128) * scale
    8-bit channels  int8 codes and one scale for each row:                        w = code * scale

Source: MatMulNBits and DynamicQuantizeMatMul in ONNX Runtime's contrib operators (1.32).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

_HALF_BITS = np.uint8(4)
_PAIR = np.float32(127.999)  # a hair less than 128, as a quotient may be rounded up
_PIECE_NUMBERS = 1 << 21  # rounded at once: bounds the memory for what lies between, a few copies of that


@dataclass(frozen=True, slots=True)
class Blocks:
    """Weights in blocks along K.

    ``codes`` has shape (N, K / block, block * bits / 8), uint8, low half first; ``scales`` (N, K /
    block), float32; ``zeros`` (N, ceil(K / block / 2)), uint8, two to a byte, or None where the zero is
    128, or 8 with 4 bits.
    """

    codes: npt.NDArray[np.uint8]
    scales: Float32
    zeros: npt.NDArray[np.uint8] | None
    bits: int


def quantize_blocks(weights: Float32, *, bits: int, block: int, is_symmetric: bool = False) -> Blocks:
    """Round ``weights`` to the nearest codes, block by block.

    Args:
        weights: Shape (N, K); K is a multiple of ``block``.
        bits: 4 or 8.
        block: Weights that share a scale.
        is_symmetric: Without zero points; 8 bits always are.

    Raises:
        ValueError: K is no multiple of ``block``.
    """
    rows, columns = weights.shape
    if columns % block:
        raise ValueError(f"{columns} columns do not divide into blocks of {block}")
    nibbles = _centered_nibbles if is_symmetric else _nibbles
    rounded = nibbles if bits == 4 else _bytes
    step = max(1, _PIECE_NUMBERS // max(1, columns))
    parts = [
        rounded(weights[first : first + step].reshape(-1, columns // block, block))
        for first in range(0, max(1, rows), step)
    ]
    zeros = [part.zeros for part in parts if part.zeros is not None]
    return Blocks(
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.scales for part in parts]),
        np.concatenate(zeros) if zeros else None,
        bits,
    )


def dequantize_blocks(blocks: Blocks) -> Float32:
    """The weights that the codes stand for. Shape (N, K), float32."""
    rows, count, _ = blocks.codes.shape
    if blocks.bits == 8:
        values = (blocks.codes.astype(np.float32) - 128) * blocks.scales[..., None]
    elif blocks.zeros is None:
        values = (_halves(blocks.codes).astype(np.float32) - 8) * blocks.scales[..., None]
    else:
        codes = _halves(blocks.codes)
        zeros = np.stack([blocks.zeros & 15, blocks.zeros >> 4], -1).reshape(rows, -1)[:, :count]
        values = (codes.astype(np.float32) - zeros[..., None]) * blocks.scales[..., None]
    return values.reshape(rows, -1)


def quantize_channels(weights: Float32) -> tuple[npt.NDArray[np.int8], Float32]:
    """Round each row to signed 8 bits with a scale of its own. Codes (N, K), int8, and scales (N,), float32.

    Processors with AVX2 but without VNNI add two products of an unsigned activation and a signed weight in 16
    bits, which hold 255 * 128. The scale therefore keeps the codes 2 i and 2 i + 1 of a row together within
    128, so that no sum can be cut off: a quarter more of a rounding error than codes up to 127 would have
    where nothing is cut off, and half of that of 7 bits.
    Source: vpmaddubsw in Intel's Software Developer's Manual; MlasGemmU8S8 of ONNX Runtime.
    """
    sizes = np.abs(weights)
    pairs = sizes[:, 0::2].copy()
    pairs[:, : weights.shape[1] // 2] += sizes[:, 1::2]
    limits = np.maximum(pairs.max(axis=1) / _PAIR, sizes.max(axis=1) / np.float32(127))
    scales = _nonzero(limits)
    return np.rint(weights / scales[:, None]).astype(np.int8), scales


def _nibbles(blocks: Float32) -> Blocks:
    low = np.minimum(blocks.min(axis=-1), 0)
    high = np.maximum(blocks.max(axis=-1), 0)
    scales = _nonzero((high - low) / np.float32(15))
    zeros = np.clip(np.rint(-low / scales), 0, 15)
    codes = np.clip(np.rint(blocks / scales[..., None] + zeros[..., None]), 0, 15).astype(np.uint8)
    packed_zeros = zeros.astype(np.uint8)
    if packed_zeros.shape[1] % 2:
        packed_zeros = np.pad(packed_zeros, ((0, 0), (0, 1)))
    return Blocks(
        codes[..., 0::2] | (codes[..., 1::2] << _HALF_BITS),
        scales,
        packed_zeros[:, 0::2] | (packed_zeros[:, 1::2] << _HALF_BITS),
        4,
    )


def _centered_nibbles(blocks: Float32) -> Blocks:
    furthest = np.where(blocks.max(axis=-1) > -blocks.min(axis=-1), blocks.max(axis=-1), blocks.min(axis=-1))
    scales = _nonzero(furthest / np.float32(-8))
    codes = np.clip(np.rint(blocks / scales[..., None]) + 8, 0, 15).astype(np.uint8)
    return Blocks(codes[..., 0::2] | (codes[..., 1::2] << _HALF_BITS), scales, None, 4)


def _halves(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Two codes for each byte, low half first. The last axis doubles."""
    return np.stack([packed & 15, packed >> 4], -1).reshape(*packed.shape[:-1], -1)


def _bytes(blocks: Float32) -> Blocks:
    scales = _nonzero(np.abs(blocks).max(axis=-1) / np.float32(127))
    codes = (np.rint(blocks / scales[..., None]) + 128).astype(np.uint8)
    return Blocks(codes, scales, None, 8)


def _nonzero(scales: npt.NDArray[np.floating]) -> Float32:
    """A block of zeros has a scale of 1: any would do, but it must not be 0."""
    return np.where(scales == 0, np.float32(1), scales).astype(np.float32)
