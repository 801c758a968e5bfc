"""``handy-qwen bench``: how fast a model is here, and how close to what this machine can do."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from handy_qwen.cli.terminal import write
from handy_qwen.cli.transcribe import add_model_options

if TYPE_CHECKING:
    from handy_qwen.bench.machine import Machine
    from handy_qwen.bench.speed import ModelSpeed
    from handy_qwen.cli.transcribe import Subparsers


def add_parser(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser("bench", help="measure how fast a model is on this machine")
    add_model_options(parser)
    parser.add_argument("--seconds", type=_numbers, default=(2.0, 10.0, 30.0), metavar="S,S,…", help="clips")
    parser.add_argument("--tokens", type=int, default=34, metavar="N", help="tokens to write for each clip")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="runs of which the median is told")
    parser.add_argument("--json", action="store_true", help="for other programs")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Measure the machine, then the model."""
    from handy_qwen.bench.machine import measure_machine
    from handy_qwen.bench.speed import measure_model
    from handy_qwen.engine.sessions import default_threads
    from handy_qwen.models.installed import find_model

    threads = options.threads or default_threads()
    folder = find_model(options.model).folder
    speed = measure_model(
        folder, threads=threads, clips_s=options.seconds, tokens=options.tokens, rounds=options.rounds
    )
    machine = measure_machine(threads)
    if options.json:
        write(json.dumps({"machine": asdict(machine), "model": asdict(speed)}, indent=2) + "\n")
    else:
        write(_table(machine, speed))
    return 0


def _table(machine: Machine, speed: ModelSpeed) -> str:
    least_s = speed.weights_bytes / machine.read_gb_s / 1e9
    memory = f"{speed.loaded_bytes / 1e9:.2f} GB, at most {speed.peak_bytes / 1e9:.2f} GB"
    lines = [
        f"machine   {machine.processor}, {machine.physical_cores} cores, {machine.threads} threads,"
        f" load {machine.load:.1f}",
        f"          reads {machine.read_gb_s:.1f} GB/s,"
        f" multiplies {machine.matmul_gflop_s:.0f} GFLOP/s (float32)",
        f"model     {speed.name}, {speed.disk_bytes / 1e9:.3f} GB on disk",
        f"          loads in {speed.load_s:.2f} s; memory {memory}",
        f"          a token reads {speed.weights_bytes / 1e9:.3f} GB: {least_s * 1e3:.1f} ms at the least",
        "",
        "  clip   features   encoder   prefill   a token   tokens/s   against reading once   total",
    ]
    for clip in speed.clips:
        ratio = f"{clip.step_s / least_s:.2f}x" if least_s else "-"
        lines.append(
            f"{clip.clip_s:5.0f} s {clip.features_s:8.3f} s {clip.encoder_s:7.3f} s {clip.prefill_s:7.3f} s"
            f" {clip.step_s * 1e3:6.1f} ms {1 / clip.step_s:10.1f} {ratio:>22} {clip.total_s:6.2f} s"
        )
    return "\n".join(lines) + "\n"


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))
