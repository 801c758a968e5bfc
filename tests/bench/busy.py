"""The same work on a busy machine: ours by threads, and other engines, beside processes that compute.

usage: python tests/bench/busy.py PACKAGE [--threads 1,2] [--busy 0,1,2,4] [--rounds 7] [--peers NAME ...]
       [--seconds 10] [--tokens 34] [--apart] [--ordinary] [--ahead]

All engines are loaded first, each in a process of its own that waits meanwhile. A round is every engine once
beside every number of busy processes, in turn, in the other direction in every other round. Ratios are of
runs in the same round, so that what else the machine does falls on both. Busy processes are started anew for
each run and end with it, or by themselves after two minutes; a run that they do not last for is an error.
``--apart`` puts each into a session of its own, as programs started from a desktop are: Linux then shares the
processor by session, otherwise by thread.

``--ordinary`` measures each number of threads also with threads of the ordinary class (Linux), which
displace others when they are woken.

"others" is how many processors were used by neither side: on a quiet machine 0. Where it is not, ``--ahead``
(Linux, as root; implies ``--apart``) puts engines and busy processes before all others for each run, and has
them rest behind it. Beside none, the engine's threads are real-time ones of one priority then: they start at
once and displace nobody, which for threads of the class SCHED_BATCH is an idle machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "peers"))
SCRIPTS = {"sherpa.py": "sherpa", "tcpp.py": "tcpp"}  # what serve.py calls them
AUTOMATIC = "ours, automatic"
PARTS = ("encoder_s", "prefill_s", "decode_s")  # of a run of ours
FIRST, USUAL = "-20", "0"  # of /proc/PID/autogroup
BUSY = "import time\nend = time.monotonic() + 120\nwhile time.monotonic() < end:\n    sum(range(10_000))\n"


def serve(package, threads, seconds, tokens):
    """Be one of ours: see peers/serve.py. Fewer than 0 threads are as many ordinary ones."""
    import numpy as np

    from handy_qwen.engine.qwen3 import sessions
    from handy_qwen.models.installed import load_recognizer

    if threads < 0:
        threads, sessions.starting_patient_threads = -threads, nullcontext
    model = load_recognizer(str(package), threads or None)
    noise = np.random.default_rng()

    def run():
        samples = (0.05 * noise.standard_normal(int(16_000 * seconds))).astype(np.float32)
        cpu_s = time.process_time()
        timings = asdict(model.measure(samples, tokens))
        parts = {name: timings[name] for name in PARTS}
        return parts | {"wall_s": timings["total_s"], "cpu_s": time.process_time() - cpu_s}

    run()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(run()), flush=True)


class Engine:
    """A process that does the work when it is told to."""

    def __init__(self, command, *, is_ordinary=False):
        self.is_ordinary = is_ordinary
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        while (line := self._process.stdout.readline()) != "ready\n":
            if not line:
                raise SystemExit(f"{command} could not be started")

    def run(self):
        """Seconds of one run."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def end(self):
        """Let it go."""
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def beside(count, *, apart):
    """``count`` processes that compute."""
    command = [sys.executable, "-c", BUSY]
    processes = [psutil.Popen(command, start_new_session=apart) for _ in range(count)]
    try:
        time.sleep(0.3 * bool(count))
        yield processes
        if any(process.poll() is not None for process in processes):
            raise SystemExit("a busy process has ended before the run beside it")
    finally:
        for process in processes:
            process.kill()
            process.wait()


@contextmanager
def before_others(engine, busy):
    """The engine, and the busy processes, before all other programs; or the engine alone on the machine."""
    pids, begin_s, classes = [engine.pid, *(process.pid for process in busy)], time.monotonic(), {}
    place(pids, FIRST)
    if not busy and not engine.is_ordinary:
        tasks = [int(task.name) for task in Path(f"/proc/{engine.pid}/task").iterdir()]
        classes = {task: os.sched_getscheduler(task) for task in tasks}
        for task in tasks:
            os.sched_setscheduler(task, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        for task, usual in classes.items():
            with suppress(ProcessLookupError):
                os.sched_setscheduler(task, usual, os.sched_param(0))
        place(pids, USUAL)
        time.sleep(0.5 + (time.monotonic() - begin_s) / 3)


def place(pids, nice):
    """Give the sessions of these processes a priority."""
    for pid in pids:
        Path(f"/proc/{pid}/autogroup").write_text(nice, encoding="ascii")


def used_s(processes):
    """Processor time that these processes, and the machine, have used."""
    times = psutil.cpu_times()
    return (
        sum(sum(process.cpu_times()[:2]) for process in processes),
        sum(times) - times.idle - getattr(times, "iowait", 0) - getattr(times, "guest", 0),
    )


def measured(engine, busy, *, is_ahead):
    """One run, and how many processors others used meanwhile."""
    with before_others(engine, busy) if is_ahead else nullcontext():
        before, begin_s = used_s(busy), time.monotonic()
        found = engine.run()
        after, took_s = used_s(busy), time.monotonic() - begin_s
    own_s = after[0] - before[0] + found["cpu_s"]
    return found | {"others": max(0.0, after[1] - before[1] - own_s) / took_s}


def started(options):
    """Name -> engine."""
    work = (options.seconds, options.tokens)
    ours = {f"ours, {count}": count for count in options.threads} | {AUTOMATIC: 0}
    if options.ordinary:
        ours |= {f"ours, {count} ordinary": -count for count in options.threads}
    commands = {
        name: [sys.executable, HERE / "busy.py", "serve", options.package, count, *work]
        for name, count in ours.items()
    }
    if options.peers:
        from run import CACHE, ready_models, ready_python

        python = ready_python(CACHE / "venv")
        for name, (script, model) in ready_models(python, CACHE / "models", options.peers).items():
            kind = SCRIPTS[script]
            commands[name] = [python, HERE / "peers/serve.py", kind, model, *work, os.cpu_count()]
    return {
        name: Engine(command, is_ordinary=name.endswith("ordinary")) for name, command in commands.items()
    }


def counts(text):
    """``1,2`` as numbers."""
    return [int(part) for part in text.split(",") if part]


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("package", type=Path, metavar="PACKAGE")
    parser.add_argument("--threads", type=counts, default=[1, 2])
    parser.add_argument("--busy", type=counts, default=[0, 1, 2, 4])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--tokens", type=int, default=34)
    parser.add_argument("--peers", nargs="+", metavar="NAME", help='for example "sherpa-onnx int8"')
    for name in ("--apart", "--ordinary", "--ahead"):
        parser.add_argument(name, action="store_true")
    return parser.parse_args()


def spread(values, unit=""):
    """Median, least and most."""
    return f"{statistics.median(values):6.2f}{unit} ({min(values):.2f}-{max(values):.2f})"


def show(found, busy, names):
    """A table for each number of busy processes."""
    for count in busy:
        own = found[count, AUTOMATIC]
        print(
            f"\nbeside {count}: wall s; processor s; others; wall / automatic; processor / automatic;"
            f" wall / beside {busy[0]}"
        )
        for name in names:
            runs = found[count, name]
            wall, cpu, others = ([run[key] for run in runs] for key in ("wall_s", "cpu_s", "others"))
            pairs, cpu_pairs = (
                [run[key] / mine[key] for run, mine in zip(runs, own, strict=True)]
                for key in ("wall_s", "cpu_s")
            )
            first = found[busy[0], name]
            slower = [run["wall_s"] / quiet["wall_s"] for run, quiet in zip(runs, first, strict=True)]
            print(f"{name:22} {spread(wall)}  {statistics.median(cpu):6.2f}  {statistics.median(others):5.2f}"
                  f"  {spread(pairs, 'x')}  {spread(cpu_pairs, 'x')}  {spread(slower, 'x')}",
                  flush=True)  # fmt: skip


def show_parts(found, busy, names):
    """What each part of a run takes beside so many processes, against the automatic number of threads."""
    for part in PARTS:
        print(f"\n{part}: wall / automatic, beside {', '.join(map(str, busy))}")
        for name in names:
            pairs = [
                spread([run[part] / mine[part] for run, mine in zip(found[count, name], own, strict=True)])
                for count in busy
                for own in [found[count, AUTOMATIC]]
            ]
            print(f"{name:22} {'  '.join(pairs)}")


def main():
    """Run all in turn, and print what was seen."""
    options = parse()
    engines = started(options)
    names, found = list(engines), {}
    for number in range(options.rounds):
        for count in options.busy:
            for name in names if number % 2 else reversed(names):
                with beside(count, apart=options.apart or options.ahead) as busy:
                    run = measured(engines[name], busy, is_ahead=options.ahead)
                found.setdefault((count, name), []).append(run)
                print(json.dumps({"round": number + 1, "busy": count, "engine": name} | run), flush=True)
    for engine in engines.values():
        engine.end()
    show(found, options.busy, names)
    show_parts(found, options.busy, [name for name in names if name.startswith("ours")])


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        given = sys.argv[2:6]
        serve(Path(given[0]), int(given[1]), float(given[2]), int(given[3]))
    else:
        main()
