"""The graphs of the text decoder: its layers, and the output head, which is the embedding table.

    decoder.onnx   inputs_embeds (1, rows, hidden) --layers x [attention on the cache, SwiGLU]-->
                   the last ``count`` rows, from the last layer's attention on --norm-->
                   hidden (count, hidden)
    head.onnx      hidden (rows, hidden) --product with the table--> logits (rows, vocab)

Attention is GroupQueryAttention with past and present in one buffer: keys and values of the new rows are
written behind those of the first ``seqlens_k + 1 - rows``. The same graph reads a prompt, a part of one, one
token, or several to check a draft. The head is a graph of its own: it is needed only for the rows whose next
token is asked for, and a model that is loaded packs its weights on another thread than those of the layers.

Source: Qwen3ForCausalLM in transformers (5.x); GroupQueryAttention in ONNX Runtime's contrib operators
(1.32).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from handy_qwen.convert.checkpoint import EMBEDDING, Checkpoint
from handy_qwen.convert.graph import CONTRIB, TO_THE_END, Graph, append_aligned, quantize_blocks
from handy_qwen.convert.presets import Precision
from handy_qwen.engine.qwen3 import names
from handy_qwen.engine.qwen3.manifest import TableForm
from handy_qwen.engine.qwen3.model import TextConfig


def write_decoder(path: Path, weights: Checkpoint, config: TextConfig, precision: Precision) -> None:
    """Write the graph of the layers."""
    with Graph(path, weights, "model.") as graph:
        writer = _DecoderWriter(graph, config, precision)
        x = graph.input(names.EMBEDS, [1, "rows", config.hidden])
        graph.input(names.SEQLENS_K, [1], TensorProto.INT32)
        graph.input(names.TOTAL_LENGTH, [], TensorProto.INT32)
        graph.input(names.COUNT, [1], TensorProto.INT64)  # minus the number of rows that are wanted
        for angles in (names.COSINE, names.SINE):
            graph.input(angles, ["capacity", config.head_dim // 2])
        update = ""
        for layer in range(config.layers):
            x, update = writer.layer(x, update, layer)
        writer.final_norm(x, update)
        graph.output(names.HIDDEN, ["count_rows", config.hidden])
        for pairs in zip(*(names.cache_names(layer) for layer in range(config.layers)), strict=True):
            for past, present in pairs:
                shape: list[int | str] = [1, config.kv_heads, "capacity", config.head_dim]
                graph.input(past, shape)
                graph.output(present, shape)
        graph.save()


class _DecoderWriter:
    """Adds the decoder's layers to a graph."""

    def __init__(self, graph: Graph, config: TextConfig, precision: Precision) -> None:
        self._graph = graph
        self._config = config
        self._precision = precision
        self._widths = [config.heads * config.head_dim, config.kv_heads * config.head_dim]
        self._by_head = graph.constant("by_head", [-1, config.heads + config.kv_heads, config.head_dim])
        self._flat = graph.constant("flat", [1, -1, sum(self._widths)])
        self._split = graph.constant("query_and_key", self._widths)
        self._to_the_end = graph.constant("to_the_end", [TO_THE_END])
        self._rows_axis = graph.constant("rows_axis", [1])

    def layer(self, x: str, update: str, index: int) -> tuple[str, str]:
        """Return the residual stream and what is still to be added to it (the next norm does that).

        Behind its attention, the last layer continues with the wanted rows alone.
        """
        graph, config, name = self._graph, self._config, f"layers.{index}"
        x, normed = self._add_and_norm(x, update, f"{name}.input_layernorm")
        query, key = self._query_and_key(normed, f"{name}.self_attn")
        cache = [past for past, _ in names.cache_names(index)]
        present = [present for _, present in names.cache_names(index)]
        value = graph.linear(normed, f"{name}.self_attn.v_proj", self._precision)
        attended = graph.node(
            "GroupQueryAttention",
            [query, key, value, *cache, names.SEQLENS_K, names.TOTAL_LENGTH, names.COSINE, names.SINE],
            [f"{name}.attention", *present],
            CONTRIB,
            num_heads=config.heads,
            kv_num_heads=config.kv_heads,
            do_rotary=1,
            scale=1.0,  # it is in the query's norm: a plain product of one row has a kernel of its own
        )
        if index == config.layers - 1:
            attended, x = self._wanted(attended, f"{name}.attention"), self._wanted(x, f"{name}.residual")
        update = graph.linear(attended, f"{name}.self_attn.o_proj", self._precision)
        x, normed = self._add_and_norm(x, update, f"{name}.post_attention_layernorm")
        gate, up = (
            graph.linear(normed, f"{name}.mlp.{part}_proj", self._precision) for part in ("gate", "up")
        )
        silu = graph.node("QuickGelu", [gate], f"{name}.mlp.silu", CONTRIB, alpha=1.0)  # x * sigmoid(x)
        hidden = graph.node("Mul", [silu, up], f"{name}.mlp.hidden")
        return x, graph.linear(hidden, f"{name}.mlp.down_proj", self._precision)

    def final_norm(self, x: str, update: str) -> None:
        """Norm of the rows that the last layer left, which the output head continues with."""
        graph, config = self._graph, self._config
        inputs = [x, update, graph.weight("norm.weight")]
        x = graph.node("SkipSimplifiedLayerNormalization", inputs, "norm", CONTRIB, epsilon=config.rms_eps)
        graph.node("Reshape", [x, graph.constant("two_dimensions", [-1, config.hidden])], names.HIDDEN)

    def _add_and_norm(self, x: str, update: str, name: str) -> tuple[str, str]:
        graph, epsilon = self._graph, self._config.rms_eps
        scale, out = graph.weight(f"{name}.weight"), f"{name}.out"
        if not update:
            operator = "SimplifiedLayerNormalization"
            return x, graph.node(operator, [x, scale], out, axis=-1, epsilon=epsilon)
        outputs = [out, "", "", f"{name}.sum"]
        inputs = [x, update, scale]
        graph.node("SkipSimplifiedLayerNormalization", inputs, outputs, CONTRIB, epsilon=epsilon)
        return f"{name}.sum", out

    def _query_and_key(self, normed: str, name: str) -> list[str]:
        """Project queries and keys in one product and normalize each head for itself."""
        graph, config = self._graph, self._config
        joined = np.concatenate([graph.read(f"{name}.{part}_proj.weight") for part in "qk"])
        x = graph.product(normed, joined, f"{name}.qk", self._precision)
        query, key = (graph.read(f"{name}.{part}_norm.weight") for part in "qk")
        query = query * np.float32(config.head_dim**-0.5)  # what attention would multiply its scores by
        scale = np.concatenate([np.tile(query, (config.heads, 1)), np.tile(key, (config.kv_heads, 1))])[None]
        x = graph.node("Reshape", [x, self._by_head], f"{name}.qk_heads")
        x = graph.node(
            "SimplifiedLayerNormalization",
            [x, graph.constant(f"{name}.qk_norm.weight", scale)],  # (1, heads, head_dim), broadcast
            f"{name}.qk_norm",
            axis=-1,
            epsilon=config.rms_eps,
        )
        x = graph.node("Reshape", [x, self._flat], f"{name}.qk_flat")
        outputs = [f"{name}.query", f"{name}.key"]
        graph.node("Split", [x, self._split], outputs, axis=-1)
        return outputs

    def _wanted(self, x: str, name: str) -> str:
        """The last ``count`` rows."""
        return self._graph.node(
            "Slice", [x, names.COUNT, self._to_the_end, self._rows_axis], f"{name}.wanted"
        )


def write_embedding(folder: Path, weights: Checkpoint, precision: Precision) -> TableForm:
    """Write the embedding table, which is also the output head; return where its parts are."""
    scales: list[npt.NDArray[np.float32]] = []
    zeros: list[npt.NDArray[np.uint8]] = []
    with (folder / names.EMBEDDING_FILE).open("wb") as file:
        for rows in weights.read_rows(EMBEDDING):
            if precision.bits == 32:
                rows.tofile(file)
                continue
            blocks = quantize_blocks(rows, bits=precision.bits, block=precision.block)
            blocks.codes.tofile(file)
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
    """Refer to codes, scales and zero points of the embedding table."""
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
