"""The sentences that ship with the program, and what is said when they are not what they should be."""

import json
import shutil

import numpy as np
import pytest

from handy_qwen.convert.check_speech import RATE_HZ, load_check_speech
from handy_qwen.errors import CheckSpeechError
from handy_qwen.paths import asset

SHIPPED = asset("check-speech")


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(SHIPPED, tmp_path / "check-speech")


def index_of(folder):
    return json.loads((folder / "index.json").read_text(encoding="utf-8"))


def test_what_ships_is_speech_in_many_languages():
    clips = load_check_speech()
    assert len({clip.name for clip in clips}) == len(clips) >= 14
    assert len({clip.language for clip in clips}) >= 10
    assert 60 <= sum(len(clip.samples) for clip in clips) / RATE_HZ <= 180
    for clip in clips:
        assert clip.text.endswith((".", "。", "।")), clip.name
        assert clip.samples.dtype == np.float32
        loud = np.abs(clip.samples).max()
        assert 0.1 < loud <= 1, clip.name
        # About as fast as people speak: a sentence with the wrong sound would not fit its text.
        assert 1.5 < len(clip.text) / (len(clip.samples) / RATE_HZ) < 22, clip.name


def test_the_first_few_are_of_several_kinds():
    """Whoever has little time takes those."""
    first = load_check_speech()[:3]
    assert len({clip.language for clip in first}) == 3


def test_every_file_has_a_source_and_a_licence_and_there_are_no_others():
    entries = index_of(SHIPPED)["clips"]
    assert {entry["licence"] for entry in entries} == {"Public domain", "CC BY 3.0", "CC BY-SA 3.0"}
    readme = (SHIPPED / "README.md").read_text(encoding="utf-8")
    for entry in entries:
        assert entry["source"]
        if entry["licence"].startswith("CC"):
            assert entry["file"].removesuffix(".flac") in readme
    present = {path.name for path in SHIPPED.iterdir()} - {"index.json", "README.md"}
    assert present == {entry["file"] for entry in entries}
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 2 << 20


def test_a_file_that_is_missing_is_named(folder):
    (folder / "german.flac").unlink()
    with pytest.raises(CheckSpeechError, match=r"german\.flac is missing") as caught:
        load_check_speech(folder)
    assert caught.value.path == folder / "german.flac"
    assert "again" in caught.value.hint


def test_a_file_that_was_changed_is_named(folder):
    path = folder / "korean.flac"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckSpeechError, match=r"korean\.flac is damaged"):
        load_check_speech(folder)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"format": 2, "clips": []}', '{"format": 1, "clips": [7]}', '{"format": 1}'],
)
def test_an_index_that_is_no_index_is_damaged(folder, text):
    (folder / "index.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckSpeechError, match=r"index\.json is damaged"):
        load_check_speech(folder)


def test_an_index_without_sentences_checks_nothing(folder):
    (folder / "index.json").write_text('{"format": 1, "clips": []}', encoding="utf-8")
    with pytest.raises(CheckSpeechError, match="no sentences"):
        load_check_speech(folder)


def test_an_index_cannot_lead_out_of_the_folder(folder, tmp_path):
    shutil.move(folder / "german.flac", tmp_path / "german.flac")
    index = index_of(folder)
    for entry in index["clips"]:
        entry["file"] = entry["file"].replace("german", "../german")
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(CheckSpeechError, match="is missing"):
        load_check_speech(folder)


def test_without_the_folder_the_index_is_missing(tmp_path):
    with pytest.raises(CheckSpeechError, match=r"index\.json is missing"):
        load_check_speech(tmp_path / "nowhere")
