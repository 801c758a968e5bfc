"""How long the text takes after the last sample, when the engine listened along and when it did not.

A minute of dictation is not waited for: time that the engine would have been idle is skipped. The next
samples are fed as they would have come in while each run went on, and the key comes up in the middle of a run
if it would have. What is computed, and how long that takes, is real; what is written follows a script (see
scripted.py).
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handy_qwen.bench.scripted import scripted
from handy_qwen.engine.backend import Float32
from handy_qwen.engine.features import SAMPLE_RATE
from handy_qwen.engine.layouts import open_model
from handy_qwen.engine.live import LiveTranscription
from handy_qwen.engine.recognizer import Recognizer
from handy_qwen.engine.sessions import open_session
from handy_qwen.engine.vad import Segment, VoiceDetector

PAUSES_S = (0.5, 1.0, 1.5)
_BLOCK_SAMPLES = 512
_QUIET = 1e-4  # of full scale: a pause is not digital silence


@dataclass(frozen=True, slots=True)
class LiveSpeed:
    """Seconds from the last sample to the text, medians over the rounds, for dictations of one length.

    ``busy`` is the share of the time of recording that the engine worked, ``processors`` how many it kept
    busy over that time.
    """

    clip_s: float
    pause_s: float  # of silence before the key comes up
    at_end_s: float
    live_s: float
    windows_only_s: float  # without drafts
    ratio: float  # the median of the rounds' own ratios
    busy: float
    processors: float
    windows_only_busy: float


def bench_live(
    folder: Path,
    seconds: tuple[float, ...],
    speech: Float32,
    *,
    voice_model: Path,
    threads: int,
    rounds: int = 3,
    tell: Callable[[LiveSpeed], None],
) -> list[LiveSpeed]:
    """Measure dictations of so many ``seconds``, without a pause before the key comes up and after pauses.

    Args:
        folder: Of the model.
        seconds: Lengths of the dictations.
        speech: What is dictated, from another place in each round, as often as needed. Shape (n,), float32
            in [-1, 1], 16 kHz.
        voice_model: The voice detector's file.
        threads: For each session.
        rounds: Dictations of each kind.
        tell: Told each row as soon as it is measured.

    Raises:
        EngineError: The model cannot be loaded or run.
        ValueError: Nobody speaks in ``speech``.
    """
    detector = VoiceDetector(open_session(voice_model, threads=1))
    voices = detector.detect(speech)
    if not voices:
        raise ValueError("nobody speaks in the recording")
    clock = _Clock()
    recognizer = Recognizer(scripted(open_model(folder, threads), clock.run), detector, 0.0)
    rows = []
    try:
        recognizer.transcribe(speech[: 10 * SAMPLE_RATE])  # what is done once only, on the first run
        for clip_s in seconds:
            for pause_s in (0.0, *PAUSES_S):
                clips = [_clip(speech, voices, clip_s, pause_s, number) for number in range(rounds)]
                rows.append(_measured(recognizer, clock, clips, clip_s, pause_s))
                tell(rows[-1])
    finally:
        recognizer.close()
    return rows


def live_row(row: LiveSpeed | None = None) -> str:
    """``row`` as a line of text, or the headings."""
    if row is None:
        return "  clip   pause    at end      live   ratio   busy  processors | windows only   busy"
    return (
        f"{row.clip_s:5.0f} s {row.pause_s:5.1f} s {row.at_end_s:7.2f} s {row.live_s:7.3f} s {row.ratio:7.3f}"
        f" {row.busy:5.0%} {row.processors:11.2f} | {row.windows_only_s:10.3f} s {row.windows_only_busy:5.0%}"
    )


def load_average() -> float:
    """How busy the machine is, in processors; 0 where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


class _Clock:
    """The time of a dictation: goes on as runs take time, or is put forward. Feeds what was said by then."""

    def __init__(self) -> None:
        self._live: LiveTranscription | None = None
        self._samples = np.zeros(0, np.float32)
        self.now_s = 0.0

    def start(self, live: LiveTranscription, samples: Float32) -> None:
        """Begin a dictation of ``samples``."""
        self._live, self._samples, self.now_s, self._fed = live, samples, 0.0, 0

    def stop(self) -> None:
        """Nobody speaks any more."""
        self._live = None

    @property
    def left_s(self) -> float:
        """Until the key comes up."""
        return len(self._samples) / SAMPLE_RATE - self.now_s

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        assert self._live is not None, "started before"
        self.now_s += seconds
        end = min(int(self.now_s * SAMPLE_RATE), len(self._samples))
        for first in range(self._fed, end, _BLOCK_SAMPLES):
            self._live.feed(self._samples[first : min(first + _BLOCK_SAMPLES, end)])
        self._fed = end

    def run(self, work: Callable[[], Float32]) -> Float32:
        """Do ``work`` while time passes; the key may come up meanwhile."""
        if self._live is None:
            return work()
        release = threading.Timer(max(0.0, self.left_s), self._live.stop_drafting)
        release.start()
        begin = time.perf_counter()
        try:
            return work()
        finally:
            release.cancel()
            self.go_on(time.perf_counter() - begin)


@dataclass(frozen=True, slots=True)
class _Run:
    live_s: float
    busy: float
    processors: float


def _measured(
    recognizer: Recognizer, clock: _Clock, clips: list[Float32], clip_s: float, pause_s: float
) -> LiveSpeed:
    """Dictate all clips, each way in turn."""
    at_end, full, windows = [], [], []
    for clip in clips:
        begin = time.perf_counter()
        recognizer.transcribe(clip)
        at_end.append(time.perf_counter() - begin)
        full.append(_dictate(recognizer.live(), clock, clip))
        windows.append(_dictate(recognizer.live(drafts=False), clock, clip))
    median = statistics.median
    return LiveSpeed(
        clip_s,
        pause_s,
        at_end_s=median(at_end),
        live_s=median(run.live_s for run in full),
        windows_only_s=median(run.live_s for run in windows),
        ratio=median(run.live_s / end for run, end in zip(full, at_end, strict=True)),
        busy=median(run.busy for run in full),
        processors=median(run.processors for run in full),
        windows_only_busy=median(run.busy for run in windows),
    )


def _dictate(live: LiveTranscription, clock: _Clock, clip: Float32) -> _Run:
    """Dictate ``clip`` as it would be spoken; return what was left to do when it ended."""
    clock.start(live, clip)
    busy_s, processor_s = 0.0, time.process_time()
    while clock.left_s > 0:
        begin, before_s = time.perf_counter(), clock.now_s
        has_more = live.advance()
        took_s = time.perf_counter() - begin
        busy_s += took_s
        clock.go_on(max(0.0, took_s - (clock.now_s - before_s)))  # what was not in a run
        if not has_more and clock.left_s > 0:
            clock.go_on(min(_BLOCK_SAMPLES / SAMPLE_RATE, clock.left_s + 1e-6))
    late_s = -clock.left_s
    processor_s = time.process_time() - processor_s
    live.stop_drafting()
    clock.stop()
    begin = time.perf_counter()
    live.finish()
    clip_s = len(clip) / SAMPLE_RATE
    return _Run(late_s + time.perf_counter() - begin, busy_s / clip_s, processor_s / clip_s)


def _clip(speech: Float32, voices: list[Segment], clip_s: float, pause_s: float, number: int) -> Float32:
    """Speech that ends in the middle of a word, or at the end of one with a pause behind it."""
    voice = voices[(number * 5 + 2) % len(voices)]
    end = voice.end if pause_s else (voice.start + voice.end) // 2
    size = int(clip_s * SAMPLE_RATE)
    repeated = np.resize(np.roll(speech, -end), -(-size // len(speech)) * len(speech))
    pause = _QUIET * np.random.default_rng(number).standard_normal(int(pause_s * SAMPLE_RATE))
    return np.concatenate([repeated[-size:], pause.astype(np.float32)])
