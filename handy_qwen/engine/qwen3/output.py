"""From generated tokens to language and text, without runaway repetitions and echoes of the context.

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

_LANGUAGE = "language "
MAX_REPEATS = 20
"""A piece of text that is repeated this often in a row was not said."""
_MAX_PERIOD_CHARS = 20
_MAX_PERIOD_TOKENS = 10
_MAX_CHARS_PER_SPEECH_S = 40.0
"""Nobody speaks faster; a longer text that is part of the context was read there, not heard."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model made of one segment. ``language`` is an English name, empty if it named none."""

    text: str
    language: str


def parse_answer(tokens: Sequence[int], tokenizer: Tokenizer, prompt: Prompt, *, is_complete: bool) -> Answer:
    """Divide the generated ``tokens`` (without the one that ended them) into language and text.

    If ``is_complete``, the model ended the answer itself, so that one without a division is no answer.
    """
    language, split = prompt.language, 0
    if not language and prompt.asr_text in tokens:
        split = tokens.index(prompt.asr_text) + 1
        language = _named(tokenizer.decode(tokens[: split - 1]).strip())
    text = cut_repetitions(tokenizer.decode(tokens[split:]).rstrip("\ufffd").strip())  # half a character
    if not prompt.language and not split and (is_complete or text.lower().startswith(_LANGUAGE)):
        text = ""
    return Answer(text, language)


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
    """Keep one copy of whatever is repeated more than ``MAX_REPEATS`` times in a row."""
    text = re.sub(rf"(.)\1{{{MAX_REPEATS},}}", r"\1", text, flags=re.DOTALL)
    return re.sub(
        rf"(.{{2,{_MAX_PERIOD_CHARS}}}?)\1{{{MAX_REPEATS - 1},}}", r"\1", text, flags=re.DOTALL
    ).strip()


def is_echo(text: str, context: str, speech_s: float) -> bool:
    """Whether ``text`` is part of ``context`` and longer than anybody could have said in ``speech_s``."""
    words, listed = _letters(text), _letters(context)
    return bool(words) and words in listed and len(words) > speech_s * _MAX_CHARS_PER_SPEECH_S


def _named(meta: str) -> str:
    """The language in ``language English``; empty for None or anything else."""
    line = meta.partition("\n")[0]
    name = line[len(_LANGUAGE) :].strip().capitalize() if line.lower().startswith(_LANGUAGE) else ""
    return "" if name == "None" else name


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
