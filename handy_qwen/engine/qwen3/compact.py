"""Runs the graphs of our compact package, which ``convert`` makes.

    frontend.onnx   mel (chunks, 1, 128, 100)                    -> tokens (chunks, 13, d_model)
    encoder.onnx    hidden (1, tokens <= 104, d_model)           -> features (1, tokens, hidden)
    decoder.onnx    inputs_embeds (1, rows, hidden), the cache   -> hidden (count, hidden) of the last rows
    head.onnx       hidden (count, hidden)                       -> logits (count, vocab)

The cache is one buffer per layer for keys and one for values, bound once as past and as present: the graph
appends new rows, and truncating is passing a smaller length. The embedding table is not an input of any
graph: rows are looked up in the memory-mapped weights that the output head also uses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from handy_qwen.engine.api import Cancel, ModelPart, Placement
from handy_qwen.engine.qwen3 import names
from handy_qwen.engine.qwen3.manifest import TableForm, load_manifest
from handy_qwen.engine.qwen3.model import AudioConfig, Float32, ModelParts, Rows, TextConfig
from handy_qwen.engine.qwen3.sessions import FarGraph, PlacedGraph, open_session, run, run_bound
from handy_qwen.engine.qwen3.tokenizer import load_tokenizer
from handy_qwen.errors import ModelCorruptError, ModelMissingError
from handy_qwen.message import Message

_ROWS_PER_RUN = 256  # bounds the memory that attention needs: heads * rows * length scores
_FAR_ROWS = 24  # for fewer, copying the cache to a device and back takes longer than reading them
_CACHE_STEP = 512  # rows by which the cache grows at least
_OTHER_SIZES = Message("its sizes are not those in the manifest")


def open_compact(folder: Path, threads: int, placement: Placement | None = None) -> ModelParts:
    """Open a package, with parts on a device according to ``placement``.

    Raises ModelMissingError, ModelCorruptError and OutOfMemoryError.
    """
    manifest = load_manifest(folder)
    config = manifest.config
    # ONNX Runtime packs the weights of a session on one thread, without Python's lock. The layers take as
    # long as all the rest, which is therefore done on one other thread: more would only slow them down.
    with ThreadPoolExecutor(1, thread_name_prefix="load") as pool:
        head = pool.submit(_open_head, folder, config.text, threads)
        encoder = pool.submit(CompactEncoder, folder, config.audio, threads, placement)
        tokenizer = pool.submit(load_tokenizer, folder, config.text.vocab)
        layers = _open_layers(folder, config.text, threads)
        far = FarGraph(folder / names.DECODER_FILE, threads, ModelPart.PREFILL, placement)
        table = open_table(folder, config.text, manifest.embedding)
        return ModelParts(
            name=manifest.name,
            config=config,
            decoder=CompactDecoder(layers, head.result(), config=config.text, table=table, far=far),
            encoder=encoder.result(),
            tokenizer=tokenizer.result(),
            pass_s=manifest.pass_s,
            notice=manifest.notice,
        )


def _open_head(folder: Path, config: TextConfig, threads: int) -> ort.InferenceSession:
    path = folder / names.HEAD_FILE
    session = open_session(path, threads=threads)
    ports = (*session.get_inputs(), *session.get_outputs())
    if [port.shape[1:] for port in ports] != [[config.hidden], [config.vocab]]:
        raise ModelCorruptError(path, _OTHER_SIZES)
    return session


def _open_layers(folder: Path, config: TextConfig, threads: int) -> ort.InferenceSession:
    """Open the decoder's layers, whose sizes must match the buffers bound to them."""
    path = folder / names.DECODER_FILE
    session = open_session(path, threads=threads)
    ports = {
        port.name: tuple(size for size in port.shape if isinstance(size, int))  # the others are free
        for port in (*session.get_inputs(), *session.get_outputs())
    }
    expected = {
        name: (1, config.kv_heads, config.head_dim)
        for layer in range(min(config.layers, len(ports)))  # their number may be wrong
        for pair in names.cache_names(layer)
        for name in pair
    }
    found = {name: shape for name, shape in ports.items() if name.startswith((names.PAST, names.PRESENT))}
    rows = ports.get(names.EMBEDS), ports.get(names.HIDDEN)
    if found != expected or rows != ((1, config.hidden), (config.hidden,)):
        raise ModelCorruptError(path, _OTHER_SIZES)
    return session


class CompactEncoder:
    """Implements ``model.AudioEncoder``.

    Caches the output of the convolutions for each chunk of the last window: while somebody speaks, the same
    window is encoded again and again, each time with a little more at its end.
    """

    def __init__(
        self, folder: Path, config: AudioConfig, threads: int, placement: Placement | None = None
    ) -> None:
        self._config = config
        self._frontend = PlacedGraph(folder / names.FRONTEND_FILE, threads, ModelPart.ENCODER, placement)
        self._layers = PlacedGraph(folder / names.ENCODER_FILE, threads, ModelPart.ENCODER, placement)
        # By the chunk's position in the window: mel (128, 100) and its tokens (13, d_model)
        self._seen: dict[int, tuple[Float32, Float32]] = {}

    def prepare(self, index: int, mel: Float32, cancel: Cancel) -> None:
        """See ``model.AudioEncoder``."""
        self._convolve(index, mel, cancel)

    def encode(self, mel: Float32, cancel: Cancel) -> Float32:
        """See ``model.AudioEncoder``."""
        frames, chunk = mel.shape[1], self._config.chunk_frames
        count = -(-frames // chunk)
        padded = np.zeros((mel.shape[0], count * chunk), np.float32)  # the model was trained with zeros
        padded[:, :frames] = mel
        hidden = np.concatenate(
            [self._convolve(i, padded[:, i * chunk : (i + 1) * chunk], cancel) for i in range(count)]
        )
        hidden = hidden[None, : self._config.tokens(frames)]
        features: Float32 = self._layers.run({names.HIDDEN: hidden}, cancel)[0][0]
        return features

    def _convolve(self, index: int, mel: Float32, cancel: Cancel) -> Float32:
        """Tokens of chunk number ``index`` of the window. Shape (13, d_model)."""
        seen = self._seen.get(index)
        if seen is not None and np.array_equal(seen[0], mel):
            return seen[1]
        tokens: Float32 = self._frontend.run({names.MEL: mel[None, None]}, cancel)[0][0]
        self._seen[index] = mel.copy(), tokens
        return tokens


class CompactDecoder:
    """Implements ``model.TextDecoder`` on a cache that is bound once and grows by doubling.

    ``far`` has a copy of the layers on a device, for long runs of rows; the cache stays here.
    """

    # More would save little, and the output head, a single operator, could not be stopped soon.
    draft_rows = 32

    def __init__(
        self,
        layers: ort.InferenceSession,
        head: ort.InferenceSession,
        *,
        config: TextConfig,
        table: EmbeddingTable,
        far: FarGraph,
    ) -> None:
        self._layers = layers
        self._far = far
        self._head = head
        self._config = config
        self._table = table
        self._pending: list[Float32] = []
        self._done = 0  # rows whose keys and values are in the cache
        self._opening: list[int] = []  # the token ids at the start of the recorded rows
        self._kept: list[int] = []  # those at the start of the cache, even after truncation
        self._capacity = 0
        self._cache: dict[str, npt.NDArray[np.float32]] = {}
        self._binding = self._layers.io_binding()
        self._grow(_CACHE_STEP, keep=0)

    @property
    def length(self) -> int:
        """See ``model.TextDecoder``."""
        return self._done + sum(len(rows) for rows in self._pending)

    def extend(self, rows: Rows) -> None:
        """See ``model.TextDecoder``."""
        if isinstance(rows, np.ndarray):
            self._pending.append(rows)
            return
        if len(self._opening) == self.length:
            self._opening += rows
        self._pending.append(self._table.rows(rows))

    def flush(self, cancel: Cancel) -> None:
        """See ``model.TextDecoder``."""
        if self._pending:
            self._read(0, cancel)

    def logits(self, count: int, cancel: Cancel) -> Float32:
        """See ``model.TextDecoder``."""
        logits: Float32 = run(self._head, {names.HIDDEN: self._read(count, cancel)}, cancel)[0]
        return logits

    def truncate(self, length: int) -> None:
        """See ``model.TextDecoder``."""
        while self._pending and self.length - len(self._pending[-1]) >= length:
            self._pending.pop()
        if self._pending and self.length > length:
            self._pending[-1] = self._pending[-1][: length - self.length]
        self._done = min(self._done, length)
        del self._opening[length:]

    def close(self) -> None:
        """See ``model.TextDecoder``."""
        self._pending.clear()
        self._cache.clear()
        self._far.close()
        del self._binding, self._layers, self._head

    def _read(self, count: int, cancel: Cancel) -> Float32:
        """Read the recorded rows; return the head's input for the last ``count``."""
        cancel.check()
        rows = np.concatenate(self._pending) if len(self._pending) > 1 else self._pending[0]
        if count > len(rows):
            raise ValueError(f"{count} logits asked for, but only {len(rows)} rows are new")
        known = 0 if self._done else min(self._known_rows(), len(rows) - count)
        start, rows = self._done + known, rows[known:]
        self._grow(start + len(rows), keep=start)
        del self._kept[start:]  # a cancelled run leaves garbage behind
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
        """How many rows at the start of the cache can be reused: each take has the same prompt before it."""
        pairs = zip(self._opening, self._kept, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def _run(self, rows: Float32, start: int, wanted: int, cancel: Cancel) -> Float32:
        """Read ``rows`` after the first ``start``; return the last ``wanted``. Shape (wanted, hidden)."""
        binding, total = self._binding, start + len(rows)
        feeds: dict[str, npt.NDArray[Any]] = {
            names.EMBEDS: np.ascontiguousarray(rows[None]),
            names.SEQLENS_K: np.array([total - 1], np.int32),
            names.TOTAL_LENGTH: np.array(total, np.int32),
            names.COUNT: np.array([-wanted], np.int64),
        }
        hidden: Float32 | None
        if len(rows) >= _FAR_ROWS and (hidden := self._run_far(feeds, start, total, cancel)) is not None:
            return hidden
        for name, values in feeds.items():
            binding.bind_cpu_input(name, values)
        binding.bind_output(names.HIDDEN)
        run_bound(self._layers, binding, cancel)
        hidden = binding.get_outputs()[0].numpy()
        return hidden

    def _run_far(
        self, feeds: dict[str, npt.NDArray[Any]], start: int, total: int, cancel: Cancel
    ) -> Float32 | None:
        """The same on the device. None if that failed: the cache is then unchanged."""
        cosine, sine = self._rotary
        feeds = feeds | self._cache | {names.COSINE: cosine, names.SINE: sine}
        caches = [pair for layer in range(self._config.layers) for pair in names.cache_names(layer)]
        outputs = [names.HIDDEN, *(present for _, present in caches)]
        found = self._far.run(feeds, cancel, outputs)
        if found is None:
            return None
        hidden, *written = found
        for (past, _), rows in zip(caches, written, strict=True):
            self._cache[past][:, :, start:total] = rows[:, :, start:total]
        return hidden

    def _grow(self, rows: int, keep: int) -> None:
        """Make room for ``rows`` rows; the first ``keep`` are preserved."""
        if rows <= self._capacity:
            return
        config, old = self._config, self._cache
        self._capacity = max(self._capacity * 2, math.ceil(rows / _CACHE_STEP) * _CACHE_STEP)
        shape = (1, config.kv_heads, self._capacity, config.head_dim)
        self._binding = self._layers.io_binding()
        self._binding.bind_output(names.HIDDEN)
        for layer in range(config.layers):
            for past, present in names.cache_names(layer):
                buffer = np.zeros(shape, np.float32)
                if past in old:
                    buffer[:, :, :keep] = old.pop(past)[:, :, :keep]
                self._cache[past] = buffer
                value = ort.OrtValue.ortvalue_from_numpy(buffer)
                self._binding.bind_ortvalue_input(past, value)
                self._binding.bind_ortvalue_output(present, value)
        self._rotary = cosine, sine = rotary_tables(config, self._capacity)
        self._binding.bind_cpu_input(names.COSINE, cosine)
        self._binding.bind_cpu_input(names.SINE, sine)


def rotary_tables(config: TextConfig, length: int) -> tuple[Float32, Float32]:
    """Cosine and sine of each position's angles. Each of shape (length, head_dim / 2), float32.

    Source: Su et al., RoFormer (2021); the halves of a head are rotated against each other (NeoX form).
    """
    inverse = config.rope_theta ** -(np.arange(0, config.head_dim, 2) / config.head_dim)
    angles = np.arange(length)[:, None] * inverse[None]
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


class EmbeddingTable:
    """Rows of the embedding matrix, looked up in memory-mapped weights. Threads: any.

    Plain numbers (vocab, hidden), float32 or float16, or quantized blocks (see ``manifest.TableForm``) with a
    scale each: value = (code - zero) * scale. 8-bit codes have the zero 128; 4-bit codes, two to a byte with
    the low half first, have a zero point for each block.
    """

    def __init__(
        self,
        codes: npt.NDArray[Any],
        scales: Float32 | None = None,
        zeros: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        self._codes = codes
        self._scales = scales
        self._zeros = zeros

    def rows(self, ids: Sequence[int]) -> Float32:
        """Embeddings of ``ids``. Shape (len(ids), hidden), float32."""
        index = np.asarray(ids, np.int64)
        codes = self._codes[index]
        if self._scales is None:
            return np.asarray(codes, np.float32)
        scales = self._scales[index][..., None]
        zeros: Float32 | np.float32 = np.float32(128)
        if self._zeros is not None:
            codes = _halves(codes)
            zeros = _halves(self._zeros[index])[:, : scales.shape[1], None].astype(np.float32)
        values: Float32 = (codes.astype(np.float32) - zeros) * scales
        return values.reshape(len(index), codes.shape[1] * codes.shape[2])


def open_table(folder: Path, text: TextConfig, form: TableForm) -> EmbeddingTable:
    """Map the embedding table of a package into memory. Raises as ``map_array``."""
    path = folder / names.EMBEDDING_FILE
    if form.bits == 32:
        return EmbeddingTable(map_array(path, (text.vocab, text.hidden), np.float32))
    blocks = text.hidden // form.block
    codes = map_array(path, (text.vocab, blocks, form.block * form.bits // 8), np.uint8)
    scales = map_array(path, (text.vocab, blocks), np.float32, form.scales_offset_bytes)
    if form.bits == 8:
        return EmbeddingTable(codes, scales)
    zeros = map_array(path, (text.vocab, -(-blocks // 2)), np.uint8, form.zeros_offset_bytes)
    return EmbeddingTable(codes, scales, zeros)


def _halves(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Two codes for each byte, low half first. The last axis doubles."""
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1)


def map_array(
    path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, offset_bytes: int = 0
) -> npt.NDArray[Any]:
    """Map part of a file read-only; ModelMissingError if missing, ModelCorruptError if shorter."""
    try:
        return np.memmap(path, dtype=dtype, mode="r", offset=offset_bytes, shape=shape)
    except FileNotFoundError as exc:
        raise ModelMissingError(path) from exc
    except (ValueError, OverflowError, OSError) as exc:
        raise ModelCorruptError(path, Message("it is shorter than it should be")) from exc
