"""Recognizes a norm that is spelled out: x * 1 / sqrt(mean(x ^ 2) + epsilon), before its scale.

Exporters and the tools behind them write the root in four ways; all are followed from the product backwards.
"""

from __future__ import annotations

from handy_qwen.convert.onnx_file import Node, OnnxFile


class RmsNorms:
    """Looks for norms among the nodes of a graph."""

    def __init__(self, file: OnnxFile) -> None:
        """Note who makes each value."""
        self._makers = {name: node for node in file.nodes for name in node.outputs}

    def is_normalized(self, name: str) -> bool:
        """Whether the value ``name`` is another one, divided by the root of its mean square."""
        node = self._maker(name)
        if node is None or len(node.inputs) != 2:
            return False
        one, other = node.inputs
        if node.operator == "Div":
            return self._is_root(other, one)
        if node.operator == "Mul":
            return self._is_inverse_root(one, other) or self._is_inverse_root(other, one)
        return False

    def _is_inverse_root(self, name: str, of: str) -> bool:
        node = self._maker(name)
        if node is None:
            return False
        if node.operator == "Reciprocal":
            return self._is_root(node.inputs[0], of)
        if node.operator == "Div":  # 1 / root
            return self._is_root(node.inputs[1], of)
        return False

    def _is_root(self, name: str, of: str) -> bool:
        root = self._maker(name)
        if root is None or root.operator != "Sqrt":
            return False
        total = self._maker(root.inputs[0])
        if total is None or total.operator != "Add":
            return False
        return any(self._is_mean_square(part, of) for part in total.inputs)

    def _is_mean_square(self, name: str, of: str) -> bool:
        mean = self._maker(name)
        if mean is None or mean.operator != "ReduceMean":
            return False
        square = self._maker(mean.inputs[0])
        if square is None or square.operator not in {"Pow", "Mul"}:
            return False
        factors = square.inputs if square.operator == "Mul" else square.inputs[:1]
        return {self._uncast(factor) for factor in factors} == {self._uncast(of)}

    def _maker(self, name: str) -> Node | None:
        return self._makers.get(self._uncast(name))

    def _uncast(self, name: str) -> str:
        """The value before it was converted to another type."""
        node = self._makers.get(name)
        while node is not None and node.operator in {"Cast", "Identity"}:
            name = node.inputs[0]
            node = self._makers.get(name)
        return name
