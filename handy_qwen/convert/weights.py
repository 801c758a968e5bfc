"""Tensors of an official checkpoint, one at a time, without torch.

A checkpoint is one ``model.safetensors`` or several with an index. Files are read, not memory-mapped: pages
of a mapped file count as the process's own memory for as long as the system likes to keep them. A tensor that
is large as a whole (the embedding) can be had in pieces of a few rows.

Names inside the program are the official ones without the ``thinker.`` in front, such as
``audio_tower.conv2d1.weight`` and ``model.layers.0.mlp.up_proj.weight``; those of transformers 5 are
translated.

Source: the safetensors format, https://github.com/huggingface/safetensors (0.5), section "Format".
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

from handy_qwen.engine.reading import MOST_BYTES, believing, parse_object, read_object
from handy_qwen.errors import ModelCorruptError, ModelMissingError

Float32 = npt.NDArray[np.float32]
OnRead = Callable[[int], None]

_PIECE_NUMBERS = 1 << 22  # read at once: 16 MB as float32
_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
_AGAIN = "Download the checkpoint again, with all of its files."
_MOST_DIMENSIONS = 8  # of a tensor; Qwen3-ASR's have four
_MOST_NUMBERS = 1 << 40
_PREFIXES = (  # (as a checkpoint may spell it, as we do)
    (re.compile(r"^thinker\."), ""),
    (re.compile(r"^model\.audio_tower\."), "audio_tower."),
    (re.compile(r"^model\.language_model\."), "model."),
    (re.compile(r"^language_model\.model\."), "model."),
    (re.compile(r"^language_model\.lm_head\."), "lm_head."),
    (re.compile(r"^model\.multi_modal_projector\."), "audio_tower."),
    (re.compile(r"^multi_modal_projector\."), "audio_tower."),
)


class Checkpoint:
    """The tensors of a checkpoint folder by their names."""

    def __init__(self, folder: Path, on_read: OnRead = lambda _bytes: None) -> None:
        """Read the headers of all files.

        Args:
            folder: The checkpoint.
            on_read: Called after each piece of a tensor with its size in bytes.

        Raises:
            ModelMissingError: There are no weights, or a shard is missing.
            ModelCorruptError: A file is truncated or is no safetensors file.
        """
        self.files = _shards(folder)
        self._on_read = on_read
        self._tensors: dict[str, _Stored] = {}
        for path in self.files:
            self._tensors.update(_header(path))

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of tensor ``name``.

        Raises:
            ModelCorruptError: There is no such tensor.
        """
        return self._stored(name).shape

    def size_bytes(self, name: str) -> int:
        """What tensor ``name`` takes up in its file.

        Raises:
            ModelCorruptError: There is no such tensor.
        """
        return self._stored(name).size_bytes

    def read(self, name: str) -> Float32:
        """Tensor ``name`` as float32.

        Raises:
            ModelCorruptError: There is no such tensor, or its file cannot be read.
        """
        stored = self._stored(name)
        values = np.empty(stored.shape, np.float32)
        flat, first = values.reshape(-1), 0
        for piece in self._pieces(name, _PIECE_NUMBERS):
            flat[first : first + len(piece)] = piece
            first += len(piece)
        return values

    def read_rows(self, name: str) -> Iterator[Float32]:
        """Tensor ``name``, at least one row at a time, as float32. Shapes (rows, columns).

        Raises:
            ModelCorruptError: There is no such tensor, or its file cannot be read.
        """
        columns = math.prod(self._stored(name).shape[1:])
        if columns:
            for piece in self._pieces(name, max(1, _PIECE_NUMBERS // columns) * columns):
                yield piece.reshape(-1, columns)

    def is_same(self, one: str, other: str) -> bool:
        """Whether two tensors are equal.

        Raises:
            ModelCorruptError: One of them is not there, or a file cannot be read.
        """
        if self.shape(one) != self.shape(other):
            return False
        return all(
            np.array_equal(*pair) for pair in zip(self.read_rows(one), self.read_rows(other), strict=True)
        )

    def _stored(self, name: str) -> _Stored:
        if name not in self._tensors:
            raise ModelCorruptError(self.files[0], f"it holds no tensor {name}, so it is not Qwen3-ASR's")
        return self._tensors[name]

    def _pieces(self, name: str, count: int) -> Iterator[Float32]:
        """Up to ``count`` numbers at a time."""
        stored = self._stored(name)
        for raw in stored.read(count):
            self._on_read(raw.nbytes)
            if stored.dtype == "BF16":  # the upper half of a float32
                raw = (raw.astype(np.uint32) << 16).view(np.float32)  # noqa: PLW2901
            values = raw.astype(np.float32, copy=False)
            if not np.isfinite(values).all():
                raise ModelCorruptError(
                    stored.path, f"its tensor {name} holds values that are no numbers", _AGAIN
                )
            yield values


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

    def read(self, count: int) -> Iterator[npt.NDArray[Any]]:
        """Its numbers as they are stored, up to ``count`` at a time."""
        total = math.prod(self.shape)
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset_bytes)
                for first in range(0, total, count):
                    wanted = min(count, total - first)
                    raw = np.fromfile(file, _DTYPES[self.dtype], wanted)
                    if len(raw) < wanted:
                        raise ModelCorruptError(self.path, "it is truncated")
                    yield raw
        except OSError as exc:
            reason, hint = f"it cannot be read ({exc.strerror})", "Check the disk it lies on."
            raise ModelCorruptError(self.path, reason, hint) from exc


def _shards(folder: Path) -> tuple[Path, ...]:
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return (single,)
    if not index.is_file():
        raise ModelMissingError(single, "Give the folder of an official checkpoint.")
    with believing(index, "it lists no weights", _AGAIN):
        names = sorted(set(read_object(index)["weight_map"].values()))
    paths = tuple(folder / Path(str(name)).name for name in names)  # never outside the folder
    for path in paths:
        if not path.is_file():
            raise ModelMissingError(path, _AGAIN)
    return paths


def _header(path: Path) -> dict[str, _Stored]:
    """What a file says about its tensors, checked against its size."""
    with believing(path, "its list of tensors is broken", _AGAIN):
        size = path.stat().st_size
        with path.open("rb") as file:
            lead = file.read(8)
            length = struct.unpack("<Q", lead)[0] if len(lead) == 8 else 0
            if not 0 < length <= min(MOST_BYTES, size - 8):
                raise ModelCorruptError(path, "it is not a safetensors file, or truncated", _AGAIN)
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
        raise ModelCorruptError(path, f"its tensors are of type {dtype}; bf16, fp16 or fp32 is needed")
    if len(shape) > _MOST_DIMENSIONS or math.prod(max(1, n) for n in shape) > _MOST_NUMBERS:
        raise ModelCorruptError(path, "its list of tensors is broken", _AGAIN)
    if min((*shape, begin), default=0) < 0 or end - begin != math.prod(shape) * _DTYPES[dtype].itemsize:
        raise ModelCorruptError(path, "its list of tensors is broken", _AGAIN)
    if data_bytes + end > file_bytes:
        raise ModelCorruptError(path, "it is truncated", _AGAIN)
    return _Stored(path, data_bytes + begin, dtype, shape)


def _our_name(name: str) -> str:
    for pattern, ours in _PREFIXES:
        name = pattern.sub(ours, name, count=1)
    return name
