"""The prompt: its form, the language put into the model's mouth, contexts of any length and content."""

import pytest

from handy_qwen.engine.prompt import MAX_CONTEXT_TOKENS, build_prompt
from handy_qwen.engine.tokenizer import MARKERS, load_tokenizer
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
    assert not prompt.is_language_forced
    assert prompt.ends == {end, tokenizer.marker("<|endoftext|>")}


def test_a_language_is_put_into_the_models_mouth(tokenizer):
    plain, forced = build_prompt(tokenizer), build_prompt(tokenizer, language="German")
    assert forced.head == plain.head
    said = (*tokenizer.encode("language German"), tokenizer.marker("<asr_text>"))
    assert forced.tail == plain.tail + said
    assert forced.is_language_forced


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
