"""What the weights of a graph do, and what each of them works on.

Names do not tell: exporters call a transposed weight ``onnx::MatMul_1234`` or ``val_44``, and tools that come
after them fuse and rename. The flow of data does. A graph is read from its inputs on, and of every value it
is noted where it comes from: the last operations with weights behind it, or inputs of the graph.

    x --norm a--> . --linear b--> .            operations   a of {x},  b of {a},  c of {x, b}
     `-------------- + ----------' --norm c-->

What carries no weights (softmax, reshaping, rotation by the position) is passed through, except that products
of two values and activations are noted, as queries and keys, and gate and up, differ in these alone. Whatever
is not known on the way of the data is an error: nothing is guessed.

Values that depend on positions and shapes only (masks, angles) come from nowhere and are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from handy_qwen.convert.onnx_constants import Constants
from handy_qwen.convert.onnx_file import Node, OnnxFile, Tensor
from handy_qwen.convert.onnx_rms import RmsNorms
from handy_qwen.convert.stored import DTYPES, Plain, RoundedBlocks, Stored
from handy_qwen.engine.reading import believing
from handy_qwen.errors import ModelCorruptError

Key = int | str
Origin = frozenset[Key]
"""Numbers of operations, and names of inputs. Empty for what depends on positions and shapes only."""

NO_ORIGIN: Origin = frozenset()
OTHER_FILES = "Give the float32 files of a published package, or the official checkpoint."
_DATA = {"mel", "input_ids", "input_embeds", "audio_features", "past_keys", "past_values"}
_OPERATORS = {"", "ai.onnx", "com.microsoft"}  # domains
_SHAPES = {"Shape", "Size"}
_PASSED = {
    *("Cast", "Identity", "Reshape", "Transpose", "Unsqueeze", "Squeeze", "Flatten", "Expand", "Slice"),
    *("Split", "Concat", "Pad", "Tile", "Gather", "ScatterElements", "ScatterND", "Softmax", "Where"),
    *("Pow", "Sqrt", "Reciprocal", "Neg", "ReduceMean", "Sub", "Div"),
}
_ARITHMETIC = {"Add", "Sub", "Mul", "Div", "Pow", "Where", "Concat"}  # a constant here could change the model
_ACTIVATIONS = {"Erf": "gelu", "Gelu": "gelu", "Sigmoid": "silu", "QuickGelu": "silu", "Swish": "silu"}
_ALPHA = {"QuickGelu": 1.702}  # where it is not given
_CONVOLUTION = {"strides": [2, 2], "pads": [1, 1, 1, 1]}


@dataclass(slots=True)
class Operation:
    """One with weights. ``kind`` is linear, norm, convolution or table."""

    kind: str
    weight: Stored
    origin: Origin
    bias: Stored | None = None


@dataclass(slots=True)
class Flow:
    """All that is known of a graph."""

    path: Path
    inputs: set[str] = field(default_factory=set)  # that carry data
    operations: list[Operation] = field(default_factory=list)
    products: set[tuple[Origin, Origin]] = field(default_factory=set)
    activations: set[tuple[str, Origin]] = field(default_factory=set)
    added: list[tuple[Origin, tuple[int, ...]]] = field(default_factory=list)  # constants that are no bias
    outputs: dict[str, Origin] = field(default_factory=dict)


def flow_of(file: OnnxFile) -> Flow:
    """Follow the data through the graph.

    Raises:
        ModelCorruptError: It has an operation that is not known on the data's way, or weights in a form that
            is not.
    """
    return _Follower(file).follow()


class _Follower:
    """Reads one graph, node by node."""

    def __init__(self, file: OnnxFile) -> None:
        self._file = file
        self._flow = Flow(file.path)
        self._constants = Constants(file)
        self._norms = RmsNorms(file)
        self._origins: dict[str, Origin] = {
            name: frozenset([name]) for name in file.inputs if name in _DATA and name not in file.constants
        }
        self._flow.inputs = set(self._origins)
        self._linear: dict[str, Operation] = {}  # value -> what made it, as long as a bias may follow
        self._special: dict[str, Callable[[Node], None]] = {
            "MatMul": self._product,
            "FusedMatMul": self._product,
            "Gemm": self._product,
            "MatMulNBits": self._rounded_product,
            "Conv": self._convolution,
            "LayerNormalization": self._norm,
            "SimplifiedLayerNormalization": self._norm,
            "RMSNormalization": self._norm,
            "SkipLayerNormalization": self._norm_of_sum,
            "SkipSimplifiedLayerNormalization": self._norm_of_sum,
            "Add": self._sum,
            "Mul": self._scaling,
            "Gather": self._selection,
            "BiasGelu": self._bias_and_activation,
            "If": self._choice,
        }

    def follow(self) -> Flow:
        """Read all nodes."""
        with believing(self._file.path, "it has an operation that lacks an input or a result", OTHER_FILES):
            for node in self._file.nodes:
                if node.operator not in _SHAPES and not self._constants.fold(node):
                    self._visit(node)
        self._flow.outputs = {name: self._origin(name) for name in self._file.outputs}
        return self._flow

    def _visit(self, node: Node) -> None:
        if not self._together(node) and node.operator != "If":
            return
        if node.domain not in _OPERATORS:
            self._refuse(f"it has an operator {node.domain}:{node.operator}, which is not known here")
        if node.operator in self._special:
            self._special[node.operator](node)
        elif node.operator in _ACTIVATIONS:
            alpha = node.numbers.get("alpha", _ALPHA.get(node.operator, 1.0))
            if alpha != 1.0 or node.words.get("approximate", "none") != "none":
                self._refuse(f"it has a {node.operator} of another kind ({node.name})")
            self._flow.activations.add((_ACTIVATIONS[node.operator], self._together(node)))
            self._pass(node)
        elif node.operator in _PASSED:
            self._pass(node)
        else:
            self._refuse(
                f"it has an operator {node.operator} ({node.name}), which the published graphs in float32,"
                " float16 or blocks of 4 or 8 bits have not"
            )

    def _pass(self, node: Node) -> None:
        """The results come from where the inputs do."""
        origin = self._together(node)
        if node.operator in _ARITHMETIC:
            for name in node.inputs:
                self._note_constant(name, origin)
        for name in node.outputs:
            self._origins[name] = origin
        if node.operator in {"Cast", "Identity"} and node.inputs[0] in self._linear:
            self._linear[node.outputs[0]] = self._linear[node.inputs[0]]

    def _note_constant(self, name: str, origin: Origin) -> None:
        """Numbers change a value in one way; a vector or a matrix of them might be weights."""
        constant = self._constants.find(name)
        if constant is not None and constant.size != 1:
            self._flow.added.append((origin, constant.shape))

    def _product(self, node: Node) -> None:
        left, right = node.inputs[:2]
        if self._constants.find(right) is None:
            if self._constants.find(left) is not None:
                self._refuse(f"it has weights to the left of a product ({node.name})")
            if self._origin(left) and self._origin(right):
                self._flow.products.add((self._origin(left), self._origin(right)))
            self._pass(node)
            return
        plain = {"alpha": 1.0, "beta": 1.0, "transA": 0.0, "transBatchA": 0.0, "transBatchB": 0.0}
        if any(node.numbers.get(name, value) != value for name, value in plain.items()):
            self._refuse(f"it has a product of another kind ({node.name})")
        weight = self._matrix(node, right)
        if not node.numbers.get("transB"):  # (inputs, outputs) where the checkpoint has (outputs, inputs)
            weight = replace(weight, is_transposed=not weight.is_transposed)
        self._add_linear(node, weight, node.inputs[2] if len(node.inputs) > 2 else "")

    def _rounded_product(self, node: Node) -> None:
        codes, scales, zeros, order, bias = [*node.inputs[1:], "", "", "", "", ""][:5]
        numbers = {name: int(node.numbers.get(name, 0)) for name in ("N", "K", "bits", "block_size")}
        rows, columns, bits, block = numbers.values()
        if order or bits not in {4, 8} or block < 2 or block % 2 or min(rows, columns) < 1:
            self._refuse(f"it has rounded weights of another kind ({node.name})")
        blocks = -(-columns // block)
        sizes = {codes: rows * blocks * block * bits // 8, scales: rows * blocks}
        sizes |= {zeros: rows * -(-blocks * bits // 8)} if zeros else {}
        parts = {name: self._tensor(node, name, "" if name == scales else "U8") for name in sizes}
        if any(parts[name].size != size for name, size in sizes.items()):
            self._refuse(f"its rounded weights {codes} have other sizes than they should have")
        places = {name: Plain(t.path, t.offset_bytes, t.dtype, t.shape) for name, t in parts.items()}
        stored = RoundedBlocks(
            places[codes], places[scales], places.get(zeros), (rows, columns), bits=bits, block=block
        )
        self._add_linear(node, stored, bias)

    def _add_linear(self, node: Node, weight: Stored, bias: str) -> None:
        origin = self._origin(node.inputs[0])
        if not origin:
            self._refuse(f"it has weights that work on no data ({node.name})")
        operation = self._add(node, Operation("linear", weight, origin))
        if bias and self._constants.find(bias) is not None:
            operation.bias = self._vector(node, bias)
        elif bias:  # an addition that was fused with the product
            self._origins[node.outputs[0]] |= self._origin(bias)
        else:
            self._linear[node.outputs[0]] = operation

    def _convolution(self, node: Node) -> None:
        data, weight, bias = [*node.inputs, ""][:3]
        is_ours = all(node.lists.get(name) == value for name, value in _CONVOLUTION.items())
        is_ours &= node.words.get("auto_pad", "NOTSET") == "NOTSET"
        if not is_ours or node.numbers.get("group", 1) != 1 or set(node.lists.get("dilations", [1])) != {1}:
            self._refuse(f"it has a convolution of another kind ({node.name})")
        operation = Operation("convolution", self._plain(node, weight), self._origin(data))
        operation.bias = self._vector(node, bias)
        self._add(node, operation)

    def _norm(self, node: Node) -> None:
        operation = Operation("norm", self._vector(node, node.inputs[1]), self._origin(node.inputs[0]))
        if len(node.inputs) > 2 and node.inputs[2]:
            operation.bias = self._vector(node, node.inputs[2])
        self._add(node, operation)

    def _norm_of_sum(self, node: Node) -> None:
        """The norm of two values' sum, and perhaps of a bias, and the sum itself as the fourth result."""
        is_simple = node.operator == "SkipSimplifiedLayerNormalization"
        one, other, scale, *rest = [*node.inputs, "", ""]
        shift, bias = ("", rest[0]) if is_simple else rest[:2]
        if bias:
            self._give_bias(node, [one, other], bias)
        origin = self._origin(one) | self._origin(other)
        operation = Operation("norm", self._vector(node, scale), origin)
        operation.bias = self._vector(node, shift) if shift else None
        self._add(node, operation)
        if len(node.outputs) > 3:
            self._origins[node.outputs[3]] = origin

    def _sum(self, node: Node) -> None:
        for value, other in (node.inputs, node.inputs[::-1]):
            constant = self._constants.find(other)
            made = self._linear.get(value)
            if constant and made and constant.shape == made.weight.shape[:1] and constant.size > 1:
                self._give_bias(node, [value], other)
                self._origins[node.outputs[0]] = self._origin(value)
                return
        self._pass(node)

    def _scaling(self, node: Node) -> None:
        for value, other in (node.inputs, node.inputs[::-1]):
            constant = self._constants.find(other)
            if constant is not None and constant.size > 1 and self._norms.is_normalized(value):
                self._add(node, Operation("norm", self._vector(node, other), self._origin(value)))
                return
        self._pass(node)

    def _selection(self, node: Node) -> None:
        """Rows of the embedding; of another table it would be weights that nobody knows."""
        table, indices = node.inputs
        if self._constants.find(table) is None:
            self._pass(node)
        elif self._origin(indices) == {"input_ids"} and not node.numbers.get("axis"):
            self._add(node, Operation("table", self._matrix(node, table), self._origin(indices)))
        else:
            self._refuse(f"it has a table that is not the embedding ({node.name})")

    def _bias_and_activation(self, node: Node) -> None:
        value, bias = node.inputs
        self._give_bias(node, [value], bias)
        self._flow.activations.add(("gelu", self._origin(value)))
        self._origins[node.outputs[0]] = self._origin(value)

    def _choice(self, node: Node) -> None:
        """Of two ways to say the same, such as a dimension of 1 taken away if it is there."""
        taken = {name for inner in node.branches for name in inner.inputs}
        origin = NO_ORIGIN.union(*(self._origin(name) for name in taken))
        if origin and not {inner.operator for inner in node.branches} <= {"Identity", "Squeeze", "Constant"}:
            self._refuse(f"it chooses between two ways ({node.name})")
        for name in node.outputs:
            self._origins[name] = origin

    def _give_bias(self, node: Node, values: list[str], bias: str) -> None:
        """The bias belongs to the one product among ``values`` that has none yet."""
        made = [self._linear[name] for name in values if name in self._linear]
        made = [operation for operation in made if operation.bias is None]
        if len(made) != 1:
            self._refuse(f"it has a bias without a product that it belongs to ({node.name})")
        made[0].bias = self._vector(node, bias)

    def _add(self, node: Node, operation: Operation) -> Operation:
        self._origins[node.outputs[0]] = frozenset([len(self._flow.operations)])
        self._flow.operations.append(operation)
        return operation

    def _origin(self, name: str) -> Origin:
        return self._origins.get(name, NO_ORIGIN)

    def _together(self, node: Node) -> Origin:
        return NO_ORIGIN.union(*(self._origin(name) for name in node.inputs))

    def _vector(self, node: Node, name: str) -> Plain:
        vector = self._plain(node, name)
        if len(vector.shape) != 1:
            self._refuse(f"its weights {name} have the shape {vector.shape} where a vector belongs")
        return vector

    def _matrix(self, node: Node, name: str) -> Plain:
        matrix = self._plain(node, name)
        if len(matrix.shape) != 2:
            self._refuse(f"its weights {name} have the shape {matrix.shape} where a matrix belongs")
        return matrix

    def _plain(self, node: Node, name: str) -> Plain:
        tensor, constant = self._tensor(node, name, ""), self._constants.find(name)
        assert constant is not None  # or there were no tensor
        stored = constant.shape[::-1] if constant.is_transposed else constant.shape
        return Plain(tensor.path, tensor.offset_bytes, tensor.dtype, stored, constant.is_transposed)

    def _tensor(self, node: Node, name: str, dtype: str) -> Tensor:
        """A tensor of the file, of the type ``dtype``, or of any that weights may have."""
        constant = self._constants.find(name)
        if constant is None:
            self._refuse(f"the weights {name} of {node.operator} ({node.name}) are missing")
        if constant.tensor.dtype not in ({dtype} if dtype else DTYPES):
            self._refuse(f"its weights {name} are of a type that is not known here")
        return constant.tensor

    def _refuse(self, problem: str) -> NoReturn:
        raise ModelCorruptError(self._file.path, problem, OTHER_FILES)
