"""Segments: the same for any cutting into blocks, nothing lost between them, memory bounded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.engine.qwen3.segmenter import TAIL_SAMPLES, Segmenter
from handy_qwen.engine.qwen3.vad import FRAME_SAMPLES, SpeechSpan

RATE = 16_000
HANGOVER = 6 * FRAME_SAMPLES


class LoudIsSpeech:
    """A detector that knows silence as zeros. Implements what the splitter asks of a VoiceStream."""

    def __init__(self):
        self.heard, self.sounds, self.carry = 0, [], np.zeros(0, np.float32)

    def feed(self, samples):
        waiting = np.concatenate((self.carry, samples))
        whole = len(waiting) - len(waiting) % FRAME_SAMPLES
        for frame in waiting[:whole].reshape(-1, FRAME_SAMPLES):
            self._judge(frame)
        self.carry = waiting[whole:]

    def finish(self):
        if len(self.carry):
            self._judge(self.carry)

    def _judge(self, frame):
        start, self.heard = self.heard, self.heard + len(frame)
        if not frame.any():
            return
        if self.sounds and start - self.sounds[-1].end < HANGOVER:
            self.sounds[-1] = SpeechSpan(self.sounds[-1].start, self.heard)
        else:
            self.sounds.append(SpeechSpan(start, self.heard))

    @property
    def speech_end_samples(self):
        return self.sounds[-1].end if self.sounds else 0

    def spans(self):
        return list(self.sounds)

    def clear_samples(self, start, end):
        return sum(max(0, min(one.end, end) - max(one.start, start)) for one in self.sounds)


def take(*pieces):
    """Speech (positive seconds) and silence (negative); every sample of speech tells its place."""
    parts, place = [], 1
    for seconds in pieces:
        size = int(abs(seconds) * RATE)
        part = np.arange(place, place + size, dtype=np.float32) if seconds > 0 else np.zeros(size, np.float32)
        parts.append(part)
        place += size
    return np.concatenate(parts)


def split(samples, sizes=(), *, limit_s=60.0, trims=True):
    splitter = Segmenter(LoudIsSpeech(), limit_samples=int(limit_s * RATE), trims_silence=trims)
    closed, first = [], 0
    for size in [*sizes, len(samples)]:
        closed += splitter.feed(samples[first : first + size])
        first += size
    closed += splitter.finish()
    return [(one.end, one.speech_s, one.samples[: one.end].tobytes()) for one in closed]


pieces = st.lists(
    st.sampled_from([0.3, 2.0, 7.0, 18.0, -0.2, -0.5, -1.2, -9.0, -25.0]), min_size=1, max_size=9
)


@settings(max_examples=40)
@given(pieces, st.lists(st.integers(0, 200_000), max_size=12), st.booleans(), st.sampled_from([10.0, 60.0]))
def test_segments_are_the_same_for_any_cutting_into_blocks(plan, sizes, trims, limit_s):
    samples = take(*plan)
    assert split(samples, sizes, limit_s=limit_s, trims=trims) == split(samples, limit_s=limit_s, trims=trims)


@settings(max_examples=40)
@given(pieces, st.sampled_from([10.0, 60.0]))
def test_every_sample_of_speech_is_in_exactly_one_segment(plan, limit_s):
    samples = take(*plan)
    heard = np.concatenate([np.frombuffer(s, np.float32) for _, _, s in split(samples, limit_s=limit_s)])
    assert np.array_equal(heard[heard > 0], samples[samples > 0])


@settings(max_examples=40)
@given(pieces)
def test_no_segment_is_longer_than_its_limit_by_more_than_a_step(plan):
    assert all(end <= 10.6 * RATE for end, _, _ in split(take(*plan), limit_s=10.0))


@settings(max_examples=25)
@given(pieces, st.integers(100, 30_000))
def test_what_is_to_be_read_of_the_open_segment_never_shrinks(plan, size):
    samples = take(*plan)
    splitter = Segmenter(LoudIsSpeech(), limit_samples=60 * RATE, trims_silence=True)
    before = 0
    for first in range(0, len(samples), size):
        closed = splitter.feed(samples[first : first + size])
        now = len(splitter.open_samples)
        assert closed or now >= before
        before = now
    last = splitter.finish()[0]
    assert last.end >= before or before > 60 * RATE


def test_a_segment_ends_a_little_after_the_last_word():
    ((end, speech_s, _),) = split(take(2.0, -3.0))
    assert end == pytest.approx(2.0 * RATE + TAIL_SAMPLES, abs=FRAME_SAMPLES)
    assert speech_s == pytest.approx(2.0, abs=0.04)


def test_a_pause_of_a_second_ends_a_segment_only_if_it_is_long():
    assert len(split(take(8.0, -1.2, 2.0))) == 1
    assert len(split(take(18.0, -1.8, 2.0))) == 2


def test_the_longer_a_segment_the_shorter_the_pause_that_ends_it():
    assert len(split(take(30.0, -0.5, 2.0))) == 1
    assert len(split(take(45.0, -1.0, 2.0))) == 2


def test_a_whole_clip_is_not_divided_at_its_pauses():
    assert len(split(take(30.0, -1.5, 12.0), trims=False)) == 1


def test_silence_alone_has_nothing_to_read():
    assert [end for end, _, _ in split(take(-45.0))] == [0]


def test_a_take_without_a_sample_is_a_segment_without_one():
    assert [end for end, _, _ in split(take(-0.0))] == [0]


def test_rest_is_when_more_silence_changes_nothing():
    splitter = Segmenter(LoudIsSpeech(), limit_samples=60 * RATE, trims_silence=True)
    splitter.feed(take(1.024))
    assert not splitter.is_at_rest
    assert not splitter.is_in_gap
    splitter.feed(np.zeros(3 * FRAME_SAMPLES, np.float32))
    assert splitter.is_in_gap
    splitter.feed(np.zeros(TAIL_SAMPLES, np.float32))
    assert splitter.is_at_rest
    assert not splitter.is_in_gap
    before = len(splitter.open_samples)
    splitter.feed(np.zeros(RATE, np.float32))
    assert len(splitter.open_samples) == before


def test_an_hour_takes_no_more_memory_than_three_minutes():
    splitter = Segmenter(LoudIsSpeech(), limit_samples=60 * RATE, trims_silence=True)
    minute, sizes = take(*[14.0, -0.6] * 4), []
    for _ in range(60):
        for first in range(0, len(minute), RATE):
            splitter.feed(minute[first : first + RATE])
            sizes.append(len(splitter._buffer))
    assert max(sizes) <= 2 * 61 * RATE
    assert max(sizes[180:]) <= 1.1 * max(sizes[:180])
    splitter.feed(take(-60.0))
    assert len(splitter._buffer) <= 50 * RATE


def test_segments_are_looked_through_only_when_a_segment_ends():
    voice = LoudIsSpeech()
    splitter = Segmenter(voice, limit_samples=60 * RATE, trims_silence=True)
    voice.spans = None
    splitter.feed(take(10.0, -0.5))
    assert splitter.is_at_rest
    assert len(splitter.open_samples) > 10 * RATE


def closed_of(samples, *, limit_s=60.0):
    splitter = Segmenter(LoudIsSpeech(), limit_samples=int(limit_s * RATE), trims_silence=True)
    return splitter, splitter.feed(samples) + splitter.finish()


def test_a_segment_is_divided_at_the_quietest_place_of_its_middle_and_nothing_is_lost():
    samples = take(-1.0, 4.0, -0.3, 5.0, -0.5)
    splitter, (whole,) = closed_of(samples)
    first, second = splitter.divided(whole)
    assert 5.0 * RATE <= second.start <= 5.3 * RATE
    assert (first.start, second.start) == (whole.start, whole.start + len(first.samples))
    assert np.array_equal(np.concatenate([first.samples, second.samples]), whole.samples)
    assert first.end + second.end == whole.end
    assert first.speech_s == pytest.approx(4.0, abs=0.08)
    assert second.speech_s == pytest.approx(5.0, abs=0.08)


def test_a_part_in_which_nobody_seems_to_speak_is_read_as_well():
    splitter, (whole, *_) = closed_of(take(3.0, -7.0, 3.0))
    first, second = splitter.divided(whole)
    assert (first.end, second.end) == (len(first.samples), whole.end - len(first.samples))
    assert not first.is_unsure
    parts = [part for half in (first, second) for part in splitter.divided(half)]
    assert [part.is_unsure for part in parts] == [False, False, True, False]


@pytest.mark.parametrize("seconds", [4.0, 9.0, 60.0])
def test_parts_are_never_shorter_than_a_third_and_dividing_ends(seconds):
    splitter, (whole,) = closed_of(take(seconds), limit_s=61.0)
    parts = splitter.divided(whole)
    assert parts
    while parts:
        assert min(len(part.samples) for part in parts) >= 4 * RATE // 3
        parts = [one for part in parts for one in splitter.divided(part)]


def test_a_short_segment_is_not_divided():
    splitter, (whole,) = closed_of(take(3.5))
    assert splitter.divided(whole) == []


def test_it_is_unsure_of_speech_too_short_for_a_word():
    for seconds, is_unsure in ((0.128, True), (0.256, False)):
        splitter, (whole,) = closed_of(take(-0.512, seconds, -0.512))
        assert whole.is_unsure is is_unsure
        assert splitter.divided(whole) == []
