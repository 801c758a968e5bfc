"""What the engine hands back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from handy_qwen.engine.qwen3.output import join_texts


@dataclass(slots=True)
class Timings:
    """Seconds spent in each stage; ``total_s`` is from the first sample's arrival in the engine to the text.

    ``prefill_s`` is the reading of prompt and audio (with the first tokens of a draft), ``decode_s`` the
    writing. ``drafts_s`` is the time for drafts that became no answer, which the stages do not count;
    ``finish_s`` is what was left to do when nothing more was to come.
    """

    features_s: float = 0.0
    encoder_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    drafts_s: float = 0.0
    finish_s: float = 0.0
    total_s: float = 0.0

    @contextmanager
    def add_to(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to ``stage``, the name of a field."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, stage, getattr(self, stage) + time.perf_counter() - begin)

    @property
    def stages_s(self) -> float:
        """All stages of the answer together."""
        return self.features_s + self.encoder_s + self.prefill_s + self.decode_s

    def add_stages(self, other: Timings) -> None:
        """Add the stages of ``other``."""
        self.features_s += other.features_s
        self.encoder_s += other.encoder_s
        self.prefill_s += other.prefill_s
        self.decode_s += other.decode_s


@dataclass(frozen=True, slots=True)
class Transcript:
    """The text of a clip.

    ``language`` is the English name of the language heard, several joined by commas if it changed from one
    pass to the next, empty if nobody spoke. ``is_truncated`` says that the model was cut off before it had
    ended, so that words may be missing. ``tokens`` are those of all passes, one after the other. Of the
    ``tried_draft_tokens``, which were checked instead of written, ``kept_draft_tokens`` were right.
    """

    text: str
    language: str
    is_language_forced: bool
    tokens: tuple[int, ...]
    is_truncated: bool
    duration_s: float
    timings: Timings = field(default_factory=Timings)
    tried_draft_tokens: int = 0
    kept_draft_tokens: int = 0

    def followed_by(self, rest: Transcript) -> Transcript:
        """The text of a clip of which this is the beginning, and ``rest`` what comes behind it.

        The timings are those of ``rest``: the beginning was written while nobody waited.
        """
        languages = [name for part in (self, rest) for name in part.language.split(",") if name]
        return replace(
            rest,
            text=join_texts([self.text, rest.text]),
            language=",".join(dict.fromkeys(languages)),
            tokens=(*self.tokens, *rest.tokens),
            is_truncated=self.is_truncated or rest.is_truncated,
            duration_s=self.duration_s + rest.duration_s,
            tried_draft_tokens=self.tried_draft_tokens + rest.tried_draft_tokens,
            kept_draft_tokens=self.kept_draft_tokens + rest.kept_draft_tokens,
        )


@dataclass(frozen=True, slots=True)
class Preview:
    """The text so far. ``committed`` only ever grows; ``tentative`` follows it and may still change."""

    committed: str = ""
    tentative: str = ""
