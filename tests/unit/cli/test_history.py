"""``history``: what the command line shows of it and does with it, in this process."""

import csv
import io
import json
import os
import stat
from pathlib import Path

import pytest
import soundfile

from handy_qwen import paths
from handy_qwen.app import history as app_history
from handy_qwen.audio.files import read
from handy_qwen.cli import history
from handy_qwen.core.types import Delivery, Entry, EntryState
from handy_qwen.engine.qwen3 import segment
from handy_qwen.history.store import default_folder
from tests.conftest import is_private
from tests.unit.history.conftest import Books

REPORT = "Please send the report to Anna on Monday."
TEXT = "Grüße aus\tKöln\nund zurück"


@pytest.fixture
def books(app_home):  # noqa: ARG001  in its folder
    """A history with three entries: a text, one that was cancelled, one that failed."""
    books = Books(default_folder())
    books.dictate(1, text=TEXT)
    books.went(1, Delivery.TYPED)
    with read(str(paths.asset("speech/report.flac"))) as audio:
        blocks = list(audio)
    for take in (2, 3):
        books.begin(take)
        for block in blocks:
            books.feed(take, block)
    books.cancelled(2)
    books.failed(3, "The model is gone.")
    yield books
    books.close()


@pytest.fixture
def ask(books, run):  # noqa: ARG001  what the commands are about
    """Runs an action of ``history``."""
    return lambda *words: run("history", *words)


@pytest.fixture
def retry(ask, exact_package):
    """Transcribes an entry again with a model that is exact."""
    model = ("--model", exact_package, "--threads", 1)
    return lambda number, *options, action="retry": ask(action, number, *model, *options)


@pytest.fixture
def settings_file(app_home):
    (app_home / "config").mkdir(parents=True)
    return app_home / "config" / "settings.toml"


@pytest.mark.usefixtures("app_home")
def test_without_a_history_nothing_is_shown(run):
    assert run("history", "list") == (0, "", "handy-qwen: No dictations.\n")
    assert run("history", "show", "last").status == 1
    assert run("history", "list", "--json") == (0, "[]\n", "")


@pytest.mark.usefixtures("app_home")
@pytest.mark.parametrize(
    "words", [["delete", "--all"], ["delete", "--all", "--yes"], ["export"], ["export", "--format", "jsonl"]]
)
def test_an_empty_history_is_called_empty(run, words):
    assert run("history", *words) == (0, "", "handy-qwen: The history is empty.\n")


def test_the_list_has_a_line_for_each(ask):
    status, out, _ = ask("list")
    lines = out.splitlines()
    assert status == 0
    assert [line[0] for line in lines] == ["3", "2", "1"]
    assert lines[0].endswith("0:03 [failed: The model is gone.]"), "3.6 s, as in the window"
    assert lines[1].endswith("0:03 [cancelled]")
    assert lines[2].endswith("0:02 Grüße aus Köln und zurück")
    assert ask("list", "-n", "1").out.splitlines() == lines[:1]
    assert ask("list", "--state", "cancelled").out.splitlines() == lines[1:2]


def test_lists_can_be_read_by_programs(ask):
    entries = json.loads(ask("list", "--json").out)
    states = {entry["id"]: entry["state"] for entry in entries}
    assert list(states.items()) == [(3, "failed"), (2, "cancelled"), (1, "done")]
    assert json.loads(ask("search", "koln", "--json").out)[0]["text"] == TEXT


def test_a_search_without_hits_fails_and_names_the_words(ask):
    assert ask("search", "köln", "zurück").status == 0
    assert ask("search", "köln", "atlantis") == (
        1,
        "",
        "handy-qwen: No dictation contains köln and atlantis.\n",
    )
    assert ask("search", "atlantis", "--json") == (1, "[]\n", "")


def test_one_is_shown_with_its_text_alone_on_stdout(ask, books):
    status, out, err = ask("show", "1")
    assert (status, out) == (0, f"{TEXT}\n")
    assert "language  English" in err
    assert str(books.places.takes) in err
    assert json.loads(ask("show", "last", "--json").out)["error"] == "The model is gone."
    assert ask("show", "99") == (1, "", "handy-qwen: There is no entry 99. See: handy-qwen history list\n")


@pytest.mark.parametrize("number", ["x", "0", "-1", "²", "9" * 30])
def test_what_is_no_number_is_wrong_usage(ask, number):
    assert ask("show", number).status == ask("list", "-n", number).status == 2


def test_an_export_is_whole_and_the_users_own(ask, tmp_path):
    target = tmp_path / "export.csv"
    assert ask("export", "--format", "csv", "--output", target, "--audio", tmp_path / "wav").status == 0
    table = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8"), newline="")))
    assert [row["id"] for row in table] == ["1", "2", "3"]
    assert is_private(target)
    assert list(tmp_path.glob(".*")) == []
    sounds = sorted((tmp_path / "wav").iterdir())
    assert len(sounds) == 3
    assert soundfile.info(sounds[0]).frames == 32_000
    (line,) = ask("export", "2", "--format", "jsonl").out.splitlines()
    assert json.loads(line)["id"] == 2


@pytest.mark.unix("modes are POSIX's")
def test_exported_sound_is_the_users_own_before_anything_is_in_it(ask, tmp_path, monkeypatch):
    ask("export", "1", "--audio", tmp_path)
    (copy,) = tmp_path.glob("*.wav")
    copy.chmod(0o666)  # one that is there already is no reason either
    before = os.umask(0)
    try:
        monkeypatch.setattr(Path, "chmod", lambda *_: None)  # afterwards is too late
        assert ask("export", "1", "--audio", tmp_path).status == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_an_export_that_cannot_be_written_leaves_nothing(ask, tmp_path):
    status, out, err = ask("export", "--output", tmp_path / "nowhere" / "export.txt")
    assert (status, out) == (1, "")
    assert "could not be written" in err
    assert ask("export", "99", "--output", tmp_path / "export.txt").status == 1
    assert not [*tmp_path.glob("*export*"), *tmp_path.glob(".*")]


@pytest.mark.usefixtures("symbolic_links")
def test_an_export_goes_where_a_link_leads(ask, tmp_path):
    place, real = tmp_path / "export.txt", tmp_path / "mine.txt"
    real.write_text("old")
    place.symlink_to(real)
    assert ask("export", "--output", place).status == 0
    assert place.is_symlink()
    assert real.read_text(encoding="utf-8") not in {"", "old"}


def test_a_failed_take_is_transcribed_again_with_another_model(retry, books):
    assert retry(3)[:2] == (0, f"{REPORT}\n")
    row = books.rows()[2]
    assert (row.state, row.text, row.model) == (EntryState.DONE, REPORT, "demo-exact")
    again = json.loads(retry(3, "--language", "en", "--json").out)
    assert (again["text"], again["language"]) == (REPORT, "English")


def test_a_cancelled_take_is_restored_and_no_other(ask, retry, books):
    assert ask("restore", "1").status == 2
    assert retry(2, action="restore").status == 0
    assert books.rows()[1].text == REPORT


def test_replacements_and_vocabulary_are_the_users(retry, tmp_path, settings_file):
    settings_file.write_text('[[replacements]]\nheard = "Anna"\nwritten = "Hannah"\n', encoding="utf-8")
    words = tmp_path / "words.txt"
    words.write_text("Monday\n", encoding="utf-8")
    assert retry(3, "--vocabulary", words).out == REPORT.replace("Anna", "Hannah") + "\n"


def test_the_words_for_the_program_it_was_dictated_in_are_used_too(retry, books, settings_file, monkeypatch):
    settings_file.write_text(
        'custom_words = ["Anna"]\n[[apps]]\nname = "Mine"\nprograms = ["kitty"]\nwords = ["kubectl"]\n',
        encoding="utf-8",
    )
    seen = []
    real = app_history.transcribe_again

    def spy(*what, context, **more):
        seen.append(context)
        return real(*what, context=context, **more)

    monkeypatch.setattr(app_history, "transcribe_again", spy)
    books.store.change(3, {"application": "kitty"})
    assert retry(3).status == retry(2).status == 0
    assert seen == [("kubectl", "Anna"), ("Anna",)]


def test_a_retry_that_fails_leaves_the_entry_as_it_was(ask, retry, books, settings_file):
    before = books.rows()
    assert ask("retry", "1", "--model", "nonsense").status == 1
    assert ask("retry", "3", "--language", "Klingon").status == 2
    status, out, err = retry(1)
    assert (status, out) == (1, "")
    assert "No speech was found this time. The previous text is unchanged." in err
    settings_file.write_text('model = "demo"\nlanguage = "Ger', encoding="utf-8")
    status, _, err = ask("retry", "3")
    assert status == 1
    assert "Line 2 of settings.toml cannot be read: a quotation mark is missing." in err
    settings_file.unlink()
    (books.places.takes / before[2].file).unlink()
    assert ask("retry", "3").status == 1
    assert books.rows() == before


def test_stars_are_given_and_taken(ask, books):
    assert ask("star", "1", "3").status == 0
    assert [row.is_starred for row in books.rows()] == [True, False, True]
    assert ask("star", "1", "--remove").status == 0
    assert [row.is_starred for row in books.rows()] == [False, False, True]
    assert ask("list").out.startswith("3* ")


def test_deleting_is_thorough_and_goes_on_after_one_that_fails(ask, books):
    assert ask("delete").status == ask("delete", "1", "--all").status == 2
    status, _, err = ask("delete", "1", "99", "2")
    assert (status, err.count("There is no entry"), err.count("Deleted: ")) == (1, 1, 2)
    assert "Grüße aus Köln" in err
    assert [row.id for row in books.rows()] == [3]
    assert len(books.files()) == 1


def test_deleting_all_asks_first_and_tells_of_the_starred(ask, books, answers):
    ask("star", "3")
    assert ask("delete", "--all").status == 2, "there is nobody to ask"
    for answer, is_gone in (("\n", False), ("n\n", False), ("y\n", True)):
        answers(answer)
        status, _, err = ask("delete", "--all")
        assert "of all dictations (2; 1 with a star is kept)?" in err
        assert (status == 0) is is_gone
        assert len(books.rows()) == (1 if is_gone else 3)
    assert ask("delete", "--all") == (0, "", "1 with a star is kept.\n"), "there is nothing to ask about"
    ask("star", "3", "--remove")
    assert ask("delete", "--all", "--yes").status == 0
    assert books.rows() == []


@pytest.mark.unix("here the test still has the file open, which Windows does not delete")
def test_what_was_left_behind_can_be_deleted_but_not_what_the_app_is_at(ask, books, running_app):
    books.begin(4)
    books.speak(4)
    with running_app(lambda _: {}):
        status, _, err = ask("delete", "4")
    assert (status, "The app is working on entry 4." in err) == (1, True)
    assert ask("delete", "4").status == 0


def test_a_text_in_which_words_may_be_missing_says_so_wherever_it_is_shown(ask, retry, books, monkeypatch):
    monkeypatch.setattr(segment, "token_limit", lambda _samples: 5)
    status, out, err = retry(3)
    assert status == 0
    assert "The text may be incomplete" in err
    text = out.strip()
    assert "…" in text
    assert f"[may be incomplete] {text}" in ask("list").out
    assert "complete  perhaps not" in ask("show", 3).err
    assert json.loads(ask("show", 3, "--json").out)["truncated"] is True
    assert [row.is_truncated for row in books.rows() if row.id == 3] == [True]


def test_a_recording_of_which_the_model_makes_nothing_is_left_as_it_was(ask, retry, monkeypatch):
    before = ask("show", 3, "--json").out
    monkeypatch.setattr(segment, "token_limit", lambda _samples: 2)
    status, out, err = retry(3)
    assert (status, out) == (1, "")
    assert "could not be transcribed" in err
    assert ask("show", 3, "--json").out == before


# --- lines -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["\x1b[31mred\x07", "a\x9bb", "a\rb", "\u202eevil", "a\u2028b", "\ud800"])
def test_a_line_holds_nothing_that_a_terminal_obeys(text):
    assert history.line(Entry(1, 0.0, EntryState.DONE, text=text), 1, 80).isprintable()


@pytest.mark.parametrize(
    "text", ["word " * 50, "漢字" * 50, "e\u0301" * 200, "x" * 300, "\u202e" * 200 + "x"]
)
def test_lines_fit_the_terminal(text):
    line = history.line(Entry(12, 0.0, EntryState.DONE, text=text), 4, 60)
    assert sum(history._columns(char) for char in line) <= 60
    assert history.line(Entry(12, 0.0, EntryState.DONE, text=text), 4, None).startswith("  12  1970")
