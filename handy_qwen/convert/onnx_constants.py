"""The constants of a graph, also those that are made of others without a look at their numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from handy_qwen.convert.onnx_file import Node, OnnxFile, Tensor

_FLAT = {"Reshape", "Unsqueeze", "Squeeze", "Flatten"}


@dataclass(frozen=True, slots=True)
class Constant:
    """Numbers that lie in the file. ``shape`` is that of the value, turned or not."""

    tensor: Tensor
    shape: tuple[int, ...]
    is_transposed: bool = False

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


class Constants:
    """What is known of a graph's constants, node by node."""

    def __init__(self, file: OnnxFile) -> None:
        """The constants of ``file`` to begin with; ``fold`` adds others."""
        self._known = {name: Constant(tensor, tensor.shape) for name, tensor in file.constants.items()}
        self._made: set[str] = set()  # of constants, but by a computation

    def find(self, name: str) -> Constant | None:
        """The constant behind the value ``name``; None if it is none, or was computed."""
        return self._known.get(name)

    def fold(self, node: Node) -> bool:
        """Whether ``node`` gives a constant. To be asked of every node, in order."""
        taken = [name for name in node.inputs if name]
        if node.operator == "Constant":
            for tensor in node.tensors.values():
                self._known[node.outputs[0]] = Constant(tensor, tensor.shape)
        elif not taken or not all(name in self._known or name in self._made for name in taken):
            return False
        elif taken[0] in self._known:
            folded = _folded(node, self._known[taken[0]])
            if folded:
                self._known[node.outputs[0]] = folded
                return True
        self._made.update(node.outputs)
        return True


def _folded(node: Node, constant: Constant) -> Constant | None:
    """What ``node`` makes of ``constant``; None if it is not the same numbers any more."""
    if node.operator in {"Identity", "Cast"}:
        return constant
    if node.operator == "Transpose" and len(constant.shape) == 2:
        if node.lists.get("perm", [1, 0]) != [1, 0]:
            return constant
        return replace(constant, shape=constant.shape[::-1], is_transposed=not constant.is_transposed)
    if node.operator in _FLAT and max(constant.shape, default=1) == constant.size:
        return replace(constant, shape=(constant.size,))  # one dimension is all that matters of a vector
    return None
