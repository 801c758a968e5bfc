"""``transcribe``: contexts, places of results, statuses; with the demo model, in this process."""

import json
import shutil

import pytest

from handy_qwen import paths
from handy_qwen.cli import main
from handy_qwen.engine.recognizer import Recognizer

SPEECH = paths.asset("speech")
REPORT = "Please send the report to Anna on Monday.\n"


@pytest.fixture(autouse=True)
def home(app_home):
    """No model of the user's is used."""


@pytest.fixture
def asked(monkeypatch):
    """What the recognizer is asked for."""
    calls = []
    live = Recognizer.live

    def spy(self, **options):
        calls.append(options)
        return live(self, **options)

    monkeypatch.setattr(Recognizer, "live", spy)
    return calls


def run(*arguments):
    return main(["transcribe", *map(str, arguments)])


def test_context_and_vocabulary_are_one_context(tmp_path, asked):
    words = tmp_path / "words.txt"
    words.write_text("\ufeffAnna\n# people above, places below\n\n  Bad Homburg \r\n", encoding="utf-8")
    assert run(SPEECH / "report.flac", "--context", "A meeting", "--vocabulary", words) == 0
    assert asked[0]["context"] == ("A meeting", "Anna", "Bad Homburg")


@pytest.mark.parametrize("option", [(), ("--live", "--simulate", "--speed", "100")])
def test_how_many_words_of_a_vocabulary_fit_is_told_if_not_all_do(tmp_path, capsys, option):
    words = tmp_path / "words.txt"
    words.write_text("Anna\n" * 2_000, encoding="utf-8")
    assert run(SPEECH / "report.flac", "--vocabulary", words, *option) == 0
    assert "fit" not in capsys.readouterr().err
    words.write_text("\n".join(f"Anna{number}" for number in range(300)), encoding="utf-8")
    assert run(SPEECH / "report.flac", "--vocabulary", words, *option) == 0
    assert " of 300 words fit; the rest are not used." in capsys.readouterr().err


def test_a_context_too_long_for_the_model_is_told(capsys):
    assert run(SPEECH / "report.flac", "--context", "Anna " * 2_000) == 0
    assert "its end is left out" in capsys.readouterr().err


def test_the_result_says_how_the_vocabulary_fits(tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("Anna\nBerta\n", encoding="utf-8")
    assert run(SPEECH / "report.flac", "--vocabulary", words, "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)["vocabulary"]
    assert (told["words"], told["used"], told["limit"]) == (2, 2, 200)
    assert 2 <= told["tokens"] <= 20
    assert run(SPEECH / "report.flac", "--format", "json") == 0
    assert "vocabulary" not in json.loads(capsys.readouterr().out)


def test_a_vocabulary_alone_is_the_context(tmp_path, asked):
    words = tmp_path / "words.txt"
    words.write_text("Anna\n", encoding="utf-8")
    run(SPEECH / "report.flac", "--vocabulary", words)
    assert asked[0]["context"] == ("Anna",)


@pytest.mark.parametrize(("option", "is_exact"), [((), True), (("--exact",), True), (("--live",), False)])
def test_the_whole_clip_is_looked_at_unless_asked_otherwise(asked, option, is_exact, capsys):
    assert run(SPEECH / "report.flac", *option) == 0
    assert asked[0]["exact"] is is_exact
    assert capsys.readouterr().out == REPORT


def test_a_language_is_handed_on(asked):
    run(SPEECH / "report.flac", "--language", "de")
    assert asked[0]["language"] == "de"


@pytest.mark.parametrize(("form", "suffix"), [("text", "txt"), ("json", "json"), ("jsonl", "jsonl")])
def test_results_in_a_folder_end_as_their_form_does(tmp_path, form, suffix):
    (tmp_path / "a.flac").write_bytes((SPEECH / "report.flac").read_bytes())
    assert run(tmp_path / "a.flac", "--output", tmp_path / "out", "--format", form) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"a.flac.{suffix}"]


def test_a_result_replaces_an_older_one_whole(tmp_path):
    out = tmp_path / "report.flac.txt"
    out.write_text("something old and long" * 100, encoding="utf-8")
    out.chmod(0o640)
    assert run(SPEECH / "report.flac", "--output", tmp_path) == 0
    assert out.read_text(encoding="utf-8") == REPORT


def test_a_folder_that_cannot_be_made_is_named(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run(SPEECH / "report.flac", "--output", tmp_path / "file") == 1
    assert capsys.readouterr().err == (
        f"handy-qwen: {tmp_path / 'file'} cannot be used as a folder. Choose another place.\n"
    )


def test_a_result_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path, capsys):
    (tmp_path / "report.flac.txt").mkdir()
    (tmp_path / "report.flac.txt" / "inside").touch()
    assert run(SPEECH / "report.flac", "--output", tmp_path) == 1
    assert f"{tmp_path / 'report.flac.txt'} could not be written: Is a directory." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_a_result_whose_name_would_be_too_long_is_named(tmp_path, capsys):
    path = tmp_path / ("x" * 250 + ".wav")
    shutil.copy(SPEECH / "report.flac", path)
    assert run(path, "--output", tmp_path / "out") == 1
    assert "could not be written: File name too long." in capsys.readouterr().err


def test_the_same_file_twice_into_a_folder_is_refused(tmp_path, capsys):
    path = SPEECH / "report.flac"
    assert run(path, path, "--output", tmp_path / "out") == 2
    assert "would both be written to" in capsys.readouterr().err


def test_all_files_failing_gives_no_json(capsys):
    assert run("/nonexistent.wav", "--format", "json") == 1
    assert capsys.readouterr().out == ""


def test_a_model_that_breaks_is_closed_again(monkeypatch):
    closed = []
    monkeypatch.setattr(Recognizer, "close", lambda self: closed.append(self.name))
    assert run("/nonexistent.wav") == 1
    assert closed == ["demo"]
