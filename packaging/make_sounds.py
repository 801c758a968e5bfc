"""Makes the sounds in assets/sounds: two soft notes up when a take begins, the same two down at its end.

    python packaging/make_sounds.py

Sine waves with a little of the octave, faded in over 8 ms and out like a struck bar, at -18 dBFS: to be
heard, not to startle, and too short to be taken for speech by the microphone that may hear them.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Samples = npt.NDArray[np.float64]
FOLDER = Path(__file__).parents[1] / "assets" / "sounds"
RATE_HZ = 48_000
PEAK = 10 ** (-18 / 20)
NOTE_S, DECAY_S, GAP_S, FADE_S = 0.12, 0.045, 0.07, 0.008
NOTES_HZ = {"start.wav": (587.33, 880.0), "stop.wav": (880.0, 587.33)}  # D5 and A5


def note(frequency_hz: float) -> Samples:
    """One note. Shape (n,), float64, RATE_HZ."""
    time_s = np.arange(round(NOTE_S * RATE_HZ)) / RATE_HZ
    wave = np.sin(2 * np.pi * frequency_hz * time_s) + 0.15 * np.sin(4 * np.pi * frequency_hz * time_s)
    rise = np.minimum(1.0, time_s / FADE_S)
    fall = np.minimum(1.0, (NOTE_S - time_s) / FADE_S)
    faded: Samples = wave * np.exp(-time_s / DECAY_S) * rise * fall
    return faded


def phrase(*frequencies_hz: float) -> Samples:
    """Notes that begin GAP_S apart and ring on into each other."""
    starts = [round(GAP_S * RATE_HZ) * place for place in range(len(frequencies_hz))]
    notes = [note(frequency_hz) for frequency_hz in frequencies_hz]
    samples = np.zeros(starts[-1] + len(notes[-1]))
    for start, one in zip(starts, notes, strict=True):
        samples[start : start + len(one)] += one
    scaled: Samples = PEAK * samples / np.abs(samples).max()
    return scaled


def main() -> None:
    """Write both files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, frequencies_hz in NOTES_HZ.items():
        soundfile.write(FOLDER / name, phrase(*frequencies_hz), RATE_HZ, subtype="PCM_16")
        print(FOLDER / name)


if __name__ == "__main__":
    main()
