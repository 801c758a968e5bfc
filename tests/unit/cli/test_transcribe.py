"""``transcribe``: contexts, places of results, statuses; with the demo model, in this process."""

import json
import os
import shutil
import signal
import sys
import tempfile

import numpy as np
import pytest
import soundfile

from handy_qwen import paths
from handy_qwen.cli import main, transcribe
from handy_qwen.engine.qwen3.prompt import FILE_WORDS_TOKENS
from handy_qwen.engine.qwen3.recognizer import Recognizer
from handy_qwen.models import installed

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
    assert asked[0]["context"] == "A meeting Anna Bad Homburg"


def test_how_many_words_of_a_vocabulary_fit_is_told_if_not_all_do(tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("Anna\n" * 2_000, encoding="utf-8")
    assert run(SPEECH / "report.flac", "--vocabulary", words) == 0
    assert "fit" not in capsys.readouterr().err
    words.write_text("\n".join(f"Anna{number}" for number in range(600)), encoding="utf-8")
    assert run(SPEECH / "report.flac", "--vocabulary", words) == 0
    assert " of 600 words fit; the rest are not used." in capsys.readouterr().err


def test_a_file_has_room_for_more_words_than_dictation_has(tmp_path, capsys, asked):
    words = tmp_path / "words.txt"
    words.write_text("\n".join(f"Anna{number}" for number in range(100)), encoding="utf-8")
    assert run(SPEECH / "report.flac", "--vocabulary", words) == 0
    assert "fit" not in capsys.readouterr().err
    assert asked[0]["context"].endswith(" Anna98 Anna99")


def test_a_context_too_long_for_the_model_is_told(capsys):
    assert run(SPEECH / "report.flac", "--context", "Anna " * 2_000) == 0
    assert "its end is left out" in capsys.readouterr().err


def test_the_result_says_how_the_vocabulary_fits(tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("Anna\nBerta\n", encoding="utf-8")
    assert run(SPEECH / "report.flac", "--vocabulary", words, "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)["vocabulary"]
    assert (told["words"], told["used"], told["limit"]) == (2, 2, FILE_WORDS_TOKENS)
    assert 2 <= told["tokens"] <= 20
    assert run(SPEECH / "report.flac", "--format", "json") == 0
    assert "vocabulary" not in json.loads(capsys.readouterr().out)


def test_a_vocabulary_alone_is_the_context(tmp_path, asked):
    words = tmp_path / "words.txt"
    words.write_text("Anna\n", encoding="utf-8")
    run(SPEECH / "report.flac", "--vocabulary", words)
    assert asked[0]["context"] == "Anna"


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


def test_a_result_that_replaces_a_private_one_stays_private(tmp_path):
    out = tmp_path / "report.flac.txt"
    out.touch(mode=0o600)
    assert run(SPEECH / "report.flac", "--output", tmp_path) == 0
    assert out.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name != "posix", reason="links need no rights on POSIX")
def test_a_result_goes_where_a_link_leads(tmp_path):
    (tmp_path / "mine").touch()
    (tmp_path / "report.flac.txt").symlink_to("mine")
    assert run(SPEECH / "report.flac", "--output", tmp_path) == 0
    assert (tmp_path / "report.flac.txt").is_symlink()
    assert (tmp_path / "mine").read_text(encoding="utf-8") == REPORT


@pytest.fixture
def never_loaded(monkeypatch):
    """The model must not be loaded, nor any file be transcribed."""

    def refuse(*_):
        raise AssertionError("it is too late to find out now")

    monkeypatch.setattr(installed, "load_recognizer", refuse)


@pytest.mark.usefixtures("never_loaded")
def test_a_folder_that_cannot_be_made_is_named_before_anything_is_transcribed(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run(SPEECH / "report.flac", "--output", tmp_path / "file") == 1
    assert capsys.readouterr().err == (
        f"handy-qwen: Nothing can be written to {tmp_path / 'file'}: it is not a folder. "
        "Choose another folder.\n"
    )
    assert run(SPEECH / "report.flac", "--output", tmp_path / "file" / "out") == 1
    assert "Not a directory" in capsys.readouterr().err


@pytest.mark.usefixtures("never_loaded")
def test_an_output_without_a_name_is_not_the_present_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(SPEECH / "report.flac", "--output", "") == 2
    assert "--output needs a folder." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("never_loaded")
def test_a_folder_that_cannot_be_written_to_is_named_before_anything_is_transcribed(
    tmp_path, capsys, monkeypatch
):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)  # permissions do not bind root
    assert run(SPEECH / "report.flac", "--output", tmp_path) == 1
    assert f"Nothing can be written to {tmp_path}: Permission denied." in capsys.readouterr().err


@pytest.mark.usefixtures("never_loaded")
def test_a_place_taken_by_a_folder_is_named_before_anything_is_transcribed(tmp_path, capsys):
    (tmp_path / "report.flac.txt").mkdir()
    assert run(SPEECH / "report.flac", "--output", tmp_path) == 1
    assert f"{tmp_path / 'report.flac.txt'} cannot be written: it is a folder." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


@pytest.mark.usefixtures("never_loaded")
def test_a_result_that_is_write_protected_is_named_before_anything_is_transcribed(
    tmp_path, capsys, monkeypatch
):
    (tmp_path / "report.flac.txt").touch(mode=0o400)
    monkeypatch.setattr(os, "access", lambda *_: False)  # permissions do not bind root
    assert run(SPEECH / "report.flac", "--output", tmp_path) == 1
    assert "report.flac.txt is write-protected" in capsys.readouterr().err


@pytest.mark.usefixtures("never_loaded")
def test_a_result_whose_name_would_be_too_long_is_named_before_anything_is_transcribed(tmp_path, capsys):
    path = tmp_path / ("x" * 250 + ".wav")
    shutil.copy(SPEECH / "report.flac", path)
    assert run(path, "--output", tmp_path / "out") == 1
    assert "cannot be written: File name too long." in capsys.readouterr().err


def test_a_result_whose_name_is_as_long_as_can_be_is_written(tmp_path):
    path = tmp_path / ("x" * 247 + ".wav")
    shutil.copy(SPEECH / "report.flac", path)
    assert run(path, "--output", tmp_path / "out") == 0
    assert [file.name for file in (tmp_path / "out").iterdir()] == [f"{path.name}.txt"]


def test_a_place_that_cannot_be_written_does_not_keep_the_others_from_it(tmp_path, capsys):
    (tmp_path / "report.flac.txt").mkdir()
    assert run(SPEECH / "report.flac", SPEECH / "chairs.flac", "--output", tmp_path) == 1
    assert (tmp_path / "chairs.flac.txt").read_text(encoding="utf-8")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_text_that_cannot_be_written_after_all_goes_to_stdout(tmp_path, capsys, monkeypatch, form):
    def fill_up(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fill_up)
    assert run(SPEECH / "report.flac", "--output", tmp_path, "--format", form) == 1
    told = capsys.readouterr()
    assert REPORT.strip() in told.out
    assert "cannot be written: No space left on device." in told.err
    assert "Its text is on standard output instead." in told.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("never_loaded")
@pytest.mark.parametrize("is_link", [False, True])
def test_a_result_that_would_replace_a_sound_file_of_the_same_call_is_refused(tmp_path, capsys, is_link):
    first, second = tmp_path / "a.flac", tmp_path / "a.flac.txt"
    shutil.copy(SPEECH / "report.flac", first)
    shutil.copy(SPEECH / "chairs.flac", second)
    folder = tmp_path
    if is_link:
        folder = tmp_path / "link"
        folder.symlink_to(tmp_path)
    assert run(first, second, "--output", folder) == 2
    assert f"{folder / second.name} is one of the sound files." in capsys.readouterr().err
    assert second.read_bytes() == (SPEECH / "chairs.flac").read_bytes()


@pytest.mark.parametrize("is_full", [False, True])
def test_without_a_standard_output_it_is_said_where_the_text_could_go(tmp_path, capsys, monkeypatch, is_full):
    nowhere = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")  # what a closed output becomes
    monkeypatch.setattr("sys.stdout", nowhere)

    def fill_up(*_, **__):
        raise OSError(28, "No space left on device")

    if is_full:
        monkeypatch.setattr(os, "fsync", fill_up)
    with nowhere:
        assert run(SPEECH / "report.flac", *(("--output", tmp_path) if is_full else ())) == 1
        monkeypatch.undo()
    assert "There is no standard output." in capsys.readouterr().err


def test_the_same_file_twice_into_a_folder_is_refused(tmp_path, capsys):
    path = SPEECH / "report.flac"
    assert run(path, path, "--output", tmp_path / "out") == 2
    assert "would both be written to" in capsys.readouterr().err


def test_all_files_failing_gives_no_json(capsys):
    assert run("/nonexistent.wav", "--format", "json") == 1
    assert capsys.readouterr().out == ""


def test_json_has_what_was_transcribed_before_an_interruption(monkeypatch, capsys):
    whole = transcribe._transcribed

    def interrupt(name, *rest):
        if "chairs" in name:
            raise KeyboardInterrupt
        return whole(name, *rest)

    monkeypatch.setattr(transcribe, "_transcribed", interrupt)
    assert run(SPEECH / "report.flac", SPEECH / "chairs.flac", "--format", "json") == 130
    (result,) = json.loads(capsys.readouterr().out)
    assert result["text"] == REPORT.strip()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent differently")
def test_an_interruption_does_not_break_into_the_loading_of_the_model(monkeypatch):
    """In the middle of an import of native code it would become an ImportError."""
    whole, loaded = installed.load_recognizer, []

    def load(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):  # Python looks at signals between these
            pass
        loaded.append(whole(*arguments))
        return loaded[0]

    monkeypatch.setattr(installed, "load_recognizer", load)
    assert run(SPEECH / "report.flac") == 130
    (recognizer,) = loaded
    recognizer.close()


def test_a_model_is_closed_again_although_no_file_can_be_decoded(monkeypatch, tmp_path):
    (tmp_path / "text.wav").write_bytes(b"text" * 100)
    closed = []
    monkeypatch.setattr(Recognizer, "close", lambda self: closed.append(self.name))
    assert run(tmp_path / "text.wav") == 1
    assert closed == ["demo"]


@pytest.mark.usefixtures("never_loaded")
def test_no_model_is_loaded_and_nothing_said_about_it_if_no_file_is_there(capsys):
    assert run("/nonexistent.wav", SPEECH) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("handy-qwen: /nonexistent.wav: there is no such file.")
    assert second.startswith(f"handy-qwen: {SPEECH}: this is a folder")


def test_what_is_wrong_with_paths_and_languages_comes_before_what_is_to_be_known_of_the_model(capsys):
    run("/nonexistent.wav", SPEECH / "report.flac")
    lines = capsys.readouterr().err.splitlines()
    assert "no such file" in lines[0]
    assert "demo" in lines[1]
    run(SPEECH / "report.flac", "--language", "Germn")
    (only,) = capsys.readouterr().err.splitlines()
    assert "Germn" in only


@pytest.mark.parametrize("option", ["-H", "--with-filename"])
def test_with_their_names_the_texts_are_told_apart_although_one_is_missing(tmp_path, capsys, option):
    (tmp_path / "bad.wav").write_bytes(b"text" * 100)
    report, chairs = SPEECH / "report.flac", SPEECH / "chairs.flac"
    assert run(report, tmp_path / "bad.wav", chairs, option) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert f"{first}\n" == f"{report}: {REPORT}"
    assert second.startswith(f"{chairs}: ")


@pytest.mark.parametrize("others", [("--format", "json"), ("--output", "out")])
def test_names_before_texts_are_refused_where_they_have_no_place(others, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(SPEECH / "report.flac", "--with-filename", *others) == 2
    assert "--with-filename" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


NOISE = np.random.default_rng(1).normal(0, 0.05, 16_000)
NO_TEXTS = {
    "the recording is too short (0.05 s)": NOISE[:800],
    "the recording is silent": NOISE * 0,
    "the recording is too quiet (-66 dBFS at its loudest)": NOISE * 0.01,
    "no speech was found": NOISE,
}


@pytest.mark.parametrize("reason", NO_TEXTS)
@pytest.mark.parametrize("options", [(), ("--live",)])
def test_an_empty_text_says_why(tmp_path, capsys, reason, options):
    path = tmp_path / "take.wav"
    soundfile.write(path, NO_TEXTS[reason], 16_000)
    assert run(path, *options) == 0
    told = capsys.readouterr()
    assert told.out == "\n"
    assert f"handy-qwen: {path}: No text: {reason}.\n" in told.err
