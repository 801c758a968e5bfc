"""The embedding table, and the graph of the output head that is made of the same tensor.

    hidden (rows, hidden) --product with the table--> logits (rows, vocab)

The head is a graph of its own: it is needed for the rows alone whose next token is asked for, and its weights
are packed on another thread than those of the layers when a model is loaded.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from handy_qwen.convert.expected import EMBEDDING
from handy_qwen.convert.graph import Graph, append_aligned
from handy_qwen.convert.presets import Precision
from handy_qwen.convert.quantize import quantize_blocks
from handy_qwen.convert.weights import Checkpoint
from handy_qwen.engine.config import TextConfig
from handy_qwen.engine.manifest import EMBEDDING_FILE, TableForm


def write_embedding(folder: Path, weights: Checkpoint, precision: Precision) -> TableForm:
    """Write the embedding table, which is also the output head; return where its parts lie."""
    scales: list[npt.NDArray[np.float32]] = []
    zeros: list[npt.NDArray[np.uint8]] = []
    with (folder / EMBEDDING_FILE).open("wb") as file:
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
    """Write the graph. ``table`` is what ``write_embedding`` returned; its file lies beside ``path``."""
    shape = (config.vocab, config.hidden)
    with Graph(path) as graph:
        x = graph.input("hidden", ["rows", config.hidden])
        if table.bits == 32:
            weight = graph.external("head.weight", shape, np.float32, file=EMBEDDING_FILE, offset_bytes=0)
            graph.node("Gemm", [x, weight], "logits", transB=1)
        else:
            precision = Precision(table.bits, table.block)
            names = _blocks(graph, shape, table)
            product = graph.block_product(x, names, name="head", shape=shape, precision=precision)
            graph.node("Identity", [product], "logits")
        graph.output("logits", ["rows", config.vocab])
        graph.save()


def _blocks(graph: Graph, shape: tuple[int, int], table: TableForm) -> list[str]:
    """Refer to codes, scales and zero points of the embedding table."""
    vocab, blocks = shape[0], shape[1] // table.block
    parts: list[tuple[str, tuple[int, ...], npt.DTypeLike, int]] = [
        ("codes", (vocab, blocks, table.block * table.bits // 8), np.uint8, 0),
        ("scales", (vocab, blocks), np.float32, table.scales_offset_bytes),
    ]
    if table.zeros_offset_bytes:
        parts.append(("zeros", (vocab, -(-blocks // 2)), np.uint8, table.zeros_offset_bytes))
    return [
        graph.external(f"head.{part}", part_shape, dtype, file=EMBEDDING_FILE, offset_bytes=offset)
        for part, part_shape, dtype, offset in parts
    ]
