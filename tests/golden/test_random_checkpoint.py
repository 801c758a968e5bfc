"""The random checkpoint is the same wherever it is written, and an official one in form."""

import json
import struct
import zlib

import numpy as np
import pytest

from tests.golden.random_checkpoint import (
    TOKENIZER,
    normal,
    random_tensors,
    splitmix64,
    write_random_checkpoint,
)

CHECKSUM = 3344617169  # of all weights, to 12 binary places


def test_the_generator_gives_the_published_numbers():
    # First outputs for state 1234567, from the reference code at https://prng.di.unimi.it/splitmix64.c.
    assert list(splitmix64(3, 1234567)) == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_normal_numbers_are_normal():
    x = normal(200_000, 5)
    assert abs(x.mean()) < 0.01
    assert abs(x.std() - 1) < 0.01
    assert abs((x**4).mean() - 3) < 0.1


def test_the_same_seed_gives_the_same_weights_and_another_gives_others():
    first, again, other = random_tensors(3), random_tensors(3), random_tensors(4)
    assert list(first) == list(again) == list(other)
    for name, tensor in first.items():
        np.testing.assert_array_equal(tensor, again[name])
        assert not np.array_equal(tensor, other[name])


def test_no_two_tensors_are_alike():
    starts = [tuple(tensor.ravel()[:4]) for tensor in random_tensors().values()]
    assert len(set(starts)) == len(starts)


def test_weights_are_those_of_the_golden_data():
    rounded = b"".join(np.rint(tensor * 4096).astype("<i4").tobytes() for tensor in random_tensors().values())
    assert zlib.crc32(rounded) == CHECKSUM


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("random") / "model"
    write_random_checkpoint(path)
    return path


def test_the_file_is_safetensors_and_complete(folder):
    raw = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    assert header.pop("__metadata__") == {"format": "pt"}
    assert (8 + length) % 8 == 0
    assert max(entry["data_offsets"][1] for entry in header.values()) == len(raw) - 8 - length
    for name, tensor in random_tensors().items():
        begin, end = (8 + length + offset for offset in header[name]["data_offsets"])
        stored = np.frombuffer(raw[begin:end], dtype="<f4").reshape(header[name]["shape"])
        np.testing.assert_array_equal(stored, tensor)


@pytest.mark.parametrize("shards", [1, 2])
def test_the_official_storage_holds_the_same_numbers_and_the_head(tmp_path, shards):
    write_random_checkpoint(tmp_path, bfloat16=True, lm_head=True, shards=shards)
    stored = {}
    for path in sorted(tmp_path.glob("*.safetensors")):
        raw = path.read_bytes()
        (length,) = struct.unpack("<Q", raw[:8])
        for name, entry in json.loads(raw[8 : 8 + length]).items():
            if name != "__metadata__":
                assert entry["dtype"] == "BF16"
                begin, end = (8 + length + offset for offset in entry["data_offsets"])
                bits = np.frombuffer(raw[begin:end], dtype="<u2").astype("<u4") << 16
                stored[name] = (path.name, bits.view("<f4").reshape(entry["shape"]))
    expected = random_tensors()
    expected["thinker.lm_head.weight"] = expected["thinker.model.embed_tokens.weight"]
    assert stored.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(stored[name][1], tensor)
    assert len({file for file, _ in stored.values()}) == shards
    if shards > 1:
        index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
        assert index["weight_map"] == {name: file for name, (file, _) in stored.items()}
        assert index["metadata"]["total_size"] == 2 * sum(tensor.size for tensor in expected.values())


def test_the_configuration_agrees_with_the_tensors(folder):
    config = json.loads((folder / "config.json").read_text())["thinker_config"]
    audio, text = config["audio_config"], config["text_config"]
    tensors = random_tensors()
    embedding = tensors["thinker.model.embed_tokens.weight"]
    assert embedding.shape == (text["vocab_size"], text["hidden_size"])
    assert tensors["thinker.audio_tower.proj2.weight"].shape == (audio["output_dim"], audio["d_model"])
    assert audio["output_dim"] == text["hidden_size"]
    assert sum(text["rope_scaling"]["mrope_section"]) * 2 == text["head_dim"]
    last = {"audio_tower": audio["encoder_layers"], "model": text["num_hidden_layers"]}
    for part, layers in last.items():
        assert any(f".{part}.layers.{layers - 1}." in name for name in tensors)
        assert not any(f".{part}.layers.{layers}." in name for name in tensors)


def test_the_tokenizer_comes_with_it(folder):
    for path in TOKENIZER.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()
    tokens = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    assert {token["content"]: token["id"] for token in tokens["added_tokens"]}["<asr_text>"] == 639
