"""Makes loud channels quieter before weights are rounded, without changing what the model computes.

Where one layer writes what the next one multiplies, each channel can be divided by a factor at its source and
the weights that read it multiplied by the same:

    gain, bias of a norm   -> queries, keys and values; first layer of a feed-forward; gate and up
    rows of the values     -> output projection (a key/value head serves several query heads)
    rows of up             -> down

Trained models have channels that are a hundred times as loud as the others. Activations share an 8-bit scale,
so that such a channel leaves the others a few steps only. Half of its loudness (in decibels, relative to its
weights) therefore moves into the weights. Factors are powers of two: in float32, nothing is rounded.

Source: Xiao et al., SmoothQuant (2023), with alpha = 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handy_qwen.convert.checkpoint import Checkpoint, Float32

_MOST_BITS = 24  # of a factor, either way: beyond, a channel is as good as silent


class FoldedTensors:
    """Tensors of a checkpoint, changed by the factors that were folded into them.

    Remembers what was read until ``forget``, so that a layer that is looked at several times is read once.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._seen: dict[str, Float32] = {}
        self._rows: dict[str, Float32] = {}
        self._columns: dict[str, Float32] = {}
        self._added: dict[str, Float32] = {}

    def plain(self, name: str) -> Float32:
        """Tensor ``name`` as the checkpoint has it. Not to be changed in place."""
        if name not in self._seen:
            self._seen[name] = self._checkpoint.read(name)
        return self._seen[name]

    def read(self, name: str) -> Float32:
        """Tensor ``name`` with all that was folded into it."""
        values = self.plain(name)
        if name in self._added:
            values = values + self._added[name]
        if name in self._rows:
            values = (values.T * self._rows[name]).T
        if name in self._columns:
            values = values * self._columns[name]
        return values

    def fold(
        self, loudness: Float32, written: Sequence[str], read: Sequence[str], heads: tuple[int, int] = (1, 1)
    ) -> Float32:
        """Divide what ``written`` give by a factor per channel, and multiply what ``read`` expect by it.

        Args:
            loudness: The largest absolute value heard of each channel that is read. Shape (K,).
            written: Gains, biases and weights, whose first axis is the channels.
            read: Weights of shape (N, K).
            heads: How many of them the channels read are, and how many those written: each of the latter
                serves as many of the former as there are for one.

        Returns:
            The factors by which the channels read are divided now. Shape (K,), powers of two.
        """
        weights = np.sqrt(np.mean([_column_power(self.plain(name)) for name in read], axis=0))
        shape = (heads[1], heads[0] // heads[1], -1)  # written, readers of each, channels
        per_writer = _factors(loudness.reshape(shape).max(axis=1), weights.reshape(shape).max(axis=1))
        factors = np.repeat(per_writer[:, None], shape[1], axis=1).reshape(-1)
        for name in written:
            self._rows[name] = np.float32(1) / per_writer.reshape(-1)
        for name in read:
            self._columns[name] = factors
        return factors

    def shift(self, offset: Float32, written: str, read: Sequence[tuple[str, str]]) -> None:
        """Take ``offset`` off what is written, and add what readers would have made of it to their biases.

        Args:
            offset: What each channel is on average. Shape (K,).
            written: The bias of what is written (K,).
            read: Of each reader, the names of weights (N, K) and of the bias (N,).
        """
        self._add(written, -offset)
        for weights, bias in read:
            made = np.matmul(self.plain(weights), offset, dtype=np.float64)
            self._add(bias, made.astype(np.float32))

    def _add(self, name: str, values: Float32) -> None:
        self._added[name] = self._added.get(name, np.float32(0)) + values

    def forget(self) -> None:
        """Free the memory of what was read; factors stay."""
        self._seen.clear()


class PlainTensors:
    """The same tensors without the factors."""

    def __init__(self, tensors: FoldedTensors) -> None:
        self._tensors = tensors

    def read(self, name: str) -> Float32:
        """Tensor ``name`` as the checkpoint has it."""
        return self._tensors.plain(name)


def _factors(loudness: Float32, weights: Float32) -> Float32:
    """Powers of two near the root of loudness / weights, about 1 on average; 1 where either is silent."""
    is_heard = (loudness > 0) & (weights > 0)
    exponents = np.zeros(loudness.shape, np.float64)
    exponents[is_heard] = np.log2(loudness[is_heard].astype(np.float64) / weights[is_heard]) / 2
    exponents[is_heard] -= np.median(exponents[is_heard]) if is_heard.any() else 0
    factors: Float32 = np.exp2(np.clip(np.rint(exponents), -_MOST_BITS, _MOST_BITS)).astype(np.float32)
    return factors


def _column_power(weights: Float32) -> Float32:
    """Mean square of each column, of rows that are made equally loud: each has a scale of its own anyway."""
    power = np.square(weights).mean(axis=1)
    power[power == 0] = 1
    return np.asarray(np.einsum("ij,ij,i->j", weights, weights, 1 / power) / len(weights), np.float32)
