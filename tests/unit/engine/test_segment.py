"""One pass: how many tokens it may give, and what is read when."""

import json
from dataclasses import replace

import numpy as np
import pytest

from handy_qwen.engine.api import Cancel, Timings
from handy_qwen.engine.qwen3 import sessions
from handy_qwen.engine.qwen3.prompt import End, build_prompt
from handy_qwen.engine.qwen3.segment import Segment, token_limit
from handy_qwen.engine.qwen3.tokenizer import load_tokenizer
from handy_qwen.errors import CancelledError
from handy_qwen.languages import ALL_LANGUAGES
from tests.conftest import ROOT

RATE = 16_000


def sound(samples):
    """A sweep that gets louder, so that the floor of the features changes from window to window."""
    t = np.arange(samples, dtype=np.float64) / RATE
    return (0.01 * (1 + t) * np.sin(2 * np.pi * (200 + 40 * t) * t)).astype(np.float32)


def segment_of(recognizer, *, exact=False):
    model = recognizer._model
    return Segment(model, build_prompt(model.tokenizer), Timings(), is_exact=exact)


def answer(segment, samples, draft=(), cancel=None, **more):
    more = {"poll": lambda: None} | more
    tokens = []
    segment.answer(samples, draft, cancel or Cancel(), written=tokens, **more)
    return tokens


@pytest.mark.parametrize("seconds", [0.1, 1, 8, 12, 60])
def test_there_may_be_25_tokens_a_second_and_64_more(seconds):
    assert token_limit(int(seconds * RATE)) >= 25 * seconds + 64


ARTICLE_1 = json.loads((ROOT / "tests" / "data" / "article1.json").read_text(encoding="utf-8"))


def test_there_is_an_article_for_each_language():
    assert ARTICLE_1.keys() == set(ALL_LANGUAGES)


@pytest.fixture(scope="module")
def official_tokenizer(recordings):
    folder = recordings / "official" / "Qwen3-ASR-0.6B"
    if not folder.is_dir():
        pytest.skip(f"no official files in {folder}")
    return load_tokenizer(folder)


@pytest.mark.parametrize("seconds", [12, 8])  # read at an ordinary pace, and as fast as anybody can
@pytest.mark.parametrize("language", sorted(ARTICLE_1))
def test_article_1_of_human_rights_fits_into_the_limit(language, seconds, official_tokenizer):
    answer = len(official_tokenizer.encode(f"language {language}")) + 1
    answer += len(official_tokenizer.encode(ARTICLE_1[language]))
    assert answer < token_limit(seconds * RATE)


def test_article_1_has_as_many_tokens_as_the_official_tokenizer_gives_it(official_tokenizer):
    wanted = {"English": 33, "German": 44, "Thai": 79, "Persian": 83, "Greek": 163, "Hindi": 171}
    assert {name: len(official_tokenizer.encode(ARTICLE_1[name])) for name in wanted} == wanted


def test_the_official_model_says_that_nobody_speaks_in_one_token(official_tokenizer):
    for language in ALL_LANGUAGES:
        prompt = build_prompt(official_tokenizer, language=language)
        assert prompt.nobody == (2240,)
        assert prompt.tail[: prompt.look] == (*build_prompt(official_tokenizer).tail, 11528)
    assert build_prompt(official_tokenizer).nobody == ()


@pytest.mark.parametrize(("samples", "windows"), [(128_039, 0), (128_040, 1), (256_039, 1), (256_040, 2)])
def test_a_window_is_final_when_no_later_sample_can_change_it(samples, windows, random_recognizer):
    segment = segment_of(random_recognizer)
    while segment.advance(sound(samples), Cancel()):
        pass
    assert segment.windows == windows


def test_an_answer_can_be_asked_for_again_and_again(random_recognizer):
    segment, samples = segment_of(random_recognizer), sound(9 * RATE)
    first = answer(segment, samples)
    assert answer(segment, samples[: 5 * RATE])
    assert answer(segment, samples, draft=first[:3]) == first


def test_chunks_that_were_cut_short_since_are_computed_again(random_recognizer):
    samples = sound(6 * RATE)
    segment = segment_of(random_recognizer)
    answer(segment, samples)
    cut = samples[: 3 * RATE - 50]
    again = answer(segment, cut)
    assert again == answer(segment_of(random_recognizer), cut)


@pytest.mark.parametrize("name", ["random_recognizer", "demo_recognizer"])
def test_a_look_whether_anybody_speaks_changes_no_token(name, request):
    model, samples = request.getfixturevalue(name)._model, sound(3 * RATE)
    prompt = build_prompt(model.tokenizer, language="German")
    plain = answer(Segment(model, prompt, Timings(), is_exact=False), samples)
    assert answer(Segment(model, prompt, Timings(), is_exact=False), samples, is_unsure=True) == plain
    segment = Segment(model, build_prompt(model.tokenizer), Timings(), is_exact=False)
    asked = model.tokenizer.encode("language")
    chosen = answer(
        Segment(
            model, replace(segment._prompt, tail=(*segment._prompt.tail, *asked)), Timings(), is_exact=False
        ),
        samples,
    )
    silent = replace(prompt, nobody=tuple(chosen[:2]))
    tokens: list[int] = []
    end = Segment(model, silent, Timings(), is_exact=False).answer(
        samples, (), Cancel(), written=tokens, poll=lambda: None, is_unsure=True
    )
    assert (end, tokens) == (End.NOBODY, [])


def test_the_head_read_before_makes_no_difference(random_recognizer):
    samples = sound(3 * RATE)
    wanted = answer(segment_of(random_recognizer), samples)
    segment = segment_of(random_recognizer)
    segment.prefill(Cancel())
    assert answer(segment, samples) == wanted


def test_work_given_up_can_be_taken_up_again(random_recognizer):
    samples, cancel = sound(9 * RATE), Cancel()
    wanted = answer(segment_of(random_recognizer), samples)
    segment = segment_of(random_recognizer)
    cancel.set()
    for work in (
        segment.prefill,
        lambda c: segment.advance(samples, c),
        lambda c: answer(segment, samples, (), c),
    ):
        with pytest.raises(CancelledError):
            work(cancel)
    assert segment.windows == 0
    assert answer(segment, samples) == wanted


def test_features_of_a_whole_clip_have_one_floor(random_recognizer):
    """The loudest bin comes last: only exact features let the first window know of it."""
    samples = sound(12 * RATE)
    exact, live = segment_of(random_recognizer, exact=True), None
    answer(exact, samples)
    tops = [mark.top for mark in exact._ends]
    assert tops[0] == tops[1]
    live = segment_of(random_recognizer)
    answer(live, samples)
    assert live._ends[1].top < tops[1]


def test_seconds_prepared_while_the_speaker_goes_on_need_no_convolutions_later(
    random_recognizer, monkeypatch
):
    samples, done = sound(6 * RATE), []
    wanted = answer(segment_of(random_recognizer), samples)
    encoder = random_recognizer._model.encoder
    encoder._seen.clear()
    segment = segment_of(random_recognizer)
    for end in range(RATE // 2, len(samples) + 1, RATE // 2):  # each louder than the one before
        while segment.prepare(samples[:end], Cancel()):
            pass
    frontend_run = sessions.run

    def counted(session, feeds, cancel, outputs=None):
        done.extend(feeds)
        return frontend_run(session, feeds, cancel, outputs)

    monkeypatch.setattr(sessions, "run", counted)
    assert answer(segment, samples) == wanted
    assert done == ["mel", "hidden"]  # only the last second, which ends within a frame of the clip


def test_reading_in_pieces_asks_in_between_and_gives_the_same(random_recognizer):
    samples, polls = sound(7 * RATE), []
    segment = segment_of(random_recognizer)
    at_once = answer(segment, samples, poll=lambda: polls.append("once"))
    in_pieces = answer(segment, samples, poll=lambda: polls.append("pieces"), is_in_pieces=True)
    assert in_pieces == at_once
    assert polls.count("pieces") == polls.count("once") + 3  # 91 rows
