"""An .onnx file as nodes and tensors, without its weights: of these only the places are noted.

A graph that holds its weights itself has a gigabyte, so the file is mapped and all but a few bytes of each
tensor skipped; the weights are read later, with ordinary reads (see stored.py).

Source: onnx.proto of ONNX 1.17 (numbers of the fields and of the types).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from handy_qwen.engine.protobuf import (
    NotAMessageError,
    as_bytes,
    as_integer,
    as_integers,
    as_text,
    fields,
    place_in,
)
from handy_qwen.engine.published_graph import AGAIN
from handy_qwen.errors import ModelCorruptError, ModelMissingError

_TYPES = {1: "F32", 2: "U8", 3: "I8", 6: "I32", 7: "I64", 10: "F16", 11: "F64", 16: "BF16"}
_ITEM_BYTES = {"F32": 4, "U8": 1, "I8": 1, "I32": 4, "I64": 8, "F16": 2, "F64": 8, "BF16": 2}
_EXTERNAL = 1  # TensorProto.DataLocation
_MOST_NODES = 100_000  # of the largest known graph 3,000
_MOST_NUMBERS = 1 << 40


@dataclass(frozen=True, slots=True)
class Tensor:
    """A constant, and where its numbers lie. ``dtype`` is "" for a type, or a form, that no weight has."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    offset_bytes: int

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(slots=True)
class Node:
    """An operation. ``branches`` are the nodes of the graphs in its attributes."""

    operator: str
    name: str = ""
    domain: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[int]] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    branches: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class OnnxFile:
    """The contents of the file ``path``, nodes in an order in which they can be computed."""

    path: Path
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Tensor] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


def read_onnx(path: Path) -> OnnxFile:
    """Read ``path``, all but its weights.

    Raises:
        ModelMissingError: A file with weights is not there.
        ModelCorruptError: It is no ONNX graph, or tells what cannot be.
    """
    try:
        content = np.memmap(path, np.uint8, "r").data
        file = OnnxFile(path)
        graphs = [value for number, value in fields(content) if number == 7]
        if len(graphs) != 1:
            raise NotAMessageError
        _Reader(path, content).read(as_bytes(graphs[0]), file)
        _check_complete(file)
        file.nodes = list(_in_order(file))
    except OSError as exc:
        raise ModelCorruptError(path, f"it cannot be read ({exc.strerror})", "Check the path.") from exc
    except ValueError as exc:
        raise ModelCorruptError(path, "it is not an ONNX graph, or cut short", AGAIN) from exc
    return file


def _check_complete(file: OnnxFile) -> None:
    """Every value that is taken must come from somewhere, and from one place only."""
    made = [name for node in file.nodes for name in node.outputs if name]
    if len(set(made)) < len(made):
        raise NotAMessageError("a value is made twice")
    known = {"", *file.constants, *file.inputs, *(name for node in file.nodes for name in node.outputs)}
    for node in file.nodes:
        for name in node.inputs:
            if name not in known:
                raise ModelCorruptError(file.path, f"its tensor {name} is missing", AGAIN)


def _in_order(file: OnnxFile) -> Iterator[Node]:
    """The nodes, each behind those whose results it takes: not every tool that writes graphs sorts them."""
    made = {name for node in file.nodes for name in node.outputs if name}
    waiting: dict[str, list[int]] = {}
    missing = [0] * len(file.nodes)
    for index, node in enumerate(file.nodes):
        taken = {*node.inputs, *(name for inner in node.branches for name in inner.inputs)}
        for name in taken & made:
            waiting.setdefault(name, []).append(index)
            missing[index] += 1
    ready = [index for index in reversed(range(len(missing))) if not missing[index]]
    count = 0
    while ready:
        node = file.nodes[ready.pop()]
        count += 1
        yield node
        for name in node.outputs:
            for index in waiting.pop(name, []):
                missing[index] -= 1
                if not missing[index]:
                    ready.append(index)
    if count < len(missing):
        raise NotAMessageError("its nodes wait for each other")


class _Reader:
    """Reads the messages of one file."""

    def __init__(self, path: Path, content: memoryview) -> None:
        self._path = path
        self._content = content
        self._nodes = 0

    def read(self, graph: memoryview, file: OnnxFile) -> None:
        """GraphProto: 1 node, 5 initializer, 11 input, 12 output."""
        for number, value in fields(graph):
            if number == 1:
                file.nodes.append(self._node(as_bytes(value)))
            elif number == 5:
                tensor = self._tensor(as_bytes(value))
                file.constants[tensor.name] = tensor
                self._count()
            elif number in {11, 12}:
                names = [as_text(part) for key, part in fields(as_bytes(value)) if key == 1]
                (file.inputs if number == 11 else file.outputs).extend(names)

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise NotAMessageError("there are far too many")

    def _node(self, content: memoryview, *, is_inner: bool = False) -> Node:
        """NodeProto: 1 input, 2 output, 3 name, 4 op_type, 5 attribute, 7 domain."""
        self._count()
        node = Node("")
        for number, value in fields(content):
            if number == 1:
                node.inputs.append(as_text(value))
            elif number == 2:
                node.outputs.append(as_text(value))
            elif number == 3:
                node.name = as_text(value)
            elif number == 4:
                node.operator = as_text(value)
            elif number == 5:
                self._attribute(as_bytes(value), node, is_inner=is_inner)
            elif number == 7:
                node.domain = as_text(value)
        return node

    def _attribute(self, content: memoryview, node: Node, *, is_inner: bool) -> None:
        """AttributeProto: 1 name, 2 f, 3 i, 4 s, 5 t, 6 g, 8 ints."""
        parts = list(fields(content))
        name = next((as_text(value) for number, value in parts if number == 1), "")
        for number, value in parts:
            if number == 2:
                node.numbers[name] = float(np.frombuffer(as_bytes(value), "<f4")[0])
            elif number == 3:
                node.numbers[name] = float(_signed(as_integer(value)))
            elif number == 4:
                node.words[name] = bytes(as_bytes(value)).decode(errors="replace")
            elif number == 5:
                node.tensors[name] = self._tensor(as_bytes(value))
            elif number == 8:
                node.lists.setdefault(name, []).extend(_signed(entry) for entry in as_integers(value))
            elif number == 6 and not is_inner:  # a graph within a graph within: none of ours
                inner = [as_bytes(part) for key, part in fields(as_bytes(value)) if key == 1]
                node.branches += [self._node(part, is_inner=True) for part in inner]

    def _tensor(self, content: memoryview) -> Tensor:
        """TensorProto: 1 dims, 2 type, 4 float_data, 8 name, 9 raw_data, 13 external_data, 14 location."""
        name, shape, kind, location = "", [], 0, 0
        inside: memoryview | None = None
        entries: dict[str, str] = {}
        for number, value in fields(content):
            if number == 1:
                shape += as_integers(value)
            elif number == 2:
                kind = as_integer(value)
            elif number == 8:
                name = as_text(value)
            elif number in {4, 9}:  # packed floats lie there as they do in raw data
                inside = as_bytes(value)
            elif number == 13:
                entry = {key: as_text(part) for key, part in fields(as_bytes(value))}
                entries[entry.get(1, "")] = entry.get(2, "")
            elif number == 14:
                location = as_integer(value)
        dtype = _TYPES.get(kind, "")
        if math.prod(max(1, size) for size in shape) > _MOST_NUMBERS:
            raise NotAMessageError
        size_bytes = math.prod(shape) * _ITEM_BYTES.get(dtype, 0)
        if location == _EXTERNAL:
            path, offset = self._beside(entries, size_bytes)
            return Tensor(name, dtype, tuple(shape), path, offset)
        if inside is None or len(inside) != size_bytes:
            dtype = ""  # small integers of shapes come in other forms; of weights that would be an error
        offset = place_in(self._content, inside) if inside is not None else 0
        return Tensor(name, dtype, tuple(shape), self._path, offset)

    def _beside(self, entries: dict[str, str], size_bytes: int) -> tuple[Path, int]:
        """Place of a tensor in a file beside the graph, which must be long enough."""
        location, offset = entries.get("location", ""), int(entries.get("offset", 0))
        if not location or Path(location).name != location:
            raise ModelCorruptError(self._path, "it looks for weights outside its own folder", AGAIN)
        path = self._path.parent / location
        if not path.is_file():
            raise ModelMissingError(path, AGAIN)
        found = path.stat().st_size
        if offset < 0 or found < offset + size_bytes:
            raise ModelCorruptError(
                path, f"it has {found} bytes where {self._path.name} needs {offset + size_bytes}", AGAIN
            )
        return path, offset


def _signed(value: int) -> int:
    """Negative integers are stored as if they were of 64 bits without sign."""
    return value - (1 << 64) if value >= 1 << 63 else value
