"""Voice activity: frames, thresholds, the shipped model, real recordings if at hand, and trailing noise."""

import os
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.engine.qwen3 import segmenter, vad
from handy_qwen.engine.qwen3.features import SAMPLE_RATE
from handy_qwen.engine.qwen3.sessions import open_session
from handy_qwen.engine.qwen3.vad import LOUD_SHARE, TrailingNoise
from handy_qwen.errors import AudioFormatError

ASSETS = Path(__file__).parents[3] / "assets" / "vad"
MODEL = ASSETS / "silero_vad_16k_op15.onnx"
RECORDINGS = Path(os.environ.get("HANDY_QWEN_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
RATE = SAMPLE_RATE
FRAME = vad.FRAME_SAMPLES
HANGOVER = vad.HANGOVER_FRAMES


class ScriptedSession:
    """Stands in for Silero: the last sample of a frame is its probability. Keeps what it was given."""

    def __init__(self):
        self.windows = []
        self.states = []

    def run(self, outputs, feeds, _options):
        assert list(outputs) == ["output", "stateN"]
        assert feeds["sr"].dtype == np.int64
        assert int(feeds["sr"]) == RATE
        self.windows.append(feeds["input"].copy())
        self.states.append(feeds["state"].copy())
        return [np.repeat(feeds["input"][:1, -1:], 2, axis=0), feeds["state"] + 1]


def scripted(probabilities):
    """Audio that the scripted session finds these probabilities in, and that no gain changes."""
    samples = np.zeros((len(probabilities), FRAME), np.float32)
    samples[:, 0] = 1.0
    samples[:, -1] = probabilities
    return samples.ravel()


def heard(*probabilities):
    stream = vad.VoiceStream(ScriptedSession())
    stream.feed(scripted(probabilities))
    return stream


class Recorded:
    """The Silero model; keeps the probability of each frame."""

    def __init__(self, session):
        self.session, self.probabilities = session, []

    def run(self, *given):
        output, state = self.session.run(*given)
        self.probabilities.append(float(output.max()))
        return [output, state]


@pytest.fixture(scope="module")
def session():
    return open_session(MODEL, threads=1)


def judged(session, *blocks):
    """The stream after ``blocks``, and the probability of each of its frames."""
    recorded = Recorded(session)
    stream = vad.VoiceStream(recorded)
    for block in blocks:
        stream.feed(block)
    stream.finish()
    return stream, recorded.probabilities


@pytest.fixture(scope="module")
def babble():
    """Two seconds that Silero takes for speech now and then: a voice-like tone that swells and fades."""
    t = np.arange(2 * RATE) / RATE
    tone = sum(np.sin(2 * np.pi * 180 * k * t) / k for k in range(1, 8))
    noise = np.random.default_rng(0).standard_normal(t.size)
    return (0.1 * tone * (1 + np.sin(2 * np.pi * 4 * t)) + 0.003 * noise).astype(np.float32)


# --- frames ------------------------------------------------------------------------------------------


def test_a_window_is_the_end_of_the_frame_before_and_the_frame():
    session = ScriptedSession()
    samples = np.linspace(0.3, 0.9, 3 * FRAME, dtype=np.float32)
    vad.VoiceStream(session).feed(samples)
    context = vad.CONTEXT_SAMPLES
    assert [w.shape for w in session.windows] == [(2, context + FRAME)] * 3
    assert not session.windows[0][:, :context].any()
    np.testing.assert_array_equal(session.windows[1][0], samples[FRAME - context : 2 * FRAME])
    np.testing.assert_array_equal(session.windows[2][0], samples[2 * FRAME - context :])


def test_the_state_is_carried_from_frame_to_frame():
    session = ScriptedSession()
    vad.VoiceStream(session).feed(scripted([0, 0, 0]))
    assert [s.shape for s in session.states] == [(2, 2, 128)] * 3
    assert [float(s.max()) for s in session.states] == [0, 1, 2]


def test_faint_sound_is_also_listened_to_at_the_level_of_a_clear_voice():
    session = ScriptedSession()
    stream = vad.VoiceStream(session)
    stream.feed(np.full(FRAME, 0.005, np.float32))
    plain, raised = session.windows[0]
    assert plain.max() == np.float32(0.005)
    assert raised.max() == pytest.approx(0.25)
    stream.feed(np.full(FRAME, 0.5, np.float32))
    assert session.windows[1][1].max() == np.float32(0.5)  # loud sound stays as it is
    stream.feed(np.full(FRAME, 0.005, np.float32))
    assert session.windows[2][1, -1] < 0.006  # and what follows it is not blown up at once


def test_the_gain_ends_at_40_db():
    session = ScriptedSession()
    vad.VoiceStream(session).feed(np.full(FRAME, 1e-5, np.float32))
    assert session.windows[0][1].max() == pytest.approx(1e-3)


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, 2 * RATE), max_size=12))
def test_probabilities_do_not_depend_on_how_the_audio_was_cut(session, babble, cuts):
    whole, expected = judged(session, babble)
    pieces, found = judged(session, *np.split(babble, sorted(cuts)))
    assert found == expected
    assert max(found) > 0.2  # not only the zeros of silence were compared
    assert whole.spans() == pieces.spans()


def test_the_callers_memory_may_be_used_again():
    first, second = (vad.VoiceStream(ScriptedSession()) for _ in range(2))
    block = np.full(FRAME - 1, 0.9, np.float32)
    for stream in (first, second):
        stream.feed(block)
    block[:] = 0
    first.feed(np.zeros(1, np.float32))
    second.feed(np.zeros(1, np.float32))
    assert first._session.windows[0][0, -2] == np.float32(0.9)


def test_finish_judges_the_rest_once_and_ends_the_stream():
    stream = heard(0.9, 0.9)
    stream.feed(scripted([0.9])[: FRAME // 2])
    stream.finish()
    stream.finish()
    assert len(stream._session.windows) == 3
    with pytest.raises(ValueError, match="finished"):
        stream.feed(np.zeros(1, np.float32))


@pytest.mark.parametrize("block", [np.zeros((2, 600), np.float32), np.zeros(600), np.zeros(600, np.int16)])
def test_other_audio_is_refused(block):
    with pytest.raises(AudioFormatError):
        heard().feed(block)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_an_error_and_not_the_end_of_all_detection(value):
    block = np.zeros(FRAME, np.float32)
    block[100] = value
    with pytest.raises(AudioFormatError, match="not numbers"):
        heard().feed(block)


# --- thresholds --------------------------------------------------------------------------------------


def test_nothing_heard_is_no_speech():
    stream = heard()
    assert (stream.spans(), stream.speech_end_samples) == ([], 0)


def test_one_frame_alone_is_a_click():
    assert heard(0, 1, 0, 0, 1, 0).spans() == []


def test_two_frames_are_speech_from_the_first_of_them():
    stream = heard(0, 0, 0.3, 0.3)
    assert stream.spans() == [(2 * FRAME, 4 * FRAME)]


def test_speech_begins_with_the_quiet_frames_before_the_onset():
    assert heard(0, 0.2, 0.2, 0.9, 0.9).spans() == [(FRAME, 5 * FRAME)]


def test_speech_goes_on_while_frames_are_above_the_release():
    stream = heard(0.9, 0.9, 0.16, 0.16, 0.14)
    assert stream.speech_end_samples == 4 * FRAME


def test_speech_is_over_when_the_hangover_is_and_ends_before_it():
    quiet = [0.0] * (HANGOVER - 1)
    assert heard(0.9, 0.9, *quiet, 0.15).speech_end_samples == (HANGOVER + 2) * FRAME
    stream = heard(0.9, 0.9, *quiet, 0.0, 0.15)
    assert stream.speech_end_samples == 2 * FRAME
    assert stream.spans() == [(0, 2 * FRAME)]


def test_a_short_gap_joins_and_a_long_one_parts():
    assert len(heard(0.9, 0.9, *[0.0] * (HANGOVER - 1), 0.9, 0.9).spans()) == 1
    parted = heard(0.9, 0.9, *[0.0] * HANGOVER, 0.9, 0.9)
    assert parted.spans() == [(0, 2 * FRAME), ((2 + HANGOVER) * FRAME, (4 + HANGOVER) * FRAME)]


def test_speech_never_ends_after_the_last_sample():
    stream = heard(0.9, 0.9)
    rest = np.zeros(100, np.float32)
    rest[0] = 1.0
    stream.feed(rest)
    stream._hysteresis.push(0.9)  # what the padded rest may come to
    assert stream.speech_end_samples == 2 * FRAME + 100
    assert stream.spans() == [(0, 2 * FRAME + 100)]


@given(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9]), max_size=80))
def test_spans_are_in_order_apart_and_hold_every_pair_of_loud_frames(probabilities):
    stream = heard(*probabilities)
    spans = stream.spans()
    assert stream.speech_end_samples == (spans[-1].end if spans else 0)
    for before, after in pairwise(spans):
        assert after.start - before.end >= HANGOVER * FRAME
    for i, pair in enumerate(pairwise(probabilities)):
        if min(pair) >= vad.ONSET_PROBABILITY:
            assert any(s.start <= i * FRAME and (i + 2) * FRAME <= s.end for s in spans)


def test_frames_without_doubt_are_counted_where_they_are():
    stream = heard(0.4, 0.5, 0.9, 0.3, 0.9)
    assert stream.clear_samples(0, 5 * FRAME) == 3 * FRAME
    assert stream.clear_samples(2 * FRAME, 4 * FRAME) == FRAME
    assert stream.clear_samples(0, FRAME) == stream.clear_samples(5 * FRAME, 9 * FRAME) == 0


# --- the shipped model -------------------------------------------------------------------------------


def test_the_model_is_the_one_its_readme_names():
    digest = sha256(MODEL.read_bytes()).hexdigest()
    assert f"`{digest}`" in (ASSETS / "README.md").read_text(encoding="utf-8")


def test_loud_sound_scores_as_in_the_plain_loop_that_silero_documents(session, babble):
    loud = babble / np.abs(babble).max()
    state, context, expected = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), []
    for frame in loud[: loud.size // 512 * 512].reshape(-1, 512):
        window = np.concatenate((context, frame))[None]
        score, state = session.run(None, {"input": window, "state": state, "sr": np.array(16_000)})
        context = frame[-64:]
        expected.append(score[0, 0])
    np.testing.assert_allclose(judged(session, loud)[1][: len(expected)], expected, atol=1e-4)
    assert max(expected) > 0.2


@pytest.mark.parametrize("level", [1.0, 0.03, 0.001])
def test_noise_clicks_and_hum_are_no_speech(session, level):
    rng = np.random.default_rng(0)
    t = np.arange(6 * RATE) / RATE
    clicks = np.zeros(t.size)
    clicks[rng.integers(0, t.size, 40)] = 1
    hum = 0.5 * np.sin(2 * np.pi * 50 * t) + 0.2 * np.sin(2 * np.pi * 150 * t)
    for sound in (rng.standard_normal(t.size) * 0.2, clicks, hum):
        assert judged(session, (sound * level).astype(np.float32))[0].spans() == []


@pytest.mark.parametrize("n", [0, 1, 511, 512, 16_000])
def test_digital_silence_of_any_length_is_no_speech(session, n):
    assert judged(session, np.zeros(n, np.float32))[0].spans() == []


def test_two_streams_of_a_session_do_not_mix(session, babble):
    recorded = Recorded(session)
    first, second = vad.VoiceStream(recorded), vad.VoiceStream(session)
    for block in np.split(babble, 10):
        first.feed(block)
        second.feed(block[::-1].copy())
    assert recorded.probabilities == judged(session, babble)[1][: len(recorded.probabilities)]


# --- recordings --------------------------------------------------------------------------------------


def recordings(is_speech):
    """Every 16 kHz recording beside the checkout that does, or does not, hold speech."""
    paths = sorted([*RECORDINGS.glob("demo-eval/*.wav"), *RECORDINGS.glob("speech/*.wav")])
    found = [p for p in paths if is_speech != (p.stem in {"noise_3s", "noise_12s", "silence"})]
    if not found:
        pytest.skip(f"no recordings in {RECORDINGS}")
    return [(p.name, soundfile.read(p, dtype="float32")[0]) for p in found]


@pytest.mark.parametrize("level_db", [0, -40])
def test_speech_is_heard_in_every_recording_also_through_a_weak_microphone(session, level_db):
    missed = []
    for name, samples in recordings(is_speech=True):
        start = samples[: 14 * RATE]  # one of them begins with ten seconds of music
        weak = np.round(start * 10 ** (level_db / 20) * 32768) / 32768  # 16 bits are all it has
        if not judged(session, weak.astype(np.float32))[0].spans():
            missed.append(name)
    assert missed == []


@pytest.mark.parametrize("snr_db", [None, 0])
def test_words_are_clear_also_in_noise_as_loud_as_they(session, snr_db):
    rng, unsure = np.random.default_rng(0), []
    for name, samples in recordings(is_speech=True):
        if name.startswith(("8s_", "20s_", "5s_")):
            continue  # film music comes first, or all the time
        start = samples[: 10 * RATE]
        noise = np.sqrt((start**2).mean()) * 10 ** (-(snr_db or 0) / 20) if snr_db is not None else 0.0
        stream, _ = judged(session, (start + noise * rng.standard_normal(start.size)).astype(np.float32))
        if stream.clear_samples(0, start.size) < segmenter._CLEAR_SAMPLES:
            unsure.append(name)
    assert unsure == []


def test_what_only_resembles_a_voice_is_not_clear(session, babble):
    assert judged(session, babble)[0].spans()
    assert judged(session, babble)[0].clear_samples(0, babble.size) < segmenter._CLEAR_SAMPLES


@pytest.mark.parametrize("level_db", [0, -20, -40])
def test_recorded_noise_and_silence_stay_far_below_the_onset(session, level_db):
    for name, samples in recordings(is_speech=False):
        _, found = judged(session, (samples * 10 ** (level_db / 20)).astype(np.float32))
        assert max(found) < vad.ONSET_PROBABILITY / 2, name


@pytest.mark.parametrize("noise", [0.0, 0.001])
def test_the_end_of_speech_is_found_within_a_tenth_of_a_second_or_so(session, noise):
    rng = np.random.default_rng(1)
    late_ms = {}
    for name, samples in recordings(is_speech=True):
        if not name.startswith(("rms_", "espeak_", "german_", "ked_", "long_", "name_")):
            continue  # the studio voices: elsewhere nobody knows where speech truly ends
        windows = samples[: samples.size // 160 * 160].reshape(-1, 160)
        level = np.sqrt((windows**2).mean(axis=1))
        end = (int(np.nonzero(level > level.max() * 10 ** (-35 / 20))[0][-1]) + 1) * 160
        padded = np.concatenate((samples[:end], np.zeros(RATE, np.float32)))
        stream = vad.VoiceStream(session)
        stream.feed((padded + rng.standard_normal(padded.size) * noise).astype(np.float32))
        late_ms[name] = (stream.speech_end_samples - end) / 16
    assert len(late_ms) > 10
    assert min(late_ms.values()) > -32
    assert max(late_ms.values()) < 160


def pushed(*stretches):
    """The answers for frames of so many (count, amplitude, is_speech)."""
    noise = TrailingNoise()
    return [
        noise.push(np.full(512, amplitude, np.float32), is_speech=is_speech)
        for count, amplitude, is_speech in stretches
        for _ in range(count)
    ]


def test_silence_and_a_quiet_room_are_no_noise():
    assert not any(pushed((10, 0.1, True), (20, 0.0, False), (20, 0.9 * LOUD_SHARE * 0.1, False)))


def test_lasting_sound_is_noise_after_some_frames():
    answers = pushed((10, 0.1, True), (10, 1.1 * LOUD_SHARE * 0.1, False))
    assert answers == [False] * 15 + [True] * 5


def test_a_click_is_no_noise():
    assert not any(pushed((10, 0.1, True), (3, 0.5, False), (20, 0.0, False), (5, 0.5, False)))


def test_nothing_is_noise_before_somebody_spoke():
    assert not any(pushed((50, 0.5, False)))


def test_speech_begins_anew():
    answers = pushed((10, 0.1, True), (8, 0.1, False), (1, 0.1, True), (5, 0.1, False))
    assert answers[17]
    assert not any(answers[18:])
