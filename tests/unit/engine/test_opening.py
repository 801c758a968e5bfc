"""Model folders: either layout, the same text from both, damaged ones, and files that change in use."""

import gc
import json
import os
import shutil
from pathlib import Path

import pytest

from handy_qwen import paths
from handy_qwen.audio.files import load
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import PRESETS
from handy_qwen.engine.qwen3.published import PASS_S
from handy_qwen.engine.qwen3.recognizer import FilesInUse, Recognizer, open_parts
from handy_qwen.errors import EngineError, ModelCorruptError, ModelMissingError
from tests.conftest import CHECKPOINT, VOICE_MODEL
from tests.golden.clips import clip
from tests.published_layout import write_published_layout

SPEECH = sorted(paths.asset("speech").glob("*.flac"))
CLIPS = ["vowels_0.3s_odd", "vowels_2.3s_odd", "noise_3.3s", "vowels_8s", "vowels_12.34s"]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return write_published_layout(CHECKPOINT, tmp_path_factory.mktemp("published") / "demo")


@pytest.fixture(scope="module")
def published_recognizer(published):
    recognizer = Recognizer.load(published, voice_model=VOICE_MODEL, threads=2)
    yield recognizer
    recognizer.close()


@pytest.fixture(params=["compact", "published"])
def folder(request, published, tmp_path):
    """A whole model of either layout, to be spoiled."""
    original = paths.asset("demo-model") if request.param == "compact" else published
    return shutil.copytree(original, tmp_path / "model")


# ---- the same from both ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compact_recognizer(tmp_path_factory):
    """The demo model as a package that reads clips as long as the published layout does, in one go."""
    folder = tmp_path_factory.mktemp("compact") / "demo"
    convert(CHECKPOINT, folder, PRESETS["exact"], Details("demo", pass_s=PASS_S))
    recognizer = Recognizer.load(folder, voice_model=VOICE_MODEL, threads=2)
    yield recognizer
    recognizer.close()


def assert_same(one, other, samples, **options):
    first, second = (r.transcribe(samples, exact=True, **options) for r in (one, other))
    assert (first.tokens, first.text, first.language) == (second.tokens, second.text, second.language)
    return first


@pytest.mark.parametrize("path", SPEECH, ids=lambda path: path.stem)
def test_speech_gives_the_same_tokens_in_both_layouts(compact_recognizer, published_recognizer, path):
    samples = load(path)
    assert assert_same(compact_recognizer, published_recognizer, samples).text
    assert_same(compact_recognizer, published_recognizer, samples, language="English", context="Anna, Tom")


@pytest.mark.parametrize("name", CLIPS)
def test_synthetic_clips_give_the_same_tokens_in_both_layouts(compact_recognizer, published_recognizer, name):
    assert_same(compact_recognizer, published_recognizer, clip(name))


def test_recordings_give_the_same_tokens_in_both_layouts(
    compact_recognizer, published_recognizer, recordings
):
    files = [
        path for path in sorted((recordings / "demo-eval").glob("*.wav")) if path.stat().st_size < 256_000
    ]
    assert len(files) > 20
    for path in files[::3]:
        assert_same(compact_recognizer, published_recognizer, load(path))


def test_a_folder_of_both_layouts_is_a_package(published, tmp_path):
    folder = shutil.copytree(published, tmp_path / "both")
    for path in paths.asset("demo-model").iterdir():
        shutil.copy(path, folder)
    model = open_parts(folder, 1)
    assert model.name == "demo"
    model.decoder.close()


# ---- folders that are not right -------------------------------------------------------------------------


def refusal(folder):
    """What is said of it. Never anything but an error of ours with something to do."""
    with pytest.raises(EngineError) as caught:
        Recognizer.load(folder, voice_model=VOICE_MODEL, threads=1)
    error = caught.value
    assert error.hint
    assert "\n" not in str(error)
    error.__traceback__ = error.__cause__ = error.__context__ = None
    del caught  # their frames keep files mapped, which Windows neither deletes nor changes
    gc.collect()
    return error


def test_a_folder_that_is_not_there_is_named(tmp_path):
    error = refusal(tmp_path / "model")
    assert isinstance(error, ModelMissingError)
    assert error.path == tmp_path / "model"


def test_an_empty_folder_is_named(tmp_path):
    assert isinstance(refusal(tmp_path), ModelMissingError)


def test_a_checkpoint_is_answered_with_how_to_convert_it():
    error = refusal(CHECKPOINT)
    assert error.title.endswith("cannot be used: it is an official checkpoint.")
    assert "handy-qwen model convert" in error.hint


NEEDED = ("README.md", "tokenizer_config.json", "preprocessor_config.json", "vocab.json", "manifest.json")


def needed(folder):
    """Its files, less those that nothing reads, and the one by which it is told what it is."""
    return [path for path in sorted(folder.iterdir()) if path.name not in NEEDED]


def test_each_missing_file_is_named(folder):
    (folder / "vocab.json").unlink(missing_ok=True)  # half of the other form of a tokenizer
    for path in needed(folder):
        content = path.read_bytes()
        path.unlink()
        error = refusal(folder)
        # A single decoder left is still known for what it is; without its data, the graph is to blame.
        assert path.stem.split(".")[0] in str(error) or path.suffix == ".data", path.name
        path.write_bytes(content)


@pytest.mark.parametrize("part", [0.0, 0.5])
def test_each_truncated_file_is_an_error_that_names_one_of_its_model(folder, part):
    for path in needed(folder):
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * part)])
        assert str(folder) in str(refusal(folder)), path.name
        path.write_bytes(content)


def test_each_file_of_something_else_is_an_error_that_names_one_of_its_model(folder):
    for path in needed(folder):
        if path.suffix in {".data", ".bin"}:
            continue  # numbers are numbers: only its hash could tell
        content = path.read_bytes()
        path.write_bytes(b"<!DOCTYPE html><html>404: Not Found</html>".ljust(len(content)))
        assert str(folder) in str(refusal(folder)), path.name
        path.write_bytes(content)


def test_a_tokenizer_of_a_larger_model_is_refused(published, tmp_path):
    folder = shutil.copytree(published, tmp_path / "model")
    path = folder / "tokenizer.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["added_tokens"].append(raw["added_tokens"][-1] | {"id": 640, "content": "<new>"})
    path.write_text(json.dumps(raw), encoding="utf-8")
    error = refusal(folder)
    assert isinstance(error, ModelCorruptError)
    assert error.path == path
    assert "its ids go up to 640, those of the model up to 639" in error.title


@pytest.mark.parametrize("number", [2**31, 10**30, 5])
@pytest.mark.parametrize("size", ["layers", "kv_heads", "head_dim", "hidden", "vocab"])
def test_a_package_of_other_sizes_than_it_states_is_refused(tmp_path, size, number):
    folder = shutil.copytree(paths.asset("demo-model"), tmp_path / "model")
    path = folder / "manifest.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["config"]["text"][size] = number
    path.write_text(json.dumps(raw), encoding="utf-8")
    assert isinstance(refusal(folder), ModelCorruptError)


def test_a_voice_detector_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelMissingError) as caught:
        Recognizer.load(paths.asset("demo-model"), voice_model=tmp_path / "vad.onnx", threads=1)
    assert caught.value.path == tmp_path / "vad.onnx"


@pytest.fixture
def mapped(tmp_path):
    (tmp_path / "onnx").mkdir()
    for name in ("a.data", "onnx/b.data"):
        (tmp_path / name).write_bytes(bytes(100))
    return tmp_path


@pytest.mark.parametrize("name", ["a.data", "onnx/b.data"])
def test_a_file_that_was_cut_short_is_named(mapped, name):
    files = FilesInUse(mapped)
    assert files.cut_short() is None
    os.truncate(mapped / name, 99)
    assert files.cut_short() == mapped / name


def test_a_file_that_vanishes_while_the_folder_is_listed_is_passed_over(mapped, monkeypatch):
    listed = sorted(mapped.rglob("*"))
    (mapped / "a.data").unlink()
    monkeypatch.setattr(Path, "rglob", lambda _self, _pattern: iter(listed))
    monkeypatch.setattr(Path, "is_file", lambda _self: True)  # as it was a moment before
    files = FilesInUse(mapped)
    os.truncate(mapped / "onnx" / "b.data", 99)
    assert files.cut_short() == mapped / "onnx" / "b.data"


def test_files_that_were_deleted_replaced_or_grew_do_no_harm_to_what_is_mapped(mapped):
    files = FilesInUse(mapped)
    kept = (mapped / "a.data").rename(mapped / "kept")  # so that its inode is not given out again
    (mapped / "a.data").write_bytes(b"new")
    with (mapped / "onnx" / "b.data").open("ab") as file:
        file.write(b"more")
    assert files.cut_short() is None
    kept.unlink()
    shutil.rmtree(mapped / "onnx")
    assert files.cut_short() is None


@pytest.mark.unix("a file that is mapped cannot be cut short on Windows")
def test_a_recognizer_complains_before_it_is_too_late(exact_package, tmp_path):
    folder = shutil.copytree(exact_package, tmp_path / "model")
    recognizer = Recognizer.load(folder, voice_model=VOICE_MODEL, threads=1)
    recognizer.check_files()
    os.truncate(folder / "encoder.data", 1000)
    with pytest.raises(ModelCorruptError, match="cut short"):
        recognizer.check_files()
    recognizer.close()
