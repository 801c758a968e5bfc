"""Measures how soon work that is given up ends, at random moments of a dictation.

usage: python tests/bench/cancel.py MODEL_FOLDER VOICE_MODEL RECORDING [--rounds 40] [--threads 2]
"""

import argparse
import random
import statistics
import threading
import time
from pathlib import Path

from handy_qwen.audio.files import load
from handy_qwen.engine.qwen3.recognizer import Recognizer
from handy_qwen.errors import CancelledError

RATE = 16_000


def cancelled_after(recognizer, samples, wait_s):
    """Seconds from the cancel to the end of the work; None if the work was over before."""
    live, ended = recognizer.live(), []

    def work():
        try:
            for first in range(0, len(samples), RATE):
                live.feed(samples[first : first + RATE])
                while live.advance():
                    pass
            live.finish()
        except CancelledError:
            ended.append(time.perf_counter())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(wait_s)
    begin = time.perf_counter()
    live.cancel()
    thread.join()
    return ended[0] - begin if ended else None


def main():
    """Print median, 90th percentile and maximum."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("voice_model", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    recognizer = Recognizer.load(options.model, voice_model=options.voice_model, threads=options.threads)
    samples, chance = load(options.recording)[: 20 * RATE], random.Random(1)
    times = [cancelled_after(recognizer, samples, chance.uniform(0.02, 6)) for _ in range(options.rounds)]
    seconds = sorted(one for one in times if one is not None)
    print(
        f"{len(seconds)} times: median {statistics.median(seconds) * 1e3:.0f} ms,"
        f" 90 % within {seconds[len(seconds) * 9 // 10] * 1e3:.0f} ms, at most {seconds[-1] * 1e3:.0f} ms"
    )


if __name__ == "__main__":
    main()
