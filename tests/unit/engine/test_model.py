"""Sizes of a model: the three spellings, and what cannot be run."""

import json
from dataclasses import asdict, fields

import pytest

from handy_qwen.engine.qwen3.model import AudioConfig, ModelConfig, TextConfig
from tests.conftest import CHECKPOINT

OFFICIAL = json.loads((CHECKPOINT / "config.json").read_text(encoding="utf-8"))


def config():
    return ModelConfig.from_checkpoint(OFFICIAL, ("French",))


def test_an_official_file_is_read():
    audio, text = OFFICIAL["thinker_config"]["audio_config"], OFFICIAL["thinker_config"]["text_config"]
    read = config()
    assert read.audio.layers == audio["encoder_layers"]
    assert read.text.layers == text["num_hidden_layers"]
    assert (read.audio.chunk_frames, read.audio.window_frames) == (100, 800)
    assert read.text.rope_theta == text["rope_theta"]


def test_languages_stand_in_where_the_file_names_none():
    without = {key: value for key, value in OFFICIAL.items() if key != "support_languages"}
    assert ModelConfig.from_checkpoint(without, ("French",)).languages == ("French",)
    named = without | {"support_languages": ["English", "German"]}
    assert ModelConfig.from_checkpoint(named, ("French",)).languages == ("English", "German")


def test_the_spelling_of_transformers_5_is_read():
    inner = json.loads(json.dumps(OFFICIAL["thinker_config"]))
    text = inner["text_config"]
    text["rope_parameters"] = {"rope_theta": text.pop("rope_theta"), "rope_type": "default"}
    assert ModelConfig.from_checkpoint(inner, config().languages) == config()


def test_what_is_written_is_read_back():
    assert ModelConfig.from_dict(json.loads(json.dumps(asdict(config())))) == config()


@pytest.mark.parametrize("part", ["audio", "text"])
@pytest.mark.parametrize("wrong", [0, -1, "8", None, True, [1], float("inf"), float("nan")])
def test_a_size_that_is_none_is_refused(part, wrong):
    kind = {"audio": AudioConfig, "text": TextConfig}[part]
    for field in fields(kind):
        raw = asdict(config())
        raw[part][field.name] = wrong
        with pytest.raises((TypeError, ValueError)):
            ModelConfig.from_dict(raw)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("audio", "mel_bins", 80),
        ("audio", "chunk_frames", 200),
        ("audio", "window_frames", 850),
        ("audio", "output_dim", 7),
        ("audio", "heads", 7),
        ("text", "heads", 7),
        ("text", "head_dim", 33),
    ],
)
def test_sizes_that_contradict_each_other_are_refused(part, name, value):
    raw = asdict(config())
    raw[part][name] = value
    with pytest.raises(ValueError, match=r"contradict|another kind"):
        ModelConfig.from_dict(raw)


@pytest.mark.parametrize("languages", [["English", 7], ["", "English"], [None]])
def test_languages_that_are_no_names_are_refused(languages):
    with pytest.raises((TypeError, ValueError)):
        ModelConfig.from_dict(asdict(config()) | {"languages": languages})


def test_missing_and_unknown_fields_are_refused():
    raw = asdict(config())
    del raw["text"]["layers"]
    with pytest.raises(TypeError):
        ModelConfig.from_dict(raw)
    with pytest.raises(TypeError):
        ModelConfig.from_dict(asdict(config()) | {"audio": {"size": 1}})
    with pytest.raises(KeyError):
        ModelConfig.from_checkpoint({"model_type": "bert"}, ())
