"""From generated tokens to text: where the answer divides, what is no answer, what repeats.

    language English <asr_text> Please send the report. <|im_end|>
    `----- meta -----'         `-------- text --------'

Source: parse_asr_output and detect_and_fix_repetitions in QwenLM/Qwen3-ASR (inference/utils.py, 2026-01),
except that the answer is divided at the token, not at the letters of its name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from handy_qwen.engine.qwen3.prompt import Prompt
from handy_qwen.engine.qwen3.tokenizer import Tokenizer
from handy_qwen.languages import has_space_between

_LANGUAGE = "language "
MAX_REPEATS = 20
"""A piece of text that stands this often in a row was not said."""
_MAX_PERIOD_CHARS = 20
_MAX_PERIOD_TOKENS = 10
_MAX_CHARS_PER_SPEECH_S = 40.0
"""Nobody speaks faster; a text that is longer and stands in the context was read there, not heard."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model made of one pass. ``language`` is an English name, empty if it named none."""

    text: str
    language: str


def parse_answer(
    tokens: Sequence[int], tokenizer: Tokenizer, prompt: Prompt, *, language: str | None, is_complete: bool
) -> Answer:
    """Divide the generated ``tokens`` (without the one that ended them) into language and text.

    Args:
        tokens: As generated.
        tokenizer: That of the model.
        prompt: The prompt they answer.
        language: The language that was forced, if one was.
        is_complete: The model ended the answer by itself, so that one without a division is no answer.
    """
    if prompt.is_language_forced:
        return Answer(cut_repetitions(_clean(tokenizer.decode(tokens))), language or "")
    if prompt.asr_text not in tokens:
        text = "" if is_complete else cut_repetitions(_clean(tokenizer.decode(tokens)))
        return Answer("" if text.lower().startswith(_LANGUAGE) else text, "")
    split = tokens.index(prompt.asr_text)
    meta = tokenizer.decode(tokens[:split]).strip()
    text = cut_repetitions(_clean(tokenizer.decode(tokens[split + 1 :])))
    return Answer(text, _named(meta))


def loop_start(tokens: Sequence[int]) -> int | None:
    """Where the first copy of a runaway repetition at the end of ``tokens`` ends; None if there is none."""
    for period in range(1, _MAX_PERIOD_TOKENS + 1):
        length = period * MAX_REPEATS
        if len(tokens) < length:
            return None
        piece = tokens[-length:]
        if all(piece[i] == piece[i - period] for i in range(period, length)):
            return len(tokens) - length + period
    return None


def cut_repetitions(text: str) -> str:
    """Keep one copy of whatever stands more than ``MAX_REPEATS`` times in a row."""
    text = re.sub(rf"(.)\1{{{MAX_REPEATS},}}", r"\1", text, flags=re.DOTALL)
    return re.sub(
        rf"(.{{2,{_MAX_PERIOD_CHARS}}}?)\1{{{MAX_REPEATS - 1},}}", r"\1", text, flags=re.DOTALL
    ).strip()


def is_echo(text: str, context: str, speech_s: float) -> bool:
    """Whether ``text`` stands in ``context`` and is longer than anybody could have said in ``speech_s``."""
    words, listed = _letters(text), _letters(context)
    return bool(words) and words in listed and len(words) > speech_s * _MAX_CHARS_PER_SPEECH_S


def join_texts(parts: Sequence[str]) -> str:
    """Join the texts of consecutive passes, with a space where the scripts on both sides use spaces."""
    joined = ""
    for part in filter(None, parts):
        needs_space = bool(joined) and has_space_between(joined[-1], part[0])
        joined += (" " if needs_space else "") + part
    return joined


def _named(meta: str) -> str:
    """The language in ``language English``; empty for None or anything else."""
    line = meta.partition("\n")[0]
    name = line[len(_LANGUAGE) :].strip().capitalize() if line.lower().startswith(_LANGUAGE) else ""
    return "" if name == "None" else name


def _clean(text: str) -> str:
    """Without what surrounds the text and without half a character at its end."""
    return text.rstrip("\ufffd").strip()


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
