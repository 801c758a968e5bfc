"""Which models there are and which one is meant."""

import shutil
from pathlib import Path

import pytest

from handy_qwen import paths
from handy_qwen.core.models import DEMO
from handy_qwen.errors import EngineError, ModelCorruptError
from handy_qwen.models.installed import (
    demo_model,
    find_model,
    installed_models,
    load_recognizer,
)


@pytest.fixture(autouse=True)
def home(app_home):
    """The home of these tests."""
    return app_home


@pytest.fixture
def folder():
    """The folder of models, empty."""
    folder = paths.models_dir()
    folder.mkdir(parents=True)
    return folder


def install(folder, name):
    shutil.copytree(paths.asset("demo-model"), folder / name)
    return folder / name


def names():
    return [model.name for model in installed_models()]


def test_without_anything_installed_there_is_the_demo_model(home):
    assert names() == [DEMO]
    assert find_model("") == demo_model()
    assert not home.exists()  # looking makes nothing


def test_installed_models_come_by_name_and_the_demo_model_last(folder):
    install(folder, "b")
    install(folder, "a")
    assert names() == ["a", "b", DEMO]
    assert find_model("").name == "a"
    assert find_model("b").folder == folder / "b"
    assert find_model(DEMO) == demo_model()


def test_what_is_no_model_is_not_listed(folder):
    (folder / "file").touch()
    (folder / "notes").mkdir()
    install(folder, ".a.partial")
    published = folder / "published"
    published.mkdir()
    (published / "decoder_init.int4.onnx").touch()
    assert names() == ["published", DEMO]  # also where a file is missing: opening it will tell


def test_a_model_of_somebody_else_is_not_listed(folder, monkeypatch):
    install(folder, "theirs")
    is_file = Path.is_file

    def denied(self):
        if "theirs" in self.parts:
            raise PermissionError(13, "Permission denied")
        return is_file(self)

    monkeypatch.setattr("pathlib.Path.is_file", denied)
    assert names() == [DEMO]


def test_a_folder_is_a_model_too_and_called_as_it_is(tmp_path, monkeypatch):
    install(tmp_path, "mine")
    assert find_model(str(tmp_path / "mine")).name == "mine"
    monkeypatch.chdir(tmp_path / "mine")
    assert find_model(".").name == "mine"


def test_an_installed_model_is_meant_before_a_folder_of_the_same_name(folder, tmp_path, monkeypatch):
    install(folder, "mine")
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_model("mine").folder == folder / "mine"


def test_an_unknown_name_is_answered_with_those_that_are_known(folder):
    install(folder, "large")
    with pytest.raises(EngineError) as caught:
        find_model("lrage")
    assert caught.value.title == "There is no model 'lrage'."
    assert caught.value.hint == "Give an installed model (large, demo) or a model folder."


def test_a_home_of_nobody_is_an_unknown_name():
    with pytest.raises(EngineError, match="There is no model '~nobody-of-that-name/model'"):
        find_model("~nobody-of-that-name/model")


def test_a_folder_of_models_that_may_not_be_read_is_named(folder, monkeypatch):
    def refuse(_self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(EngineError, match="cannot be read: Permission denied") as caught:
        installed_models()
    assert str(folder) in caught.value.title


def test_the_size_is_that_of_all_files(folder):
    model = find_model(str(install(folder, "mine")))
    assert model.size_bytes == sum(path.stat().st_size for path in model.folder.iterdir()) > 1_000_000


def test_a_model_is_loaded_with_the_voice_detector_that_ships():
    recognizer = load_recognizer("", threads=1)
    assert recognizer.name == DEMO
    recognizer.close()


def test_a_model_is_called_as_its_folder_also_when_that_was_renamed(folder):
    install(folder, "mine").rename(folder / "yours")
    recognizer = load_recognizer("yours", threads=1)
    assert recognizer.name == "yours"
    recognizer.close()


def test_a_damaged_model_is_named(folder):
    path = install(folder, "mine") / "decoder.onnx"
    path.write_bytes(b"")
    with pytest.raises(ModelCorruptError) as caught:
        load_recognizer("mine")
    assert caught.value.path == path
