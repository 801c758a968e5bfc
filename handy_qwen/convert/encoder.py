"""The graph of the audio encoder's layers; what comes before them is in frontend.py.

    hidden (1, tokens, d_model) --layers x [attention, feed-forward]--> ln_post, proj1, GELU, proj2
    --> features (1, tokens, hidden); one call is one window, so attention needs no mask

Source: Qwen3ASRAudioEncoder in QwenLM/Qwen3-ASR (modeling_qwen3_asr.py, 2026-01).
"""

from __future__ import annotations

from pathlib import Path

from handy_qwen.convert.graph import CONTRIB, Graph
from handy_qwen.convert.presets import Precision
from handy_qwen.convert.weights import Checkpoint
from handy_qwen.engine.config import AudioConfig

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
