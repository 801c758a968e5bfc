"""``handy-qwen bench``: how fast a model is here, alone and while somebody speaks, and how often wrong."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.cli import bench_threads
from handy_qwen.cli.choice import asked_or_used
from handy_qwen.cli.terminal import ProgressLine, UsageError, interruptible, say, write
from handy_qwen.cli.transcribe import opened, thread_count

if TYPE_CHECKING:
    from handy_qwen.bench.machine import Machine
    from handy_qwen.bench.speed import ModelSpeed
    from handy_qwen.bench.wer import Recording, Score, Scorer
    from handy_qwen.cli.transcribe import Subparsers
    from handy_qwen.engine.recognizer import Recognizer
    from handy_qwen.engine.sessions import Cancel
    from handy_qwen.errors import AudioFileError

_MOST_S, _MOST = 3600.0, 10_000
_DEFAULTS = {
    "seconds": (2.0, 10.0, 30.0),
    "tokens": 34,
    "rounds": 5,
    "pauses": (0.0, 0.5, 1.0, 1.5),
    "speech": (),
    "language": "",
}
_USED = {  # what is measured -> the options that it heeds
    "": {"seconds", "tokens", "rounds"},
    "live": {"seconds", "rounds", "pauses", "speech"},
    "wer": {"language"},
}
_DESCRIPTION = """
Measure a model on this machine. Without --live or --wer, clips of noise go through each stage: "features",
"encoder" and "prefill" are the seconds until the model can write, "a token" what each token takes then,
"against reading once" that divided by the time to read the weights once from memory, which no program can
beat, "total" the whole clip. With --live, "at end" are the seconds from the last sample to the text if the
work begins only then, "live" if the engine listens along, "ratio" the one divided by the other; then the
parts of "live"; "busy", for how much of the dictation the engine computed, and "processors", how many it kept
busy on average; and the same without drafts ("windows only"), as on battery.
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "bench", help="measure how fast a model is on this machine", description=_DESCRIPTION
    )
    parser.add_argument(
        "--model",
        default="",
        metavar="NAME|DIR",
        help="an installed model or a folder (default: the one in use)",
    )
    parser.add_argument(
        "--threads",
        type=_thread_counts,
        default=(),
        metavar="N,N,…",
        help="processor threads to use; several are measured one after the other",
    )
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--wer",
        type=Path,
        metavar="DIR",
        help="word error rate on the recordings there: WAV or FLAC beside TXT, or LibriSpeech's layout",
    )
    kinds.add_argument(
        "--live", action="store_true", help="seconds from the last word to the text, listening along and not"
    )
    parser.add_argument(
        "--language", metavar="L", help="for --wer: that of the recordings; found out if not given"
    )
    parser.add_argument(
        "--seconds",
        type=_lengths,
        metavar="S,S,…",
        help="lengths of what is heard (default: 2,10,30)",
    )
    parser.add_argument(
        "--tokens", type=_token_count, metavar="N", help="tokens to write for each clip (default: 34)"
    )
    parser.add_argument(
        "--rounds", type=_count, metavar="N", help="runs of which the median is told (default: 5)"
    )
    parser.add_argument(
        "--pauses",
        type=_pauses,
        metavar="S,S,…",
        help="for --live: seconds of silence before the key comes up (default: 0,0.5,1,1.5)",
    )
    parser.add_argument(
        "--speech",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="for --live: what is dictated (default: what ships with the program)",
    )
    parser.add_argument("--json", action="store_true", help="for other programs")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Measure the machine and the model, the time after the last word, or the model's errors."""
    _settle(options)
    if len(options.threads) > 1:
        if options.wer or options.live:
            raise UsageError("Only the speed is measured with several numbers of threads.", "Name one.")
        return bench_threads.run(options)
    options.threads = options.threads[0] if options.threads else None
    if options.wer:
        return _run_wer(options)
    return _run_live(options) if options.live else _run_speed(options)


def _settle(options: argparse.Namespace) -> None:
    """Fill in what was not asked for; refuse what this kind of measurement has no use for.

    Raises:
        UsageError: An option belongs to another kind.
    """
    kind = "wer" if options.wer else "live" if options.live else ""
    for name, default in _DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
        elif name not in _USED[kind]:
            others = " or ".join(f"--{other}" for other, used in _USED.items() if other and name in used)
            problem = f"is of no use with --{kind}." if kind else f"is of use only with {others}."
            raise UsageError(f"--{name} {problem}")


def _run_wer(options: argparse.Namespace) -> int:
    from handy_qwen.bench.wer import Scorer, find_recordings, sounds_without_text, total
    from handy_qwen.engine.sessions import Cancel

    scorer, recordings = Scorer(), find_recordings(options.wer)
    untold = sounds_without_text(options.wer, recordings)
    with opened(options.model, options.threads) as recognizer:
        recognizer.check_language(options.language)
        job = _Errors(recognizer, scorer, options.language, Cancel())
        scores = interruptible(lambda: job.scores(recordings), job.cancel)
        name = recognizer.name
    if not scores:
        raise job.unreadable[0]
    whole = total(scores)
    if options.json:
        rows = [asdict(score) | {"rate": score.rate} for score in scores]
        summary = {key: value for key, value in asdict(whole).items() if key not in {"said", "heard"}}
        result = {
            "model": name,
            "total": summary | {"rate": whole.rate},
            "files": rows,
            "unreadable": [str(error.path) for error in job.unreadable],
            "without_text": [str(path) for path in untold],
        }
        write(json.dumps(result, ensure_ascii=False, indent=2) + "\n")
    else:
        write("".join(f"{_row(score)}\n" for score in [*scores, whole]))
    for problem in (*(error.title for error in job.unreadable), *(f"{path}: no text." for path in untold)):
        say(f"handy-qwen: left out: {problem}")
    return 1 if job.unreadable else 0


@dataclass(frozen=True, slots=True)
class _Errors:
    """The work of ``--wer``, done on another thread so that it can be interrupted."""

    recognizer: Recognizer
    scorer: Scorer
    language: str
    cancel: Cancel
    unreadable: list[AudioFileError] = field(default_factory=list)

    def scores(self, recordings: list[Recording]) -> list[Score]:
        from handy_qwen.bench.wer import measure_errors

        progress, scores = ProgressLine(), []
        found = measure_errors(
            self.recognizer,
            recordings,
            scorer=self.scorer,
            language=self.language,
            cancel=self.cancel,
            on_unreadable=self.unreadable.append,
        )
        try:
            for score in found:
                scores.append(score)
                progress.show(score.name, len(scores) / len(recordings))
        finally:
            progress.clear()
        return scores


def _row(score: Score) -> str:
    counts = f"{score.substitutions} wrong, {score.deletions} missing, {score.insertions} too many"
    pace = f", {score.duration_s / score.took_s:.1f} times as fast as speech" if score.took_s else ""
    return f"{score.rate:7.2%}  {score.name}: of {score.words} words {counts}{pace}"


def _run_speed(options: argparse.Namespace) -> int:
    from handy_qwen.bench.machine import load_now, measure_machine
    from handy_qwen.bench.speed import measure_model
    from handy_qwen.engine.sessions import default_threads
    from handy_qwen.models.installed import find_model

    load = load_now()
    threads = options.threads or default_threads()
    folder = find_model(asked_or_used(options.model)).folder
    speed = measure_model(
        folder, threads=threads, clips_s=options.seconds, tokens=options.tokens, rounds=options.rounds
    )
    machine = measure_machine(threads, load)
    if options.json:
        write(json.dumps({"machine": asdict(machine), "model": asdict(speed)}, indent=2) + "\n")
    else:
        write(_table(machine, speed))
    return 0


def _run_live(options: argparse.Namespace) -> int:
    import numpy as np

    from handy_qwen import paths
    from handy_qwen.audio.files import load
    from handy_qwen.bench.live import bench_live, live_row, measure_drafts
    from handy_qwen.core.shelf import DEMO
    from handy_qwen.engine.sessions import default_threads
    from handy_qwen.models.installed import VOICE_MODEL, find_model

    shipped = sorted(paths.asset("speech").glob("*.flac"))
    recordings = [load(path) for path in options.speech or shipped]
    threads, voice_model = options.threads or default_threads(), paths.asset(VOICE_MODEL)
    if not options.json:
        write(f"{live_row()}\n")
    rows = bench_live(
        find_model(asked_or_used(options.model)).folder,
        options.seconds,
        options.pauses,
        np.concatenate(recordings),
        voice_model=voice_model,
        threads=threads,
        rounds=options.rounds,
        tell=lambda row: None if options.json else write(f"{live_row(row)}\n"),
    )
    demo = find_model(DEMO).folder
    drafts = measure_drafts(demo, recordings, voice_model=voice_model, threads=threads)
    if options.json:
        found = {"rows": [asdict(row) for row in rows], "demo_drafts": asdict(drafts)}
        write(json.dumps(found, indent=2) + "\n")
    else:
        kept = f"{drafts.kept} of {drafts.tried} tokens of drafts were right"
        write(f"\nthe demo model on the same recordings, each as a whole: {kept}\n")
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


def _thread_counts(text: str) -> tuple[int, ...]:
    return tuple(thread_count(part) for part in text.split(","))


def _lengths(text: str) -> tuple[float, ...]:
    return _seconds(text, least=0.1)


def _pauses(text: str) -> tuple[float, ...]:
    return _seconds(text, least=0.0)


def _seconds(text: str, least: float) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(least <= seconds <= _MOST_S for seconds in found):
        raise argparse.ArgumentTypeError(
            f"{text!r} are not seconds from {least:g} to {_MOST_S:g}, as 2,10,30"
        )
    return found


def _count(text: str, least: int = 1) -> int:
    if not (text.isdecimal() and least <= int(text) <= _MOST):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {_MOST}")
    return int(text)


def _token_count(text: str) -> int:
    return _count(text, least=2)  # the first comes with the prefill
