"""The graph of the audio encoder's layers; what comes before them is in frontend.py.

    hidden (1, tokens, d_model) --layers x [attention, feed-forward]--> ln_post, proj1, GELU, proj2
    --> features (1, tokens, hidden); one call is one window, so attention needs no mask

Source: Qwen3ASRAudioEncoder in QwenLM/Qwen3-ASR (modeling_qwen3_asr.py, 2026-01).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from handy_qwen.convert.checkpoint import Checkpoint
from handy_qwen.convert.graph import CONTRIB, Graph
from handy_qwen.convert.presets import Precision, Preset
from handy_qwen.engine.qwen3.model import TOKENS_PER_CHUNK, AudioConfig

_TOWER = "audio_tower."
_EPSILON = 1e-5


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


_TOWER = "audio_tower."
_TO_THE_END = np.iinfo(np.int64).max


def write_frontend(path: Path, weights: Checkpoint, config: AudioConfig, preset: Preset) -> None:
    """Write the graph of the convolutions and of their projection to the encoder's width."""
    with Graph(path) as graph:
        writer = _ConvolutionWriter(graph, weights)
        x = graph.input("mel", ["chunks", 1, config.mel_bins, config.chunk_frames])
        x = writer.plain(x, 1)  # of one channel: there is nothing to gain
        if preset.convolutions.bits == 32:
            x = writer.plain(writer.plain(x, 2), 3)
            x = graph.node("Transpose", [x], "by_time", perm=[0, 3, 1, 2])
        else:
            x = graph.node("Transpose", [x], "channels_last", perm=[0, 2, 3, 1])
            x = writer.unfolded(writer.unfolded(x, 2), 3)
            x = graph.node("Transpose", [x], "by_time", perm=[0, 2, 3, 1])
        x = graph.node("Reshape", [x, graph.constant("flat", [0, 0, -1])], "flattened")
        x = writer.projected(x, preset.encoder)
        positions = graph.constant("positions", sinusoids(TOKENS_PER_CHUNK, config.d_model))
        graph.node("Add", [x, positions], "tokens")
        graph.output("tokens", ["chunks", TOKENS_PER_CHUNK, config.d_model])
        graph.save()


def sinusoids(length: int, width: int) -> npt.NDArray[np.float32]:
    """Whisper's position table. Shape (length, width): sines in the first half, cosines in the second."""
    half = width // 2
    rates = np.exp(-np.log(10_000) / (half - 1) * np.arange(half))
    angles = np.arange(length)[:, None] * rates[None]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


class _ConvolutionWriter:
    """Adds the convolutions, each with its GELU, to a graph."""

    def __init__(self, graph: Graph, weights: Checkpoint) -> None:
        self._graph = graph
        self._weights = weights
        self._height_and_width = graph.constant("height_and_width", [1, 2])
        self._stride = graph.constant("stride", [2, 2])
        self._pads = graph.constant("pads", [0, 1, 1, 0, 0, 1, 1, 0])

    def plain(self, x: str, number: int) -> str:
        """Convolve (chunks, channels, height, width) in float32."""
        graph, name = self._graph, f"conv2d{number}"
        kernel, bias = self._read(number)
        inputs = [x, graph.constant(f"{name}.weight", kernel), graph.constant(f"{name}.bias", bias)]
        x = graph.node("Conv", inputs, name, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        return graph.node("Gelu", [x], f"{name}.gelu", CONTRIB)

    def unfolded(self, x: str, number: int) -> str:
        """Convolve (chunks, height, width, channels) as one 8-bit product of its patches."""
        graph, name = self._graph, f"conv2d{number}"
        kernel, bias = self._read(number)
        parts = [f"{name}.{part}" for part in ("rounded", "scale", "zero")]
        rounded, scale, zero = parts
        graph.node("DynamicQuantizeLinear", [x], parts)
        padded = graph.node("Pad", [rounded, self._pads, zero], f"{name}.padded")
        views = [self._view(padded, name, i, j) for i in range(3) for j in range(3)]
        patches = graph.node("Concat", views, f"{name}.patches", axis=3)
        by_patch = kernel.transpose(0, 2, 3, 1).reshape(len(kernel), -1)
        codes, scales = graph.channels(by_patch, name)
        inputs = [patches, codes, scale, scales, zero, "", graph.constant(f"{name}.bias", bias)]
        x = graph.node("MatMulIntegerToFloat", inputs, f"{name}.out", CONTRIB)
        return graph.node("Gelu", [x], f"{name}.gelu", CONTRIB)

    def projected(self, x: str, precision: Precision) -> str:
        """Project the channels of all mel bins to the encoder's width."""
        return self._graph.linear(x, self._weights.read(f"{_TOWER}conv_out.weight"), "conv_out", precision)

    def _view(self, padded: str, name: str, i: int, j: int) -> str:
        """What place (i, j) of the 3 x 3 kernel sees: every other row and column from there on."""
        first = self._graph.constant(f"{name}.first{i}{j}", [i, j])
        # Two of three places must leave out the padding at the end, or there would be a view too large.
        last = self._graph.constant(f"{name}.last{i}{j}", [n - 2 if n < 2 else _TO_THE_END for n in (i, j)])
        inputs = [padded, first, last, self._height_and_width, self._stride]
        return self._graph.node("Slice", inputs, f"{name}.view{i}{j}")

    def _read(self, number: int) -> list[npt.NDArray[np.float32]]:
        """Kernel (out, in, 3, 3) and bias."""
        return [self._weights.read(f"{_TOWER}conv2d{number}.{part}") for part in ("weight", "bias")]
