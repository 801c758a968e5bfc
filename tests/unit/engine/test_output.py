"""From tokens to text: where an answer divides, what is no answer, what repeats, how texts are joined."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.engine.api import join_texts
from handy_qwen.engine.qwen3.prompt import (
    MAX_LONG_REPEATS,
    MAX_REPEATS,
    Answer,
    End,
    build_prompt,
    cut_repetitions,
    is_read_out,
    is_said_all_the_same,
    loop_start,
    parse_answer,
)
from handy_qwen.engine.qwen3.tokenizer import load_tokenizer
from tests.conftest import CHECKPOINT


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(CHECKPOINT)


@pytest.fixture(scope="module")
def parse(tokenizer):
    """Parse an answer given as text, in which ``|`` stands for the token that divides it."""

    def parse(answer, *, language="", end=End.MODEL):
        prompt = build_prompt(tokenizer, language=language)
        tokens = []
        for number, part in enumerate(answer.split("|")):
            tokens += [prompt.asr_text] if number else []
            tokens += tokenizer.encode(part)
        return parse_answer(tokens, tokenizer, prompt, end)

    return parse


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("language English|Where is Anna?", Answer("Where is Anna?", "English")),
        ("language English|", Answer("", "English")),
        ("language None|", Answer("", "")),
        ("language none|", Answer("", "")),
        ("language None|Yes.", Answer("Yes.", "")),  # what there is, is kept
        ("Language ENGLISH|Yes.", Answer("Yes.", "English")),
        ("  language german \n|  Ja. \n", Answer("Ja.", "German")),
        ("language English\nor so|Yes.", Answer("Yes.", "English")),
        ("English|Yes.", Answer("Yes.", "")),
        ("|Yes.", Answer("Yes.", "")),
        ("|", Answer("", "")),
        ("", Answer("", "")),
        ("language English|One|two.", Answer("Onetwo.", "English")),  # the first one divides
    ],
)
def test_an_answer_is_divided_at_its_token(parse, answer, expected):
    assert parse(answer) == expected


@pytest.mark.parametrize("answer", ["language English", "language None", "language", "None", ""])
def test_an_answer_that_only_names_a_language_has_no_text(parse, answer):
    assert parse(answer) == Answer("", "")


@pytest.mark.parametrize("answer", ["ology.", "Where is Anna?"])
def test_an_answer_without_a_division_is_none_and_not_whole(parse, answer):
    assert parse(answer) == parse(answer, end=End.LOOP) == Answer("", "", is_whole=False)


def test_where_nobody_speaks_there_is_no_language_either(parse):
    assert parse("", language="German", end=End.NOBODY) == Answer("", "")


def test_only_an_answer_that_the_model_ended_is_whole_and_the_others_are_marked(parse):
    said = "language English|Where is Anna"
    assert parse(said).marked == "Where is Anna"
    for end in (End.LIMIT, End.LOOP):
        assert parse(said, end=end) == Answer("Where is Anna", "English", is_whole=False)
        assert parse(said, end=end).marked == "Where is Anna […]"
        assert parse("language Chinese|好的。", end=end).marked == "好的。[…]"


def test_an_answer_cut_off_before_its_division_is_text_unless_it_was_to_name_the_language(parse):
    for answer, text in (("Where is Anna", "Where is Anna"), ("language English", ""), ("Language None", "")):
        assert parse(answer, end=End.LIMIT) == Answer(text, "", is_whole=False)


def test_with_the_language_given_all_is_text(parse):
    assert parse(" Where is Anna?", language="English") == Answer("Where is Anna?", "English")
    assert parse("language is a word", language="English") == Answer("language is a word", "English")
    assert parse("", language="German") == Answer("", "German")


def test_letters_that_spell_the_division_do_not_divide(parse):
    assert parse("language English|say <asr_text> now").text == "say <asr_text> now"


def test_half_a_character_at_the_end_is_dropped(tokenizer):
    prompt = build_prompt(tokenizer, language="English")
    tokens = tokenizer.encode("Yes, é")
    parsed = parse_answer(tokens[:-1], tokenizer, prompt, End.LIMIT)
    assert parsed.text in {"Yes,", "Yes, é"}
    assert "\ufffd" not in parsed.text


def test_repeated_text_in_an_answer_is_cut_and_what_is_cut_is_not_whole(parse):
    assert parse("language English|" + "no, " * 30 + "yes.") == Answer("no, yes.", "English", is_whole=False)


# ---- repetitions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 21, "a"),
        ("a" * 20, "a" * 20),
        ("so" + "o" * 40 + " good", "so good"),
        ("ha" * 20, "ha"),
        ("ha" * 19, "ha" * 19),
        ("well, " + "no, " * 25 + "yes", "well, no, yes"),
        ("好的。" * 20 + "再见", "好的。再见"),
        ("twenty characters ok" * 20, "twenty characters ok"),
        ("twenty-one characters" * 20, "twenty-one characters" * 20),  # longer than a loop is looked for
        ("line\n" * 20, "line"),
        ("ab" * 20 + "cd" * 20, "abcd"),
        ("1000000", "1000000"),
        ("", ""),
    ],
)
def test_what_repeats_too_often_is_kept_once(text, expected):
    assert cut_repetitions(text) == expected


@given(st.text("ab ", max_size=60))
def test_a_text_too_short_to_repeat_stays_as_it_is(text):
    if not any(char * (MAX_REPEATS + 1) in text for char in "ab "):
        short = text[:39]
        assert cut_repetitions(short) == short.strip()


@pytest.mark.parametrize("period", [1, 2, 3, 10])
def test_a_loop_is_seen_at_its_twentieth_round_and_one_round_is_kept(period):
    words = [7, 8, 9]
    loop = list(range(100, 100 + period))
    tokens = words + loop * MAX_REPEATS
    assert loop_start(tokens) == len(words) + period
    assert loop_start(tokens[:-1]) is None


@pytest.mark.parametrize("period", [11, 20, 59, 60])
def test_a_loop_of_a_sentence_is_seen_at_its_fourth_round(period):
    tokens = [7, 8, 9, *list(range(100, 100 + period)) * MAX_LONG_REPEATS]
    assert loop_start(tokens) == 3 + period
    assert loop_start(tokens[:-1]) is None


@pytest.mark.parametrize("period", [1, 3, 4, 10])
def test_a_few_short_phrases_are_not_taken_for_a_long_one(period):
    assert loop_start(list(range(period)) * (MAX_REPEATS - 1)) is None


def test_a_loop_longer_than_sixty_tokens_is_not_looked_for():
    assert loop_start(list(range(61)) * 8) is None


def test_a_loop_with_one_token_out_of_line_is_none():
    tokens = [1, 2] * 30
    tokens[-20] = 3
    assert loop_start(tokens) is None


def test_a_loop_is_looked_for_at_the_end_only():
    assert loop_start([1] * 50 + [2]) is None
    assert loop_start([]) is None


# ---- contexts read out ----------------------------------------------------------------------------------

ENTRIES = ["Ada Lovelace", "Charles Babbage", "analytical engine", "difference engine"]


def test_three_entries_one_after_the_other_and_nothing_else_were_read_out():
    assert is_read_out("Ada Lovelace, Charles Babbage, Analytical Engine.", ENTRIES, speech_s=60.0)
    assert is_read_out("CHARLES BABBAGE ANALYTICAL ENGINE DIFFERENCE ENGINE", ENTRIES, speech_s=60.0)
    assert is_read_out("阿达、查尔斯、机器", ["x", "阿达", "", "查尔斯", "机器"], speech_s=60.0)


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lovelace.",
        "Ada Lovelace, Charles Babbage.",  # may be a name and a surname
        "Ada Lovelace, analytical engine, difference engine",
        "Charles Babbage, Ada Lovelace, analytical engine",
        "Ada Lovelace, Charles Babbage, analytical engine and more",
        "analytical engine, difference engine, Ada Lovelace",
        "",
        "...",
    ],
)
def test_anything_else_was_said_if_there_was_time_for_it(text):
    assert not is_read_out(text, ENTRIES, speech_s=60.0)


@pytest.mark.parametrize(
    ("second", "fastest"),
    [
        ("abcdefghij abcdefghij.", 25),
        ("это очень быстрая речь", 25),
        ("ภาษาไทยพูดเร็วมาก", 25),
        ("今天天气很好我们", 10),
        ("とてもはやいにほん", 10),
        ("아주빠르게말합니다", 10),
    ],
)
def test_nobody_says_so_many_letters_in_a_second(second, fastest):
    letters = sum(char.isalnum() for char in second)
    assert not is_read_out(second, [], speech_s=letters / fastest + 0.01)
    assert is_read_out(second, [], speech_s=letters / fastest - 0.01)


def test_what_sounds_much_the_same_without_the_context_was_said():
    read = Answer("Kubernetes, kubectl, etcd.", "English")
    assert is_said_all_the_same(read, "Cooper Netties, cube control, et cetera D.")
    assert not is_said_all_the_same(read, "Where do we meet tomorrow?")
    assert not is_said_all_the_same(read, "Kubernetes.")  # the rest was not
    assert not is_said_all_the_same(read, "")
    assert not is_said_all_the_same(replace(read, is_whole=False), read.text)


# ---- joining --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["Good evening.", "How are you?"], "Good evening. How are you?"),
        (["", "Yes.", "", "No.", ""], "Yes. No."),
        ([], ""),
        (["今天天气很好。", "我们出去吧。"], "今天天气很好。我们出去吧。"),
        (["「好。」", "「再见」", "and"], "「好。」「再见」and"),
        (["今日は", "いい天気です"], "今日はいい天気です"),
        (["カタカナ", "ー"], "カタカナー"),
        (["ｶﾀｶﾅ", "ﾃﾞｽ"], "ｶﾀｶﾅﾃﾞｽ"),
        (["สวัสดี", "ครับ"], "สวัสดีครับ"),
        (["안녕하세요.", "반갑습니다."], "안녕하세요. 반갑습니다."),
        (["Привет.", "Как дела?"], "Привет. Как дела?"),
        (["مرحبا.", "كيف حالك؟"], "مرحبا. كيف حالك؟"),
        (["नमस्ते।", "आप कैसे हैं?"], "नमस्ते। आप कैसे हैं?"),
        (["我用", "Python"], "我用Python"),
        (["𠮷野家", "へ"], "𠮷野家へ"),
        (["ผมใช้", "Python", "ครับ"], "ผมใช้ Python ครับ"),
    ],
)
def test_texts_are_joined_with_a_space_where_both_scripts_have_spaces(parts, expected):
    assert join_texts(parts) == expected
