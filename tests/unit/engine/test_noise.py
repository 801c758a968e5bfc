"""What counts as silence behind speech, and what does not."""

import numpy as np

from handy_qwen.engine.qwen3.vad import LOUD_SHARE, TrailingNoise


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
