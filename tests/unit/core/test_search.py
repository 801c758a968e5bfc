"""What a search ignores, and where its words are marked."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.core.search import fold, hits


@settings(max_examples=60)
@given(st.text())
def test_a_text_is_found_by_itself(text):
    assert fold(text) in fold(text.upper() + text)
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "words", "marked"),
    [
        ("Grüße aus Köln", ["koln", "GRUSSE"], ["Grüße", "Köln"]),
        ("Gru\u0308ße", ["grusse"], ["Gru\u0308ße"]),
        ("one two one", ["one"], ["one", "one"]),
        ("aaaa", ["aaa", "aa"], ["aaaa"]),
        ("Donaudampfschiff", ["schiff", "dampf"], ["dampfschiff"]),
        ("今天天气很好", ["天气"], ["天气"]),
        ("Straße", ["s"], ["S", "ß"]),
        ("nothing", ["", "x"], []),
        ("", ["x"], []),
    ],
)
def test_every_place_of_the_words_is_marked_once(text, words, marked):
    assert [text[begin:end] for begin, end in hits(text, words)] == marked


@settings(max_examples=80)
@given(st.text(max_size=40), st.lists(st.text(max_size=4), max_size=3))
def test_marks_are_in_order_inside_the_text_and_hold_what_was_looked_for(text, words):
    found = hits(text, words)
    ends = [0, *(end for place in found for end in place)]
    assert ends == sorted(ends)
    assert ends[-1] <= len(text)
    for begin, end in found:
        assert any(fold(word) and fold(word) in fold(text[begin:end]) for word in words)
