"""The text decoder of the published layout: one graph that reads a whole prompt, one that reads one row.

    decoder_init   ids and audio features of everything read so far -> logits of every row, the cache
    decoder_step   one embedding row, the cache                     -> logits of that row, the cache + 1

Neither reads several rows on top of a cache, and the two do not agree to the last digit: in the packages of
4 bits decoder_init has its output head in float32 and decoder_step has it in 4 bits. Of 440 choices of the
demo model they make 3 differently. Each row therefore has one way in which it is read, whatever was read or
drafted before: decoder_init reads all rows up to the first whose logits are wanted, which is the prompt, and
decoder_step reads those behind it, which are the answer. A draft is checked step by step and saves nothing,
but it cannot change the text.

Rows that were read, forgotten by ``rewind`` and recorded again are recognized: if they make the same prompt,
its keys, values and last logits are still there.

Both graphs copy the whole cache in every run. Here it lies in two buffers that take turns, one read while
the other is written, so that at least nothing is allocated for it.
"""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from handy_qwen.engine.backend import Float32, Rows
from handy_qwen.engine.config import TextConfig
from handy_qwen.engine.embedding import FloatTable
from handy_qwen.engine.sessions import Cancel, open_session, run_bound

_CACHE_STEP = 256  # rows by which the cache grows at least


class _StackedCache:
    """Keys and values of all layers, packed, in one of two buffers of equal size."""

    def __init__(self, config: TextConfig) -> None:
        self._outer = (config.layers, 1, config.kv_heads)
        self._head_dim = config.head_dim
        self.rows = 0
        self._capacity = 0
        self._held = self._spare = (np.empty(0, np.float32), np.empty(0, np.float32))

    def past(self, rows: int) -> tuple[Float32, Float32]:
        """Keys and values of the first ``rows`` rows held; the others are forgotten.

        Returns:
            Each of shape (layers, 1, kv_heads, rows, head_dim), contiguous.
        """
        if rows < self.rows:
            kept = [self._view(buffer, self.rows)[:, :, :, :rows] for buffer in self._held]
            for target, source in zip(self.room(rows), kept, strict=True):
                target[:] = source
            self.commit(rows)
        return self._view(self._held[0], rows), self._view(self._held[1], rows)

    def room(self, rows: int) -> tuple[Float32, Float32]:
        """Where a graph may write the keys and values of ``rows`` rows; ``commit`` makes them count."""
        if rows > self._capacity:
            self._capacity = max(2 * self._capacity, -(-rows // _CACHE_STEP) * _CACHE_STEP)
        size = int(np.prod(self._outer)) * self._capacity * self._head_dim
        if len(self._spare[0]) < size:
            self._spare = (np.empty(size, np.float32), np.empty(size, np.float32))
        return self._view(self._spare[0], rows), self._view(self._spare[1], rows)

    def commit(self, rows: int) -> None:
        """What was written into ``room(rows)`` is the cache from now on."""
        self._held, self._spare = self._spare, self._held
        self.rows = rows

    def _view(self, buffer: Float32, rows: int) -> Float32:
        shape = (*self._outer, rows, self._head_dim)
        return buffer[: int(np.prod(shape))].reshape(shape)


class PublishedDecoder:
    """Implements ``backend.TextDecoder``."""

    def __init__(
        self,
        init: Path,
        step: Path,
        *,
        config: TextConfig,
        table: FloatTable,
        audio_pad: int,
        threads: int,
    ) -> None:
        self._config = config
        self._table = table
        self._audio_pad = audio_pad
        self._init = open_session(init, threads=threads)
        self._step = open_session(step, threads=threads)
        self._cache = _StackedCache(config)
        self._rows: list[int | bytes] = []  # what is recorded: token ids, and the bytes of feature rows
        self._prompt_rows = 0  # how many of them are the prompt; 0 until logits are asked for
        self._read: list[int | bytes] = []  # the rows whose keys and values are in the cache
        self._read_at_once = 0  # how many of them decoder_init read
        self._last_logits: Float32 = np.empty(0, np.float32)  # of the last of those; shape (vocab,)

    @property
    def draft_rows(self) -> int:
        """See ``backend.TextDecoder``. Every row behind the prompt costs a run of its own."""
        return 0

    @property
    def length(self) -> int:
        """See ``backend.TextDecoder``."""
        return len(self._rows)

    def extend(self, rows: Rows) -> None:
        """See ``backend.TextDecoder``."""
        if not isinstance(rows, np.ndarray):
            self._rows.extend(int(i) for i in rows)
            return
        if rows.ndim != 2 or rows.shape[1] != self._config.hidden:
            raise ValueError(f"features of shape {rows.shape} for a decoder of width {self._config.hidden}")
        self._rows.extend(np.asarray(row, np.float32).tobytes() for row in rows)

    def flush(self, cancel: Cancel) -> None:
        """See ``backend.TextDecoder``. Nothing can be done ahead: a prompt is read in one run."""
        cancel.check()

    def logits(self, count: int, cancel: Cancel) -> Float32:
        """See ``backend.TextDecoder``. Here ``count`` may also reach back to rows read before."""
        if not 1 <= count <= self.length:
            raise ValueError(f"logits of {count} rows asked for, of {self.length}")
        logits = np.empty((count, self._config.vocab), np.float32)
        first = self.length - count
        if not self._prompt_rows or first < self._prompt_rows - 1:
            self._prompt_rows = min(first + 1, self._end_of_first_audio())
        prompt = self._prompt_rows
        if self._read_at_once != prompt or self._known_rows() < prompt:
            self._run_init(prompt, cancel)
        if first == prompt - 1:
            logits[0] = self._last_logits
        for row in range(min(self._known_rows(), max(first, prompt)), self.length):
            self._run_step(row, logits[row - first] if row >= first else None, cancel)
        return logits

    def rewind(self, length: int) -> None:
        """See ``backend.TextDecoder``."""
        del self._rows[length:]
        if length < self._prompt_rows:
            self._prompt_rows = 0

    def close(self) -> None:
        """See ``backend.TextDecoder``."""
        self._rows.clear()
        self._read.clear()
        del self._init, self._step, self._cache, self._table

    def _known_rows(self) -> int:
        """How many of the recorded rows are in the cache."""
        pairs = zip(self._rows, self._read, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def _end_of_first_audio(self) -> int:
        """How many rows decoder_init can read at once: it takes one stretch of audio, with ids around it."""
        kinds = [isinstance(row, bytes) for row in self._rows]
        start = kinds.index(True) if True in kinds else self.length
        end = kinds.index(False, start) if False in kinds[start:] else self.length
        return kinds.index(True, end) if True in kinds[end:] else self.length

    def _run_init(self, rows: int, cancel: Cancel) -> None:
        """Read the first ``rows`` rows at once."""
        recorded = self._rows[:rows]
        audio = [row for row in recorded if isinstance(row, bytes)]
        offset = next((i for i, row in enumerate(recorded) if isinstance(row, bytes)), 0)
        ids = np.array([self._audio_pad if isinstance(row, bytes) else row for row in recorded], np.int64)
        # The graph puts features over the embeddings at `offset`. Without audio it gets what is there anyway.
        features = np.frombuffer(b"".join(audio), np.float32) if audio else self._table.rows([int(ids[0])])
        every = np.empty((1, rows, self._config.vocab), np.float32)
        feeds: dict[str, npt.NDArray[Any]] = {
            "input_ids": ids[None],
            "position_ids": np.arange(rows, dtype=np.int64)[None],
            "audio_features": features.reshape(1, -1, self._config.hidden),
            "audio_offset": np.array([offset], np.int64),
        }
        self._run(self._init, feeds, every, cancel)
        self._read, self._read_at_once = recorded, rows
        self._last_logits = every[0, -1].copy()

    def _run_step(self, row: int, logits: Float32 | None, cancel: Cancel) -> None:
        """Read row number ``row`` on top of those before it."""
        recorded = self._rows[row]
        if isinstance(recorded, bytes):
            vector: Float32 = np.frombuffer(recorded, np.float32)
        else:
            vector = self._table.rows([recorded])
        keys, values = self._cache.past(row)
        del self._read[row:]
        feeds: dict[str, npt.NDArray[Any]] = {
            "input_embeds": vector.reshape(1, 1, -1),
            "position_ids": np.array([[row]], np.int64),
            "past_keys": keys,
            "past_values": values,
        }
        out = np.empty(self._config.vocab, np.float32) if logits is None else logits
        self._run(self._step, feeds, out.reshape(1, 1, -1), cancel)
        self._read.append(recorded)

    def _run(
        self,
        session: ort.InferenceSession,
        feeds: dict[str, npt.NDArray[Any]],
        logits: Float32,
        cancel: Cancel,
    ) -> None:
        """Run either graph into ``logits`` and the cache. A run that fails leaves the cache as it was."""
        rows = logits.shape[1] + (feeds["past_keys"].shape[3] if "past_keys" in feeds else 0)
        keys, values = self._cache.room(rows)
        outputs = {"logits": logits, "present_keys": keys, "present_values": values}
        binding = session.io_binding()
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        for name, array in outputs.items():
            binding.bind_ortvalue_output(name, ort.OrtValue.ortvalue_from_numpy(array))
        run_bound(session, binding, cancel)
        self._cache.commit(rows)
