"""Transcription that keeps pace with the speaker.

    feed(block) ... feed(block)      any thread, at once
    advance() while it returns True  the engine's thread: windows that are final, then drafts
    preview()                        what a draft has shown so far
    finish()                         the engine's thread: the text

While somebody speaks, ``advance`` reads each window of 8 s as it becomes final, and now and then writes a
draft of the answer. At a pause the draft is the answer: if only silence follows, ``finish`` returns it.
Otherwise ``finish`` reads the window still filling, checks the last draft and writes the rest.

A file goes the same way, all fed at once. Drafts change how long ``finish`` takes, never the text.

Threads: ``feed``, ``stop_drafting`` and ``cancel`` may be called from any; the rest from one, the engine's.
"""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass, field

import numpy as np

from handy_qwen.engine.api import Preview, Timings, Transcript
from handy_qwen.engine.qwen3.features import SAMPLE_RATE
from handy_qwen.engine.qwen3.model import Float32, ModelParts
from handy_qwen.engine.qwen3.output import Answer, is_echo, join_texts, parse_answer
from handy_qwen.engine.qwen3.preview import PreviewText
from handy_qwen.engine.qwen3.prompt import Prompt
from handy_qwen.engine.qwen3.segment import Segment
from handy_qwen.engine.qwen3.segmenter import ClosedSegment, Segmenter
from handy_qwen.engine.qwen3.sessions import Cancel
from handy_qwen.errors import AudioFormatError, CancelledError

_HEARD_AT_ONCE_SAMPLES = SAMPLE_RATE  # between two looks at ``cancel``


class LiveTranscription:
    """One take. Made by ``Recognizer.live``; owns the model until it is finished or cancelled."""

    def __init__(
        self,
        model: ModelParts,
        prompt: Prompt,
        splitter: Segmenter,
        *,
        language: str | None,
        context: str,
        is_exact: bool,
        has_drafts: bool,
        cancel: Cancel,
    ) -> None:
        self._model = model
        self._prompt = prompt
        self._splitter = splitter
        self._language = language
        self._context = context
        self._is_exact = is_exact
        self._has_drafts = has_drafts and not is_exact
        self._cancel = cancel
        self._draft_cancel = Cancel()
        self._inbox: queue.SimpleQueue[Float32] = queue.SimpleQueue()
        self._begin_s: float | None = None
        self._waiting: list[ClosedSegment] = []  # passages that ended and are still to be transcribed
        self._answers: list[Answer] = []
        self._tokens: list[int] = []
        self._settled_samples = 0
        self._is_truncated = False
        self._tried_draft_tokens = self._kept_draft_tokens = 0
        self._timings = Timings()
        self._preview = PreviewText()
        self._is_head_read = not self._has_drafts  # without drafts it is read with what follows it
        self._begin_passage()

    def feed(self, block: Float32) -> None:
        """Hear the next samples. Shape (n,), float32 in [-1, 1], 16 kHz; any n. The array is kept.

        Raises:
            AudioFormatError: ``block`` is something else.
        """
        if block.ndim != 1 or block.dtype != np.float32:
            raise AudioFormatError(f"Audio must be 1-D float32, not {block.ndim}-D {block.dtype}.")
        if self._begin_s is None:
            self._begin_s = time.perf_counter()
        self._inbox.put(block)

    def advance(self) -> bool:
        """Do one piece of the work that is due: a passage that ended, a window that is final, or a draft.

        Returns:
            Whether more is due already.

        Raises:
            CancelledError: ``cancel`` was called.
            AudioFormatError: A block held values that are no numbers.
            EngineError: A run failed.
        """
        self._cancel.check()
        self._hear()
        if self._waiting:
            self._transcribe_next()
            return True
        if self._is_exact:
            return False
        if not self._is_head_read:
            self._passage.read_head(self._cancel)
            self._is_head_read = True
            return True
        begin = time.perf_counter()
        if self._passage.advance(self._splitter.open_samples, self._cancel):
            self._schedule.spent(time.perf_counter() - begin)
            return True
        return self._has_drafts and not self._draft_cancel.is_set and self._work_ahead()

    def preview(self) -> Preview:
        """The text so far, as the last draft shows it."""
        return self._preview.shown

    def stop_drafting(self) -> None:
        """Begin no more drafts and stop one under way, keeping what it has written. Any thread.

        ``finish`` comes next. A draft made at a pause goes on, as long as nothing was said since: it is what
        ``finish`` would have to do.
        """
        self._draft_cancel.set()

    def cancel(self) -> None:
        """Give the take up. Whatever is running raises CancelledError. Any thread."""
        self._cancel.set()
        self._draft_cancel.set()

    def finish(self) -> Transcript:
        """Transcribe the rest. Nothing may be fed afterwards.

        Raises:
            CancelledError: ``cancel`` was called.
            AudioFormatError: A block held values that are no numbers.
            EngineError: A run failed.
        """
        begin_s = time.perf_counter()
        self._cancel.check()
        self._hear()
        self._waiting += self._splitter.finish()
        while self._waiting:
            self._transcribe_next()
        now_s = time.perf_counter()
        self._timings.finish_s = now_s - begin_s
        self._timings.total_s = now_s - (begin_s if self._begin_s is None else self._begin_s)
        return self._transcript(self._splitter.heard_samples)

    @property
    def settled_samples(self) -> int:
        """How many of the samples fed will not be needed again: their text stands. The engine's thread."""
        return self._settled_samples

    def settled(self) -> Transcript:
        """The text of the ``settled_samples``, also after a failure. The engine's thread."""
        return self._transcript(self._settled_samples)

    def _transcript(self, samples: int) -> Transcript:
        """The answers so far, which are those to the first ``samples`` of the take."""
        languages = list(dict.fromkeys(answer.language for answer in self._answers if answer.language))
        return Transcript(
            text=join_texts([answer.text for answer in self._answers]),
            language=",".join(languages),
            is_language_forced=self._prompt.is_language_forced,
            tokens=tuple(self._tokens),
            is_truncated=self._is_truncated,
            duration_s=samples / SAMPLE_RATE,
            timings=self._timings,
            tried_draft_tokens=self._tried_draft_tokens,
            kept_draft_tokens=self._kept_draft_tokens,
        )

    def _begin_passage(self) -> None:
        self._passage = Segment(self._model, self._prompt, self._timings, is_exact=self._is_exact)
        self._draft = Draft()
        self._schedule = DraftSchedule()

    def _hear(self) -> None:
        """Take in what was fed."""
        while not self._inbox.empty():
            block = self._inbox.get()
            for first in range(0, len(block), _HEARD_AT_ONCE_SAMPLES):
                self._cancel.check()
                self._waiting += self._splitter.feed(block[first : first + _HEARD_AT_ONCE_SAMPLES])

    def _transcribe_next(self) -> None:
        """Write the answer to the first passage that ended and begin the next."""
        closed, draft = self._waiting[0], self._draft
        if closed.end and not (draft.is_done and draft.samples == closed.end):
            self._discard(draft)
            draft = Draft(samples=closed.end)
            self._write(draft, closed.samples[: closed.end], self._draft.tokens, self._cancel)
        text = ""
        if closed.end:
            answer = self._answer_of(draft, closed.speech_s)
            text = answer.text
            self._answers.append(answer)
            self._tokens += draft.tokens
            self._is_truncated |= not draft.is_complete
            self._timings.add_stages(draft.timings)
        self._settled_samples = closed.start + len(closed.samples)
        del self._waiting[0]
        self._preview.end_passage(text)
        self._begin_passage()

    def _work_ahead(self) -> bool:
        """Do something that leaves less to do when the key comes up, if there is anything."""
        splitter = self._splitter
        if not splitter.is_at_rest and self._passage.prepare(splitter.open_samples, self._cancel):
            return True
        is_due = self._is_draft_due()
        if is_due:
            self._make_draft()
        return is_due

    def _is_draft_due(self) -> bool:
        splitter = self._splitter
        now = len(splitter.open_samples)
        if now == 0 or (self._draft.is_done and self._draft.samples == now):
            return False
        if splitter.is_at_rest or splitter.is_in_gap:
            return splitter.is_at_rest
        return self._schedule.is_due(now, self._passage.missing_samples(splitter.open_samples))

    def _make_draft(self) -> None:
        """Write the answer as if the take had ended here."""
        samples, old = self._splitter.open_samples, self._draft
        is_at_rest, speech_s = self._splitter.is_at_rest, self._splitter.speech_s() if self._context else 0.0
        begin = time.perf_counter()
        self._draft = draft = Draft(samples=len(samples))
        self._discard(old)
        try:
            self._write(draft, samples, old.tokens, self._cancel if is_at_rest else self._draft_cancel)
        except CancelledError:
            self._cancel.check()
            draft.tokens += old.tokens[len(draft.tokens) :]  # what it had no time to check may still be right
        self._schedule.drafted(len(samples), time.perf_counter() - begin)
        if draft.is_done:
            self._preview.show(self._answer_of(draft, speech_s).text)

    def _write(self, draft: Draft, samples: Float32, old: list[int], cancel: Cancel) -> None:
        """Fill ``draft`` with the answer to ``samples``, trying the tokens ``old`` first."""
        is_last = draft is not self._draft
        gives_way = not is_last and not self._splitter.is_at_rest
        generated = self._passage.answer(
            samples,
            old,
            cancel,
            written=draft.tokens,
            timings=draft.timings,
            poll=self._cancel.check if is_last else self._stop_stale_draft,
            is_in_pieces=gives_way,
        )
        self._tried_draft_tokens += generated.tried_draft_tokens
        self._kept_draft_tokens += generated.kept_draft_tokens
        draft.is_complete, draft.is_done = generated.is_complete, True

    def _stop_stale_draft(self) -> None:
        """Stop the draft under way if something was said since, and an answer to that is wanted now.

        Raises:
            CancelledError: To stop it.
        """
        self._hear()
        splitter, drafted = self._splitter, self._draft.samples
        if self._waiting:
            is_stale = self._waiting[0].end != drafted
        else:
            is_wanted_anew = splitter.is_at_rest or self._draft_cancel.is_set
            is_stale = is_wanted_anew and len(splitter.open_samples) != drafted
        if is_stale:
            raise CancelledError

    def _discard(self, draft: Draft) -> None:
        """Count what a draft cost that becomes no answer."""
        self._timings.drafts_s += draft.timings.stages_s

    def _answer_of(self, draft: Draft, speech_s: float) -> Answer:
        """Make text of a draft's tokens."""
        answer = parse_answer(
            draft.tokens,
            self._model.tokenizer,
            self._prompt,
            language=self._language,
            is_complete=draft.is_complete,
        )
        if self._context and is_echo(answer.text, self._context, speech_s):
            return Answer("", answer.language)
        return answer


_EVERY_S = 1.0
_SHARE = 0.3
"""Of the time while somebody speaks, for windows and drafts together."""


@dataclass(slots=True)
class Draft:
    """An answer to the first ``samples`` samples of a passage.

    Whole if ``is_done``; else what there was time for, followed by what an older draft has there.
    """

    samples: int = 0
    tokens: list[int] = field(default_factory=list)
    is_done: bool = False
    is_complete: bool = False  # the model ended it by itself
    timings: Timings = field(default_factory=Timings)


class DraftSchedule:
    """When the next draft of a passage is due, in samples of the passage."""

    def __init__(self) -> None:
        self._next = int(_EVERY_S * SAMPLE_RATE)
        self._took_s = 0.0  # the last draft

    def is_due(self, samples: int, until_window: int) -> bool:
        """Whether a draft is due when ``samples`` were heard.

        None is begun that would still be written when the next window is final, ``until_window`` samples from
        now: the window would have to wait, and is most of what a draft costs.
        """
        return samples >= self._next and until_window > self._took_s * SAMPLE_RATE

    def spent(self, seconds: float) -> None:
        """Other work took ``seconds``."""
        self._next += int(seconds / _SHARE * SAMPLE_RATE)

    def drafted(self, samples: int, seconds: float) -> None:
        """A draft of ``samples`` took ``seconds``."""
        self._next = samples + int(max(_EVERY_S, seconds / _SHARE) * SAMPLE_RATE)
        self._took_s = seconds
