"""Why a recording gave no text, told by its level and length."""

import numpy as np
import pytest

from handy_qwen.audio.files import Loudness
from handy_qwen.audio.take import loudest_db


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [
        (0.2, 0.1, "too short (0.20 s)"),
        (1.0, 0.0, "silent"),
        (1.0, 1e-5, "silent"),
        (1.0, 5e-4, "too quiet (-66 dBFS at its loudest)"),
        (1.0, 0.1, "no speech was found"),
    ],
)
@pytest.mark.parametrize("blocks", [3, 100], ids=["blocks", "short blocks"])
def test_a_recording_without_text_is_explained(seconds, level, words, blocks):
    loudness = Loudness()
    for block in np.array_split(np.full(int(16_000 * seconds), level, np.float32), blocks):
        loudness.feed(block)
    assert words in loudness.why_no_text()


def test_a_click_at_the_very_end_is_no_tenth_of_a_second():
    samples = np.full(16_000 + 20, 0.01, np.float32)
    samples[-20:] = 1.0
    assert loudest_db(samples) == pytest.approx(-40, abs=0.1)
    assert loudest_db(samples[-20:]) == pytest.approx(0, abs=0.1)
    assert loudest_db(samples[:0]) == -100
