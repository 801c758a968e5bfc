r"""The official chat template as token ids, and the interpretation of the answer.

    <|im_start|>system\n{context}<|im_end|>\n
    <|im_start|>user\n<|audio_start|>{audio features}<|audio_end|><|im_end|>\n
    <|im_start|>assistant\n[language {name}<asr_text>]

``head`` comes before the audio, ``tail`` after it. A language is forced by giving the model the beginning of
its own answer: it continues with the text alone, and can no longer say that nobody speaks. Before
``English`` it could: there, `` None`` would be its first choice. With several languages the model names the
one it hears; if it would name another, the likeliest of them is taken.

The answer is divided into language and text, and judged:

    language English <asr_text> Please send the report. <|im_end|>
    `----- meta -----'         `-------- text --------'

A model that repeats itself has lost its place: one copy is kept, and the answer is incomplete. Given a
context, the model may read that out instead of listening.

Sources: chat_template.json of Qwen/Qwen3-ASR-0.6B; _build_text_prompt, parse_asr_output and
detect_and_fix_repetitions in QwenLM/Qwen3-ASR (inference/utils.py, 2026-01), except that the answer is
divided at the token, not at the letters of its name.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING

from handy_qwen.engine.api import GAP, FittedWords, join_texts
from handy_qwen.engine.qwen3.tokenizer import Tokenizer
from handy_qwen.languages import is_hangul, is_unspaced

if TYPE_CHECKING:
    from handy_qwen.engine.qwen3.model import Float32

MAX_CONTEXT_TOKENS = 1024
"""Longest system message that is read; a longer one is truncated."""
WORDS_TOKENS = 200
"""Most tokens of a list of words in dictation: with more than some hundred, the model hallucinates words,
all the more the less is said."""
FILE_WORDS_TOKENS = MAX_CONTEXT_TOKENS - 2
"""Most tokens of a list of words for a file: all there are after "system" and its line break."""
_ENTRY_ENDS = re.compile(
    r"[,;|\n\u2022\u060c\u061b\u3001\uff0c\uff1b]+|[.!?\u0964\u3002\uff01\uff1f]+(?=\s|$)"
)
_TOKEN_CHARACTERS = 20  # hardly any has more; a word longer than all tokens together is not encoded
_LANGUAGE = "language "
MAX_REPEATS = 20
"""Text repeated this often in a row was not said."""
_MAX_PERIOD_CHARS = 20
_SHORT_PERIOD_TOKENS = 10
MAX_LONG_REPEATS = 4
"""The same for text of more than 10 tokens: a sentence or two."""
_MAX_PERIOD_TOKENS = 60
_LETTERS_PER_S = 25.0
_SYLLABLES_PER_S = 10.0  # Chinese characters, kana and Hangul have at least one each
"""Nobody speaks faster: records of fast talking have some 20 letters, or 9 syllables, a second."""
_READ_OUT = 3  # consecutive entries of the context and nothing else: two may be a first name and a surname
_ALIKE = 0.5
"""Share of the letters that two spellings of the same words have in common, in order. Names and their
spellings by ear had 0.43 to 0.81, names and other sentences more than 0.49 once in a thousand."""
_LONGER = 1.25  # than the answer without the context: then some of it was read out


@dataclass(frozen=True, slots=True)
class Beginnings:
    """How an answer may begin, in token ids, if its language is one of several. Empty: no restriction."""

    languages: tuple[tuple[int, ...], ...] = ()  # "language German<asr_text>", for each
    nobody: tuple[int, ...] = ()  # "language None<asr_text>"

    def restrict(self, choices: list[int], logits: Float32, before: Sequence[int]) -> list[int]:
        """Replace choices that are not permitted.

        ``choices`` are the largest logit of each row of ``logits``, shape (rows, vocabulary); ``before`` is
        the answer up to the last row, hence at least ``rows - 1`` tokens. "Nobody speaks" is permitted only
        as the model's own choice: as the best remaining one it would say nothing about silence.
        """
        if not self.languages or len(before) - len(choices) + 1 >= max(map(len, self.languages)):
            return choices
        admitted = []
        for row, choice in enumerate(choices):
            end = len(before) - len(choices) + 1 + row
            begun = tuple(before[:end])
            named = [one[end] for one in self.languages if one[:end] == begun and len(one) > end]
            silent = [self.nobody[end]] if self.nobody[:end] == begun and len(self.nobody) > end else []
            others = named or silent
            is_free = not others or choice in named + silent
            admitted.append(choice if is_free else others[int(logits[row, others].argmax())])
        return admitted


ANY = Beginnings()


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids around the audio features, and those that end or divide an answer."""

    head: tuple[int, ...]
    tail: tuple[int, ...]
    languages: tuple[str, ...]  # English names of the possible ones; (): any
    context: str
    entries: tuple[str, ...]  # of the context, in order
    is_context_cut: bool  # it was longer than MAX_CONTEXT_TOKENS
    asr_text: int  # divides "language English" from the text
    ends: frozenset[int]  # any of them ends the answer
    look: int = 0  # how many of the tail come before the name of a forced language
    nobody: tuple[int, ...] = ()  # what follows them if nobody speaks
    beginnings: Beginnings = ANY  # if there are several languages

    @property
    def language(self) -> str:
        """English name of the forced language; empty if the model detects it."""
        return self.languages[0] if len(self.languages) == 1 else ""


def fit_words(tokenizer: Tokenizer, words: Iterable[str], limit: int = WORDS_TOKENS) -> FittedWords:
    """Choose the words that the model reads: in order, each that still fits into ``limit`` tokens."""
    fitting: list[str] = []
    seen: set[str] = set()
    left_out: list[int] = []
    tokens = 0
    for position, raw in enumerate(words):
        word = _one_line(raw)
        if not word or word in seen:
            continue
        seen.add(word)
        cost = limit + 1
        if len(word) <= _TOKEN_CHARACTERS * limit:
            # A space begins a new token, so that the tokens of the whole are those of its words.
            cost = len(tokenizer.encode(f" {word}" if fitting else word))
        if tokens + cost > limit:
            left_out.append(position)
            continue
        fitting.append(word)
        tokens += cost
    return FittedWords(" ".join(fitting), tokens, limit, len(fitting), tuple(left_out))


def _one_line(text: str) -> str:
    """``text`` in NFC, without control characters, with single spaces."""
    spaced = "".join(" " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char for char in text)
    return unicodedata.normalize("NFC", " ".join(spaced.split()))


def build_prompt(
    tokenizer: Tokenizer,
    *,
    language: str | Sequence[str] | None = None,
    context: str = "",
    entries: Sequence[str] = (),
) -> Prompt:
    """Build the prompt for one segment; ModelCorruptError if ``tokenizer`` lacks a marker of the template.

    ``language`` is the English name of the spoken one; of several, whichever the model hears; none, or "",
    allows all. ``context``, names and terms that may come up, or any text, becomes the system message.
    ``entries`` are its parts; by default split at commas, ends of sentences and line breaks.
    """
    start, end = tokenizer.marker("<|im_start|>"), tokenizer.marker("<|im_end|>")
    newline, asr_text = tokenizer.encode("\n"), tokenizer.marker("<asr_text>")
    # Encoded together: the line break may merge with the start of the context.
    system = tokenizer.encode(f"system\n{context}")
    head = [start, *system[:MAX_CONTEXT_TOKENS], end, *newline]
    head += [start, *tokenizer.encode("user\n"), tokenizer.marker("<|audio_start|>")]
    tail = [tokenizer.marker("<|audio_end|>"), end, *newline, start, *tokenizer.encode("assistant\n")]
    languages = tuple(filter(None, [language] if isinstance(language, str) else language or ()))
    look, nobody, beginnings = 0, [], ANY
    *said, silent = ((*tokenizer.encode(f"language {name}"), asr_text) for name in (*languages, "None"))
    if len(said) > 1:
        beginnings = Beginnings(tuple(said), silent)
    elif said:
        named, nobody = said[0], list(silent[:-1])
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(named, nobody, strict=False)))
        look, nobody = len(tail) + common, nobody[common:]
        tail += named
    return Prompt(
        head=tuple(head),
        tail=tuple(tail),
        languages=languages,
        context=context,
        entries=tuple(entries or filter(None, map(str.strip, _ENTRY_ENDS.split(context)))),
        is_context_cut=len(system) > MAX_CONTEXT_TOKENS,
        asr_text=asr_text,
        ends=frozenset((end, tokenizer.marker("<|endoftext|>"))),
        look=look,
        nobody=tuple(nobody),
        beginnings=beginnings,
    )


class End(enum.Enum):
    """How an answer ended."""

    MODEL = "the model ended it"
    LIMIT = "it reached the limit of tokens"
    LOOP = "it repeated itself and was cut after the first copy"
    NOBODY = "nobody speaks"


@dataclass(frozen=True, slots=True)
class Answer:
    """The model's answer to one segment.

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
    """Divide the generated ``tokens`` (without the end token) into language and text.

    If the model ended the answer itself or repeated itself, an undivided one is no answer.
    """
    if end is End.NOBODY:
        return Answer("", "")
    language, split = prompt.language, 0
    if not language and prompt.asr_text in tokens:
        split = tokens.index(prompt.asr_text) + 1
        language = _named(tokenizer.decode(tokens[: split - 1]).strip())
    said = tokenizer.decode(tokens[split:]).rstrip("\ufffd").strip()  # an incomplete character
    text = cut_repetitions(said)
    is_whole = end is End.MODEL and text == said
    if not prompt.language and not split:
        is_meta = text.lower().startswith(_LANGUAGE) or text.lower() in {"", "none", "language"}
        is_whole &= is_meta
        if end is not End.LIMIT or is_meta:
            text = ""
    return Answer(text, language, is_whole)


def loop_start(tokens: Sequence[int]) -> int | None:
    """Where the first copy of a runaway repetition at the end of ``tokens`` ends, or None."""
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
                continue  # a short one may be said more often
            return count - length + period
    return None


def _repeats(piece: Sequence[int], period: int) -> bool:
    return all(piece[i] == piece[i - period] for i in range(period, len(piece)))


def cut_repetitions(text: str) -> str:
    """Keep one copy of anything repeated more than ``MAX_REPEATS`` times in a row."""
    text = re.sub(rf"(.)\1{{{MAX_REPEATS},}}", r"\1", text, flags=re.DOTALL)
    return re.sub(
        rf"(.{{2,{_MAX_PERIOD_CHARS}}}?)\1{{{MAX_REPEATS - 1},}}", r"\1", text, flags=re.DOTALL
    ).strip()


def is_read_out(text: str, entries: Sequence[str], speech_s: float) -> bool:
    """Whether ``text`` was probably read from the context and not heard.

    That is so if it is longer than anyone could say in ``speech_s``, or consists of three or more consecutive
    ``entries`` of the context.
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

    Somebody may dictate a list of names, and the detector may miss part of the speech. Without the context,
    the model then hears much the same (``plain``) and only spells it differently. This does not recognize
    names in a script other than the language's.
    """
    said, heard = _letters(answer.text), _letters(plain)
    if not answer.is_whole or len(said) > _LONGER * len(heard):
        return False
    return SequenceMatcher(None, said, heard, autojunk=False).ratio() >= _ALIKE


def _is_syllable(char: str) -> bool:
    return is_hangul(char) or (is_unspaced(char) and char >= "\u2e80")  # not Thai and related scripts


def _named(meta: str) -> str:
    """The language in ``language English``; empty for None or anything else."""
    line = meta.partition("\n")[0]
    name = line[len(_LANGUAGE) :].strip().capitalize() if line.lower().startswith(_LANGUAGE) else ""
    return "" if name == "None" else name


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
