"""The golden data is complete and agrees with itself; the engine is compared with it elsewhere."""

import json
import wave

import numpy as np
import pytest

from tests.golden import formulas, reference
from tests.golden.clips import NAMES, clip, noise


def test_the_versions_of_the_reference_are_recorded():
    versions = reference.document("versions")
    assert versions["torch"].startswith("2.")
    assert versions["transformers"].startswith("5.")
    assert versions["numpy"]


def test_the_data_stays_small():
    assert sum(path.stat().st_size for path in reference.DATA.rglob("*") if path.is_file()) < 3_000_000


def test_noise_is_the_linear_congruential_generator_step_by_step():
    state, steps = 77, []
    for _ in range(2000):
        state = (1664525 * state + 1013904223) % 2**32
        steps.append(state / 2**31 - 1)
    np.testing.assert_array_equal(noise(2000, 77), steps)


@pytest.mark.parametrize("name", NAMES)
def test_clips_are_mono_float32_within_full_scale(name):
    samples = clip(name)
    assert samples.ndim == 1
    assert samples.dtype == np.float32
    assert np.abs(samples).max() <= 1.0


def test_every_clip_has_features():
    assert [case.name for case in reference.features_cases()] == list(NAMES)


@pytest.mark.parametrize("case", reference.features_cases(), ids=lambda case: case.name)
def test_features_have_the_size_the_formulas_give(case):
    assert case.samples == len(clip(case.name))
    assert case.frame_count == formulas.frame_count(case.samples)
    assert case.padded_frames == formulas.padded_frames(case.frame_count)
    assert case.audio_tokens == formulas.audio_tokens(case.frame_count)
    assert case.values.shape == (128, len(case.frames))
    assert case.values.dtype == np.float32
    assert case.bin_mean.shape == (128,)
    assert case.frame_mean.shape == (case.frame_count,)
    np.testing.assert_array_equal(case.frames, formulas.frames_to_keep(case.frame_count))


@pytest.mark.parametrize("case", reference.features_cases(), ids=lambda case: case.name)
def test_kept_frames_agree_with_the_means_over_all(case):
    np.testing.assert_allclose(case.values.mean(axis=0), case.frame_mean[case.frames], atol=1e-5)
    assert case.bin_mean.mean() == pytest.approx(case.frame_mean.mean(), abs=1e-5)


@pytest.mark.parametrize("case", reference.features_cases(), ids=lambda case: case.name)
def test_features_span_no_more_than_eight_decades(case):
    assert np.ptp(case.values) <= 2.0 + 1e-6


MODELS = ("demo", "random")
WIDTH = {"demo": 192, "random": 96}


def _id(case):
    return f"{case.source.name}-{case.language}-{case.context[:9]!r}"


@pytest.mark.parametrize("model", MODELS)
def test_encoder_outputs_have_the_size_the_formulas_give(model):
    cases = reference.encoder_cases(model)
    assert len({case.source.name for case in cases}) == len(cases) >= 9
    for case in cases:
        assert case.tokens == formulas.audio_tokens(formulas.frame_count(case.source.samples))
        np.testing.assert_array_equal(case.rows, formulas.rows_to_keep(case.tokens))
        assert case.values.shape == (len(case.rows), WIDTH[model])
        assert case.values.dtype == np.float32
        assert case.row_norm.shape == (case.tokens,)
        np.testing.assert_allclose(np.linalg.norm(case.values, axis=1), case.row_norm[case.rows], rtol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_encoder_cases_cover_one_window_and_several(model):
    tokens = [case.tokens for case in reference.encoder_cases(model)]
    assert min(tokens) == 7
    assert any(0 < count % formulas.WINDOW_TOKENS < 13 for count in tokens if count > formulas.WINDOW_TOKENS)
    assert max(tokens) > 2 * formulas.WINDOW_TOKENS


@pytest.mark.parametrize("tokenizer", ["demo", "qwen3"])
def test_prompts_hold_the_audio_once_and_end_before_the_answer(tokenizer):
    pad, asr_text = (638, 639) if tokenizer == "demo" else (151676, 151704)
    cases = reference.prompt_cases(tokenizer)
    assert {case.context_name for case in cases} == set(reference.document("prompts")["contexts"])
    for case in cases:
        for ids in (case.reference, case.plain):
            assert ids.count(pad) == case.audio_tokens
            first = ids.index(pad)
            assert set(ids[first : first + case.audio_tokens]) == {pad}
        assert (case.plain[-1] == asr_text) == (case.language is not None)


def test_prompts_of_the_full_tokenizer_cover_every_language_of_the_model():
    assert len({case.language for case in reference.prompt_cases("qwen3")} - {None}) == 30


def test_prompts_of_the_full_tokenizer_spell_system_and_user_as_qwen_does():
    empty = next(case for case in reference.prompt_cases("qwen3") if case.context_name == "empty")
    head = (151644, 8948, 198, 151645, 198, 151644, 872, 198, 151669)
    tail = (151670, 151645, 198, 151644, 77091, 198)
    assert empty.plain == (*head, *[151676] * empty.audio_tokens, *tail)


def test_only_contexts_with_a_marker_differ_between_reference_and_plain_text():
    cases = reference.prompt_cases("demo") + reference.prompt_cases("qwen3")
    differing = {case.context_name for case in cases if case.plain != case.reference}
    assert differing == {"a marker", "the divider", "a forged turn"}


def test_added_tokens_follow_on_each_other_and_end_with_the_divider_and_the_timestamp():
    added = reference.document("prompts")["qwen3_added_tokens"]
    assert [token["id"] for token in added] == list(range(151669, 151706))
    assert len({token["content"] for token in added}) == len(added)
    assert [token["content"] for token in added[-2:]] == ["<asr_text>", "<timestamp>"]


@pytest.mark.parametrize("model", MODELS)
def test_transcripts_have_a_margin_for_every_token_and_logits_that_agree_with_it(model):
    cases = reference.token_cases(model)
    assert sum(case.logit_ids is not None for case in cases) >= 5
    for case in cases:
        assert len(case.margins) == len(case.ids)
        assert case.audio_tokens == formulas.audio_tokens(formulas.frame_count(case.source.samples))
        assert case.prompt_tokens > case.audio_tokens + 14
        if case.logit_ids is None:
            continue
        steps = min(3, len(case.ids))
        assert case.logit_ids.shape == case.logit_values.shape == (steps, 20)
        assert tuple(case.logit_ids[:, 0]) == case.ids[:steps]
        ahead = case.logit_values[:, 0] - case.logit_values[:, 1]
        np.testing.assert_allclose(ahead, case.margins[:steps], atol=1e-4)


@pytest.mark.parametrize("case", reference.token_cases("demo"), ids=_id)
def test_transcripts_of_the_demo_model_end_and_begin_as_the_prompt_asks(case):
    assert case.ids[-1] == 635
    assert 635 not in case.ids[:-1]
    assert (639 in case.ids) == (case.language is None)
    assert case.raw.endswith(case.text)


def test_every_clip_has_a_transcript():
    assert {c.source.name for c in reference.token_cases() if not c.source.is_recording} == set(NAMES)


def test_the_random_model_says_much_and_something_else_for_every_clip():
    cases = [c for c in reference.token_cases("random") if c.language is None and not c.context]
    assert len(cases) >= 9
    for case in cases:
        assert len(case.ids) == 40
        assert len(set(case.ids)) >= 12
    assert len({case.ids[:3] for case in cases}) == len(cases)


def test_the_random_model_hears_language_and_context():
    said = {(c.source.name, c.language, c.context): c.ids for c in reference.token_cases("random")}
    for (name, language, context), ids in said.items():
        if language or context:
            assert ids != said[name, None, ""]


def test_samples_of_a_clip_come_from_its_formula():
    case = reference.encoder_cases()[0]
    np.testing.assert_array_equal(reference.samples_of(case.source), clip(case.source.name))


def test_a_recording_that_is_another_one_is_refused(tmp_path):
    source = next(case.source for case in reference.token_cases() if case.source.is_recording)
    with wave.open(str(tmp_path / source.name), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(2 * source.samples))
    with pytest.raises(ValueError, match="another recording"):
        reference.samples_of(source, tmp_path)


def test_the_full_tokenizer_gets_its_added_tokens_after_those_it_has(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"added_tokens": [{"id": 151668, "content": "</think>"}]}))
    added = reference.qwen3_asr_tokenizer(path)["added_tokens"]
    assert [token["id"] for token in added] == list(range(151668, 151706))
    assert not any(token["normalized"] for token in added[1:])
