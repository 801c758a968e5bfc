"""Live text that is too long keeps its newest words, in any script and at any length."""

import pytest
from PySide6.QtGui import QFont

from handy_qwen.ui.overlay_card import CardPainter, Content, Mark, fitted, is_right_to_left

LINE = 50  # characters on a line of the stand-in for the font


class Lines:
    """Counts lines of a fixed width, and how often it was asked."""

    def __init__(self):
        self.measured = 0

    def __call__(self, text):
        self.measured += len(text)
        return -(-len(text) // LINE)


def live(title, rest=""):
    return Content(Mark.METER, title, rest, is_live=True)


def parts(content):
    """The text as it is cut: what is in full color, and what is quieter."""
    text, quiet_from = fitted(content, Lines())
    return text[:quiet_from], text[quiet_from:]


def test_text_that_fits_is_left_alone():
    assert parts(live("Hello", " world")) == ("Hello", " world")


def test_the_newest_words_stay_and_begin_with_a_whole_one():
    title, rest = parts(live("one two three four five " * 20, "and the end"))
    assert rest == "and the end"
    assert title.startswith("… ")
    assert title.split()[1] in {"one", "two", "three", "four", "five"}
    assert 2 * LINE - 10 < len(title + rest) <= 2 * LINE


@pytest.mark.parametrize("script", ["今天下午我们开会讨论了新的计划。", "漢字", "ประชุม"])
def test_text_without_spaces_fills_its_lines_with_committed_text(script):
    title, rest = parts(live(script * 60, script))
    assert rest == script
    assert title.endswith(script)
    assert len(title + rest) == 2 * LINE


def test_tentative_text_that_is_too_long_pushes_the_committed_out():
    title, rest = parts(live("Said before.", " maybe" * 50))
    assert title == "… "
    assert rest.startswith("maybe")
    assert len(title + rest) <= 2 * LINE


def test_a_long_take_costs_no_more_to_fit_than_a_short_one():
    short, long = Lines(), Lines()
    fitted(live("word after word " * 40), short)
    fitted(live("word after word " * 10_000), long)
    assert long.measured <= short.measured * 1.1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("مرحبا Anna", True),
        ("… 12 שלום", True),
        ("Anna مرحبا", False),
        ("今天", False),
        ("… 12", False),
        ("", False),
    ],
)
def test_the_first_letter_says_where_a_line_begins(text, expected):
    assert is_right_to_left(text) == expected


def test_arabic_begins_at_the_right(qtbot):  # noqa: ARG001  fonts need the application
    painter = CardPainter(QFont())
    assert painter.layout("مرحبا بكم", 600.0).lineAt(0).naturalTextRect().right() == pytest.approx(
        600.0, abs=1
    )
    assert painter.layout("Welcome", 600.0).lineAt(0).naturalTextRect().left() == 0.0


@pytest.mark.parametrize("length", range(1, 14))
def test_a_title_that_fits_nowhere_is_given_up_and_not_tried_for_ever(length):
    calls = []

    def lines_of(text):
        calls.append(text)
        assert len(calls) < 100, "it never ends"
        return len(text)  # as wide as one character

    text, _ = fitted(Content(Mark.PROBLEM, "x" * length, "why" * 3), lines_of)
    assert len(text) <= 4


def test_a_notice_has_four_lines_and_loses_its_end():
    notice = Content(Mark.PROBLEM, "Line 3 of settings.toml: this is not right.", "why and what to do " * 9)
    title, rest = parts(notice)
    assert title == notice.title
    assert rest.startswith("\nwhy and")
    assert rest.endswith("…")
    assert 3 * LINE - 10 < len(title + rest) <= 4 * LINE
