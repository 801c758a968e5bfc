"""Reading safetensors: every way of storing and naming, and every way a file can be wrong."""

import json
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handy_qwen.convert.checkpoint import Checkpoint
from handy_qwen.errors import EngineError, ModelCorruptError, ModelMissingError
from tests.golden.random_checkpoint import random_tensors, write_random_checkpoint


def write(path, header, body=b""):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + body)


def tensor(dtype="F32", shape=(2, 3), offsets=(0, 24)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        ("F32", np.array([[1.5, -2, 0], [3, 0.25, 1e-3]], "<f4")),
        ("F16", np.array([[1.5, -2, 0], [3, 0.25, 1e-3]], "<f2")),
        ("BF16", np.array([[0x3FC0, 0xC000, 0], [0x4040, 0x3E80, 0x3A83]], "<u2")),
    ],
)
def test_every_type_becomes_float32(path, dtype, stored):
    write(
        path,
        {"a": tensor(dtype, offsets=(0, stored.nbytes)), "__metadata__": {"format": "pt"}},
        stored.tobytes(),
    )
    checkpoint = Checkpoint(path.parent)
    assert "a" in checkpoint
    assert "__metadata__" not in checkpoint
    read = checkpoint.read("a")
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, [[1.5, -2, 0], [3, 0.25, 1e-3]], rtol=2e-3)


def test_a_tensor_lies_where_its_offset_says_even_at_an_odd_place(path):
    body = b"x" + np.arange(6, dtype="<f4").tobytes()
    write(path, {"a": tensor(offsets=(1, 25))}, body)
    np.testing.assert_array_equal(Checkpoint(path.parent).read("a").ravel(), np.arange(6))


def test_tensors_without_numbers_or_dimensions_are_read(path):
    header = {
        "none": tensor(shape=(0, 3), offsets=(0, 0)),
        "rows of none": tensor(shape=(3, 0), offsets=(0, 0)),
        "one": tensor(shape=(), offsets=(0, 4)),
    }
    write(path, header, np.array(7, "<f4").tobytes())
    checkpoint = Checkpoint(path.parent)
    assert checkpoint.read("none").shape == (0, 3)
    assert checkpoint.read("one") == np.float32(7)
    assert list(checkpoint.read_rows("none")) == list(checkpoint.read_rows("rows of none")) == []
    assert [rows.shape for rows in checkpoint.read_rows("one")] == [(1, 1)]


@pytest.mark.parametrize(
    ("official", "ours"),
    [
        ("thinker.audio_tower.conv1.weight", "audio_tower.conv1.weight"),
        ("thinker.model.norm.weight", "model.norm.weight"),
        ("audio_tower.ln_post.bias", "audio_tower.ln_post.bias"),
        ("model.audio_tower.conv1.weight", "audio_tower.conv1.weight"),
        ("model.language_model.norm.weight", "model.norm.weight"),
        ("language_model.model.norm.weight", "model.norm.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("multi_modal_projector.proj1.weight", "audio_tower.proj1.weight"),
        ("model.multi_modal_projector.linear_1.weight", "audio_tower.proj1.weight"),
        ("multi_modal_projector.linear_2.bias", "audio_tower.proj2.bias"),
    ],
)
def test_names_of_all_versions_are_understood(path, official, ours):
    write(path, {official: tensor()}, bytes(24))
    assert ours in Checkpoint(path.parent)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("is_read_in_rows", [False, True])
def test_what_is_no_number_is_found_whatever_the_type_and_its_tensor_named(
    path, dtype, value, is_read_in_rows
):
    values = np.array([0, 1, -2, 3, value, 5], np.float32)
    stored = {
        "F32": values.astype("<f4"),
        "F16": values.astype("<f2"),
        "BF16": (values.view(np.uint32) >> 16).astype("<u2"),
    }[dtype]
    header = {"thinker.model.norm.weight": tensor(dtype, offsets=(0, stored.nbytes))}
    write(path, header, stored.tobytes())
    checkpoint = Checkpoint(path.parent)
    read = (lambda name: list(checkpoint.read_rows(name))) if is_read_in_rows else checkpoint.read
    with pytest.raises(ModelCorruptError, match=r"tensor model\.norm\.weight holds infinite values or NaN"):
        read("model.norm.weight")


def test_shards_are_one_checkpoint(tmp_path):
    for number in (1, 2):
        write(tmp_path / f"part-{number}", {f"t{number}": tensor()}, np.full(6, number, "<f4").tobytes())
    index = {"weight_map": {"t1": "part-1", "t2": "part-2"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.read("t2")[0, 0] == 2
    (tmp_path / "part-2").unlink()
    with pytest.raises(ModelMissingError) as caught:
        Checkpoint(tmp_path)
    assert caught.value.path == tmp_path / "part-2"


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": []}}', "[" * 100_000, "\x00"]
)
def test_an_index_that_lists_nothing_is_named(tmp_path, content):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(content, encoding="utf-8")
    with pytest.raises(ModelCorruptError, match="it lists no weights") as caught:
        Checkpoint(tmp_path)
    assert caught.value.path == index


def test_an_index_cannot_reach_outside_its_folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    write(tmp_path / "secret", {"a": tensor()}, bytes(24))
    index = {"weight_map": {"a": "../secret"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(ModelMissingError) as caught:
        Checkpoint(folder)
    assert caught.value.path == folder / "secret"


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(ModelMissingError, match="Give the folder of an official checkpoint"):
        Checkpoint(tmp_path)


def refusal(path):
    with pytest.raises(ModelCorruptError) as caught:
        Checkpoint(path.parent)
    assert caught.value.path == path
    return caught.value.title


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 0),
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 10**8 + 1) + b"{}",
        struct.pack("<Q", 3) + b"{}",
        b"version https://git-lfs.github.com/spec/v1\n",
    ],
)
def test_a_file_that_is_no_safetensors_is_named(path, content):
    path.write_bytes(content)
    assert refusal(path).endswith("cannot be used: it is not a safetensors file, or truncated.")


BROKEN = "its list of tensors is broken"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        *((header, BROKEN) for header in (b"not json", b"[]", b"7", b"[" * 100_000, b"\xff\xfe")),
        *(({"a": entry}, BROKEN) for entry in ([], {})),
        *(({"a": tensor(shape=shape)}, BROKEN) for shape in (("x",), (-2, -3), (float("inf"),))),
        *(({"a": tensor(offsets=at)}, BROKEN) for at in ((0, 20), (24, 0), (-4, 20), (0,), (0, 12, 24))),
        *(({"a": tensor(kind)}, f"are of type {kind}; bf16") for kind in ("I8", "F8_E4M3", "F64", "U32")),
        ({"a": tensor(), "b": tensor(offsets=(1, 25))}, "it is truncated"),
    ],
    ids=lambda value: repr(value)[:80],  # the variable with the name of the test has its limits on Windows
)
def test_a_header_that_lies_is_named(path, header, words):
    write(path, header, bytes(24))
    assert words in refusal(path)


def test_a_folder_in_place_of_the_index_is_no_checkpoint(tmp_path):
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(ModelMissingError):
        Checkpoint(tmp_path)


def test_a_tensor_that_is_not_there_is_named(path):
    write(path, {"a": tensor()}, bytes(24))
    with pytest.raises(ModelCorruptError, match="it holds no tensor b, so it is not Qwen3-ASR's"):
        Checkpoint(path.parent).read("b")


def test_tensors_are_compared_by_their_bytes(path):
    header = {name: tensor(offsets=(at, at + 24)) for name, at in (("a", 0), ("b", 24), ("c", 48))}
    write(path, header, bytes(48) + np.ones(6, "<f4").tobytes())
    checkpoint = Checkpoint(path.parent)
    assert checkpoint.is_same("a", "b")
    assert not checkpoint.is_same("a", "c")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_gives_anything_but_our_errors(path, data):
    write(path, {"a": tensor(), "b": tensor(offsets=(24, 48))}, bytes(48))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        checkpoint = Checkpoint(path.parent)
        checkpoint.read("a")
    except EngineError:
        pass


@pytest.mark.parametrize("piece", [1, 7, 96, 200, 1 << 22])
def test_a_tensor_is_the_same_in_pieces_of_any_size(tmp_path, monkeypatch, piece):
    write_random_checkpoint(tmp_path, bfloat16=True, lm_head=True)
    monkeypatch.setattr("handy_qwen.convert.checkpoint._PIECE_NUMBERS", piece)
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
