"""Models from folders and archives, good and evil."""

import json
import os
import pickle
import shutil
import tarfile
import zipfile
from dataclasses import replace

import pytest

from handy_qwen import paths
from handy_qwen.core.models import InstallStage
from handy_qwen.engine.qwen3.manifest import load_manifest
from handy_qwen.errors import (
    CancelledError,
    ConversionError,
    HandyError,
    InstallationError,
    ModelCorruptError,
)
from handy_qwen.languages import ALL_LANGUAGES
from handy_qwen.models.installed import installed_models, load_origin
from handy_qwen.models.installing import import_model, is_whole, name_for
from handy_qwen.models.storage import ModelPaths
from tests.conftest import CHECKPOINT
from tests.hub.tiny import as_in_a_cache
from tests.hub.transformers import write_transformers_layout
from tests.published_layout import write_published_layout

pytestmark = pytest.mark.usefixtures("unchecked")
DEMO_PACKAGE = paths.asset("demo-model")


@pytest.fixture(autouse=True)
def home(app_home):
    """Nothing is put among the user's models."""
    return app_home


def ignore(_progress):
    """Nobody is told."""


def nothing_is_left():
    """No model, and nothing unfinished."""
    incoming = paths.models_dir() / ".incoming"
    left = [path for path in incoming.iterdir() if path.suffix != ".lock"] if incoming.exists() else []
    return [model.name for model in installed_models()] == ["demo"] and left == []


def packed(folder, archive):
    """``archive`` with the files of ``folder`` in one folder."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as out:
            for path in folder.iterdir():
                out.write(path, f"inside/{path.name}")
    else:
        with tarfile.open(archive, "w:gz", compresslevel=1) as out:
            out.add(folder, "inside")
    return archive


@pytest.mark.parametrize("form", ["folder", "Mine (1).tar.gz", "mine.zip"])
def test_a_package_is_taken_as_it_is(tmp_path, form):
    source = DEMO_PACKAGE if form == "folder" else packed(DEMO_PACKAGE, tmp_path / form)
    made = import_model(source, ignore)
    assert made.name == {"folder": "demo-model", "Mine (1).tar.gz": "mine-1", "mine.zip": "mine"}[form]
    assert is_whole(made.folder)
    assert load_origin(made.folder).source == source.name
    assert not ModelPaths(made.name).work.exists()
    with pytest.raises(InstallationError, match=r"There is a model .* already"):
        import_model(source, ignore)


def test_a_checkpoint_is_converted(tmp_path):
    stages = []
    archive = packed(CHECKPOINT, tmp_path / "checkpoint.tar.gz")
    made = import_model(archive, lambda progress: stages.append(progress.stage), name="own")
    assert is_whole(made.folder)
    assert {InstallStage.UNPACKING, InstallStage.CONVERTING, InstallStage.TESTING} <= set(stages)


def test_an_archive_of_a_repository_for_transformers_is_converted(tmp_path):
    write_transformers_layout(CHECKPOINT, tmp_path / "Qwen3-ASR-0.6B-hf")
    archive = packed(tmp_path / "Qwen3-ASR-0.6B-hf", tmp_path / "Qwen3-ASR-0.6B-hf.tar.gz")
    official = import_model(CHECKPOINT, ignore, name="official")
    made = import_model(archive, ignore)
    assert made.name == "qwen3-asr-0.6b-hf"
    one, other = load_manifest(made.folder), load_manifest(official.folder)
    assert one.config == replace(other.config, languages=ALL_LANGUAGES)
    assert one.files == other.files  # to the last bit


def test_a_preset_is_for_checkpoints_only(tmp_path):
    made = import_model(CHECKPOINT, ignore, name="own", preset="precise")
    assert load_manifest(made.folder).preset == "precise"
    with pytest.raises(InstallationError, match="cannot be converted again"):
        import_model(made.folder, ignore, name="other", preset="precise")
    published = write_published_layout(CHECKPOINT, tmp_path / "published")
    with pytest.raises(ConversionError, match="is an ONNX model, which is not converted"):
        import_model(published, ignore, name="other", preset="precise")
    assert not ModelPaths("other").work.exists()


def test_a_published_model_is_copied_and_can_be_checked_later(tmp_path):
    source = write_published_layout(CHECKPOINT, tmp_path / "published")
    (source / "pytorch_model.bin").write_bytes(b"never read")
    made = import_model(source, ignore)
    names = {path.name for path in made.folder.iterdir()}
    assert "pytorch_model.bin" not in names
    assert {"encoder.onnx", "embed_tokens.bin", "origin.json"} <= names
    copied = made.folder / "embed_tokens.bin"
    assert copied.stat().st_ino != (source / "embed_tokens.bin").stat().st_ino  # the user's own stays his
    assert is_whole(made.folder)
    copied.write_bytes(b"1" * copied.stat().st_size)
    assert not is_whole(made.folder)


class _Bomb:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pkl"])
def test_a_pickle_is_refused_in_words_and_never_read(tmp_path, name, capsys):
    source = tmp_path / "model"
    source.mkdir()
    (source / name).write_bytes(pickle.dumps(_Bomb()))
    shutil.copy(CHECKPOINT / "config.json", source)
    with pytest.raises(InstallationError, match=r"a pickle, .* it is never read"):
        import_model(source, ignore)
    assert capsys.readouterr().out == ""
    assert nothing_is_left()


@pytest.mark.parametrize("what", ["nothing", "file.txt", "folder", "broken.zip"])
def test_what_is_no_model_is_said(tmp_path, what):
    source = tmp_path / what
    if what == "folder":
        source.mkdir()
        (source / "notes.txt").write_text("notes")
    elif what != "nothing":
        source.write_text("notes")
    with pytest.raises(HandyError) as caught:
        import_model(source, ignore)
    assert caught.value.hint
    assert nothing_is_left()


@pytest.mark.parametrize("name", ["demo", "../x", ".x", "a/b", "nul", "COM1.v2", "x."])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(InstallationError, match="cannot be called"):
        import_model(DEMO_PACKAGE, ignore, name=name)
    assert nothing_is_left()


def test_what_is_given_up_leaves_nothing(tmp_path):
    def give_up(progress):
        if progress.stage is InstallStage.TESTING:
            raise CancelledError

    with pytest.raises(CancelledError):
        import_model(packed(DEMO_PACKAGE, tmp_path / "mine.zip"), give_up)
    assert nothing_is_left()


def test_a_damaged_package_is_refused(tmp_path):
    source = tmp_path / "damaged"
    shutil.copytree(DEMO_PACKAGE, source)
    data = bytearray((source / "encoder.data").read_bytes())
    data[100] ^= 1
    (source / "encoder.data").write_bytes(data)
    with pytest.raises(ModelCorruptError, match="have changed"):
        import_model(source, ignore)
    assert nothing_is_left()


def laid_into_a_cache(folder, *, commits=("c" * 40,), main="c" * 40):
    """The demo checkpoint as huggingface_hub keeps it: links to blobs."""
    cache = folder / "models--Qwen--Qwen3-ASR-Tiny"
    for commit in commits:
        snapshot = cache / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (cache / "blobs").mkdir(exist_ok=True)
        for path in CHECKPOINT.iterdir():
            blob = cache / "blobs" / path.name
            shutil.copyfile(path, blob)
            as_in_a_cache(snapshot / path.name, blob)
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text(main)
    return cache


@pytest.mark.parametrize("given", [".", "snapshots/" + "c" * 40])
def test_a_folder_of_the_hubs_cache_is_a_model_of_that_name(tmp_path, given):
    cache = laid_into_a_cache(tmp_path, commits=("a" * 40, "c" * 40))
    made = import_model(cache / given, ignore)
    assert made.name == "qwen3-asr-tiny"
    assert is_whole(made.folder)


@pytest.mark.parametrize(
    ("commits", "missing", "words"),
    [
        ((), "", "holds no version"),
        (("a" * 40, "b" * 40), "", "holds several versions"),
        pytest.param(
            ("c" * 40,),
            "model.safetensors",
            r"incomplete: model\.safetensors is a link to a file that is not",
            marks=pytest.mark.unix("the hub's cache has copies there"),
        ),
    ],
)
def test_a_cache_without_the_whole_version_it_means_is_explained(tmp_path, commits, missing, words):
    cache = laid_into_a_cache(tmp_path, commits=commits)
    (cache / "snapshots").mkdir(exist_ok=True)
    if missing:
        (cache / "blobs" / missing).unlink()
    with pytest.raises(HandyError, match=words):
        import_model(cache, ignore)
    assert nothing_is_left()


def test_of_a_cache_only_what_came_whole_is_taken(tmp_path):
    cache = laid_into_a_cache(tmp_path, commits=("a" * 40, "b" * 40), main="b" * 40)
    (cache / "snapshots" / ("b" * 40) / "model.safetensors").unlink()  # it broke off
    assert is_whole(import_model(cache, ignore).folder)
    (cache / "snapshots" / ("a" * 40) / "model.safetensors").unlink()
    with pytest.raises(
        HandyError, match=r"Tiny is incomplete: its weights, model\.safetensors, are not there"
    ):
        import_model(cache, ignore, name="other")


@pytest.mark.unix("pipes in folders are POSIX's")
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_pipe_is_no_file_of_a_model(tmp_path, name):
    shutil.copytree(CHECKPOINT, tmp_path / "own")
    (tmp_path / "own" / name).unlink()
    os.mkfifo(tmp_path / "own" / name)
    with pytest.raises(HandyError, match=f"{name} is not a file"):
        import_model(tmp_path / "own", ignore)
    os.mkfifo(tmp_path / "own.zip")
    with pytest.raises(HandyError, match="neither a folder nor an archive"):
        import_model(tmp_path / "own.zip", ignore)


def test_a_folder_around_the_model_is_as_good_as_the_model(tmp_path):
    shutil.copytree(CHECKPOINT, tmp_path / "Downloads" / "checkpoint")
    assert is_whole(import_model(tmp_path / "Downloads", ignore, name="own").folder)
    shutil.copytree(DEMO_PACKAGE, tmp_path / "Downloads" / "demo")
    with pytest.raises(HandyError, match=r"several models in .*: checkpoint, demo"):
        import_model(tmp_path / "Downloads", ignore, name="other")


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1876091704\n"


def foreign(folder, what):
    """A folder with what people have instead of a model, as far as it can be told."""
    folder.mkdir()
    if what in {"pointer", "aligner"}:
        shutil.copytree(CHECKPOINT, folder, dirs_exist_ok=True)
    match what:
        case "pointer":
            (folder / "model.safetensors").write_bytes(POINTER)
        case "pointer to a graph":
            (folder / "decoder_init.int4.onnx").write_bytes(POINTER)
        case "aligner":
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            config["thinker_config"]["model_type"] = "qwen3_forced_aligner"
            (folder / "config.json").write_text(json.dumps(config))
        case "shards":
            for n in (1, 2):
                (folder / f"model-0000{n}-of-00002.safetensors").write_bytes(b"12345678")
        case "gguf":
            (folder / "Qwen3-ASR-0.6B-Q8_0.gguf").write_bytes(b"GGUF")
        case "sherpa":
            (folder / "tokenizer").mkdir()
            (folder / "tokenizer" / "vocab.json").write_text("{}")
            for name in ("conv_frontend.onnx", "encoder.int8.onnx", "decoder.int8.onnx"):
                (folder / name).write_bytes(b"onnx")
    return folder


@pytest.mark.parametrize(
    ("what", "words", "hint"),
    [
        ("pointer", r"git clone without its large files: model\.safetensors", "git lfs pull"),
        ("pointer to a graph", r"git clone without its large files: decoder_init", "git lfs pull"),
        ("aligner", "is Qwen3-ForcedAligner", "Qwen3-ASR"),
        ("shards", r"lacks model\.safetensors\.index\.json", "Download that file"),
        ("gguf", "is a GGUF model", "handy-qwen model install"),
        ("sherpa", "is a model for sherpa-onnx", "handy-qwen model install"),
    ],
)
@pytest.mark.parametrize("form", ["folder", "archive"])
def test_what_cannot_be_used_is_called_by_its_name(tmp_path, what, words, hint, form):
    source = foreign(tmp_path / "mine", what)
    if form == "archive":
        source = packed(source, tmp_path / "mine.tar.gz")
    with pytest.raises(HandyError, match=f"mine.* {words}") as caught:
        import_model(source, ignore)
    assert hint in caught.value.hint
    assert nothing_is_left()


@pytest.mark.parametrize(
    ("name", "words"), [("q8.gguf", "GGUF"), ("model.safetensors", "one file of"), ("e.onnx", "one file of")]
)
def test_a_single_file_of_a_model_is_explained(tmp_path, name, words):
    (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(HandyError, match=words):
        import_model(tmp_path / name, ignore)


def test_names_come_from_what_is_imported(tmp_path):
    assert name_for(tmp_path / "Qwen3-ASR_0.6B.tar.gz") == "qwen3-asr_0.6b"
    assert name_for(tmp_path / "---") == "imported"
    assert name_for(tmp_path / "-Con.v1.zip") == "model-con.v1"
