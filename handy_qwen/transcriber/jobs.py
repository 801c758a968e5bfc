"""The engine's work: takes, and an audio file while nobody dictates.

The audio of both is kept until its text is settled, that is final: settled text is never transcribed again,
whatever fails, and an hour takes no more memory than some minutes.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from handy_qwen.core.types import RATE_HZ, LiveMode, Samples
from handy_qwen.engine.api import Cancel, LiveText, Model, Preview, Transcript
from handy_qwen.errors import CancelledError, HandyError, OutOfMemoryError

logger = logging.getLogger(__name__)

SEGMENTS_S = (60.0, 20.0, 8.0)
"""The longest segment: shortened each time memory runs out."""
AHEAD_SAMPLES = 60 * RATE_HZ
"""How much of a file to read ahead of the engine."""
_FED_SAMPLES = 10 * RATE_HZ  # of a file, at once
_NOTHING = Transcript("", "", is_language_forced=False, tokens=(), is_truncated=False, duration_s=0.0)


class AudioBuffer:
    """The audio of a job in blocks, except settled audio. Samples are counted from its beginning.

    Threads: ``append`` belongs to the source of the audio, the rest to the engine's.
    """

    def __init__(self) -> None:
        self.begin = 0  # the first sample kept
        self.fed_samples = 0  # the live transcription has all before it
        self._blocks: deque[Samples] = deque()
        self._fed = 0  # how many of the blocks the live transcription has

    def append(self, block: Samples) -> None:
        """Add a block. The array is kept."""
        self._blocks.append(block)

    def feed(self, live: LiveText, most_samples: float = math.inf) -> bool:
        """Feed ``live`` up to ``most_samples``; return whether there were any."""
        first = self.fed_samples
        while self._fed < len(self._blocks) and self.fed_samples - first < most_samples:
            live.feed(self._blocks[self._fed])
            self.fed_samples += len(self._blocks[self._fed])
            self._fed += 1
        return self.fed_samples > first

    def settle(self, samples: int) -> None:
        """Drop the blocks before ``samples``, whose text is settled."""
        while self._fed and self.begin + len(self._blocks[0]) <= samples:
            self.begin += len(self._blocks.popleft())
            self._fed -= 1

    def restart_from(self, samples: int) -> None:
        """Drop all before ``samples``; feed the rest again."""
        self.settle(samples)
        if samples > self.begin:  # inside a block
            self._blocks[0] = self._blocks[0][samples - self.begin :]
            self.begin = samples
        self._fed, self.fed_samples = 0, self.begin

    def rest(self) -> Samples:
        """All that is kept."""
        import numpy as np

        return np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.float32)


@dataclass(eq=False)
class TakeJob:
    """A take in the engine. All methods but ``cancel`` and ``complete`` are called on the engine's thread."""

    take: int
    languages: tuple[str, ...]
    context: tuple[str, ...]
    live_mode: LiveMode | None = None  # None: not requested yet
    audio: AudioBuffer = field(default_factory=AudioBuffer)
    model: Model | None = None
    live: LiveText | None = None
    settled: Transcript = _NOTHING  # of an abandoned live transcription
    is_complete: bool = False
    is_cancelled: bool = False
    stop: Callable[[], None] | None = None  # stops the engine's current work on this job
    shown: Preview = field(default_factory=Preview)
    next_preview_s: float = 0.0
    shortages: int = 0  # how often memory ran out

    def cancel(self) -> None:
        """Abandon the job. Any thread: whichever comes first, this or ``guard``, the work is stopped."""
        self.is_cancelled = True
        if (stop := self.stop) is not None:
            stop()

    def guard(self, stop: Callable[[], None]) -> None:
        """Have ``cancel`` call ``stop``, which stops the work that follows."""
        self.stop = stop
        if self.is_cancelled:
            stop()

    def complete(self) -> None:
        """The recording is complete; a running draft would only delay the text. Any thread."""
        self.is_complete = True
        if (live := self.live) is not None:
            live.stop_drafting()

    def give_up_live(self) -> None:
        """Continue without the live transcription, from where its text is settled."""
        if self.live is not None:
            self.settled = self.live.settled()
            self.audio.restart_from(self.live.settled_samples)
            self.live = None

    def begin_again(self, languages: tuple[str, ...], context: tuple[str, ...]) -> None:
        """Transcribe with these; settled text, of which there is hardly ever any, stays."""
        self.languages, self.context = languages, context
        if self.live is not None and self.live.settled_samples:
            self.release()
        elif self.live is not None:
            self.live = self.model = self.stop = None
            self.audio.restart_from(0)

    def release(self) -> None:
        """Release the model; the rest is transcribed at the end."""
        self.give_up_live()
        self.model = self.stop = None
        self.live_mode = LiveMode.OFF

    def text(self, model: Model, on_step: Callable[[], None]) -> Transcript:
        """Transcribe the rest.

        Raises HandyError as the engine does, also after ``cancel``, and MemoryError.
        """
        if (live := self.live) is not None:
            try:
                self.audio.feed(live)
                while live.advance():  # an engine that is late does the rest in pieces
                    on_step()
                return live.finish(on_step)
            except (CancelledError, OutOfMemoryError, MemoryError):
                raise
            except Exception as exc:  # the audio is kept: try once more, all at once
                logger.warning("live transcription failed: %s", type(exc).__name__, exc_info=exc)
                self.give_up_live()
        samples = self.audio.rest()
        if not len(samples):
            return self.settled
        cancel = Cancel()
        self.guard(cancel.set)
        rest = model.transcribe(
            samples,
            language=self.languages,
            context=self.context,
            segment_s=SEGMENTS_S[self.shortages],
            cancel=cancel,
            on_step=on_step,
        )
        return self.settled.followed_by(rest)


class FileJob:
    """An audio file in the engine, while nobody dictates.

        reader's thread   feed, feed ... complete, then wait
        engine's thread   work, work ...        piece by piece; a dictation stops the piece at once

    The interrupted segment is restarted afterwards: the model holds one transcription at a time, and a
    dictation must not wait for another's minute of audio.

    ``languages`` and ``context`` are those of ``Transcriber.begin``.
    """

    def __init__(self, languages: tuple[str, ...], context: tuple[str, ...]) -> None:
        self.model: Model | None = None  # currently in use
        self.done_samples = 0  # whose text is settled
        self.shortages = 0  # how often memory ran short
        self._languages, self._context = languages, context
        self._audio = AudioBuffer()
        self._read_samples = 0
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
        """Add a block; return whether there was room within ``wait_s``.

        HandyError: the job has failed. CancelledError: it was cancelled.
        """
        self._room.clear()
        if self._is_ahead() and (not self._room.wait(wait_s) or self._is_ahead()):
            return False
        if isinstance(self._found, HandyError):
            raise self._found
        self._audio.append(block)
        self._read_samples += len(block)
        return True

    def _is_ahead(self) -> bool:
        return self._read_samples - self._audio.fed_samples > AHEAD_SAMPLES and not self._end.is_set()

    def complete(self) -> None:
        """All of it was fed."""
        self._is_complete = True

    def wait(self, wait_s: float) -> Transcript | None:
        """The result; None: not ready yet. HandyError: as ``feed``."""
        self._end.wait(wait_s)
        if isinstance(self._found, HandyError):
            raise self._found
        return self._found

    # --- any thread ----------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Cancel it."""
        self.end(CancelledError())
        self.give_way()

    def give_way(self) -> None:
        """Stop the current piece of work: somebody dictates."""
        self._has_given_way = True
        self._stop()

    def end(self, found: Transcript | HandyError) -> None:
        """Give the reader ``found``, unless it has a result already."""
        if not self._end.is_set():
            self._found = found
            self._end.set()
            self._room.set()

    @property
    def is_over(self) -> bool:
        """Whether there is a text or a failure, or it was cancelled."""
        return self._end.is_set()

    # --- the engine's thread -------------------------------------------------------------------------

    def expect_to_work(self) -> None:
        """Must precede the engine's check for a take: any take after that stops ``work``."""
        self._has_given_way = False

    def work(self, model: Model, segment_s: float, on_step: Callable[[], None]) -> bool:
        """Do one piece of work; return False if more must be fed first.

        CancelledError: it had to give way, or was cancelled. Raises HandyError and MemoryError like the
        engine.
        """
        if self.model is not model:
            self.release()
        live = self._live or self._open(model, segment_s)
        has_all = self._is_complete  # read before the buffer
        has_more = live.advance()
        self._settle(live)
        if has_more or self._feed_live(live):
            return True
        if has_all:
            self.end(self._settled.followed_by(live.finish(on_step)))
        return has_all

    def _feed_live(self, live: LiveText) -> bool:
        """Feed the next seconds; return whether there were any."""
        has_fed = self._audio.feed(live, _FED_SAMPLES)
        self._room.set()
        return has_fed

    def release(self) -> None:
        """Release the model; settled text stays."""
        live, self._live, self.model = self._live, None, None
        self._stop = lambda: None
        if live is not None:
            self._settle(live)
            self._settled = self._settled.followed_by(live.settled())
            self._audio.restart_from(self.done_samples)

    def _open(self, model: Model, segment_s: float) -> LiveText:
        cancel = Cancel()
        live = model.live(
            language=self._languages, context=self._context, drafts=False, segment_s=segment_s, cancel=cancel
        )
        self._live_from = self._audio.begin
        self.model, self._live, self._stop = model, live, cancel.set
        if self._has_given_way:
            cancel.set()
        return live

    def _settle(self, live: LiveText) -> None:
        """Drop the audio whose text is settled."""
        self.done_samples = self._live_from + live.settled_samples
        self._audio.settle(self.done_samples)
