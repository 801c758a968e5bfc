"""The engine's interface for the rest of the program: a model, live transcription, and their results.

A family of models is a package beside this module, opened by ``engine.load_model``. Imports no library.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from handy_qwen.errors import CancelledError, EngineError
from handy_qwen.languages import has_space_between
from handy_qwen.message import Count, Message, messages

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Samples = npt.NDArray[np.float32]

LIVE_SEGMENT_S = 60.0
"""Longest segment when the text must be ready at once: every new token reads the whole cache."""

GAP = "[…]"
"""Marks a place in a text where words may be missing.

In brackets: a model writes ellipses of its own, and one beside a filler word would be removed with it. It
is inserted as well: a sentence that lacks words without a trace may say the opposite.
"""


class ModelPart(enum.StrEnum):
    """A part of a model that can run elsewhere than on the processor."""

    ENCODER = "encoder"
    PREFILL = "prefill"  # of the decoder: reading prompt and audio, not writing the text


@dataclass(frozen=True, slots=True)
class Placement:
    """Which ``parts`` of a model run on a device: ``provider``, as ONNX Runtime calls it.

    ``on_failure`` is called with the reason why a graph could not be opened or run there. This and all later
    work is then done on the processor. ``in_use`` is entered around loading and each run there, for a driver
    that crashes the program. Both on the thread that loads or runs the model.
    """

    provider: str
    parts: frozenset[ModelPart]
    on_failure: Callable[[EngineError], None]
    in_use: Callable[[], AbstractContextManager[None]] = nullcontext


class Cancel:
    """Stops work from another thread, also in the middle of a run of a graph."""

    def __init__(self) -> None:
        self._is_set = False
        self._stop: Callable[[], None] | None = None

    def set(self) -> None:
        """Stop all work that was given this object. Any thread; cannot be undone."""
        self._is_set = True
        if (stop := self._stop) is not None:
            stop()

    @property
    def is_set(self) -> bool:
        """Whether ``set`` was called."""
        return self._is_set

    def check(self) -> None:
        """Raise CancelledError if ``set`` was called."""
        if self._is_set:
            raise CancelledError

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have ``set`` call ``stop``, on its own thread, while the block runs.

        Raises:
            CancelledError: ``set`` was called before.
        """
        self._stop = stop
        try:
            self.check()  # after the assignment: whichever thread comes first, the work is stopped
            yield
        finally:
            self._stop = None


@dataclass(slots=True)
class Timings:
    """Seconds spent in each stage, including drafts, and from the beginning to the text (``total_s``).

    ``prefill_s``: reading prompt and audio and writing the first token; ``decode_s``: writing the others.
    """

    features_s: float = 0.0
    encoder_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    total_s: float = 0.0

    @contextmanager
    def add_to(self, stage: str) -> Iterator[None]:
        """Add the duration of the block to the field ``stage``."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, stage, getattr(self, stage) + time.perf_counter() - begin)


@dataclass(frozen=True, slots=True)
class TextSegment:
    """The text of a part of a clip, and the times of its speech: (start, end) in seconds, in order."""

    text: str
    speech_s: tuple[tuple[float, float], ...]

    def after(self, seconds: float) -> TextSegment:
        """The same, ``seconds`` later."""
        return TextSegment(self.text, tuple((start + seconds, end + seconds) for start, end in self.speech_s))


@dataclass(frozen=True, slots=True)
class Transcript:
    """The text of a clip.

    ``language`` is the English name of the language heard, several joined by commas if it changed between
    segments, empty without speech. ``is_truncated``: words may be missing, because the model did not end its
    answer; ``GAP`` marks the place, unless there is no text at all. ``tokens`` are those of all segments.
    """

    text: str
    language: str
    is_language_forced: bool
    tokens: tuple[int, ...]
    is_truncated: bool
    duration_s: float
    timings: Timings = field(default_factory=Timings)
    segments: tuple[TextSegment, ...] = ()

    def check(self) -> None:
        """Raise EngineError if there was speech that the model made nothing of."""
        if self.is_truncated and not self.text:
            raise EngineError(
                Message("The recording could not be transcribed."),
                Message("The model stopped without a result; another model or language may help."),
            )

    def followed_by(self, rest: Transcript) -> Transcript:
        """The text of a clip made of this one and ``rest``, with the timings of ``rest``."""
        languages = [name for part in (self, rest) for name in part.language.split(",") if name]
        texts = [part.text or (GAP if part.is_truncated else "") for part in (self, rest)]
        return replace(
            rest,
            text=join_texts(texts) if self.text or rest.text else "",
            language=",".join(dict.fromkeys(languages)),
            tokens=(*self.tokens, *rest.tokens),
            is_truncated=self.is_truncated or rest.is_truncated,
            duration_s=self.duration_s + rest.duration_s,
            segments=(*self.segments, *(segment.after(self.duration_s) for segment in rest.segments)),
        )


@dataclass(frozen=True, slots=True)
class Preview:
    """The text so far. ``committed`` only grows; ``tentative`` follows it and may still change."""

    committed: str = ""
    tentative: str = ""


@dataclass(frozen=True, slots=True)
class FittedWords:
    """Which words of a list the model reads.

    ``text`` holds the ``used`` ones; it has ``tokens`` tokens, at most ``limit``. ``left_out`` are the
    positions of those that do not fit; empty and repeated entries count as neither.
    """

    text: str
    tokens: int
    limit: int
    used: int
    left_out: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many different words there are."""
        return self.used + len(self.left_out)

    @property
    def summary(self) -> Message:
        """The number of words that fit, as a sentence."""
        if not self.left_out:
            return messages(
                "The only word fits, {tokens} of {limit} tokens.",
                "All {count} words fit, {tokens} of {limit} tokens.",
                self.total,
                tokens=Count(self.tokens),
                limit=Count(self.limit),
            )
        return messages(
            "{used} of {count} words fits; the rest are not used.",
            "{used} of {count} words fit; the rest are not used.",
            self.total,
            used=Count(self.used),
        )


class LiveText(Protocol):
    """The transcription of one take while it is recorded.

    Threads: ``feed``, ``stop_drafting`` and ``cancel`` may be called from any; the rest from one, the
    engine's. Every method of that thread raises CancelledError after ``cancel``, AudioFormatError for NaN or
    infinite samples, and EngineError if a run fails.
    """

    settled_samples: int  # how many of those fed are no longer needed, because their text is final

    def feed(self, block: Samples) -> None:
        """Add the next samples, shape (n,), float32 in [-1, 1], 16 kHz, any n. The array is kept.

        AudioFormatError: ``block`` has another shape or dtype.
        """

    def advance(self) -> bool:
        """Do one piece of the work that is due. Returns whether more is due already."""

    def preview(self) -> Preview:
        """The text of the last draft."""

    def stop_drafting(self) -> None:
        """Start no more drafts and stop the current one, keeping its tokens: ``finish`` comes next.

        A draft made at a pause continues as long as nothing was said since: ``finish`` would have to do it.
        """

    def finish(self, on_step: Callable[[], None] = lambda: None) -> Transcript:
        """Transcribe the rest; nothing may be fed afterwards.

        ``on_step`` is called after each piece of it: there are several where the model loses its place.
        """

    def settled(self) -> Transcript:
        """The text of the ``settled_samples``, also after a failure."""

    def cancel(self) -> None:
        """Abandon the take; running work raises CancelledError."""


class Model(Protocol):
    """A loaded model. One transcription at a time: the next begins when the last is finished or cancelled."""

    load_s: float
    name: str
    notice: str  # what a user should know before relying on its text; usually empty
    languages: tuple[str, ...]  # English names

    def live(
        self,
        *,
        language: str | Sequence[str] | None = None,
        context: str | Sequence[str] = "",
        exact: bool = False,
        drafts: bool = True,
        segment_s: float = LIVE_SEGMENT_S,
        cancel: Cancel | None = None,
    ) -> LiveText:
        """Begin a transcription of samples that are still coming in.

        Args:
            language: Name or ISO code; None or "" detects it. Of several, whichever is spoken; unknown ones
                are ignored, unless all are.
            context: Names and terms that may come up, of which as many as fit are read; or any text, which is
                read as it is and truncated if it is too long.
            exact: Compute features over the whole clip, as the reference does, and read the silence at its
                end.
            drafts: Whether to write drafts, for the preview and for a faster end.
            segment_s: Longest segment if not ``exact``; a shorter one takes less memory.
            cancel: Stops the work from another thread.

        Raises:
            LanguageError: The model does not know ``language``.
        """

    def transcribe(
        self,
        samples: Samples,
        *,
        language: str | Sequence[str] | None = None,
        context: str | Sequence[str] = "",
        exact: bool = False,
        segment_s: float = LIVE_SEGMENT_S,
        cancel: Cancel | None = None,
        on_step: Callable[[], None] = lambda: None,
    ) -> Transcript:
        """Transcribe a whole clip: ``samples``, shape (n,), float32 in [-1, 1], 16 kHz; n may be 0.

        For the other arguments see ``live``. ``on_step`` is called on this thread after each piece of work.
        Raises AudioFormatError for other samples, LanguageError, CancelledError, and EngineError if a run
        failed.
        """

    def check_files(self) -> None:
        """Raise ModelCorruptError if a file was truncated since loading: a run could crash."""

    def check_language(self, language: str) -> None:
        """Raise LanguageError if the model does not know ``language``; "" is always known."""

    def fit_words(self, words: Sequence[str], *, is_for_file: bool = False) -> FittedWords:
        """Which of ``words`` the model reads as its context: more for a file than in dictation."""

    def is_context_read_whole(self, context: str) -> bool:
        """Whether the model reads all of ``context``, without truncating it."""

    def self_test(self) -> None:
        """Run the model on a tone.

        Raises:
            EngineError: A run failed, or its numbers are not finite or all the same.
        """

    def measure(self, samples: Samples, tokens: int) -> Timings:
        """Run each stage once on ``samples``; EngineError if a run fails.

        Exactly ``tokens`` tokens are written, whatever they are.
        """

    def close(self) -> None:
        """Free the memory. Nothing may be called afterwards."""


def transcribe_blocks(
    live: LiveText, blocks: Iterable[Samples], on_step: Callable[[int], None]
) -> Transcript:
    """Feed ``live`` with ``blocks`` (see ``LiveText.feed``), doing all work due after each.

    ``on_step`` is called after each piece of work with the number of samples fed. Raises as ``live`` does.
    """
    fed = 0
    for block in blocks:
        live.feed(block)
        fed += len(block)
        on_step(fed)
        while live.advance():
            on_step(fed)
    return live.finish(lambda: on_step(fed))


def join_texts(parts: Sequence[str]) -> str:
    """Join the texts of consecutive segments, with a space where the scripts on both sides use spaces."""
    joined = ""
    for part in filter(None, parts):
        needs_space = bool(joined) and has_space_between(joined[-1], part[0])
        joined += (" " if needs_space else "") + part
    return joined
