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
from handy_qwen.audio.files import read
from handy_qwen.cli import history, main
from handy_qwen.control import ControlServer, Endpoint
from handy_qwen.core.types import Delivery, Entry, EntryState
from handy_qwen.history.store import default_folder
from tests.unit.history.conftest import Books

SPEECH = paths.asset("speech/report.flac")


@pytest.fixture
def books(app_home):  # noqa: ARG001  in its folder
    """A history with three entries: a text, one that was cancelled, one that failed."""
    books = Books(default_folder())
    books.dictate(1, text="Grüße aus\tKöln\nund zurück")
    books.went(1, Delivery.TYPED)
    with read(str(SPEECH)) as audio:
        blocks = list(audio)
    for take in (2, 3):
        books.begin(take)
        for block in blocks:
            books.feed(take, block)
    books.cancelled(2)
    books.failed(3, "The model is gone.")
    yield books
    books.end()


@pytest.fixture
def ask(books, capsys):  # noqa: ARG001  what the commands are about
    """Runs a command and returns its status, output and complaints."""

    def ask(*arguments):
        status = main(["history", *arguments])
        return status, *capsys.readouterr()

    return ask


@pytest.mark.usefixtures("app_home")
def test_without_a_history_nothing_is_shown(capsys):
    assert main(["history", "list"]) == 0
    assert capsys.readouterr() == ("", "handy-qwen: There is nothing to show.\n")
    assert main(["history", "show", "last"]) == 1
    assert main(["history", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_the_list_has_a_line_for_each(ask):
    status, out, _ = ask("list")
    lines = out.splitlines()
    assert status == 0
    assert [line[0] for line in lines] == ["3", "2", "1"]
    assert lines[0].endswith("0:04 [failed: The model is gone.]")
    assert lines[1].endswith("0:04 [cancelled]")
    assert lines[2].endswith("0:02 Grüße aus Köln und zurück")
    assert ask("list", "-n", "1")[1].splitlines() == lines[:1]
    assert ask("list", "--state", "cancelled")[1].splitlines() == lines[1:2]


def test_lists_can_be_read_by_programs(ask):
    entries = json.loads(ask("list", "--json")[1])
    assert [(entry["id"], entry["state"]) for entry in entries] == [
        (3, "failed"),
        (2, "cancelled"),
        (1, "done"),
    ]
    assert json.loads(ask("search", "koln", "--json")[1])[0]["text"] == "Grüße aus\tKöln\nund zurück"
    assert json.loads(ask("search", "Bonn", "--json")[1]) == []


def test_a_search_without_hits_fails_and_names_the_words(ask):
    assert ask("search", "köln", "zurück")[0] == 0
    assert ask("search", "köln", "atlantis") == (1, "", "handy-qwen: No dictation holds köln and atlantis.\n")
    assert ask("search", "atlantis", "--json") == (1, "[]\n", "")


def test_one_is_shown_with_its_text_alone_on_stdout(ask, books):
    status, out, err = ask("show", "1")
    assert (status, out) == (0, "Grüße aus\tKöln\nund zurück\n")
    assert "language  English" in err
    assert str(books.places.takes) in err
    assert json.loads(ask("show", "last", "--json")[1])["error"] == "The model is gone."


def test_what_is_not_there_is_told(ask):
    assert ask("show", "99")[::2] == (1, "handy-qwen: There is no entry 99. See: handy-qwen history list\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "x"],
        ["show", "0"],
        ["show", "-1"],
        ["show", "²"],
        ["show", "9" * 30],
        ["list", "-n", "0"],
        [],
    ],
)
def test_strange_arguments_are_wrong_usage(ask, arguments):
    with pytest.raises(SystemExit) as exit_:
        ask(*arguments)
    assert exit_.value.code == 2


def test_an_export_is_whole_and_the_users_own(ask, tmp_path):
    target = tmp_path / "export.csv"
    assert ask("export", "--format", "csv", "--output", str(target), "--audio", str(tmp_path / "wav"))[0] == 0
    table = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8"), newline="")))
    assert [row["id"] for row in table] == ["1", "2", "3"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.glob(".*")) == []
    sounds = sorted((tmp_path / "wav").iterdir())
    assert len(sounds) == 3
    assert soundfile.info(sounds[0]).frames == 32_000
    assert [json.loads(line)["id"] for line in ask("export", "2", "--format", "jsonl")[1].splitlines()] == [2]


def test_exported_sound_is_the_users_own_before_anything_is_in_it(ask, tmp_path, monkeypatch):
    ask("export", "1", "--audio", str(tmp_path))
    (copy,) = tmp_path.glob("*.wav")
    copy.chmod(0o666)  # one that is there already is no reason either
    before = os.umask(0)
    try:
        monkeypatch.setattr(Path, "chmod", lambda *_: None)  # afterwards is too late
        assert ask("export", "1", "--audio", str(tmp_path))[0] == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_an_export_that_cannot_be_written_leaves_nothing(ask, tmp_path):
    status, out, err = ask("export", "--output", str(tmp_path / "nowhere" / "export.txt"))
    assert (status, out) == (1, "")
    assert "could not be written" in err
    assert ask("export", "99", "--output", str(tmp_path / "export.txt"))[0] == 1
    assert not [*tmp_path.glob("*export*"), *tmp_path.glob(".*")]


@pytest.mark.skipif(os.name != "posix", reason="links need no rights on POSIX")
def test_an_export_goes_where_a_link_leads(ask, tmp_path):
    (tmp_path / "texts").mkdir()
    place, real = tmp_path / "export.txt", tmp_path / "texts" / "mine.txt"
    real.write_text("old")
    place.symlink_to(real)
    assert ask("export", "--output", str(place))[0] == 0
    assert place.is_symlink()
    assert real.read_text() not in {"", "old"}


def test_a_failed_take_is_tried_again_with_another_model(ask, books, exact_package):
    status, out, _ = ask("retry", "3", "--model", str(exact_package), "--threads", "1")
    assert status == 0
    assert out == "Please send the report to Anna on Monday.\n"
    row = books.rows()[2]
    assert (row.state, row.text, row.model) == (EntryState.DONE, out.strip(), "demo-exact")
    again = json.loads(ask("retry", "3", "--model", str(exact_package), "--language", "en", "--json")[1])
    assert (again["text"], again["language"]) == (out.strip(), "English")


def test_a_cancelled_take_is_restored_and_no_other(ask, books, exact_package):
    assert ask("restore", "1")[0] == 2
    assert ask("restore", "2", "--model", str(exact_package), "--threads", "1")[0] == 0
    assert books.rows()[1].text == "Please send the report to Anna on Monday."


def test_replacements_and_vocabulary_are_the_users(ask, tmp_path, exact_package):
    settings = paths.config_dir() / "settings.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('[[replacements]]\nheard = "Anna"\nwritten = "Hannah"\n', encoding="utf-8")
    words = tmp_path / "words.txt"
    words.write_text("Monday\n", encoding="utf-8")
    out = ask("retry", "3", "--model", str(exact_package), "--threads", "1", "--vocabulary", str(words))[1]
    assert out == "Please send the report to Hannah on Monday.\n"


def test_a_retry_that_fails_leaves_the_entry_as_it_was(ask, books):
    before = books.rows()
    assert ask("retry", "1", "--model", "nonsense")[0] == 1
    assert ask("retry", "3", "--language", "Klingon")[0] == 2
    (books.places.takes / before[2].file).unlink()
    assert ask("retry", "3")[0] == 1
    assert books.rows() == before


def test_a_retry_does_not_work_with_settings_that_it_cannot_read(ask, books):
    place = paths.config_dir() / "settings.toml"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text('model = "demo"\nlanguage = "Ger', encoding="utf-8")
    before = books.rows()
    status, _out, err = ask("retry", "3")
    assert status == 1
    assert "Line 2 of settings.toml cannot be read: a quotation mark is missing." in err
    assert place.read_text(encoding="utf-8") == 'model = "demo"\nlanguage = "Ger'
    assert list(place.parent.iterdir()) == [place]
    assert books.rows() == before


def test_a_text_is_not_lost_to_a_retry_that_hears_nothing(ask, books, exact_package):
    status, out, err = ask("retry", "1", "--model", str(exact_package), "--threads", "1")
    assert (status, out) == (1, "")
    assert "No speech was found this time. The previous text is unchanged." in err
    assert books.rows()[0].text.startswith("Grüße")


def test_stars_are_given_and_taken(ask, books):
    assert ask("star", "1", "3")[0] == 0
    assert [row.is_starred for row in books.rows()] == [True, False, True]
    assert ask("star", "1", "--remove")[0] == 0
    assert [row.is_starred for row in books.rows()] == [False, False, True]
    assert ask("list")[1].startswith("3* ")


def test_deleting_is_thorough_and_goes_on_after_one_that_fails(ask, books):
    assert ask("delete")[0] == ask("delete", "1", "--all")[0] == 2
    status, _, err = ask("delete", "1", "99", "2")
    assert (status, err.count("There is no entry")) == (1, 1)
    assert [row.id for row in books.rows()] == [3]
    assert len(books.files()) == 1


def test_deleting_all_asks_first_and_tells_of_the_starred(ask, books, monkeypatch):
    ask("star", "3")
    assert ask("delete", "--all")[0] == 2, "there is nobody to ask"
    for answer, is_gone in (("\n", False), ("n\n", False), ("y\n", True)):
        terminal = io.StringIO(answer)
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", terminal)
        status, _, err = ask("delete", "--all")
        assert "of all dictations (2; 1 with a star is kept)?" in err
        assert (status == 0) is is_gone
        assert len(books.rows()) == (1 if is_gone else 3)
    assert ask("delete", "--all")[::2] == (0, "1 with a star is kept.\n"), "there is nothing to ask about"


def test_deleting_all_can_be_agreed_to_beforehand(ask, books):
    assert ask("delete", "--all", "--yes")[0] == 0
    assert books.rows() == []


def test_what_was_left_behind_can_be_deleted_but_not_what_the_app_is_at(ask, books, monkeypatch):
    books.begin(4)
    books.speak(4)
    with monkeypatch.context() as patch:
        patch.setattr("handy_qwen.cli.history.ask", lambda *_: {"ok": True})
        status, _, err = ask("delete", "4")
    assert (status, "The app is at work on entry 4." in err) == (1, True)
    assert ask("delete", "4")[0] == 0


# --- lines -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["\x1b[31mred\x07", "a\x9bb", "a\rb", "\u202eevil", "a\u2028b", "\ud800"])
def test_a_line_holds_nothing_that_a_terminal_obeys(text):
    line = history.line(Entry(1, 0.0, EntryState.DONE, text=text), 1, 80)
    assert line.isprintable()


@pytest.mark.parametrize(
    "text", ["word " * 50, "漢字" * 50, "e\u0301" * 200, "x" * 300, "\u202e" * 200 + "x"]
)
def test_lines_fit_the_terminal(text):
    line = history.line(Entry(12, 0.0, EntryState.DONE, text=text), 4, 60)
    assert sum(history._columns(char) for char in line) <= 60
    assert history.line(Entry(12, 0.0, EntryState.DONE, text=text), 4, None).startswith("  12  1970")


def test_the_numbers_stand_under_each_other():
    starts = [history.line(Entry(n, 0.0, EntryState.DONE, text="x"), 3, 80).index("x") for n in (7, 77, 777)]
    assert len(set(starts)) == 1


def test_the_window_is_opened_by_the_running_app_and_without_an_action_that_is_wrong_usage(
    app_home,  # noqa: ARG001  its sockets are there
    capsys,
):
    opened = []
    server = ControlServer(Endpoint(paths.runtime_dir()), lambda command: opened.append(command) or {})
    server.start()
    try:
        assert main(["history", "--window"]) == 0
        for window in ("models", "settings", "setup"):
            assert main([window]) == 0
    finally:
        server.close()
    assert opened == ["history", "models", "settings", "setup"]
    with pytest.raises(SystemExit) as wrong:
        main(["history"])
    assert wrong.value.code == 2
    capsys.readouterr()
    assert main(["models"]) == 1
    assert "not running. Start it with: handy-qwen" in capsys.readouterr().err
