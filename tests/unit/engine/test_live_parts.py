"""The preview: committed text only grows. The schedule: when a draft is due."""

from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.engine.qwen3.live import DraftSchedule, PreviewText


def shown(*drafts):
    preview = PreviewText()
    for draft in drafts:
        preview.show(draft)
    return preview.shown.committed, preview.shown.tentative


def test_a_first_draft_is_all_tentative():
    assert shown("one two three four five") == ("", "one two three four five")


def test_what_two_drafts_agree_on_is_committed_but_for_the_last_words():
    assert shown("one two three four five", "one two three four five six") == (
        "one two three",
        " four five six",
    )


def test_a_word_still_being_spoken_is_not_committed():
    committed, tentative = shown("I would like a choc", "I would like a chocolate cake")
    assert committed == "I would like"[: len(committed)]
    assert committed + tentative == "I would like a chocolate cake"


def test_a_later_draft_cannot_take_committed_words_back():
    committed, tentative = shown("a b c d e f", "a b c d e f g", "x y z")
    assert committed == "a b c d"
    assert tentative == ""


def test_a_word_inserted_before_the_committed_end_doubles_nothing():
    committed, tentative = shown("a b c d e f", "a b c d e f g", "a new b c d e f g h")
    assert committed + tentative == "a b c d e f g h"


def test_a_word_dropped_before_the_committed_end_loses_nothing():
    committed, tentative = shown("a b c d e f", "a b c d e f g", "a c d e f g h")
    assert committed + tentative == "a b c d e f g h"


def test_chinese_is_committed_by_characters():
    committed, tentative = shown("今天天气很好我们去公园吧", "今天天气很好我们去公园散步吧")
    assert committed == "今天天气很好我们"
    assert committed + tentative == "今天天气很好我们去公园散步吧"


def test_a_vowel_sign_stays_with_its_letter():
    committed, _ = shown("ที่นี่ดีมากกว่า", "ที่นี่ดีมากกว่าที่นั่น")
    assert committed
    assert "ที่นี่ดีมากกว่าที่นั่น"[len(committed)] not in "ิีึืุู่้๊๋"


def test_segments_are_joined_with_a_space():
    preview = PreviewText()
    preview.show("Hello there.")
    preview.end_segment("Hello there.")
    preview.show("How are")
    assert (preview.shown.committed, preview.shown.tentative) == ("Hello there.", " How are")
    preview.end_segment("How are you?")
    assert (preview.shown.committed, preview.shown.tentative) == ("Hello there. How are you?", "")


def test_what_was_shown_beyond_the_end_of_a_segment_stays_to_be_seen():
    preview = PreviewText()
    preview.show("It is late. Where is Emma?")
    preview.end_segment("It is late.")
    assert (preview.shown.committed, preview.shown.tentative) == ("It is late.", " Where is Emma?")
    preview.show("Where is Emma? Hello.")
    assert preview.shown.committed + preview.shown.tentative == "It is late. Where is Emma? Hello."


def test_segments_in_chinese_are_joined_without():
    preview = PreviewText()
    preview.end_segment("你好。")
    preview.show("今天")
    assert preview.shown.committed + preview.shown.tentative == "你好。今天"


words = st.lists(st.sampled_from(["a", "b", "cat", "今", "天", "好。", "no!"]), max_size=8).map(" ".join)


@given(st.lists(st.tuples(st.booleans(), words), max_size=12))
def test_committed_text_only_grows(steps):
    preview, before = PreviewText(), ""
    for is_end, text in steps:
        if is_end:
            preview.end_segment(text)
        else:
            preview.show(text)
        assert preview.shown.committed.startswith(before)
        before = preview.shown.committed


@given(words)
def test_nothing_of_a_single_draft_is_lost(text):
    preview = PreviewText()
    preview.show(text)
    assert preview.shown.committed + preview.shown.tentative == text
    preview.show(text)
    assert preview.shown.committed + preview.shown.tentative == text


RATE = 16_000
FAR = 8 * RATE


def test_the_first_draft_is_due_after_a_second():
    schedule = DraftSchedule()
    assert not schedule.is_due(RATE - 1, FAR)
    assert schedule.is_due(RATE, FAR)


def test_a_fast_machine_writes_one_each_second():
    schedule = DraftSchedule()
    schedule.drafted(5 * RATE, 0.05)
    assert not schedule.is_due(6 * RATE - 1, FAR)
    assert schedule.is_due(6 * RATE, FAR)


def test_a_slow_machine_is_idle_for_most_of_the_time():
    schedule = DraftSchedule()
    schedule.drafted(5 * RATE, 3.0)
    assert not schedule.is_due(12 * RATE, FAR)
    assert schedule.is_due(13 * RATE, FAR)


def test_windows_count_too():
    schedule = DraftSchedule()
    schedule.drafted(5 * RATE, 0.05)
    schedule.delay(0.6)
    assert not schedule.is_due(7 * RATE, FAR)
    assert schedule.is_due(8 * RATE + 1, FAR)


def test_a_draft_that_would_keep_a_window_waiting_is_not_begun():
    schedule = DraftSchedule()
    schedule.drafted(2 * RATE, 1.2)
    assert not schedule.is_due(7 * RATE, RATE)
    assert schedule.is_due(7 * RATE, 2 * RATE)
