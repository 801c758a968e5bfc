"""Runs the graphs of our compact package (see convert/ for how they are made).

    frontend.onnx   mel (chunks, 1, 128, 100)                    -> tokens (chunks, 13, d_model)
    encoder.onnx    hidden (1, tokens <= 104, d_model)           -> features (1, tokens, hidden)
    decoder.onnx    inputs_embeds (1, rows, hidden), the cache   -> hidden (count, hidden) of the last rows
    head.onnx       hidden (count, hidden)                       -> logits (count, vocab)

The cache is one buffer per layer for keys and one for values, bound once as past and as present: the graph
writes new rows behind the old ones, and going back is a matter of passing a smaller length. The embedding
table is not part of any graph's input: rows are looked up in the memory-mapped weights that the output head
is made of, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from handy_qwen.engine.qwen3.model import TOKENS_PER_CHUNK, AudioConfig, Float32, Rows, TextConfig
from handy_qwen.engine.qwen3.sessions import Cancel, open_session, run, run_bound
from handy_qwen.errors import ModelCorruptError, ModelMissingError

_ROWS_PER_RUN = 256  # bounds the memory that attention needs: heads * rows * length scores
_DRAFT_ROWS = 32  # a run of more saves little, and the output head, one operator, could not be stopped soon
_CACHE_STEP = 512  # rows by which the cache grows at least


def audio_tokens(frames: int, config: AudioConfig) -> int:
    """Audio tokens that a window of ``frames`` frames gives: three halvings, rounded up, in each chunk."""
    full, rest = divmod(frames, config.chunk_frames)
    for _ in range(3):
        rest = -(-rest // 2)
    return full * TOKENS_PER_CHUNK + rest


class EmbeddingTable(Protocol):
    """Rows of the embedding matrix."""

    def rows(self, ids: Sequence[int]) -> Float32:
        """Embeddings of ``ids``. Shape (len(ids), hidden), float32."""


class CompactEncoder:
    """Implements ``backend.AudioEncoder``.

    Remembers what the convolutions made of each chunk of the last window: while somebody speaks, the same
    window is encoded again and again, each time with a little more at its end.
    """

    def __init__(self, folder: Path, config: AudioConfig, threads: int) -> None:
        self._config = config
        self._frontend = open_session(folder / "frontend.onnx", threads=threads)
        self._layers = open_session(folder / "encoder.onnx", threads=threads)
        # By the chunk's place in the window: mel (128, 100) and its tokens (13, d_model)
        self._seen: dict[int, tuple[Float32, Float32]] = {}

    def prepare(self, index: int, mel: Float32, cancel: Cancel) -> None:
        """See ``backend.AudioEncoder``."""
        self._convolved(index, mel, cancel)

    def encode(self, mel: Float32, cancel: Cancel) -> Float32:
        """See ``backend.AudioEncoder``."""
        frames = mel.shape[1]
        chunk = self._config.chunk_frames
        count = -(-frames // chunk)
        padded = np.zeros(
            (mel.shape[0], count * chunk), np.float32
        )  # zeros are what the model was trained with
        padded[:, :frames] = mel
        hidden = np.concatenate(
            [self._convolved(i, padded[:, i * chunk : (i + 1) * chunk], cancel) for i in range(count)]
        )
        hidden = hidden[None, : audio_tokens(frames, self._config)]
        features: Float32 = run(self._layers, {"hidden": hidden}, cancel)[0][0]
        return features

    def _convolved(self, index: int, mel: Float32, cancel: Cancel) -> Float32:
        """Tokens of chunk number ``index`` of the window. Shape (13, d_model)."""
        seen = self._seen.get(index)
        if seen is not None and np.array_equal(seen[0], mel):
            return seen[1]
        tokens: Float32 = run(self._frontend, {"mel": mel[None, None]}, cancel)[0][0]
        self._seen[index] = mel.copy(), tokens
        return tokens


class OutputHead:
    """The last product: rows in, logits out."""

    def __init__(self, folder: Path, config: TextConfig, threads: int) -> None:
        """Open the graph.

        Raises:
            ModelMissingError, ModelCorruptError: It is not there, cannot be loaded, or has other sizes.
        """
        path = folder / "head.onnx"
        self._session = open_session(path, threads=threads)
        ports = (*self._session.get_inputs(), *self._session.get_outputs())
        if [port.shape[1:] for port in ports] != [[config.hidden], [config.vocab]]:
            raise ModelCorruptError(path, "its sizes are not those that the manifest states")

    def logits(self, hidden: Float32, cancel: Cancel) -> Float32:
        """Logits of each row. Shape (rows, vocab), float32.

        Raises:
            CancelledError: ``cancel`` was set before or meanwhile.
            EngineError: The run failed.
        """
        logits: Float32 = run(self._session, {"hidden": hidden}, cancel)[0]
        return logits


def open_layers(folder: Path, config: TextConfig, threads: int) -> ort.InferenceSession:
    """Open the graph of the decoder's layers.

    Raises:
        ModelMissingError, ModelCorruptError: It is not there, cannot be loaded, or has other sizes.
    """
    path = folder / "decoder.onnx"
    session = open_session(path, threads=threads)
    if not _has_sizes(session, config):
        raise ModelCorruptError(path, "its sizes are not those that the manifest states")
    return session


class CompactDecoder:
    """Implements ``backend.TextDecoder`` on a cache that is bound once and grows by doubling."""

    def __init__(
        self, layers: ort.InferenceSession, head: OutputHead, *, config: TextConfig, table: EmbeddingTable
    ) -> None:
        """``layers`` is what ``open_layers`` returned."""
        self._session = layers
        self._head = head
        self._config = config
        self._table = table
        self._pending: list[Float32] = []
        self._done = 0  # rows whose keys and values are in the cache
        self._opening: list[int] = []  # the token ids that the rows recorded begin with
        self._kept: list[int] = []  # those that the cache begins with, also after going back to the start
        self._capacity = 0
        self._cache: dict[str, npt.NDArray[np.float32]] = {}
        self._binding = self._session.io_binding()
        self._grow(_CACHE_STEP, keep=0)

    @property
    def draft_rows(self) -> int:
        """See ``backend.TextDecoder``."""
        return _DRAFT_ROWS

    @property
    def length(self) -> int:
        """See ``backend.TextDecoder``."""
        return self._done + sum(len(rows) for rows in self._pending)

    def extend(self, rows: Rows) -> None:
        """See ``backend.TextDecoder``."""
        if isinstance(rows, np.ndarray):
            self._pending.append(rows)
            return
        if len(self._opening) == self.length:
            self._opening += rows
        self._pending.append(self._table.rows(rows))

    def flush(self, cancel: Cancel) -> None:
        """See ``backend.TextDecoder``."""
        if self._pending:
            self._read(0, cancel)

    def logits(self, count: int, cancel: Cancel) -> Float32:
        """See ``backend.TextDecoder``."""
        return self._head.logits(self._read(count, cancel), cancel)

    def rewind(self, length: int) -> None:
        """See ``backend.TextDecoder``."""
        while self._pending and self.length - len(self._pending[-1]) >= length:
            self._pending.pop()
        if self._pending and self.length > length:
            self._pending[-1] = self._pending[-1][: length - self.length]
        self._done = min(self._done, length)
        del self._opening[length:]

    def close(self) -> None:
        """See ``backend.TextDecoder``."""
        self._pending.clear()
        self._cache.clear()
        del self._binding, self._session, self._head

    def _read(self, count: int, cancel: Cancel) -> Float32:
        """Read what is recorded; return what the head needs for the last ``count`` rows."""
        cancel.check()
        rows = np.concatenate(self._pending) if len(self._pending) > 1 else self._pending[0]
        if count > len(rows):
            raise ValueError(f"{count} logits asked for, but only {len(rows)} rows are new")
        known = 0 if self._done else min(self._known_rows(), len(rows) - count)
        start, rows = self._done + known, rows[known:]
        self._grow(start + len(rows), keep=start)
        del self._kept[start:]  # a run that is stopped leaves anything behind
        parts: list[Float32] = []
        for first in range(0, len(rows), _ROWS_PER_RUN):
            part = rows[first : first + _ROWS_PER_RUN]
            wanted = min(len(part), max(1, count - (len(rows) - first - len(part))))
            parts.append(self._run(part, start + first, wanted, cancel))
        self._pending.clear()
        self._done = start + len(rows)
        self._kept = self._opening.copy()
        return np.concatenate(parts)[-count:] if parts else np.empty((0, self._config.hidden), np.float32)

    def _known_rows(self) -> int:
        """How many rows the cache begins with are those recorded: each take has the same prompt before it."""
        pairs = zip(self._opening, self._kept, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def _run(self, rows: Float32, start: int, wanted: int, cancel: Cancel) -> Float32:
        """Read ``rows`` behind the first ``start``; return the last ``wanted``. Shape (wanted, hidden)."""
        binding, total = self._binding, start + len(rows)
        binding.bind_cpu_input("inputs_embeds", np.ascontiguousarray(rows[None]))
        binding.bind_cpu_input("seqlens_k", np.array([total - 1], np.int32))
        binding.bind_cpu_input("total_length", np.array(total, np.int32))
        binding.bind_cpu_input("count", np.array([-wanted], np.int64))
        binding.bind_output("hidden")
        run_bound(self._session, binding, cancel)
        hidden: Float32 = binding.get_outputs()[0].numpy()
        return hidden

    def _grow(self, rows: int, keep: int) -> None:
        """Make room for ``rows`` rows; the first ``keep`` stay what they are."""
        if rows <= self._capacity:
            return
        config, old = self._config, self._cache
        self._capacity = max(self._capacity * 2, math.ceil(rows / _CACHE_STEP) * _CACHE_STEP)
        shape = (1, config.kv_heads, self._capacity, config.head_dim)
        self._binding = self._session.io_binding()
        self._binding.bind_output("hidden")
        for layer in range(config.layers):
            for part in ("key", "value"):
                name = f"{part}.{layer}"
                buffer = np.zeros(shape, np.float32)
                if name in old:
                    buffer[:, :, :keep] = old.pop(name)[:, :, :keep]
                self._cache[name] = buffer
                value = ort.OrtValue.ortvalue_from_numpy(buffer)
                self._binding.bind_ortvalue_input(f"past.{name}", value)
                self._binding.bind_ortvalue_output(f"present.{name}", value)
        cosine, sine = rotary_tables(config, self._capacity)
        self._binding.bind_cpu_input("cos_cache", cosine)
        self._binding.bind_cpu_input("sin_cache", sine)


def _has_sizes(decoder: ort.InferenceSession, config: TextConfig) -> bool:
    """Whether a graph is that of ``config``, as far as the buffers go that are bound to it."""
    ports = {
        port.name: tuple(size for size in port.shape if isinstance(size, int))  # the others are free
        for port in (*decoder.get_inputs(), *decoder.get_outputs())
    }
    cache = {
        f"{time}.{part}.{layer}": (1, config.kv_heads, config.head_dim)
        for time in ("past", "present")
        for part in ("key", "value")
        for layer in range(min(config.layers, len(ports)))  # a wrong number of them may be any
    }
    found = {name: shape for name, shape in ports.items() if name.startswith(("past.", "present."))}
    rows = ports.get("inputs_embeds"), ports.get("hidden")
    return found == cache and rows == ((1, config.hidden), (config.hidden,))


def rotary_tables(config: TextConfig, length: int) -> tuple[Float32, Float32]:
    """Cosine and sine of each position's angles. Each of shape (length, head_dim / 2), float32.

    Source: Su et al., RoFormer (2021); the halves of a head are rotated against each other (NeoX form).
    """
    inverse = config.rope_theta ** -(np.arange(0, config.head_dim, 2) / config.head_dim)
    angles = np.arange(length)[:, None] * inverse[None]
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


class FloatTable:
    """A table of plain numbers. Shape (vocab, hidden), float32 or float16."""

    def __init__(self, path: Path, shape: tuple[int, int], dtype: npt.DTypeLike = np.float32) -> None:
        self._rows = map_array(path, shape, dtype)

    def rows(self, ids: Sequence[int]) -> Float32:
        """Embeddings of ``ids``. Shape (len(ids), hidden), float32."""
        return np.asarray(self._rows[np.asarray(ids, np.int64)], np.float32)


class Int8Table:
    """A table of 8-bit blocks with one scale each: value = (code - 128) * scale."""

    def __init__(self, codes: npt.NDArray[np.uint8], scales: Float32) -> None:
        """Codes of shape (vocab, blocks, block size), uint8; scales of shape (vocab, blocks), float32."""
        self._codes = codes
        self._scales = scales

    def rows(self, ids: Sequence[int]) -> Float32:
        """Embeddings of ``ids``. Shape (len(ids), hidden), float32."""
        index = np.asarray(ids, np.int64)
        centered = self._codes[index].astype(np.float32) - np.float32(128)
        _, blocks, block = centered.shape
        return (centered * self._scales[index][:, :, None]).reshape(len(index), blocks * block)


class Int4Table:
    """A table of 4-bit blocks with a scale and a zero point each: value = (code - zero) * scale."""

    def __init__(self, codes: npt.NDArray[np.uint8], scales: Float32, zeros: npt.NDArray[np.uint8]) -> None:
        """Codes (vocab, blocks, block / 2), zeros (vocab, ceil(blocks / 2)), two to a byte, low first."""
        self._codes = codes
        self._scales = scales
        self._zeros = zeros

    def rows(self, ids: Sequence[int]) -> Float32:
        """Embeddings of ``ids``. Shape (len(ids), hidden), float32."""
        index = np.asarray(ids, np.int64)
        scales = self._scales[index]
        codes = _halves(self._codes[index]).astype(np.float32)
        zeros = _halves(self._zeros[index])[:, : scales.shape[1]].astype(np.float32)
        return ((codes - zeros[..., None]) * scales[..., None]).reshape(len(index), -1)


def _halves(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Two codes for each byte, low half first. The last axis doubles."""
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1)


def map_array(
    path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, offset_bytes: int = 0
) -> npt.NDArray[Any]:
    """Map part of a file read-only into memory.

    Raises:
        ModelMissingError: There is no such file.
        ModelCorruptError: It is shorter than the array.
    """
    try:
        return np.memmap(path, dtype=dtype, mode="r", offset=offset_bytes, shape=shape)
    except FileNotFoundError as exc:
        raise ModelMissingError(path) from exc
    except (ValueError, OverflowError, OSError) as exc:
        raise ModelCorruptError(path, "it is shorter than it should be") from exc
