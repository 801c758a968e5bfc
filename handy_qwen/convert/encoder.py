"""The graphs of the audio encoder: three convolutions of each second of audio, and the layers.

    frontend.onnx   mel (chunks, 1, 128, 100) --3 x [conv 3x3, stride 2, GELU]--> (chunks, C, 16, 13)
                    --transpose, conv_out--> (chunks, 13, d_model) + sinusoids that restart in each chunk
    encoder.onnx    hidden (1, tokens, d_model) --layers x [attention, feed-forward]--> ln_post, proj1, GELU,
                    proj2 --> features (1, tokens, hidden); one call is one window: attention needs no mask

The second convolution is two thirds of the work of a float32 encoder. With 8 bits, the second and third
become products of unfolded patches: channels last, nine shifted views side by side, all of it on quantized
activations, which are a quarter of the size to move.

Source: Qwen3ASRAudioEncoder in QwenLM/Qwen3-ASR (modeling_qwen3_asr.py, 2026-01).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handy_qwen.convert.graph import CONTRIB, TO_THE_END, Graph
from handy_qwen.convert.presets import PLAIN, Precision, Preset
from handy_qwen.convert.trial import Case, Fold, FoldedTensors, Trial
from handy_qwen.engine.qwen3 import names
from handy_qwen.engine.qwen3.model import TOKENS_PER_CHUNK, AudioConfig

_TOWER = "audio_tower."
_EPSILON = 1e-5


def write_frontend(
    path: Path,
    tensors: FoldedTensors,
    config: AudioConfig,
    preset: Preset,
    *,
    cases: Sequence[Case] = (),
    threads: int = 1,
) -> tuple[Precision, Counter[Precision]]:
    """Write the graph of the convolutions and of their projection to the encoder's width.

    ``preset`` gives the minimal precision. ``cases``, the check speech, have ``names.MEL`` and get
    ``names.TOKENS``. Returns the form of the convolutions (the first is never quantized), and how many
    products have which form.
    """
    with Graph(path, tensors.read, _TOWER) as graph:
        trial = Trial(graph, tensors, preset, cases, prefix=_TOWER, threads=threads)
        graph.input(names.MEL, ["chunks", 1, config.mel_bins, config.chunk_frames])
        write = partial(_chunk, config=config)
        trial.part(write, finer=replace(preset, convolutions=PLAIN))
        graph.output(names.TOKENS, ["chunks", TOKENS_PER_CHUNK, config.d_model])
        graph.save()
        return trial.taken.convolutions, graph.forms


def _chunk(graph: Graph, preset: Preset, *, config: AudioConfig) -> list[str]:
    writer = _ConvolutionWriter(graph)
    x = writer.plain(names.MEL, 1)  # a single channel: quantizing would gain nothing
    if preset.convolutions.bits == 32:
        x = writer.plain(writer.plain(x, 2), 3)
        x = graph.node("Transpose", [x], "by_time", perm=[0, 3, 1, 2])
    else:
        x = graph.node("Transpose", [x], "channels_last", perm=[0, 2, 3, 1])
        x = writer.unfolded(writer.unfolded(x, 2), 3)
        x = graph.node("Transpose", [x], "by_time", perm=[0, 2, 3, 1])
    x = graph.node("Reshape", [x, graph.integers([0, 0, -1])], "flattened")
    x = graph.linear(x, "conv_out", preset.encoder)
    positions = graph.constant("positions", sinusoids(TOKENS_PER_CHUNK, config.d_model))
    return [graph.node("Add", [x, positions], names.TOKENS)]


def sinusoids(length: int, width: int) -> npt.NDArray[np.float32]:
    """Whisper's position table. Shape (length, width): sines in the first half, cosines in the second."""
    half = width // 2
    rates = np.exp(-np.log(10_000) / (half - 1) * np.arange(half))
    angles = np.arange(length)[:, None] * rates[None]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


class _ConvolutionWriter:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._height_and_width = graph.integers([1, 2])
        self._stride = graph.integers([2, 2])
        self._pads = graph.integers([0, 1, 1, 0, 0, 1, 1, 0])

    def plain(self, x: str, number: int) -> str:
        """Convolve (chunks, channels, height, width) in float32."""
        graph, name = self._graph, f"conv2d{number}"
        inputs = [x, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")]
        x = graph.node("Conv", inputs, name, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        return graph.node("Gelu", [x], f"{name}.gelu", CONTRIB)

    def unfolded(self, x: str, number: int) -> str:
        """Convolve (chunks, height, width, channels) as one 8-bit product of its patches."""
        graph, name = self._graph, f"conv2d{number}"
        kernel, bias = graph.read(f"{name}.weight"), graph.read(f"{name}.bias")  # kernel (out, in, 3, 3)
        parts = [f"{name}.{part}" for part in ("rounded", "scale", "zero")]
        quantized, scale, zero = parts
        graph.node("DynamicQuantizeLinear", [x], parts)
        padded = graph.node("Pad", [quantized, self._pads, zero], f"{name}.padded")
        views = [self._view(padded, name, i, j) for i in range(3) for j in range(3)]
        patches = graph.node("Concat", views, f"{name}.patches", axis=3)
        by_patch = kernel.transpose(0, 2, 3, 1).reshape(len(kernel), -1)
        codes, scales = graph.channels(by_patch, name)
        inputs = [patches, codes, scale, scales, zero, "", graph.constant(f"{name}.bias", bias)]
        x = graph.node("MatMulIntegerToFloat", inputs, f"{name}.out", CONTRIB)
        return graph.node("Gelu", [x], f"{name}.gelu", CONTRIB)

    def _view(self, padded: str, name: str, i: int, j: int) -> str:
        """The input of place (i, j) of the 3 x 3 kernel: every other row and column from there on."""
        first = self._graph.integers([i, j])
        # Two of three places must skip the padding at the end, or the view would be too large.
        last = self._graph.integers([n - 2 if n < 2 else TO_THE_END for n in (i, j)])
        inputs = [padded, first, last, self._height_and_width, self._stride]
        return self._graph.node("Slice", inputs, f"{name}.view{i}{j}")


def write_encoder(
    path: Path,
    tensors: FoldedTensors,
    config: AudioConfig,
    preset: Preset,
    *,
    cases: Sequence[Case] = (),
    threads: int = 1,
) -> Counter[Precision]:
    """Write the graph of the transformer layers and the projection to the decoder's width.

    Like ``write_frontend``; cases have ``names.HIDDEN`` and get ``names.FEATURES``.
    """
    with Graph(path, tensors.read, _TOWER) as graph:
        trial = Trial(graph, tensors, preset, cases, prefix=_TOWER, threads=threads)
        x = graph.input(names.HIDDEN, [1, "tokens", config.d_model])
        for layer in range(config.layers):
            name = f"layers.{layer}"
            write = partial(_layer, x=x, name=name, heads=config.heads)
            (x,) = trial.part(write, _folds(name))
        trial.part(partial(_projection, x=x), [_norm_fold("ln_post", "proj1")])
        graph.output(names.FEATURES, [1, "tokens", config.output_dim])
        graph.save()
        return graph.forms


def _layer(graph: Graph, preset: Preset, *, x: str, name: str, heads: int) -> list[str]:
    """Write x + attention(norm(x)), then x + feed-forward(norm(x))."""

    def linear(x: str, name: str) -> str:
        return graph.linear(x, name, preset.encoder, has_bias=True)

    normed = _norm(graph, x, f"{name}.self_attn_layer_norm")
    parts = [linear(normed, f"{name}.self_attn.{part}_proj") for part in "qkv"]
    attended = graph.node("MultiHeadAttention", parts, f"{name}.attention", CONTRIB, num_heads=heads)
    x = graph.node("Add", [x, linear(attended, f"{name}.self_attn.out_proj")], f"{name}.residual")
    hidden = linear(_norm(graph, x, f"{name}.final_layer_norm"), f"{name}.fc1")
    hidden = graph.node("Gelu", [hidden], f"{name}.gelu", CONTRIB)
    return [graph.node("Add", [x, linear(hidden, f"{name}.fc2")], f"{name}.out")]


def _folds(name: str) -> list[Fold]:
    """The folds of a layer. Nothing can be folded through the GELU between fc1 and fc2."""
    attention = f"{name}.self_attn"
    values = tuple(f"{attention}.v_proj.{part}" for part in ("weight", "bias"))
    return [
        _norm_fold(f"{name}.self_attn_layer_norm", *(f"{attention}.{part}_proj" for part in "qkv")),
        Fold(f"{name}.attention", written=values, read=(f"{attention}.out_proj.weight",), is_shifted=True),
        _norm_fold(f"{name}.final_layer_norm", f"{name}.fc1"),
    ]


def _norm_fold(norm: str, *readers: str) -> Fold:
    read = tuple(f"{reader}.weight" for reader in readers)
    return Fold(f"{norm}.out", written=(f"{norm}.weight", f"{norm}.bias"), read=read, is_shifted=True)


def _norm(graph: Graph, x: str, name: str) -> str:
    inputs = [x, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")]
    return graph.node("LayerNormalization", inputs, f"{name}.out", axis=-1, epsilon=_EPSILON)


def _projection(graph: Graph, preset: Preset, *, x: str) -> list[str]:
    x = graph.linear(_norm(graph, x, "ln_post"), "proj1", preset.encoder, has_bias=True)
    x = graph.node("Gelu", [x], "proj1.gelu", CONTRIB)
    x = graph.linear(x, "proj2", preset.encoder, has_bias=True)
    return [graph.node("Identity", [x], names.FEATURES)]
