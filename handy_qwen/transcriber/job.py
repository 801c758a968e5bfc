"""One take on its way through the engine, and what the engine must offer for it."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from handy_qwen.core.ports import Samples
from handy_qwen.errors import CancelledError, OutOfMemoryError

if TYPE_CHECKING:  # slow to import: only the engine's threads do
    from handy_qwen.engine.sessions import Cancel
    from handy_qwen.engine.transcript import Preview, Transcript

logger = logging.getLogger(__name__)


class Live(enum.StrEnum):
    """How much is done while the user still speaks."""

    FULL = "full"
    FINAL_WINDOWS_ONLY = "final_windows_only"  # no drafts, hence no previews
    OFF = "off"


class LiveText(Protocol):
    """What is needed of the engine's LiveTranscription."""

    def feed(self, block: Samples) -> None: ...  # noqa: D102
    def advance(self) -> bool: ...  # noqa: D102
    def preview(self) -> Preview: ...  # noqa: D102
    def stop_drafting(self) -> None: ...  # noqa: D102
    def finish(self) -> Transcript: ...  # noqa: D102
    def cancel(self) -> None: ...  # noqa: D102


class Model(Protocol):
    """What is needed of the engine's Recognizer."""

    @property
    def languages(self) -> tuple[str, ...]: ...  # noqa: D102
    def live(self, *, language: str | None, context: str, drafts: bool) -> LiveText: ...  # noqa: D102
    def transcribe(  # noqa: D102
        self,
        samples: Samples,
        *,
        language: str | None,
        context: str,
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
    """One take on its way through the engine."""

    take: int
    language: str
    context: str
    live_mode: Live
    heard: list[Samples] = field(default_factory=list)  # all of it, appended to on the microphone's thread
    fed: int = 0  # blocks of ``heard`` that the live transcription has
    model: Model | None = None
    live: LiveText | None = None
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

    def begin_again(self) -> bool:
        """After memory ran short: forget the model, and do the work in smaller pieces with the next one.

        False: there are none smaller. Called on the engine's thread.
        """
        self.shortages += 1
        self.start_over()
        return self.shortages < len(PASSES_S)

    def start_over(self) -> None:
        """Forget what was done so far: all of it is transcribed at the end. Called on the engine's thread."""
        self.model = self.live = self.stop = None
        self.live_mode = Live.OFF

    def text(self, on_progress: Callable[[float], None]) -> Transcript:
        """Transcribe what is left of it. Called on the engine's thread, as is ``on_progress``.

        Raises:
            HandyError: What the engine raises; CancelledError after ``cancel``.
            MemoryError: What Python raises itself.
        """
        if self.live is not None:
            try:
                self.feed_live()
                return self.live.finish()
            except (CancelledError, OutOfMemoryError, MemoryError):
                raise
            except Exception as exc:  # the sound is kept: try once more, all at once
                logger.warning("live transcription failed: %s", type(exc).__name__, exc_info=exc)
                self.live = None
        return self._text_at_once(on_progress)

    def _text_at_once(self, on_progress: Callable[[float], None]) -> Transcript:
        import numpy as np

        from handy_qwen.engine.sessions import Cancel
        from handy_qwen.engine.transcript import Transcript

        assert self.model is not None, "opened before"
        samples = np.concatenate(self.heard) if self.heard else np.zeros(0, np.float32)
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
