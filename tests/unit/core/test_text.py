"""What becomes of a transcript before it is inserted."""

import pytest

from handy_qwen.core import text as text_module
from handy_qwen.core.orthography import ends_sentence, join
from handy_qwen.core.text import Replacement, TextRules, clean, fit, pattern_error

PLAIN = TextRules()


def replaced(text, *replacements):
    return clean(text, TextRules(replacements=replacements), "English")


@pytest.mark.parametrize(
    ("text", "heard", "written", "result"),
    [
        ("I like quen.", "quen", "Qwen", "I like Qwen."),
        ("QUEN and quen", "quen", "Qwen", "Qwen and Qwen"),
        ("Quentin stays", "quen", "Qwen", "Quentin stays"),
        ("a new  line here", "new line", "\n", "a\nHere"),
        ("Btw, yes, btw.", "btw", "by the way", "By the way, yes, by the way."),
        ("use c plus plus now", "c plus plus", "C++", "use C++ now"),
        ("write C++ now", "C++", "Rust", "write Rust now"),
        ("我用昆恩模型", "昆恩", "Qwen", "我用Qwen模型"),
        ("costs \\1", "costs", r"a\1b", "a\\1b \\1"),
        ("kept", " ", "x", "kept"),
    ],
)
def test_plain_replacements_stand_for_whole_words(text, heard, written, result):
    assert replaced(text, Replacement(heard, written)) == result


def test_a_replacement_can_mind_case():
    rule = Replacement("us", "USA", is_case_sensitive=True)
    assert replaced("Us and us", rule) == "Us and USA"


def test_a_replacement_can_be_a_regular_expression_with_groups():
    rule = Replacement(r"(\d+) percent", r"\1 %", is_regex=True)
    assert replaced("about 20 percent", rule) == "about 20 %"


def test_what_a_replacement_wrote_is_left_alone_by_the_others():
    assert replaced("a", Replacement("a", "b"), Replacement("b", "c")) == "b"
    assert replaced("a b", Replacement("a", "b"), Replacement("b", "a")) == "b a"
    assert replaced("a", Replacement("a", "b"), Replacement(".", "c", is_regex=True)) == "b"
    assert replaced("x a", Replacement("a", "a a"), Replacement("a", "b")) == "x a a"


def test_the_first_of_two_replacements_for_the_same_words_counts():
    assert replaced("new line", Replacement("new line", "\n"), Replacement("new", "old")) == "\n"


@pytest.mark.parametrize(("heard", "written"), [("(", ""), ("a", r"\1"), ("a", r"\g<x>")])
def test_what_is_wrong_with_a_pattern_is_reported(heard, written):
    assert pattern_error(Replacement(heard, written, is_regex=True))


def test_a_pattern_that_would_take_for_ever_is_left_out_and_reported():
    slow = Replacement(r"(.*)(.*)(.*)(.*)(.*)(.*)(.*)\1\2\3\4\5\6\7[0-9]", "never", is_regex=True)
    rules = TextRules(replacements=(slow, Replacement("a", "b")))
    left_out = []
    assert clean("a " * 40, rules, "English", left_out.append) == "b " * 39 + "b"
    assert left_out == [slow]


def test_many_slow_patterns_cost_little_more_than_two_and_the_others_still_apply(monkeypatch):
    slow = [Replacement(f"slow {n}", "never", is_regex=True) for n in range(10)]
    given, find = [], text_module._pattern_matches

    def time_out(text, replacement, timeout_s):
        given.append(timeout_s)
        if replacement in slow:
            raise TimeoutError
        return find(text, replacement, timeout_s)

    monkeypatch.setattr(text_module, "_pattern_matches", time_out)
    rules = TextRules(replacements=(*slow, Replacement("a+", "b", is_regex=True)))
    left_out = []
    assert clean("aaa", rules, "English", left_out.append) == "b"
    assert left_out == slow
    assert sum(given) < 3 * text_module.PATTERN_S


def test_nothing_is_wrong_with_a_good_pattern():
    assert not pattern_error(Replacement("(a)", r"\1", is_regex=True))


@pytest.mark.parametrize(
    ("previous", "text", "result"),
    [
        (None, "Hello.", "Hello."),
        ("", "Hello.", "Hello."),
        ("One.", "Two.", " Two."),
        ("One. ", "Two.", "Two."),
        ("One\n", "Two.", "Two."),
        ("One,", "Two.", " Two."),
        ("One,", "And two.", " and two."),
        ("One", "I'm here.", " I'm here."),
        ("One", "NASA is.", " NASA is."),
        ("One", "4K video", " 4K video"),
        ("One", "A house.", " a house."),
        ("(", "Then two.", "then two."),
        ("One", ", and", ", and"),
        ("他说。", "好的。", "好的。"),
        ("He said", "好的。", "好的。"),
        ('He said "yes."', "Then", " Then"),
        ("Really?", "Yes.", " Yes."),
    ],
)
def test_a_text_continues_what_is_before_it(previous, text, result):
    assert fit(text, PLAIN, previous, "English") == result


@pytest.mark.parametrize(
    ("text", "following", "result"),
    [
        ("Red", "", "Red"),
        ("Red", "apples", "Red "),
        ("Red", " apples", "Red"),
        ("Red", ", ripe apples", "Red"),
        ("Red", "\napples", "Red"),
        ("Red", ")", "Red"),
        ("(", "apples", "("),
        ("好的", "苹果", "好的"),
    ],
)
def test_a_text_keeps_apart_from_what_follows_it(text, following, result):
    assert fit(text, PLAIN, None, "English", following) == result
    assert fit(text, TextRules(is_fitted=False), None, "English", following) == text


@pytest.mark.parametrize(("following", "result"), [("", "Red "), ("apples", "Red "), (" apples", "Red")])
def test_no_second_space_is_put_where_one_follows(following, result):
    assert fit("Red", TextRules(has_trailing_space=True), None, "English", following) == result


def test_german_nouns_and_initials_elsewhere_keep_their_capital():
    assert fit("Haus", PLAIN, "das", "German") == " Haus"
    assert fit("E. Rossi", PLAIN, "um", "Italian") == " E. Rossi"


def test_fitting_can_be_switched_off():
    assert fit("Two", TextRules(is_fitted=False), "one", "English") == "Two"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Yes.", "Yes. "),
        ("https://a.b/", "https://a.b/ "),
        ("好。", "好。"),
        ("ครับ", "ครับ"),
        ("Line\n", "Line\n"),
        ("", ""),
    ],
)
def test_a_space_can_follow_where_words_are_spaced(text, result):
    assert fit(text, TextRules(has_trailing_space=True), None, "English") == result


def test_sentences_end_with_their_marks_or_a_line_break():
    assert all(map(ends_sentence, ["", "a.", 'a."', "a\n ", "a\n- ", "好。"]))
    assert not any(map(ends_sentence, ["- ", "a,"]))


def test_texts_are_joined_with_spaces_where_words_are_spaced():
    assert join(["One.", "Two.", "好。", "吗", "", " three"]) == "One. Two.好。吗 three"
