"""Dictates for an hour, faster than real time, and shows that memory stays flat after the third minute.

usage: python tests/bench/hour.py MODEL_FOLDER VOICE_MODEL RECORDING [--minutes 60]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from handy_qwen.audio.files import load
from handy_qwen.bench.machine import resident_bytes
from handy_qwen.engine.recognizer import Recognizer

RATE = 16_000
BLOCK_S = 4


def main():
    """Print a line every three minutes of sound."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("voice_model", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--minutes", type=int, default=60)
    options = parser.parse_args()
    recognizer = Recognizer.load(options.model, voice_model=options.voice_model, threads=1)
    samples, live = load(options.recording), recognizer.live()
    begin = time.perf_counter()
    for number in range(options.minutes * 60 // BLOCK_S):
        start = number * BLOCK_S * RATE % len(samples)
        live.feed(np.roll(samples, -start)[: BLOCK_S * RATE])
        while live.advance():
            pass
        if (number + 1) * BLOCK_S % 180 == 0:
            open_s = len(live._splitter.open_samples) / RATE
            buffer_s = len(live._splitter._buffer) / RATE
            print(
                f"{(number + 1) * BLOCK_S / 60:4.0f} min: {resident_bytes() / 1e6:6.1f} MB resident,"
                f" passage {open_s:4.1f} s, buffer {buffer_s:5.1f} s,"
                f" {time.perf_counter() - begin:5.0f} s so far",
                flush=True,
            )
    begin = time.perf_counter()
    tokens = len(live.finish().tokens)
    print(f"{tokens} tokens; {time.perf_counter() - begin:.2f} s from the last sample to the text")


if __name__ == "__main__":
    main()
