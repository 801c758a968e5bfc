"""Keeps a peer loaded and does the same clip again for each line it reads.

usage: serve.py sherpa|tcpp MODEL SECONDS TOKENS THREADS

Prints "ready", then for each line the seconds of a run as JSON: ``wall_s`` and ``cpu_s``.
"""

import json
import os
import sys

import numpy as np


def sherpa_run(model, audio, tokens, threads):
    """A function that returns seconds, wall and processor, of a run."""
    import sherpa

    engine = sherpa.recognizer(model, tokens, threads)
    return lambda: sherpa.decode(engine, audio)[:2]


def tcpp_run(model, audio, tokens, threads):
    """The same for transcribe-cpp, whose total is worked out."""
    import tcpp
    import transcribe_cpp

    os.environ["TRANSCRIBE_PERF_DEBUG"] = "1"
    session = transcribe_cpp.Model(model, backend="cpu").session(n_threads=threads)

    def run():
        first_s, step_s, first_cpu_s, step_cpu_s = tcpp.stages(*tcpp.captured_run(session, audio))
        return first_s + (tokens - 1) * step_s, first_cpu_s + (tokens - 1) * step_cpu_s

    return run


def main():
    """Serve standard input."""
    kind, model, seconds, tokens, threads = sys.argv[1:6]
    audio = (np.random.default_rng(0).standard_normal(int(16_000 * float(seconds))) * 0.05).astype(np.float32)
    begin = {"sherpa": sherpa_run, "tcpp": tcpp_run}[kind]
    run = begin(model, audio, int(tokens), int(threads))
    run()  # warms up
    print("ready", flush=True)
    for _ in sys.stdin:
        wall_s, cpu_s = run()
        print(json.dumps({"wall_s": wall_s, "cpu_s": cpu_s}), flush=True)


if __name__ == "__main__":
    main()
