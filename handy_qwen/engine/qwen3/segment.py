"""One segment of a take: features, encoder, decoder, and the tokens that this writes.

    samples --chunks of 1 s--> log-mel --windows of 8 s--> encoder --> rows in the decoder's cache
                                                       `- the last, incomplete window: again for each answer

A window whose 8 s have been heard is final: it is encoded and read once. To answer, the cache is truncated to
the end of the final windows; then the incomplete window and the prompt's tail are read and the text is
written.

The floor of the features depends on the loudest bin of the clip. With ``is_exact`` that is the loudest of the
whole clip, as in the reference; otherwise the loudest up to the end of each window, which is known while the
speaker continues. Up to 8 s the two are the same.

Decoding is greedy, with a draft: the answer of an earlier run to the beginning of the same audio. Some of its
tokens are read together with the prompt, or with the last token written; each is accepted if the model
itself would write it there. Where the two diverge, the model writes alone until it is back at the draft's
words:

    draft     I | want | to | eight | of | them | now
    answer    I | want | to | ate  | of ...            from here the draft is verified again: them | now

A draft affects the duration of decoding, never the result.

Source: the acceptance rule is that of speculative decoding (Leviathan et al., 2023) at temperature 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from handy_qwen.engine.api import Cancel, Timings
from handy_qwen.engine.qwen3 import features
from handy_qwen.engine.qwen3.features import (
    CHUNK_FRAMES,
    MIN_SAMPLES,
    SAMPLE_RATE,
    frame_count,
    samples_needed,
)
from handy_qwen.engine.qwen3.model import Float32, ModelParts, TextDecoder
from handy_qwen.engine.qwen3.prompt import ANY, Beginnings, End, Prompt, loop_start
from handy_qwen.errors import EngineError
from handy_qwen.message import Message

_TOKENS_PER_S = 25
_SPARE_TOKENS = 64
_PREPARE_EVERY_SAMPLES = SAMPLE_RATE // 4
_PIECE_ROWS = 40  # of a draft that may become outdated: a quarter of a second on two slow cores
_FIRST_TOKENS = 4  # verified where the answer seems to rejoin the draft; doubled while they are accepted
_SEARCHED = 6  # tokens to either side of where it should rejoin


def token_limit(samples: int) -> int:
    """The most tokens an answer to ``samples`` samples may have: above those of the fastest speech.

    The vocabulary spells Hindi and Greek in pieces of a letter or two: at an ordinary pace they have 14
    tokens a second, spoken fast 20, where English has 3.4.
    """
    return math.ceil(_TOKENS_PER_S * samples / SAMPLE_RATE) + _SPARE_TOKENS


class _WindowEnd(NamedTuple):
    """Where a final window ends: rows of the decoder, and the loudest bin up to there."""

    rows: int
    top: float


class Segment:
    """Uses the decoder's cache from its construction until the next segment is made.

    Every method may raise CancelledError or EngineError and can be called again: work continues after the
    last final window. Durations are added to ``timings``.
    """

    def __init__(self, model: ModelParts, prompt: Prompt, timings: Timings, *, is_exact: bool) -> None:
        self._model = model
        self._prompt = prompt
        self._timings = timings
        self._is_exact = is_exact
        self._chunks_per_window = model.config.audio.window_frames // model.config.audio.chunk_frames
        self._raw: dict[int, Float32] = {}  # final chunks of the incomplete window
        self._prepared = 0  # chunks that the encoder has prepared, for this loudest bin:
        self._prepared_top = -math.inf
        self._next_prepare = 0  # samples
        model.decoder.truncate(0)
        model.decoder.extend(prompt.head)
        # After the prompt's head, then after each window
        self._ends = [_WindowEnd(model.decoder.length, -math.inf)]

    @property
    def windows(self) -> int:
        """Final windows read so far."""
        return len(self._ends) - 1

    def prefill(self, cancel: Cancel) -> None:
        """Read what the decoder has recorded: at first the prompt's head, while there is no audio yet."""
        with self._timings.add_to("prefill_s"):
            self._model.decoder.flush(cancel)

    def advance(self, samples: Float32, cancel: Cancel) -> bool:
        """Read the next window if ``samples``, all of the segment so far, make it final; return whether."""
        if self.missing_samples(samples) > 0:
            return False
        cancel.check()
        raw = self._raw_chunks(samples)
        top = max(self._ends[-1].top, float(raw.max()))
        rows = self._encode(raw, top, cancel)
        decoder = self._model.decoder
        decoder.truncate(self._ends[-1].rows)
        decoder.extend(rows)
        self.prefill(cancel)
        self._ends.append(_WindowEnd(decoder.length, top))
        self._raw.clear()
        return True

    def missing_samples(self, samples: Float32) -> int:
        """How many more than ``samples`` make the next window final; 0 or less if it is final."""
        return samples_needed((self.windows + 1) * self._chunks_per_window - 1) - len(samples)

    def prepare(self, samples: Float32, cancel: Cancel) -> bool:
        """Have the encoder prepare one whole second of the incomplete window; return whether there was one.

        A louder sound raises the floor of the seconds before it: those it changes are prepared again.
        """
        first = self.windows * self._chunks_per_window
        if len(samples) >= self._next_prepare:
            self._next_prepare = len(samples) + _PREPARE_EVERY_SAMPLES
            raw = self._raw_chunks(samples)
            top = max(self._ends[-1].top, float(raw.max(initial=-math.inf)))
            if top != self._prepared_top:
                self._prepared, self._prepared_top = first, top
        chunk = max(first, self._prepared)
        if chunk not in self._raw:
            return False
        with self._timings.add_to("encoder_s"):
            mel = np.ascontiguousarray(features.normalize(self._raw[chunk], self._prepared_top).T)
            self._model.encoder.prepare(chunk - first, mel, cancel)
        self._prepared = chunk + 1
        return True

    def answer(
        self,
        samples: Float32,
        draft: Sequence[int],
        cancel: Cancel,
        *,
        written: list[int],
        poll: Callable[[], None],
        is_in_pieces: bool = False,
        is_unsure: bool = False,
    ) -> End:
        """Write the answer to ``samples``, all of the segment; verify the tokens of ``draft`` first.

        ``samples`` has the shape (n,), n >= 1, and may be fewer than ``advance`` had, which must not have
        been called in exact mode. ``written`` receives the tokens as they are written, so that they survive a
        cancellation. ``poll`` is called between two runs, once ``samples`` are no longer needed; with
        ``is_in_pieces``, the incomplete window is read in several runs, so that it is called sooner.
        ``is_unsure``: it is uncertain whether anybody speaks; if the language is forced, which keeps the
        model from saying so, check first whether it would.
        """
        limit = token_limit(len(samples))
        if len(samples) < MIN_SAMPLES:
            samples = np.pad(samples, (0, MIN_SAMPLES - len(samples)))
        if self._is_exact:
            self._ends[0] = self._ends[0]._replace(top=self._loudest(samples, cancel))
        while self.windows and len(samples) < samples_needed(self.windows * self._chunks_per_window - 1):
            self._ends.pop()  # the segment was cut before the end of what was read
            self._raw.clear()
        while self.advance(samples, cancel):
            pass
        decoder = self._model.decoder
        decoder.truncate(self._ends[-1].rows)
        raw = self._raw_chunks(samples)
        if len(raw):
            rows = self._encode(raw, max(self._ends[-1].top, float(raw.max())), cancel)
            poll()
            if is_in_pieces:
                for first in range(0, len(rows), _PIECE_ROWS):
                    decoder.extend(rows[first : first + _PIECE_ROWS])
                    self.prefill(cancel)
                    poll()
            else:
                decoder.extend(rows)
        tail = self._prompt.tail
        if is_unsure and self._prompt.nobody:
            decoder.extend(tail[: self._prompt.look])
            if self._hears_nobody(cancel):
                return End.NOBODY
            tail = tail[self._prompt.look :]
        decoder.extend(tail)
        return generate(
            decoder,
            self._prompt.ends,
            limit,
            cancel,
            draft=draft,
            timings=self._timings,
            written=written,
            poll=poll,
            beginnings=self._prompt.beginnings,
        )

    def _hears_nobody(self, cancel: Cancel) -> bool:
        """Whether the model, asked for the language, would say that nobody speaks."""
        decoder = self._model.decoder
        rows = decoder.length
        for token in self._prompt.nobody:
            with self._timings.add_to("prefill_s"):
                (choice,) = first_choices(decoder.logits(1, cancel))
            if choice != token:
                decoder.truncate(rows)
                return False
            decoder.extend((token,))
        return True

    def _loudest(self, samples: Float32, cancel: Cancel) -> float:
        loudest = -math.inf
        for chunk in range(-(-frame_count(len(samples)) // CHUNK_FRAMES)):
            cancel.check()
            with self._timings.add_to("features_s"):
                loudest = max(loudest, float(features.log_mel_chunk(samples, chunk).max()))
        return loudest

    def _raw_chunks(self, samples: Float32) -> Float32:
        """Raw mel of the incomplete window, as far as ``samples`` go. Shape (frames, 128)."""
        first = self.windows * self._chunks_per_window
        end = min(-(-frame_count(len(samples)) // CHUNK_FRAMES), first + self._chunks_per_window)
        parts = [np.zeros((0, features.N_MELS), np.float32)]
        with self._timings.add_to("features_s"):
            for chunk in range(first, end):
                is_final = len(samples) >= samples_needed(chunk)
                raw = self._raw.get(chunk) if is_final else None
                if raw is None:
                    raw = features.log_mel_chunk(samples, chunk)
                if is_final:
                    self._raw[chunk] = raw
                parts.append(raw)
            return np.concatenate(parts)

    def _encode(self, raw: Float32, top: float, cancel: Cancel) -> Float32:
        """Encode one window. Shape (tokens, hidden)."""
        with self._timings.add_to("features_s"):
            mel = np.ascontiguousarray(features.normalize(raw, top).T)
        with self._timings.add_to("encoder_s"):
            return self._model.encoder.encode(mel, cancel)


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
    """Write the answer to the rows of ``decoder``.

    Args:
        decoder: At least one row is recorded since its last run.
        ends: Tokens that end the answer.
        limit: The most tokens to write, at least 1.
        cancel: Stops the work.
        draft: Tokens to verify first; they may be anything.
        timings: ``prefill_s`` (the first run) and ``decode_s`` are added to.
        written: Receives the tokens, without the end token, as they are written.
        poll: Called between two runs. An exception ends the work.
        beginnings: How the answer may begin.

    Returns:
        What ended the answer: the model, the limit, or a loop, whose first copy is in ``written``.

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
    """The token with the largest logit, for each row; EngineError if logits are not finite."""
    best = logits.argmax(axis=-1)
    if not np.isfinite(logits[np.arange(len(logits)), best]).all():  # NaN wins every comparison of argmax
        raise EngineError(
            Message("The model gives numbers that make no sense."), Message("Install or convert it again.")
        )
    return [int(token) for token in best]


class _DraftVerifier:
    """Proposes the tokens of the draft to verify next: at most ``rows`` in one run."""

    def __init__(self, draft: Sequence[int], rows: int) -> None:
        self._draft = tuple(draft) if rows else ()
        self._max_rows = self._rows = rows
        self._next = 0  # position in the draft of the expected token
        self._is_lost = False  # whether the answer has left the draft

    def propose(self, limit: int) -> tuple[int, ...]:
        if self._is_lost:
            return ()
        return self._draft[self._next : self._next + min(self._rows, limit)]

    def follow(self, last: int, proposed: int, accepted: int) -> None:
        """Record how many tokens were proposed and accepted, and that the answer now ends with ``last``."""
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
        first = self._next + 1 if only_after else max(0, self._next - _SEARCHED)
        places = range(first, min(len(self._draft), self._next + _SEARCHED + 1))
        found = [place for place in places if self._draft[place] == token]
        return min(found, key=lambda place: abs(place - self._next), default=None)


class _Answer:
    """The tokens so far and whether they continue: depends on the tokens alone, drafted or not."""

    def __init__(self, ends: frozenset[int], limit: int, tokens: list[int]) -> None:
        self._ends = ends
        self._limit = limit
        self._tokens = tokens
        self.end: End | None = None  # None: not ended

    def accept(self, proposed: Sequence[int], choices: Sequence[int]) -> int:
        """Add the model's choices up to the first that was not proposed; return how many were accepted."""
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
