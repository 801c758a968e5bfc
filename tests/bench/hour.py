"""Dictates for an hour, faster than real time, and shows that memory stays flat after the third minute.

The whole way of a take through the app's engine thread is gone, block by block; nobody listens to its events.

usage: python tests/bench/hour.py [--model FOLDER] [--minutes 60] [RECORDING ...]
"""

import argparse
import queue
import time
from pathlib import Path

import numpy as np

from handy_qwen import paths
from handy_qwen.audio.files import load
from handy_qwen.bench.speed import resident_bytes
from handy_qwen.core.events import Failed, Transcribed
from handy_qwen.core.types import RATE_HZ
from handy_qwen.engine.qwen3.recognizer import Recognizer
from handy_qwen.models.installed import VOICE_MODEL
from handy_qwen.transcriber.thread import EngineTranscriber

TAKE, BLOCK_S, LINE_S = 1, 4, 180


def main():
    """Print a line every three minutes of sound."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", type=Path, nargs="*", help="(default: those that ship)")
    parser.add_argument("--model", type=Path, default=paths.asset("demo-model"))
    parser.add_argument("--minutes", type=int, default=60)
    options = parser.parse_args()
    shipped = sorted(paths.asset("speech").glob("*.flac"))
    samples = np.concatenate([load(path) for path in options.recordings or shipped])
    recognizer = Recognizer.load(options.model, voice_model=paths.asset(VOICE_MODEL), threads=1)
    ends = queue.SimpleQueue()
    transcriber = EngineTranscriber(
        lambda event: ends.put(event) if isinstance(event, Transcribed | Failed) else None,
        lambda _name: recognizer,
    )
    transcriber.begin(TAKE, (), ())
    begin = time.perf_counter()
    for number in range(options.minutes * 60 // BLOCK_S):
        start = number * BLOCK_S * RATE_HZ % len(samples)
        transcriber.feed(TAKE, np.roll(samples, -start)[: BLOCK_S * RATE_HZ].copy())
        fed = (number + 1) * BLOCK_S * RATE_HZ
        job = wait_until_heard(transcriber, fed)
        if (number + 1) * BLOCK_S % LINE_S == 0:
            print(
                f"{(number + 1) * BLOCK_S / 60:4.0f} min: {resident_bytes() / 1e6:6.1f} MB resident,"
                f" {(fed - job.heard.begin) / RATE_HZ:5.1f} s of sound kept,"
                f" {time.perf_counter() - begin:5.0f} s so far",
                flush=True,
            )
    begin = time.perf_counter()
    transcriber.finish(TAKE)
    end = ends.get()
    assert isinstance(end, Transcribed), end
    words = len(end.text.split())
    print(f"{words} words; {time.perf_counter() - begin:.2f} s from the last sample to the text")
    transcriber.close(30.0)


def wait_until_heard(transcriber, fed):
    """Wait until the engine has done all it can do with the ``fed`` samples, and return its job."""
    job = transcriber._jobs[TAKE]
    while not job.live or job.heard.fed_samples < fed or transcriber._has_more:
        time.sleep(0.002)
    return job


if __name__ == "__main__":
    main()
