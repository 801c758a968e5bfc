"""Minutes of speech and noise: windows do not change each other, and noise ends no segment early."""

import numpy as np
import pytest

from handy_qwen import paths
from handy_qwen.audio.files import load
from handy_qwen.engine.api import Cancel, Timings
from handy_qwen.engine.qwen3.prompt import build_prompt
from handy_qwen.engine.qwen3.segment import Segment
from handy_qwen.engine.qwen3.segmenter import Segmenter
from handy_qwen.engine.qwen3.sessions import open_session
from handy_qwen.engine.qwen3.vad import VoiceStream
from tests.conftest import VOICE_MODEL

RATE = 16_000
WINDOW = 8 * RATE
MODELS = ["random_recognizer", "demo_recognizer"]
SNRS_DB = [-5, 0, 5, 10, 20]
COLORS = {"white": 0.0, "pink": 0.5, "brown": 1.0}  # how the amplitude falls with the frequency


def sentence(name):
    return load(paths.asset("speech") / f"{name}.flac")


def noise(seconds, color, seed=0):
    """Noise of amplitude 1 (RMS)."""
    count = int(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** COLORS[color]
    samples = np.fft.irfft(spectrum, count)
    return (samples / samples.std()).astype(np.float32)


def level(speech):
    """RMS of the speech in a recording, without its pauses."""
    return float(np.sqrt(np.mean(speech[np.abs(speech) > 0.01] ** 2)))


def between(first, second, *, seconds, color, snr_db):
    """Two sentences with noise between them, in so many dB below the first."""
    gap = noise(seconds, color) * np.float32(level(first) * 10 ** (-snr_db / 20))
    return np.concatenate([first, gap, second])


class Remembering:
    """The voice model, which judges a sound once."""

    def __init__(self, session):
        self._session, self._judged = session, {}

    def run(self, outputs, feeds, options):
        heard = b"".join(one.tobytes() for one in feeds.values())
        if heard not in self._judged:
            self._judged[heard] = self._session.run(outputs, feeds, options)
        return self._judged[heard]


@pytest.fixture(scope="module")
def voice():
    return open_session(VOICE_MODEL, threads=1)


# ---- windows --------------------------------------------------------------------------------------------


def noisy_minutes(seed):
    """97 s of speech and noise; the loudest sound is in the first second, and always the same."""
    pieces = [sentence(name) for name in ("chairs", "meeting", "report")]
    rnd = np.random.default_rng(seed)
    parts = [np.sin(np.arange(RATE, dtype=np.float32) * np.float32(0.3)) * np.float32(0.9)]
    while sum(map(len, parts)) < 97 * RATE:
        piece = pieces[rnd.integers(3)]
        parts += [piece, noise(float(rnd.uniform(0.5, 6.0)), "pink", seed) * np.float32(0.05)]
    return np.concatenate(parts)[: 97 * RATE]


def features_of(recognizer, samples, *, is_exact):
    """The audio features that the decoder is given, window by window."""
    model, rows = recognizer._model, []
    extend = model.decoder.extend
    model.decoder.extend = lambda given: (
        rows.append(given.copy()) if isinstance(given, np.ndarray) else None,
        extend(given),
    )[-1]
    try:
        segment = Segment(model, build_prompt(model.tokenizer), Timings(), is_exact=is_exact)
        segment.answer(samples, (), Cancel(), written=[], poll=lambda: None)
    finally:
        del model.decoder.extend
    return rows


@pytest.mark.parametrize("is_exact", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_the_features_of_a_window_do_not_depend_on_the_windows_before(name, is_exact, request, monkeypatch):
    recognizer = request.getfixturevalue(name)
    monkeypatch.setattr("handy_qwen.engine.qwen3.segment.token_limit", lambda _samples: 1)
    one, other = noisy_minutes(1), noisy_minutes(2)
    whole = features_of(recognizer, one, is_exact=is_exact)
    for shared in (3, 11):  # from this window on they are the same: and so are the features
        mixed = np.concatenate([one[:RATE], other[RATE : shared * WINDOW], one[shared * WINDOW :]])
        changed = features_of(recognizer, mixed, is_exact=is_exact)
        assert len(whole) == len(changed) == 13
        assert not np.array_equal(whole[shared - 1], changed[shared - 1])
        # The last samples before a window are in its first frames: the STFT reaches 200 samples to each side.
        later = slice(shared + 1, None)
        assert all(np.array_equal(a, b) for a, b in zip(whole[later], changed[later], strict=True))


# ---- noise between speech -------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1.0, 26.0])
@pytest.mark.parametrize("snr_db", SNRS_DB)
@pytest.mark.parametrize("color", COLORS)
def test_noise_between_two_sentences_keeps_no_sample_of_either_from_the_model(voice, color, snr_db, seconds):
    first, second = sentence("meeting"), sentence("report")
    samples = between(first, second, seconds=seconds, color=color, snr_db=snr_db)
    remembering = Remembering(voice)
    for trims in (True, False):
        segmenter = Segmenter(VoiceStream(remembering), limit_samples=60 * RATE, trims_silence=trims)
        closed = segmenter.feed(samples) + segmenter.finish()
        read = np.zeros(len(samples), bool)
        for one in closed:
            assert not read[one.start : one.start + one.end].any(), trims
            read[one.start : one.start + one.end] = True
        for begin, part in ((0, first), (len(samples) - len(second), second)):
            loud = np.nonzero(np.abs(part) > 0.02 * np.abs(part).max())[0]
            assert read[begin + loud[0] : begin + loud[-1]].all(), trims


@pytest.mark.parametrize("snr_db", SNRS_DB)
@pytest.mark.parametrize("color", COLORS)
def test_an_answer_does_not_end_at_the_noise_between_two_sentences(demo_recognizer, color, snr_db):
    """The tiny model makes words of loud noise; what was said before and behind it stays."""
    first, second = sentence("meeting"), sentence("report")
    text = demo_recognizer.transcribe(
        between(first, second, seconds=4.0, color=color, snr_db=snr_db), segment_s=60.0
    ).text
    assert text.startswith("The meeting starts at five o'clock.")
    assert text.endswith("Please send the report to Anna on Monday.")


@pytest.mark.parametrize(("color", "exact"), [("white", True), ("pink", False)])
def test_minutes_of_sentences_in_noise_lose_and_double_none(demo_recognizer, color, exact):
    said = {
        "chairs": "We need twenty-five chairs for the office.",
        "meeting": "The meeting starts at five o'clock.",
        "report": "Please send the report to Anna on Monday.",
    }
    order = ["meeting", "report", "chairs"] * 9
    parts = []
    for number, name in enumerate(order):
        speech = sentence(name)
        gap = noise(2.0, color, seed=number) * np.float32(level(speech) * 10 ** (-20 / 20))
        parts += [speech, gap]
    samples = np.concatenate(parts)
    assert len(samples) > 130 * RATE
    transcript = demo_recognizer.transcribe(samples, exact=exact)
    assert not transcript.is_truncated
    assert transcript.text == " ".join(said[name] for name in order)
