"""What was changed in a text is found word by word; punctuation, spaces and what was moved around are not."""

# ruff: noqa: RUF001  apostrophes of both kinds

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.core.corrections import MOST_CHARACTERS, changes, corrected


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("I use quen three here.", "I use Qwen3 here.", [("quen three", "Qwen3")]),
        ("Ask Kovach and Kovach.", "Ask Kovács and Kovács.", [("Kovach", "Kovács")]),
        ("Well um yes", "Well yes", [("um", "")]),
        ("Well yes", "Well, oh yes!", [("", "oh")]),
        ("hello, world", "hello world", []),
        ("It's Anna's", "It’s Anna's", [("It's", "It’s")]),
        ("see cuber netties.io now", "see kubernetes.io now", [("cuber netties.io", "kubernetes.io")]),
        ("我用千问写字。", "我用通义写字。", [("千问", "通义")]),
        ("我用quen写5字。", "我用Qwen写6字。", [("quen", "Qwen"), ("5", "6")]),
        ("मैं दिल्ली में हूँ", "मैं दिल्ली मे हूँ", [("में", "मे")]),
        ("", "new", [("", "new")]),
        ("a " * MOST_CHARACTERS, "b", []),
    ],
)
def test_changed_words_are_found(before, after, found):
    assert [(one.heard, one.written) for one in changes(before, after)] == found


@given(st.text(), st.text())
def test_any_two_texts_can_be_compared(before, after):
    assert changes(before, before) == ()
    for one in changes(before, after):
        assert one.heard or one.written
        assert one.heard != one.written


@pytest.mark.parametrize(
    ("text", "before", "after", "result"),
    [
        ("Ask Kovach.", "Ask Kovach.", "Ask Kovács.", "Ask Kovács."),
        ("Ask Kovach.", "ask Kovach.", "ask Kovács.", "Ask Kovács."),
        (" ask Kovach.\n", "Ask Kovach.", "Ask Kovács.", " ask Kovács.\n"),
        ("Ask Kovach.", "ask Kovach.", "Please ask Kovach.", "Please ask Kovach."),
        ("Ask Kovach!", "Ask Kovach.", "Ask Kovács.", None),
        ("Ask Kovach. Now.", "Ask Kovach.", "Ask Kovács.", None),
        ("", "", "Ask", None),
    ],
)
def test_a_text_is_corrected_as_it_was_fitted_elsewhere(text, before, after, result):
    assert corrected(text, before, after) == result


@given(st.text(), st.text(min_size=1))
def test_a_correction_the_other_way_round_undoes_it(text, after):
    if (new := corrected(text, text, after)) is not None and new.strip():
        assert corrected(new, after, text) == text
