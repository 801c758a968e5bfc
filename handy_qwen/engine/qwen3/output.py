"""From generated tokens to language and text, and whether that can be all of it and what was said.

    language English <asr_text> Please send the report. <|im_end|>
    `----- meta -----'         `-------- text --------'

A model that repeats itself has lost its place: one copy is kept, and the answer is not whole. Given a
context, it may read that out instead of listening.

Source: parse_asr_output and detect_and_fix_repetitions in QwenLM/Qwen3-ASR (inference/utils.py, 2026-01),
except that the answer is divided at the token, not at the letters of its name.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate

from handy_qwen.engine.api import GAP, join_texts
from handy_qwen.engine.qwen3.prompt import Prompt
from handy_qwen.engine.qwen3.tokenizer import Tokenizer
from handy_qwen.languages import is_hangul, is_unspaced

_LANGUAGE = "language "
MAX_REPEATS = 20
"""A piece of text that is repeated this often in a row was not said."""
_MAX_PERIOD_CHARS = 20
_SHORT_PERIOD_TOKENS = 10
MAX_LONG_REPEATS = 4
"""The same for a piece of more than 10 tokens: a sentence or two."""
_MAX_PERIOD_TOKENS = 60

_LETTERS_PER_S = 25.0
_SYLLABLES_PER_S = 10.0  # of Chinese characters, kana and Hangul, each of which is one at least
"""Nobody speaks faster: records of fast talking are at some 20 letters, or 9 syllables, a second."""
_READ_OUT = 3  # entries of the context, one after the other and nothing else: two may be a name and a surname
_ALIKE = 0.5
"""Share of the letters that two spellings of the same words have in common, in order. Names and what was made
of them by ear had 0.43 to 0.81, names and other sentences more than 0.49 once in a thousand."""
_LONGER = 1.25  # than what is heard without the context: then some of it was read out


class End(enum.Enum):
    """How an answer ended."""

    MODEL = "the model ended it"
    LIMIT = "it reached the limit of tokens"
    LOOP = "it repeated itself and was cut after the first copy"
    NOBODY = "nobody speaks"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model made of one segment.

    ``language`` is an English name, empty if it named none. Unless ``is_whole``, words may be missing at the
    end of ``text``, which may be empty.
    """

    text: str
    language: str
    is_whole: bool = True

    @property
    def marked(self) -> str:
        """The text, with a mark where words may be missing."""
        return self.text if self.is_whole else join_texts([self.text, GAP])


def parse_answer(tokens: Sequence[int], tokenizer: Tokenizer, prompt: Prompt, end: End) -> Answer:
    """Divide the generated ``tokens`` (without the one that ended them) into language and text.

    If the model ended the answer itself or repeated itself, one without a division is no answer.
    """
    if end is End.NOBODY:
        return Answer("", "")
    language, split = prompt.language, 0
    if not language and prompt.asr_text in tokens:
        split = tokens.index(prompt.asr_text) + 1
        language = _named(tokenizer.decode(tokens[: split - 1]).strip())
    said = tokenizer.decode(tokens[split:]).rstrip("\ufffd").strip()  # half a character
    text = cut_repetitions(said)
    is_whole = end is End.MODEL and text == said
    if not prompt.language and not split:
        is_meta = text.lower().startswith(_LANGUAGE) or text.lower() in {"", "none", "language"}
        is_whole &= is_meta
        if end is not End.LIMIT or is_meta:
            text = ""
    return Answer(text, language, is_whole)


def loop_start(tokens: Sequence[int]) -> int | None:
    """Where the first copy of a runaway repetition at the end of ``tokens`` ends; None if there is none."""
    count = len(tokens)
    for period in range(1, min(_MAX_PERIOD_TOKENS, count - 1) + 1):
        if tokens[-1] != tokens[-1 - period]:
            continue
        is_short = period <= _SHORT_PERIOD_TOKENS
        length = period * (MAX_REPEATS if is_short else MAX_LONG_REPEATS)
        if length <= count and _repeats(piece := tokens[-length:], period):
            if not is_short and any(
                period % short == 0 and _repeats(piece, short) for short in range(1, _SHORT_PERIOD_TOKENS + 1)
            ):
                continue  # a short one, which may be said more often
            return count - length + period
    return None


def _repeats(piece: Sequence[int], period: int) -> bool:
    return all(piece[i] == piece[i - period] for i in range(period, len(piece)))


def cut_repetitions(text: str) -> str:
    """Keep one copy of whatever is repeated more than ``MAX_REPEATS`` times in a row."""
    text = re.sub(rf"(.)\1{{{MAX_REPEATS},}}", r"\1", text, flags=re.DOTALL)
    return re.sub(
        rf"(.{{2,{_MAX_PERIOD_CHARS}}}?)\1{{{MAX_REPEATS - 1},}}", r"\1", text, flags=re.DOTALL
    ).strip()


def is_read_out(text: str, entries: Sequence[str], speech_s: float) -> bool:
    """Whether ``text`` was probably read in the context and not heard.

    It is, if it is longer than anybody could say in ``speech_s``, or nothing but three or more of the
    context's ``entries`` as they follow one another there.
    """
    said = _letters(text)
    if sum(1 / (_SYLLABLES_PER_S if _is_syllable(char) else _LETTERS_PER_S) for char in said) > speech_s:
        return True
    listed = list(filter(None, map(_letters, entries)))
    return any(
        run == said
        for first in range(len(listed) - _READ_OUT + 1)
        if said.startswith(listed[first])
        for run in list(accumulate(listed[first:]))[_READ_OUT - 1 :]
    )


def is_said_all_the_same(answer: Answer, plain: str) -> bool:
    """Whether ``answer`` was said although it seems to be read out.

    Somebody may dictate a list of names, and the detector may miss a part of the speech. Without the context,
    the model then hears much the same (``plain``) and only spells it otherwise. Names in another script than
    that of the language are not recognized in this way.
    """
    said, heard = _letters(answer.text), _letters(plain)
    if not answer.is_whole or len(said) > _LONGER * len(heard):
        return False
    return SequenceMatcher(None, said, heard, autojunk=False).ratio() >= _ALIKE


def _is_syllable(char: str) -> bool:
    return is_hangul(char) or (is_unspaced(char) and char >= "\u2e80")  # not Thai and its neighbours


def _named(meta: str) -> str:
    """The language in ``language English``; empty for None or anything else."""
    line = meta.partition("\n")[0]
    name = line[len(_LANGUAGE) :].strip().capitalize() if line.lower().startswith(_LANGUAGE) else ""
    return "" if name == "None" else name


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
