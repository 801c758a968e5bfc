"""Greedy decoding with speculative verification of a draft.

A draft is what an earlier run made of the beginning of the same audio. Some of its tokens are read together
with the prompt, or with the last token written; each is accepted as long as the model itself would write it
there. Where the two part, the model writes alone until it is back at the draft's words:

    draft     I | want | to | eight | of | them | now
    answer    I | want | to | ate  | of ...            from here the draft is verified again: them | now

A draft changes how long decoding takes, never what is written.

Source: the acceptance rule is that of speculative decoding (Leviathan et al., 2023) at temperature 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from handy_qwen.engine.api import Cancel, Timings
from handy_qwen.engine.qwen3.model import Float32, TextDecoder
from handy_qwen.engine.qwen3.output import End, loop_start
from handy_qwen.engine.qwen3.prompt import ANY, Beginnings
from handy_qwen.errors import EngineError
from handy_qwen.message import Message

_FIRST_TOKENS = 4  # verified where the answer seems to be back at the draft; doubled while they are accepted
_SEARCHED = 6  # tokens to either side of where it should come back


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
    beginnings: Beginnings = ANY,
) -> End:
    """Write the answer to what ``decoder`` has read and recorded.

    Args:
        decoder: At least one row is recorded since its last run.
        ends: Tokens that end the answer.
        limit: The most tokens to write, at least 1.
        cancel: Stops the work.
        draft: Tokens to verify first; they may be anything.
        timings: ``prefill_s`` (the first run) and ``decode_s`` are added to.
        written: Receives the tokens, without the one that ended them, as they are written.
        poll: Called between two runs. What it raises ends the work.
        beginnings: How the answer may begin.

    Returns:
        What ended the answer: the model, the limit, or a loop, of which ``written`` has the first copy.

    Raises:
        CancelledError: ``cancel`` was set.
        EngineError: A run failed.
    """
    answer, verifier = _Answer(ends, limit, written), _DraftVerifier(draft, decoder.draft_rows)
    stage = "prefill_s"
    while True:
        start, proposed = decoder.length, verifier.propose(limit - len(written))
        with timings.add_to(stage):
            if proposed:
                decoder.extend(proposed)
            logits = decoder.logits(len(proposed) + 1, cancel)
            choices = beginnings.restrict(first_choices(logits), logits, [*written, *proposed])
        accepted = answer.accept(proposed, choices)
        if answer.end is not None:
            return answer.end
        verifier.follow(written[-1], len(proposed), accepted)
        decoder.truncate(start + accepted)
        decoder.extend(written[-1:])
        stage = "decode_s"
        poll()


def first_choices(logits: Float32) -> list[int]:
    """The token with the largest logit, for each row.

    Raises:
        EngineError: Logits are not finite.
    """
    best = logits.argmax(axis=-1)
    if not np.isfinite(logits[np.arange(len(logits)), best]).all():  # NaN wins every comparison of argmax
        raise EngineError(
            Message("The model gives numbers that make no sense."), Message("Install or convert it again.")
        )
    return [int(token) for token in best]


class _DraftVerifier:
    """Proposes the tokens of the draft that are worth verifying next."""

    def __init__(self, draft: Sequence[int], rows: int) -> None:
        """At most ``rows`` tokens are verified in one run; 0 for a decoder that would not gain by it."""
        self._draft = tuple(draft) if rows else ()
        self._max_rows = self._rows = rows
        self._next = 0  # position in the draft of the token that should come next
        self._is_lost = False  # whether the answer has left the draft

    def propose(self, limit: int) -> tuple[int, ...]:
        """Tokens to verify, at most ``limit``."""
        if self._is_lost:
            return ()
        return self._draft[self._next : self._next + min(self._rows, limit)]

    def follow(self, last: int, proposed: int, accepted: int) -> None:
        """Note how many tokens were proposed and accepted, and that the answer now ends with ``last``."""
        self._next += accepted
        if not self._is_lost and self._draft[self._next : self._next + 1] == (last,):
            self._rows = min(2 * self._rows, self._max_rows)
            self._next += 1
            return
        found = self._find(last, only_after=proposed > accepted or not self._is_lost)
        self._is_lost = found is None
        self._next = (self._next if found is None else found) + 1
        self._rows = min(_FIRST_TOKENS, self._max_rows)

    def _find(self, token: int, *, only_after: bool) -> int | None:
        """Where ``token`` is in the draft nearest to where it should be."""
        first = self._next + 1 if only_after else max(0, self._next - _SEARCHED)
        places = range(first, min(len(self._draft), self._next + _SEARCHED + 1))
        found = [place for place in places if self._draft[place] == token]
        return min(found, key=lambda place: abs(place - self._next), default=None)


class _Answer:
    """The tokens so far and whether they go on: a function of the tokens alone, drafted or not."""

    def __init__(self, ends: frozenset[int], limit: int, tokens: list[int]) -> None:
        self._ends = ends
        self._limit = limit
        self._tokens = tokens
        self.end: End | None = None  # None: it goes on

    def accept(self, proposed: Sequence[int], choices: Sequence[int]) -> int:
        """Add the model's choices up to the first that was not proposed; return how many were."""
        for position, choice in enumerate(choices):
            self._add(choice)
            if self.end is not None or position == len(proposed) or choice != proposed[position]:
                return position
        raise AssertionError("there is one choice more than tokens proposed")

    def _add(self, token: int) -> None:
        if token in self._ends:
            self.end = End.MODEL
            return
        self._tokens.append(token)
        loop = loop_start(self._tokens)
        if loop is not None:
            del self._tokens[loop:]
            self.end = End.LOOP
        elif len(self._tokens) >= self._limit:
            self.end = End.LIMIT
