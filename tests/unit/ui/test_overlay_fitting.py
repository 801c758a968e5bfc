"""Live text that is too long keeps its newest words, in any script and at any length."""

import pytest
from PySide6.QtGui import QFont

from handy_qwen.ui.overlay_card import Content, Mark, OverlayPainter, _fitting, _is_right_to_left

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


def test_text_that_fits_is_left_alone():
    assert _fitting(live("Hello", " world"), Lines()) == ("Hello", " world", "")


def test_the_newest_words_stay_and_begin_with_a_whole_one():
    title, rest, _ = _fitting(live("one two three four five " * 20, "and the end"), Lines())
    assert rest == "and the end"
    assert title.startswith("… ")
    assert title.split()[1] in {"one", "two", "three", "four", "five"}
    assert 2 * LINE - 10 < len(title + rest) <= 2 * LINE


@pytest.mark.parametrize("script", ["今天下午我们开会讨论了新的计划。", "漢字", "ประชุม"])
def test_text_without_spaces_fills_its_lines_with_committed_text(script):
    title, rest, _ = _fitting(live(script * 60, script), Lines())
    assert rest == script
    assert title.endswith(script)
    assert len(title + rest) == 2 * LINE


def test_tentative_text_that_is_too_long_pushes_the_committed_out():
    title, rest, _ = _fitting(live("Said before.", " maybe" * 50), Lines())
    assert title == ""
    assert rest.startswith("… maybe")
    assert len(rest) <= 2 * LINE


def test_a_long_take_costs_no_more_to_fit_than_a_short_one():
    short, long = Lines(), Lines()
    _fitting(live("word after word " * 40), short)
    _fitting(live("word after word " * 10_000), long)
    assert long.measured <= short.measured * 1.1


@pytest.mark.parametrize(
    ("text", "is_right_to_left"),
    [
        ("مرحبا Anna", True),
        ("… 12 שלום", True),
        ("Anna مرحبا", False),
        ("今天", False),
        ("… 12", False),
        ("", False),
    ],
)
def test_the_first_letter_says_where_a_line_begins(text, is_right_to_left):
    assert _is_right_to_left(text) == is_right_to_left


def test_arabic_begins_at_the_right(qtbot):  # noqa: ARG001  fonts need the application
    layout = OverlayPainter(QFont())._layout("مرحبا بكم", 600.0)
    line = layout.lineAt(0)
    assert line.position().x() == pytest.approx(600.0 - line.naturalTextWidth())
    assert OverlayPainter(QFont())._layout("Welcome", 600.0).lineAt(0).position().x() == 0.0


@pytest.mark.parametrize("length", range(1, 14))
def test_a_title_that_fits_nowhere_is_given_up_and_not_tried_for_ever(length):
    calls = []

    def lines_of(text):
        calls.append(text)
        assert len(calls) < 100, "it never ends"
        return len(text)  # as wide as one character

    content = Content(Mark.PROBLEM, "x" * length, "why" * 3)
    title, rest, _ = _fitting(content, lines_of)
    assert len(title) <= 4
    assert rest == "" or len(title + rest) <= 4


def test_a_notice_has_four_lines_and_loses_its_end():
    notice = Content(Mark.PROBLEM, "Line 3 of settings.toml: this is not right.", "why and what to do " * 9)
    title, rest, separator = _fitting(notice, Lines())
    assert (title, separator) == (notice.title, "\n")
    assert rest.startswith("why and")
    assert rest.endswith("…")
    assert 3 * LINE - 10 < len(title + separator + rest) <= 4 * LINE
