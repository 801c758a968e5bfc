"""The two graphs of the audio encoder.

    frontend    mel (chunks, 1, 128, 100) --3 x [conv 3x3, stride 2, GELU]--> (chunks, C, 16, 13)
                --transpose, conv_out--> (chunks, 13, d_model) + sinusoids that begin anew in each chunk
    encoder     hidden (1, tokens, d_model) --layers x [attention, feed-forward]--> ln_post, proj1, GELU,
                proj2 --> features (1, tokens, hidden); one call is one window, so attention needs no mask

Source: Qwen3ASRAudioEncoder in QwenLM/Qwen3-ASR (modeling_qwen3_asr.py, 2026-01).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from handy_qwen.convert.graph import CONTRIB, Graph
from handy_qwen.convert.presets import Precision
from handy_qwen.convert.weights import Checkpoint
from handy_qwen.engine.config import TOKENS_PER_CHUNK, AudioConfig

_TOWER = "audio_tower."
_EPSILON = 1e-5


def write_frontend(path: Path, weights: Checkpoint, config: AudioConfig, precision: Precision) -> None:
    """Write the graph of the convolutions, which are kept in float32, and their projection."""
    with Graph(path) as graph:
        x = graph.input("mel", ["chunks", 1, config.mel_bins, config.chunk_frames])
        for number in (1, 2, 3):
            name = f"conv2d{number}"
            kernel = graph.constant(f"{name}.weight", weights.read(f"{_TOWER}{name}.weight"))
            bias = graph.constant(f"{name}.bias", weights.read(f"{_TOWER}{name}.bias"))
            x = graph.node(
                "Conv", [x, kernel, bias], name, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
            )
            x = graph.node("Gelu", [x], f"{name}.gelu", CONTRIB)
        x = graph.node("Transpose", [x], "by_time", perm=[0, 3, 1, 2])
        x = graph.node("Reshape", [x, graph.constant("flat", [0, 0, -1])], "flattened")
        x = graph.linear(x, weights.read(f"{_TOWER}conv_out.weight"), "conv_out", precision)
        positions = graph.constant("positions", sinusoids(TOKENS_PER_CHUNK, config.d_model))
        graph.node("Add", [x, positions], "tokens")
        graph.output("tokens", ["chunks", TOKENS_PER_CHUNK, config.d_model])
        graph.save()


def write_encoder(path: Path, weights: Checkpoint, config: AudioConfig, precision: Precision) -> None:
    """Write the graph of the transformer layers and the projection to the decoder's width."""
    with Graph(path) as graph:
        writer = _LayerWriter(graph, weights, config, precision)
        x = graph.input("hidden", [1, "tokens", config.d_model])
        for layer in range(config.layers):
            x = writer.layer(x, layer)
        x = writer.norm(x, "ln_post")
        x = graph.node("Gelu", [writer.linear(x, "proj1")], "proj1.gelu", CONTRIB)
        graph.node("Identity", [writer.linear(x, "proj2")], "features")
        graph.output("features", [1, "tokens", config.output_dim])
        graph.save()


def sinusoids(length: int, width: int) -> npt.NDArray[np.float32]:
    """Whisper's position table. Shape (length, width): sines in the first half, cosines in the second."""
    half = width // 2
    rates = np.exp(-np.log(10_000) / (half - 1) * np.arange(half))
    angles = np.arange(length)[:, None] * rates[None]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


class _LayerWriter:
    """Adds the encoder's layers to a graph."""

    def __init__(self, graph: Graph, weights: Checkpoint, config: AudioConfig, precision: Precision) -> None:
        self._graph = graph
        self._weights = weights
        self._config = config
        self._precision = precision

    def layer(self, x: str, index: int) -> str:
        """Compute x + attention(norm(x)), then x + feed-forward(norm(x))."""
        graph, name = self._graph, f"layers.{index}"
        normed = self.norm(x, f"{name}.self_attn_layer_norm")
        parts = [self.linear(normed, f"{name}.self_attn.{part}_proj") for part in "qkv"]
        attended = graph.node(
            "MultiHeadAttention", parts, f"{name}.attention", CONTRIB, num_heads=self._config.heads
        )
        x = graph.node("Add", [x, self.linear(attended, f"{name}.self_attn.out_proj")], f"{name}.residual")
        hidden = self.linear(self.norm(x, f"{name}.final_layer_norm"), f"{name}.fc1")
        hidden = graph.node("Gelu", [hidden], f"{name}.gelu", CONTRIB)
        return graph.node("Add", [x, self.linear(hidden, f"{name}.fc2")], f"{name}.out")

    def norm(self, x: str, name: str) -> str:
        """Layer normalization with scale and bias."""
        scale, bias = (self._constant(f"{name}.{part}") for part in ("weight", "bias"))
        return self._graph.node(
            "LayerNormalization", [x, scale, bias], f"{name}.out", axis=-1, epsilon=_EPSILON
        )

    def linear(self, x: str, name: str) -> str:
        """Compute x @ weight.T + bias."""
        bias = self._constant(f"{name}.bias")
        return self._graph.linear(
            x, self._weights.read(f"{_TOWER}{name}.weight"), name, self._precision, bias
        )

    def _constant(self, name: str) -> str:
        return self._graph.constant(name, self._weights.read(f"{_TOWER}{name}"))
