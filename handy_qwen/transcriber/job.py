"""One take on its way through the engine, and what the engine must offer for it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from handy_qwen.core.types import RATE_HZ, LiveMode, Samples
from handy_qwen.errors import CancelledError, OutOfMemoryError

if TYPE_CHECKING:  # slow to import: only the engine's threads do
    from handy_qwen.engine.api import Preview, Transcript
    from handy_qwen.engine.qwen3.sessions import Cancel

logger = logging.getLogger(__name__)


class LiveText(Protocol):
    """What is needed of the engine's LiveTranscription."""

    def feed(self, block: Samples) -> None: ...  # noqa: D102
    def advance(self) -> bool: ...  # noqa: D102
    def preview(self) -> Preview: ...  # noqa: D102
    def stop_drafting(self) -> None: ...  # noqa: D102
    def finish(self) -> Transcript: ...  # noqa: D102
    @property
    def settled_samples(self) -> int: ...  # noqa: D102
    def settled(self) -> Transcript: ...  # noqa: D102
    def cancel(self) -> None: ...  # noqa: D102


class Model(Protocol):
    """What is needed of the engine's Recognizer."""

    @property
    def languages(self) -> tuple[str, ...]: ...  # noqa: D102
    def live(self, *, language: str | None, context: tuple[str, ...], drafts: bool) -> LiveText: ...  # noqa: D102
    def transcribe(  # noqa: D102
        self,
        samples: Samples,
        *,
        language: str | None,
        context: tuple[str, ...],
        pass_s: float,
        cancel: Cancel,
        on_progress: Callable[[float], None],
    ) -> Transcript: ...
    def check_files(self) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


PASSES_S = (60.0, 20.0, 8.0)
"""How much sound is read in one go: less and less when memory runs short."""


@dataclass(eq=False)
class Job:
    """One take on its way through the engine.

    Its sound is kept until its text stands: what is settled is never transcribed again, whatever fails, and
    an hour takes no more memory than some minutes.
    """

    take: int
    language: str
    context: tuple[str, ...]
    live_mode: LiveMode | None = None  # None: not asked for yet
    heard: deque[Samples] = field(default_factory=deque)  # appended to on the microphone's thread
    forgotten_samples: int = 0  # those before ``heard``
    fed: int = 0  # blocks of ``heard`` that the live transcription has
    model: Model | None = None
    live: LiveText | None = None
    settled: Transcript | None = None  # of a live transcription that was given up
    is_complete: bool = False
    is_cancelled: bool = False
    stop: Callable[[], None] | None = None  # ends what the engine is doing for this job
    shown: tuple[str, str] = ("", "")
    next_preview_s: float = 0.0
    shortages: int = 0  # how often memory ran short

    def cancel(self) -> None:
        """Give the job up. Any thread: whichever comes first, this or ``guard``, the work is stopped."""
        self.is_cancelled = True
        if (stop := self.stop) is not None:
            stop()

    def complete(self) -> None:
        """All of it was heard; a draft under way would only be in the way. Any thread."""
        self.is_complete = True
        if (live := self.live) is not None:
            live.stop_drafting()

    def feed_live(self) -> None:
        """Hand the live transcription what it has not had. Called on the engine's thread."""
        while self.live is not None and self.fed < len(self.heard):
            self.live.feed(self.heard[self.fed])
            self.fed += 1

    def forget_settled(self) -> None:
        """Let go of the sound whose text stands. Called on the engine's thread."""
        if self.live is None:
            return
        settled_samples = self.live.settled_samples
        while self.fed and self.forgotten_samples + len(self.heard[0]) <= settled_samples:
            self.forgotten_samples += len(self.heard.popleft())
            self.fed -= 1

    def give_up_live(self) -> None:
        """Go on without the live transcription, from where its text stands. Called on the engine's thread."""
        if self.live is not None:
            self.settled, self.live = self.live.settled(), None

    def begin_again(self) -> bool:
        """After memory ran short: forget the model, and do the work in smaller pieces with the next one.

        False: there are none smaller. Called on the engine's thread.
        """
        self.shortages += 1
        self.start_over()
        return self.shortages < len(PASSES_S)

    def start_over(self) -> None:
        """Give the model back; what is not settled is transcribed at the end. On the engine's thread."""
        self.give_up_live()
        self.model = self.stop = None
        self.live_mode = LiveMode.OFF

    def text(self, on_progress: Callable[[float], None]) -> Transcript:
        """Transcribe what is left of it. Called on the engine's thread, as is ``on_progress``.

        Raises:
            HandyError: What the engine raises; CancelledError after ``cancel``.
            MemoryError: What Python raises itself.
        """
        if self.live is not None:
            try:
                self.feed_live()
                while self.live.advance():  # an engine that is late does the rest piece by piece
                    on_progress(0.0)
                return self.live.finish()
            except (CancelledError, OutOfMemoryError, MemoryError):
                raise
            except Exception as exc:  # the sound is kept: try once more, all at once
                logger.warning("live transcription failed: %s", type(exc).__name__, exc_info=exc)
                self.give_up_live()
        rest = self._text_at_once(on_progress)
        return self.settled.followed_by(rest) if self.settled else rest

    def _text_at_once(self, on_progress: Callable[[float], None]) -> Transcript:
        import numpy as np

        from handy_qwen.engine.api import Transcript
        from handy_qwen.engine.qwen3.sessions import Cancel

        assert self.model is not None, "opened before"
        samples = np.concatenate(self.heard) if self.heard else np.zeros(0, np.float32)
        if self.settled:
            samples = samples[round(self.settled.duration_s * RATE_HZ) - self.forgotten_samples :]
        if not len(samples):
            return Transcript("", "", is_language_forced=False, tokens=(), is_truncated=False, duration_s=0.0)
        cancel = Cancel()
        self.guard(cancel.set)
        return self.model.transcribe(
            samples,
            language=self.language or None,
            context=self.context,
            pass_s=PASSES_S[self.shortages],
            cancel=cancel,
            on_progress=on_progress,
        )

    def guard(self, stop: Callable[[], None]) -> None:
        """Let ``cancel`` reach the work that ``stop`` ends. Called on the engine's thread."""
        self.stop = stop
        if self.is_cancelled:
            stop()
