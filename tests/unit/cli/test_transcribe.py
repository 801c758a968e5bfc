"""``transcribe``: contexts, places of results, statuses; with the demo model, in this process."""

import json
import os
import shutil
import signal
import tempfile

import numpy as np
import pytest
import soundfile

from handy_qwen import paths
from handy_qwen.cli import transcribe
from handy_qwen.engine.qwen3.prompt import FILE_WORDS_TOKENS
from handy_qwen.engine.qwen3.recognizer import Recognizer
from handy_qwen.models import installed
from tests.conftest import is_private

REPORT, CHAIRS = paths.asset("speech/report.flac"), paths.asset("speech/chairs.flac")
TEXT = "Please send the report to Anna on Monday.\n"


@pytest.fixture(autouse=True)
def home(app_home):
    """No model of the user's is used."""


@pytest.fixture
def ask(run):
    """Transcribes files."""
    return lambda *words: run("transcribe", *words)


@pytest.fixture
def requests(monkeypatch):
    """What the recognizer is asked for."""
    calls = []
    live = Recognizer.live

    def spy(self, **options):
        calls.append(options)
        return live(self, **options)

    monkeypatch.setattr(Recognizer, "live", spy)
    return calls


@pytest.fixture
def never_loaded(monkeypatch):
    """The model must not be loaded, nor any file be transcribed."""

    def refuse(*_, **__):
        raise AssertionError("it is too late to find out now")

    monkeypatch.setattr(installed, "load_recognizer", refuse)


@pytest.fixture
def vocabulary(tmp_path):
    """Writes a vocabulary."""

    def vocabulary(text):
        (tmp_path / "words.txt").write_text(text, encoding="utf-8")
        return "--vocabulary", tmp_path / "words.txt"

    return vocabulary


# --- what the model is asked for ---------------------------------------------------------------------


def test_context_and_vocabulary_are_one_context(ask, vocabulary, requests):
    words = vocabulary("\ufeffAnna\n# people above, places below\n\n  Bad Homburg \r\n")
    assert ask(REPORT, "--context", "A meeting", *words).status == 0
    assert ask(REPORT, *words).status == 0
    assert [one["context"] for one in requests] == ["A meeting Anna Bad Homburg", "Anna Bad Homburg"]


def test_of_several_languages_each_must_be_known_and_the_one_spoken_is_found_out(ask, requests):
    for option in ("--language", "--languages"):
        status, out, _err = ask(REPORT, option, "de, en", "--format", "json")
        found = json.loads(out)
        assert (status, found["language"], found["language_forced"]) == (0, "English", False)
    assert requests[-1]["language"] == ["de", "en"]
    status, out, err = ask(REPORT, "--language", "en,fr")
    assert (status, out) == (2, "")
    assert "'fr'" in err


def test_what_does_not_fit_into_the_context_is_said(ask, vocabulary, requests):
    assert "fit" not in ask(REPORT, *vocabulary("Anna\n" * 2_000)).err, "it is the same word"
    many = "\n".join(f"Anna{number}" for number in range(100))
    assert "fit" not in ask(REPORT, *vocabulary(many)).err, "a file has room for more words than dictation"
    assert requests[-1]["context"].endswith(" Anna98 Anna99")
    too_many = "\n".join(f"Anna{number}" for number in range(600))
    assert " of 600 words fit; the rest are not used." in ask(REPORT, *vocabulary(too_many)).err
    assert "its end is ignored" in ask(REPORT, "--context", "Anna " * 2_000).err


def test_the_result_says_how_the_vocabulary_fits(ask, vocabulary):
    fits = json.loads(ask(REPORT, *vocabulary("Anna\nBerta\n"), "--format", "json").out)["vocabulary"]
    assert (fits["words"], fits["used"], fits["limit"]) == (2, 2, FILE_WORDS_TOKENS)
    assert 2 <= fits["tokens"] <= 20
    assert "vocabulary" not in json.loads(ask(REPORT, "--format", "json").out)


@pytest.mark.usefixtures("never_loaded")
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff", "not a text file"),
        (b"a\0", "not a text file"),
        (b"x" * 1_000_001, "too large"),
        (None, "No such"),
    ],
)
def test_what_is_no_vocabulary_is_wrong_usage(ask, tmp_path, content, problem):
    if content is not None:
        (tmp_path / "words.txt").write_bytes(content)
    status, _, err = ask(REPORT, "--vocabulary", tmp_path / "words.txt")
    assert (status, problem in err) == (2, True)


@pytest.mark.parametrize(("option", "is_exact"), [((), True), (("--exact",), True), (("--live",), False)])
def test_the_whole_clip_is_looked_at_unless_asked_otherwise(ask, requests, option, is_exact):
    assert ask(REPORT, "--language", "de", *option).status == 0
    assert (requests[0]["exact"], requests[0]["language"]) == (is_exact, ["de"])
    assert ask(REPORT, *option).out == TEXT


# --- where the texts go ------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "suffix"), [("text", "txt"), ("json", "json"), ("jsonl", "jsonl")])
def test_results_in_a_folder_end_as_their_form_does(ask, tmp_path, form, suffix):
    assert ask(REPORT, "--output", tmp_path / "out", "--format", form).status == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"report.flac.{suffix}"]


def test_a_result_replaces_an_older_one_whole_and_stays_as_private(ask, tmp_path):
    out = tmp_path / "report.flac.txt"
    out.write_text("something old and long" * 100, encoding="utf-8")
    out.chmod(0o600)
    assert ask(REPORT, "--output", tmp_path).status == 0
    assert out.read_text(encoding="utf-8") == TEXT
    assert is_private(out)


@pytest.mark.usefixtures("symbolic_links")
def test_a_result_goes_where_a_link_leads(ask, tmp_path):
    (tmp_path / "mine").touch()
    (tmp_path / "report.flac.txt").symlink_to("mine")
    assert ask(REPORT, "--output", tmp_path).status == 0
    assert (tmp_path / "report.flac.txt").is_symlink()
    assert (tmp_path / "mine").read_text(encoding="utf-8") == TEXT


@pytest.mark.usefixtures("never_loaded")
@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("file", "Can't write to {}: it is not a folder. Choose another folder."),
        ("file/out", "Not a directory" if os.name == "posix" else "it is not a folder"),
        ("protected", "Can't write to {}: Permission denied."),
        ("taken", f"{{}}{os.sep}report.flac.txt cannot be written: it is a folder."),
        ("kept", "report.flac.txt is write-protected"),
    ],
)
def test_a_place_that_cannot_be_written_is_named_before_anything_is_transcribed(
    ask, tmp_path, monkeypatch, output, problem
):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "file").touch()
    (tmp_path / "taken" / "report.flac.txt").mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "report.flac.txt").touch(mode=0o400)
    if output == "protected":  # permissions do not bind root
        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(os, "access", lambda *_: False)
    status, _, err = ask(REPORT, "--output", tmp_path / output)
    assert (status, problem.format(tmp_path / output) in err) == (1, True), err
    assert not [path for path in (tmp_path / "taken").iterdir() if path.is_file()]


@pytest.mark.parametrize(
    ("letters", "status"),
    [(247, 0), pytest.param(250, 1, marks=pytest.mark.unix("Windows counts the whole path"))],
)
def test_a_result_whose_name_would_be_too_long_is_named_at_once(ask, tmp_path, letters, status):
    path = tmp_path / ("x" * letters + ".wav")
    shutil.copy(REPORT, path)
    result = ask(path, "--output", tmp_path / "out")
    assert result.status == status
    assert ("cannot be written: File name too long." in result.err) is bool(status)
    written = [] if status else [f"{path.name}.txt"]
    assert [file.name for file in (tmp_path / "out").iterdir()] == written


def test_a_place_that_cannot_be_written_does_not_keep_the_others_from_it(ask, tmp_path):
    (tmp_path / "report.flac.txt").mkdir()
    assert ask(REPORT, CHAIRS, "--output", tmp_path)[:2] == (1, "")
    assert (tmp_path / "chairs.flac.txt").read_text(encoding="utf-8")


def fill_up(*_, **__):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_text_that_cannot_be_written_after_all_goes_to_stdout(ask, tmp_path, monkeypatch, form):
    monkeypatch.setattr(os, "fsync", fill_up)
    status, out, err = ask(REPORT, "--output", tmp_path, "--format", form)
    assert (status, TEXT.strip() in out) == (1, True)
    assert "cannot be written: No space left on device." in err
    assert "Its text is on standard output instead." in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("symbolic_links")
@pytest.mark.usefixtures("never_loaded")
@pytest.mark.parametrize("is_link", [False, True])
def test_a_result_that_would_replace_a_sound_file_of_the_same_call_is_refused(ask, tmp_path, is_link):
    first, second = tmp_path / "a.flac", tmp_path / "a.flac.txt"
    shutil.copy(REPORT, first)
    shutil.copy(CHAIRS, second)
    folder = tmp_path
    if is_link:
        folder = tmp_path / "link"
        folder.symlink_to(tmp_path)
    status, _, err = ask(first, second, "--output", folder)
    assert (status, f"{folder / second.name} is one of the sound files." in err) == (2, True)
    assert second.read_bytes() == CHAIRS.read_bytes()


@pytest.mark.usefixtures("never_loaded")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((REPORT, "--output", "out"), "would both be saved as"),
        (("--output", ""), "--output needs a folder."),
        ((CHAIRS, "--format", "srt"), "Subtitles of several files need a folder."),
        (("--exact", "--format", "vtt"), "--exact gives no times."),
        (("--with-filename", "--format", "json"), "--with-filename"),
        (("--with-filename", "--output", "out"), "--with-filename"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_makes_no_folder(ask, tmp_path, monkeypatch, arguments, problem):
    monkeypatch.chdir(tmp_path)
    status, _, err = ask(REPORT, *arguments)
    assert (status, problem in err) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_full", [False, True])
def test_without_a_standard_output_it_is_said_where_the_text_could_go(ask, tmp_path, monkeypatch, is_full):
    nowhere = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")  # what a closed output becomes
    monkeypatch.setattr("sys.stdout", nowhere)
    if is_full:
        monkeypatch.setattr(os, "fsync", fill_up)
    with nowhere:
        status, _, err = ask(REPORT, *(("--output", tmp_path) if is_full else ()))
        monkeypatch.undo()
    assert (status, "There is no standard output." in err) == (1, True)


def test_subtitles_have_the_words_between_the_pauses(ask, requests):
    status, out, _err = ask(REPORT, "--format", "srt")
    number, times, *lines = out.splitlines()
    begins, ends = times.split(" --> ")
    assert (status, number, " ".join(lines)) == (0, "1", TEXT.strip())
    assert "00:00:00,000" < begins < ends < "00:00:04,000"
    assert not requests[-1]["exact"]
    assert ask(REPORT, "--format", "vtt").out.startswith("WEBVTT\n\nNOTE The times come from the pauses")


def test_the_files_of_a_folder_are_taken_in_order_and_saved_as_they_lie_there(ask, tmp_path):
    talks = tmp_path / "talks"
    for place in ("b.flac", "a/x.flac", "a/.hidden.flac", ".cache/y.flac", "notes.txt"):
        (talks / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPORT, talks / place)
    out = tmp_path / "out"
    assert ask("--recursive", talks, "--format", "srt", "--output", out).status == 0
    saved = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert saved == ["a/x.srt", "b.srt"], "as the films are called, so that players find them"
    shutil.copy(REPORT, talks / "b.wav")
    assert ask("--recursive", talks, "--format", "srt", "--output", out / "2").status == 0
    saved = sorted(path.name for path in (out / "2").rglob("*.srt"))
    assert saved == ["b.flac.srt", "b.wav.srt", "x.srt"]
    assert ask("-r", talks, CHAIRS, "-H").out.startswith(f"{talks / 'b.flac'}:")
    (tmp_path / "empty").mkdir()
    status, _out, err = ask("-r", tmp_path / "empty")
    assert (status, "There is no sound file in" in err) == (1, True)


@pytest.mark.parametrize("option", ["-H", "--with-filename"])
def test_with_their_names_the_texts_are_told_apart_although_one_is_missing(ask, tmp_path, option):
    (tmp_path / "bad.wav").write_bytes(b"text" * 100)
    status, out, _ = ask(REPORT, tmp_path / "bad.wav", CHAIRS, option)
    first, second = out.splitlines()
    assert (status, f"{first}\n") == (1, f"{REPORT}: {TEXT}")
    assert second.startswith(f"{CHAIRS}: ")


# --- what goes wrong ---------------------------------------------------------------------------------


def test_json_has_what_was_transcribed_before_an_interruption(ask, monkeypatch):
    whole = transcribe._transcribed

    def interrupt(name, *rest):
        if "chairs" in name:
            raise KeyboardInterrupt
        return whole(name, *rest)

    monkeypatch.setattr(transcribe, "_transcribed", interrupt)
    status, out, _ = ask(REPORT, CHAIRS, "--format", "json")
    (result,) = json.loads(out)
    assert (status, result["text"]) == (130, TEXT.strip())


@pytest.mark.unix("signals are sent differently")
def test_an_interruption_does_not_break_into_the_loading_of_the_model(ask, monkeypatch):
    """In the middle of an import of native code it would become an ImportError."""
    whole, loaded = installed.load_recognizer, []

    def load(*arguments, **named):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):  # Python looks at signals between these
            pass
        loaded.append(whole(*arguments, **named))
        return loaded[0]

    monkeypatch.setattr(installed, "load_recognizer", load)
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
    try:
        assert ask(REPORT).status == 130
    finally:
        signal.signal(signal.SIGINT, former)
    (recognizer,) = loaded
    recognizer.close()


def test_a_model_is_closed_again_although_no_file_can_be_decoded(ask, monkeypatch, tmp_path):
    (tmp_path / "text.wav").write_bytes(b"text" * 100)
    closed = []
    monkeypatch.setattr(Recognizer, "close", lambda self: closed.append(self.name))
    assert ask(tmp_path / "text.wav").status == 1
    assert closed == ["demo"]


@pytest.mark.usefixtures("never_loaded")
def test_no_model_is_loaded_and_nothing_said_about_it_if_no_file_is_there(ask):
    status, out, err = ask("/nonexistent.wav", REPORT.parent, "--format", "json")
    assert (status, out) == (1, "")
    first, second = err.splitlines()
    assert "nonexistent.wav: there is no such file." in first
    assert second.startswith(f"handy-qwen: {REPORT.parent}: this is a folder")


def test_what_is_wrong_with_paths_and_languages_comes_before_what_is_to_be_known_of_the_model(ask):
    lines = ask("/nonexistent.wav", REPORT).err.splitlines()
    assert "no such file" in lines[0]
    assert "demo" in lines[1]
    (only,) = ask(REPORT, "--language", "Germn").err.splitlines()
    assert "Germn" in only


NOISE = np.random.default_rng(1).normal(0, 0.05, 16_000)
NO_TEXTS = {
    "the recording is too short (0.05 s)": NOISE[:800],
    "the recording is silent": NOISE * 0,
    "the recording is too quiet (-66 dBFS at its loudest)": NOISE * 0.01,
    "no speech was found": NOISE,
}


@pytest.mark.parametrize("reason", NO_TEXTS)
@pytest.mark.parametrize("options", [(), ("--live",)])
def test_an_empty_text_says_why(ask, tmp_path, reason, options):
    path = tmp_path / "take.wav"
    soundfile.write(path, NO_TEXTS[reason], 16_000)
    status, out, err = ask(path, *options)
    assert (status, out) == (0, "\n")
    assert f"handy-qwen: {path}: No text: {reason}.\n" in err
