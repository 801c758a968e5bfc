"""Tensors of an official checkpoint, one at a time, without torch, checked against its configuration.

A checkpoint is one ``model.safetensors`` or several with an index. Files are read, not memory-mapped: the
system may count pages of a mapped file as the process's own memory for as long as it likes. A tensor that is
large as a whole (the embedding) can be read a few rows at a time.

Names inside the program are the official ones without the leading ``thinker.``, such as
``audio_tower.conv2d1.weight`` and ``model.layers.0.mlp.up_proj.weight``; those of transformers 5, used by the
``-hf`` repositories, are translated.

Sources: the safetensors format, https://github.com/huggingface/safetensors (0.5), section "Format";
Qwen3ASRForConditionalGeneration in QwenLM/Qwen3-ASR (modeling_qwen3_asr.py, 2026-01); transformers 5.13.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handy_qwen.convert.presets import Preset
from handy_qwen.engine.json_files import MAX_BYTES, as_corrupt, parse_object, read_object
from handy_qwen.engine.qwen3.model import AudioConfig, ModelConfig, TextConfig
from handy_qwen.errors import ConversionError, ModelCorruptError, ModelMissingError
from handy_qwen.message import Message

Float32 = npt.NDArray[np.float32]
OnRead = Callable[[int], None]
Shape = tuple[int, ...]
EMBEDDING = "model.embed_tokens.weight"
_HEAD = "lm_head.weight"

_PIECE_NUMBERS = 1 << 22  # read at once: 16 MB as float32
_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
_AGAIN = Message("Download the checkpoint again, with all of its files.")
_MOST_DIMENSIONS = 8  # of a tensor; Qwen3-ASR's have four
_MOST_NUMBERS = 1 << 40
_PREFIXES = (  # (in a checkpoint, in this program)
    (re.compile(r"^thinker\."), ""),
    (re.compile(r"^model\.audio_tower\."), "audio_tower."),
    (re.compile(r"^model\.language_model\."), "model."),
    (re.compile(r"^language_model\.model\."), "model."),
    (re.compile(r"^language_model\.lm_head\."), "lm_head."),
    (re.compile(r"^(model\.)?multi_modal_projector\.linear_([12])\."), r"audio_tower.proj\2."),
    (re.compile(r"^(model\.)?multi_modal_projector\."), "audio_tower."),
)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A tensor in a file."""

    path: Path
    offset_bytes: int
    dtype: str
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        return math.prod(self.shape) * _DTYPES[self.dtype].itemsize


class Checkpoint:
    """The tensors of a checkpoint folder by their names.

    Methods that take a name raise ModelCorruptError if there is no such tensor or its file cannot be read.
    """

    def __init__(self, folder: Path, on_read: OnRead = lambda _bytes: None) -> None:
        """Read the headers of all files; ``on_read`` is called with the bytes of each piece of a tensor.

        ModelMissingError: there are no weights, or a shard is missing. ModelCorruptError: a file is truncated
        or is no safetensors file.
        """
        self.files = _shards(folder)
        self._on_read = on_read
        self._tensors: dict[str, _Stored] = {}
        for path in self.files:
            self._tensors.update(_header(path))

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of tensor ``name``."""
        return self._stored(name).shape

    def size_bytes(self, name: str) -> int:
        """The size of tensor ``name`` in its file."""
        return self._stored(name).size_bytes

    def read(self, name: str) -> Float32:
        """Tensor ``name`` as float32."""
        values = np.empty(self.shape(name), np.float32)
        flat, first = values.reshape(-1), 0
        for piece in self._pieces(name, _PIECE_NUMBERS):
            flat[first : first + len(piece)] = piece
            first += len(piece)
        return values

    def read_rows(self, name: str) -> Iterator[Float32]:
        """Tensor ``name``, at least one row at a time, as float32. Shapes (rows, columns)."""
        columns = math.prod(self.shape(name)[1:])
        if columns:
            for piece in self._pieces(name, max(1, _PIECE_NUMBERS // columns) * columns):
                yield piece.reshape(-1, columns)

    def is_same(self, one: str, other: str) -> bool:
        """Whether two tensors are equal."""
        return self.shape(one) == self.shape(other) and all(
            np.array_equal(*pair) for pair in zip(self.read_rows(one), self.read_rows(other), strict=True)
        )

    def _stored(self, name: str) -> _Stored:
        if name not in self._tensors:
            raise ModelCorruptError(
                self.files[0], Message("it holds no tensor {name}, so it is not Qwen3-ASR's", name=name)
            )
        return self._tensors[name]

    def _pieces(self, name: str, count: int) -> Iterator[Float32]:
        stored = self._stored(name)
        path, total = stored.path, math.prod(stored.shape)
        try:
            with path.open("rb") as file:
                file.seek(stored.offset_bytes)
                for first in range(0, total, count):
                    raw = np.fromfile(file, _DTYPES[stored.dtype], min(count, total - first))
                    if len(raw) < min(count, total - first):
                        raise ModelCorruptError(path, Message("it is truncated"))
                    self._on_read(raw.nbytes)
                    if stored.dtype == "BF16":  # the upper half of a float32
                        raw = (raw.astype(np.uint32) << 16).view(np.float32)
                    values = raw.astype(np.float32, copy=False)
                    if not np.isfinite(values).all():
                        problem = Message("its tensor {name} holds infinite values or NaN", name=name)
                        raise ModelCorruptError(path, problem, _AGAIN)
                    yield values
        except OSError as exc:
            reason, hint = (
                Message("it cannot be read ({reason})", reason=exc.strerror),
                Message("Check the disk that it is on."),
            )
            raise ModelCorruptError(path, reason, hint) from exc


def _shards(folder: Path) -> tuple[Path, ...]:
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return (single,)
    if not index.is_file():
        raise ModelMissingError(single, Message("Give the folder of an official checkpoint."))
    with as_corrupt(index, Message("it lists no weights"), _AGAIN):
        names = sorted(set(read_object(index)["weight_map"].values()))
    paths = tuple(folder / Path(str(name)).name for name in names)  # never outside the folder
    for path in paths:
        if not path.is_file():
            raise ModelMissingError(path, _AGAIN)
    return paths


def _header(path: Path) -> dict[str, _Stored]:
    """A file's list of tensors, checked against its size."""
    with as_corrupt(path, Message("its list of tensors is broken"), _AGAIN):
        size = path.stat().st_size
        with path.open("rb") as file:
            lead = file.read(8)
            length = struct.unpack("<Q", lead)[0] if len(lead) == 8 else 0
            if not 0 < length <= min(MAX_BYTES, size - 8):
                raise ModelCorruptError(path, Message("it is not a safetensors file, or truncated"), _AGAIN)
            header = file.read(length)
        return {
            _our_name(name): _parsed(path, entry, 8 + length, size)
            for name, entry in parse_object(header).items()
            if name != "__metadata__"
        }


def _parsed(path: Path, entry: dict[str, Any], data_bytes: int, file_bytes: int) -> _Stored:
    dtype, shape = entry["dtype"], tuple(int(n) for n in entry["shape"])
    begin, end = (int(n) for n in entry["data_offsets"])
    if dtype not in _DTYPES:
        raise ModelCorruptError(
            path, Message("its tensors are of type {dtype}; bf16, fp16 or fp32 is needed", dtype=dtype)
        )
    if len(shape) > _MOST_DIMENSIONS or math.prod(max(1, n) for n in shape) > _MOST_NUMBERS:
        raise ModelCorruptError(path, Message("its list of tensors is broken"), _AGAIN)
    if min((*shape, begin), default=0) < 0 or end - begin != math.prod(shape) * _DTYPES[dtype].itemsize:
        raise ModelCorruptError(path, Message("its list of tensors is broken"), _AGAIN)
    if data_bytes + end > file_bytes:
        raise ModelCorruptError(path, Message("it is truncated"), _AGAIN)
    return _Stored(path, data_bytes + begin, dtype, shape)


def _our_name(name: str) -> str:
    for pattern, ours in _PREFIXES:
        name = pattern.sub(ours, name, count=1)
    return name


def aligner_error(called: str) -> ConversionError:
    """The error for Qwen3-ForcedAligner; ``called`` begins the sentence."""
    return ConversionError(
        Message(
            "{model} is Qwen3-ForcedAligner, which finds when each word of a given text "
            "was said and cannot transcribe.",
            model=called,
        ),
        Message("Use Qwen3-ASR instead: handy-qwen model install qwen3-asr-0.6b"),
    )


def check_weights(weights: Checkpoint, config: ModelConfig, preset: Preset) -> int:
    """Check ``weights`` against ``config``; return how many bytes a conversion reads.

    Done before anything is written: a conversion takes minutes, and the weights of another model would make a
    package that only fails when it is run. ModelCorruptError: a tensor is missing or has another shape, or
    the output head is separate. ConversionError: the sizes do not suit the preset, or the model is for
    another task.
    """
    shapes = _audio_shapes(config.audio) | _text_shapes(config.text)
    for name, shape in shapes.items():
        found = weights.shape(name)
        if found != shape:
            problem = Message(
                "its tensor {name} has the shape {found}, not {shape} as config.json says",
                name=name,
                found=found,
                shape=shape,
            )
            raise ModelCorruptError(weights.files[0], problem)
    if _HEAD in weights and weights.shape(_HEAD)[0] < config.text.vocab:  # it chooses among points in time
        raise aligner_error("The checkpoint")
    if _HEAD in weights and not weights.is_same(_HEAD, EMBEDDING):
        problem = Message("its tensor {head} is not the embedding, as in every Qwen3-ASR", head=_HEAD)
        raise ModelCorruptError(weights.files[0], problem)
    audio, text = config.audio, config.text
    widths = {(preset.encoder.block, n) for n in (audio.d_model, audio.ffn, _flattened_channels(audio))}
    widths |= {(preset.decoder.block, n) for n in (text.hidden, text.ffn, text.heads * text.head_dim)}
    widths.add((preset.head.block, text.hidden))
    for block, width in sorted(widths):
        if block and width % block:
            raise ConversionError(
                Message(
                    "The preset {name} needs widths that are multiples of {block}; one is {width}.",
                    name=preset.name,
                    block=block,
                    width=width,
                ),
                Message("Choose the preset exact."),
            )
    return sum(weights.size_bytes(name) for name in shapes)


def _audio_shapes(config: AudioConfig) -> dict[str, Shape]:
    width, channels = config.d_model, config.conv_channels
    shapes: dict[str, Shape] = {"conv_out.weight": (width, _flattened_channels(config))}
    for number, inputs in enumerate((1, channels, channels), start=1):
        shapes[f"conv2d{number}.weight"] = (channels, inputs, 3, 3)
        shapes[f"conv2d{number}.bias"] = (channels,)
    with_bias: dict[str, Shape] = {"proj1": (width, width), "proj2": (config.output_dim, width)}
    with_bias["ln_post"] = (width,)
    for layer in range(config.layers):
        name = f"layers.{layer}"
        with_bias |= {f"{name}.self_attn.{part}_proj": (width, width) for part in ("q", "k", "v", "out")}
        with_bias |= {f"{name}.fc1": (config.ffn, width), f"{name}.fc2": (width, config.ffn)}
        with_bias |= {f"{name}.{norm}_layer_norm": (width,) for norm in ("self_attn", "final")}
    for name, shape in with_bias.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return {f"audio_tower.{name}": shape for name, shape in shapes.items()}


def _text_shapes(config: TextConfig) -> dict[str, Shape]:
    """Shapes of the decoder's tensors, including the embedding."""
    hidden, ffn, size = config.hidden, config.ffn, config.head_dim
    rows, kv_rows = config.heads * size, config.kv_heads * size
    shapes: dict[str, Shape] = {"embed_tokens.weight": (config.vocab, hidden), "norm.weight": (hidden,)}
    for layer in range(config.layers):
        parts: dict[str, Shape] = {
            "self_attn.q_proj": (rows, hidden),
            "self_attn.k_proj": (kv_rows, hidden),
            "self_attn.v_proj": (kv_rows, hidden),
            "self_attn.o_proj": (hidden, rows),
            "self_attn.q_norm": (size,),
            "self_attn.k_norm": (size,),
            "mlp.gate_proj": (ffn, hidden),
            "mlp.up_proj": (ffn, hidden),
            "mlp.down_proj": (hidden, ffn),
            "input_layernorm": (hidden,),
            "post_attention_layernorm": (hidden,),
        }
        shapes |= {f"layers.{layer}.{part}.weight": shape for part, shape in parts.items()}
    return {f"model.{name}": shape for name, shape in shapes.items()}


def _flattened_channels(config: AudioConfig) -> int:
    """Numbers per frame after the convolutions: the mel bins, halved three times, in each channel."""
    bins = config.mel_bins
    for _ in range(3):
        bins = -(-bins // 2)
    return bins * config.conv_channels
