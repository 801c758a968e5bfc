"""``handy-qwen bench --threads 1,2,4``: the same measurement with several numbers of threads.

Each is a process of its own: memory that one has had and threads that it started would change the next.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

from handy_qwen.cli.terminal import say, stoppable, write
from handy_qwen.errors import HandyError


def run(options: argparse.Namespace) -> int:
    """Measure with each of ``options.threads``; say which was the fastest, and what is used by itself."""
    from handy_qwen.engine.sessions import default_threads

    found: list[dict[str, Any]] = []
    with stoppable():  # or the one under way would go on alone
        for threads in options.threads:
            say(f"measuring with {threads} thread{'s' if threads > 1 else ''} …")
            found.append(_measured(options, threads))
    if options.json:
        write(json.dumps(found, indent=2) + "\n")
        return 0
    write(_table(options.threads, found))
    longest = [max(result["model"]["clips"], key=lambda clip: clip["clip_s"]) for result in found]
    fastest = min(zip(options.threads, longest, strict=True), key=lambda pair: pair[1]["total_s"])[0]
    clip_s = longest[0]["clip_s"]
    write(f"\nfastest for {clip_s:g} s: {fastest}; used if none is named: {default_threads()}\n")
    return 0


def _measured(options: argparse.Namespace, threads: int) -> dict[str, Any]:
    """What ``bench --json`` says with so many threads."""
    program = (
        [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-P", "-m", "handy_qwen"]
    )
    arguments = [
        "bench",
        "--json",
        "--threads",
        threads,
        "--tokens",
        options.tokens,
        "--rounds",
        options.rounds,
    ]
    arguments += ["--seconds", ",".join(f"{seconds:g}" for seconds in options.seconds)]
    arguments += ["--model", options.model] if options.model else []
    done = subprocess.run(
        [*program, *map(str, arguments)], stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    if done.returncode:
        raise HandyError(f"The measurement failed, threads: {threads}.", "What it says stands above.")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _table(counts: tuple[int, ...], found: list[dict[str, Any]]) -> str:
    lines = ["threads    clip   encoder   prefill   a token      total      load    memory"]
    for threads, result in zip(counts, found, strict=True):
        model = result["model"]
        lines += [
            f"{threads:7} {clip['clip_s']:5.0f} s {clip['encoder_s']:7.3f} s {clip['prefill_s']:7.3f} s"
            f" {clip['step_s'] * 1e3:6.1f} ms {clip['total_s']:8.2f} s {model['load_s']:7.2f} s"
            f" {model['peak_bytes'] / 1e9:6.2f} GB"
            for clip in model["clips"]
        ]
    return "\n".join(lines) + "\n"
