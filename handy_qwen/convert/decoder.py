"""The graphs of the text decoder: its layers, and the output head, which is the embedding table.

    decoder.onnx   inputs_embeds (1, rows, hidden) --layers x [attention on the cache, SwiGLU]-->
                   the last ``count`` rows, from the last layer's attention on --norm-->
                   hidden (count, hidden)
    head.onnx      hidden (rows, hidden) --product with the table--> logits (rows, vocab)

Attention is GroupQueryAttention with past and present in one buffer: keys and values of the new rows are
written after the first ``seqlens_k + 1 - rows``. The same graph reads a prompt, a part of one, one token, or
several to verify a draft. The head is a separate graph: only rows whose next token is needed go through it,
and loading can pack its weights on another thread than those of the layers.

Source: Qwen3ForCausalLM in transformers (5.x); GroupQueryAttention in ONNX Runtime's contrib operators
(1.32).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from handy_qwen.convert.checkpoint import EMBEDDING, Checkpoint
from handy_qwen.convert.graph import CONTRIB, TO_THE_END, Graph, append_aligned, quantize_blocks, write_array
from handy_qwen.convert.presets import Precision, Preset
from handy_qwen.convert.trial import Case, Fold, FoldedTensors, TooCoarseError, Trial
from handy_qwen.engine.qwen3 import names
from handy_qwen.engine.qwen3.manifest import TableForm
from handy_qwen.engine.qwen3.model import TextConfig

_PREFIX = "model."


def write_decoder(
    path: Path,
    tensors: FoldedTensors,
    config: TextConfig,
    preset: Preset,
    *,
    cases: Sequence[Case] = (),
    limit: float = math.inf,
    threads: int = 1,
) -> Counter[Precision]:
    """Write the graph of the layers; return how many products have which form.

    ``preset`` gives the minimal precision. ``cases``, the check speech, have all inputs of the graph and get
    ``names.HIDDEN``. TooCoarseError if a layer's error exceeds ``limit``: later layers are hardly ever
    closer.
    """
    with Graph(path, tensors.read, _PREFIX) as graph:
        graph.input(names.EMBEDS, [1, "rows", config.hidden])
        graph.input(names.SEQLENS_K, [1], TensorProto.INT32)
        graph.input(names.TOTAL_LENGTH, [], TensorProto.INT32)
        graph.input(names.COUNT, [1], TensorProto.INT64)  # minus the number of rows wanted
        for angles in (names.COSINE, names.SINE):
            graph.input(angles, ["capacity", config.head_dim // 2])
        trial = Trial(graph, tensors, preset, cases, prefix=_PREFIX, threads=threads)
        stream = [names.EMBEDS]
        for layer in range(config.layers):
            write = partial(_layer, config=config, stream=stream, index=layer)
            stream = trial.part(write, _folds(config, layer))
            if cases and (error := trial.error(stream[0])) > limit:
                raise TooCoarseError(error)
        trial.part(partial(_final_norm, config=config, stream=stream))
        graph.output(names.HIDDEN, ["count_rows", config.hidden])
        for pairs in zip(*(names.cache_names(layer) for layer in range(config.layers)), strict=True):
            for past, present in pairs:
                shape: list[int | str] = [1, config.kv_heads, "capacity", config.head_dim]
                graph.input(past, shape)
                graph.output(present, shape)
        graph.save()
        return graph.forms


def _folds(config: TextConfig, index: int) -> list[Fold]:
    name = f"layers.{index}"
    attention, mlp = f"{name}.self_attn", f"{name}.mlp"
    before, between = f"{name}.input_layernorm", f"{name}.post_attention_layernorm"
    return [
        Fold(f"{before}.out", (f"{before}.weight",), tuple(f"{attention}.{x}_proj.weight" for x in "qkv")),
        Fold(
            f"{name}.attended",
            (f"{attention}.v_proj.weight",),
            (f"{attention}.o_proj.weight",),
            (config.heads, config.kv_heads),
        ),
        Fold(f"{between}.out", (f"{between}.weight",), (f"{mlp}.gate_proj.weight", f"{mlp}.up_proj.weight")),
        Fold(f"{mlp}.hidden", (f"{mlp}.up_proj.weight",), (f"{mlp}.down_proj.weight",)),
    ]


def _layer(graph: Graph, preset: Preset, *, config: TextConfig, stream: list[str], index: int) -> list[str]:
    """Write a layer.

    ``stream`` is the residual stream and, after the first layer, what is still to be added to it: the next
    norm does that. After its attention, the last layer continues with the wanted rows only.
    """
    name = f"layers.{index}"
    x, normed = _add_and_norm(graph, config, stream, f"{name}.input_layernorm")
    query, key = _query_and_key(graph, preset, config, normed, f"{name}.self_attn")
    cache = [past for past, _ in names.cache_names(index)]
    present = [present for _, present in names.cache_names(index)]
    value = graph.linear(normed, f"{name}.self_attn.v_proj", preset.decoder)
    is_last = index == config.layers - 1
    attended = f"{name}.attended"
    graph.node(
        "GroupQueryAttention",
        [query, key, value, *cache, names.SEQLENS_K, names.TOTAL_LENGTH, names.COSINE, names.SINE],
        [f"{name}.attention" if is_last else attended, *present],
        CONTRIB,
        num_heads=config.heads,
        kv_num_heads=config.kv_heads,
        do_rotary=1,
        scale=1.0,  # it is in the query's norm: a plain product of one row has its own kernel
    )
    if is_last:
        _wanted(graph, f"{name}.attention", attended)
        x = _wanted(graph, x, f"{name}.residual")
    update = graph.linear(attended, f"{name}.self_attn.o_proj", preset.decoder)
    x, normed = _add_and_norm(graph, config, [x, update], f"{name}.post_attention_layernorm")
    gate, up = (graph.linear(normed, f"{name}.mlp.{part}_proj", preset.decoder) for part in ("gate", "up"))
    silu = graph.node("QuickGelu", [gate], f"{name}.mlp.silu", CONTRIB, alpha=1.0)  # x * sigmoid(x)
    hidden = graph.node("Mul", [silu, up], f"{name}.mlp.hidden")
    # A product of gate and up is too uneven for one scale: it would cause half of the error of all layers.
    form = preset.decoder
    down = form.and_finer(config.ffn)[1] if form.is_by_row else form
    return [x, graph.linear(hidden, f"{name}.mlp.down_proj", down)]


def _final_norm(graph: Graph, _preset: Preset, *, config: TextConfig, stream: list[str]) -> list[str]:
    """Write the norm of the last layer's rows, the input of the output head."""
    inputs = [*stream, graph.weight("norm.weight")]
    x = graph.node("SkipSimplifiedLayerNormalization", inputs, "norm", CONTRIB, epsilon=config.rms_eps)
    return [graph.node("Reshape", [x, graph.integers([-1, config.hidden])], names.HIDDEN)]


def _add_and_norm(graph: Graph, config: TextConfig, stream: list[str], name: str) -> tuple[str, str]:
    scale, out = graph.weight(f"{name}.weight"), f"{name}.out"
    if len(stream) == 1:
        operator = "SimplifiedLayerNormalization"
        return stream[0], graph.node(operator, [*stream, scale], out, axis=-1, epsilon=config.rms_eps)
    outputs = [out, "", "", f"{name}.sum"]
    operator = "SkipSimplifiedLayerNormalization"
    graph.node(operator, [*stream, scale], outputs, CONTRIB, epsilon=config.rms_eps)
    return f"{name}.sum", out


def _query_and_key(
    graph: Graph, preset: Preset, config: TextConfig, normed: str, name: str
) -> tuple[str, str]:
    """Project queries and keys in one product and normalize each head separately."""
    joined = np.concatenate([graph.read(f"{name}.{part}_proj.weight") for part in "qk"])
    x = graph.product(normed, joined, f"{name}.qk", preset.decoder)
    query, key = (graph.read(f"{name}.{part}_norm.weight") for part in "qk")
    query = query * np.float32(config.head_dim**-0.5)  # the scale of the attention scores
    scale = np.concatenate([np.tile(query, (config.heads, 1)), np.tile(key, (config.kv_heads, 1))])[None]
    widths = [config.heads * config.head_dim, config.kv_heads * config.head_dim]
    by_head = graph.integers([-1, config.heads + config.kv_heads, config.head_dim])
    x = graph.node("Reshape", [x, by_head], f"{name}.qk_heads")
    # One scale per head: the norm's kernel is made for a scale that all share, and slow otherwise.
    ones = graph.constant(f"{name}.qk_norm.ones", np.ones(config.head_dim, np.float32))
    operator = "SimplifiedLayerNormalization"
    x = graph.node(operator, [x, ones], f"{name}.qk_normed", axis=-1, epsilon=config.rms_eps)
    x = graph.node("Mul", [x, graph.constant(f"{name}.qk_norm.weight", scale)], f"{name}.qk_norm")
    x = graph.node("Reshape", [x, graph.integers([1, -1, sum(widths)])], f"{name}.qk_flat")
    query_and_key = f"{name}.query", f"{name}.key"
    graph.node("Split", [x, graph.integers(widths)], query_and_key, axis=-1)
    return query_and_key


def _wanted(graph: Graph, x: str, out: str) -> str:
    """Write the last ``count`` rows."""
    return graph.node("Slice", [x, names.COUNT, graph.integers([TO_THE_END]), graph.integers([1])], out)


def write_embedding(folder: Path, weights: Checkpoint, precision: Precision) -> TableForm:
    """Write the embedding table, which is also the output head; return where its parts are."""
    scales: list[npt.NDArray[np.float32]] = []
    zeros: list[npt.NDArray[np.uint8]] = []
    with (folder / names.EMBEDDING_FILE).open("wb") as file:
        for rows in weights.read_rows(EMBEDDING):
            if precision.bits == 32:
                write_array(file, rows)
                continue
            blocks = quantize_blocks(rows, bits=precision.bits, block=precision.block)
            write_array(file, blocks.codes)
            scales.append(blocks.scales)
            if blocks.zeros is not None:
                zeros.append(blocks.zeros)
        if precision.bits == 32:
            return TableForm(bits=32)
        scales_offset = append_aligned(file, np.concatenate(scales))
        zeros_offset = append_aligned(file, np.concatenate(zeros)) if zeros else 0
        return TableForm(precision.bits, precision.block, scales_offset, zeros_offset)


def write_head(path: Path, config: TextConfig, table: TableForm) -> None:
    """Write the head's graph. ``table`` is what ``write_embedding`` returned; its file is beside ``path``."""
    shape = (config.vocab, config.hidden)
    with Graph(path) as graph:
        x = graph.input(names.HIDDEN, ["rows", config.hidden])
        if table.bits == 32:
            weight = graph.external(
                "head.weight", shape, np.float32, file=names.EMBEDDING_FILE, offset_bytes=0
            )
            graph.node("Gemm", [x, weight], names.LOGITS, transB=1)
        else:
            precision = Precision(table.bits, table.block)
            parts = _table_parts(graph, shape, table)
            product = graph.block_product(x, parts, name="head", shape=shape, precision=precision)
            graph.node("Identity", [product], names.LOGITS)
        graph.output(names.LOGITS, ["rows", config.vocab])
        graph.save()


def _table_parts(graph: Graph, shape: tuple[int, int], table: TableForm) -> list[str]:
    vocab, blocks = shape[0], shape[1] // table.block
    parts: list[tuple[str, tuple[int, ...], npt.DTypeLike, int]] = [
        ("codes", (vocab, blocks, table.block * table.bits // 8), np.uint8, 0),
        ("scales", (vocab, blocks), np.float32, table.scales_offset_bytes),
    ]
    if table.zeros_offset_bytes:
        parts.append(("zeros", (vocab, -(-blocks // 2)), np.uint8, table.zeros_offset_bytes))
    return [
        graph.external(f"head.{part}", part_shape, dtype, file=names.EMBEDDING_FILE, offset_bytes=offset)
        for part, part_shape, dtype, offset in parts
    ]
