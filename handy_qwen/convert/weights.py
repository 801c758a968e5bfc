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

_MOST_DIMENSIONS = 8  # of a tensor; Qwen3-ASR's have four
_MOST_NUMBERS = 1 << 40
_PIECE_NUMBERS = 1 << 22  # read at once: 16 MB as float32
_DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
}
_PREFIXES = (  # (as a checkpoint may spell it, as we do)
    (re.compile(r"^thinker\."), ""),
    (re.compile(r"^model\.audio_tower\."), "audio_tower."),
    (re.compile(r"^model\.language_model\."), "model."),
    (re.compile(r"^language_model\.model\."), "model."),
    (re.compile(r"^language_model\.lm_head\."), "lm_head."),
    (re.compile(r"^model\.multi_modal_projector\."), "audio_tower."),
    (re.compile(r"^multi_modal_projector\."), "audio_tower."),
)


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset_bytes: int


class Checkpoint:
    """The tensors of a checkpoint folder."""

    def __init__(self, folder: Path, on_read: Callable[[int], None] = lambda _bytes: None) -> None:
        """Read the headers of all files.

        Args:
            folder: The checkpoint.
            on_read: Told after each piece of a tensor how many bytes of the file it was.

        Raises:
            ModelMissingError: There are no weights, or a shard is missing.
            ModelCorruptError: A file is truncated or is no safetensors file.
        """
        self.files = _shards(folder)
        self._on_read = on_read
        self._entries: dict[str, _Entry] = {}
        for path in self.files:
            self._entries.update(_header(path))

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of tensor ``name``.

        Raises:
            ModelCorruptError: There is no such tensor.
        """
        return self._entry(name).shape

    def size_bytes(self, name: str) -> int:
        """What tensor ``name`` takes up in its file.

        Raises:
            ModelCorruptError: There is no such tensor.
        """
        entry = self._entry(name)
        return math.prod(entry.shape) * _DTYPES[entry.dtype].itemsize

    def read(self, name: str) -> npt.NDArray[np.float32]:
        """Tensor ``name`` as float32.

        Raises:
            ModelCorruptError: There is no such tensor, or its file cannot be read.
        """
        entry = self._entry(name)
        values = np.empty(math.prod(entry.shape), np.float32)
        for start, raw in self._pieces(entry, _PIECE_NUMBERS):
            values[start : start + len(raw)] = self._numbers(name, raw)
        return values.reshape(entry.shape)

    def read_rows(self, name: str) -> Iterator[npt.NDArray[np.float32]]:
        """Tensor ``name``, at least one row at a time, as float32. Shapes (rows, columns).

        Raises:
            ModelCorruptError: There is no such tensor, or its file cannot be read.
        """
        entry = self._entry(name)
        columns = math.prod(entry.shape[1:])
        for _, raw in self._pieces(entry, max(1, _PIECE_NUMBERS // columns) * columns):
            yield self._numbers(name, raw).reshape(-1, columns)

    def _numbers(self, name: str, raw: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """A piece of tensor ``name`` as float32."""
        entry = self._entry(name)
        values = _as_float32(raw, entry.dtype)
        if not np.isfinite(values).all():
            raise ModelCorruptError(entry.path, f"its tensor {name} holds values that are no numbers")
        return values

    def is_same(self, one: str, other: str) -> bool:
        """Whether two tensors are the same, byte for byte.

        Raises:
            ModelCorruptError: One of them is not there, or a file cannot be read.
        """
        first, second = self._entry(one), self._entry(other)
        if (first.dtype, first.shape) != (second.dtype, second.shape):
            return False
        pairs = zip(self._pieces(first, _PIECE_NUMBERS), self._pieces(second, _PIECE_NUMBERS), strict=True)
        return all(np.array_equal(a, b) for (_, a), (_, b) in pairs)

    def _pieces(self, entry: _Entry, count: int) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        """Pieces of ``count`` numbers as they are stored, each behind the index of its first."""
        dtype, total = _DTYPES[entry.dtype], math.prod(entry.shape)
        try:
            with entry.path.open("rb") as file:
                file.seek(entry.offset_bytes)
                for start in range(0, total, count):
                    raw = np.fromfile(file, dtype, min(count, total - start))
                    if len(raw) < min(count, total - start):
                        raise ModelCorruptError(entry.path, "it is truncated")
                    self._on_read(raw.nbytes)
                    yield start, raw
        except OSError as exc:
            raise ModelCorruptError(
                entry.path, f"it cannot be read ({exc.strerror})", "Check the disk it lies on."
            ) from exc

    def _entry(self, name: str) -> _Entry:
        if name not in self._entries:
            raise ModelCorruptError(self.files[0], f"it holds no tensor {name}, so it is not Qwen3-ASR's")
        return self._entries[name]


def _as_float32(raw: npt.NDArray[Any], dtype: str) -> npt.NDArray[np.float32]:
    if dtype == "BF16":  # the upper half of a float32
        raw = (raw.astype(np.uint32) << 16).view(np.float32)
    return raw.astype(np.float32, copy=False)


def _shards(folder: Path) -> tuple[Path, ...]:
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return (single,)
    if not index.is_file():
        raise ModelMissingError(single, "Give the folder of an official checkpoint.")
    with believing(index, "it lists no weights"):
        names = sorted(set(read_object(index)["weight_map"].values()))
    paths = tuple(folder / Path(str(name)).name for name in names)  # never outside the folder
    for path in paths:
        if not path.is_file():
            raise ModelMissingError(path)
    return paths


def _header(path: Path) -> dict[str, _Entry]:
    """What a file says about its tensors, checked against its size."""
    with believing(path, "its list of tensors is broken"):
        size = path.stat().st_size
        with path.open("rb") as file:
            lead = file.read(8)
            length = struct.unpack("<Q", lead)[0] if len(lead) == 8 else 0
            if not 0 < length <= min(MOST_BYTES, size - 8):
                raise ModelCorruptError(path, "it is not a safetensors file, or truncated")
            header = file.read(length)
        return {
            _our_name(name): _parsed(path, entry, 8 + length, size)
            for name, entry in parse_object(header).items()
            if name != "__metadata__"
        }


def _parsed(path: Path, entry: dict[str, Any], data_bytes: int, file_bytes: int) -> _Entry:
    dtype, shape = entry["dtype"], tuple(int(n) for n in entry["shape"])
    begin, end = (int(n) for n in entry["data_offsets"])
    if dtype not in _DTYPES:
        raise ModelCorruptError(path, f"its tensors are of type {dtype}; bf16, fp16 or fp32 is needed")
    if len(shape) > _MOST_DIMENSIONS or math.prod(max(1, n) for n in shape) > _MOST_NUMBERS:
        raise ModelCorruptError(path, "its list of tensors is broken")
    if min((*shape, begin), default=0) < 0 or end - begin != math.prod(shape) * _DTYPES[dtype].itemsize:
        raise ModelCorruptError(path, "its list of tensors is broken")
    if data_bytes + end > file_bytes:
        raise ModelCorruptError(path, "it is truncated")
    return _Entry(path, dtype, shape, data_bytes + begin)


def _our_name(name: str) -> str:
    for pattern, ours in _PREFIXES:
        name = pattern.sub(ours, name, count=1)
    return name
