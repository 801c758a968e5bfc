"""Tensors of a model in the published ONNX layout, found in its graphs.

    encoder.onnx                       audio_tower.*
    decoder_init.onnx, decoder_step.onnx or decoder.onnx (one graph for both)
                                       model.*, from the most precise of them
    the table of token ids or the output head of these, or embed_tokens.bin
                                       model.embed_tokens.weight, from the most precise again

Each graph may be there in several precisions, told apart by an infix that need not be true:
``encoder.int4.onnx`` of the published packages is in float32. What counts is how the weights are stored.

Source: https://github.com/andrewleech/qwen3-asr-onnx.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from handy_qwen.convert.expected import EMBEDDING, Shapes, audio_shapes, text_shapes
from handy_qwen.convert.onnx_file import read_onnx
from handy_qwen.convert.onnx_flow import OTHER_FILES, Flow, flow_of
from handy_qwen.convert.onnx_roles import HEAD, name_decoder, name_encoder
from handy_qwen.convert.stored import OnRead, Plain, Stored
from handy_qwen.convert.weights import Weights
from handy_qwen.engine.config import ModelConfig, TextConfig
from handy_qwen.engine.published import GRAPHS, PRECISIONS, is_published_layout
from handy_qwen.engine.published_graph import AGAIN, read_graph
from handy_qwen.errors import ModelCorruptError, ModelMissingError

EMBEDDING_FILE = "embed_tokens.bin"
_ENCODER, *_DECODERS = *GRAPHS, "decoder"
_TABLE_TYPES = {"float32": "F32", "float16": "F16"}

Tensors = dict[str, Stored]


def is_published(folder: Path) -> bool:
    """Whether ``folder`` is of this layout, also of the form that has one graph for the whole decoder."""
    is_unified = (folder / EMBEDDING_FILE).is_file() and any(_graphs(folder, ("decoder",)))
    return is_published_layout(folder) or is_unified


class PublishedWeights(Weights):
    """The tensors of a folder of the published layout, under their official names."""

    def __init__(
        self, folder: Path, config: ModelConfig, embed_type: str, on_read: OnRead = lambda _bytes: None
    ) -> None:
        """Read the graphs, and find in them what ``config`` says.

        Args:
            folder: The model.
            config: From its config.json.
            embed_type: Of the numbers in embed_tokens.bin: float32 or float16.
            on_read: Told after each piece of a tensor how many bytes of the file it was.

        Raises:
            ModelMissingError: A file is missing.
            ModelCorruptError: A file is cut short, of another model, or its weights cannot be told apart.
        """
        graph, tensors = _encoder(folder, config)
        files = [graph]
        decoder, copies = _decoders(folder, config)
        files.append(decoder.path)
        table = _table(folder / EMBEDDING_FILE, config.text, embed_type)
        copies += [table] if table else []
        if not copies:
            raise ModelMissingError(folder / EMBEDDING_FILE, AGAIN)
        best = max(copies, key=lambda stored: stored.bits)  # of equals the first
        tensors |= decoder.layers | {EMBEDDING: best}
        other = next((copy for copy in (decoder.head, table) if copy and copy != best), None)
        if other:
            tensors[HEAD] = other  # which must be the same
        files += [path for stored in tensors.values() for path in stored.paths]
        super().__init__(tuple(dict.fromkeys(files)), tensors, on_read)


@dataclass(slots=True)
class _Decoder:
    """A graph of the decoder. ``head`` is None if it is the embedding."""

    path: Path
    layers: Tensors
    embedding: Stored | None
    head: Stored | None

    @property
    def bits(self) -> int:
        """Of the least precise layer."""
        return min(stored.bits for stored in self.layers.values())


def _encoder(folder: Path, config: ModelConfig) -> tuple[Path, Tensors]:
    """The most precise encoder: the first in float32, or the best of all."""
    found: list[tuple[int, Path, Tensors]] = []
    for path in _graphs(folder, (_ENCODER,)):
        tensors = name_encoder(_flow(path), config.audio)
        _check_shapes(path, tensors, audio_shapes(config.audio))
        found.append((min(stored.bits for stored in tensors.values()), path, tensors))
        if found[-1][0] == 32:
            break
    if not found:
        raise ModelMissingError(folder / f"{_ENCODER}.onnx", AGAIN)
    _, path, tensors = max(found, key=lambda one: one[0])
    return path, tensors


def _decoders(folder: Path, config: ModelConfig) -> tuple[_Decoder, list[Stored]]:
    """The graph with the most precise layers, and all copies of the embedding that were met with."""
    found: list[_Decoder] = []
    copies: list[Stored] = []
    shapes = text_shapes(config.text)
    for path in _graphs(folder, _DECODERS):
        tensors = name_decoder(_flow(path), config.text)
        head, embedding = tensors.pop(HEAD, None), tensors.pop(EMBEDDING, None)
        tables = {HEAD: head} if head else {}
        tables |= {EMBEDDING: embedding} if embedding else {}
        expected = {name: shapes[EMBEDDING if name == HEAD else name] for name in (*tensors, *tables)}
        _check_shapes(path, tensors | tables, expected)
        copies += [stored for stored in (embedding, head) if stored]
        found.append(_Decoder(path, tensors, embedding, head))
        if found[-1].bits == 32 and max((stored.bits for stored in copies), default=0) == 32:
            break
    if not found:
        raise ModelMissingError(folder / f"{_DECODERS[0]}.onnx", AGAIN)
    return max(found, key=lambda one: one.bits), copies


def _flow(path: Path) -> Flow:
    read_graph(path)  # which knows best what to say of a file that is none
    return flow_of(read_onnx(path))


def _graphs(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """The graphs of these names, those that should be the most precise first."""
    for precision in reversed(PRECISIONS):
        for name in names:
            path = folder / f"{name}{'' if precision == 'fp32' else f'.{precision}'}.onnx"
            if path.is_file():
                yield path


def _check_shapes(path: Path, tensors: Tensors, expected: Shapes) -> None:
    for name, stored in tensors.items():
        if stored.shape != expected[name]:
            raise ModelCorruptError(
                path,
                f"its tensor {name} has the shape {stored.shape}, not {expected[name]} as config.json says",
                OTHER_FILES,
            )


def _table(path: Path, config: TextConfig, embed_type: str) -> Plain | None:
    """embed_tokens.bin, whose size is all that tells it from another model's; None if it is not there."""
    if not path.is_file():
        return None
    table = Plain(path, 0, _TABLE_TYPES[embed_type], (config.vocab, config.hidden))
    found = path.stat().st_size
    if found != table.size_bytes:
        shape = f"{config.vocab} x {config.hidden} numbers in {embed_type}"
        raise ModelCorruptError(
            path, f"it has {found} bytes and not the {table.size_bytes} of {shape}", AGAIN
        )
    return table
