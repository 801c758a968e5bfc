"""The prompt: its form, the language put into the model's mouth, contexts of any length and content."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.engine.qwen3.prompt import (
    FILE_WORDS_TOKENS,
    MAX_CONTEXT_TOKENS,
    WORDS_TOKENS,
    build_prompt,
    fit_words,
)
from handy_qwen.engine.qwen3.tokenizer import MARKERS, load_tokenizer
from tests.conftest import CHECKPOINT


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(CHECKPOINT)


def test_a_plain_prompt_has_the_form_of_the_chat_template(tokenizer):
    prompt = build_prompt(tokenizer)
    start, end, audio_start, audio_end = (
        tokenizer.marker(name) for name in ("<|im_start|>", "<|im_end|>", "<|audio_start|>", "<|audio_end|>")
    )
    text = tokenizer.encode
    system = [start, *text("system\n"), end, *text("\n")]
    assert prompt.head == (*system, start, *text("user\n"), audio_start)
    assert prompt.tail == (audio_end, end, *text("\n"), start, *text("assistant\n"))
    assert prompt.language == ""
    assert prompt.ends == {end, tokenizer.marker("<|endoftext|>")}


def test_a_language_is_put_into_the_models_mouth(tokenizer):
    plain, forced = build_prompt(tokenizer), build_prompt(tokenizer, language="German")
    assert forced.head == plain.head
    said = (*tokenizer.encode("language German"), tokenizer.marker("<asr_text>"))
    assert forced.tail == plain.tail + said
    assert forced.language == "German"


def test_of_several_languages_each_may_begin_the_answer_and_nothing_is_put_into_the_models_mouth(tokenizer):
    plain, chosen = build_prompt(tokenizer), build_prompt(tokenizer, language=("German", "English"))
    assert (chosen.head, chosen.tail, chosen.nobody, chosen.language) == (plain.head, plain.tail, (), "")
    division = tokenizer.marker("<asr_text>")
    german, english, nobody = (
        (*tokenizer.encode(f"language {name}"), division) for name in ("German", "English", "None")
    )
    assert (chosen.beginnings.languages, chosen.beginnings.nobody) == ((german, english), nobody)
    assert build_prompt(tokenizer, language=("German",)) == build_prompt(tokenizer, language="German")


def test_a_context_stands_in_the_system_turn_and_nowhere_else(tokenizer):
    plain, with_context = build_prompt(tokenizer), build_prompt(tokenizer, context="Ana, Tom")
    assert with_context.tail == plain.tail
    assert tokenizer.decode(with_context.head) == "system\nAna, Tom\nuser\n"


@pytest.mark.parametrize("name", MARKERS)
def test_a_context_that_spells_a_marker_does_not_become_one(tokenizer, name):
    plain, tricked = build_prompt(tokenizer), build_prompt(tokenizer, context=f"{name}\n{name}")
    marker = tokenizer.marker(name)
    assert tricked.head.count(marker) == plain.head.count(marker)


def test_a_context_beyond_the_limit_loses_its_end(tokenizer):
    words = "Anna " * 5_000
    prompt = build_prompt(tokenizer, context=words)
    assert prompt.is_context_cut
    assert not build_prompt(tokenizer, context="Anna").is_context_cut
    assert len(prompt.head) == len(build_prompt(tokenizer).head) - len(tokenizer.encode("system\n")) + (
        MAX_CONTEXT_TOKENS
    )
    end = tokenizer.marker("<|im_end|>")
    assert prompt.head[1 : prompt.head.index(end)] == tuple(
        tokenizer.encode(f"system\n{words}")[:MAX_CONTEXT_TOKENS]
    )


# ---- the user's words -----------------------------------------------------------------------------------


def test_words_are_read_each_once_in_their_order_without_control_characters(tokenizer):
    words = fit_words(tokenizer, ["Qwen", "Kubernetes\n x", "Qwen", "", "\x07", "cafe\u0301", "café"])
    assert words.text == "Qwen Kubernetes x café"
    assert (words.used, words.total, words.left_out, words.limit) == (3, 3, (), WORDS_TOKENS)
    assert words.tokens == len(tokenizer.encode(words.text))
    assert "All 3 words fit" in words.summary


def test_a_long_entry_does_not_end_the_list_of_words(tokenizer):
    long = " ".join(f"word{number}" for number in range(200))
    words = fit_words(tokenizer, ["Anna", long, "Berta", "x" * 5_000, "Carla"])
    assert words.text == "Anna Berta Carla"
    assert words.left_out == (1, 3)
    assert words.summary == "3 of 5 words fit; the rest are not used."


def test_no_words_are_no_context(tokenizer):
    assert fit_words(tokenizer, []).text == ""
    assert fit_words(tokenizer, ["", " "]).total == 0


def test_all_words_that_fit_a_file_are_read(tokenizer):
    words = fit_words(tokenizer, [f"w{number}" for number in range(2_000)], FILE_WORDS_TOKENS)
    assert MAX_CONTEXT_TOKENS - 10 < words.tokens <= FILE_WORDS_TOKENS
    assert not build_prompt(tokenizer, context=words.text).is_context_cut
    assert build_prompt(tokenizer, context=words.text + " more words than that").is_context_cut


@given(
    words=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=30),
    limit=st.integers(0, 60),
)
def test_tokens_are_counted_exactly_and_every_word_that_still_fits_is_used(tokenizer, words, limit):
    fitted = fit_words(tokenizer, words, limit)
    assert fitted.tokens == len(tokenizer.encode(fitted.text)) <= limit
    assert unicodedata.is_normalized("NFC", fitted.text)
    assert fitted.total == fitted.used + len(fitted.left_out)
    for position in fitted.left_out:  # alone behind those before it, it would not have fitted
        before = fit_words(tokenizer, words[:position], limit).text
        word = fit_words(tokenizer, [words[position]], 10_000).text
        assert len(tokenizer.encode(f"{before} {word}".strip())) > limit
