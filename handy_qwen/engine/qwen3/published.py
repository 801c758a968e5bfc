"""Model folders in the published ONNX layout, as they can be downloaded.

    encoder.onnx        mel (1, 128, time)              -> audio_features (1, tokens, hidden)
    decoder_init.onnx   ids, positions, audio features  -> logits of all rows, the cache
    decoder_step.onnx   one embedding row, the cache    -> logits, the cache
    embed_tokens.bin    the embedding table (vocab, hidden), float32 or float16
    config.json         sizes;  tokenizer.json and what belongs to it

The weights of the decoders lie beside them in files of any name (decoder_weights.data, ...onnx.data). Each
graph may be there in several precisions, told apart by an infix: ``decoder_init.int4.onnx``. One without
infix is float32 and stands in where the wanted precision is missing, graph by graph.

Everything that can be known without running a graph is checked before one is opened, so that an incomplete
or mixed folder gives one error that names the file. The token ids in config.json are not used: ids are
looked up in the tokenizer.

Source: https://github.com/andrewleech/qwen3-asr-onnx (third form of its packages, input_ids in decoder_init)
and the engine in its author's branch of transcribe-rs.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from handy_qwen.engine.json_files import as_corrupt, read_object
from handy_qwen.engine.qwen3.compact import FloatTable, audio_tokens
from handy_qwen.engine.qwen3.features import HOP, N_FFT, N_MELS, SAMPLE_RATE
from handy_qwen.engine.qwen3.model import (
    AudioConfig,
    AudioEncoder,
    Float32,
    ModelConfig,
    Rows,
    TextConfig,
    TextDecoder,
)
from handy_qwen.engine.qwen3.published_graph import (
    DOWNLOAD_AGAIN,
    FLOAT,
    INT64,
    Port,
    check_files,
    check_ports,
)
from handy_qwen.engine.qwen3.sessions import Cancel, open_session, run, run_bound
from handy_qwen.errors import ModelCorruptError, ModelMissingError
from handy_qwen.languages import ALL_LANGUAGES

GRAPHS = ("encoder", "decoder_init", "decoder_step")
PRECISIONS = ("int4", "int8", "fp16", "fp32")
"""From the smallest, which is also the fastest: on a CPU reading the weights is what a step waits for."""

PASS_S = 60.0
"""Longest clip in one go. decoder_init gives the logits of all rows: 0.6 MB each, 0.5 GB for a minute."""

_CURRENT = "huggingface.co/andrewleech/qwen3-asr-0.6b-onnx or qwen3-asr-1.7b-onnx"
_EMBED_TYPES = {"float32": np.float32, "float16": np.float16}


class Published(NamedTuple):
    """An opened folder."""

    config: ModelConfig
    encoder: AudioEncoder
    decoder: TextDecoder


def is_published_layout(folder: Path) -> bool:
    """Whether ``folder`` is of this layout, complete or not: no other has a decoder in two graphs."""
    names = (f"{name}{infix}.onnx" for name in GRAPHS[1:] for infix in ("", ".int4", ".int8", ".fp16"))
    return any((folder / name).is_file() for name in names)


def open_published(folder: Path, *, audio_pad: int, threads: int, quantization: str = "") -> Published:
    """Open a folder of the published layout.

    Args:
        folder: The folder.
        audio_pad: Id of ``<|audio_pad|>`` in the folder's tokenizer.
        threads: For each session, at least 1.
        quantization: One of PRECISIONS, or "" for the smallest that is there, graph by graph.

    Raises:
        ModelMissingError: A file is missing.
        ModelCorruptError: A file is cut short, or belongs to another model or to an earlier layout.
        ValueError: ``quantization`` is not known.
    """
    config, embed_type = read_config(folder / "config.json")
    paths = choose_graphs(folder, quantization)
    table = _open_table(folder / "embed_tokens.bin", config.text, embed_type)
    for path in paths.values():
        check_files(path)
    with ThreadPoolExecutor(thread_name_prefix="load") as pool:  # what takes long is done outside of Python
        encoder = pool.submit(PublishedEncoder, paths["encoder"], config, threads)
        decoder = PublishedDecoder(
            paths["decoder_init"],
            paths["decoder_step"],
            config=config.text,
            table=table,
            audio_pad=audio_pad,
            threads=threads,
        )
        return Published(config, encoder.result(), decoder)


class PublishedEncoder:
    """Implements ``backend.AudioEncoder``."""

    def __init__(self, path: Path, config: ModelConfig, threads: int) -> None:
        self._path = path
        self._config = config
        self._session = open_session(path, threads=threads)
        check_ports(path, self._session, *_encoder_ports(config))

    def prepare(self, index: int, mel: Float32, cancel: Cancel) -> None:
        """Nothing can be done for a part of a window. See ``backend.AudioEncoder``."""

    def encode(self, mel: Float32, cancel: Cancel) -> Float32:
        """See ``backend.AudioEncoder``.

        Raises:
            ModelCorruptError: The graph gave another number of tokens than the model has.
        """
        (features,) = run(self._session, {"mel": np.ascontiguousarray(mel[None])}, cancel, ["audio_features"])
        expected = (1, audio_tokens(mel.shape[1], self._config.audio), self._config.text.hidden)
        if features.shape != expected:
            problem = f"it made features of shape {features.shape} of {mel.shape[1]} frames, not {expected}"
            raise ModelCorruptError(self._path, problem, DOWNLOAD_AGAIN)
        audio_features: Float32 = features[0]
        return audio_features


def choose_graphs(folder: Path, quantization: str = "") -> dict[str, Path]:
    """The file of each graph in the precision asked for; see the module's head.

    Raises:
        ModelMissingError: A graph is there neither in the precision asked for nor in float32.
        ValueError: ``quantization`` is not known.
    """
    if quantization not in ("", *PRECISIONS):
        raise ValueError(f"unknown precision {quantization!r}; known are {', '.join(PRECISIONS)}")
    wanted = [quantization, "fp32"] if quantization else PRECISIONS
    chosen = {}
    for name in GRAPHS:
        files = [folder / f"{name}{_infix(precision)}.onnx" for precision in wanted]
        found = next((path for path in files if path.is_file()), None)
        if found is None:
            raise ModelMissingError(files[0] if quantization else _likely(folder, name), DOWNLOAD_AGAIN)
        chosen[name] = found
    return chosen


def _likely(folder: Path, name: str) -> Path:
    """The file of graph ``name`` in the precision that the other graphs are there in."""
    siblings = [
        (precision, f"{graph}{_infix(precision)}.onnx") for precision in PRECISIONS for graph in GRAPHS
    ]
    precision = next((precision for precision, file in siblings if (folder / file).is_file()), "fp32")
    return folder / f"{name}{_infix(precision)}.onnx"


def read_config(path: Path) -> tuple[ModelConfig, str]:
    """Read config.json: the sizes, and the type of the numbers in embed_tokens.bin.

    Raises:
        ModelMissingError, ModelCorruptError: It is not there, or describes another kind of model.
    """
    with as_corrupt(path, "it does not describe a model of this layout", DOWNLOAD_AGAIN, DOWNLOAD_AGAIN):
        raw = read_object(path)
        config, embed_type = _config_from(raw), str(raw.get("embed_tokens_dtype", "float32"))
        mel = dict(raw.get("mel", {}))
    if embed_type not in _EMBED_TYPES:
        raise ModelCorruptError(path, f"embed_tokens.bin in {embed_type!r} cannot be read", DOWNLOAD_AGAIN)
    ours = {"sample_rate": SAMPLE_RATE, "n_fft": N_FFT, "hop_length": HOP, "n_mels": N_MELS}
    for key, expected in ours.items():
        if mel.get(key, expected) != expected:
            raise ModelCorruptError(
                path, f"it asks for features with another {key} than {expected}", DOWNLOAD_AGAIN
            )
    if config.audio.output_dim != config.text.hidden or config.audio.mel_bins != N_MELS:
        raise ModelCorruptError(path, "its encoder and its decoder do not fit together", DOWNLOAD_AGAIN)
    return config, embed_type


def _config_from(raw: Mapping[str, Any]) -> ModelConfig:
    audio, text = raw["encoder"], raw["decoder"]
    return ModelConfig(
        AudioConfig(
            layers=int(audio["num_layers"]),
            d_model=int(audio["hidden_size"]),
            heads=int(audio["num_heads"]),
            ffn=int(audio["ffn_dim"]),
            conv_channels=int(audio["conv_channels"]),
            output_dim=int(audio["output_dim"]),
            mel_bins=int(audio["num_mel_bins"]),
        ),
        TextConfig(
            layers=int(text["num_layers"]),
            hidden=int(text["hidden_size"]),
            heads=int(text["num_attention_heads"]),
            kv_heads=int(text["num_key_value_heads"]),
            head_dim=int(text["head_dim"]),
            ffn=int(text["intermediate_size"]),
            vocab=int(text["vocab_size"]),
            rope_theta=float(text["rope_theta"]),
            rms_eps=float(text["rms_norm_eps"]),
        ),
        ALL_LANGUAGES,
    )


def _infix(precision: str) -> str:
    return "" if precision == "fp32" else f".{precision}"


def _open_table(path: Path, config: TextConfig, embed_type: str) -> FloatTable:
    """Map embed_tokens.bin after a look at its size, which is all that tells it from another model's."""
    if not path.is_file():
        raise ModelMissingError(path, DOWNLOAD_AGAIN)
    dtype = np.dtype(_EMBED_TYPES[embed_type])
    expected, found = config.vocab * config.hidden * dtype.itemsize, path.stat().st_size
    if found != expected:
        shape = f"{config.vocab} x {config.hidden} numbers in {embed_type}"
        raise ModelCorruptError(
            path, f"it has {found} bytes and not the {expected} of {shape}", DOWNLOAD_AGAIN
        )
    return FloatTable(path, (config.vocab, config.hidden), dtype)


def _refuse_earlier_form(path: Path, session: ort.InferenceSession) -> None:
    names = {port.name for port in session.get_inputs()}
    if "input_embeds" in names and "input_ids" not in names:
        raise ModelCorruptError(
            path,
            "it is an early export that wants embeddings where today's take token ids",
            f"Download a current package: {_CURRENT}.",
        )


def _encoder_ports(config: ModelConfig) -> tuple[dict[str, Port], dict[str, Port]]:
    """Inputs and outputs that the encoder must have."""
    features = Port(FLOAT, (1, None, config.text.hidden))
    return {"mel": Port(FLOAT, (1, N_MELS, None))}, {"audio_features": features}


def _decoder_ports(text: TextConfig, *, is_step: bool) -> tuple[dict[str, Port], dict[str, Port]]:
    """Inputs and outputs that a decoder must have."""
    cache = Port(FLOAT, (text.layers, None, text.kv_heads, None, text.head_dim))
    row = 1 if is_step else None
    inputs = {"position_ids": Port(INT64, (None, row))}
    if is_step:
        inputs |= {"input_embeds": Port(FLOAT, (None, 1, text.hidden))}
        inputs |= {"past_keys": cache, "past_values": cache}
    else:
        inputs |= {"input_ids": Port(INT64, (None, None)), "audio_offset": Port(INT64, (1,))}
        inputs |= {"audio_features": Port(FLOAT, (None, None, text.hidden))}
    logits = Port(FLOAT, (None, row, text.vocab))
    return inputs, {"logits": logits, "present_keys": cache, "present_values": cache}


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
        _refuse_earlier_form(init, self._init)
        check_ports(init, self._init, *_decoder_ports(config, is_step=False))
        self._step = open_session(step, threads=threads)
        check_ports(step, self._step, *_decoder_ports(config, is_step=True))
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
