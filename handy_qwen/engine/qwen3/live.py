"""Transcription that keeps up with the speaker.

    feed(block) ... feed(block)      any thread, at once
    advance() while it returns True  the engine's thread: windows that are final, then drafts
    preview()                        the text of the drafts so far
    finish()                         the engine's thread: the text

While somebody speaks, ``advance`` reads each window of 8 s as it becomes final, and from time to time writes
a draft of the answer. At a pause the draft is the answer: if only silence follows, ``finish`` returns it.
Otherwise ``finish`` reads the incomplete window, verifies the last draft and writes the rest.

A file is transcribed in the same way, without drafts. Drafts affect the duration of ``finish``, never the
text.

A segment in which the model lost its place (it repeated itself, or did not end) is divided in two, repeatedly
while the parts are long enough; an incomplete part ends with a mark. An answer that was probably read from
the context is written again without it: unless the two sound alike, the second counts. Until then neither
is shown.
"""

from __future__ import annotations

import queue
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from handy_qwen.engine.api import Cancel, Preview, TextSegment, Timings, Transcript, join_texts
from handy_qwen.engine.qwen3.features import SAMPLE_RATE
from handy_qwen.engine.qwen3.model import Float32, ModelParts
from handy_qwen.engine.qwen3.prompt import (
    Answer,
    End,
    Prompt,
    build_prompt,
    is_read_out,
    is_said_all_the_same,
    parse_answer,
)
from handy_qwen.engine.qwen3.segment import Segment
from handy_qwen.engine.qwen3.segmenter import ClosedSegment, Segmenter
from handy_qwen.errors import AudioFormatError, CancelledError
from handy_qwen.languages import UNSPACED_CLASS
from handy_qwen.message import Message

_FED_AT_ONCE_SAMPLES = SAMPLE_RATE  # between two checks of ``cancel``

_DRAFT_EVERY_S = 1.0
_WORK_SHARE = 0.4
"""Share of the time while somebody speaks, for windows and drafts together."""

_SHORT_HEAD_ROWS = 32  # the template alone has 9
_UNSETTLED_WORDS = 3.0
_CHARACTER_WORDS = 0.5
_SEARCHED_UNITS = 6  # to either side of the expected continuation of a draft
# Marks that belong to the preceding character: vowels and tones of those scripts, voicing of kana
_MARKS = (
    r"\u0e31\u0e33-\u0e3a\u0e45\u0e47-\u0e4e\u0eb1\u0eb3-\u0ebc\u0ec8-\u0ecd"
    r"\u102b-\u103e\u17b4-\u17d3\u3099\u309a"
)
_UNIT = re.compile(rf"\s*(?:[{UNSPACED_CLASS}][{_MARKS}]*|[^\s{UNSPACED_CLASS}]+)")
_UNSPACED_UNIT = re.compile(rf"\s*[{UNSPACED_CLASS}]")


@dataclass(slots=True)
class Draft:
    """An answer to a segment's first ``samples``; without ``end``, its beginning and the previous draft."""

    samples: int = 0
    is_unsure: bool = False
    tokens: list[int] = field(default_factory=list)
    end: End | None = None


class LiveTranscription:
    """One take; implements ``api.LiveText``. Uses the model until it is finished or cancelled."""

    def __init__(
        self,
        model: ModelParts,
        prompt: Prompt,
        segmenter: Segmenter,
        *,
        is_exact: bool,
        has_drafts: bool,
        cancel: Cancel,
    ) -> None:
        self._model = model
        self._prompt = prompt
        self._segmenter = segmenter
        self._is_exact = is_exact
        self._has_drafts = has_drafts and not is_exact
        self._cancel = cancel
        self._draft_cancel = Cancel()
        self._inbox: queue.SimpleQueue[Float32] = queue.SimpleQueue()
        self._begin_s = time.perf_counter()
        self._closed: list[ClosedSegment] = []  # still to be transcribed
        self._answers: list[Answer] = []
        self._segments: list[TextSegment] = []
        self._tokens: list[int] = []
        self.settled_samples = 0
        self._timings = Timings()
        self._preview = PreviewText()
        # Without drafts, a short head is read with what follows it: alone it would cost as much as a long
        # one.
        self._is_head_read = not self._has_drafts and len(prompt.head) <= _SHORT_HEAD_ROWS
        self._begin_segment()

    def feed(self, block: Float32) -> None:
        """See ``api.LiveText``."""
        if block.ndim != 1 or block.dtype != np.float32:
            raise AudioFormatError(
                Message(
                    "Audio must be 1-D float32, not {ndim}-D {dtype}.", ndim=block.ndim, dtype=block.dtype
                )
            )
        self._inbox.put(block)

    def advance(self) -> bool:
        """See ``api.LiveText``: a closed segment, the prompt, a window that is final, or a draft."""
        self._cancel.check()
        self._take_in()
        if self._closed:
            self._transcribe_next()
            return True
        if self._is_exact:
            return False
        if not self._is_head_read:
            self._segment.prefill(self._cancel)
            self._is_head_read = True
            return True
        begin = time.perf_counter()
        if self._segment.advance(self._segmenter.open_samples, self._cancel):
            self._schedule.delay(time.perf_counter() - begin)
            return True
        return self._has_drafts and not self._draft_cancel.is_set and self._work_ahead()

    def preview(self) -> Preview:
        """See ``api.LiveText``."""
        return self._preview.shown

    def stop_drafting(self) -> None:
        """See ``api.LiveText``."""
        self._draft_cancel.set()

    def cancel(self) -> None:
        """See ``api.LiveText``."""
        self._cancel.set()
        self._draft_cancel.set()

    def finish(self, on_step: Callable[[], None] = lambda: None) -> Transcript:
        """See ``api.LiveText``."""
        self._cancel.check()
        self._take_in()
        self._closed += self._segmenter.finish()
        while self._closed:
            self._transcribe_next()
            on_step()
        self._timings.total_s = time.perf_counter() - self._begin_s
        return self._transcript(self._segmenter.heard)

    def settled(self) -> Transcript:
        """See ``api.LiveText``."""
        return self._transcript(self.settled_samples)

    def _transcript(self, samples: int) -> Transcript:
        """The answers so far, to the first ``samples`` of the take."""
        languages = list(dict.fromkeys(answer.language for answer in self._answers if answer.language))
        has_text = any(answer.text for answer in self._answers)
        return Transcript(
            text=join_texts([answer.marked for answer in self._answers]) if has_text else "",
            language=",".join(languages),
            is_language_forced=bool(self._prompt.language),
            tokens=tuple(self._tokens),
            is_truncated=not all(answer.is_whole for answer in self._answers),
            duration_s=samples / SAMPLE_RATE,
            timings=self._timings,
            segments=tuple(self._segments) if has_text else (),
        )

    def _begin_segment(self) -> None:
        self._segment = Segment(self._model, self._prompt, self._timings, is_exact=self._is_exact)
        self._draft = Draft()
        self._schedule = DraftSchedule()

    def _take_in(self) -> None:
        while not self._inbox.empty():
            block = self._inbox.get()
            for first in range(0, len(block), _FED_AT_ONCE_SAMPLES):
                self._cancel.check()
                self._closed += self._segmenter.feed(block[first : first + _FED_AT_ONCE_SAMPLES])
        if not self._closed:  # silence before the first word is no longer needed
            self.settled_samples = self._segmenter.start

    def _transcribe_next(self) -> None:
        """Write the answer to the first closed segment, or divide it, and begin the next."""
        closed, text = self._closed[0], ""
        if closed.end:
            draft, answer = self._answer_to(closed)
            if not answer.is_whole and (parts := self._segmenter.divided(closed)):
                self._closed[:1] = parts
                self._begin_segment()
                self._draft.tokens = draft.tokens  # possibly of the first part
                return
            text = answer.marked
            self._answers.append(answer)
            whole = closed.start, closed.start + len(closed.samples)
            speech = self._segmenter.speech(*whole) or [whole]
            in_s = tuple((start / SAMPLE_RATE, end / SAMPLE_RATE) for start, end in speech)
            self._segments += [TextSegment(text, in_s)] if text else []
            self._tokens += draft.tokens
        self.settled_samples = closed.start + len(closed.samples)
        del self._closed[0]
        self._preview.end_segment(text)
        self._begin_segment()

    def _answer_to(self, closed: ClosedSegment) -> tuple[Draft, Answer]:
        """The answer to a segment: its tokens and their text."""
        draft, is_unsure = self._draft, closed.is_unsure and bool(self._prompt.nobody)
        if draft.end is None or (draft.samples, draft.is_unsure) != (closed.end, is_unsure):
            draft = Draft(closed.end, is_unsure)
            self._write(draft, closed.samples[: closed.end], self._draft.tokens, self._cancel)
        answer = self._parsed(draft)
        if self._is_read_out(answer, closed.speech_s):
            prompt = build_prompt(self._model.tokenizer, language=self._prompt.languages)
            self._segment = Segment(self._model, prompt, self._timings, is_exact=self._is_exact)
            plain_draft = Draft(closed.end, is_unsure)
            self._write(plain_draft, closed.samples[: closed.end], [], self._cancel)
            plain = self._parsed(plain_draft)
            if not is_said_all_the_same(answer, plain.text):
                return plain_draft, plain
        return draft, answer

    def _work_ahead(self) -> bool:
        """Do some work in advance, so that less is left when the key is released."""
        segmenter = self._segmenter
        if not segmenter.is_at_rest and self._segment.prepare(segmenter.open_samples, self._cancel):
            return True
        is_due = self._is_draft_due()
        if is_due:
            self._make_draft()
        return is_due

    def _is_draft_due(self) -> bool:
        segmenter = self._segmenter
        now = len(segmenter.open_samples)
        if now == 0 or (self._draft.end is not None and self._draft.samples == now):
            return False
        if segmenter.is_at_rest or segmenter.is_in_gap:
            return segmenter.is_at_rest
        return self._schedule.is_due(now, self._segment.missing_samples(segmenter.open_samples))

    def _make_draft(self) -> None:
        """Write the answer as if the take ended here."""
        segmenter, old = self._segmenter, self._draft
        samples, is_at_rest, where = segmenter.open_samples, segmenter.is_at_rest, segmenter.where
        speech_s = segmenter.speech_s(*where) if self._prompt.context else 0.0
        is_unsure = bool(self._prompt.nobody) and segmenter.is_unsure(*where)
        begin = time.perf_counter()
        self._draft = draft = Draft(len(samples), is_unsure)
        try:
            self._write(draft, samples, old.tokens, self._cancel if is_at_rest else self._draft_cancel)
        except CancelledError:
            self._cancel.check()
            draft.tokens += old.tokens[len(draft.tokens) :]  # what was not verified may still be right
        self._schedule.drafted(len(samples), time.perf_counter() - begin)
        if draft.end is not None and not self._is_read_out(answer := self._parsed(draft), speech_s):
            self._preview.show(answer.text)

    def _write(self, draft: Draft, samples: Float32, old: list[int], cancel: Cancel) -> None:
        """Fill ``draft`` with the answer to ``samples``, verifying the tokens ``old`` first."""
        is_last = draft is not self._draft
        draft.end = self._segment.answer(
            samples,
            old,
            cancel,
            written=draft.tokens,
            poll=self._cancel.check if is_last else self._stop_stale_draft,
            is_in_pieces=not is_last and not self._segmenter.is_at_rest,
            is_unsure=draft.is_unsure,
        )

    def _stop_stale_draft(self) -> None:
        """Raise CancelledError if the draft is outdated by new speech and an answer to that is wanted now."""
        self._take_in()
        segmenter, drafted = self._segmenter, self._draft.samples
        if self._closed:
            is_stale = self._closed[0].end != drafted
        else:
            is_wanted = segmenter.is_at_rest or self._draft_cancel.is_set
            is_stale = is_wanted and len(segmenter.open_samples) != drafted
        if is_stale:
            raise CancelledError

    def _parsed(self, draft: Draft) -> Answer:
        assert draft.end is not None
        return parse_answer(draft.tokens, self._model.tokenizer, self._prompt, draft.end)

    def _is_read_out(self, answer: Answer, speech_s: float) -> bool:
        context = self._prompt.context
        return bool(context) and is_read_out(answer.text, self._prompt.entries, speech_s)


class DraftSchedule:
    """When the next draft of a segment is due, in samples of the segment.

    Drafts cost processor time and battery, so there are only as many as leave the engine idle for part of the
    time: fewer on a slow machine, hardly any on a very slow one. At a pause there is always one.
    """

    def __init__(self) -> None:
        self._next = int(_DRAFT_EVERY_S * SAMPLE_RATE)
        self._took_s = 0.0  # duration of the last draft

    def is_due(self, samples: int, until_window: int) -> bool:
        """Whether a draft is due after ``samples``.

        None is begun that would still be running when the next window is final, ``until_window`` samples from
        now: the window, which is most of a draft's cost, would have to wait.
        """
        return samples >= self._next and until_window > self._took_s * SAMPLE_RATE

    def delay(self, seconds: float) -> None:
        """Other work took ``seconds``."""
        self._next += int(seconds / _WORK_SHARE * SAMPLE_RATE)

    def drafted(self, samples: int, seconds: float) -> None:
        """A draft of ``samples`` took ``seconds``."""
        self._next = samples + int(max(_DRAFT_EVERY_S, seconds / _WORK_SHARE) * SAMPLE_RATE)
        self._took_s = seconds


class PreviewText:
    """Turns a sequence of drafts into a preview that does not flicker.

    A word is committed once two drafts in a row have it and a few more words follow: a model revises what it
    heard at the very end of the audio. In scripts without spaces, a character counts as half a word.
    Committed text never changes; if a later draft contradicts it, the preview continues where they agree
    again. The text of the take is what ``finish`` returns, not this.
    """

    def __init__(self) -> None:
        self._ended = ""  # ended segments, as shown
        self._committed: list[str] = []  # of the open segment, as are the drafts
        self._last: list[str] = []
        self.shown = Preview()

    def show(self, text: str) -> None:
        """Add a new draft: the text of the open segment."""
        units = _UNIT.findall(text)
        agreed = next(
            (i for i, (old, new) in enumerate(zip(self._last, units, strict=False)) if old != new),
            min(len(self._last), len(units)),
        )
        begin = self._continuation(units)
        self._committed += units[begin : min(agreed, _settled_units(units))]
        self._last = units
        self._show(units[self._continuation(units) :])

    def end_segment(self, text: str) -> None:
        """All of ``text`` is final. What the last draft has beyond it belongs to the next segment."""
        units = _UNIT.findall(text)
        self._committed += units[self._continuation(units) :]
        self._show(self._last[self._continuation(self._last) :] if units else [])
        self._ended, self._committed, self._last = self.shown.committed, [], []

    def _show(self, tentative: list[str]) -> None:
        committed = "".join(self._committed)
        whole = join_texts([self._ended, committed + "".join(tentative)])
        rest = len("".join(tentative))
        if not committed:  # the space between two segments is committed with the word after it
            rest = len(whole) - len(self._ended)
        self.shown = Preview(whole[: len(whole) - rest], whole[len(whole) - rest :])

    def _continuation(self, units: list[str]) -> int:
        """Where a draft's ``units`` continue after the committed ones."""
        count = len(self._committed)
        if not count or units[:count] == self._committed:
            return count
        for length in (3, 2, 1):
            last = self._committed[-length:]
            ends = range(max(length, count - _SEARCHED_UNITS), min(len(units), count + _SEARCHED_UNITS) + 1)
            found = [end for end in ends if units[end - length : end] == last]
            if found:
                return min(found, key=lambda end: abs(end - count))
        return min(count, len(units))


def _settled_units(units: list[str]) -> int:
    """How many of ``units`` are far enough from the end."""
    words, count = 0.0, len(units)
    while count and words < _UNSETTLED_WORDS:
        count -= 1
        words += _CHARACTER_WORDS if _UNSPACED_UNIT.match(units[count]) else 1.0
    return count
