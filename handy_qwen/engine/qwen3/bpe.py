"""Byte-pair encoding: which tokens a piece of text is made of.

A piece begins as its bytes. As long as two neighbours may be merged, the pair of the lowest rank is, and of
several the leftmost: the rank is the order in which the pairs were learned.

Source: Sennrich et al., Neural Machine Translation of Rare Words with Subword Units (2016); on bytes,
Radford et al., Language Models are Unsupervised Multitask Learners (2019).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

_GONE = -1
_NO_BYTE = 0xFFFF
Merge = tuple[int, int]
"""Rank of a pair, and the id of the token that it becomes."""


def merged(ids: Sequence[int], merge_of: Callable[[int, int], Merge | None]) -> list[int]:
    """Merge neighbours until none may be.

    The neighbours are kept as a list of links and the pairs in a heap: a long piece (a page of Chinese has no
    spaces) takes its length times the logarithm of that.

    Args:
        ids: Of the piece's bytes.
        merge_of: What a pair of ids becomes; None if the two stay apart.
    """
    symbols = list(ids)  # _GONE once a symbol has become part of the one before it
    before = [i - 1 for i in range(len(symbols))]
    after = [i + 1 for i in range(len(symbols))]
    heap: list[tuple[int, int, int, int, int]] = []  # rank, place, the two ids, the merged one

    def propose(place: int) -> None:
        if place < 0 or after[place] >= len(symbols):
            return
        left, right = symbols[place], symbols[after[place]]
        merge = merge_of(left, right)
        if merge is not None:
            heapq.heappush(heap, (merge[0], place, left, right, merge[1]))

    for place in range(len(symbols) - 1):
        propose(place)
    while heap:
        _, place, left, right, new = heapq.heappop(heap)
        following = after[place]
        if symbols[place] != left or following >= len(symbols) or symbols[following] != right:
            continue  # one of the two was merged otherwise meanwhile
        symbols[place], symbols[following] = new, _GONE
        after[place] = after[following]
        if after[place] < len(symbols):
            before[after[place]] = place
        propose(before[place])
        propose(place)
    return [symbol for symbol in symbols if symbol != _GONE]


def latin1_of_alphabet() -> dict[int, int]:
    """For ``str.translate``: the characters that stand for bytes in files of vocabularies -> those bytes.

    What stands for no byte becomes a character that no byte is. Printable characters of Latin-1 stand for
    themselves, and those from U+0100 on for the other bytes.
    Source: bytes_to_unicode in openai/gpt-2 (encoder.py).
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    table = dict.fromkeys(others, _NO_BYTE) | {byte: byte for byte in printable}
    return table | {256 + number: byte for number, byte in enumerate(others)}
