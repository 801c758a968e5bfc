"""What becomes of the lists when something is added, changed, moved or taken away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.core.text import Replacement
from handy_qwen.settings import Settings
from handy_qwen.settings.checks import MAX_ITEMS, MAX_TEXT
from handy_qwen.settings.file import MOST_BYTES, edited, new_document, read
from handy_qwen.vocabulary.lists import (
    Item,
    Vocabulary,
    added,
    lines_of,
    moved,
    refusal,
    reworded,
    tidy,
    twin,
    without_words,
)

OLD = Vocabulary(("Qwen", "Ada Lovelace"), (Replacement("btw", "by the way"),))
WORD = st.text(max_size=20)


def items(*values):
    return [Item(line, value) for line, value in enumerate(values, 1)]


def test_typed_words_go_first_and_those_of_a_file_last():
    assert added(OLD, lines_of("Handy\nOslo"), is_typed=True).vocabulary.words == (
        "Handy",
        "Oslo",
        "Qwen",
        "Ada Lovelace",
    )
    assert added(OLD, lines_of("Handy\nOslo")).vocabulary.words == ("Qwen", "Ada Lovelace", "Handy", "Oslo")


def test_the_same_word_is_there_once_and_takes_on_the_spelling_that_was_typed():
    typed = added(OLD, lines_of("QWEN\nada  lovelace"), is_typed=True)
    assert typed.vocabulary.words == ("QWEN", "ada lovelace")
    assert (typed.words, typed.known, typed.respelled) == (0, 0, 2)
    imported = added(OLD, lines_of("QWEN\nStraße\nSTRASSE"))
    assert imported.vocabulary.words == ("Qwen", "Ada Lovelace", "Straße")
    assert (imported.words, imported.known, imported.respelled) == (1, 2, 0)


def test_words_of_one_spelling_that_were_there_before_stay():
    both = Vocabulary(("US", "us"))
    assert added(both, lines_of("us\nOslo"), is_typed=True).vocabulary.words == ("Oslo", "US", "us")


def test_what_is_left_out_is_told_with_its_line_and_without_its_content():
    secret = "s" * (MAX_TEXT + 1)
    outcome = added(
        OLD, [*lines_of(f"Oslo\n\nqwen\n{secret}"), Item(9, Replacement("(", "x", is_regex=True))]
    )
    assert outcome.summary == (
        "1 word added, 1 already there, 2 lines skipped "
        "(line 4: longer than 500 characters; line 9: not a valid pattern)."
    )
    assert secret not in repr(outcome)


def test_nothing_is_told_as_nothing():
    assert added(OLD, []).summary == "Nothing to add."


def test_a_replacement_never_changes_one_that_is_there():
    rules = (
        Replacement("BTW", "by the way"),
        Replacement("btw ", "bacon"),
        Replacement("btw", "x", is_regex=True),
    )
    outcome = added(OLD, items(*rules))
    assert outcome.vocabulary.replacements == (*OLD.replacements, rules[2])
    assert (outcome.replacements, outcome.known) == (1, 1)
    assert [(one.line, one.reason) for one in outcome.skipped] == [(2, "replaced by something else already")]
    assert twin(OLD.replacements, rules[0]) == OLD.replacements[0]


def test_there_are_no_more_than_the_settings_take():
    full = added(Vocabulary(), items(*(f"word {number}" for number in range(MAX_ITEMS + 5))))
    assert len(full.vocabulary.words) == MAX_ITEMS
    assert [one.line for one in full.skipped] == [*range(MAX_ITEMS + 1, MAX_ITEMS + 6)]
    Settings(custom_words=full.vocabulary.words)


def test_there_is_no_more_than_the_settings_file_takes():
    rules = [Replacement(f"{number:03} " + "\x07" * 400, "\x07" * MAX_TEXT) for number in range(MAX_ITEMS)]
    found = added(Vocabulary(), items(*("ä" * 490 + f"{number}" for number in range(MAX_ITEMS)), *rules))
    assert any("full" in one.reason for one in found.skipped)
    kept = found.vocabulary
    document = edited(new_document(), {"custom_words": kept.words, "replacements": kept.replacements})
    assert len(document.text.encode()) < MOST_BYTES
    again, problems = read(document)
    assert not problems
    assert (again.custom_words, again.replacements) == (kept.words, kept.replacements)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("Qwen", ""),
        ("x" * 501, "longer"),
        ("\ud800", "Unicode"),
        (Replacement(" ", "x"), "nothing to listen for"),
        (Replacement("x", "y" * 501), "longer"),
        (Replacement("(", "y"), ""),
        (Replacement("(", "y", is_regex=True), "pattern"),
        (Replacement("(a)", r"\2", is_regex=True), "pattern"),
    ],
)
def test_what_the_settings_would_refuse_is_refused(value, reason):
    assert reason in refusal(value)
    assert bool(refusal(value)) == bool(reason)


def test_a_word_is_edited_in_its_place():
    assert reworded(OLD, "Qwen", " Qwen 3 ").vocabulary.words == ("Qwen 3", "Ada Lovelace")
    assert reworded(OLD, "Ada Lovelace", "QWEN").vocabulary.words == ("QWEN",)
    assert reworded(OLD, "Qwen", "  ").vocabulary.words == ("Ada Lovelace",)
    assert reworded(OLD, "Qwen", "Qwen\nOslo").vocabulary.words == ("Oslo", "Qwen", "Ada Lovelace")
    assert reworded(OLD, "gone", "Oslo").vocabulary.words == ("Oslo", "Qwen", "Ada Lovelace")
    assert reworded(OLD, "Qwen", "x" * 501).vocabulary == OLD


def test_a_word_that_is_there_twice_is_edited_as_one():
    twice = Vocabulary(("Oslo", "Riga", "Oslo"))
    assert reworded(twice, "Oslo", "Bergen").vocabulary.words == ("Bergen", "Riga")


def test_words_move_together_and_stop_at_the_ends():
    lists = Vocabulary(tuple("abcde"))
    assert moved(lists, "cd", -1).words == tuple("acdbe")
    assert moved(lists, "bd", -9).words == tuple("bdace")
    assert moved(lists, "ab", 1).words == tuple("cabde")
    assert moved(lists, "ad", 9).words == tuple("bcead")
    assert moved(lists, "a", -1) == moved(lists, "e", 1) == moved(lists, "x", 1) == lists
    assert without_words(lists, "ce").words == tuple("abd")


@given(old=st.lists(WORD, max_size=8), pasted=st.text(max_size=80), is_typed=st.booleans())
def test_whatever_is_pasted_no_word_is_lost(old, pasted, is_typed):
    before = Vocabulary(tuple(old))
    after = added(before, lines_of(pasted), is_typed=is_typed).vocabulary.words
    kept = [tidy(word).casefold() for word in after]
    assert all(tidy(word).casefold() in kept for word in old)
    assert len(after) >= len(old)
    lines = {tidy(line).casefold() for line in pasted.splitlines()} - {""}
    assert lines <= set(kept)


@given(
    words=st.lists(st.integers(0, 9), unique=True), chosen=st.sets(st.integers(0, 9)), by=st.integers(-9, 9)
)
def test_moving_keeps_every_word_and_the_order_of_the_others(words, chosen, by):
    lists = Vocabulary(tuple(map(str, words)))
    picked = {str(number) for number in chosen}
    after = moved(lists, sorted(picked), by).words
    assert sorted(after) == sorted(lists.words)
    for group in (picked, set(lists.words) - picked):
        assert [word for word in after if word in group] == [word for word in lists.words if word in group]
