"""What a package costs against another, in processor time of one thread.

usage: python tests/bench/pairs.py PACKAGE OTHER [--rounds N] [--seconds 10] [--tokens 34]

Both are loaded, and take turns with each stage. What is printed are medians over the rounds of the time of
PACKAGE divided by that of OTHER in the same round. Weights may be random: the number of tokens is given.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from handy_qwen.bench.accuracy import encode
from handy_qwen.engine.api import Cancel
from handy_qwen.engine.qwen3.features import log_mel, windows
from handy_qwen.engine.qwen3.prompt import build_prompt
from handy_qwen.engine.qwen3.recognizer import open_parts

STAGES = ("encoder", "prefill", "a step")


def spent(model, mels, tokens):
    """Processor time of each stage, in seconds."""
    cancel, decoder, prompt = Cancel(), model.decoder, build_prompt(model.tokenizer)
    times = [time.process_time()]
    features = encode(model, mels)
    times.append(time.process_time())
    decoder.truncate(0)
    for rows in (prompt.head, *features, prompt.tail):
        decoder.extend(rows)
    decoder.logits(1, cancel)
    times.append(time.process_time())
    for _ in range(tokens - 1):
        decoder.extend(prompt.tail[-1:])
        decoder.logits(1, cancel)
    times.append(time.process_time())
    encoder, prefill, steps = np.diff(times)
    return encoder, prefill, steps / (tokens - 1)


def main():
    """Print ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packages", type=Path, nargs=2, metavar="PACKAGE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--tokens", type=int, default=34)
    options = parser.parse_args()
    noise = np.random.default_rng(1).standard_normal(round(16_000 * options.seconds), np.float32)
    mels = list(windows(log_mel(noise * np.float32(0.1))))
    models = [open_parts(folder, 1) for folder in options.packages]
    rounds = []
    for number in range(options.rounds + 1):
        first = number % 2
        found = {n: spent(models[n], mels, options.tokens) for n in (first, 1 - first)}
        if number:  # the first round warms up
            rounds.append([found[0], found[1]])
    for model in models:
        model.decoder.close()
    own, other = (np.array([pair[n] for pair in rounds]) for n in range(2))
    for name, parts in {
        **{stage: [1.0 * (stage == each) for each in STAGES] for stage in STAGES},
        "encoder and prefill": [1, 1, 0],
        "the whole": [1, 1, options.tokens - 1],
    }.items():
        mine, theirs = own @ parts, other @ parts
        print(f"{name:20} {statistics.median(mine):7.3f} s {statistics.median(theirs):7.3f} s"
              f"   ratio {statistics.median(mine / theirs):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
