"""Runs the layers of a package being made beside the same layers in float32, on the check speech.

Each layer is written twice, by the same code: in float32, into a graph of its own, and in the form of the
package. Both run on the output of the layers before them. In between,

    loud channels   of the float32 layer are found and folded (FoldedTensors);
    each product    is run alone on those values. If its error exceeds ``PRODUCT_LIMIT``, it is written
                    again in the next finer form.

So only one layer is in memory at a time, and what is judged is what is on disk.

Source of the folding: Xiao et al., SmoothQuant (2023), with alpha = 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from handy_qwen.convert.check_speech import RATE_HZ, CheckClip
from handy_qwen.convert.checkpoint import EMBEDDING, Checkpoint, Float32
from handy_qwen.convert.graph import Graph, Mark, Product
from handy_qwen.convert.presets import PRESETS, Preset
from handy_qwen.engine.api import Cancel
from handy_qwen.engine.qwen3 import names
from handy_qwen.engine.qwen3.compact import EmbeddingTable, rotary_tables
from handy_qwen.engine.qwen3.features import log_mel, windows
from handy_qwen.engine.qwen3.manifest import Fidelity
from handy_qwen.engine.qwen3.model import ModelConfig
from handy_qwen.engine.qwen3.prompt import build_prompt
from handy_qwen.engine.qwen3.sessions import open_session, run
from handy_qwen.engine.qwen3.tokenizer import Tokenizer
from handy_qwen.errors import ConversionError
from handy_qwen.message import Message

_MOST_BITS = 24  # limit of a factor, either way: beyond it a channel is practically silent
PRODUCT_LIMIT = 0.025
"""Largest relative error of one product. With a scale per channel it is 1.4 % on Gaussian numbers; where it
is much more, a channel is so loud that it leaves the others too few steps."""
ROWS_LIMIT = 0.016
"""The same where activations have a scale per row: 1.2 % on Gaussian numbers. It is stricter because the
finer form costs little in a step, and because the whole decoder uses it if the error of the logits is
too large."""
_JUDGED, _ROWS = 6, 104  # pieces of speech to judge a product by, and rows of each
Values = dict[str, npt.NDArray[Any]]
Outputs = TypeVar("Outputs", bound=Sequence[str])
_ENOUGH_S = 40.0
"""The approximate amount of speech used."""


class FoldedTensors:
    """Tensors of a checkpoint with loud channels made quieter, without changing what the model computes.

    Where one layer writes what the next one multiplies, each channel can be divided by a factor at its source
    and the weights that read it multiplied by the same:

        gain, bias of a norm   -> queries, keys and values; first layer of a feed-forward; gate and up
        rows of the values     -> output projection (a key/value head serves several query heads)
        rows of up             -> down

    Trained models have channels that are a hundred times as loud as the others. Activations share an 8-bit
    scale, so such a channel leaves the others few steps. Half of its loudness (in decibels, relative to its
    weights) therefore moves into the weights. Factors are powers of two: in float32, the result is exact.

    Caches what was read until ``forget``, so that a layer that is examined several times is read once.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._seen: dict[str, Float32] = {}
        self._rows: dict[str, Float32] = {}
        self._columns: dict[str, Float32] = {}
        self._added: dict[str, Float32] = {}

    def plain(self, name: str) -> Float32:
        """Tensor ``name`` as in the checkpoint. Not to be changed in place."""
        if name not in self._seen:
            self._seen[name] = self._checkpoint.read(name)
        return self._seen[name]

    def read(self, name: str) -> Float32:
        """Tensor ``name`` with all folds applied."""
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
        """Divide the output of ``written`` by a factor per channel, and multiply the input of ``read`` by it.

        ``loudness`` is the largest absolute value of each channel, shape (K,). ``written`` are gains, biases
        and weights, whose first axis is the channels; ``read`` weights of shape (N, K). ``heads``: the number
        of heads in the channels read, and in those written, each of which serves several of the former.
        Returns the factors, shape (K,), powers of two.
        """
        weights = np.sqrt(np.mean([_column_power(self.plain(name)) for name in read], axis=0))
        shape = (heads[1], heads[0] // heads[1], -1)  # heads written, readers of each, channels
        per_writer = _factors(loudness.reshape(shape).max(axis=1), weights.reshape(shape).max(axis=1))
        factors = np.repeat(per_writer[:, None], shape[1], axis=1).reshape(-1)
        for name in written:
            self._rows[name] = np.float32(1) / per_writer.reshape(-1)
        for name in read:
            self._columns[name] = factors
        return factors

    def shift(self, offset: Float32, written: str, read: Sequence[tuple[str, str]]) -> None:
        """Subtract ``offset`` from what is written, and add its effect to the biases of the readers.

        ``offset``, shape (K,), is the mean of each channel, ``written`` the bias of what is written (K,), and
        ``read``, for each reader, the names of weights (N, K) and of the bias (N,).
        """
        self._add(written, -offset)
        for weights, bias in read:
            made = np.matmul(self.plain(weights), offset, dtype=np.float64)
            self._add(bias, made.astype(np.float32))

    def _add(self, name: str, values: Float32) -> None:
        self._added[name] = self._added.get(name, np.float32(0)) + values

    def forget(self) -> None:
        """Clear the cache; factors stay."""
        self._seen.clear()


def _factors(loudness: Float32, weights: Float32) -> Float32:
    """Powers of two near the root of loudness / weights, about 1 on average; 1 where either is silent."""
    is_heard = (loudness > 0) & (weights > 0)
    exponents = np.zeros(loudness.shape, np.float64)
    exponents[is_heard] = np.log2(loudness[is_heard].astype(np.float64) / weights[is_heard]) / 2
    exponents[is_heard] -= np.median(exponents[is_heard]) if is_heard.any() else 0
    factors: Float32 = np.exp2(np.clip(np.rint(exponents), -_MOST_BITS, _MOST_BITS)).astype(np.float32)
    return factors


def _column_power(weights: Float32) -> Float32:
    """Mean square of each column after normalizing the rows: each has its own scale anyway."""
    power = np.square(weights).mean(axis=1)
    power[power == 0] = 1
    return np.asarray(np.einsum("ij,ij,i->j", weights, weights, 1 / power) / len(weights), np.float32)


class TooCoarseError(Exception):
    """A graph was abandoned because a value in it has the ``error`` already."""

    def __init__(self, error: float) -> None:
        super().__init__(error)
        self.error = error


@dataclass(slots=True)
class Case:
    """A piece of speech. Values by their names in the graphs, for the float32 model and the package."""

    exact: Values
    quantized: Values
    fixed: Values = field(default_factory=dict)  # for both, such as masks and lengths


@dataclass(frozen=True, slots=True)
class Fold:
    """A place where loud channels can be folded. Names without prefix; see FoldedTensors.fold."""

    value: str
    written: tuple[str, ...]
    read: tuple[str, ...]
    heads: tuple[int, int] = (1, 1)
    is_shifted: bool = False  # by the last of ``written``, a bias; all readers have one, too


class Trial:
    """Writes a graph part by part, each beside its float32 form. Without cases, it only writes.

    ``graph`` is the package's and reads from ``tensors``, with ``prefix`` in front of their names; ``preset``
    gives the minimal precision. ``cases`` hold the inputs of the first part, and after each part, its
    outputs. ``threads`` are for sessions.
    """

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
        self._graph, self._tensors, self._preset = graph, tensors, preset
        self.taken = preset
        """The form in which the last part was written."""
        self._cases, self._prefix, self._threads = cases, prefix, threads
        self._heard: dict[str, list[Float32]] = {}  # inputs of products in the float32 model
        self._folded: dict[str, tuple[Float32, Float32]] = {}  # to subtract from them, then to divide by
        if cases:
            graph.judge = self._judge

    def part(
        self,
        write: Callable[[Graph, Preset], Outputs],
        folds: Sequence[Fold] = (),
        finer: Preset | None = None,
    ) -> Outputs:
        """Write a part and run it; return what ``write`` returned.

        ``write`` adds the part to a graph and returns its outputs; all values have the same names in every
        graph. ``folds`` are places inside the part. ``finer`` is the form to write instead if the error of
        the part as a whole exceeds ``PRODUCT_LIMIT``.
        """
        if self._cases:
            self._run_exact(write)
            for fold in folds:
                self._fold(fold)
        mark = self._graph.mark()
        self.taken = self._preset
        outputs = write(self._graph, self._preset)
        if self._cases:
            self._run_quantized(mark, outputs)
            if finer is not None and not self.error(outputs[0]) <= PRODUCT_LIMIT:
                self._graph.roll_back(mark)
                self.taken = finer
                outputs = write(self._graph, finer)
                self._run_quantized(mark, outputs)
            for case in self._cases:  # earlier values are no longer needed
                case.exact = {name: case.exact[name] for name in outputs}
                case.quantized = {name: case.quantized[name] for name in outputs}
        self._tensors.forget()
        return outputs

    def error(self, name: str) -> float:
        """The relative error of the value ``name``, over all cases."""
        return error_of(self._cases, name)

    def _run_exact(self, write: Callable[[Graph, Preset], Outputs]) -> None:
        """Run the part in float32, and keep the inputs of its products."""
        path = self._graph.path.with_suffix(".exact.onnx")
        with Graph(path, self._tensors.plain, self._prefix) as graph:
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

    def _run_quantized(self, mark: Mark, outputs: Sequence[str]) -> None:
        feeds = [case.fixed | case.quantized for case in self._cases]
        found = self._graph.run_piece(mark, outputs, feeds, self._threads)
        for case, values in zip(self._cases, found, strict=True):
            case.quantized |= zip(outputs, values, strict=True)

    def _fold(self, fold: Fold) -> None:
        heard = np.concatenate([values.reshape(-1, values.shape[-1]) for values in self._heard[fold.value]])
        written, read = ([self._prefix + name for name in names] for names in (fold.written, fold.read))
        offset = np.zeros(heard.shape[1], np.float32)
        if fold.is_shifted:
            offset = heard.mean(axis=0, dtype=np.float64).astype(np.float32)
            self._tensors.shift(
                offset, written[-1], [(name, name.removesuffix("weight") + "bias") for name in read]
            )
        factors = self._tensors.fold(np.abs(heard - offset).max(axis=0), written, read, fold.heads)
        self._folded[fold.value] = offset, factors

    def _judge(self, graph: Graph, mark: Mark, product: Product) -> tuple[bool, Float32]:
        x, heard = product.x, self._heard[product.x]
        offset, factors = self._folded.get(x, (np.float32(0), np.float32(1)))
        judged = heard[:: -(-len(heard) // _JUDGED)]
        feeds: list[dict[str, Float32]] = [{x: (_some(values) - offset) / factors} for values in judged]
        found = graph.run_piece(mark, [product.out], feeds, self._threads)
        rows, expected = (
            np.concatenate([value.reshape(-1, len(product.weights)) for value in values])
            for values in ([values for (values,) in found], [feed[x] @ product.weights.T for feed in feeds])
        )
        if product.bias is not None:
            rows -= product.bias
        correction = (expected - rows).mean(axis=0)
        limit = ROWS_LIMIT if product.form.is_by_row else PRODUCT_LIMIT
        written = rows + correction if product.is_corrected else rows
        return relative_error([(written, expected)]) <= limit, correction


def check_is_finite(values: Iterable[Float32]) -> None:
    """Raise ConversionError if the float32 model computes infinite values or NaN.

    Then there is nothing to compare a package with.
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

    0 if there is no difference, even if all values are 0, and infinite if only the exact ones are.
    """
    off = size = 0.0
    for found, exact in pairs:
        off += float(np.square(found - exact, dtype=np.float64).sum())
        size += float(np.square(exact, dtype=np.float64).sum())
    if not size:
        return math.inf if off else 0.0
    return math.sqrt(off / size)


def error_of(cases: Iterable[Case], name: str) -> float:
    """The relative error of the value ``name``, over all ``cases``."""
    return relative_error((case.quantized[name], case.exact[name]) for case in cases)


def _some(values: Float32) -> Float32:
    """Up to ``_ROWS`` rows, evenly spread over a piece of speech."""
    return values[:, :: -(-values.shape[1] // _ROWS)]


class Check:
    """Runs the check speech through a model, in float32 and in the package. Call the methods in order.

        chunks  -> frontend, both forms side by side -> windows -> encoder -> features
        prompt, features and the text that was spoken -> embeddings -> decoder -> hidden -> head -> logits

    The text is read along with the audio, as if the model had written it, so that one pass over the layers
    gives the first choice at each token. If all first choices of a sentence are the same, so are the words.
    """

    def __init__(self, clips: Sequence[CheckClip], config: ModelConfig, tokenizer: Tokenizer) -> None:
        """Select those of ``clips`` in the model's languages, as many as are enough."""
        self._config, self._tokenizer = config, tokenizer
        clips = _chosen(clips, config.languages)
        self._mels = [windows(log_mel(clip.samples), config.audio.window_frames) for clip in clips]
        self._answers = [self._answer(clip) for clip in clips]

    def chunks(self) -> list[Case]:
        """The inputs of the frontend: each second of each window."""
        frames = self._config.audio.chunk_frames
        cases = []
        for mel in (mel for mels in self._mels for mel in mels):
            count = -(-mel.shape[1] // frames)
            padded = np.zeros((mel.shape[0], count * frames), np.float32)  # padded as in the engine
            padded[:, : mel.shape[1]] = mel
            for first in range(0, padded.shape[1], frames):
                values = {names.MEL: padded[None, None, :, first : first + frames]}
                cases.append(Case(dict(values), dict(values)))
        return cases

    def windows(self, chunks: list[Case]) -> list[Case]:
        """The inputs of the encoder, from the frontend's output for ``chunks``."""
        config, cases, rest = self._config.audio, [], iter(chunks)
        for mel in (mel for mels in self._mels for mel in mels):
            frames = mel.shape[1]
            own = [next(rest) for _ in range(-(-frames // config.chunk_frames))]
            tokens = config.tokens(frames)
            exact = np.concatenate([case.exact[names.TOKENS][0] for case in own])[None, :tokens]
            quantized = np.concatenate([case.quantized[names.TOKENS][0] for case in own])[None, :tokens]
            cases.append(Case({names.HIDDEN: exact}, {names.HIDDEN: quantized}))
        return cases

    def sentences(self, windows: list[Case], weights: Checkpoint, table: EmbeddingTable) -> list[Case]:
        """The inputs of the decoder, from ``windows`` with their ``names.FEATURES`` and both embeddings."""
        rest, text, cases = iter(windows), self._config.text, []
        prompt = build_prompt(self._tokenizer)
        ids = sorted({token for answer in self._answers for token in (*prompt.head, *prompt.tail, *answer)})
        exact = dict(zip(ids, _rows(weights, ids), strict=True))
        quantized = dict(zip(ids, table.rows(ids), strict=True))
        for mels, answer in zip(self._mels, self._answers, strict=True):
            own = [next(rest) for _ in mels]
            before, behind = list(prompt.head), [*prompt.tail, *answer[:-1]]
            both = [
                np.concatenate(
                    [[rows[token] for token in before], *features, [rows[token] for token in behind]],
                    dtype=np.float32,
                )[None]
                for rows, features in (
                    (exact, [case.exact[names.FEATURES][0] for case in own]),
                    (quantized, [case.quantized[names.FEATURES][0] for case in own]),
                )
            ]
            length = both[0].shape[1]
            cosine, sine = rotary_tables(text, length)
            empty = np.zeros((1, text.kv_heads, length, text.head_dim), np.float32)
            fixed: Values = {
                names.SEQLENS_K: np.array([length - 1], np.int32),
                names.TOTAL_LENGTH: np.array(length, np.int32),
                names.COUNT: np.array([-len(answer)], np.int64),
                names.COSINE: cosine,
                names.SINE: sine,
            }
            for layer in range(text.layers):
                fixed |= {past: empty for past, _ in names.cache_names(layer)}
            cases.append(Case({names.EMBEDS: both[0]}, {names.EMBEDS: both[1]}, fixed))
        return cases

    def _answer(self, clip: CheckClip) -> list[int]:
        tokenizer = self._tokenizer
        language = tokenizer.encode(f"language {clip.language}")
        end = tokenizer.marker("<|im_end|>")
        return [*language, tokenizer.marker("<asr_text>"), *tokenizer.encode(clip.text), end]


def _chosen(clips: Sequence[CheckClip], languages: Sequence[str]) -> list[CheckClip]:
    known = [clip for clip in clips if clip.language in languages] or list(clips)
    seconds = np.cumsum([len(clip.samples) / RATE_HZ for clip in known])
    return known[: int(np.searchsorted(seconds, _ENOUGH_S)) + 1]


def _rows(weights: Checkpoint, ids: Sequence[int]) -> Float32:
    """Rows ``ids`` (in order) of the embedding."""
    wanted, found, first = np.asarray(ids), [], 0
    for rows in weights.read_rows(EMBEDDING):
        found.append(rows[wanted[(wanted >= first) & (wanted < first + len(rows))] - first])
        first += len(rows)
    return np.concatenate(found)


def compare_choices(folder: Path, weights: Checkpoint, sentences: list[Case], threads: int) -> Fidelity:
    """Compare the output of the heads for ``names.HIDDEN`` of ``sentences``, at each token.

    The error is that of logits without their mean, which affects no choice. In memory are a few thousand rows
    of the table at a time, and the package's logits of all tokens. ConversionError if those of float32 are
    infinite or NaN.
    """
    session = open_session(folder / names.HEAD_FILE, threads=threads)
    hidden = np.concatenate([case.exact[names.HIDDEN] for case in sentences])
    quantized = np.concatenate([case.quantized[names.HIDDEN] for case in sentences])
    (found,) = run(session, {names.HIDDEN: quantized}, Cancel())
    del session
    best, choice = np.full(len(hidden), -np.inf, np.float32), np.zeros(len(hidden), np.int64)
    exact_sums, found_sums = (np.zeros((2, len(hidden))) for _ in range(2))
    first = 0
    for rows in weights.read_rows(EMBEDDING):
        exact = hidden @ rows.T
        check_is_finite([exact])
        exact_sums += _sums(exact)
        found_sums += _sums(found[:, first : first + len(rows)] - exact)
        top = exact.argmax(axis=1)
        values = np.take_along_axis(exact, top[:, None], axis=1)[:, 0]
        choice = np.where(values > best, first + top, choice)
        best = np.maximum(values, best)
        first += len(rows)
    power = _variance(exact_sums, first) or 1.0
    same = found.argmax(axis=1) == choice
    ends = np.cumsum([len(case.exact[names.HIDDEN]) for case in sentences])[:-1]
    return Fidelity(
        clips=len(sentences),
        clips_same=sum(bool(of_one.all()) for of_one in np.split(same, ends)),
        choices=len(same),
        choices_same=int(same.sum()),
        logits=math.sqrt(_variance(found_sums, first) / power),
    )


def _sums(values: Float32) -> npt.NDArray[np.float64]:
    """The sum of each row, and that of its squares. Shape (2, rows)."""
    return np.stack([values.sum(axis=1, dtype=np.float64), np.square(values).sum(axis=1, dtype=np.float64)])


def _variance(sums: npt.NDArray[np.float64], count: int) -> float:
    """The sum over all rows of the squared differences from each row's mean."""
    return float((sums[1] - sums[0] ** 2 / count).clip(0).sum())
