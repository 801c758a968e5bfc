"""Word error rates: which files belong together, and what counts as the same word."""

import builtins
import json
import re

import numpy as np
import pytest
import soundfile

from handy_qwen import paths
from handy_qwen.bench.accuracy import Recording, Scorer, find_recordings, measure_errors, total
from handy_qwen.cli import main
from handy_qwen.engine.api import Cancel
from handy_qwen.errors import HandyError


@pytest.fixture(scope="module")
def scorer():
    return Scorer()


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_text_belongs_to_the_sound_of_the_same_name(tmp_path):
    touch(tmp_path, "a.wav", "b.flac", "sub/c.wav", "no-text.wav", "d.mp3")
    for name in ("a", "b", "sub/c", "d", "no-sound"):
        (tmp_path / f"{name}.txt").write_text(f" {name}\n", encoding="utf-8")
    assert find_recordings(tmp_path) == [
        Recording(tmp_path / "a.wav", "a"),
        Recording(tmp_path / "b.flac", "b"),
        Recording(tmp_path / "sub" / "c.wav", "sub/c"),
    ]


def test_librispeech_has_a_line_for_each_recording(tmp_path):
    chapter = tmp_path / "84" / "121123"
    touch(chapter, "84-121123-0000.flac", "84-121123-0001.flac")
    lines = "84-121123-0000 GO DO YOU HEAR\n84-121123-0001 BUT IN LESS\n\n84-121123-0002 NOT THERE\n"
    (chapter / "84-121123.trans.txt").write_text(lines, encoding="utf-8")
    found = find_recordings(tmp_path)
    assert [(item.path.name, item.text) for item in found] == [
        ("84-121123-0000.flac", "GO DO YOU HEAR"),
        ("84-121123-0001.flac", "BUT IN LESS"),
    ]


def test_a_folder_without_pairs_and_a_text_that_is_none_are_named(tmp_path):
    touch(tmp_path, "a.wav")
    with pytest.raises(HandyError, match="There are no recordings with texts in"):
        find_recordings(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(HandyError, match=r"a\.txt cannot be read as text"):
        find_recordings(tmp_path)


@pytest.mark.parametrize(
    ("said", "heard", "language", "expected"),
    [
        ("Colour, please!", "color please", "English", (0, 2)),
        ("I have twenty-two.", "I have 22", "English", (0, 3)),
        ("Öl und Brot", "öl, und brot.", "German", (0, 3)),
        ("red green blue", "red blue blue pink", "English", (2, 3)),
        ("你好世界", "你好世", "Chinese", (1, 4)),
        ("", "", "", (0, 0)),
        ("", "hello you", "English", (2, 0)),
        ("hello you", "", "", (2, 2)),
    ],
)
def test_errors_are_counted_after_normalization(scorer, said, heard, language, expected):
    score = scorer.score("x", said, heard, language)
    errors, words = expected
    assert (score.errors, score.words) == (errors, words)
    assert score.rate == (errors / words if words else float(bool(errors)))


def test_kinds_of_errors_are_told_apart(scorer):
    score = scorer.score("x", "alpha beta gamma", "alpha delta gamma epsilon", "English")
    assert (score.substitutions, score.deletions, score.insertions) == (1, 0, 1)
    score = scorer.score("x", "alpha beta gamma", "alpha", "English")
    assert (score.substitutions, score.deletions, score.insertions) == (0, 2, 0)


def test_long_recordings_weigh_more_than_short_ones(scorer):
    scores = [
        scorer.score("long", "a b c d e f g h i", "a b c d e f g h i", "German"),
        scorer.score("short", "x", "y", "German"),
    ]
    assert total(scores).rate == pytest.approx(0.1)
    assert total([]).rate == 0


def test_libraries_that_are_not_there_are_named(monkeypatch):
    import_module = builtins.__import__

    def refusing(name, *args, **kwargs):
        if name == "jiwer":
            raise ImportError(name)
        return import_module(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refusing)
    with pytest.raises(HandyError) as caught:
        Scorer()
    assert re.search(r" pip install .*\bjiwer whisper-normalizer$", caught.value.hint)  # or uv's


def test_recordings_are_transcribed_and_compared(demo_recognizer, scorer):
    speech = paths.asset("speech/report.flac")
    silence = speech.with_name("meeting.flac")
    found = list(
        measure_errors(
            demo_recognizer,
            [Recording(speech, "the report"), Recording(silence, "")],
            scorer=scorer,
            language="",
            cancel=Cancel(),
        )
    )
    assert [score.name for score in found] == ["report.flac", "meeting.flac"]
    assert found[0].duration_s == pytest.approx(soundfile.info(speech).duration, abs=0.01)
    assert found[0].took_s > 0
    assert found[0].heard
    assert found[1].insertions == len(found[1].heard.split()) > 0


def test_the_command_tells_the_rate_of_each_file_and_of_all(tmp_path, capsys):
    soundfile.write(tmp_path / "quiet.wav", np.zeros(16_000, np.float32), 16_000)
    (tmp_path / "quiet.txt").write_text("two words", encoding="utf-8")
    assert main(["bench", "--model", "demo", "--wer", str(tmp_path), "--json", "--threads", "1"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["total"]["rate"] == 1.0
    assert (result["files"][0]["name"], result["files"][0]["deletions"]) == ("quiet.wav", 2)
    assert main(["bench", "--model", "demo", "--wer", str(tmp_path), "--threads", "1"]) == 0
    assert "100.00%  all: of 2 words 0 wrong, 2 missing, 0 too many" in capsys.readouterr().out


def test_what_was_left_out_is_named_and_the_rest_is_told(tmp_path, capsys):
    soundfile.write(tmp_path / "quiet.wav", np.zeros(16_000, np.float32), 16_000)
    (tmp_path / "quiet.txt").write_text("two words", encoding="utf-8")
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    (tmp_path / "broken.txt").write_text("a word", encoding="utf-8")
    soundfile.write(tmp_path / "untold.flac", np.zeros(16_000, np.float32), 16_000)
    arguments = ["bench", "--model", "demo", "--wer", str(tmp_path), "--threads", "1"]
    assert main([*arguments, "--json"]) == 1, "the total is not that of all"
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert [row["name"] for row in result["files"]] == ["quiet.wav"]
    assert result["total"]["words"] == 2
    assert result["unreadable"] == [str(tmp_path / "broken.wav")]
    assert result["without_text"] == [str(tmp_path / "untold.flac")]
    assert f"left out: {tmp_path / 'broken.wav'}: " in told.err
    assert f"left out: {tmp_path / 'untold.flac'}: no text." in told.err


def test_recordings_that_can_none_be_read_are_an_error(tmp_path, capsys):
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    (tmp_path / "broken.txt").write_text("a word", encoding="utf-8")
    assert main(["bench", "--model", "demo", "--wer", str(tmp_path), "--threads", "1"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert str(tmp_path / "broken.wav") in told.err
