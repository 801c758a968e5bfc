"""A sound file on its way through the engine, while nobody dictates.

    reader's thread   feed, feed ... complete, then wait
    engine's thread   work, work ...        piece by piece; a dictation stops the piece at once (``give_way``)

What is settled stays so. The segment that was being worked on is begun again afterwards: the model holds one
transcription at a time, and whoever dictates must not wait for another's minute of sound.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from handy_qwen.core.types import RATE_HZ, Samples
from handy_qwen.engine.api import Cancel, LiveText, Model, Transcript
from handy_qwen.errors import CancelledError, HandyError

AHEAD_SAMPLES = 60 * RATE_HZ
"""How much is read before the engine has use for it."""
_FED_SAMPLES = 10 * RATE_HZ  # at once
_NOTHING = Transcript("", "", is_language_forced=False, tokens=(), is_truncated=False, duration_s=0.0)


class FileJob:
    """One file. ``languages`` and ``context`` are those of ``Transcriber.begin``."""

    def __init__(self, languages: tuple[str, ...], context: tuple[str, ...]) -> None:
        self.model: Model | None = None  # that it uses at the moment
        self.done_samples = 0  # of which the text is settled
        self.shortages = 0  # how often memory ran short
        self._languages, self._context = languages, context
        self._heard: deque[Samples] = deque()  # what is not settled; appended to by the reader
        self._read_samples = 0
        self._dropped_samples = 0  # those before ``_heard``
        self._fed, self._fed_samples = 0, 0  # how many blocks of ``_heard`` ``_live`` has; and where they end
        self._settled = _NOTHING
        self._live: LiveText | None = None
        self._live_from = 0  # the sample at which ``_live`` begins
        self._stop: Callable[[], None] = lambda: None
        self._has_given_way = False
        self._is_complete = False
        self._room, self._end = threading.Event(), threading.Event()
        self._found: Transcript | HandyError | None = None

    # --- the reader's thread -------------------------------------------------------------------------

    def feed(self, block: Samples, wait_s: float) -> bool:
        """Take the next block in; return whether there was room within ``wait_s``.

        HandyError: the job has failed. CancelledError: it was given up.
        """
        self._room.clear()
        if self._is_ahead() and (not self._room.wait(wait_s) or self._is_ahead()):
            return False
        if isinstance(self._found, HandyError):
            raise self._found
        self._heard.append(block)
        self._read_samples += len(block)
        return True

    def _is_ahead(self) -> bool:
        return self._read_samples - self._fed_samples > AHEAD_SAMPLES and not self._end.is_set()

    def complete(self) -> None:
        """All of it was fed."""
        self._is_complete = True

    def wait(self, wait_s: float) -> Transcript | None:
        """What came of it; None: it is not there yet. HandyError: as ``feed``."""
        self._end.wait(wait_s)
        if isinstance(self._found, HandyError):
            raise self._found
        return self._found

    # --- any thread ----------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Give it up."""
        self.end(CancelledError())
        self.give_way()

    def give_way(self) -> None:
        """Stop the piece that is being worked on: somebody dictates."""
        self._has_given_way = True
        self._stop()

    def end(self, found: Transcript | HandyError) -> None:
        """Let the reader have ``found``, unless it has something already."""
        if not self._end.is_set():
            self._found = found
            self._end.set()
            self._room.set()

    @property
    def is_over(self) -> bool:
        """Whether there is a text, a failure, or nobody who wants it."""
        return self._end.is_set()

    # --- the engine's thread -------------------------------------------------------------------------

    def expect_to_work(self) -> None:
        """To be called before the engine looks whether anybody dictates: who does so later stops ``work``."""
        self._has_given_way = False

    def work(self, model: Model, segment_s: float, on_step: Callable[[], None]) -> bool:
        """Do one piece of work; return False if more must be fed first.

        CancelledError: it was asked to give way, or given up. Raises HandyError and MemoryError as the engine
        does.
        """
        if self.model is not model:
            self.pause()
        live = self._live or self._open(model, segment_s)
        has_all = self._is_complete  # before what there is to feed is looked at
        has_more = live.advance()
        self._settle(live)
        if has_more or self._feed_live(live):
            return True
        if has_all:
            self.end(self._settled.followed_by(live.finish(on_step)))
        return has_all

    def _feed_live(self, live: LiveText) -> bool:
        """Feed the next seconds; return whether there were any."""
        first = self._fed_samples
        while self._fed < len(self._heard) and self._fed_samples - first < _FED_SAMPLES:
            live.feed(self._heard[self._fed])
            self._fed_samples += len(self._heard[self._fed])
            self._fed += 1
        self._room.set()
        return self._fed_samples > first

    def pause(self) -> None:
        """Let go of the model; what is settled stays."""
        live, self._live, self.model = self._live, None, None
        self._stop = lambda: None
        if live is not None:
            self._settle(live)
            self._settled = self._settled.followed_by(live.settled())
            first = self.done_samples - self._dropped_samples
            if first:  # the segment begins inside a block
                self._heard[0] = self._heard[0][first:]
                self._dropped_samples = self.done_samples
        self._fed, self._fed_samples = 0, self._dropped_samples

    def _open(self, model: Model, segment_s: float) -> LiveText:
        cancel = Cancel()
        live = model.live(
            language=self._languages, context=self._context, drafts=False, segment_s=segment_s, cancel=cancel
        )
        self._live_from = self._dropped_samples
        self.model, self._live, self._stop = model, live, cancel.set
        if self._has_given_way:
            cancel.set()
        return live

    def _settle(self, live: LiveText) -> None:
        """Drop the sound whose text is settled."""
        self.done_samples = self._live_from + live.settled_samples
        while self._fed and self._dropped_samples + len(self._heard[0]) <= self.done_samples:
            self._dropped_samples += len(self._heard.popleft())
            self._fed -= 1
