"""Writes one ONNX graph, quantizes its weights and streams them into a file beside it.

Weights go to disk as they are added, so that only one tensor is in memory at a time. Offsets are multiples
of a page, which lets ONNX Runtime map them. All weights have shape (N, K), one row for each output:

    4-bit blocks    uint4 codes, a scale and a zero point for each block along K: w = (code - zero) * scale
    the same,       uint4 codes around 8 and a scale, which is negative where the
      symmetric     weight furthest from 0 is positive, as the codes reach lower: w = (code - 8) * scale
    8-bit blocks    uint8 codes around 128 and a scale for each block:            w = (code - 128) * scale
    8-bit channels  int8 codes and one scale for each row:                        w = code * scale

Source: MatMulNBits and DynamicQuantizeMatMul in ONNX Runtime's contrib operators (1.32).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from handy_qwen.convert.checkpoint import Checkpoint, Float32
from handy_qwen.convert.presets import Precision

CONTRIB = "com.microsoft"
TO_THE_END = int(np.iinfo(np.int64).max)
"""The end of a slice that has none."""
_OPSET, _CONTRIB_VERSION, _IR_VERSION = 20, 1, 10
_ALIGNMENT_BYTES = 4096
_INLINE_BYTES = 1024  # smaller tensors (shapes, norms of tiny models) stay in the graph's own file
_DTYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int8): TensorProto.INT8,
    np.dtype(np.uint8): TensorProto.UINT8,
}
_HALF_BITS = np.uint8(4)
_PAIR = np.float32(127.999)  # a hair less than 128, as a quotient may be rounded up
_PIECE_NUMBERS = 1 << 21  # quantized at once: bounds the memory for intermediate copies


class Graph:
    """A graph under construction. A context manager: leaving it closes the file of weights."""

    def __init__(self, path: Path, weights: Checkpoint | None = None, prefix: str = "") -> None:
        """Start a graph.

        Args:
            path: The .onnx file to be; its weights go to the same name with ``.data``.
            weights: Where ``weight`` and ``linear`` find tensors.
            prefix: In front of their names there.
        """
        self.path = path
        self._weights = weights
        self._prefix = prefix
        self._data_path = path.with_suffix(".data")
        self._data = self._data_path.open("wb")
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._data.close()

    def input(self, name: str, shape: Sequence[int | str], dtype: int = TensorProto.FLOAT) -> str:
        """Declare an input; names in the shape are free dimensions."""
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, name: str, shape: Sequence[int | str]) -> None:
        """Declare an output of type float32."""
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: str | Sequence[str],
        domain: str = "",
        **attributes: int | float | list[int],
    ) -> str:
        """Add a node and return the name of its first output."""
        names = [outputs] if isinstance(outputs, str) else list(outputs)
        node = helper.make_node(operator, inputs, names, name=names[0], domain=domain)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        return names[0]

    def constant(self, name: str, values: npt.NDArray[Any] | Sequence[int]) -> str:
        """Add weights, or a list of integers (int64)."""
        array = np.ascontiguousarray(values, None if isinstance(values, np.ndarray) else np.int64)
        if array.nbytes <= _INLINE_BYTES:
            self._initializers.append(onnx.numpy_helper.from_array(array, name))
            return name
        offset = append_aligned(self._data, array)
        return self.external(name, array.shape, array.dtype, file=self._data_path.name, offset_bytes=offset)

    def external(
        self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike, *, file: str, offset_bytes: int
    ) -> str:
        """Refer to weights that are in ``file``, beside the graph."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        tensor = TensorProto(name=name, dims=shape, data_type=_DTYPES[np.dtype(dtype)])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", file), ("offset", offset_bytes), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
        self._initializers.append(tensor)
        return name

    def read(self, name: str) -> Float32:
        """The checkpoint's tensor ``name``.

        Raises:
            ModelCorruptError: There is no such tensor, or its file cannot be read.
        """
        assert self._weights is not None
        return self._weights.read(f"{self._prefix}{name}")

    def weight(self, name: str) -> str:
        """Add the checkpoint's tensor ``name`` as it is."""
        return self.constant(name, self.read(name))

    def linear(self, x: str, name: str, precision: Precision, *, has_bias: bool = False) -> str:
        """Compute x @ weight.T (+ bias) with the checkpoint's tensors."""
        bias = self.weight(f"{name}.bias") if has_bias else ""
        return self.product(x, self.read(f"{name}.weight"), name, precision, bias)

    def product(self, x: str, weights: Float32, name: str, precision: Precision, bias: str = "") -> str:
        """Compute x @ weights.T + bias in the form that ``precision`` asks for. Weights of shape (N, K)."""
        if precision.bits == 32:
            product = self.node("MatMul", [x, self.constant(f"{name}.weight", weights.T)], f"{name}.product")
            return self.node("Add", [product, bias], f"{name}.out") if bias else product
        if not precision.block:
            inputs = [x, *self.channels(weights, name), "", bias]
            return self.node("DynamicQuantizeMatMul", inputs if bias else inputs[:-2], f"{name}.out", CONTRIB)
        blocks = quantize_blocks(
            weights, bits=precision.bits, block=precision.block, is_symmetric=precision.is_symmetric
        )
        names = [self.constant(f"{name}.codes", blocks.codes), self.constant(f"{name}.scales", blocks.scales)]
        names.append("" if blocks.zeros is None else self.constant(f"{name}.zeros", blocks.zeros))
        return self.block_product(x, names, name=name, shape=weights.shape, precision=precision, bias=bias)

    def channels(self, weights: Float32, name: str) -> list[str]:
        """Add weights of shape (N, K) with a scale per channel; return codes (K, N) and scales (N,)."""
        codes, scales = quantize_channels(weights)
        return [self.constant(f"{name}.codes", codes.T), self.constant(f"{name}.scales", scales)]

    def block_product(
        self,
        x: str,
        names: list[str],
        *,
        name: str,
        shape: tuple[int, ...],
        precision: Precision,
        bias: str = "",
    ) -> str:
        """Compute x @ weights.T + bias; ``names`` are those of codes, scales and zeros ("" for none)."""
        inputs = [x, *names, "", bias]
        while not inputs[-1]:
            inputs.pop()
        rows, columns = shape
        return self.node(
            "MatMulNBits",
            inputs,
            f"{name}.out",
            CONTRIB,
            N=rows,
            K=columns,
            bits=precision.bits,
            block_size=precision.block,
            accuracy_level=4,  # activations are quantized to int8 as well, which the fast kernels need
        )

    def save(self) -> None:
        """Write the .onnx file."""
        self._data.flush()
        graph = helper.make_graph(
            self._nodes, self.path.stem, self._inputs, self._outputs, self._initializers
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(CONTRIB, _CONTRIB_VERSION)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="handy-qwen"
        )
        self.path.write_bytes(model.SerializeToString())


def append_aligned(file: BinaryIO, array: npt.NDArray[Any]) -> int:
    """Write ``array`` at the next multiple of a page; return where that is, in bytes."""
    offset = -(-file.tell() // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
    file.write(bytes(offset - file.tell()))
    array.tofile(file)
    return offset


@dataclass(frozen=True, slots=True)
class Blocks:
    """Weights in blocks along K.

    ``codes`` has shape (N, K / block, block * bits / 8), uint8, low half first; ``scales`` (N, K / block),
    float32; ``zeros`` (N, ceil(K / block / 2)), uint8, two to a byte, or None where the zero is 128, or 8
    with 4 bits.
    """

    codes: npt.NDArray[np.uint8]
    scales: Float32
    zeros: npt.NDArray[np.uint8] | None = None


def quantize_blocks(weights: Float32, *, bits: int, block: int, is_symmetric: bool = False) -> Blocks:
    """Round ``weights``, shape (N, K), to the nearest codes, block by block.

    Args:
        weights: K is a multiple of ``block``.
        bits: 4 or 8.
        block: Weights that share a scale.
        is_symmetric: Without zero points; 8 bits always are.

    Raises:
        ValueError: K is no multiple of ``block``.
    """
    rows, columns = weights.shape
    if columns % block:
        raise ValueError(f"{columns} columns do not divide into blocks of {block}")
    nibbles = _symmetric_nibbles if is_symmetric else _nibbles
    quantize = nibbles if bits == 4 else _bytes
    step = max(1, _PIECE_NUMBERS // max(1, columns))
    parts = [
        quantize(weights[first : first + step].reshape(-1, columns // block, block))
        for first in range(0, max(1, rows), step)
    ]
    zeros = [part.zeros for part in parts if part.zeros is not None]
    return Blocks(
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.scales for part in parts]),
        np.concatenate(zeros) if zeros else None,
    )


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
    scales = _nonzero(np.maximum(pairs.max(axis=1) / _PAIR, sizes.max(axis=1) / np.float32(127)))
    return np.rint(weights / scales[:, None]).astype(np.int8), scales


def _nibbles(blocks: Float32) -> Blocks:
    low = np.minimum(blocks.min(axis=-1), 0)
    high = np.maximum(blocks.max(axis=-1), 0)
    scales = _nonzero((high - low) / np.float32(15))
    zeros = np.clip(np.rint(-low / scales), 0, 15)
    codes = np.clip(np.rint(blocks / scales[..., None] + zeros[..., None]), 0, 15).astype(np.uint8)
    whole = np.pad(zeros.astype(np.uint8), ((0, 0), (0, zeros.shape[1] % 2)))
    return Blocks(_packed(codes), scales, _packed(whole))


def _symmetric_nibbles(blocks: Float32) -> Blocks:
    low, high = blocks.min(axis=-1), blocks.max(axis=-1)
    scales = _nonzero(np.where(high > -low, high, low) / np.float32(-8))
    codes = np.clip(np.rint(blocks / scales[..., None]) + 8, 0, 15).astype(np.uint8)
    return Blocks(_packed(codes), scales)


def _bytes(blocks: Float32) -> Blocks:
    scales = _nonzero(np.abs(blocks).max(axis=-1) / np.float32(127))
    return Blocks((np.rint(blocks / scales[..., None]) + 128).astype(np.uint8), scales)


def _packed(halves: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Two numbers of 4 bits to a byte, low half first."""
    packed: npt.NDArray[np.uint8] = halves[..., 0::2] | (halves[..., 1::2] << _HALF_BITS)
    return packed


def _nonzero(scales: npt.NDArray[np.floating]) -> Float32:
    """A block of zeros has a scale of 1: any would do, but it must not be 0."""
    return np.where(scales == 0, np.float32(1), scales).astype(np.float32)
