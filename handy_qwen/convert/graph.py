"""Writes one ONNX graph and streams its weights into a file beside it.

Weights go to disk as they are added, so that only one tensor is in memory at a time. Offsets are multiples
of a page, which lets ONNX Runtime map them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from handy_qwen.convert.presets import Precision
from handy_qwen.convert.quantize import quantize_blocks, quantize_channels

CONTRIB = "com.microsoft"
_OPSET, _CONTRIB_VERSION, _IR_VERSION = 20, 1, 10
_ALIGNMENT_BYTES = 4096
_INLINE_BYTES = 1024  # smaller tensors (shapes, norms of tiny models) stay in the graph's own file
_DTYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int8): TensorProto.INT8,
    np.dtype(np.uint8): TensorProto.UINT8,
}


def append_aligned(file: BinaryIO, array: npt.NDArray[Any]) -> int:
    """Write ``array`` at the next multiple of a page; return where that is, in bytes."""
    offset = -(-file.tell() // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
    file.write(bytes(offset - file.tell()))
    array.tofile(file)
    return offset


class Graph:
    """A graph under construction. A context manager: leaving it closes the file of weights."""

    def __init__(self, path: Path) -> None:
        """``path`` is the .onnx file to be; its weights go to the same name with ``.data``."""
        self.path = path
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
        else:
            offset = append_aligned(self._data, array)
            self._reference(name, array.shape, array.dtype, file=self._data_path.name, offset_bytes=offset)
        return name

    def external(
        self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike, *, file: str, offset_bytes: int
    ) -> str:
        """Refer to weights that already lie in ``file``, beside the graph."""
        self._reference(name, shape, np.dtype(dtype), file=file, offset_bytes=offset_bytes)
        return name

    def linear(
        self, x: str, weights: npt.NDArray[np.float32], name: str, precision: Precision, bias: str = ""
    ) -> str:
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

    def channels(self, weights: npt.NDArray[np.float32], name: str) -> list[str]:
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
            accuracy_level=4,  # activations are rounded to int8 as well, which the fast kernels need
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

    def _reference(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], *, file: str, offset_bytes: int
    ) -> None:
        size = int(np.prod(shape)) * dtype.itemsize
        tensor = TensorProto(name=name, dims=shape, data_type=_DTYPES[dtype])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", file), ("offset", offset_bytes), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
        self._initializers.append(tensor)
