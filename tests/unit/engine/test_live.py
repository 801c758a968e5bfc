"""Keeping pace with the speaker: the tokens are those of the whole clip, whatever was drafted and when."""

import random
import sys
import threading
from collections import Counter
from functools import cache
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handy_qwen import paths
from handy_qwen.audio.files import load
from handy_qwen.engine.api import GAP, Cancel, Timings, Transcript
from handy_qwen.engine.qwen3 import segment
from handy_qwen.engine.qwen3.live import LiveTranscription
from handy_qwen.engine.qwen3.prompt import End, build_prompt
from handy_qwen.engine.qwen3.segment import Segment
from handy_qwen.errors import AudioFormatError, CancelledError, EngineError

RATE = 16_000
MODELS = ["exact_recognizer", "random_recognizer", "demo_recognizer"]
SLOW = settings(
    max_examples=10,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def few_tokens(monkeypatch):
    """The random model never ends an answer by itself; its first tokens show what hundreds would."""
    monkeypatch.setattr(segment, "token_limit", lambda _samples: 40)


@cache
def speech():
    """The recordings that ship with the program: three sentences."""
    return [load(path) for path in sorted(paths.asset("speech").glob("*.flac"))]


def voiced(seconds):
    """Speech without a pause worth the name."""
    joined = np.concatenate([part[np.abs(part) > 0.002] for part in speech()])
    return np.resize(joined, int(seconds * RATE))


def quiet(seconds):
    return np.zeros(int(seconds * RATE), np.float32)


def take(*parts):
    """Sentences by number (None: a second of silence)."""
    sentences = speech()
    return np.concatenate([quiet(1.0) if part is None else sentences[part] for part in parts])


def advance_all(live):
    while live.advance():
        pass


def dictated(live, samples, size):
    """What comes out if blocks of ``size`` are fed and all is done that is due."""
    for first in range(0, len(samples), size):
        live.feed(samples[first : first + size])
        advance_all(live)
    return live.finish()


def corrupt(draft, rnd):
    """Make ``draft`` wrong, as one made of something else might be."""
    draft.end = None
    kind = rnd.choice(["none", "cut", "long", "wrong", "shifted", "noise"])
    if kind == "cut":
        del draft.tokens[rnd.randrange(len(draft.tokens) + 1) :]
    elif kind == "long":
        draft.tokens += [rnd.randrange(600) for _ in range(rnd.randrange(200))]
    elif kind == "wrong" and draft.tokens:
        draft.tokens[rnd.randrange(len(draft.tokens))] = rnd.randrange(640)
    elif kind == "shifted":
        draft.tokens.insert(rnd.randrange(len(draft.tokens) + 1), rnd.randrange(640))
    elif kind == "noise":
        draft.tokens = [rnd.randrange(640) for _ in range(rnd.randrange(60))]


def assert_same(recognizer, samples, got, wanted):
    """The same tokens; or, at the first that differs, two candidates as close as the kernels' own noise."""
    if got.tokens == wanted.tokens:
        assert got.text == wanted.text
        return
    pairs = zip(got.tokens, wanted.tokens, strict=False)
    place = next(i for i, (one, other) in enumerate(pairs) if one != other)
    stepwise, at_once = logits_both_ways(recognizer, samples, wanted.tokens[: place + 1])
    one, other = got.tokens[place], wanted.tokens[place]
    noise = np.abs(stepwise - at_once).max()
    assert 0 < noise < 0.2
    assert abs(stepwise[one] - stepwise[other]) <= 2 * noise


def logits_both_ways(recognizer, samples, tokens):
    """Logits that decide the last of ``tokens``, those before it read one by one and together.

    For clips of a single segment.
    """
    model, cancel, logits = recognizer._model, Cancel(), []
    splitter = recognizer.live()._segmenter
    (closed,) = splitter.feed(samples) + splitter.finish()
    for steps in ([1] * (len(tokens) - 1), [len(tokens) - 1]):
        segment = Segment(model, build_prompt(model.tokenizer), Timings(), is_exact=False)
        answer_to(segment, closed.samples[: closed.end])
        model.decoder.truncate(rows_before_answer(segment, closed.end))
        first = 0
        for count in steps:
            model.decoder.extend(tokens[first : first + count])
            last = model.decoder.logits(1, cancel)[-1].copy()
            first += count
        logits.append(last)
    return logits


def answer_to(segment, samples):
    """The answer without a draft."""
    tokens = []
    segment.answer(samples, (), Cancel(), written=tokens, poll=lambda: None)
    return tokens


def rows_before_answer(segment, samples):
    """Rows of the prompt: what was final, the audio behind it and the tail."""
    full, rest = divmod(max(samples, 8000) // 160 - segment.windows * 800, 100)
    for _ in range(3):
        rest = -(-rest // 2)
    return segment._ends[-1].rows + 13 * full + rest + len(segment._prompt.tail)


@pytest.mark.parametrize("name", MODELS)
def test_reading_tokens_together_or_one_by_one_makes_no_difference_that_counts(name, request):
    recognizer, samples = request.getfixturevalue(name), take(0)
    tokens = recognizer.transcribe(samples).tokens
    stepwise, at_once = logits_both_ways(recognizer, samples, tokens)
    assert stepwise.argmax() == at_once.argmax() == tokens[-1]
    assert np.abs(stepwise - at_once).max() < 0.2


@pytest.mark.parametrize("name", MODELS)
@SLOW
@given(seed=st.integers(0, 2**32))
def test_tokens_are_the_same_for_any_blocks_drafts_and_pauses(name, seed, request):
    if name == "random_recognizer":
        request.getfixturevalue("few_tokens")
    recognizer, rnd = request.getfixturevalue(name), random.Random(seed)
    samples = take(*[rnd.choice([0, 1, 2, None]) for _ in range(rnd.randint(1, 4))])
    samples = samples[: rnd.randint(1, len(samples))]
    wanted = recognizer.transcribe(samples)
    live, first = recognizer.live(drafts=rnd.random() < 0.9), 0
    while first < len(samples):
        size = rnd.choice([1, 160, 511, 4000, 20_000, 90_000])
        live.feed(samples[first : first + size])
        first += size
        if rnd.random() < 0.6:
            live.advance()
        if rnd.random() < 0.1 and len(live._segmenter.open_samples) and not live._closed:
            live._make_draft()
        if rnd.random() < 0.2:
            corrupt(live._draft, rnd)
        if rnd.random() < 0.03:
            live.stop_drafting()
    assert_same(recognizer, samples, live.finish(), wanted)


def test_every_recording_gives_the_same_tokens_live(demo_recognizer, recordings):
    paths_of_all = sorted(recordings.rglob("*.wav"))
    assert paths_of_all
    for number, path in enumerate(paths_of_all):
        samples = load(path)[: 10 * RATE]  # more than a window
        got = dictated(demo_recognizer.live(), samples, [8_000, 24_000, 48_000][number % 3])
        assert got.tokens == demo_recognizer.transcribe(samples).tokens, path.name


@pytest.mark.usefixtures("few_tokens")
@pytest.mark.parametrize("size", [20_000, 10**9])
def test_a_segment_closed_before_the_end_of_what_was_read_is_read_again(size, random_recognizer):
    samples = voiced(22.0)
    live = random_recognizer.live(drafts=False, segment_s=20.0)
    got = dictated(live, samples, size)
    assert got.tokens == random_recognizer.transcribe(samples, segment_s=20.0).tokens
    assert len(live._answers) >= 2


def test_a_window_read_beyond_the_cut_is_forgotten(random_recognizer):
    model, samples = random_recognizer._model, voiced(18.0)
    long = Segment(model, build_prompt(model.tokenizer), Timings(), is_exact=False)
    while long.advance(samples, Cancel()):
        pass
    assert long.windows == 2
    cut = samples[: 10 * RATE + 77]
    answers = [(answer_to(long, cut), long.windows)]
    short = Segment(model, build_prompt(model.tokenizer), Timings(), is_exact=False)
    answers.append((answer_to(short, cut), short.windows))
    assert answers[0] == answers[1]
    assert answers[0][1] == 1


@pytest.mark.usefixtures("few_tokens")
@pytest.mark.parametrize("length", [1, 2, 7_999, 8_000, 128_000, 128_039, 128_040, 128_160])
def test_lengths_at_the_edges_of_windows_give_the_same_tokens(length, random_recognizer):
    samples = voiced(9.0)[:length]
    got = dictated(random_recognizer.live(), samples, 16_000)
    assert got.tokens == random_recognizer.transcribe(samples).tokens


def test_after_a_pause_nothing_is_left_to_do(demo_recognizer):
    live = demo_recognizer.live()
    samples = np.concatenate([speech()[0], quiet(1.5)])
    for first in range(0, len(samples), 1600):
        live.feed(samples[first : first + 1600])
        advance_all(live)
    live._segment.answer = None  # would fail if it were called
    transcript = live.finish()
    assert transcript.text == demo_recognizer.transcribe(samples).text
    assert transcript.text


def test_no_draft_is_written_while_nothing_new_is_said(demo_recognizer, monkeypatch):
    live, drafts = demo_recognizer.live(), []
    make = live._make_draft
    monkeypatch.setattr(live, "_make_draft", lambda: (drafts.append(1), make()))
    live.feed(np.concatenate([speech()[0], quiet(1.0)]))
    advance_all(live)
    before = len(drafts)
    assert before
    for _ in range(20):
        live.feed(quiet(0.5))
        advance_all(live)
    assert len(drafts) == before


def test_what_is_settled_and_the_rest_give_the_whole(demo_recognizer):
    samples = take(0, None, 1, None, 2, None, 0)
    whole = dictated(demo_recognizer.live(), samples, 4_000)
    live, parts = demo_recognizer.live(), set()
    for first in range(0, len(samples), 4_000):
        live.feed(samples[first : first + 4_000])
        advance_all(live)
        settled = live.settled()
        parts.add(settled.text)
        assert settled.duration_s == live.settled_samples / RATE
        assert whole.text.startswith(settled.text)
    assert len(parts) > 1, "a segment ended meanwhile"
    rest = dictated(demo_recognizer.live(), samples[live.settled_samples :], 4_000)
    joined = live.settled().followed_by(rest)
    assert (joined.text, joined.tokens, joined.language) == (whole.text, whole.tokens, whole.language)
    assert joined.duration_s == whole.duration_s


def test_what_could_not_be_heard_of_the_first_part_is_marked_before_the_rest():
    lost = Transcript("", "", is_language_forced=False, tokens=(), is_truncated=True, duration_s=1.0)
    rest = Transcript(
        "Yes.", "English", is_language_forced=False, tokens=(), is_truncated=False, duration_s=1.0
    )
    assert lost.followed_by(rest).text == f"{GAP} Yes."
    assert rest.followed_by(lost).text == f"Yes. {GAP}"
    assert lost.followed_by(lost).text == ""
    assert lost.followed_by(rest).is_truncated


def test_a_segment_whose_run_fails_is_not_settled(demo_recognizer, monkeypatch):
    live = demo_recognizer.live(drafts=False)
    live.feed(take(0, None, 1, None, 2, None, None))
    monkeypatch.setattr(Segment, "answer", Mock(side_effect=EngineError("broken")))
    with pytest.raises(EngineError):
        live.finish()
    assert (live.settled_samples, live.settled().text) == (0, "")


def test_without_drafts_windows_are_read_and_nothing_else(random_recognizer):
    live = random_recognizer.live(drafts=False)
    live.feed(voiced(17.0))
    advance_all(live)
    assert live._segment.windows == 2
    assert live.preview().tentative == ""
    assert not live._draft.tokens


def test_windows_come_before_drafts_when_the_engine_is_late(random_recognizer, monkeypatch):
    live, order = random_recognizer.live(), []
    monkeypatch.setattr(live, "_make_draft", lambda: order.append(live._segment.windows))
    live.feed(voiced(26.0))
    for _ in range(7):  # the head, three windows, the two seconds behind them, a draft
        live.advance()
    assert order
    assert order[0] == 3


def test_no_draft_begins_after_they_were_stopped(random_recognizer):
    live = random_recognizer.live()
    live.feed(voiced(3.0))
    live.stop_drafting()
    advance_all(live)
    assert not live._draft.tokens
    live.feed(voiced(1.0))
    assert live.finish().tokens


def test_a_draft_that_is_stopped_keeps_the_tokens_it_has_written(demo_recognizer, monkeypatch):
    said = speech()[0]
    said = said[: len(said) * 2 // 3]  # in the middle of it: that of a pause would not be stopped
    live = demo_recognizer.live()
    live.feed(said)
    live._take_in()
    answer = live._segment.answer

    def answer_until_the_key_comes_up(*args, written, **kwargs):
        def poll():
            if len(written) == 3:
                live.stop_drafting()

        return answer(*args, written=written, **(kwargs | {"poll": poll}))

    monkeypatch.setattr(live._segment, "answer", answer_until_the_key_comes_up)
    live._make_draft()
    kept = list(live._draft.tokens)
    assert len(kept) == 3
    assert not live._draft.end
    monkeypatch.setattr(live._segment, "answer", answer)
    found = live.finish()
    assert list(found.tokens)[:3] == kept
    assert found.tokens == demo_recognizer.transcribe(said, exact=False).tokens


def test_a_draft_is_dropped_when_the_speaker_pauses_meanwhile(demo_recognizer, monkeypatch):
    live, said = demo_recognizer.live(), speech()[0]
    live.feed(said[: len(said) * 2 // 3])
    live._take_in()
    answer = live._segment.answer

    def answer_while_more_is_said(*args, **kwargs):
        monkeypatch.setattr(live._segment, "answer", answer)
        live.feed(np.concatenate([said[len(said) * 2 // 3 :], quiet(1.0)]))
        return answer(*args, **kwargs)

    monkeypatch.setattr(live._segment, "answer", answer_while_more_is_said)
    live._make_draft()
    assert not live._draft.end
    advance_all(live)
    assert live._draft.end
    assert live.finish().text == demo_recognizer.transcribe(np.concatenate([said, quiet(1.0)])).text


def test_a_draft_of_a_pause_gives_way_if_something_was_said_since_and_the_key_came_up(
    demo_recognizer, monkeypatch
):
    live, said = demo_recognizer.live(), speech()
    live.feed(np.concatenate([said[0], quiet(0.5)]))
    live._take_in()
    assert live._segmenter.is_at_rest
    answer = live._segment.answer

    def answer_while_more_is_said(*args, **kwargs):
        monkeypatch.setattr(live._segment, "answer", answer)
        live.feed(voiced(1.0))
        live.stop_drafting()
        return answer(*args, **kwargs)

    monkeypatch.setattr(live._segment, "answer", answer_while_more_is_said)
    live._make_draft()
    assert not live._draft.end
    whole = np.concatenate([said[0], quiet(0.5), voiced(1.0)])
    assert_same(demo_recognizer, whole, live.finish(), demo_recognizer.transcribe(whole))


def test_the_preview_grows_into_the_text(demo_recognizer):
    live, before = demo_recognizer.live(), ""
    samples = np.concatenate([*speech(), quiet(1.0)])
    for first in range(0, len(samples), 4000):
        live.feed(samples[first : first + 4000])
        advance_all(live)
        assert live.preview().committed.startswith(before)
        before = live.preview().committed
    assert before
    assert live.preview().committed + live.preview().tentative == live.finish().text


@pytest.mark.usefixtures("few_tokens")
@pytest.mark.parametrize("run", range(0, 24, 3))
def test_a_take_cancelled_in_any_run_leaves_the_model_usable(run, random_recognizer, monkeypatch):
    samples = voiced(9.5)
    wanted = random_recognizer.transcribe(samples).tokens
    live, runs = random_recognizer.live(), []
    model = random_recognizer._model

    def counted(work):
        def count_and_work(*args):
            runs.append(1)
            if len(runs) == run + 1:
                live.cancel()
            return work(*args)

        return count_and_work

    with monkeypatch.context() as patch:
        patch.setattr(model.encoder, "encode", counted(model.encoder.encode))
        patch.setattr(model.decoder, "logits", counted(model.decoder.logits))
        with pytest.raises(CancelledError):
            dictated(live, samples, 16_000)
    with pytest.raises(CancelledError):
        live.advance()
    assert random_recognizer.transcribe(samples).tokens == wanted


def test_a_cancel_from_another_thread_ends_the_work_and_leaves_no_thread(random_recognizer):
    threads = threading.active_count()
    live, problems = random_recognizer.live(), []

    def work():
        try:
            while True:
                live.feed(voiced(2.0))
                while live.advance():
                    pass
        except CancelledError:
            problems.append("cancelled")

    thread = threading.Thread(target=work)
    thread.start()
    while not live.preview().tentative and thread.is_alive() and not live._draft.tokens:
        thread.join(0.01)
    live.cancel()
    thread.join(30)
    assert problems == ["cancelled"]
    assert threading.active_count() == threads


@pytest.mark.usefixtures("few_tokens")
def test_stage_times_add_up_with_drafts(random_recognizer):
    live = random_recognizer.live()
    timings = dictated(live, voiced(10.0), 8_000).timings
    stages = timings.features_s, timings.encoder_s, timings.prefill_s, timings.decode_s
    assert min(stages) > 0
    assert sum(stages) <= timings.total_s


def test_blocks_of_the_wrong_kind_are_refused(random_recognizer):
    live = random_recognizer.live()
    for block in (np.zeros((2, 2), np.float32), np.zeros(4, np.float64)):
        with pytest.raises(AudioFormatError):
            live.feed(block)


def test_a_block_that_holds_no_numbers_is_refused_when_it_is_heard(random_recognizer):
    live = random_recognizer.live()
    live.feed(np.full(600, np.nan, np.float32))
    with pytest.raises(AudioFormatError):
        live.advance()


def test_nothing_fed_gives_an_empty_text(random_recognizer):
    transcript = random_recognizer.live().finish()
    assert (transcript.text, transcript.tokens, transcript.duration_s) == ("", (), 0.0)


@pytest.mark.parametrize("drafts", [True, False])
def test_custom_words_are_read_while_the_first_second_is_spoken(random_recognizer, drafts):
    """Also on battery, where nothing is drafted: a hundred of them take as long as eight seconds of audio."""
    decoder = random_recognizer._model.decoder
    decoder._kept.clear()
    live = random_recognizer.live(context=" ".join(f"word{n}" for n in range(40)), drafts=drafts)
    live.feed(quiet(0.1))
    advance_all(live)
    assert tuple(decoder._kept) == live._prompt.head
    live.cancel()


@pytest.mark.parametrize(
    ("slower", "drafts", "expected"),
    [  # windows, and by how many seconds one of them is late
        (1, range(18, 25), (3, 0.1)),  # a draft each second, but for the windows
        (4, range(7, 11), (3, 0.1)),  # windows and drafts take less than half of the time
        (12, range(1, 4), (3, 0.1)),  # windows alone take half of it
        (40, range(1, 2), (2, 8.0)),  # it cannot keep pace: the second waits for the first
    ],
)
def test_beside_other_programs_drafts_become_rare_and_windows_wait_for_none(
    random_recognizer, monkeypatch, slower, drafts, expected
):
    """With a clock of its own: a window takes 0.3 s, a draft 0.2 s, or so many times as long."""
    clock, seen, waited_s = Mock(now=0.0), Counter(), []
    live_module = sys.modules[LiveTranscription.__module__]
    monkeypatch.setattr(live_module, "time", Mock(perf_counter=lambda: clock.now))
    real_window = Segment.advance

    def advance(segment, samples, cancel):
        late_s = -segment.missing_samples(samples) / RATE
        found = real_window(segment, samples, cancel)
        if found:
            waited_s.append(late_s)
            seen["windows"] += 1
            clock.now += 0.3 * slower
        return found

    def answer(*_, **__):
        seen["drafts"] += 1
        clock.now += 0.2 * slower
        return End.MODEL

    monkeypatch.setattr(Segment, "advance", advance)
    monkeypatch.setattr(Segment, "answer", answer)
    samples, fed = voiced(26), 0
    live = random_recognizer.live()
    while clock.now < 26:
        live.feed(samples[fed : (fed := min(len(samples), int(clock.now * RATE)))])
        if not live.advance():
            clock.now += 0.03
    windows, late_s = expected
    assert (seen["windows"], seen["drafts"] in drafts) == (windows, True), seen
    assert max(waited_s) <= late_s
