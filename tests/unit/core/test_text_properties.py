"""What holds for any text and any rules: nothing is lost or doubled, and nothing takes for ever."""

# ruff: noqa: RUF001  the punctuation of many scripts is the subject

import re
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handy_qwen.core.orthography import ends_sentence, gap, join, large, small
from handy_qwen.core.text import PATTERN_CHARACTERS, Replacement, TextRules, clean, fit
from handy_qwen.languages import ALL_LANGUAGES

LANGUAGES = st.sampled_from([*ALL_LANGUAGES, "", "English,German"])
MARKS = ",.;:!?…。、，؟।()[]«»„“”‘’\"'-–/ \n\t"
LATIN = ["one", "Two", "I", "The", "um", "Er", "ER", "istanbul", "İzmir", "cafe\u0301"]
WORDS = [*LATIN, "서울", "बात", "你好", "ไทย"]
PROSE = st.lists(st.sampled_from([*WORDS, *MARKS, *" " * 12]), max_size=40).map("".join)
TEXTS = PROSE | st.text()
SIGNS = ["", "\n\n", "->", "etc.", "☆ ", *' \n\t,.?()“”«»"–。¿']
REPLACEMENTS = st.lists(
    st.builds(Replacement, heard=st.sampled_from([*WORDS, "one Two"]), written=st.sampled_from(SIGNS)),
    max_size=4,
).map(tuple)


def letters(text):
    """What must neither be lost nor doubled: all but capitals, spaces and punctuation."""
    folded = unicodedata.normalize("NFC", text).casefold().replace("ı", "i").replace("i\u0307", "i")
    return [char for char in folded if unicodedata.category(char)[0] not in "CZP" and char not in "☆>"]


def is_tidy(text):
    controls = [
        char for char in text if unicodedata.category(char) in {"Cc", "Zl", "Zp"} and char not in "\n\t"
    ]
    return not controls and unicodedata.is_normalized("NFC", text)


@given(TEXTS, REPLACEMENTS, LANGUAGES)
def test_signs_lose_no_letter_but_those_they_replace(text, signs, language):
    result = clean(text, TextRules(replacements=signs), language)
    assert is_tidy(result)
    rest = iter(letters(text))
    written = letters("".join(one.written for one in signs))
    kept = [char for char in letters(result) if char not in written]
    assert all(char in rest for char in kept), "in their order, and none added"
    if not signs:
        assert letters(result) == letters(text)


@given(PROSE, LANGUAGES)
def test_what_is_left_without_a_word_is_all_other_words(text, language):
    mark = "\ue000"
    result = clean(text, TextRules(replacements=(Replacement("Two", "", is_case_sensitive=True),)), language)
    kept = clean(
        text, TextRules(replacements=(Replacement("Two", mark, is_case_sensitive=True),)), language
    ).replace(mark, "")
    assert letters(result) == letters(kept)


@given(TEXTS, LANGUAGES)
def test_hesitations_take_no_other_letter_with_them(text, language):
    result = clean(text, TextRules(is_without_fillers=True), language)
    assert is_tidy(result)
    rest = iter(letters(text))
    assert all(char in rest for char in letters(result))
    assert letters(clean(text, TextRules(), language)) == letters(text)


@given(TEXTS, LANGUAGES)
def test_cleaning_twice_changes_nothing(text, language):
    once = clean(text, TextRules(), language)
    assert clean(once, TextRules(), language) == once


@given(TEXTS, TEXTS, LANGUAGES, st.booleans())
@example("Anna", "I met", "English", False)
def test_fitting_changes_nothing_but_one_capital_and_the_spaces_around(text, previous, language, has_space):
    rules = TextRules(has_trailing_space=has_space)
    cleaned = clean(text, rules, language)
    fitted = fit(cleaned, rules, previous, language)
    assert letters(fitted) == letters(cleaned)
    assert fitted.strip()[1:] == cleaned.strip()[1:]
    assert is_tidy(fitted)
    begin = len(fitted) - len(fitted.lstrip())
    assert begin <= max(1, len(cleaned) - len(cleaned.lstrip())), "one space at most is added"
    assert len(fitted) <= len(cleaned) + 2


@given(TEXTS, TEXTS, LANGUAGES)
def test_a_gap_is_one_space_or_none_and_never_a_second(before, after, language):
    space = gap(before, after, language)
    assert space in {"", " ", "\u202f"}
    assert not gap(before + space, after, language) or not space
    assert join([before, after], language) == (before + space + after if before and after else before + after)
    ends_sentence(before)


@given(TEXTS, LANGUAGES)
def test_capitals_come_and_go_at_the_first_letter_only(text, language):
    assert letters(large(text, language)) == letters(text)
    assert small(text, language)[1:] == text[1:]
    assert small(small(text, language), language) == small(text, language)


@given(st.text(max_size=50), st.text(max_size=20), st.text(max_size=20), LANGUAGES)
def test_any_replacement_is_taken(text, heard, written, language):
    rules = TextRules((Replacement(heard, written),), is_without_fillers=True)
    assert is_tidy(clean(text, rules, language))


EMPTY = ["", "$", "^", r"\b"]
PATTERNS = [*EMPTY, "(one)|(Two)", r"\s*um\s*", ".", r"(?<=e)\s", r"(?i)the", r"[,.]+", r"(\w+) (\w+)"]


@given(PROSE, st.lists(st.tuples(st.sampled_from(PATTERNS), st.sampled_from(SIGNS)), max_size=3), LANGUAGES)
def test_any_pattern_is_taken(text, patterns, language):
    rules = TextRules(tuple(Replacement(heard, written, is_regex=True) for heard, written in patterns))
    assert is_tidy(clean(text, rules, language))


class Steps:
    """Counts the calls of Python functions, as a measure of work that no busy machine changes."""

    def __enter__(self):
        self.count = 0
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)

    def _note(self, _frame, event, _argument):
        self.count += event in {"call", "c_call"}


def steps(text, rules, language="English"):
    with Steps() as counted:
        fit(clean(text, rules, language), rules, text, language)
    return counted.count


UNITS = ["um, ", "um um", ", ", "comma ", "comma, ", "new line ", "' ", "« ", "a\u200d", "aa", "..."]


@pytest.mark.parametrize("unit", [*UNITS, *' \n\u0301„"你'])
def test_work_grows_as_the_text_does(unit):
    rules = TextRules(
        replacements=(Replacement("comma", ","), Replacement("new line", "\n"), Replacement("aa", "b")),
        is_without_fillers=True,
    )
    few, many = (steps(unit * count, rules) for count in (400, 1600))
    assert many < 6 * few + 1000


def test_thousands_of_replacements_cost_no_search_each():
    def rules(count):
        names = (Replacement(f"name {number} here", f"Name {number}") for number in range(count))
        signs = (Replacement("stop", "."), Replacement("uh huh", "yes"))
        return TextRules((*names, *signs), is_without_fillers=True, custom_words=("Ann",) * count)

    text = "one um two stop " * 50
    few, many = rules(10), rules(2_000)
    assert clean(text, few, "English") == clean(text, many, "English")  # what is kept for next time is made
    assert steps(text, many) < steps(text, few) + 100


@pytest.mark.parametrize("heard", ["i", "s", "k", "ς", "µ", "straße", "İ", "ı", "é", "ϐ", "ﬆ", "dž", "ᾳ"])
def test_no_replacement_is_missed_because_of_capitals(heard):
    same = re.compile(re.escape(heard), re.IGNORECASE)
    for character in map(chr, range(0x20000)):
        text = unicodedata.normalize("NFC", heard[:-1] + character)
        if same.fullmatch(text):
            assert clean(text, TextRules((Replacement(heard, "☆"),)), "") == "☆", text


def test_a_pattern_that_writes_without_end_is_left_out_and_told():
    greedy = Replacement(r"(?s)(?=(.*))", r"\1" * 100, is_regex=True)
    told = []
    text = "word " * 2_000
    assert clean(text, TextRules(replacements=(greedy,)), "English", told.append) == text.strip()
    assert told == [greedy]
    assert len(text) ** 2 * 50 > PATTERN_CHARACTERS
