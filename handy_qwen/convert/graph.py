"""Writes one ONNX graph, quantizes its weights and streams them into a file beside it.

Weights go to disk as they are added, so that only one tensor is in memory at a time. Offsets are multiples
of a page, so that ONNX Runtime can map them. The latest additions can be run alone, with their weights on
disk, and rolled back. All weights have shape (N, K), one row per output:

    4-bit blocks    uint4 codes, a scale and a zero point for each block along K: w = (code - zero) * scale
    the same,       uint4 codes around 8 and a scale, which is negative where the
      symmetric     weight furthest from 0 is positive, as the codes reach lower: w = (code - 8) * scale
    8-bit blocks    uint8 codes around 128 and a scale for each block:            w = (code - 128) * scale
    8-bit channels  int8 codes and one scale for each row:                        w = code * scale

With 8-bit channels, activations are quantized to 8 bits as well, with one scale for all of them or one per
row. With the latter, the result of a row does not depend on the other rows.

Source: MatMulNBits, DynamicQuantizeMatMul, MatMulIntegerToFloat in ONNX Runtime's contrib operators (1.32).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from handy_qwen.convert.checkpoint import Float32
from handy_qwen.convert.presets import Precision
from handy_qwen.engine.api import Cancel
from handy_qwen.engine.qwen3.sessions import open_session, run

CONTRIB = "com.microsoft"
TO_THE_END = int(np.iinfo(np.int64).max)
"""The end of a slice without one."""
_OPSET, _CONTRIB_VERSION, _IR_VERSION = 20, 1, 10
_ALIGNMENT_BYTES = 4096
_INLINE_BYTES = 1024  # smaller tensors (shapes, norms of tiny models) stay in the graph's own file
_DTYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.int8): TensorProto.INT8,
    np.dtype(np.uint8): TensorProto.UINT8,
}
_HALF_BITS = np.uint8(4)
_PAIR = np.float32(127.999)  # just below 128, as a quotient may be rounded up
_PIECE_NUMBERS = 1 << 21  # quantized at once: bounds the memory for intermediate copies


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """x @ weights.T + bias before quantization, and the names of its values. Shapes (N, K) and (N,)."""

    form: Precision
    x: str
    weights: Float32
    bias: Float32 | None
    out: str

    @property
    def is_corrected(self) -> bool:
        """Whether the judge's correction is added; without a bias, the step would cost more than it gains."""
        return self.bias is not None or not self.form.is_by_row


Judge = Callable[["Graph", "Mark", Product], tuple[bool, Float32]]
"""Whether the product added since the mark is close enough, and its mean error with reversed sign (N,)."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A state of a graph to roll back to."""

    nodes: int
    initializers: int
    data_bytes: int
    forms: Counter[Precision]


class Graph:
    """A graph under construction. A context manager: leaving it closes the file of weights.

    Args:
        path: The .onnx file; its weights go to the same name with ``.data``.
        tensor: Reads a tensor of the checkpoint by name, for ``read``.
        prefix: Put in front of the names.
    """

    def __init__(self, path: Path, tensor: Callable[[str], Float32] | None = None, prefix: str = "") -> None:
        self.path = path
        self.judge: Judge | None = None
        """Called for each product; those that it rejects are written with more precision."""
        self.forms: Counter[Precision] = Counter()
        """How many products have which form."""
        self.multiplied: list[str] = []
        """The inputs of the products, in order."""
        self._tensor, self._prefix = tensor, prefix
        self._data_path = path.with_suffix(".data")
        self._data: BinaryIO = self._data_path.open("wb")
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._data.close()

    def mark(self) -> Mark:
        """The current state."""
        return Mark(len(self._nodes), len(self._initializers), self._data.tell(), self.forms.copy())

    def roll_back(self, mark: Mark) -> None:
        """Remove all nodes and weights added since ``mark``."""
        del self._nodes[mark.nodes :], self._initializers[mark.initializers :]
        self._data.seek(mark.data_bytes)
        self._data.truncate()
        self.forms = mark.forms.copy()

    def run_piece(
        self,
        mark: Mark,
        outputs: Sequence[str],
        feeds: Sequence[Mapping[str, npt.NDArray[Any]]],
        threads: int,
    ) -> list[list[npt.NDArray[Any]]]:
        """Run what was added since ``mark`` as a separate graph; EngineError if it cannot be run.

        ``feeds`` have, for each run, at least the values that it reads from before ``mark``. Returns, for
        each run, the values of ``outputs``, float32.
        """
        nodes = self._nodes[mark.nodes :]
        read = {name for node in nodes for name in node.input if name}
        made = {name for node in nodes for name in node.output}
        weights = [tensor for tensor in self._initializers if tensor.name in read]
        names = sorted(read - made - {tensor.name for tensor in weights})
        ports = [
            helper.make_tensor_value_info(name, _DTYPES[values.dtype], [None] * values.ndim)
            for name, values in ((name, feeds[0][name]) for name in names)
        ]
        results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        path = self.path.with_suffix(".piece.onnx")
        self._data.close()  # Windows cannot map a file that is open for writing
        try:
            _save(path, nodes, ports, results, weights)
            session = open_session(path, threads=threads)
            found = [run(session, {name: feed[name] for name in names}, Cancel(), outputs) for feed in feeds]
            del session  # nor truncate one that is mapped
        finally:
            path.unlink(missing_ok=True)
            self._data = self._data_path.open("r+b")
            self._data.seek(0, SEEK_END)
        return found

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

    def constant(self, name: str, values: npt.NDArray[Any]) -> str:
        """Add weights."""
        array = np.ascontiguousarray(values)
        if array.nbytes <= _INLINE_BYTES:
            self._initializers.append(onnx.numpy_helper.from_array(array, name))
            return name
        offset = append_aligned(self._data, array)
        return self.external(name, array.shape, array.dtype, file=self._data_path.name, offset_bytes=offset)

    def integers(self, values: Sequence[int]) -> str:
        """Add a list of integers (int64), unless it exists."""
        return self._shared(".".join(("integers", *map(str, values))), np.array(values, np.int64))

    def _shared(self, name: str, values: npt.NDArray[Any]) -> str:
        if all(tensor.name != name for tensor in self._initializers):
            self._initializers.append(onnx.numpy_helper.from_array(values, name))
        return name

    def external(
        self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike, *, file: str, offset_bytes: int
    ) -> str:
        """Refer to weights in ``file``, beside the graph."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        tensor = TensorProto(name=name, dims=shape, data_type=_DTYPES[np.dtype(dtype)])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", file), ("offset", offset_bytes), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
        self._initializers.append(tensor)
        return name

    def read(self, name: str) -> Float32:
        """The checkpoint's tensor ``name``; ModelCorruptError if it is missing or unreadable."""
        assert self._tensor is not None
        return self._tensor(f"{self._prefix}{name}")

    def weight(self, name: str) -> str:
        """Add the checkpoint's tensor ``name`` unquantized."""
        return self.constant(name, self.read(name))

    def linear(self, x: str, name: str, precision: Precision, *, has_bias: bool = False) -> str:
        """Compute x @ weight.T (+ bias) with the checkpoint's tensors."""
        bias = self.read(f"{name}.bias") if has_bias else None
        return self.product(x, self.read(f"{name}.weight"), name, precision, bias)

    def product(
        self, x: str, weights: Float32, name: str, precision: Precision, bias: Float32 | None = None
    ) -> str:
        """Compute x @ weights.T + bias with at least the given precision. Weights of shape (N, K)."""
        self.multiplied.append(x)
        forms = (precision,) if self.judge is None else precision.and_finer(weights.shape[1])
        mark = self.mark()
        for form in forms:
            self.roll_back(mark)
            parts, shape = self._quantized(weights, name, form), weights.shape
            multiply = partial(self._multiply, x=x, parts=parts, name=name, form=form, shape=shape)
            behind = self.mark()
            out = multiply(bias)
            if self.judge is None or form.bits == 32:
                break
            product = Product(form, x, weights, bias, out)
            is_near, correction = self.judge(self, mark, product)
            if is_near or form is forms[-1]:
                if product.is_corrected:
                    self.roll_back(behind)
                    out = multiply(correction if bias is None else bias + correction)
                break
        self.forms[form] += 1
        return out

    def _quantized(self, weights: Float32, name: str, form: Precision) -> list[str]:
        if form.bits == 32:
            return [self.constant(f"{name}.weight", weights.T)]
        if not form.block:
            return self.channels(weights, name)
        blocks = quantize_blocks(weights, bits=form.bits, block=form.block, is_symmetric=form.is_symmetric)
        names = [self.constant(f"{name}.codes", blocks.codes), self.constant(f"{name}.scales", blocks.scales)]
        return [*names, "" if blocks.zeros is None else self.constant(f"{name}.zeros", blocks.zeros)]

    def _multiply(
        self,
        bias: Float32 | None,
        *,
        x: str,
        parts: list[str],
        name: str,
        form: Precision,
        shape: tuple[int, ...],
    ) -> str:
        added = "" if bias is None else self.constant(f"{name}.bias", bias)
        if form.bits == 32:
            product = self.node("MatMul", [x, *parts], f"{name}.product" if added else f"{name}.out")
            return self.node("Add", [product, added], f"{name}.out") if added else product
        if form.block:
            return self.block_product(x, parts, name=name, shape=shape, precision=form, bias=added)
        if form.is_by_row:
            return self._row_product(x, parts, added, name)
        inputs = [x, *parts, "", added]
        return self.node("DynamicQuantizeMatMul", inputs if added else inputs[:-2], f"{name}.out", CONTRIB)

    def _row_product(self, x: str, parts: list[str], bias: str, name: str) -> str:
        """Compute x @ weights.T + bias, with a scale per row of x.

        Products of the same x quantize it once: ONNX Runtime merges equal nodes.
        """
        codes, scales = parts
        least = self._shared("rows.least", np.array([1e-30], np.float32))  # of a row of zeros
        step = self._shared("rows.step", np.array(1 / 127, np.float32))
        zero = self._shared("rows.zero", np.array(128, np.uint8))
        sizes = self.node("Abs", [x], f"{name}.sizes")
        largest = self.node("ReduceMax", [sizes, self.integers([-1])], f"{name}.largest", keepdims=1)
        largest = self.node("Max", [largest, least], f"{name}.row_scale")
        shares = self.node("Div", [x, largest], f"{name}.shares")
        quantized = self.node("QuantizeLinear", [shares, step, zero], f"{name}.rounded")
        inputs = [quantized, codes, step, scales, zero]
        product = self.node("MatMulIntegerToFloat", inputs, f"{name}.product", CONTRIB)
        scaled = self.node("Mul", [product, largest], f"{name}.scaled" if bias else f"{name}.out")
        return self.node("Add", [scaled, bias], f"{name}.out") if bias else scaled

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
        """Compute x @ weights.T + bias; ``names`` are codes, scales and zeros ("" for none)."""
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

    def remove(self) -> None:
        """Delete the graph's file of weights. The graph must have been closed."""
        self._data_path.unlink()

    def save(self) -> None:
        """Write the .onnx file."""
        self._data.flush()
        _save(self.path, self._nodes, self._inputs, self._outputs, self._initializers)


def _save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    initializers: Sequence[onnx.TensorProto],
) -> None:
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(CONTRIB, _CONTRIB_VERSION)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="handy-qwen")
    path.write_bytes(model.SerializeToString())


def append_aligned(file: BinaryIO, array: npt.NDArray[Any]) -> int:
    """Write ``array`` at the next multiple of a page; return that offset in bytes."""
    offset = -(-file.tell() // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
    file.write(bytes(offset - file.tell()))
    write_array(file, array)
    return offset


def write_array(file: BinaryIO, array: npt.NDArray[Any]) -> None:
    """Write ``array``. Unlike ``ndarray.tofile``, an OSError says what was wrong."""
    file.write(np.ascontiguousarray(array).data.cast("B"))


@dataclass(frozen=True, slots=True)
class Blocks:
    """Weights quantized in blocks along K.

    ``codes`` has shape (N, K / block, block * bits / 8), uint8, low half first; ``scales`` (N, K / block),
    float32; ``zeros`` (N, ceil(K / block / 2)), uint8, two to a byte, or None where the zero is 128, or 8
    with 4 bits.
    """

    codes: npt.NDArray[np.uint8]
    scales: Float32
    zeros: npt.NDArray[np.uint8] | None = None


def quantize_blocks(weights: Float32, *, bits: int, block: int, is_symmetric: bool = False) -> Blocks:
    """Quantize ``weights``, shape (N, K), to the nearest codes of 4 or 8 ``bits``, block by block.

    ``is_symmetric``: without zero points; 8 bits always are. ValueError if K is not a multiple of ``block``.
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
    """Quantize each row to signed 8 bits with its own scale. Codes (N, K), int8, and scales (N,), float32.

    Processors with AVX2 but without VNNI add two products of an unsigned activation and a signed weight in 16
    bits, which hold 255 * 128. The scale therefore keeps the codes 2 i and 2 i + 1 of a row together within
    128, so that no sum saturates: a quarter more error than codes up to 127 without saturation would have,
    and half of that of 7 bits.
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
    """Pack two 4-bit numbers into a byte, low half first."""
    packed: npt.NDArray[np.uint8] = halves[..., 0::2] | (halves[..., 1::2] << _HALF_BITS)
    return packed


def _nonzero(scales: npt.NDArray[np.floating]) -> Float32:
    """The scales, with 1 for a block of zeros: any would do, except 0."""
    return np.where(scales == 0, np.float32(1), scales).astype(np.float32)
