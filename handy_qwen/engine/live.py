"""Transcription that keeps pace with the speaker.

    feed(block) ... feed(block)      any thread, at once
    advance() while it returns True  the engine's thread: windows that are final, then drafts
    preview()                        what a draft has shown so far
    finish()                         the engine's thread: the text

While somebody speaks, ``advance`` reads each window of 8 s as it becomes final, and now and then writes a
draft of the answer. At a pause the draft is the answer: if only silence follows, ``finish`` returns it.
Otherwise ``finish`` reads the window still filling, checks the last draft in one pass and writes the rest.

A file goes the same way, all fed at once. Drafts change how long ``finish`` takes, never the text.

Threads: ``feed``, ``stop_drafting`` and ``cancel`` may be called from any; the rest from one, the engine's.
"""

from __future__ import annotations

import queue
import time

import numpy as np

from handy_qwen.engine.backend import Float32, Model
from handy_qwen.engine.features import SAMPLE_RATE
from handy_qwen.engine.output import Answer, is_echo, join_texts, parse_answer
from handy_qwen.engine.passage import Passage
from handy_qwen.engine.preview import PreviewText
from handy_qwen.engine.prompt import Prompt
from handy_qwen.engine.sessions import Cancel
from handy_qwen.engine.splitter import Closed, Splitter
from handy_qwen.engine.transcript import Preview, Timings, Transcript
from handy_qwen.errors import AudioFormatError, CancelledError

_DRAFT_EVERY_S = 1.0
_DRAFT_SHARE = 0.5
"""Drafts take at most this share of the engine's time while somebody speaks."""


class LiveTranscription:
    """One take. Made by ``Recognizer.live``; owns the model until it is finished or cancelled."""

    def __init__(
        self,
        model: Model,
        prompt: Prompt,
        splitter: Splitter,
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
        self._waiting: list[Closed] = []  # passages that ended and are still to be transcribed
        self._answers: list[Answer] = []
        self._tokens: list[int] = []
        self._is_truncated = False
        self._timings = Timings()
        self._preview = PreviewText()
        self._begin_passage()

    def feed(self, block: Float32) -> None:
        """Hear the next samples. Shape (n,), float32 in [-1, 1], 16 kHz; any n. The array is kept.

        Raises:
            AudioFormatError: ``block`` is something else.
        """
        if block.ndim != 1 or block.dtype != np.float32:
            raise AudioFormatError(f"Audio must be 1-D float32, not {block.ndim}-D {block.dtype}.")
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
        self._hear()
        if self._waiting:
            self._transcribe(self._waiting.pop(0))
            return True
        if self._is_exact:
            return False
        if self._passage.advance(self._splitter.open_samples, self._cancel):
            return True
        if self._has_drafts and self._is_draft_due():
            self._make_draft()
            return not self._inbox.empty()
        return False

    def preview(self) -> Preview:
        """The text so far, as the last draft shows it."""
        return self._preview.shown

    def stop_drafting(self) -> None:
        """Stop a draft under way, keeping what it has written: ``finish`` comes next. Any thread."""
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
        begin = time.perf_counter()
        self._hear()
        self._waiting += self._splitter.finish()
        while self._waiting:
            self._transcribe(self._waiting.pop(0))
        self._timings.total_s += time.perf_counter() - begin
        languages = list(dict.fromkeys(answer.language for answer in self._answers if answer.language))
        return Transcript(
            text=join_texts([answer.text for answer in self._answers]),
            language=",".join(languages),
            is_language_forced=self._prompt.is_language_forced,
            tokens=tuple(self._tokens),
            is_truncated=self._is_truncated,
            duration_s=self._splitter.heard_samples / SAMPLE_RATE,
            timings=self._timings,
        )

    def _begin_passage(self) -> None:
        self._passage = Passage(self._model, self._prompt, self._timings, is_exact=self._is_exact)
        self._draft: list[int] = []
        self._drafted_samples = 0
        self._draft_is_done = False  # for the samples drafted
        self._draft_is_complete = False
        self._next_draft_samples = int(_DRAFT_EVERY_S * SAMPLE_RATE)

    def _hear(self) -> None:
        """Take in what was fed."""
        while not self._inbox.empty():
            self._cancel.check()
            self._waiting += self._splitter.feed(self._inbox.get())

    def _transcribe(self, closed: Closed) -> None:
        """Write the answer to a passage that ended and begin the next."""
        if closed.end:
            if not (self._draft_is_done and self._drafted_samples == closed.end):
                written: list[int] = []
                generated = self._passage.answer(
                    closed.samples[: closed.end], self._draft, self._cancel, written
                )
                self._draft, self._draft_is_complete = written, generated.is_complete
            self._keep(closed)
        self._preview.commit(join_texts([answer.text for answer in self._answers]))
        self._begin_passage()

    def _keep(self, closed: Closed) -> None:
        """Make text of the answer that stands in the draft."""
        answer = self._parsed(self._draft, is_complete=self._draft_is_complete)
        if self._context and is_echo(answer.text, self._context, closed.speech_s):
            answer = Answer("", answer.language)
        self._answers.append(answer)
        self._tokens += self._draft
        self._is_truncated |= not self._draft_is_complete

    def _is_draft_due(self) -> bool:
        now = len(self._splitter.open_samples)
        if now == 0 or (self._draft_is_done and now == self._drafted_samples):
            return False
        return self._splitter.is_at_rest or now >= self._next_draft_samples

    def _make_draft(self) -> None:
        """Write the answer as if the take had ended here."""
        samples = self._splitter.open_samples
        begin = time.perf_counter()
        written: list[int] = []
        cancel = self._draft_cancel = Cancel()
        self._cancel.check()  # after the line above, so that none of both is missed
        self._drafted_samples, self._draft_is_done = len(samples), False
        try:
            generated = self._passage.answer(samples, self._draft, cancel, written)
            self._draft_is_done, self._draft_is_complete = True, generated.is_complete
        except CancelledError:
            self._cancel.check()
        self._draft = written
        took_s = time.perf_counter() - begin
        self._next_draft_samples = len(samples) + int(
            max(_DRAFT_EVERY_S, took_s / _DRAFT_SHARE) * SAMPLE_RATE
        )
        if self._draft_is_done:
            answer = self._parsed(self._draft, is_complete=self._draft_is_complete)
            self._preview.show(join_texts([*(a.text for a in self._answers), answer.text]))

    def _parsed(self, tokens: list[int], *, is_complete: bool) -> Answer:
        return parse_answer(
            tokens, self._model.tokenizer, self._prompt, language=self._language, is_complete=is_complete
        )
