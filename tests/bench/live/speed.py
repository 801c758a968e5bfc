"""How long the text takes after the last sample, when the engine listened along and when it did not.

What is computed, and how long that takes, is real (dictation.py); what is written follows a script
(scripted.py).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np

from handy_qwen.engine.qwen3 import segment
from handy_qwen.engine.qwen3.features import SAMPLE_RATE
from handy_qwen.engine.qwen3.model import Float32
from handy_qwen.engine.qwen3.recognizer import Recognizer, open_parts
from handy_qwen.engine.qwen3.sessions import open_session
from handy_qwen.engine.qwen3.vad import SpeechSpan, VoiceStream
from handy_qwen.errors import HandyError
from tests.bench.live.dictation import Clock, Dictation, dictate
from tests.bench.live.scripted import scripted

STAGES = ("encoder", "prefill", "decode")
_QUIET = 1e-4  # of full scale: a pause is not digital silence


@dataclass(frozen=True, slots=True)
class LiveSpeed:
    """Seconds from the last sample to the text, medians over the rounds, for dictations of one length.

    Of ``live_s``, ``waiting_s`` were spent waiting for a run under way and ``stages_s`` in each of ``STAGES``
    (``prefill`` checks the draft as well); what is missing went by between the runs. ``busy`` is the share of
    the time of recording that the engine worked, ``processors`` how many it kept busy over that time.
    """

    clip_s: float
    pause_s: float  # of silence before the key comes up
    at_end_s: float
    live_s: float
    windows_only_s: float  # without drafts
    ratio: float  # the median of the rounds' own ratios
    waiting_s: float
    stages_s: dict[str, float]
    busy: float
    processors: float
    windows_only_busy: float
    windows_only_processors: float


@dataclass(frozen=True, slots=True)
class DraftShare:
    """How many tokens of drafts were ``tried`` instead of written, and how many of them were right."""

    tried: int
    kept: int


def bench_live(
    folder: Path,
    seconds: tuple[float, ...],
    pauses_s: tuple[float, ...],
    speech: Float32,
    *,
    voice_model: Path,
    threads: int,
    rounds: int = 3,
    tell: Callable[[LiveSpeed], None],
) -> list[LiveSpeed]:
    """Measure dictations of so many ``seconds``, with each of the pauses before the key comes up.

    Args:
        folder: Of the model.
        seconds: Lengths of the dictations, without the pause.
        pauses_s: 0 for a key that comes up in the middle of a word.
        speech: What is dictated, from another place in each round, as often as needed. Shape (n,), float32
            in [-1, 1], 16 kHz.
        voice_model: The voice detector's file.
        threads: For each session.
        rounds: Dictations of each kind.
        tell: Told each row as soon as it is measured.

    Raises:
        EngineError: The model cannot be loaded or run.
        HandyError: Nobody speaks in ``speech``.
    """
    session = open_session(voice_model, threads=1)
    stream = VoiceStream(session)
    stream.feed(speech)
    voices = stream.spans()
    if not voices:
        raise HandyError("Nobody speaks in what is to be dictated.", "Give recordings of speech.")
    clock = Clock()
    recognizer = Recognizer(scripted(open_parts(folder, threads), clock.run), session, 0.0)
    rows = []
    try:
        recognizer.transcribe(speech[: 10 * SAMPLE_RATE])  # what is done once only, on the first run
        for clip_s in seconds:
            for pause_s in pauses_s:
                clips = [_clip(speech, voices, clip_s, pause_s, number) for number in range(rounds)]
                rows.append(_measured(recognizer, clock, clips, clip_s, pause_s))
                tell(rows[-1])
    finally:
        recognizer.close()
    return rows


def measure_drafts(
    folder: Path, recordings: Iterable[Float32], *, voice_model: Path, threads: int
) -> DraftShare:
    """Dictate real speech to a trained model, which writes what it will, and count its drafts' tokens.

    Raises:
        EngineError: The model cannot be loaded or run.
    """
    accept, counts = segment._Answer.accept, []

    def counted(answer: segment._Answer, proposed: Sequence[int], choices: Sequence[int]) -> int:
        counts.append((len(proposed), accept(answer, proposed, choices)))
        return counts[-1][1]

    recognizer = Recognizer.load(folder, voice_model=voice_model, threads=threads)
    try:
        with patch.object(segment._Answer, "accept", counted):
            for samples in recordings:
                dictate(recognizer.live(), Clock(), samples)
    finally:
        recognizer.close()
    return DraftShare(sum(tried for tried, _ in counts), sum(kept for _, kept in counts))


def live_row(row: LiveSpeed | None = None) -> str:
    """``row`` as a line of text, or the headings."""
    if row is None:
        return (
            "  clip   pause    at end      live   ratio | waiting  encoder  prefill   decode"
            " |  busy processors | windows only   busy processors"
        )
    stages = " ".join(f"{row.stages_s[stage]:7.3f}s" for stage in STAGES)
    return (
        f"{row.clip_s:5.0f} s {row.pause_s:5.1f} s {row.at_end_s:7.2f} s {row.live_s:7.3f} s {row.ratio:7.3f}"
        f" | {row.waiting_s:6.3f}s {stages} | {row.busy:5.0%} {row.processors:10.2f}"
        f" | {row.windows_only_s:10.3f} s {row.windows_only_busy:5.0%}"
        f" {row.windows_only_processors:10.2f}"
    )


def _measured(
    recognizer: Recognizer, clock: Clock, clips: list[Float32], clip_s: float, pause_s: float
) -> LiveSpeed:
    """Dictate all clips, each way in turn."""
    at_end_s: list[float] = []
    full: list[Dictation] = []
    windows: list[Dictation] = []
    for clip in clips:
        at_end_s.append(recognizer.transcribe(clip).timings.total_s)
        full.append(dictate(recognizer.live(), clock, clip))
        windows.append(dictate(recognizer.live(drafts=False), clock, clip))
    median = statistics.median
    return LiveSpeed(
        clip_s,
        pause_s,
        at_end_s=median(at_end_s),
        live_s=median(run.left_s for run in full),
        windows_only_s=median(run.left_s for run in windows),
        ratio=median(run.left_s / end for run, end in zip(full, at_end_s, strict=True)),
        waiting_s=median(run.waiting_s for run in full),
        stages_s={stage: median(run.stages_s.get(stage, 0.0) for run in full) for stage in STAGES},
        busy=median(run.busy for run in full),
        processors=median(run.processors for run in full),
        windows_only_busy=median(run.busy for run in windows),
        windows_only_processors=median(run.processors for run in windows),
    )


def _clip(speech: Float32, voices: list[SpeechSpan], clip_s: float, pause_s: float, number: int) -> Float32:
    """Speech that ends in the middle of a word, or at the end of one with a pause behind it."""
    voice = voices[(number * 5 + 2) % len(voices)]
    end = voice.end if pause_s else (voice.start + voice.end) // 2
    size = int(clip_s * SAMPLE_RATE)
    repeated = np.resize(np.roll(speech, -end), -(-size // len(speech)) * len(speech))
    pause = _QUIET * np.random.default_rng(number).standard_normal(int(pause_s * SAMPLE_RATE))
    return np.concatenate([repeated[-size:], pause.astype(np.float32)])
