"""Tensors of an official checkpoint, one at a time, without torch.

A checkpoint is one ``model.safetensors`` or several with an index. Files are memory-mapped: what has been
read once can be dropped by the system, so that converting needs memory for the largest tensor only.

Names inside the program are the official ones without the ``thinker.`` in front, such as
``audio_tower.conv2d1.weight`` and ``model.layers.0.mlp.up_proj.weight``; those of transformers 5 are
translated.

Source: the safetensors format, https://github.com/huggingface/safetensors (0.5), section "Format".
"""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handy_qwen.errors import ModelCorruptError, ModelMissingError

_MAX_HEADER_BYTES = 100_000_000  # the format's own limit
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

    def __init__(self, folder: Path) -> None:
        """Read the headers of all files.

        Raises:
            ModelMissingError: There are no weights, or a shard is missing.
            ModelCorruptError: A file is truncated or is no safetensors file.
        """
        self.files = _shards(folder)
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

    def read(self, name: str) -> npt.NDArray[np.float32]:
        """Tensor ``name`` as float32.

        Raises:
            ModelCorruptError: There is no such tensor.
        """
        entry = self._entry(name)
        raw = self._mapped(name)
        if entry.dtype == "BF16":  # the upper half of a float32
            raw = (raw.astype(np.uint32) << 16).view(np.float32)
        values: npt.NDArray[np.float32] = raw.astype(np.float32, copy=False).reshape(entry.shape)
        return values

    def is_same(self, one: str, other: str) -> bool:
        """Whether two tensors are the same, byte for byte.

        Raises:
            ModelCorruptError: One of them is not there.
        """
        return self._entry(one).dtype == self._entry(other).dtype and np.array_equal(
            self._mapped(one), self._mapped(other)
        )

    def _mapped(self, name: str) -> npt.NDArray[Any]:
        entry = self._entry(name)
        if 0 in entry.shape:  # nothing to map
            return np.zeros(entry.shape, _DTYPES[entry.dtype])
        return np.memmap(entry.path, _DTYPES[entry.dtype], "r", entry.offset_bytes, entry.shape or (1,))

    def _entry(self, name: str) -> _Entry:
        if name not in self._entries:
            raise ModelCorruptError(self.files[0], f"it holds no tensor {name}, so it is not Qwen3-ASR's")
        return self._entries[name]


def _shards(folder: Path) -> tuple[Path, ...]:
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return (single,)
    if not index.is_file():
        raise ModelMissingError(single, "Give the folder of an official checkpoint.")
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise ModelCorruptError(index, "it lists no weights") from exc
    paths = tuple(folder / Path(str(name)).name for name in names)  # never outside the folder
    for path in paths:
        if not path.is_file():
            raise ModelMissingError(path)
    return paths


def _header(path: Path) -> dict[str, _Entry]:
    """What a file says about its tensors, checked against its size."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            lead = file.read(8)
            length = struct.unpack("<Q", lead)[0] if len(lead) == 8 else 0
            if not 0 < length <= min(_MAX_HEADER_BYTES, size - 8):
                raise ModelCorruptError(path, "it is not a safetensors file, or truncated")
            header = file.read(length)
    except OSError as exc:
        raise ModelCorruptError(
            path, f"it cannot be read ({exc.strerror})", "Check its permissions."
        ) from exc
    try:
        return {
            _our_name(name): _parsed(path, entry, 8 + length, size)
            for name, entry in json.loads(header).items()
            if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as exc:
        raise ModelCorruptError(path, "its list of tensors is broken") from exc


def _parsed(path: Path, entry: dict[str, Any], data_bytes: int, file_bytes: int) -> _Entry:
    dtype, shape = entry["dtype"], tuple(int(n) for n in entry["shape"])
    begin, end = (int(n) for n in entry["data_offsets"])
    if dtype not in _DTYPES:
        raise ModelCorruptError(path, f"its tensors are of type {dtype}; bf16, fp16 or fp32 is needed")
    if min((*shape, begin), default=0) < 0 or end - begin != math.prod(shape) * _DTYPES[dtype].itemsize:
        raise ModelCorruptError(path, "its list of tensors is broken")
    if data_bytes + end > file_bytes:
        raise ModelCorruptError(path, "it is truncated")
    return _Entry(path, dtype, shape, data_bytes + begin)


def _our_name(name: str) -> str:
    for pattern, ours in _PREFIXES:
        name = pattern.sub(ours, name, count=1)
    return name
