"""Conversion as a whole: the same model however it is stored, and nothing but a finished package on disk."""

import json
import os
import shutil
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from handy_qwen.convert import package as package_module
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS
from handy_qwen.engine.api import Cancel
from handy_qwen.engine.qwen3.manifest import MANIFEST_FILE, find_damage, is_package, load_manifest
from handy_qwen.engine.qwen3.prompt import build_prompt
from handy_qwen.engine.qwen3.recognizer import open_parts
from handy_qwen.errors import ConversionError, HandyError, ModelCorruptError, ModelMissingError
from tests.conftest import CHECKPOINT
from tests.golden.random_checkpoint import random_tensors, write_random_checkpoint, write_safetensors
from tests.published_layout import write_published_layout

pytestmark = pytest.mark.usefixtures("unchecked")  # test_faithful.py has the comparison
MEL = np.random.default_rng(5).normal(size=(128, 330)).astype(np.float32)
EXACT, DETAILS = PRESETS["exact"], Details("test", pass_s=8.0)


@pytest.fixture
def source(original, tmp_path):
    """A checkpoint to be spoiled."""
    return shutil.copytree(original, tmp_path / "source")


def answer(folder, steps=12):
    """Tokens that the model writes, whatever they are, and their logits."""
    model, cancel = open_parts(folder, 1), Cancel()
    prompt = build_prompt(model.tokenizer)
    for rows in (prompt.head, model.encoder.encode(MEL, cancel), prompt.tail):
        model.decoder.extend(rows)
    logits = []
    for _ in range(steps):
        logits.append(model.decoder.logits(1, cancel)[0].copy())
        model.decoder.extend([int(logits[-1].argmax())])
    model.decoder.close()
    return [int(row.argmax()) for row in logits], np.array(logits)


@pytest.fixture(scope="module")
def expected(random_package):
    tokens, _ = answer(random_package)
    assert len(set(tokens)) > 5  # a live model: a mistake shows
    return tokens


def edited(folder, name, change):
    path = folder / name
    raw = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(change(raw) or raw), encoding="utf-8")


# ---- the same model however it is stored ----------------------------------------------------------------


def transformers_5(folder):
    """With the names that transformers 5 gives to tensors and settings."""
    write_random_checkpoint(folder)

    def rename(name):
        name = name.removeprefix("thinker.")
        if name.startswith("model."):
            return name.replace("model.", "model.language_model.", 1)
        projector = "multi_modal_projector.linear_"
        return "model." + name.replace("audio_tower.proj", projector)

    def change(raw):
        inner = raw["thinker_config"] | {"support_languages": raw["support_languages"]}
        text = inner["text_config"]
        text["rope_parameters"] = {"rope_theta": text.pop("rope_theta"), **text.pop("rope_scaling")}
        return inner

    tensors = {rename(name): tensor for name, tensor in random_tensors().items()}
    write_safetensors(folder / "model.safetensors", tensors)
    edited(folder, "config.json", change)


def three_tokenizer_files(folder):
    shutil.copytree(CHECKPOINT, folder)
    write_random_checkpoint(folder)
    (folder / "tokenizer.json").unlink()
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copy(CHECKPOINT / name, folder)


WAYS = {
    "bfloat16, lm_head, shards": lambda f: write_random_checkpoint(f, bfloat16=True, lm_head=True, shards=2),
    "transformers 5": transformers_5,
    "vocab.json and merges.txt": three_tokenizer_files,
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_model_stored_in_another_way_gives_the_same_tokens(tmp_path, expected, way):
    WAYS[way](tmp_path / "checkpoint")
    convert(tmp_path / "checkpoint", tmp_path / "package", EXACT, DETAILS)
    assert answer(tmp_path / "package")[0] == expected


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_gives_nearly_the_same_and_says_what_it_is(original, random_package, place, name):
    manifest = convert(original, place / "package", PRESETS[name], DETAILS)
    assert (manifest.name, manifest.preset, manifest.pass_s) == ("test", name, 8.0)
    assert manifest == load_manifest(place / "package")
    find_damage(place / "package", manifest)
    assert list(manifest.source) == ["model.safetensors"]
    _, plain = answer(random_package, steps=1)
    _, logits = answer(place / "package", steps=1)
    spread = np.abs(logits - plain).max() / np.ptp(plain)
    assert spread < {"exact": 1e-5, "precise": 0.1, "balanced": 0.1, "compact": 0.3, "smallest": 0.4}[name]


def test_progress_goes_from_nothing_to_all_in_small_steps_and_names_every_part(original, place):
    steps = []
    convert(original, place / "package", EXACT, DETAILS, progress=lambda *step: steps.append(step))
    shares = [share for _, share in steps]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert max(b - a for a, b in pairwise(shares)) < 0.15
    assert len(steps) < 600
    assert list(dict.fromkeys(what for what, _ in steps)) == [*STAGES, "done"]


# ---- sources that are not right -------------------------------------------------------------------------


def refusal(source, place, preset=EXACT):
    with pytest.raises(HandyError) as caught:
        convert(source, place / "package", preset, DETAILS)
    assert list(place.iterdir()) == []
    return caught.value


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named_and_nothing_is_written(source, place, name):
    for path in [source / name, *source.glob("vocab.json")]:
        path.unlink(missing_ok=True)
    error = refusal(source, place)
    assert isinstance(error, ModelMissingError)
    assert error.path == source / name


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "[" * 100_000, '{"thinker_config": 7}'])
def test_a_config_of_something_else_is_named(source, place, content):
    (source / "config.json").write_text(content, encoding="utf-8")
    error = refusal(source, place)
    assert isinstance(error, ModelCorruptError)
    assert "config.json cannot be used: it does not describe a Qwen3-ASR model." in error.title


@pytest.mark.parametrize(
    ("part", "change", "named"),
    [
        ("text_config", {"num_hidden_layers": 4}, "it holds no tensor model.layers.3"),
        ("audio_config", {"encoder_layers": 9}, "it holds no tensor audio_tower.layers.3"),
        (
            "text_config",
            {"vocab_size": 641},
            "model.embed_tokens.weight has the shape (640, 96), not (641, 96)",
        ),
        (
            "text_config",
            {"intermediate_size": 100},
            "mlp.gate_proj.weight has the shape (192, 96), not (100, 96)",
        ),
        (
            "audio_config",
            {"downsample_hidden_size": 8},
            "conv_out.weight has the shape (128, 256), not (128, 128)",
        ),
    ],
)
def test_weights_that_are_not_those_of_the_config_are_named(source, place, part, change, named):
    edited(source, "config.json", lambda raw: raw["thinker_config"][part].update(change))
    error = refusal(source, place)
    assert isinstance(error, ModelCorruptError)
    assert named in error.title


def truncated(source):
    os.truncate(source / "model.safetensors", (source / "model.safetensors").stat().st_size - 1)


def with_tensor(name, change):
    def spoil(source):
        tensors = random_tensors()
        tensors[name] = change(tensors)
        write_safetensors(source / "model.safetensors", tensors)

    return spoil


def with_token(source):
    def grow(raw):
        raw["added_tokens"].append(raw["added_tokens"][-1] | {"id": 640, "content": "<new>"})

    edited(source, "tokenizer.json", grow)


UP = "thinker.model.layers.0.mlp.up_proj.weight"
EMBEDDING = "thinker.model.embed_tokens.weight"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (truncated, "model.safetensors cannot be used: it is truncated."),
        (
            with_tensor("thinker.lm_head.weight", lambda all_: all_[EMBEDDING] + 1),
            "lm_head.weight is not the",
        ),
        (with_tensor(UP, lambda all_: all_[UP] * np.nan), "up_proj.weight holds infinite values or NaN"),
        (
            with_tensor(EMBEDDING, lambda all_: np.where(all_[EMBEDDING] > 0, np.inf, 0)),
            "embed_tokens.weight holds infinite values or NaN",
        ),
        (with_token, "its ids go up to 640, those of the model up to 639"),
    ],
    ids=["truncated", "output head", "not a number", "infinity", "token"],
)
def test_a_checkpoint_that_cannot_be_right_is_refused(source, place, spoil, words):
    spoil(source)
    error = refusal(source, place)
    assert isinstance(error, ModelCorruptError)
    assert words in error.title


def test_an_output_head_of_few_rows_is_the_aligners(source, place):
    with_tensor("thinker.lm_head.weight", lambda all_: all_[EMBEDDING][:50])(source)
    error = refusal(source, place)
    assert "is Qwen3-ForcedAligner" in error.title


def test_weights_of_zeros_are_legal(source, place):
    tensors = {name: np.zeros_like(tensor) for name, tensor in random_tensors().items()}
    write_safetensors(source / "model.safetensors", tensors, bfloat16=True)
    convert(source, place / "package", PRESETS[DEFAULT_PRESET], DETAILS)
    assert is_package(place / "package")


def test_widths_that_do_not_divide_into_blocks_are_named(source, place):
    preset = replace(EXACT, name="odd", decoder=package_module.Precision(4, 36))
    error = refusal(source, place, preset)
    assert isinstance(error, ConversionError)
    assert error.title == "The preset odd needs widths that are multiples of 36; one is 96."


# ---- places that are not right --------------------------------------------------------------------------


def test_an_older_package_is_replaced_also_a_damaged_one(original, place):
    convert(original, place / "package", EXACT, Details("old"))
    (place / "package" / "decoder.onnx").unlink()
    convert(original, place / "package", EXACT, Details("new"))
    assert load_manifest(place / "package").name == "new"
    assert [path.name for path in place.iterdir()] == ["package"]


def a_file(path):
    path.write_text("mine", encoding="utf-8")


def a_folder(path):
    path.mkdir()
    (path / "letter.txt").write_text("mine", encoding="utf-8")


def an_extension(path):
    a_folder(path)
    (path / MANIFEST_FILE).write_text('{"manifest_version": 3}', encoding="utf-8")


@pytest.mark.parametrize("make", [a_file, a_folder, an_extension])
def test_what_is_no_package_is_left_alone(original, place, make):
    make(place / "package")
    with pytest.raises(ConversionError) as caught:
        convert(original, place / "package", EXACT, DETAILS)
    assert caught.value.title == f"{place / 'package'} exists and is not a package."
    assert [path.name for path in place.iterdir()] == ["package"]
    letter = place / "package" / "letter.txt"
    assert (letter if letter.exists() else place / "package").read_text(encoding="utf-8") == "mine"


def test_a_parent_that_is_a_file_is_named(original, place):
    (place / "file").touch()
    with pytest.raises(ConversionError) as caught:
        convert(original, place / "file" / "package", EXACT, DETAILS)
    assert caught.value.title == f"{place / 'file'} cannot be written to."


def test_folders_that_were_made_for_a_package_that_failed_are_removed(original, place):
    (place / "mine").mkdir()

    def interrupt(what, _part):
        if what == "embedding":
            assert (place / "mine" / "new" / "newer").is_dir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(original, place / "mine" / "new" / "newer" / "package", EXACT, DETAILS, progress=interrupt)
    assert list(place.rglob("*")) == [place / "mine"]


def test_too_small_a_disk_is_noticed_before_anything_is_written(original, place, monkeypatch):
    usage = shutil.disk_usage(place)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    error = refusal(original, place)
    assert error.title.endswith("but only 1.0 MB is free.")


@pytest.mark.parametrize("name", PRESETS)
def test_the_estimate_of_the_size_is_near_the_size(place, monkeypatch, name):
    estimate, estimates = package_module._package_bytes, []

    def spy(*args):
        estimates.append(estimate(*args))
        return estimates[-1]

    monkeypatch.setattr(package_module, "_package_bytes", spy)
    convert(CHECKPOINT, place / name, PRESETS[name], DETAILS)
    size = sum(path.stat().st_size for path in (place / name).iterdir())
    assert 0.8 * size < estimates[0] < 1.4 * size


# ---- interruptions --------------------------------------------------------------------------------------


STAGES = ["audio encoder", "embedding", "text decoder", "checksums"]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("is_old_there", [False, True])
def test_an_interruption_at_any_stage_leaves_things_as_they_were(original, place, stage, is_old_there):
    if is_old_there:
        convert(original, place / "package", EXACT, Details("old"))

    def interrupt(what, _part):
        if what == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(original, place / "package", EXACT, DETAILS, progress=interrupt)
    assert [path.name for path in place.iterdir()] == (["package"] if is_old_there else [])
    if is_old_there:
        assert load_manifest(place / "package").name == "old"


def test_a_disk_that_is_full_at_the_end_leaves_nothing(original, place, monkeypatch):
    def full(_manifest, _folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(package_module.Manifest, "save", full)
    found = refusal(original, place)
    assert found.title == "The package could not be written: No space left on device."
    assert found.hint == "Nothing was left behind."


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_an_older_package_comes_back_if_the_new_one_cannot_take_its_place(
    original, place, monkeypatch, error
):
    convert(original, place / "package", EXACT, Details("old"))
    rename = Path.rename

    def failing(self, target):
        if self.name.startswith(".package.") and not self.name.endswith(".old"):
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises((ConversionError, KeyboardInterrupt)):
        convert(original, place / "package", EXACT, DETAILS)
    assert load_manifest(place / "package").name == "old"
    assert [path.name for path in place.iterdir()] == ["package"]


def test_an_older_package_is_put_back_after_a_kill_between_two_renames(tmp_path):
    destination, empty = tmp_path / "model", tmp_path / "empty"
    convert(CHECKPOINT, destination, PRESETS["exact"], Details("model"))
    destination.rename(tmp_path / ".model.0123abcd.old")
    empty.mkdir()
    with pytest.raises(ModelMissingError):  # the next conversion fails at its source
        convert(empty, destination, PRESETS["exact"], Details("model"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "model"]


def test_what_a_killed_conversion_left_is_removed_when_it_is_a_day_old(original, place):
    old_s, day_s = 60, 25 * 3600
    kept = [".other.0123abcd", ".package.89abcdef", ".package.backup.old", ".package.v2.0123abcd.old"]
    for name, age_s in ((".package.0123abcd", day_s), *zip(kept, (day_s, old_s, day_s, day_s), strict=True)):
        (place / name).mkdir()
        (place / name / "decoder.onnx.data").write_bytes(b"half")
        then_s = time.time() - age_s
        os.utime(place / name, (then_s, then_s))
    convert(original, place / "package", EXACT, DETAILS)
    assert sorted(path.name for path in place.iterdir()) == [*kept, "package"]
    assert all((place / name / "decoder.onnx.data").read_bytes() == b"half" for name in kept)


def test_an_onnx_model_is_refused_with_both_ways_to_use_it(tmp_path):
    source = write_published_layout(CHECKPOINT, tmp_path / "published")
    with pytest.raises(ConversionError, match="is an ONNX model") as caught:
        convert(source, tmp_path / "package", PRESETS["exact"], Details("x"))
    assert "handy-qwen model import" in caught.value.hint
    assert "official checkpoint" in caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["published"]
