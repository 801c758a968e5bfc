"""The engine in float32 against the reference implementation: features, encoder, prompts, tokens, text."""

import json

import numpy as np
import pytest

from handy_qwen.engine.api import Cancel
from handy_qwen.engine.qwen3.features import frame_count, log_mel
from handy_qwen.engine.qwen3.prompt import build_prompt
from handy_qwen.engine.qwen3.recognizer import open_parts
from handy_qwen.engine.qwen3.tokenizer import load_tokenizer
from tests.conftest import CHECKPOINT
from tests.golden.clips import clip
from tests.golden.reference import (
    encoder_cases,
    features_cases,
    prompt_cases,
    qwen3_asr_tokenizer,
    samples_of,
    token_cases,
)

TOLERANCE = 1e-4
WINDOW = 800


def asked(case, folder):
    """The samples of a case, from the recordings if need be."""
    return samples_of(case.source, folder)


def encoded(model, samples):
    """Audio features of a whole clip, window by window."""
    mel, cancel = log_mel(samples), Cancel()
    windows = [mel[:, first : first + WINDOW] for first in range(0, mel.shape[1], WINDOW)]
    return np.concatenate([model.encoder.encode(np.ascontiguousarray(w), cancel) for w in windows])


@pytest.fixture(scope="module")
def models(exact_package, random_package):
    return {"demo": open_parts(exact_package, 2), "random": open_parts(random_package, 2)}


@pytest.mark.parametrize("case", features_cases(), ids=lambda case: case.name)
def test_features_are_those_of_the_reference(case):
    mel = log_mel(clip(case.name))
    assert mel.shape == (128, case.frame_count)
    assert mel.dtype == np.float32
    # The reference is float32 as well, and itself off by so much:
    tolerance = TOLERANCE + case.difference_to_float64
    assert np.abs(mel[:, case.frames] - case.values).max() <= tolerance
    assert np.abs(mel.mean(axis=1) - case.bin_mean).max() <= TOLERANCE
    assert np.abs(mel.mean(axis=0) - case.frame_mean).max() <= TOLERANCE


@pytest.mark.parametrize("name", ["demo", "random"])
def test_encoder_output_is_that_of_the_reference(name, models, request):
    for case in encoder_cases(name):
        folder = request.getfixturevalue("recordings") / "demo-eval" if case.source.is_recording else None
        features = encoded(models[name], asked(case, folder))
        assert len(features) == case.tokens
        scale = np.abs(case.values).max()
        assert np.abs(features[case.rows] - case.values).max() <= 1e-4 * max(1.0, scale), case.source.name


@pytest.mark.parametrize("case", prompt_cases("demo"), ids=lambda c: f"{c.context_name}-{c.language}")
def test_prompts_of_the_demo_model_are_those_of_the_reference(case):
    assert prompt_ids(load_tokenizer(CHECKPOINT), case) == case.plain


@pytest.fixture(scope="module")
def qwen_tokenizer(recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    parsed = qwen3_asr_tokenizer(recordings / "tokenizer" / "qwen3-tokenizer.json")
    (folder / "tokenizer.json").write_text(json.dumps(parsed), encoding="utf-8")
    return load_tokenizer(folder)


@pytest.mark.parametrize("case", prompt_cases("qwen3"), ids=lambda c: f"{c.context_name}-{c.language}")
def test_prompts_of_the_official_tokenizer_are_those_of_the_reference(case, qwen_tokenizer):
    assert prompt_ids(qwen_tokenizer, case) == case.plain


def test_the_official_tokens_have_their_official_ids(qwen_tokenizer):
    prompt = build_prompt(qwen_tokenizer, language="English")
    assert prompt.head == (151644, 8948, 198, 151645, 198, 151644, 872, 198, 151669)
    assert prompt.tail == (151670, 151645, 198, 151644, 77091, 198, 11528, 6364, 151704)
    assert prompt.asr_text == 151704
    assert prompt.ends == {151643, 151645}


def prompt_ids(tokenizer, case):
    """Head, audio markers and tail in one, as the reference has them."""
    prompt = build_prompt(tokenizer, language=case.language, context=case.context)
    return (*prompt.head, *[tokenizer.marker("<|audio_pad|>")] * case.audio_tokens, *prompt.tail)


@pytest.mark.parametrize("case", token_cases("demo"), ids=lambda c: f"{c.source.name}-{c.language}")
def test_tokens_of_the_demo_model_are_those_of_the_reference(case, models, request):
    folder = request.getfixturevalue("recordings") / "demo-eval" if case.source.is_recording else None
    ids, logits = generated(models["demo"], asked(case, folder), case, steps=len(case.ids))
    assert ids == case.ids
    if case.logit_ids is not None:
        for step, (top, values) in enumerate(zip(case.logit_ids, case.logit_values, strict=True)):
            assert np.abs(logits[step][top] - values).max() <= 1e-3


@pytest.mark.parametrize("case", token_cases("random"), ids=lambda c: c.source.name)
def test_tokens_of_a_random_model_are_those_of_the_reference(case, models, request):
    folder = request.getfixturevalue("recordings") / "demo-eval" if case.source.is_recording else None
    ids, _ = generated(models["random"], asked(case, folder), case, steps=len(case.ids))
    assert ids == case.ids


def generated(model, samples, case, *, steps):
    """``steps`` greedy tokens, whatever they are, and the logits of each step."""
    prompt = build_prompt(model.tokenizer, language=case.language, context=case.context)
    decoder, cancel = model.decoder, Cancel()
    decoder.truncate(0)
    for rows in (prompt.head, encoded(model, samples), prompt.tail):
        decoder.extend(rows)
    ids, logits = [], []
    for _ in range(steps):
        logits.append(decoder.logits(1, cancel)[0].copy())
        ids.append(int(logits[-1].argmax()))
        decoder.extend(ids[-1:])
    return tuple(ids), logits


def test_text_of_short_recordings_is_that_of_the_reference(exact_recognizer, recordings):
    cases = [c for c in token_cases("demo") if c.source.is_recording and c.source.samples <= 8 * 16_000]
    assert cases
    for case in cases:
        samples = samples_of(case.source, recordings / "demo-eval")
        transcript = exact_recognizer.transcribe(
            samples, language=case.language, context=case.context, exact=True
        )
        assert transcript.text == case.text, case.source.name


def test_number_of_frames_of_a_clip():
    assert [frame_count(n) for n in (159, 160, 319, 320, 8001, 176_000)] == [0, 1, 1, 2, 50, 1100]
