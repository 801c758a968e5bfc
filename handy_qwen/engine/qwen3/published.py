"""Model folders in the published ONNX layout, as available for download.

    encoder.onnx        mel (1, 128, time)              -> audio_features (1, tokens, hidden)
    decoder_init.onnx   ids, positions, audio features  -> logits of all rows, the cache
    decoder_step.onnx   one embedding row, the cache    -> logits of that row, the cache + 1
    embed_tokens.bin    the embedding table (vocab, hidden), float32 or float16
    config.json         sizes;  tokenizer.json and what belongs to it

The weights of the decoders are beside them in files of any name (decoder_weights.data, ...onnx.data). Each
graph may exist in several precisions with an infix: ``decoder_init.int4.onnx``; without one it is float32.
The smallest is used, graph by graph.

Packages of two gigabytes are often put together by hand or by an interrupted download: a data file is
missing, truncated, or that of another model. ONNX Runtime reports this late and in its own words, so the
files are checked before a graph is opened, and its inputs and outputs afterwards. Token ids in config.json
are ignored: ids are looked up in the tokenizer.

Source: https://github.com/andrewleech/qwen3-asr-onnx (third version of its packages, input_ids in
decoder_init) and the engine in its author's branch of transcribe-rs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from handy_qwen.engine.api import Cancel
from handy_qwen.engine.json_files import as_corrupt, read_object
from handy_qwen.engine.qwen3.compact import EmbeddingTable, map_array
from handy_qwen.engine.qwen3.features import HOP, N_FFT, N_MELS, SAMPLE_RATE
from handy_qwen.engine.qwen3.model import AudioConfig, Float32, ModelConfig, ModelParts, Rows, TextConfig
from handy_qwen.engine.qwen3.sessions import open_session, run, run_bound
from handy_qwen.engine.qwen3.tokenizer import load_tokenizer
from handy_qwen.errors import ModelCorruptError, ModelMissingError
from handy_qwen.languages import ALL_LANGUAGES
from handy_qwen.message import Message

GRAPHS = ("encoder", "decoder_init", "decoder_step")
_INFIXES = (".int4", ".int8", ".fp16", "")
"""From the smallest, which is also the fastest: on a CPU a step is limited by reading the weights."""

PASS_S = 60.0
"""Longest segment. decoder_init gives the logits of all rows: 0.6 MB each, 0.5 GB for a minute."""

DOWNLOAD_AGAIN = Message("Download the package again, with all of its files.")
FLOAT, INT64 = "tensor(float)", "tensor(int64)"
_LFS = b"version https://git-lfs"
_MOST_BYTES = 64 << 20  # a larger graph contains its weights, and would be in memory twice
_CURRENT = "huggingface.co/andrewleech/qwen3-asr-0.6b-onnx or qwen3-asr-1.7b-onnx"
_EMBED_TYPES = {"float32": np.float32, "float16": np.float16}
_CACHE_STEP = 256  # rows by which the cache grows at least


def is_published_layout(folder: Path) -> bool:
    """Whether ``folder`` has this layout, complete or not: no other has a decoder in two graphs."""
    return any((folder / f"{name}{infix}.onnx").is_file() for name in GRAPHS[1:] for infix in _INFIXES)


def open_published(folder: Path, threads: int) -> ModelParts:
    """Open a folder of the published layout, with ``threads`` threads for each session.

    ModelMissingError: a file is missing. ModelCorruptError: a file is truncated, or belongs to another model
    or to an earlier layout.
    """
    tokenizer = load_tokenizer(folder)
    config, embed_type = read_config(folder / "config.json")
    paths = choose_graphs(folder)
    table = _open_table(folder / "embed_tokens.bin", config.text, embed_type)
    for path in paths.values():
        check_files(path)
    tokenizer.check_fits(config.text.vocab)
    audio_pad = tokenizer.marker("<|audio_pad|>")
    with ThreadPoolExecutor(1, thread_name_prefix="load") as pool:  # the slow part runs without Python's lock
        encoder = pool.submit(_open_graph, "encoder", paths["encoder"], config, threads)
        init = _open_graph("decoder_init", paths["decoder_init"], config, threads)
        step = _open_graph("decoder_step", paths["decoder_step"], config, threads)
        return ModelParts(
            name=folder.name,
            config=config,
            tokenizer=tokenizer,
            encoder=PublishedEncoder(encoder.result(), paths["encoder"], config),
            decoder=PublishedDecoder(init, step, config=config.text, table=table, audio_pad=audio_pad),
            pass_s=PASS_S,
        )


def choose_graphs(folder: Path) -> dict[str, Path]:
    """The file of each graph in its smallest precision; ModelMissingError if there is none."""
    found = [
        next((infix for infix in _INFIXES if (folder / f"{name}{infix}.onnx").is_file()), None)
        for name in GRAPHS
    ]
    likely = min((infix for infix in found if infix is not None), key=_INFIXES.index, default="")
    chosen = {}
    for name, infix in zip(GRAPHS, found, strict=True):
        if infix is None:
            raise ModelMissingError(folder / f"{name}{likely}.onnx", DOWNLOAD_AGAIN)
        chosen[name] = folder / f"{name}{infix}.onnx"
    return chosen


def read_config(path: Path) -> tuple[ModelConfig, str]:
    """Read config.json: the sizes, and the type of the numbers in embed_tokens.bin.

    Raises ModelMissingError, or ModelCorruptError if it describes another kind of model.
    """
    with as_corrupt(
        path, Message("it does not describe a model of this layout"), DOWNLOAD_AGAIN, DOWNLOAD_AGAIN
    ):
        raw = read_object(path)
        config, embed_type = _config_from(raw), str(raw.get("embed_tokens_dtype", "float32"))
        mel = dict(raw.get("mel", {}))
    if embed_type not in _EMBED_TYPES:
        raise ModelCorruptError(
            path,
            Message("embed_tokens.bin in {embed_type} cannot be read", embed_type=repr(embed_type)),
            DOWNLOAD_AGAIN,
        )
    ours = {"sample_rate": SAMPLE_RATE, "n_fft": N_FFT, "hop_length": HOP, "n_mels": N_MELS}
    for key, expected in ours.items():
        if mel.get(key, expected) != expected:
            problem = Message(
                "it needs features with another {key} than {expected}", key=key, expected=expected
            )
            raise ModelCorruptError(path, problem, DOWNLOAD_AGAIN)
    return config, embed_type


def _config_from(raw: Mapping[str, Any]) -> ModelConfig:
    audio = raw["encoder"]
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
        TextConfig.from_json(raw["decoder"], layers="num_layers"),
        ALL_LANGUAGES,
    )


def _open_table(path: Path, config: TextConfig, embed_type: str) -> EmbeddingTable:
    """Map embed_tokens.bin after checking its size, the only sign that it belongs to another model."""
    if not path.is_file():
        raise ModelMissingError(path, DOWNLOAD_AGAIN)
    dtype = np.dtype(_EMBED_TYPES[embed_type])
    expected, found = config.vocab * config.hidden * dtype.itemsize, path.stat().st_size
    if found != expected:
        shape = f"{config.vocab} x {config.hidden} numbers in {embed_type}"
        problem = Message(
            "it has {found} bytes and not the {expected} of {shape}",
            found=found,
            expected=expected,
            shape=shape,
        )
        raise ModelCorruptError(path, problem, DOWNLOAD_AGAIN)
    return EmbeddingTable(map_array(path, (config.vocab, config.hidden), dtype))


def _open_graph(name: str, path: Path, config: ModelConfig, threads: int) -> ort.InferenceSession:
    session = open_session(path, threads=threads)
    inputs = {port.name for port in session.get_inputs()}
    if name == "decoder_init" and "input_embeds" in inputs and "input_ids" not in inputs:
        raise ModelCorruptError(
            path,
            Message("it is an early export that takes embeddings where current ones take token ids"),
            Message("Download a current package: {current}.", current=_CURRENT),
        )
    check_ports(path, session, *_ports(name, config))
    return session


def _ports(name: str, config: ModelConfig) -> tuple[dict[str, Port], dict[str, Port]]:
    text = config.text
    if name == "encoder":
        features = Port(FLOAT, (1, None, text.hidden))
        return {"mel": Port(FLOAT, (1, N_MELS, None))}, {"audio_features": features}
    cache = Port(FLOAT, (text.layers, None, text.kv_heads, None, text.head_dim))
    row = 1 if name == "decoder_step" else None
    inputs = {"position_ids": Port(INT64, (None, row))}
    if name == "decoder_step":
        inputs["input_embeds"] = Port(FLOAT, (None, 1, text.hidden))
        inputs |= {"past_keys": cache, "past_values": cache}
    else:
        inputs |= {"input_ids": Port(INT64, (None, None)), "audio_offset": Port(INT64, (1,))}
        inputs["audio_features"] = Port(FLOAT, (None, None, text.hidden))
    logits = Port(FLOAT, (None, row, text.vocab))
    return inputs, {"logits": logits, "present_keys": cache, "present_values": cache}


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph: its type as ONNX Runtime spells it, and its shape, None where free."""

    dtype: str
    shape: tuple[int | None, ...]


def check_files(path: Path) -> None:
    """Check that a graph and its weight files exist and are long enough.

    ModelMissingError: one is missing. ModelCorruptError: one is too short or something else, or weights are
    outside the graph's folder.
    """
    if not path.is_file():
        raise ModelMissingError(path, DOWNLOAD_AGAIN)
    size = path.stat().st_size
    if size == 0:
        raise ModelCorruptError(path, Message("it is empty"), DOWNLOAD_AGAIN)
    with path.open("rb") as file:
        if file.read(len(_LFS)) == _LFS:
            raise ModelCorruptError(
                path,
                Message("it is a Git LFS pointer, not the file itself"),
                Message("Run `git lfs pull` there, or download it."),
            )
    for location, needed in ({} if size > _MOST_BYTES else _weights(path)).items():
        data = path.parent / location
        if not location or Path(location).name != location:
            raise ModelCorruptError(
                path, Message("it looks for weights outside its own folder"), DOWNLOAD_AGAIN
            )
        if not data.is_file():
            raise ModelMissingError(data, DOWNLOAD_AGAIN)
        found = data.stat().st_size
        if found < needed:
            problem = Message(
                "it has {found} bytes where {name} needs {needed}", found=found, name=path.name, needed=needed
            )
            raise ModelCorruptError(data, problem, DOWNLOAD_AGAIN)


def _weights(path: Path) -> dict[str, int]:
    """The weight files of the graph ``path``, and the bytes that each must have."""
    import onnx  # slow, and our own packages do not need it
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    needed: dict[str, int] = {}
    try:
        graph = onnx.load(path, load_external_data=False).graph
        for tensor in filter(uses_external_data, graph.initializer):
            info = ExternalDataInfo(tensor)
            item_bits = 8 * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
            if tensor.data_type in {onnx.TensorProto.UINT4, onnx.TensorProto.INT4}:
                item_bits = 4
            size = info.length or -(-math.prod(tensor.dims) * item_bits // 8)
            needed[info.location] = max(needed.get(info.location, 0), (info.offset or 0) + size)
    except Exception as exc:  # protobuf has errors of its own
        raise ModelCorruptError(
            path, Message("it is not an ONNX graph, or cut short"), DOWNLOAD_AGAIN
        ) from exc
    return needed


def check_ports(
    path: Path, session: ort.InferenceSession, inputs: Mapping[str, Port], outputs: Mapping[str, Port]
) -> None:
    """Raise ModelCorruptError if the graph ``path`` has inputs or outputs of other types or sizes."""
    found_inputs = {port.name: port for port in session.get_inputs()}
    found_outputs = {port.name: port for port in session.get_outputs()}
    for name in sorted(found_inputs.keys() - inputs.keys()):
        raise ModelCorruptError(
            path, Message("it needs an input {name} that is not known here", name=name), DOWNLOAD_AGAIN
        )
    for kind, expected, found in (("input", inputs, found_inputs), ("output", outputs, found_outputs)):
        for name, port in expected.items():
            if name not in found:
                problem = Message(
                    "it has no {kind} {name}, so it is another kind of graph", kind=kind, name=name
                )
            elif found[name].type != port.dtype:
                problem = Message(
                    "its {kind} {name} has the type {type} and not {dtype}",
                    kind=kind,
                    name=name,
                    type=found[name].type,
                    dtype=port.dtype,
                )
            elif not _fits(found[name].shape, port.shape):
                problem = Message(
                    "its {kind} {name} has sizes that are not those of config.json", kind=kind, name=name
                )
            else:
                continue
            raise ModelCorruptError(path, problem, DOWNLOAD_AGAIN)


def _fits(found: list[int | str | None], expected: tuple[int | None, ...]) -> bool:
    """Whether the sizes that both state are equal; a graph need not state any."""
    pairs = zip(found, expected, strict=False)
    is_equal = all(size == wanted for size, wanted in pairs if isinstance(size, int) and wanted is not None)
    return not found or (len(found) == len(expected) and is_equal)


class PublishedEncoder:
    """Implements ``model.AudioEncoder``; ``path`` is that of the graph, for errors."""

    def __init__(self, session: ort.InferenceSession, path: Path, config: ModelConfig) -> None:
        self._session = session
        self._path = path
        self._config = config

    def prepare(self, index: int, mel: Float32, cancel: Cancel) -> None:
        """A part of a window cannot be processed. See ``model.AudioEncoder``."""

    def encode(self, mel: Float32, cancel: Cancel) -> Float32:
        """See ``model.AudioEncoder``; ModelCorruptError for an unexpected number of tokens."""
        (features,) = run(self._session, {"mel": np.ascontiguousarray(mel[None])}, cancel, ["audio_features"])
        expected = (1, self._config.audio.tokens(mel.shape[1]), self._config.text.hidden)
        if features.shape != expected:
            problem = Message(
                "it made features of shape {shape} of {frames} frames, not {expected}",
                shape=features.shape,
                frames=mel.shape[1],
                expected=expected,
            )
            raise ModelCorruptError(self._path, problem, DOWNLOAD_AGAIN)
        audio_features: Float32 = features[0]
        return audio_features


class PublishedDecoder:
    """Implements ``model.TextDecoder`` with one graph that reads a whole prompt and one that reads one row.

    Neither reads several rows on top of a cache, so a draft saves nothing. The two do not agree to the last
    digit. In current 4-bit packages both have the same output head, but a product of many rows is rounded
    differently from that of a single one; in earlier packages the head of decoder_init was in float32, and 3
    of 440 choices of the demo model differed. Each row is therefore always read in the same way: decoder_init
    reads all rows up to the first whose logits are wanted (the prompt), and decoder_step the rows after it
    (the answer).

    Rows that were read, truncated and recorded again are recognized: if they make the same prompt, its keys,
    values and last logits are reused.
    """

    draft_rows = 0

    def __init__(
        self,
        init: ort.InferenceSession,
        step: ort.InferenceSession,
        *,
        config: TextConfig,
        table: EmbeddingTable,
        audio_pad: int,
    ) -> None:
        self._init = init
        self._step = step
        self._config = config
        self._table = table
        self._audio_pad = audio_pad
        self._cache = _StackedCache(config)
        self._rows: list[int | bytes] = []  # recorded rows: token ids, and the bytes of feature rows
        self._prompt_rows = 0  # how many of them are the prompt; 0 until logits are asked for
        self._read: list[int | bytes] = []  # the rows whose keys and values are in the cache
        self._read_at_once = 0  # how many of them decoder_init read
        self._prompt_logits: Float32 = np.empty(0, np.float32)  # of the last of those; shape (1, vocab)

    @property
    def length(self) -> int:
        """See ``model.TextDecoder``."""
        return len(self._rows)

    def extend(self, rows: Rows) -> None:
        """See ``model.TextDecoder``. All audio of a prompt is contiguous."""
        if not isinstance(rows, np.ndarray):
            self._rows.extend(int(i) for i in rows)
            return
        if rows.ndim != 2 or rows.shape[1] != self._config.hidden:
            raise ValueError(f"features of shape {rows.shape} for a decoder of width {self._config.hidden}")
        self._rows.extend(np.asarray(row, np.float32).tobytes() for row in rows)

    def flush(self, cancel: Cancel) -> None:
        """See ``model.TextDecoder``. Nothing can be done in advance: a prompt is read in one run."""
        cancel.check()

    def logits(self, count: int, cancel: Cancel) -> Float32:
        """See ``model.TextDecoder``. ``count`` is 1, as there are no drafts."""
        if count != 1 or not self._rows:
            raise ValueError(f"logits of {count} rows asked for, of {self.length}")
        prompt = self._prompt_rows = self._prompt_rows or self.length
        if self._read_at_once != prompt or self._known_rows() < prompt:
            self._run_init(prompt, cancel)
        logits = self._prompt_logits
        for row in range(max(prompt, min(self._known_rows(), self.length - 1)), self.length):
            logits = self._run_step(row, cancel)
        return logits

    def truncate(self, length: int) -> None:
        """See ``model.TextDecoder``."""
        del self._rows[length:]
        if length < self._prompt_rows:
            self._prompt_rows = 0

    def close(self) -> None:
        """See ``model.TextDecoder``."""
        self._rows.clear()
        self._read.clear()
        del self._init, self._step, self._cache, self._table

    def _known_rows(self) -> int:
        pairs = zip(self._rows, self._read, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def _run_init(self, rows: int, cancel: Cancel) -> None:
        recorded = self._rows[:rows]
        audio = [row for row in recorded if isinstance(row, bytes)]
        offset = next((i for i, row in enumerate(recorded) if isinstance(row, bytes)), 0)
        ids = np.array([self._audio_pad if isinstance(row, bytes) else row for row in recorded], np.int64)
        # The graph replaces embeddings with features at `offset`. Without audio it gets those already there.
        features = np.frombuffer(b"".join(audio), np.float32) if audio else self._table.rows([int(ids[0])])
        feeds: dict[str, npt.NDArray[Any]] = {
            "input_ids": ids[None],
            "position_ids": np.arange(rows, dtype=np.int64)[None],
            "audio_features": features.reshape(1, -1, self._config.hidden),
            "audio_offset": np.array([offset], np.int64),
        }
        logits = self._run(self._init, feeds, rows, rows, cancel)
        self._read, self._read_at_once = recorded, rows
        self._prompt_logits = logits[-1:].copy()

    def _run_step(self, row: int, cancel: Cancel) -> Float32:
        """Read row number ``row`` on top of the earlier ones. Logits of shape (1, vocab)."""
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
        logits = self._run(self._step, feeds, 1, row + 1, cancel)
        self._read.append(recorded)
        return logits

    def _run(
        self,
        session: ort.InferenceSession,
        feeds: dict[str, npt.NDArray[Any]],
        new_rows: int,
        rows: int,
        cancel: Cancel,
    ) -> Float32:
        """Run a graph; logits of the new rows, (new_rows, vocab). If it fails, the cache is unchanged."""
        logits: Float32 = np.empty((new_rows, self._config.vocab), np.float32)
        keys, values = self._cache.next(rows)
        binding = session.io_binding()
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        for name, array in (("logits", logits[None]), ("present_keys", keys), ("present_values", values)):
            binding.bind_ortvalue_output(name, ort.OrtValue.ortvalue_from_numpy(array))
        run_bound(session, binding, cancel)
        self._cache.commit(rows)
        return logits


class _StackedCache:
    """Keys and values of all layers in two buffers of equal size that alternate.

    Both graphs copy the whole cache in every run: one buffer is read while the other is written, so that
    nothing is allocated.
    """

    def __init__(self, config: TextConfig) -> None:
        self._shape = (2, config.layers, 1, config.kv_heads)  # keys, values
        self._head_dim = config.head_dim
        self._rows = 0
        self._capacity = 0
        self._held = self._spare = np.empty(0, np.float32)

    def past(self, rows: int) -> Float32:
        """Keys and values of the first ``rows`` rows; the others are dropped.

        Each of shape (layers, 1, kv_heads, rows, head_dim), contiguous.
        """
        if rows < self._rows:
            self.next(rows)[:] = self._view(self._held, self._rows)[..., :rows, :]
            self.commit(rows)
        return self._view(self._held, rows)

    def next(self, rows: int) -> Float32:
        """Where a graph may write the keys and values of ``rows`` rows; ``commit`` makes them current."""
        if rows > self._capacity:
            self._capacity = max(2 * self._capacity, -(-rows // _CACHE_STEP) * _CACHE_STEP)
        size = int(np.prod(self._shape)) * self._capacity * self._head_dim
        if self._spare.size < size:
            self._spare = np.empty(size, np.float32)
        return self._view(self._spare, rows)

    def commit(self, rows: int) -> None:
        """Make what was written into ``next(rows)`` the current cache."""
        self._held, self._spare = self._spare, self._held
        self._rows = rows

    def _view(self, buffer: Float32, rows: int) -> Float32:
        shape = (*self._shape, rows, self._head_dim)
        return buffer[: int(np.prod(shape))].reshape(shape)
