"""Embedding tables: rows of each form, and files that are too short."""

import numpy as np
import pytest

from handy_qwen.convert.graph import quantize_blocks
from handy_qwen.engine.qwen3.compact import EmbeddingTable, map_array
from handy_qwen.errors import ModelCorruptError, ModelMissingError
from tests.dequantize import dequantize_blocks

VOCAB, HIDDEN, BLOCK = 50, 96, 32  # three blocks: the zero points end with half a byte
WEIGHTS = np.random.default_rng(1).normal(size=(VOCAB, HIDDEN)).astype(np.float32)
IDS = [0, 49, 7, 7]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_rows_of_a_plain_table_are_its_numbers(tmp_path, dtype):
    WEIGHTS.astype(dtype).tofile(tmp_path / "table")
    rows = EmbeddingTable(map_array(tmp_path / "table", (VOCAB, HIDDEN), dtype)).rows(IDS)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, WEIGHTS[IDS].astype(dtype))


def test_rows_of_bytes_are_what_the_codes_stand_for():
    blocks = quantize_blocks(WEIGHTS, bits=8, block=BLOCK)
    rows = EmbeddingTable(blocks.codes, blocks.scales).rows(IDS)
    np.testing.assert_array_equal(rows, dequantize_blocks(blocks, 8)[IDS])
    assert np.abs(rows - WEIGHTS[IDS]).max() < np.abs(WEIGHTS).max() / 127


def test_rows_of_nibbles_are_what_the_codes_stand_for():
    blocks = quantize_blocks(WEIGHTS, bits=4, block=BLOCK)
    rows = EmbeddingTable(blocks.codes, blocks.scales, blocks.zeros).rows(IDS)
    np.testing.assert_array_equal(rows, dequantize_blocks(blocks, 4)[IDS])
    assert np.abs(rows - WEIGHTS[IDS]).max() < np.ptp(WEIGHTS) / 15


def test_no_rows_have_a_shape_too():
    blocks = quantize_blocks(WEIGHTS, bits=8, block=BLOCK)
    assert EmbeddingTable(blocks.codes, blocks.scales).rows([]).shape == (0, HIDDEN)


def test_a_part_of_a_file_is_mapped_from_its_offset(tmp_path):
    (tmp_path / "table").write_bytes(b"12345678" + WEIGHTS.tobytes())
    mapped = map_array(tmp_path / "table", WEIGHTS.shape, np.float32, 8)
    np.testing.assert_array_equal(mapped, WEIGHTS)
    assert not mapped.flags.writeable


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(ModelMissingError) as caught:
        map_array(tmp_path / "table", (2, 2), np.float32)
    assert caught.value.path == tmp_path / "table"


@pytest.mark.parametrize("size", [0, 15])
def test_a_table_that_is_too_short_is_named(tmp_path, size):
    (tmp_path / "table").write_bytes(bytes(size))
    with pytest.raises(ModelCorruptError, match="it is shorter than it should be"):
        map_array(tmp_path / "table", (2, 2), np.float32)
