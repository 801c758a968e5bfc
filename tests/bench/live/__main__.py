"""How soon the text is there after the last word, transcribing while one speaks and not.

usage: python -m tests.bench.live --model NAME|DIR [--seconds 2,10,30] [--pauses 0,0.5,1,1.5] [--rounds 5]
                                  [--threads N] [--speech FILE …]

"at end" are the seconds from the last sample to the text if the work begins only then, "live" if it is done
meanwhile, "ratio" the one divided by the other; then the parts of "live"; "busy", for how much of the
dictation the engine computed, and "processors", how many it kept busy on average; and the same without drafts
("windows only"), as on battery.
"""

import argparse
from pathlib import Path

import numpy as np

from handy_qwen import paths
from handy_qwen.audio.files import load
from handy_qwen.core.models import DEMO
from handy_qwen.engine import default_threads
from handy_qwen.models.installed import VOICE_MODEL, find_model
from tests.bench.live.speed import bench_live, live_row, measure_drafts


def main() -> None:
    """Print a line for each length and pause, and how many of the demo model's drafts were right."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seconds", type=_numbers, default=(2.0, 10.0, 30.0))
    parser.add_argument("--pauses", type=_numbers, default=(0.0, 0.5, 1.0, 1.5))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--speech", type=Path, nargs="+")
    options = parser.parse_args()
    recordings = [load(path) for path in options.speech or sorted(paths.asset("speech").glob("*.flac"))]
    voice_model = paths.asset(VOICE_MODEL)
    print(live_row())
    bench_live(
        find_model(options.model).folder,
        options.seconds,
        options.pauses,
        np.concatenate(recordings),
        voice_model=voice_model,
        threads=options.threads,
        rounds=options.rounds,
        tell=lambda row: print(live_row(row), flush=True),
    )
    demo = find_model(DEMO).folder
    drafts = measure_drafts(demo, recordings, voice_model=voice_model, threads=options.threads)
    print(f"\nthe demo model on the same recordings: {drafts.kept} of {drafts.tried} draft tokens were right")


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


if __name__ == "__main__":
    main()
