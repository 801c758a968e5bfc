"""What an .onnx file says of itself, read before ONNX Runtime opens it.

A package of two gigabytes is put together by hand or by an interrupted download often enough: a data file
is missing, cut short, or that of another model. ONNX Runtime tells this late and in its own words, so the
inputs, the outputs and the places of the weights are read here from the file itself. Only the few fields
needed are looked at; weights are skipped, not read.

Source: onnx.proto of ONNX 1.17 (numbers of the fields), the protocol buffers encoding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from handy_qwen.engine.qwen3.protobuf import (
    NotAMessageError,
    as_bytes,
    as_integer,
    as_integers,
    as_text,
    fields,
)
from handy_qwen.errors import ModelCorruptError, ModelMissingError

DOWNLOAD_AGAIN = "Download the package again, with all of its files."

FLOAT, INT64 = 1, 7  # TensorProto.DataType
_BITS = {FLOAT: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, INT64: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 16: 16}
_BITS |= {21: 4, 22: 4}  # UINT4, INT4
_NAMES = {FLOAT: "float32", INT64: "int64", 10: "float16"}
_EXTERNAL = 1  # TensorProto.DataLocation
_LFS = b"version https://git-lfs"

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph. ``shape`` has None where a size is free; it is None if not stated."""

    dtype: int
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class ExternalTensor:
    """Weights that lie in a file beside the graph. Sizes in bytes."""

    location: str
    offset: int
    size: int


@dataclass(slots=True)
class GraphFacts:
    """What can be known of a graph without its weights."""

    inputs: dict[str, Port] = field(default_factory=dict)
    outputs: dict[str, Port] = field(default_factory=dict)
    initializers: set[str] = field(default_factory=set)
    external: list[ExternalTensor] = field(default_factory=list)


def read_graph(path: Path) -> GraphFacts:
    """Read the facts from an .onnx file.

    Raises:
        ModelMissingError: There is no such file.
        ModelCorruptError: It is not an ONNX graph, or not all of one.
    """
    if not path.is_file():
        raise ModelMissingError(path, DOWNLOAD_AGAIN)
    if path.stat().st_size == 0:
        raise ModelCorruptError(path, "it is empty", DOWNLOAD_AGAIN)
    content = np.memmap(path, np.uint8, "r").data
    if bytes(content[: len(_LFS)]) == _LFS:
        raise ModelCorruptError(
            path, "it is a Git LFS pointer, not the file itself", "Run `git lfs pull` there, or download it."
        )
    facts = GraphFacts()
    try:
        _read_graph(_graph_of(content), facts)
    except ValueError as exc:
        raise ModelCorruptError(path, "it is not an ONNX graph, or cut short", DOWNLOAD_AGAIN) from exc
    return facts


def check_weights(path: Path, facts: GraphFacts) -> None:
    """See that the files with the weights of a graph are there and long enough.

    Raises:
        ModelMissingError: A data file is not there.
        ModelCorruptError: A data file is too short, or the graph names one outside its folder.
    """
    needed: dict[str, int] = {}
    for tensor in facts.external:
        needed[tensor.location] = max(needed.get(tensor.location, 0), tensor.offset + tensor.size)
    for location, size in needed.items():
        data = path.parent / location
        if not location or Path(location).name != location:
            raise ModelCorruptError(path, "it looks for weights outside its own folder", DOWNLOAD_AGAIN)
        if not data.is_file():
            raise ModelMissingError(data, DOWNLOAD_AGAIN)
        found = data.stat().st_size
        if found < size:
            raise ModelCorruptError(
                data, f"it has {found} bytes where {path.name} needs {size}", DOWNLOAD_AGAIN
            )


def check_ports(
    path: Path, facts: GraphFacts, inputs: Mapping[str, Port], outputs: Mapping[str, Port]
) -> None:
    """See that a graph has the inputs and outputs expected of it, in their types and sizes.

    Raises:
        ModelCorruptError: It has not: it is another kind of graph, or that of another model.
    """
    wanted = {name for name in facts.inputs if name not in facts.initializers}
    for name in sorted(wanted - set(inputs)):
        raise ModelCorruptError(path, f"it wants an input {name} that is not known here", DOWNLOAD_AGAIN)
    for kind, expected, found in (("input", inputs, facts.inputs), ("output", outputs, facts.outputs)):
        for name, port in expected.items():
            if name not in found:
                raise ModelCorruptError(
                    path, f"it has no {kind} {name}, so it is another kind of graph", DOWNLOAD_AGAIN
                )
            problem = _difference(port, found[name])
            if problem:
                raise ModelCorruptError(path, f"its {kind} {name} has {problem}", DOWNLOAD_AGAIN)


def _difference(expected: Port, found: Port) -> str:
    """What is wrong with ``found``; empty if nothing."""
    if found.dtype != expected.dtype:
        return f"the type {_NAMES.get(found.dtype, found.dtype)} and not {_NAMES[expected.dtype]}"
    if found.shape is None or expected.shape is None:
        return ""
    pairs = zip(expected.shape, found.shape, strict=False)
    if len(expected.shape) == len(found.shape) and all(a == b for a, b in pairs if None not in {a, b}):
        return ""
    return "sizes that are not those of config.json"


def _graph_of(model: memoryview) -> memoryview:
    """ModelProto: 7 graph."""
    graphs = [value for number, value in fields(model) if number == 7]
    if len(graphs) != 1:
        raise NotAMessageError
    return as_bytes(graphs[0])


def _read_graph(graph: memoryview, facts: GraphFacts) -> None:
    """GraphProto: 5 initializer, 11 input, 12 output."""
    for number, value in fields(graph):
        if number == 5:
            _read_tensor(as_bytes(value), facts)
        elif number in {11, 12}:
            name, port = _read_port(as_bytes(value))
            (facts.inputs if number == 11 else facts.outputs)[name] = port


def _read_tensor(tensor: memoryview, facts: GraphFacts) -> None:
    """TensorProto: 1 dims, 2 data_type, 8 name, 13 external_data, 14 data_location."""
    dims: list[int] = []
    dtype = location = 0
    entries: dict[str, str] = {}
    for number, value in fields(tensor):
        if number == 1:
            dims += as_integers(value)
        elif number == 2:
            dtype = as_integer(value)
        elif number == 8:
            facts.initializers.add(as_text(value))
        elif number == 13:
            entry = {key: as_text(part) for key, part in fields(as_bytes(value))}
            entries[entry.get(1, "")] = entry.get(2, "")
        elif number == 14:
            location = as_integer(value)
    if location != _EXTERNAL:
        return
    stated = int(entries.get("length", 0))
    size = -(-math.prod(dims) * _BITS[dtype] // 8) if dtype in _BITS else stated
    offset = int(entries.get("offset", 0))
    facts.external.append(ExternalTensor(entries.get("location", ""), offset, max(size, stated)))


def _read_port(info: memoryview) -> tuple[str, Port]:
    """ValueInfoProto: 1 name, 2 type; TypeProto: 1 tensor_type; Tensor: 1 elem_type, 2 shape."""
    name, dtype = "", 0
    shape: Shape | None = None
    for number, value in fields(info):
        if number == 1:
            name = as_text(value)
        elif number == 2:
            for _, tensor_type in fields(as_bytes(value)):
                for part, content in fields(as_bytes(tensor_type)):
                    if part == 1:
                        dtype = as_integer(content)
                    elif part == 2:
                        shape = tuple(_read_size(as_bytes(dim)) for _, dim in fields(as_bytes(content)))
            break
    return name, Port(dtype, shape)


def _read_size(dimension: memoryview) -> int | None:
    """Dimension: 1 dim_value; anything else is a name, so the size is free."""
    return next((as_integer(value) for number, value in fields(dimension) if number == 1), None)
