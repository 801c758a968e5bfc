"""The engine as a whole: clips of any length, languages, contexts, giving up, and real recordings."""

import csv
import threading

import jiwer
import numpy as np
import pytest

from handy_qwen import paths
from handy_qwen.audio.files import load
from handy_qwen.engine.api import GAP, Cancel
from handy_qwen.engine.qwen3 import segment
from handy_qwen.errors import AudioFormatError, CancelledError, EngineError, LanguageError
from tests.golden.clips import clip

RATE = 16_000
REPORT = "Please send the report to Anna on Monday."


@pytest.fixture(scope="module")
def report():
    return load(paths.asset("speech") / "report.flac")


@pytest.fixture(scope="module")
def heard(demo_recognizer, recordings):
    """What ships hears in each recording of up to 8 s: (path, samples, row of refs.tsv or None, text)."""
    folder = recordings / "demo-eval"
    with (folder / "refs.tsv").open(encoding="utf-8", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file, delimiter="\t")}
    results = []
    for path in sorted(folder.glob("*.wav")) + sorted((recordings / "speech").glob("*.wav")):
        samples, row = load(path), rows.get(path.name)
        if len(samples) <= 8 * RATE:
            context = row["context"] or "" if row else ""
            results.append(
                (path, samples, row, demo_recognizer.transcribe(samples, context=context, exact=True).text)
            )
    return results


def plain(text):
    return "".join(char.lower() for char in text if char.isalnum() or char in " -'").replace("-", " ")


def word_error_rate(references, texts):
    return jiwer.wer([plain(text) for text in references], [plain(text) for text in texts])


# ---- recordings -----------------------------------------------------------------------------------------


def test_what_ships_hears_as_well_as_the_reference(heard):
    known = [(row, text) for _, _, row, text in heard if row is not None]
    assert len(known) > 20
    references = [row["reference"] for row, _ in known]
    theirs = [row["model_output"].partition("<asr_text>")[2] for row, _ in known]
    ours = word_error_rate(references, [text for _, text in known])
    assert ours <= word_error_rate(references, theirs) + 0.005


def test_live_and_exact_hear_the_same_in_short_recordings(demo_recognizer, heard):
    assert len(heard) > 25
    for path, samples, row, text in heard:
        context = row["context"] or "" if row else ""
        assert demo_recognizer.transcribe(samples, context=context).text == text, path.name


def test_a_recording_fed_in_blocks_gives_the_text_of_the_whole(demo_recognizer, report):
    live = demo_recognizer.live()
    for first in range(0, len(report), 1_111):
        live.feed(report[first : first + 1_111])
        live.advance()
    assert live.finish().text == demo_recognizer.transcribe(report).text == REPORT


# ---- clips of any length --------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("samples", [0, 1, 2, 160, 800])
def test_the_shortest_clips_are_transcribed_to_nothing(demo_recognizer, report, samples, exact):
    transcript = demo_recognizer.transcribe(report[:samples], exact=exact)
    assert transcript.text == ""
    assert transcript.duration_s == samples / RATE
    assert not transcript.is_truncated


@pytest.mark.parametrize("name", ["silence_1.5s", "click_1.3s", "noise_3.3s"])
def test_where_nobody_speaks_there_is_no_text(demo_recognizer, name):
    transcript = demo_recognizer.transcribe(clip(name), exact=True)
    assert (transcript.text, transcript.language) == ("", "")


def test_a_clip_longer_than_a_pass_is_transcribed_whole(demo_recognizer, report):
    pause = np.zeros(RATE, np.float32)
    transcript = demo_recognizer.transcribe(np.concatenate([report, pause] * 6), exact=True)
    assert transcript.text == " ".join([REPORT] * 6)
    assert transcript.language == "English"
    assert transcript.duration_s == pytest.approx(6 * (len(report) / RATE + 1))


def test_what_is_said_of_a_transcript_is_so(demo_recognizer, report):
    transcript = demo_recognizer.transcribe(report, exact=True)
    assert (transcript.text, transcript.language) == (REPORT, "English")
    assert not transcript.is_language_forced
    assert transcript.timings.total_s >= transcript.timings.decode_s > 0
    again = demo_recognizer.transcribe(report, exact=True)
    assert again.tokens == transcript.tokens


def test_an_answer_that_is_cut_off_is_said_to_be(demo_recognizer, report, monkeypatch):
    monkeypatch.setattr(segment, "token_limit", lambda _samples: 5)
    transcript = demo_recognizer.transcribe(report, exact=True)
    assert transcript.is_truncated
    assert transcript.text.endswith(GAP)
    assert REPORT.startswith(transcript.text.removesuffix(GAP))


def test_a_long_clip_shows_signs_of_life(demo_recognizer, report):
    steps = []
    demo_recognizer.transcribe(np.tile(report, 10), on_step=lambda: steps.append(1))
    assert len(steps) > 2


# ---- what may be asked for ------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["English", "en", "EN-gb"])
def test_a_language_may_be_given_by_name_or_code(demo_recognizer, report, asked):
    transcript = demo_recognizer.transcribe(report, language=asked, exact=True)
    assert (transcript.text, transcript.language) == (REPORT, "English")
    assert transcript.is_language_forced


def test_an_unknown_language_is_refused_before_anything_is_done(demo_recognizer, report):
    with pytest.raises(LanguageError, match="It knows: English"):
        demo_recognizer.transcribe(report, language="French")
    with pytest.raises(LanguageError):
        demo_recognizer.check_language("fr")
    demo_recognizer.check_language("")


def test_one_of_several_languages_is_found_out_as_one_of_all_is(demo_recognizer, report):
    free = demo_recognizer.transcribe(report, exact=True)
    found = demo_recognizer.transcribe(report, language=("de", "en"), exact=True)
    assert (found.tokens, found.language, found.is_language_forced) == (free.tokens, "English", False)


def test_several_names_of_one_language_force_it(demo_recognizer, report):
    found = demo_recognizer.transcribe(report, language=("de", "Deutsch"), exact=True)
    assert (found.language, found.is_language_forced) == ("German", True)


def test_of_several_languages_those_that_the_model_does_not_know_are_passed_over(demo_recognizer, report):
    found = demo_recognizer.transcribe(report, language=("fr", "en"), exact=True)
    assert (found.text, found.language, found.is_language_forced) == (REPORT, "English", True)
    with pytest.raises(LanguageError, match="'fr'"):
        demo_recognizer.transcribe(report, language=("fr", "es"))


def test_a_context_of_any_content_is_taken(demo_recognizer, report):
    for context in ("Anna, Tom", "<|im_end|>" * 50, "名前", "x " * 20_000, "\ud800\x00\n"):
        assert demo_recognizer.transcribe(report, context=context, exact=True).duration_s > 3


def test_words_are_entries_of_the_context_and_a_text_is_divided_into_its_own(demo_recognizer):
    words = ["Ada Lovelace", "", "Charles Babbage", "Ada Lovelace", "x" * 20_000, "Tom"]
    prompt = demo_recognizer.live(context=words)._prompt
    assert prompt.context == "Ada Lovelace Charles Babbage Tom"
    assert [entry for entry in prompt.entries if entry] == ["Ada Lovelace", "Charles Babbage", "Tom"]
    text = "Ada Lovelace, Charles Babbage;\nDr. No. 名前、Tom"
    assert demo_recognizer.live(context=text)._prompt.entries == (
        "Ada Lovelace",
        "Charles Babbage",
        "Dr",
        "No",
        "名前",
        "Tom",
    )


@pytest.mark.parametrize(
    "samples",
    [np.zeros((2, 100), np.float32), np.zeros(100, np.int16), np.zeros(100), np.array(1.0, np.float32)],
)
def test_audio_of_another_form_is_refused(demo_recognizer, samples):
    with pytest.raises(AudioFormatError):
        demo_recognizer.transcribe(samples)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(demo_recognizer, report, value):
    broken = report.copy()
    broken[30_000] = value
    with pytest.raises(AudioFormatError):
        demo_recognizer.transcribe(broken)
    assert demo_recognizer.transcribe(report).text == REPORT  # and the next is as good as ever


# ---- giving up ------------------------------------------------------------------------------------------


def test_work_given_up_before_it_begins_is_not_done(demo_recognizer, report):
    cancel = Cancel()
    cancel.set()
    with pytest.raises(CancelledError):
        demo_recognizer.transcribe(report, cancel=cancel)


def test_work_can_be_given_up_from_another_thread_and_the_next_is_as_good_as_ever(demo_recognizer, report):
    cancel = Cancel()
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(CancelledError):
        demo_recognizer.transcribe(np.tile(report, 500), exact=True, cancel=cancel)
    assert demo_recognizer.transcribe(report, exact=True).text == REPORT


def test_each_stage_is_measured_with_as_many_tokens_as_asked_for(demo_recognizer, report, monkeypatch):
    decoder, runs = demo_recognizer._model.decoder, []
    logits = decoder.logits
    monkeypatch.setattr(decoder, "logits", lambda *asked: runs.append(asked) or logits(*asked))
    found = demo_recognizer.measure(np.tile(report, 3), 5)
    stages = found.features_s, found.encoder_s, found.prefill_s, found.decode_s
    assert len(runs) == 5
    assert min(stages) > 0
    assert found.total_s == sum(stages)


def test_a_whole_model_passes_its_own_test(demo_recognizer, report):
    demo_recognizer.self_test()
    assert demo_recognizer.transcribe(report, exact=True).text == REPORT


@pytest.mark.parametrize(
    ("part", "method", "broken"),
    [("encoder", "encode", np.nan), ("decoder", "logits", np.inf), ("decoder", "logits", 0.0)],
)
def test_a_model_whose_numbers_make_no_sense_does_not_pass(
    demo_recognizer, monkeypatch, part, method, broken
):
    half = getattr(demo_recognizer._model, part)
    right = getattr(half, method)
    monkeypatch.setattr(half, method, lambda *arguments: np.full_like(right(*arguments), broken))
    with pytest.raises(EngineError, match="make no sense"):
        demo_recognizer.self_test()
