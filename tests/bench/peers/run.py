"""Our engine against sherpa-onnx and transcribe-cpp, pair by pair, on random models of 0.6B sizes.

usage: python tests/bench/peers/run.py --package DIR [--venv DIR] [--work DIR] [--seconds 10] [--tokens 34]
       [--rounds 5] [--peers NAME ...]

"total" and "processor" are of the same span: from the samples to the last of the tokens, wall and processor
time (all threads of the process). Every figure comes from a fresh process that does the same once unmeasured.
In every other round the peer goes first, so that a machine that grows slower or quicker favours nobody.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[2]
CACHE = Path.home() / ".cache" / "handy-qwen-peers"
PACKAGES = ["sherpa-onnx", "transcribe-cpp", "gguf", "onnx", "numpy"]
FIGURES = ("load_s", "first_s", "total_s", "cpu_s", "peak_bytes")


def ready_python(folder):
    """The interpreter of the peers' environment, made and filled if it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return python


def ready_models(python, work, wanted):
    """Engine name -> (script, model) of those wanted, or all; what is missing is made."""
    work.mkdir(parents=True, exist_ok=True)
    sherpa = work / "sherpa"
    peers = {"sherpa-onnx int8": ("sherpa.py", sherpa, ["make_sherpa.py", sherpa])}
    for kind in ("Q8_0", "Q4_0"):
        model = work / f"tcpp-{kind}.gguf"
        peers[f"transcribe-cpp {kind}"] = ("tcpp.py", model, ["tcpp.py", "make", model, kind])
    if wanted:
        peers = {name: peers[name] for name in wanted}
    for name, (_, model, (maker, *arguments)) in peers.items():
        if not model.exists():
            print(f"making {name}: {model}", file=sys.stderr, flush=True)
            subprocess.run([python, HERE / maker, *arguments], check=True)
    return {name: (script, model) for name, (script, model, _) in peers.items()}


def run_json(command, **more):
    """What a command prints, as JSON; its complaints go through to the terminal."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True, check=True, **more)
    return json.loads(done.stdout[done.stdout.index("{") :])


def ours(options):
    """One run of this checkout's ``bench``."""
    command = [sys.executable, "-m", "handy_qwen", "bench", "--model", options.package.resolve(), "--json"]
    command += ["--seconds", options.seconds, "--tokens", options.tokens, "--rounds", 1]
    command += ["--threads", options.threads]
    model = run_json(command, cwd=CHECKOUT)["model"]
    clip = model["clips"][0]
    first_s = clip["features_s"] + clip["encoder_s"] + clip["prefill_s"]
    figures = {"first_s": first_s, "total_s": clip["total_s"], "cpu_s": clip["cpu_s"]}
    return figures | {k: model[k] for k in ("load_s", "peak_bytes")}


def peer(python, script, model, options):
    """One run of a peer."""
    command = [python, HERE / script, "time", model, options.seconds, options.tokens, 1, options.threads]
    return run_json(command)


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, required=True)
    parser.add_argument("--venv", type=Path, default=CACHE / "venv")
    parser.add_argument("--work", type=Path, default=CACHE / "models")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--tokens", type=int, default=34)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--peers", nargs="+", metavar="NAME", help='for example "transcribe-cpp Q8_0"')
    return parser.parse_args()


def main():
    """Run all in turn and print medians, and the medians of the ratios within each pair."""
    options = parse()
    python = ready_python(options.venv)
    peers = ready_models(python, options.work, options.peers)
    pairs = {name: [] for name in peers}
    for number in range(options.rounds):
        for name, (script, model) in peers.items():
            if number % 2:
                theirs = peer(python, script, model, options)
                pair = ours(options), theirs
            else:
                pair = ours(options), peer(python, script, model, options)
            pairs[name].append(pair)
            print(
                json.dumps({"round": number + 1, "peer": name, "ours": pair[0], "theirs": pair[1]}),
                flush=True,
            )
    print(f"\n{options.seconds:g} s, {options.tokens} tokens; medians of {options.rounds} rounds")
    print(f"{'':<24}{'load s':>16}{'first token s':>16}{'total s':>16}{'processor s':>16}{'peak GB':>16}")
    for name, runs in pairs.items():
        for side, label in enumerate(("ours", name)):
            middle = [statistics.median(run[side][f] for run in runs) for f in FIGURES]
            middle[-1] /= 1e9
            print(f"{label:<24}" + "".join(f"{value:>16.3f}" for value in middle))
        ratios = [statistics.median(theirs[f] / mine[f] for mine, theirs in runs) for f in FIGURES]
        print(f"{'  theirs / ours':<24}" + "".join(f"{value:>15.2f}x" for value in ratios))


if __name__ == "__main__":
    main()
