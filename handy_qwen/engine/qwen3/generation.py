"""Greedy decoding, with a draft checked many tokens at a time.

A draft is what an earlier run made of the beginning of the same audio. Some of its tokens are read together
with the prompt, or with the last token written; each is kept as long as it is what the model itself would
write there. Where the two part, the model goes on by itself until it has come back to the draft's words:

    draft     I | want | to | eight | of | them | now
    answer    I | want | to | ate  | of ...            from here the draft is tried again: them | now

A draft changes how long it takes, never what is written.

Source: the acceptance rule is that of speculative decoding (Leviathan et al., 2023) at temperature 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from handy_qwen.engine.api import Timings
from handy_qwen.engine.qwen3.model import Float32, TextDecoder
from handy_qwen.engine.qwen3.output import loop_start
from handy_qwen.engine.qwen3.sessions import Cancel
from handy_qwen.errors import EngineError

_FIRST_TRY = 4  # tokens tried where the answer seems to have come back to the draft; doubled while they hold
_SEARCHED = 6  # tokens to either side of where it should come back


@dataclass(frozen=True, slots=True)
class Generated:
    """Tokens without the one that ended them. ``is_complete`` is False if the limit cut them off.

    ``kept_draft_tokens`` of ``tried_draft_tokens`` were the model's own choice. ``runs`` are the decoder's.
    """

    tokens: tuple[int, ...]
    is_complete: bool
    tried_draft_tokens: int
    kept_draft_tokens: int
    runs: int


def generate(
    decoder: TextDecoder,
    ends: frozenset[int],
    limit: int,
    cancel: Cancel,
    *,
    draft: Sequence[int],
    timings: Timings,
    written: list[int],
    poll: Callable[[], None],
) -> Generated:
    """Write the answer to what ``decoder`` has read and recorded.

    Args:
        decoder: At least one row is recorded since its last run.
        ends: Tokens that end the answer.
        limit: The most tokens to write, at least 1.
        cancel: Stops the work.
        draft: Tokens to try first; they may be anything.
        timings: ``prefill_s`` (the first run) and ``decode_s`` are added to.
        written: Receives the tokens as they come, so that they are not lost when the work is stopped.
        poll: Called between two runs. What it raises ends the work.

    Raises:
        CancelledError: ``cancel`` was set.
        EngineError: A run failed.
    """
    answer, guide = _Answer(ends, limit, written), _DraftVerifier(draft, decoder.draft_rows)
    tried_tokens, kept_tokens, runs = 0, 0, 0
    while True:
        start, tried = decoder.length, guide.proposed(limit - len(answer.tokens))
        with timings.add_to("decode_s" if runs else "prefill_s"):
            if tried:
                decoder.extend(tried)
            choices = _choices(decoder.logits(len(tried) + 1, cancel))
        kept = _verify(tried, choices, answer)
        runs, tried_tokens, kept_tokens = runs + 1, tried_tokens + len(tried), kept_tokens + kept
        if answer.is_over:
            return Generated(tuple(answer.tokens), answer.is_complete, tried_tokens, kept_tokens, runs)
        guide.follow(answer.tokens, len(tried), kept)
        decoder.rewind(start + kept)
        decoder.extend(answer.tokens[-1:])
        poll()


def _choices(logits: Float32) -> list[int]:
    """The token with the largest logit, for each row."""
    best = logits.argmax(axis=-1)
    if not np.isfinite(logits[np.arange(len(logits)), best]).all():  # NaN wins every comparison of argmax
        raise EngineError("The model gives numbers that make no sense.", "Install or convert it again.")
    return [int(token) for token in best]


def _verify(tried: Sequence[int], choices: list[int], answer: _Answer) -> int:
    """Add the model's choices to the answer up to the first that was not tried; count those that were."""
    for position, choice in enumerate(choices):
        answer.add(choice)
        if answer.is_over or position == len(tried) or choice != tried[position]:
            return position
    raise AssertionError("there is one choice more than tokens tried")


class _DraftVerifier:
    """Says which tokens of the draft are worth a try next."""

    def __init__(self, draft: Sequence[int], rows: int) -> None:
        """At most ``rows`` tokens are tried in one run; 0 for a decoder that would not gain by it."""
        self._draft = tuple(draft) if rows else ()
        self._most = rows
        self._rows = rows
        self._next = 0  # place in the draft of the token that should come next
        self._is_lost = False  # whether the answer has left the draft

    def proposed(self, room: int) -> tuple[int, ...]:
        """Tokens to try, at most ``room``."""
        if self._is_lost:
            return ()
        return self._draft[self._next : self._next + min(self._rows, room)]

    def follow(self, tokens: Sequence[int], tried: int, kept: int) -> None:
        """Learn what the answer is by now: ``kept`` of ``tried`` tokens and one more, its last."""
        self._next += kept
        if not self._is_lost and self._draft[self._next : self._next + 1] == (tokens[-1],):
            self._rows = min(2 * self._rows, self._most)
            self._next += 1
            return
        back = self._place_of(tokens[-1], past=tried > kept or not self._is_lost)
        self._is_lost = back is None
        self._next = self._next + 1 if back is None else back + 1
        self._rows = min(_FIRST_TRY, self._most)

    def _place_of(self, token: int, *, past: bool) -> int | None:
        """Where ``token`` stands in the draft nearest to where it should; only behind that if ``past``."""
        first = self._next + 1 if past else max(0, self._next - _SEARCHED)
        places = range(first, min(len(self._draft), self._next + _SEARCHED + 1))
        found = [place for place in places if self._draft[place] == token]
        return min(found, key=lambda place: abs(place - self._next), default=None)


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
