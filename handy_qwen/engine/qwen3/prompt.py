r"""The official chat template, in token ids.

    <|im_start|>system\n{context}<|im_end|>\n
    <|im_start|>user\n<|audio_start|>{audio features}<|audio_end|><|im_end|>\n
    <|im_start|>assistant\n[language {name}<asr_text>]

``head`` comes before the audio, ``tail`` after it. A language is forced by giving the model the beginning of
its own answer: it continues with the text alone, and cannot say any more that nobody speaks. Before
``English`` it could: there, `` None`` is its first choice then. Of several languages the model names the one
it hears: where it would name another, the likeliest of them counts.

Source: chat_template.json of Qwen/Qwen3-ASR-0.6B and _build_text_prompt in QwenLM/Qwen3-ASR.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from handy_qwen.engine.api import FittedWords
from handy_qwen.engine.qwen3.tokenizer import Tokenizer

if TYPE_CHECKING:
    from handy_qwen.engine.qwen3.model import Float32

MAX_CONTEXT_TOKENS = 1024
"""Longest system message that is read; a longer one is truncated."""
WORDS_TOKENS = 200
"""Most tokens of a list of words in dictation: beyond some hundred tokens the model hallucinates words, the
more easily the less is said."""
FILE_WORDS_TOKENS = MAX_CONTEXT_TOKENS - 2
"""Most tokens of a list of words for a file: all there are after "system" and its line break."""
_ENTRY_ENDS = re.compile(
    r"[,;|\n\u2022\u060c\u061b\u3001\uff0c\uff1b]+|[.!?\u0964\u3002\uff01\uff1f]+(?=\s|$)"
)
_TOKEN_CHARACTERS = 20  # hardly one has more; a word longer than all tokens together is not encoded


@dataclass(frozen=True, slots=True)
class Beginnings:
    """How an answer may begin, in token ids, if its language is one of several. Without any: as it likes."""

    languages: tuple[tuple[int, ...], ...] = ()  # "language German<asr_text>", for each
    nobody: tuple[int, ...] = ()  # "language None<asr_text>"

    def restrict(self, choices: list[int], logits: Float32, before: Sequence[int]) -> list[int]:
        """Put what is admitted in place of the choices that are not.

        ``choices`` are the largest logit of each row of ``logits``, shape (rows, vocabulary); ``before`` is
        the answer up to the last row, hence at least ``rows - 1`` tokens. That nobody speaks is admitted only
        as the model's own choice: what is left when a language is taken away from it says nothing about
        silence.
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
    languages: tuple[str, ...]  # English names of those that may be spoken; (): any
    context: str
    entries: tuple[str, ...]  # of the context, in its order
    is_context_cut: bool  # it was longer than MAX_CONTEXT_TOKENS
    asr_text: int  # divides "language English" from the text
    ends: frozenset[int]  # each of them ends the answer
    look: int = 0  # so many of the tail come before the name of a forced language
    nobody: tuple[int, ...] = ()  # what follows them if nobody speaks
    beginnings: Beginnings = ANY  # if there are several languages

    @property
    def language(self) -> str:
        """English name of the language that is forced; empty if the model finds it out."""
        return self.languages[0] if len(self.languages) == 1 else ""


def fit_words(tokenizer: Tokenizer, words: Iterable[str], limit: int = WORDS_TOKENS) -> FittedWords:
    """Choose the words that the model reads: in their order, each that still fits into ``limit`` tokens."""
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
            # A space begins a new piece of text, so that the tokens of the whole are those of its words.
            cost = len(tokenizer.encode(f" {word}" if fitting else word))
        if tokens + cost > limit:
            left_out.append(position)
            continue
        fitting.append(word)
        tokens += cost
    return FittedWords(" ".join(fitting), tokens, limit, len(fitting), tuple(left_out))


def _one_line(text: str) -> str:
    """``text`` in NFC, without control characters, each run of white space being one space."""
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

    ``language`` is the English name of the one spoken; of several, whichever the model hears; none, or "",
    lets it choose among all. ``context``, names and terms that may come up, or any text, becomes the system
    message. ``entries`` is what it consists of; if not given, what is between its commas, ends of sentences
    and line breaks.
    """
    start, end = tokenizer.marker("<|im_start|>"), tokenizer.marker("<|im_end|>")
    newline, asr_text = tokenizer.encode("\n"), tokenizer.marker("<asr_text>")
    # In one go: the line break may become one token with what the context begins with.
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
