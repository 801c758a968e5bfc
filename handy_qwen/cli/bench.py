"""``handy-qwen bench``: the speed and accuracy of a model on this computer."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.cli.options import (
    Subparsers,
    add_command,
    add_model_options,
    asked_or_used,
    may_use_devices,
    number,
)
from handy_qwen.cli.terminal import ProgressLine, UsageError, interruptible, say, write, write_json
from handy_qwen.cli.transcribe import opened
from handy_qwen.message import Message

if TYPE_CHECKING:
    from handy_qwen.bench.accuracy import Score
    from handy_qwen.bench.speed import Machine, ModelSpeed
    from handy_qwen.errors import AudioFileError

_LEAST_S, _MOST_S, _MOST = 0.1, 3600.0, 10_000
_DEFAULTS = {"seconds": (2.0, 10.0, 30.0), "tokens": 34, "rounds": 5, "language": ""}
_OF_ERRORS = {"language"}  # the options of --wer; the others are those of the speed
_DESCRIPTION = """
Measure a model on this computer. Without --wer, clips of noise go through each stage: "features", "encoder"
and "prefill" are the seconds until the model can write, "a token" what each token takes then, "against
reading once" that divided by the time to read the weights once from memory, which no program can beat,
"total" the whole clip, and "processor" the processor time of it on all threads together.
"""


def add_parsers(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    summary = "measure how fast and accurate a model is on this computer"
    parser = add_command(commands, "bench", _run, summary, _DESCRIPTION, has_json=True)
    add_model_options(parser)
    meaning = "word error rate on the recordings there: WAV or FLAC beside TXT, or LibriSpeech's layout"
    parser.add_argument("--wer", type=Path, metavar="DIR", help=meaning)
    for name, kind, metavar, meaning in (
        ("--language", str, "L", "for --wer: language of the recordings (default: detect)"),
        ("--seconds", _lengths, "S,S,…", "lengths of the clips (default: 2,10,30)"),
        ("--tokens", number(2, _MOST), "N", "tokens to write for each clip (default: 34)"),
        ("--rounds", number(1, _MOST), "N", "number of runs (median reported; default: 5)"),
    ):
        parser.add_argument(name, type=kind, metavar=metavar, help=meaning)


def _run(options: argparse.Namespace) -> int:
    _settle(options)
    return _run_wer(options) if options.wer else _run_speed(options)


def _settle(options: argparse.Namespace) -> None:
    """Fill in defaults. Raises UsageError: an option does not apply to this measurement."""
    for name, default in _DEFAULTS.items():
        is_used = (name in _OF_ERRORS) == bool(options.wer)
        if getattr(options, name) is None:
            setattr(options, name, default)
        elif not is_used:
            use = "doesn't work with" if options.wer else "only works with"
            raise UsageError(Message("--{name} {use} --wer.", name=name, use=use))


def _run_wer(options: argparse.Namespace) -> int:
    from handy_qwen.bench.accuracy import Scorer, find_recordings, measure_errors, sounds_without_text, total
    from handy_qwen.engine.api import Cancel

    scorer, recordings = Scorer(), find_recordings(options.wer)
    without_text = sounds_without_text(options.wer, recordings)
    progress, cancel = ProgressLine(), Cancel()
    scores: list[Score] = []
    unreadable: list[AudioFileError] = []
    with opened(options.model, options.threads, options.language) as recognizer:
        name = recognizer.name
        found = measure_errors(
            recognizer,
            recordings,
            scorer=scorer,
            language=options.language,
            cancel=cancel,
            on_unreadable=unreadable.append,
        )

        def measure() -> None:
            for score in found:
                scores.append(score)
                progress.show(score.name, len(scores) / len(recordings))

        try:
            interruptible(measure, cancel)
        finally:
            progress.clear()
    if not scores:
        raise unreadable[0]
    whole = total(scores)
    if options.json:
        rows = [asdict(score) | {"rate": score.rate} for score in scores]
        summary = {key: value for key, value in asdict(whole).items() if key not in {"said", "heard"}}
        result = {
            "model": name,
            "total": summary | {"rate": whole.rate},
            "files": rows,
            "unreadable": [str(error.path) for error in unreadable],
            "without_text": list(map(str, without_text)),
        }
        write_json(result)
    else:
        write("".join(f"{_row(score)}\n" for score in [*scores, whole]))
    for problem in (*(error.title for error in unreadable), *(f"{path}: no text." for path in without_text)):
        say(f"handy-qwen: left out: {problem}")
    return 1 if unreadable else 0


def _row(score: Score) -> str:
    counts = f"{score.substitutions} wrong, {score.deletions} missing, {score.insertions} too many"
    pace = f", {score.duration_s / score.took_s:.1f} times as fast as speech" if score.took_s else ""
    return f"{score.rate:7.2%}  {score.name}: of {score.words} words {counts}{pace}"


def _run_speed(options: argparse.Namespace) -> int:
    from handy_qwen.bench.speed import load_now, measure_machine, measure_model
    from handy_qwen.models.installed import find_model
    from handy_qwen.models.machine import placement_of, threads_for
    from handy_qwen.models.tuning import is_trial_due, is_tuned, try_devices, tune

    load = load_now()
    folder = find_model(asked_or_used(options.model)).folder
    if not options.threads and not is_tuned(folder):
        tune(folder)
    threads = options.threads or threads_for(folder)
    is_allowed = may_use_devices()
    if is_allowed and is_trial_due(folder):
        say(f"handy-qwen: {try_devices(folder, threads).why}")
    speed = measure_model(
        folder,
        threads=threads,
        clips_s=options.seconds,
        tokens=options.tokens,
        rounds=options.rounds,
        placement=placement_of(folder) if is_allowed else None,
    )
    machine = measure_machine(threads, load)
    if options.json:
        write_json({"machine": asdict(machine), "model": asdict(speed)})
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
        "  clip   features   encoder   prefill   a token   tokens/s   against reading once"
        "    total   processor",
    ]
    for clip in speed.clips:
        ratio = f"{clip.step_s / least_s:.2f}×" if least_s else "-"
        lines.append(
            f"{clip.clip_s:5.0f} s {clip.features_s:8.3f} s {clip.encoder_s:7.3f} s {clip.prefill_s:7.3f} s"
            f" {clip.step_s * 1e3:6.1f} ms {1 / clip.step_s:10.1f} {ratio:>22} {clip.total_s:6.2f} s"
            f" {clip.cpu_s:9.2f} s"
        )
    return "\n".join(lines) + "\n"


def _lengths(text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(_LEAST_S <= seconds <= _MOST_S for seconds in found):
        raise argparse.ArgumentTypeError(
            f"{text!r} are not seconds from {_LEAST_S:g} to {_MOST_S:g}, as 2,10,30"
        )
    return found
