"""Greedy decoding, with a draft checked in one pass.

A draft is what an earlier run made of the beginning of the same audio. Its tokens are read together with the
prompt; each is kept as long as it is what the model itself would write there, and decoding goes on from the
first that is not. A draft changes how long it takes, never what is written.

Source: the acceptance rule is that of speculative decoding (Leviathan et al., 2023) at temperature 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from handy_qwen.engine.backend import TextDecoder
from handy_qwen.engine.output import loop_start
from handy_qwen.engine.sessions import Cancel
from handy_qwen.engine.transcript import Timings


@dataclass(frozen=True, slots=True)
class Generated:
    """Tokens without the one that ended them. ``is_complete`` is False if the limit cut them off."""

    tokens: tuple[int, ...]
    is_complete: bool
    kept_draft_tokens: int


def generate(
    decoder: TextDecoder,
    ends: frozenset[int],
    limit: int,
    cancel: Cancel,
    *,
    draft: Sequence[int],
    timings: Timings,
    written: list[int],
) -> Generated:
    """Write the answer to what ``decoder`` has read and recorded.

    Args:
        decoder: At least one row is recorded since its last run. Is left with the answer in its cache.
        ends: Tokens that end the answer.
        limit: The most tokens to write, at least 1.
        cancel: Stops the work.
        draft: Tokens to try first.
        timings: ``prefill_s`` and ``decode_s`` are added to.
        written: Receives the tokens as they come, so that they are not lost when the work is stopped.

    Raises:
        CancelledError: ``cancel`` was set.
        EngineError: A run failed.
    """
    answer = _Answer(ends, limit, written)
    start, draft = decoder.length, tuple(draft[:limit])
    with timings.add_to("prefill_s"):
        if draft:
            decoder.extend(draft)
        choices = decoder.logits(len(draft) + 1, cancel).argmax(axis=-1)
        kept = _check(draft, choices.tolist(), answer)
        decoder.rewind(start + kept)
    with timings.add_to("decode_s"):
        while not answer.is_over:
            decoder.extend((answer.tokens[-1],))
            answer.add(int(decoder.logits(1, cancel)[0].argmax()))
    return Generated(tuple(answer.tokens), answer.is_complete, kept)


def _check(draft: Sequence[int], choices: list[int], answer: _Answer) -> int:
    """Add the model's choices to the answer up to the first that the draft has not; count those it has."""
    for position, choice in enumerate(choices):
        answer.add(choice)
        if answer.is_over or position == len(draft) or choice != draft[position]:
            return position
    raise AssertionError("there is one choice more than drafted tokens")


class _Answer:
    """The tokens so far and whether they are to go on: a function of the tokens alone, drafted or not."""

    def __init__(self, ends: frozenset[int], limit: int, written: list[int]) -> None:
        self._ends = ends
        self._limit = limit
        self.tokens = written
        self.is_complete = False
        self.is_over = False

    def add(self, token: int) -> None:
        if token in self._ends:
            self.is_complete = self.is_over = True
            return
        self.tokens.append(token)
        loop = loop_start(self.tokens)
        if loop is not None:
            del self.tokens[loop:]
            self.is_complete = self.is_over = True
        elif len(self.tokens) >= self._limit:
            self.is_over = True
