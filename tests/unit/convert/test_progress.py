"""A bar that only grows, and what a conversion of a real file makes of it."""

from itertools import pairwise

import numpy as np
import pytest

from handy_qwen.convert import checkpoint as weights_module
from handy_qwen.convert.checkpoint import Checkpoint
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import PRESETS
from handy_qwen.convert.progress import ProgressBar
from tests.golden.random_checkpoint import random_tensors, write_random_checkpoint


def test_a_bar_only_grows_and_only_the_end_is_all():
    told = []
    bar = ProgressBar(lambda what, part: told.append((what, part)))
    bar.add(7)  # before it begins: nothing
    bar.begin(100)
    bar.enter("one")
    bar.add(30)
    bar.enter("two", 50)
    bar.enter("three", 40)  # less than there is already
    bar.add(90)
    bar.finish()
    assert told == [
        ("one", 0.0),
        ("one", 0.3),
        ("two", 0.5),
        ("three", 0.5),
        ("three", 0.999),
        ("done", 1.0),
    ]


def test_small_steps_are_not_told_one_by_one():
    told = []
    bar = ProgressBar(lambda _what, part: told.append(part))
    bar.begin(1e6)
    for _ in range(1_000_000 // 50):
        bar.add(50)
    assert len(told) <= 501


def test_a_conversion_tells_of_every_part_and_moves_within_each(tmp_path):
    write_random_checkpoint(tmp_path / "checkpoint")
    told = []
    convert(
        tmp_path / "checkpoint",
        tmp_path / "package",
        PRESETS["exact"],
        Details("test"),
        progress=lambda *step: told.append(step),
    )
    parts = [part for _, part in told]
    assert parts == sorted(parts)
    assert (parts[0], parts[-1]) == (0.0, 1.0)
    assert max(b - a for a, b in pairwise(parts)) < 0.15
    assert sum(what == "text decoder" for what, _ in told) > 10


@pytest.mark.parametrize("piece", [1, 7, 96, 200, 1 << 22])
def test_a_tensor_is_the_same_in_pieces_of_any_size(tmp_path, monkeypatch, piece):
    write_random_checkpoint(tmp_path, bfloat16=True, lm_head=True)
    monkeypatch.setattr(weights_module, "_PIECE_NUMBERS", piece)
    expected = random_tensors()["thinker.model.embed_tokens.weight"][:50]
    read = []
    checkpoint = Checkpoint(tmp_path, read.append)
    if piece > 1:  # a number at a time takes its time
        name = "model.layers.0.mlp.up_proj.weight"
        np.testing.assert_array_equal(checkpoint.read(name), random_tensors()[f"thinker.{name}"])
        assert sum(read) == checkpoint.size_bytes(name)
    rows = checkpoint.read_rows("model.embed_tokens.weight")
    first = next(rows)
    assert first.shape[0] == max(1, min(640, piece // 96))
    np.testing.assert_array_equal(first[:50], expected[: len(first)])
    if piece > 1:
        assert sum(len(part) for part in rows) == 640 - len(first)
        assert checkpoint.is_same("lm_head.weight", "model.embed_tokens.weight")
    assert not checkpoint.is_same("lm_head.weight", "model.norm.weight")
