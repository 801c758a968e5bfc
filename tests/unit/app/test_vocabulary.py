"""Words and replacements through their presenter: a real settings file, text pipeline and tokenizer."""

import json
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from handy_qwen.app.choices import rules_of
from handy_qwen.app.vocabulary import VocabularyPresenter, counted
from handy_qwen.core.corrections import Correction
from handy_qwen.core.text import Replacement
from handy_qwen.core.types import Method
from handy_qwen.core.vocabulary import Fit
from handy_qwen.settings import SettingsStore, read_configuration
from handy_qwen.vocabulary import handy
from tests.waiting import wait_until

WAIT_S = 20.0
SOFAS = Replacement("chairs", "sofas")
SLOW = Replacement(r"(.*)(.*)(.*)(.*)(.*)(.*)(.*)\1\2\3\4\5\6\7[0-9]", "never", is_regex=True)
LONG = "chairs " + "a" * 3000 + "b"


class Reader:
    """The presenter with a settings file, and the pages it shows."""

    def __init__(self, path, count=counted):
        self.store = SettingsStore(path)
        self.store.load()
        self.pages = []
        self._changed = threading.Condition()
        self.presenter = VocabularyPresenter(
            lambda: self.store.value,
            self.store.revise,
            lambda: rules_of(self.store.value, Method.TYPE),
            count,
        )
        self.presenter.listener = self._on_page

    def _on_page(self, page):
        with self._changed:
            self.pages.append(page)
            self._changed.notify_all()

    def page(self, is_there=lambda _page: True):
        """The last page, once it is so."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.pages and is_there(self.pages[-1]), WAIT_S), self.pages
            return self.pages[-1]

    def told(self, text):
        return self.page(lambda page: text in page.told.title)

    @property
    def saved(self):
        """What is in the file."""
        return read_configuration(self.store.path).settings


@pytest.fixture
def reader(app_home):
    made = Reader(app_home / "settings.toml")
    made.presenter.look()
    yield made
    made.presenter.close(WAIT_S)


def test_what_is_typed_goes_first_and_is_in_the_file_at_once(reader):
    reader.presenter.add_words("Qwen")
    reader.presenter.add_words("Oslo\nqwen\nHandy")
    page = reader.told("2 words added, 1 spelling changed.")
    assert page.words == reader.saved.custom_words == ("Oslo", "Handy", "qwen")


def test_the_tokens_are_those_of_the_model_in_use(reader):
    assert reader.page().fit is None
    reader.presenter.add_words("\n".join(f"name{number}" for number in range(100)))
    fit = reader.page(lambda page: page.fit is not None).fit
    assert fit.limit == 200
    assert 150 < fit.tokens <= 200
    assert fit.left_out < set(reader.saved.custom_words)
    assert "name99" in fit.left_out
    reader.presenter.move_words(["name99"], -100)
    fit = reader.page(lambda page: page.fit and "name99" not in page.fit.left_out).fit
    assert "name98" in fit.left_out


def test_counting_loads_no_model_and_looking_no_engine():
    code = (
        "import sys, threading, tempfile, pathlib\n"
        "from tests.unit.app.test_vocabulary import Reader\n"
        "reader = Reader(pathlib.Path(tempfile.mkdtemp()) / 'settings.toml')\n"
        "reader.presenter.look(); reader.page()\n"
        "assert 'numpy' not in sys.modules\n"
        "reader.presenter.add_words('Qwen'); reader.page(lambda page: page.fit)\n"
        "assert 'handy_qwen.engine.qwen3.recognizer' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_model_that_cannot_be_read_is_not_counted_again_and_again(app_home):
    calls = []

    def count(settings):
        calls.append(settings.custom_words)

    reader = Reader(app_home / "settings.toml", count)
    reader.presenter.look()
    reader.presenter.add_words("Qwen")
    reader.page(lambda page: page.words)
    wait_until(lambda: not reader.presenter._must_count(), "the count")  # after the page
    reader.presenter.try_text("chairs")
    assert reader.page(lambda page: page.tried).fit is None
    reader.presenter.close(WAIT_S)
    assert [words for words in calls if words] == [("Qwen",)]


@pytest.mark.parametrize(
    ("entered", "problem"),
    [
        (Replacement("(", "x", is_regex=True), "Not a valid pattern: missing ), unterminated subpattern"),
        (Replacement("(a)", r"\2", is_regex=True), "Not a valid pattern: invalid group reference"),
        (Replacement(" ", "x"), "This can't be used: nothing to listen for."),
        (Replacement("x", "y" * 501), "This can't be used: longer than 500 characters."),
        (Replacement("CHAIRS ", "stools"), "Row 1 already replaces the same words."),
    ],
)
def test_what_the_settings_do_not_take_stays_in_its_row_until_it_is_right(reader, entered, problem):
    reader.presenter.set_replacement(None, SOFAS)
    reader.told("1 replacement added.")
    reader.presenter.set_replacement(None, entered)
    page = reader.told(problem)
    assert [row.entered for row in page.rows] == [SOFAS, entered]
    assert page.rows[1].problem.startswith(problem)
    assert page.told.is_problem
    assert reader.saved.replacements == (SOFAS,)
    right = Replacement("desk", "table")
    reader.presenter.set_replacement(page.rows[1], right)
    page = reader.page(lambda page: not page.told.is_problem)
    assert [(row.entered, row.problem) for row in page.rows] == [(SOFAS, ""), (right, "")]
    assert reader.saved.replacements == (SOFAS, right)


def test_a_row_that_is_being_changed_for_the_worse_keeps_its_effect(reader):
    reader.presenter.set_replacement(None, SOFAS)
    row = reader.told("added").rows[0]
    reader.presenter.set_replacement(row, Replacement("[", "sofas", is_regex=True))
    row = reader.told("Not a valid").rows[0]
    assert row.saved == SOFAS
    assert reader.saved.replacements == (SOFAS,)
    reader.presenter.delete_rows([row])
    assert reader.told("1 replacement deleted.").rows == ()
    assert reader.saved.replacements == ()


def test_a_row_that_vanished_from_the_file_is_still_there_to_be_saved(reader):
    reader.presenter.set_replacement(None, SOFAS)
    row = reader.told("added").rows[0]
    reader.presenter.set_replacement(row, Replacement("", "x"))
    reader.told("nothing to listen for")
    reader.store.update(replacements=())
    reader.presenter.look()
    row = reader.page(lambda page: page.rows[0].saved is None).rows[0]
    reader.presenter.set_replacement(row, SOFAS)
    assert [row.entered for row in reader.told("1 replacement added.").rows] == [SOFAS]


def test_a_row_is_changed_again_before_the_window_shows_the_first_change(reader):
    reader.presenter.set_replacement(None, SOFAS)
    row = reader.told("added").rows[0]
    for changes in ({"is_case_sensitive": True}, {"is_alone": True}, {"heard": "desks"}):
        reader.presenter.set_replacement(row, replace(SOFAS, **changes))
    wanted = Replacement("desks", "sofas", is_case_sensitive=True, is_alone=True)
    page = reader.page(lambda page: page.rows[0].entered == wanted)
    assert len(page.rows) == 1
    assert reader.saved.replacements == (wanted,)
    reader.store.update(replacements=())
    reader.presenter.set_replacement(row, SOFAS)
    reader.told("1 replacement added.")
    assert reader.saved.replacements == (SOFAS,), "what somebody else has deleted is not lost"


def test_a_row_is_deleted_before_the_window_shows_its_change(reader):
    reader.presenter.set_replacement(None, SOFAS)
    row = reader.told("added").rows[0]
    desks = replace(SOFAS, heard="desks")
    reader.presenter.set_replacement(row, desks)
    reader.presenter.delete_rows([row])
    assert reader.told("1 replacement deleted.").rows == ()
    assert reader.saved.replacements == ()
    reader.presenter.undo()
    reader.told("Undone.")
    assert reader.saved.replacements == (desks,)


def test_a_row_that_was_refused_is_deleted_before_the_window_shows_that(reader):
    reader.presenter.set_replacement(None, SOFAS)
    row = reader.told("added").rows[0]
    desks = replace(SOFAS, heard="desks")
    reader.presenter.set_replacement(row, desks)
    reader.presenter.set_replacement(row, replace(SOFAS, heard=" "))
    reader.presenter.delete_rows([row])
    assert reader.told("1 replacement deleted.").rows == ()


def test_what_was_refused_stays_when_another_change_of_its_row_follows_at_once(reader):
    reader.presenter.set_replacement(None, SOFAS)
    row = reader.told("added").rows[0]
    wrong = Replacement("(", "sofas", is_regex=True)
    reader.presenter.set_replacement(row, wrong)
    reader.presenter.set_replacement(row, replace(SOFAS, is_alone=True))
    page = reader.page(lambda page: page.rows[0].entered == replace(wrong, is_alone=True))
    assert page.rows[0].problem
    assert reader.saved.replacements == (SOFAS,)
    reader.presenter.set_replacement(page.rows[0], replace(page.rows[0].entered, heard="(chairs)"))
    reader.told("Replacement changed.")
    assert reader.saved.replacements == (Replacement("(chairs)", "sofas", is_regex=True, is_alone=True),)


def test_what_was_refused_in_a_new_row_stays_when_another_change_follows_at_once(reader):
    reader.presenter.set_replacement(None, Replacement("(", "x", is_regex=True))
    row = reader.told("Not a valid").rows[0]
    reader.presenter.set_replacement(row, replace(row.entered, heard="(("))
    reader.presenter.set_replacement(row, replace(row.entered, is_alone=True))
    wanted = Replacement("((", "x", is_regex=True, is_alone=True)
    assert [one.entered for one in reader.page(lambda page: page.rows[0].entered == wanted).rows] == [wanted]


def test_a_word_is_changed_again_before_the_window_shows_the_first_change(reader):
    reader.presenter.add_words("Oslo\nRiga\nLima")
    for name in ("Bergen", " Trondheim ", "Oslo", "Tromsø"):
        reader.presenter.edit_word("Oslo", name)
    reader.page(lambda page: page.words == ("Tromsø", "Riga", "Lima"))
    reader.presenter.edit_word("Riga", "Rīga")
    reader.presenter.move_words(["Riga"], 1)
    reader.presenter.edit_word("Lima", "Quito")
    reader.presenter.delete_words(["Lima"])
    assert reader.told("1 word deleted.").words == ("Tromsø", "Rīga")
    reader.presenter.undo()
    reader.page(lambda page: page.words == ("Tromsø", "Quito", "Rīga"))


def test_a_word_that_was_changed_back_is_meant_itself(reader):
    reader.presenter.add_words("Oslo\nRiga")
    reader.presenter.edit_word("Oslo", "Bergen")
    reader.presenter.undo()
    reader.told("Undone.")
    reader.store.update(custom_words=("Bergen", "Riga"))  # by somebody else
    reader.presenter.delete_words(["Oslo"])
    reader.presenter.delete_words(["Riga"])
    assert reader.told("1 word deleted.").words == ("Bergen",)


def test_what_a_word_became_is_forgotten_once_nobody_looks(reader):
    reader.presenter.add_words("Oslo\nRiga")
    reader.presenter.edit_word("Oslo", "Bergen")
    reader.presenter.leave()
    reader.presenter.look()
    reader.presenter.delete_words(["Oslo"])
    reader.presenter.delete_words(["Riga"])
    assert reader.told("1 word deleted.").words == ("Bergen",)


def test_every_change_can_be_taken_back_one_after_the_other(reader):
    asked = reader.presenter
    asked.add_words("Oslo\nQwen")
    asked.move_words(["Qwen"], -1)
    asked.edit_word("Qwen", "QWEN")
    asked.set_replacement(None, SOFAS)
    asked.delete_words(["Oslo"])
    asked.delete_rows(reader.told("1 word deleted.").rows)
    assert reader.told("1 replacement deleted.").can_undo
    seen = []
    for _step in range(6):
        number = reader.page().told.number
        asked.undo()
        reader.page(lambda page, number=number: page.told.number > number)
        seen.append((reader.saved.custom_words, reader.saved.replacements))
    assert seen == [
        (("QWEN",), (SOFAS,)),
        (("QWEN", "Oslo"), (SOFAS,)),
        (("QWEN", "Oslo"), ()),
        (("Qwen", "Oslo"), ()),
        (("Oslo", "Qwen"), ()),
        ((), ()),
    ]
    assert not reader.page().can_undo


def test_nothing_is_undone_over_what_somebody_else_has_written(reader):
    reader.presenter.add_words("Oslo")
    reader.told("1 word added.")
    reader.store.update(custom_words=("Oslo", "by hand"))
    reader.presenter.undo()
    page = reader.told("changed elsewhere")
    assert not page.can_undo
    assert reader.saved.custom_words == ("Oslo", "by hand")


def test_a_deletion_is_undone_although_the_other_list_has_changed(reader):
    reader.presenter.add_words("Oslo")
    reader.presenter.delete_words(["Oslo"])
    reader.told("deleted")
    reader.store.update(replacements=(SOFAS,))
    reader.presenter.undo()
    reader.told("Undone.")
    assert (reader.saved.custom_words, reader.saved.replacements) == (("Oslo",), (SOFAS,))


def test_a_file_is_imported_with_a_summary_and_taken_back_in_one_step(reader, tmp_path):
    reader.presenter.add_words("Qwen")
    path = tmp_path / "words.txt"
    path.write_text("Oslo\nQWEN\n" + "x" * 600 + "\nLima\n")
    reader.presenter.import_file(path)
    page = reader.told("2 words added, 1 already there, 1 line skipped (line 3: longer than 500 characters).")
    assert page.words == ("Qwen", "Oslo", "Lima")
    reader.presenter.undo()
    assert reader.told("Undone.").words == ("Qwen",)


def test_an_encoding_that_was_guessed_is_told(reader, tmp_path):
    path = tmp_path / "old.csv"
    path.write_bytes("heard;written\nmuller;Müller\n".encode("cp1252"))
    reader.presenter.import_file(path)
    assert "windows-1252" in reader.told("1 replacement added.").told.hint


def test_what_cannot_be_imported_or_exported_changes_nothing(reader, tmp_path):
    reader.presenter.add_words("Qwen")
    path = tmp_path / "picture.txt"
    path.write_bytes(b"\x89PNG\0")
    reader.presenter.import_file(path)
    page = reader.told("picture.txt is not a text file.")
    assert page.told.is_problem
    assert page.words == ("Qwen",)
    reader.presenter.export_words(tmp_path / "nowhere" / "words.txt")
    assert reader.told("could not be written").told.is_problem


def test_both_lists_are_exported_and_imported_again(reader, tmp_path):
    reader.presenter.add_words("Qwen\nOslo")
    reader.presenter.set_replacement(None, Replacement("my address", "Ada\nLondon"))
    reader.presenter.export_words(tmp_path / "words.txt")
    reader.presenter.export_replacements(tmp_path / "rules.csv")
    reader.told("rules.csv")
    before = reader.saved
    reader.store.update(custom_words=(), replacements=())
    reader.presenter.import_file(tmp_path / "words.txt")
    reader.presenter.import_file(tmp_path / "rules.csv")
    reader.told("1 replacement added.")
    assert reader.saved == before


def test_handys_words_are_offered_and_taken(reader, tmp_path, monkeypatch):
    path = tmp_path / "settings_store.json"
    path.write_text(json.dumps({"settings": {"custom_words": ["Handy", "Qwen"]}}))
    monkeypatch.setattr(handy, "settings_file", lambda: path)
    reader.presenter.look()
    assert reader.page(lambda page: page.handy).handy == path
    reader.presenter.import_file(path)
    assert reader.told("2 words added.").words == ("Handy", "Qwen")


def test_a_correction_is_a_word_or_a_replacement(reader):
    reader.presenter.add_words("first")
    learned = [Correction("quen", " Qwen\n3 ", is_word=True), Correction(" quen ", "Qwen", is_word=False)]
    reader.presenter.learn(learned)
    page = reader.told("1 word added, 1 replacement added.")
    assert page.words == ("Qwen 3", "first")
    assert page.rows[0].entered == Replacement("quen", "Qwen")
    reader.presenter.undo()
    page = reader.told("Undone.")
    assert (page.words, page.rows) == (("first",), ()), "all that was learned at once"


def test_a_text_is_tried_with_everything_the_settings_say(reader):
    reader.store.update(remove_fillers=True, trailing_space=True)
    reader.presenter.set_replacement(None, Replacement("new line", "\n"))
    reader.presenter.try_text("Um, hello, new line, chairs")
    assert reader.page(lambda page: page.tried).tried.written == "Hello\nChairs "
    reader.presenter.set_replacement(None, SOFAS)
    assert reader.page(lambda page: page.tried.written == "Hello\nsofas ").tried.language == "English"
    reader.store.update(language="German")
    reader.presenter.look()
    reader.page(lambda page: page.tried.language == "German")
    reader.presenter.leave()
    assert reader.page(lambda page: page.tried is None)


def test_a_pattern_that_takes_too_long_is_left_out_and_named(reader):
    reader.presenter.set_replacement(None, SOFAS)
    reader.presenter.set_replacement(None, SLOW)
    reader.presenter.try_text(LONG)
    tried = reader.page(lambda page: page.tried).tried
    assert tried.slow == (SLOW,)
    assert tried.written == LONG.replace("chairs", "sofas")


def test_patterns_that_take_too_long_do_not_hold_up_what_is_asked_for_meanwhile(reader):
    slow = [Replacement(f"{SLOW.heard}{number}", "x", is_regex=True) for number in range(500)]
    reader.store.update(replacements=tuple(slow))
    reader.presenter.try_text(LONG)
    reader.presenter.add_words("Qwen")
    reader.presenter.try_text("")
    assert reader.told("1 word added.").tried is None


def test_nothing_of_the_users_gets_into_the_log(reader, caplog, tmp_path):
    caplog.set_level(0)
    path = tmp_path / "list.csv"
    path.write_text("hemlock,secret,maybe\n")
    reader.presenter.add_words("hemlock")
    reader.presenter.set_replacement(None, Replacement("(hemlock", "secret", is_regex=True))
    reader.presenter.import_file(path)
    reader.presenter.try_text("hemlock")
    page = reader.page(lambda page: page.tried and "line" in page.told.title)
    assert "hemlock" not in caplog.text + repr(page) + page.told.title
    assert "secret" not in caplog.text + repr(page)


def test_fit_says_nothing_of_the_words():
    assert "Qwen" not in repr(Fit(1, 2, frozenset({"Qwen"})))
