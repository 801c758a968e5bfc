r"""The official chat template, in token ids.

    <|im_start|>system\n{context}<|im_end|>\n
    <|im_start|>user\n<|audio_start|>{audio features}<|audio_end|><|im_end|>\n
    <|im_start|>assistant\n[language {name}<asr_text>]

``head`` is what comes before the audio, ``tail`` what comes after it. With a language given, the model's own
first words are put into its mouth and it goes on with the text alone.

Source: chat_template.json of Qwen/Qwen3-ASR-0.6B and _build_text_prompt in QwenLM/Qwen3-ASR.
"""

from __future__ import annotations

from dataclasses import dataclass

from handy_qwen.engine.tokenizer import Tokenizer

MAX_CONTEXT_TOKENS = 1024
"""Longest system message that is read; what is longer loses its end. A vocabulary, not a book."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids around the audio features, and those that end or divide an answer."""

    head: tuple[int, ...]
    tail: tuple[int, ...]
    is_language_forced: bool
    is_context_cut: bool  # it was longer than MAX_CONTEXT_TOKENS
    asr_text: int  # divides "language English" from the text
    ends: frozenset[int]  # either of them ends the answer


def build_prompt(tokenizer: Tokenizer, *, language: str | None = None, context: str = "") -> Prompt:
    """Build the prompt for one pass.

    Args:
        tokenizer: That of the model.
        language: English name of the language spoken; None lets the model find out.
        context: Names and terms that may come up, or any text; becomes the system message.

    Raises:
        ModelCorruptError: The tokenizer lacks one of the template's markers.
    """
    start, end = tokenizer.marker("<|im_start|>"), tokenizer.marker("<|im_end|>")
    newline = tokenizer.encode("\n")
    asr_text = tokenizer.marker("<asr_text>")
    system = tokenizer.encode(f"system\n{context}")  # in one go: the line break may join the context's first
    head = [start, *system[:MAX_CONTEXT_TOKENS], end, *newline]
    head += [start, *tokenizer.encode("user\n"), tokenizer.marker("<|audio_start|>")]
    tail = [tokenizer.marker("<|audio_end|>"), end, *newline, start, *tokenizer.encode("assistant\n")]
    if language is not None:
        tail += [*tokenizer.encode(f"language {language}"), asr_text]
    return Prompt(
        head=tuple(head),
        tail=tuple(tail),
        is_language_forced=language is not None,
        is_context_cut=len(system) > MAX_CONTEXT_TOKENS,
        asr_text=asr_text,
        ends=frozenset((end, tokenizer.marker("<|endoftext|>"))),
    )
