"""What the user changed in a text, word by word, to learn from it."""

# ruff: noqa: RUF001  apostrophes of both kinds

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from handy_qwen.languages import extends, is_of_word, is_unspaced

MOST_CHARACTERS = 20_000  # of a text to compare: an hour of speech has three times as many
Span = tuple[int, int]
_INSIDE = "'’.-"  # of a word


@dataclass(frozen=True, slots=True)
class Change:
    """``heard`` was replaced by ``written``; one of them may be empty."""

    heard: str = field(repr=False)
    written: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Correction:
    """Something to learn: a word for the model, or a replacement."""

    heard: str = field(repr=False)
    written: str = field(repr=False)
    is_word: bool


def corrected(text: str, before: str, after: str) -> str | None:
    """``text`` with the correction of ``before`` to ``after``; None if ``text`` is not ``before``.

    The first letter's case and the surrounding white space may differ: they were fitted to the context.
    """
    core, before, after = text.strip(), before.strip(), after.strip()
    if not before or core[1:] != before[1:] or core[:1].casefold() != before[:1].casefold():
        return None
    if after[:1] == before[:1]:
        after = core[:1] + after[1:]
    lead = len(text) - len(text.lstrip())
    return text[:lead] + after + text[lead + len(core) :]


def changes(before: str, after: str) -> tuple[Change, ...]:
    """The words that differ between ``before`` and ``after``, in order, without punctuation and spaces."""
    if max(len(before), len(after)) > MOST_CHARACTERS:
        return ()
    old, new = words_in(before), words_in(after)
    texts = [before[start:end] for start, end in old], [after[start:end] for start, end in new]
    matcher = SequenceMatcher(None, *texts, autojunk=False)
    found = [
        Change(_between(before, old[start:end]), _between(after, new[first:last]))
        for what, start, end, first, last in matcher.get_opcodes()
        if what != "equal"
    ]
    return tuple(dict.fromkeys(found))


def _between(text: str, tokens: Sequence[Span]) -> str:
    return " ".join(text[tokens[0][0] : tokens[-1][1]].split()) if tokens else ""


def words_in(text: str) -> list[Span]:
    """Start and end of each word; in scripts without spaces, of each character."""
    found: list[Span] = []
    start: int | None = None
    is_alone = False  # the word is a character
    for place, character in enumerate(f"{text} "):
        is_own = is_of_word(character) and is_unspaced(character) and not extends(character)
        is_inside = (
            character in _INSIDE and start is not None and is_of_word(text[place + 1 : place + 2] or " ")
        )
        goes_on = extends(character) if is_alone else is_of_word(character) or is_inside
        if start is not None and (is_own or not goes_on):
            found.append((start, place))
            start = None
        if is_of_word(character) and start is None:
            start, is_alone = place, is_own
    return found
