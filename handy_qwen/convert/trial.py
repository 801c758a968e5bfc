"""Runs the layers of a package in the making beside the same layers in float32, on check speech.

Each layer is written twice, by the same code: in float32, into a graph that holds nothing else, and as the
package will have it. Both run on what the layers before them made of the speech. In between,

    loud channels   are found among the values of the float32 layer and folded (folding.py);
    each product    is run alone on those values. If it is off by more than ``PRODUCT_LIMIT``, it is written
                    again in the next finer form.

So no more than a layer is in memory, and what is judged is what is on the disk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from handy_qwen.convert.checkpoint import Float32
from handy_qwen.convert.folding import FoldedTensors, PlainTensors
from handy_qwen.convert.graph import Graph, Mark, Product, Verdict
from handy_qwen.convert.presets import PRESETS, Preset
from handy_qwen.errors import ConversionError
from handy_qwen.message import Message

PRODUCT_LIMIT = 0.025
"""Largest error of one product, relative. With a scale per channel it is 1.4 % on Gaussian numbers; where it
is much more, a channel is so loud that it leaves the others too few steps."""
ROWS_LIMIT = 0.016
"""The same where activations have a scale for each row: 1.2 % on Gaussian numbers. It is stricter because the
finer form costs little in a step, and because all of the decoder takes it if the logits are too far off."""
_JUDGED, _ROWS = 6, 104  # pieces of speech that a product is judged by, and rows of each
Values = dict[str, npt.NDArray[Any]]


class TooCoarseError(Exception):
    """A graph was given up, because a value in it is ``error`` off already."""

    def __init__(self, error: float) -> None:
        super().__init__(error)
        self.error = error


@dataclass(slots=True)
class Case:
    """A piece of speech. Values by their names in the graphs, of the float32 model and of the package."""

    exact: Values
    rounded: Values
    fixed: Values = field(default_factory=dict)  # of both, as masks and lengths


@dataclass(frozen=True, slots=True)
class Fold:
    """A place where loud channels can be folded. Names without the graph's prefix; see FoldedTensors.fold."""

    value: str
    written: tuple[str, ...]
    read: tuple[str, ...]
    heads: tuple[int, int] = (1, 1)
    is_shifted: bool = False  # by the last of ``written``, a bias; all that read have one, too


Outputs = TypeVar("Outputs", bound=Sequence[str])


class Trial:
    """Writes a graph part by part, each beside its float32 form. Without cases, it only writes."""

    def __init__(
        self,
        graph: Graph,
        tensors: FoldedTensors,
        preset: Preset,
        cases: Sequence[Case] = (),
        *,
        prefix: str = "",
        threads: int = 1,
    ) -> None:
        """Begin.

        Args:
            graph: The package's. Reads from ``tensors``.
            tensors: Those of the checkpoint.
            preset: How precisely to write each part, at least.
            cases: What the first part reads. After each part, they hold what it returned.
            prefix: That of ``graph``.
            threads: For sessions.
        """
        self._graph, self._tensors, self._preset = graph, tensors, preset
        self.taken = preset
        """What the last part was written as."""
        self._cases, self._prefix, self._threads = cases, prefix, threads
        self._heard: dict[str, list[Float32]] = {}  # what products read, in the float32 model
        self._folded: dict[str, tuple[Float32, Float32]] = {}  # what is taken off it, and then divided by
        if cases:
            graph.judge = self._judge

    def part(
        self,
        write: Callable[[Graph, Preset], Outputs],
        folds: Sequence[Fold] = (),
        finer: Preset | None = None,
    ) -> Outputs:
        """Write a part and run it.

        Args:
            write: Adds the part to a graph and returns its outputs. All values have the same names in every
                graph.
            folds: Places inside the part.
            finer: What to write instead if the part as a whole is off by more than ``PRODUCT_LIMIT``.

        Returns:
            What ``write`` returned.
        """
        if self._cases:
            self._run_exact(write)
            for fold in folds:
                self._fold(fold)
        mark = self._graph.mark()
        self.taken = self._preset
        outputs = write(self._graph, self._preset)
        if self._cases:
            self._run_rounded(mark, outputs)
            if finer is not None and not self.error(outputs[0]) <= PRODUCT_LIMIT:
                self._graph.rewind(mark)
                self.taken = finer
                outputs = write(self._graph, finer)
                self._run_rounded(mark, outputs)
            for case in self._cases:  # what came before is needed no more
                case.exact = {name: case.exact[name] for name in outputs}
                case.rounded = {name: case.rounded[name] for name in outputs}
        self._tensors.forget()
        return outputs

    def error(self, name: str) -> float:
        """How far the value ``name`` is off, over all cases, relative."""
        return relative_error((case.rounded[name], case.exact[name]) for case in self._cases)

    def _run_exact(self, write: Callable[[Graph, Preset], Outputs]) -> None:
        """Run the part in float32, and keep what its products read."""
        path = self._graph.path.with_suffix(".exact.onnx")
        with Graph(path, PlainTensors(self._tensors), self._prefix) as graph:
            mark = graph.mark()
            outputs = list(write(graph, PRESETS["exact"]))
            made = [name for name in graph.multiplied if name not in self._cases[0].exact]
            wanted = list(dict.fromkeys(outputs + made))
            feeds = [case.fixed | case.exact for case in self._cases]
            found = graph.run_piece(mark, wanted, feeds, self._threads)
        graph.remove()
        for case, values in zip(self._cases, found, strict=True):
            check_is_finite(values)
            case.exact |= zip(wanted, values, strict=True)
        self._heard = {name: [case.exact[name] for case in self._cases] for name in graph.multiplied}

    def _run_rounded(self, mark: Mark, outputs: Sequence[str]) -> None:
        feeds = [case.fixed | case.rounded for case in self._cases]
        found = self._graph.run_piece(mark, outputs, feeds, self._threads)
        for case, values in zip(self._cases, found, strict=True):
            case.rounded |= zip(outputs, values, strict=True)

    def _fold(self, fold: Fold) -> None:
        heard = np.concatenate([values.reshape(-1, values.shape[-1]) for values in self._heard[fold.value]])
        written, read = ([self._prefix + name for name in names] for names in (fold.written, fold.read))
        offset = np.zeros(heard.shape[1], np.float32)
        if fold.is_shifted:
            offset = heard.mean(axis=0, dtype=np.float64).astype(np.float32)
            self._tensors.shift(offset, written[-1], [(name, _bias_of(name)) for name in read])
        factors = self._tensors.fold(np.abs(heard - offset).max(axis=0), written, read, fold.heads)
        self._folded[fold.value] = offset, factors

    def _judge(self, graph: Graph, mark: Mark, product: Product) -> Verdict:
        """See graph.Judge."""
        x, heard = product.x, self._heard[product.x]
        offset, factors = self._folded.get(x, (np.float32(0), np.float32(1)))
        judged = heard[:: -(-len(heard) // _JUDGED)]
        feeds: list[dict[str, Float32]] = [{x: (_some(values) - offset) / factors} for values in judged]
        found = graph.run_piece(mark, [product.out], feeds, self._threads)
        rows, expected = (
            np.concatenate([value.reshape(-1, len(product.weights)) for value in values])
            for values in (
                [values for (values,) in found],
                [feed[x] @ product.weights.T for feed in feeds],
            )
        )
        if product.bias is not None:
            rows -= product.bias
        correction = (expected - rows).mean(axis=0)
        limit = ROWS_LIMIT if product.form.is_by_row else PRODUCT_LIMIT
        written = rows + correction if product.is_corrected else rows
        return Verdict(relative_error([(written, expected)]) <= limit, correction)


def check_is_finite(values: Iterable[Float32]) -> None:
    """Check what the float32 model makes of speech.

    Raises:
        ConversionError: It is infinite or NaN, so that there is nothing to compare a package with.
    """
    if not all(np.isfinite(value).all() for value in values):
        raise ConversionError(
            Message(
                "The checkpoint is damaged: even in full precision, speech becomes infinite values or NaN."
            ),
            Message("Download it again."),
        )


def relative_error(pairs: Iterable[tuple[Float32, Float32]]) -> float:
    """Norm of all differences between found and exact values, divided by that of the exact ones.

    0 if there is no difference, also where all is silent, and infinite if only the exact values are.
    """
    off = size = 0.0
    for found, exact in pairs:
        off += float(np.square(found - exact, dtype=np.float64).sum())
        size += float(np.square(exact, dtype=np.float64).sum())
    if not size:
        return math.inf if off else 0.0
    return math.sqrt(off / size)


def _bias_of(name: str) -> str:
    return name.removesuffix("weight") + "bias"


def _some(values: Float32) -> Float32:
    """Up to ``_ROWS`` rows from all over a piece of speech."""
    return values[:, :: -(-values.shape[1] // _ROWS)]
