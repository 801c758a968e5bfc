"""A Qwen3-ASR model: its sizes, an audio encoder and a text decoder.

The two halves are the same for the graphs of our package (compact.py) and the published ones (published.py).
Sizes are named as in the model's configuration, unless the literature has a shorter name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from handy_qwen.engine.api import Cancel
from handy_qwen.engine.qwen3.tokenizer import Tokenizer

Float32: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = "Sequence[int] | Float32"
"""The decoder's input: token ids, or audio features of shape (rows, hidden)."""

_MAX_SIZE = 1 << 20  # of any size; the largest known is the vocabulary, 151 936
TOKENS_PER_CHUNK = 13
"""Audio tokens of one convolution chunk of 100 frames: 100 halved three times, rounded up."""


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """The audio encoder. All sizes are counts."""

    layers: int
    d_model: int
    heads: int
    ffn: int
    conv_channels: int
    output_dim: int
    mel_bins: int = 128
    chunk_frames: int = 100  # frames convolved together: 1 s
    window_frames: int = 800  # frames whose tokens attend to each other: 8 s

    def tokens(self, frames: int) -> int:
        """Audio tokens of a window of ``frames`` frames: three halvings, rounded up, in each chunk."""
        full, rest = divmod(frames, self.chunk_frames)
        for _ in range(3):
            rest = -(-rest // 2)
        return full * TOKENS_PER_CHUNK + rest


@dataclass(frozen=True, slots=True)
class TextConfig:
    """The text decoder."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    rope_theta: float
    rms_eps: float

    @classmethod
    def from_json(cls, raw: dict[str, Any], layers: str) -> TextConfig:
        """Read a ``text_config``, or the ``decoder`` of a published model; raises as ``from_checkpoint``."""
        rope = raw.get("rope_parameters") or raw
        return cls(
            layers=int(raw[layers]),
            hidden=int(raw["hidden_size"]),
            heads=int(raw["num_attention_heads"]),
            kv_heads=int(raw["num_key_value_heads"]),
            head_dim=int(raw["head_dim"]),
            ffn=int(raw["intermediate_size"]),
            vocab=int(raw["vocab_size"]),
            rope_theta=float(rope["rope_theta"]),
            rms_eps=float(raw["rms_norm_eps"]),
        )


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Both halves of a model and the languages it was made for (English names)."""

    audio: AudioConfig
    text: TextConfig
    languages: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError for impossible sizes: a file may say anything."""
        audio, text = self.audio, self.text
        *counts, rope_theta, rms_eps = astuple(text)
        _check([*astuple(audio), *counts], int)
        _check([rope_theta, rms_eps], (int, float))
        _check(list(self.languages), str)
        if (audio.mel_bins, audio.chunk_frames, audio.window_frames % audio.chunk_frames) != (128, 100, 0):
            raise ValueError("features of another kind")
        if audio.output_dim != text.hidden or audio.d_model % audio.heads:
            raise ValueError("the sizes of the encoder contradict each other")
        if text.heads % text.kv_heads or text.head_dim % 2:
            raise ValueError("the sizes of the decoder contradict each other")

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> ModelConfig:
        """Inverse of ``dataclasses.asdict``; KeyError or TypeError for other fields."""
        return cls(AudioConfig(**raw["audio"]), TextConfig(**raw["text"]), tuple(raw["languages"]))

    @classmethod
    def from_checkpoint(cls, raw: dict[str, Any], languages: tuple[str, ...]) -> ModelConfig:
        """Read an official ``config.json``, with ``languages`` if it names none.

        The checkpoint's has a ``thinker_config`` around the one of transformers 5. Raises KeyError, TypeError
        or ValueError if it describes another kind of model.
        """
        thinker = raw.get("thinker_config", raw)
        audio, text = thinker["audio_config"], thinker["text_config"]
        return cls(
            AudioConfig(
                layers=int(audio["encoder_layers"]),
                d_model=int(audio["d_model"]),
                heads=int(audio["encoder_attention_heads"]),
                ffn=int(audio["encoder_ffn_dim"]),
                conv_channels=int(audio["downsample_hidden_size"]),
                output_dim=int(audio["output_dim"]),
                mel_bins=int(audio["num_mel_bins"]),
                chunk_frames=2 * int(audio["n_window"]),
                window_frames=int(audio["n_window_infer"]),
            ),
            TextConfig.from_json(text, layers="num_hidden_layers"),
            tuple(raw.get("support_languages") or languages),
        )


class AudioEncoder(Protocol):
    """Mel in, audio features out, one window at a time. Both methods raise CancelledError and EngineError."""

    def prepare(self, index: int, mel: Float32, cancel: Cancel) -> None:
        """Process second number ``index`` of an incomplete window in advance. ``mel``: (128, 100).

        Saves work if ``encode`` gets the same numbers there; never changes its result.
        """

    def encode(self, mel: Float32, cancel: Cancel) -> Float32:
        """Encode one window: ``mel``, normalized log-mel of shape (128, frames), 1 <= frames <= 800 (8 s).

        Returns shape (tokens, hidden), float32; 13 tokens per full second, fewer for a partial one.
        """


class TextDecoder(Protocol):
    """The language model with its KV cache.

    ``flush`` and ``logits`` raise EngineError, and CancelledError if ``cancel`` was set: the rows stay
    recorded.
    """

    draft_rows: int  # most tokens of a draft worth verifying in one run; 0 if that saves nothing

    @property
    def length(self) -> int:
        """Rows read so far (recorded ones included)."""

    def extend(self, rows: Rows) -> None:
        """Record the next rows. The work may wait until ``flush`` or ``logits``."""

    def flush(self, cancel: Cancel) -> None:
        """Process recorded rows in advance, so that ``logits`` has less to do."""

    def logits(self, count: int, cancel: Cancel) -> Float32:
        """Logits after each of the last ``count`` rows recorded since the last run.

        Shape (count, vocab), float32; valid until the next call.
        """

    def truncate(self, length: int) -> None:
        """Remove all rows after the first ``length``."""

    def close(self) -> None:
        """Free the memory. Nothing may be called afterwards."""


@dataclass(frozen=True, slots=True)
class ModelParts:
    """The parts of an opened model folder."""

    name: str
    config: ModelConfig
    tokenizer: Tokenizer
    encoder: AudioEncoder
    decoder: TextDecoder
    pass_s: float  # the longest segment it can read
    notice: str = ""  # what a user should know before relying on its text


def _check(values: list[Any], kind: type | tuple[type, ...]) -> None:
    """Check the types of values; numbers must be positive and finite, texts not empty."""
    for value in values:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"{type(value).__name__} instead of {kind}")
        if isinstance(value, int) and value > _MAX_SIZE:
            raise ValueError("a size is out of range")
        if not (0 < value < math.inf if isinstance(value, int | float) else value):
            raise ValueError("a value is out of range")
