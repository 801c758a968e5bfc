"""Tensors of a model, one at a time, without torch; here those of an official checkpoint.

A checkpoint is one ``model.safetensors`` or several with an index. A tensor that is large as a whole (the
embedding) can be had in pieces of a few rows.

Names inside the program are the official ones without the ``thinker.`` in front, such as
``audio_tower.conv2d1.weight`` and ``model.layers.0.mlp.up_proj.weight``; those of transformers 5 are
translated.

Source: the safetensors format, https://github.com/huggingface/safetensors (0.5), section "Format".
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handy_qwen.convert.stored import DTYPES, OnRead, Plain, Stored, rows_at_once
from handy_qwen.engine.reading import MOST_BYTES, believing, parse_object, read_object
from handy_qwen.errors import ModelCorruptError, ModelMissingError

_AGAIN = "Download the checkpoint again, with all of its files."
_MOST_DIMENSIONS = 8  # of a tensor; Qwen3-ASR's have four
_MOST_NUMBERS = 1 << 40
_SAME = {8: 0.05, 4: 0.4}
"""How far weights rounded to so many bits may be off, by the length of the difference. Of the usual ways the
coarsest, 4 bits in blocks of 128, is off by 0.1 on Gaussian weights; those of another model are by 1.4."""
_PREFIXES = (  # (as a checkpoint may spell it, as we do)
    (re.compile(r"^thinker\."), ""),
    (re.compile(r"^model\.audio_tower\."), "audio_tower."),
    (re.compile(r"^model\.language_model\."), "model."),
    (re.compile(r"^language_model\.model\."), "model."),
    (re.compile(r"^language_model\.lm_head\."), "lm_head."),
    (re.compile(r"^model\.multi_modal_projector\."), "audio_tower."),
    (re.compile(r"^multi_modal_projector\."), "audio_tower."),
)


class Weights:
    """The tensors of a model by their names."""

    def __init__(self, files: tuple[Path, ...], tensors: Mapping[str, Stored], on_read: OnRead) -> None:
        """Keep where the tensors are.

        Args:
            files: All files that tensors are read from.
            tensors: Places by name.
            on_read: Told after each piece of a tensor how many bytes of the file it was.
        """
        self.files = files
        self._tensors = tensors
        self._on_read = on_read

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

    def bits(self, name: str) -> int:
        """How precise tensor ``name`` is: 32, or less if it was rounded before.

        Raises:
            ModelCorruptError: There is no such tensor.
        """
        return self._stored(name).bits

    def read(self, name: str) -> npt.NDArray[np.float32]:
        """Tensor ``name`` as float32.

        Raises:
            ModelCorruptError: There is no such tensor, or its file cannot be read.
        """
        stored = self._stored(name)
        return _finite(name, stored, stored.read(self._on_read))

    def read_rows(self, name: str) -> Iterator[npt.NDArray[np.float32]]:
        """Tensor ``name``, at least one row at a time, as float32. Shapes (rows, columns).

        Raises:
            ModelCorruptError: There is no such tensor, or its file cannot be read.
        """
        stored = self._stored(name)
        for rows in stored.rows(rows_at_once(stored.shape), self._on_read):
            yield _finite(name, stored, rows)

    def is_same(self, one: str, other: str) -> bool:
        """Whether two tensors are the same, as far as the less precise of them can tell.

        Raises:
            ModelCorruptError: One of them is not there, or a file cannot be read.
        """
        first, second = self._stored(one), self._stored(other)
        if first.shape != second.shape:
            return False
        count, bits = rows_at_once(first.shape), min(first.bits, second.bits)
        pairs = zip(first.rows(count, self._on_read), second.rows(count, self._on_read), strict=True)
        return all(_is_near(a, b, bits) for a, b in pairs)

    def _stored(self, name: str) -> Stored:
        if name not in self._tensors:
            raise ModelCorruptError(self.files[0], f"it holds no tensor {name}, so it is not Qwen3-ASR's")
        return self._tensors[name]


class Checkpoint(Weights):
    """The tensors of a checkpoint folder."""

    def __init__(self, folder: Path, on_read: OnRead = lambda _bytes: None) -> None:
        """Read the headers of all files.

        Args:
            folder: The checkpoint.
            on_read: Told after each piece of a tensor how many bytes of the file it was.

        Raises:
            ModelMissingError: There are no weights, or a shard is missing.
            ModelCorruptError: A file is truncated or is no safetensors file.
        """
        files = _shards(folder)
        tensors: dict[str, Plain] = {}
        for path in files:
            tensors.update(_header(path))
        super().__init__(files, tensors, on_read)


def _finite(name: str, stored: Stored, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if not np.isfinite(values).all():
        raise ModelCorruptError(
            stored.paths[0], f"its tensor {name} holds values that are no numbers", _AGAIN
        )
    return values


def _is_near(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32], bits: int) -> bool:
    if bits == 32:
        return np.array_equal(one, other)
    if bits == 16:
        with np.errstate(over="ignore"):
            return np.array_equal(one.astype(np.float16), other.astype(np.float16))
    off, size = (float(np.linalg.norm(values)) for values in (one - other, one))
    return off <= _SAME[bits] * size


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


def _header(path: Path) -> dict[str, Plain]:
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


def _parsed(path: Path, entry: dict[str, Any], data_bytes: int, file_bytes: int) -> Plain:
    dtype, shape = entry["dtype"], tuple(int(n) for n in entry["shape"])
    begin, end = (int(n) for n in entry["data_offsets"])
    if dtype not in DTYPES:
        raise ModelCorruptError(path, f"its tensors are of type {dtype}; bf16, fp16 or fp32 is needed")
    if len(shape) > _MOST_DIMENSIONS or math.prod(max(1, n) for n in shape) > _MOST_NUMBERS:
        raise ModelCorruptError(path, "its list of tensors is broken", _AGAIN)
    if min((*shape, begin), default=0) < 0 or end - begin != math.prod(shape) * DTYPES[dtype].itemsize:
        raise ModelCorruptError(path, "its list of tensors is broken", _AGAIN)
    if data_bytes + end > file_bytes:
        raise ModelCorruptError(path, "it is truncated", _AGAIN)
    return Plain(path, data_bytes + begin, dtype, shape)


def _our_name(name: str) -> str:
    for pattern, ours in _PREFIXES:
        name = pattern.sub(ours, name, count=1)
    return name
