"""What may be inserted at all."""

from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.system.insert.backend import printable


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_characters_that_can_be_seen_are_left_as_they_are(text):
    assert printable(text) == text


@given(st.text(st.characters()))
def test_nothing_that_a_terminal_would_obey_gets_through(text):
    shown = printable(text)
    shown.encode()  # no halves of characters
    assert not any(c < " " and c not in "\n\t" for c in shown)
    assert printable(shown) == shown


def test_line_ends_of_other_systems_become_line_feeds():
    assert printable("a\r\nb\rc\nd\te") == "a\nb\nc\nd\te"
    assert printable("\x1b[31mred\x00\x9b") == "[31mred"
    assert printable("\ud83d half") == "\ufffd half"
