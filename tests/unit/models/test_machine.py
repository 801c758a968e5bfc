"""What was measured is kept for each model, and for this machine only."""

import json

import pytest

from handy_qwen import paths
from handy_qwen.engine import default_threads
from handy_qwen.models import machine
from handy_qwen.models.machine import SPEED, THREADS, clip_s_of, remember, remembered, threads_for
from tests.conftest import is_private


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    model = tmp_path / "model"
    model.mkdir()
    (model / "manifest.json").write_text('{"name": "a"}')
    return model


def test_what_was_measured_is_remembered_topic_by_topic(folder):
    assert remembered(folder, THREADS) is None
    assert threads_for(folder) == default_threads()
    assert clip_s_of(folder) is None
    remember(folder, THREADS, {"count": 3})
    remember(folder, SPEED, {"clip_s": 1.25})
    assert (threads_for(folder), clip_s_of(folder)) == (3, 1.25)
    remember(folder, THREADS, {"count": 5})
    assert (threads_for(folder), clip_s_of(folder)) == (5, 1.25)
    assert is_private(paths.data_dir() / machine.FILE)


def test_another_model_in_the_same_folder_was_not_measured(folder):
    remember(folder, THREADS, {"count": 3})
    (folder / "manifest.json").write_text('{"name": "b"}')
    assert remembered(folder, THREADS) is None


def test_a_model_without_a_manifest_is_known_by_its_files(folder):
    (folder / "manifest.json").unlink()
    (folder / "decoder_init.onnx").write_bytes(b"1")
    remember(folder, THREADS, {"count": 3})
    assert threads_for(folder) == 3
    (folder / "decoder_init.onnx").write_bytes(b"22")
    assert remembered(folder, THREADS) is None


def test_on_another_machine_nothing_was_measured(folder, monkeypatch):
    remember(folder, THREADS, {"count": 3})
    monkeypatch.setattr(machine, "machine_id", lambda: "another")
    assert remembered(folder, THREADS) is None
    remember(folder, THREADS, {"count": 7})
    assert threads_for(folder) == 7
    monkeypatch.undo()


def test_models_that_were_measured_long_ago_are_forgotten(folder, tmp_path):
    remember(folder, THREADS, {"count": 3})
    for number in range(machine._MOST_MODELS):
        other = tmp_path / f"other{number}"
        other.mkdir()
        (other / "manifest.json").write_text("{}")
        remember(other, THREADS, {"count": 2})
    assert remembered(folder, THREADS) is None
    assert threads_for(other) == 2


BAD_COUNTS = ("0", "-1", '"4"', "true", "null", "1e999", "NaN")
BAD_MODELS = (
    "[]",
    '{"KEY": 3}',
    '{"KEY": {"threads": [1]}}',
    *(f'{{"KEY": {{"threads": {{"count": {bad}}}, "speed": {{"clip_s": {bad}}}}}}}' for bad in BAD_COUNTS),
)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "[" * 100_000,
        "{}",
        *(f'{{"machine": "MACHINE", "models": {models}}}' for models in BAD_MODELS),
    ],
)
def test_a_damaged_file_is_as_good_as_none(folder, content):
    file = paths.data_dir() / machine.FILE
    file.parent.mkdir(parents=True)
    for name, value in (("MACHINE", machine.machine_id()), ("KEY", machine._key(folder))):
        content = content.replace(name, json.dumps(value)[1:-1])
    file.write_text(content)
    assert (threads_for(folder), clip_s_of(folder)) == (default_threads(), None)
    remember(folder, THREADS, {"count": 3})
    assert threads_for(folder) == 3


def test_a_file_that_cannot_be_written_is_no_error(folder):
    file = paths.data_dir() / machine.FILE
    file.mkdir(parents=True)
    (file / "something").touch()
    remember(folder, THREADS, {"count": 3})
    assert threads_for(folder) == default_threads()
