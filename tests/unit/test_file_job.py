"""A sound file in the engine: given up for dictations at any moment, and each word is there once."""

import threading
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.engine.qwen3.features import SAMPLE_RATE
from handy_qwen.engine.qwen3.live import LiveTranscription
from handy_qwen.engine.qwen3.prompt import build_prompt
from handy_qwen.engine.qwen3.segmenter import Segmenter
from handy_qwen.errors import CancelledError, EngineError
from handy_qwen.transcriber.jobs import AHEAD_SAMPLES, FileJob
from tests.hearing import WORDS, Hearing, ToneDetector, plainly, said

SPOKEN = WORDS[:24]
SOUND = np.concatenate([said(*SPOKEN[:14]), np.zeros(25 * SAMPLE_RATE, np.float32), said(*SPOKEN[14:])])


class Model:
    """The model that hears tones, as the engine's interface has it. ``on_answer``: called for each answer."""

    def __init__(self, on_answer=lambda: None):
        def answers(heard):
            on_answer()
            return plainly(heard)

        self._hearing = Hearing(answers)

    def live(self, *, language, context, drafts, segment_s, cancel):
        assert (context, drafts) == ((), False)
        prompt = build_prompt(self._hearing.parts.tokenizer, language=language)
        segmenter = Segmenter(ToneDetector(), limit_samples=int(segment_s * SAMPLE_RATE), trims_silence=True)
        return LiveTranscription(
            self._hearing.parts, prompt, segmenter, is_exact=False, has_drafts=False, cancel=cancel
        )


def blocks(samples, size=8_000):
    return [samples[first : first + size] for first in range(0, len(samples), size)]


def done(job, model, interrupted=lambda: None):
    """Work to the end, as the engine does; returns what came of it and how often it was interrupted."""
    waiting, pauses = blocks(SOUND), 0
    for _ in range(10_000):
        if job.is_over:
            return job.wait(0), pauses
        while waiting and job.feed(waiting[0], 0.0):
            del waiting[0]
        if not waiting:
            job.complete()
        job.expect_to_work()
        interrupted()
        try:
            job.work(model, 20.0, lambda: None)
        except CancelledError:
            job.release()
            pauses += 1
    raise AssertionError("it does not come to an end")


def test_a_file_is_transcribed_whole_with_its_pauses_and_no_more_is_kept_than_is_needed():
    job = FileJob(("English",), ())
    found, _pauses = done(job, Model())
    assert found.text.split() == SPOKEN
    assert found.duration_s == pytest.approx(len(SOUND) / SAMPLE_RATE)
    spans = [span for segment in found.segments for span in segment.speech_s]
    assert spans == sorted(spans)
    assert spans[0][0] < 0.1
    (before,) = [one for one, after in pairwise(spans) if after[0] - one[1] > 20]
    assert before[1] == pytest.approx(14, abs=0.5)


@settings(max_examples=15)
@given(st.sets(st.integers(0, 20)), st.sets(st.integers(0, 12)))
def test_whenever_a_dictation_comes_every_word_is_there_once(between, within):
    """``between``: before so many pieces of work; ``within``: in the middle of so many steps of the model."""
    counts = SimpleNamespace(pieces=0, steps=0)

    def on_answer():
        counts.steps += 1
        if counts.steps // 20 in within:
            within.remove(counts.steps // 20)
            job.give_way()

    def interrupted():
        counts.pieces += 1
        if counts.pieces in between:
            job.give_way()

    job = FileJob((), ())
    found, _pauses = done(job, Model(on_answer), interrupted)
    assert found.text.split() == SPOKEN
    assert found.duration_s == pytest.approx(len(SOUND) / SAMPLE_RATE)
    assert [one for segment in found.segments for one in segment.text.split()] == SPOKEN
    spans = [span for segment in found.segments for span in segment.speech_s]
    assert spans == sorted(spans)
    assert spans[-1][1] <= len(SOUND) / SAMPLE_RATE + 1e-6


def test_another_model_goes_on_where_the_first_was():
    job, models = FileJob((), ()), [Model(), Model()]
    waiting = blocks(SOUND)
    while job.done_samples < 14 * SAMPLE_RATE:
        while waiting and job.feed(waiting[0], 0.0):
            del waiting[0]
        job.work(models[0], 20.0, lambda: None)
    for block in waiting:
        while not job.feed(block, 0.0):
            job.work(models[1], 20.0, lambda: None)
    job.complete()
    while not job.is_over:
        job.work(models[1], 20.0, lambda: None)
    assert job.wait(0).text.split() == SPOKEN


def test_the_reader_waits_for_the_engine_also_in_silence_and_is_told_of_the_end():
    job, fed = FileJob((), ()), 0
    block = np.zeros(SAMPLE_RATE, np.float32)
    while job.feed(block, 0.0):
        fed += len(block)
    assert fed == AHEAD_SAMPLES + len(block)
    thread = threading.Thread(target=lambda: job.feed(block, 60.0), daemon=True)
    thread.start()
    model = Model()
    for _ in range(6):
        job.work(model, 20.0, lambda: None)
    thread.join(60)
    assert not thread.is_alive()
    assert job.done_samples > 0
    job.end(EngineError("No."))
    with pytest.raises(EngineError):
        job.feed(block, 60.0)
    with pytest.raises(EngineError):
        job.wait(60)


def test_what_is_given_up_says_so_to_its_reader_and_stops_the_engine():
    job = FileJob((), ())
    job.feed(SOUND[: 5 * SAMPLE_RATE], 0.0)
    model = Model()
    job.work(model, 20.0, lambda: None)
    job.cancel()
    with pytest.raises(CancelledError):
        job.work(model, 20.0, lambda: None)
    with pytest.raises(CancelledError):
        job.wait(60)
    assert job.is_over
