"""Files of a loaded model that change under it."""

import os
import shutil
from pathlib import Path

import pytest

from handy_qwen.engine.qwen3.recognizer import FilesInUse, Recognizer
from handy_qwen.errors import ModelCorruptError
from tests.conftest import VOICE_MODEL


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "onnx").mkdir()
    for name in ("a.data", "onnx/b.data"):
        (tmp_path / name).write_bytes(bytes(100))
    return tmp_path


@pytest.mark.parametrize("name", ["a.data", "onnx/b.data"])
def test_a_file_that_was_cut_short_is_named(folder, name):
    files = FilesInUse(folder)
    assert files.cut_short() is None
    os.truncate(folder / name, 99)
    assert files.cut_short() == folder / name


def test_a_file_that_vanishes_while_the_folder_is_listed_is_passed_over(folder, monkeypatch):
    listed = sorted(folder.rglob("*"))
    (folder / "a.data").unlink()
    monkeypatch.setattr(Path, "rglob", lambda _self, _pattern: iter(listed))
    monkeypatch.setattr(Path, "is_file", lambda _self: True)  # as it was a moment before
    files = FilesInUse(folder)
    os.truncate(folder / "onnx" / "b.data", 99)
    assert files.cut_short() == folder / "onnx" / "b.data"


def test_files_that_were_deleted_replaced_or_grew_do_no_harm_to_what_is_mapped(folder):
    files = FilesInUse(folder)
    kept = (folder / "a.data").rename(folder / "kept")  # so that its inode is not given out again
    (folder / "a.data").write_bytes(b"new")
    with (folder / "onnx" / "b.data").open("ab") as file:
        file.write(b"more")
    assert files.cut_short() is None
    kept.unlink()
    shutil.rmtree(folder / "onnx")
    assert files.cut_short() is None


def test_a_recognizer_complains_before_it_is_too_late(exact_package, tmp_path):
    folder = shutil.copytree(exact_package, tmp_path / "model")
    recognizer = Recognizer.load(folder, voice_model=VOICE_MODEL, threads=1)
    recognizer.check_files()
    os.truncate(folder / "encoder.data", 1000)
    with pytest.raises(ModelCorruptError, match="cut short"):
        recognizer.check_files()
    recognizer.close()
