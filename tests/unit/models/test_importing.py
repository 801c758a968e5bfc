"""Models from folders and archives, good and evil."""

import io
import pickle
import shutil
import tarfile
import zipfile

import pytest

from handy_qwen import paths
from handy_qwen.core.shelf import Stage
from handy_qwen.engine.manifest import load_manifest
from handy_qwen.errors import (
    CancelledError,
    ConversionError,
    HandyError,
    InstallationError,
    ModelCorruptError,
)
from handy_qwen.models.importing import import_model, name_for
from handy_qwen.models.installed import installed_models
from handy_qwen.models.installing import is_whole
from handy_qwen.models.origin import load_origin
from handy_qwen.models.places import Places
from tests.conftest import CHECKPOINT
from tests.published_layout import write_published_layout

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
    assert not Places(made.name).work.exists()
    with pytest.raises(InstallationError, match=r"There is a model .* already"):
        import_model(source, ignore)


def test_a_checkpoint_is_converted(tmp_path):
    stages = []
    archive = packed(CHECKPOINT, tmp_path / "checkpoint.tar.gz")
    made = import_model(archive, lambda progress: stages.append(progress.stage), name="own")
    assert is_whole(made.folder)
    assert {Stage.UNPACKING, Stage.CONVERTING, Stage.TESTING} <= set(stages)


def test_a_preset_is_for_checkpoints_only(tmp_path):
    made = import_model(CHECKPOINT, ignore, name="own", preset="precise")
    assert load_manifest(made.folder).preset == "precise"
    with pytest.raises(InstallationError, match="cannot be converted again"):
        import_model(made.folder, ignore, name="other", preset="precise")
    published = write_published_layout(CHECKPOINT, tmp_path / "published")
    with pytest.raises(ConversionError, match="is an ONNX model, which is not converted"):
        import_model(published, ignore, name="other", preset="precise")
    assert not Places("other").work.exists()


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


@pytest.mark.parametrize("name", ["../evil.json", "/tmp/evil.json", "a/../../evil.json"])
@pytest.mark.parametrize("form", ["evil.tar.gz", "evil.zip"])
def test_an_archive_cannot_write_elsewhere(tmp_path, name, form):
    archive = tmp_path / form
    if form.endswith(".zip"):
        with zipfile.ZipFile(archive, "w") as out:
            out.writestr(name, "{}")
    else:
        with tarfile.open(archive, "w:gz") as out:
            out.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(ModelCorruptError):
        import_model(archive, ignore)
    assert list(tmp_path.rglob("evil.json")) == []
    assert nothing_is_left()


def test_an_archive_that_is_larger_than_the_disk_is_refused_before_it_fills_it(tmp_path, monkeypatch):
    archive = packed(DEMO_PACKAGE, tmp_path / "large.zip")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: shutil._ntuple_diskusage(9, 9, 66 << 20))
    with pytest.raises(HandyError, match="free"):
        import_model(archive, ignore)
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


@pytest.mark.parametrize("name", ["demo", "../x", ".x", "a/b"])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(InstallationError, match="cannot be called"):
        import_model(DEMO_PACKAGE, ignore, name=name)
    assert nothing_is_left()


def test_what_is_given_up_leaves_nothing(tmp_path):
    def give_up(progress):
        if progress.stage is Stage.TESTING:
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


def test_names_come_from_what_is_imported(tmp_path):
    assert name_for(tmp_path / "Qwen3-ASR_0.6B.tar.gz") == "qwen3-asr_0.6b"
    assert name_for(tmp_path / "...") == "imported"
