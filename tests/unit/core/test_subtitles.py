"""Subtitles: nothing is lost, cues follow one another, begin at pauses, and can be read."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handy_qwen.core.subtitles import LINE_COLUMNS, LINES, MOST_S, NOTE, Cue, columns, cues, srt, vtt

LONG = (
    "When I was a child, my grandmother told me about the harbour, the ships that came from the north, "
    "and the old lighthouse keeper, who never slept. Nobody believed her."
)


def texts(found):
    return [one.text for one in found]


def test_a_sentence_is_a_cue_and_begins_after_the_pause_before_it():
    spans = ((0.5, 1.5), (2.5, 5.0))
    found = cues([("Good morning. Please send the report to Anna.", spans)])
    assert found == [
        Cue(0.5, 1.5, "Good morning."),
        Cue(2.5, 5.0, "Please send the report to Anna."),
    ]


def test_without_a_pause_near_a_cue_begins_where_the_one_before_ends():
    first, second = cues([("One two three four. Five six seven nine.", ((10.0, 14.0),))])
    assert first.end_s == second.start_s == pytest.approx(12.0, abs=0.2)


def test_a_long_sentence_is_divided_at_commas_into_cues_that_fit_on_the_screen():
    found = cues([(LONG, ((0.0, 12.0),))])
    assert all(columns(one.text) <= LINE_COLUMNS * LINES for one in found)
    assert texts(found)[0].endswith(",")
    assert all(one.end_s - one.start_s <= MOST_S + 0.01 for one in found)


def test_scripts_without_spaces_are_divided_too_and_no_line_begins_with_a_full_stop():
    text = "今日はとても良い天気ですから、散歩に行きましょう。" * 6
    found = cues([(text, ((0.0, 40.0),))])
    assert "".join(texts(found)) == text
    assert all(
        columns(line) <= LINE_COLUMNS for one in srt(found).split("\n\n") for line in one.split("\n")[2:]
    )
    assert not any(one.text[0] in "。、" for one in found)


def test_a_word_said_shortly_stays_long_enough_to_be_read_unless_the_next_begins():
    assert cues([("Yes.", ((3.0, 3.2),))]) == [Cue(3.0, 4.0, "Yes.")]
    found = cues([("Yes.", ((3.0, 3.2),)), ("No, not at all.", ((3.6, 5.0),))])
    assert found[0].end_s == 3.6


def test_short_sentences_share_a_cue():
    assert texts(cues([("Yes. No. Perhaps.", ((0.0, 1.5),))])) == ["Yes. No. Perhaps."]


def test_a_file_for_players_and_one_for_browsers():
    found = [Cue(0.5, 1.5, "A < B & C"), Cue(3661.0625, 3662.0, LONG[:83])]
    first = "1\n00:00:00,500 --> 00:00:01,500\nA < B & C\n"
    assert srt(found).startswith(f"{first}\n2\n01:01:01,062 --> 01:01:02,000\nWhen I was")
    assert vtt(found).startswith(
        f"WEBVTT\n\nNOTE {NOTE}\n\n00:00:00.500 --> 00:00:01.500\nA &lt; B &amp; C\n\n01:01:01.062 -->"
    )
    assert srt([]) == ""


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
said = st.lists(words | st.sampled_from(["Yes.", "No!", "and,", "。", "ไทย"]), min_size=1, max_size=40).map(
    " ".join
)
lengths = st.lists(st.tuples(st.floats(0.05, 5), st.floats(0.01, 12)), min_size=1, max_size=12)


@given(st.lists(st.tuples(said, lengths), max_size=4))
@example(  # the last word of a sentence falls into the pause at which the words before it end
    [
        ("0", [(1, 1)]),
        (
            "000000000000\u0e5c0 00\u0e5c 000000\u0e5c 00! 0000 0000000000\u0cf3\u0e5c",
            [(1, 9.375), (1, 1.5), (1, 1.75), (1, 6.875), (1, 11.5)],
        ),
    ]
)
def test_nothing_is_lost_and_time_goes_on(drawn):
    segments, at_s = [], 0.0
    for text, spans in drawn:
        speech = []
        for gap_s, long_s in spans:
            speech.append((at_s + gap_s, at_s + gap_s + long_s))
            at_s += gap_s + long_s
        segments.append((text, tuple(speech)))
    found = cues(segments)
    wanted = "".join("".join(text.split()) for text, _speech in segments)
    assert "".join("".join(one.text.split()) for one in found) == wanted
    assert all(one.start_s <= one.end_s for one in found)
    assert all(one.end_s <= after.start_s for one, after in pairwise(found))
    shown = "".join(line for block in srt(found).split("\n\n") for line in block.split("\n")[2:])
    assert "".join(shown.split()) == wanted
