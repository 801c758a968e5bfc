"""Full-text search in the history: what is ignored, and where the words are in a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def fold(text: str | bytes) -> str:
    """``text`` without what a search ignores: case, accents, widths. Bytes are UTF-8."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if text.isascii():
        return text.lower()
    for _ in range(2):  # some capitals appear only after decomposition
        text = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in text if not unicodedata.combining(char))


def hits(text: str, words: Iterable[str]) -> list[tuple[int, int]]:
    """Where ``words`` are in ``text``: start and end of each match, in order, none inside another."""
    folded, places = "", []  # for each folded character, the position of its source in ``text``
    for place, char in enumerate(text):
        plain = fold(char)
        folded += plain
        places += [place] * len(plain)
    found: list[tuple[int, int]] = []
    for word in filter(None, map(fold, words)):
        begin = folded.find(word)
        while begin >= 0:
            end = begin + len(word)
            found.append((places[begin], places[end] if end < len(places) else len(text)))
            begin = folded.find(word, end)
    return _joined(sorted((begin, max(end, begin + 1)) for begin, end in found))


def _joined(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """``found``, ordered, with overlapping and adjacent ranges merged."""
    joined: list[tuple[int, int]] = []
    for begin, end in found:
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return joined
