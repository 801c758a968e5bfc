"""``handy-qwen model``: list, look at, convert and check; what changes the shelf is in ``model_changes``."""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.cli import demo, model_changes
from handy_qwen.cli.choice import asked_or_used, used_folder
from handy_qwen.cli.terminal import ProgressLine, UsageError, complain, say, stoppable, write
from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS
from handy_qwen.errors import ConversionError, ModelMissingError

if TYPE_CHECKING:
    from handy_qwen.cli.transcribe import Subparsers
    from handy_qwen.core.shelf import ModelEntry


def add_parser(commands: Subparsers) -> None:
    """Add the commands to the program's parser."""
    parser = commands.add_parser("model", help="list, install, choose, check and remove models")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = verbs.add_parser("list", help="the models on this machine, and those that can be installed")
    listing.add_argument("--json", action="store_true", help="for other programs")
    listing.set_defaults(command=run_list)

    model_changes.add_parsers(verbs)

    info = verbs.add_parser("info", help="what a model is")
    info.add_argument("model", nargs="?", default="", metavar="NAME|DIR")
    info.set_defaults(command=run_info)

    conversion = verbs.add_parser("convert", help="make a package of an official checkpoint")
    conversion.add_argument(
        "source",
        type=Path,
        metavar="SRC",
        help="folder of a checkpoint, or a .tar.gz or .zip of it",
    )
    conversion.add_argument("destination", type=Path, metavar="DST", help="the package's folder, to be made")
    summaries = "; ".join(f"{preset.name}: {preset.summary}" for preset in PRESETS.values())
    conversion.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default=DEFAULT_PRESET,
        help=f"how precisely to keep it. {summaries}",
    )
    conversion.add_argument(
        "--replace", action="store_true", help="put the new package in the place of the one that DST is"
    )
    conversion.add_argument(
        "--report",
        action="store_true",
        help="compare each part with float32 on real speech; needs room for the model in float32",
    )
    conversion.add_argument(
        "--recordings",
        type=Path,
        metavar="DIR",
        help="with --report: word error rate of each preset on these",
    )
    conversion.add_argument("--json", action="store_true", help="for other programs")
    conversion.set_defaults(command=run_convert)

    check = verbs.add_parser("check", help="whether a model is whole and works")
    check.add_argument("model", nargs="?", default="", metavar="NAME|DIR")
    check.add_argument("--json", action="store_true", help="for other programs")
    check.set_defaults(command=run_check)


def run_list(options: argparse.Namespace) -> int:
    """List the models on this machine, and those that can be installed."""
    from handy_qwen.models.catalogue import read_catalogue
    from handy_qwen.models.installed import installed_models
    from handy_qwen.models.shelf import shelf_entries

    catalogue = read_catalogue()
    if catalogue.problem:
        complain(catalogue.problem)
    folders = {model.name: model.folder for model in installed_models()}
    used = used_folder()
    entries = sorted(shelf_entries(catalogue), key=lambda entry: entry.name not in folders)
    if options.json:
        write(
            json.dumps([_row(entry, folders, used) for entry in entries], ensure_ascii=False, indent=2) + "\n"
        )
        return 0
    write(f"{'NAME':22} {'STATE':12} {'DOWNLOAD':>9} {'ON DISK':>9} {'MEMORY':>9}   FOLDER OR USE\n")
    for entry in entries:
        download = "" if entry.is_permanent else _size(entry.download_bytes)
        sizes = f"{download:>9} {_size(entry.disk_bytes):>9} {_size(entry.memory_bytes):>9}"
        folder = folders.get(entry.name)
        standing = _standing(entry, is_used=folder is not None and folder.resolve() == used)
        write(f"{entry.name:22} {standing:12} {sizes}   {folder or entry.summary or entry.source}\n")
    return 0


def _row(entry: ModelEntry, folders: dict[str, Path], used: Path | None) -> dict[str, object]:
    folder = folders.get(entry.name)
    return {
        "name": entry.name,
        "title": entry.title,
        "standing": entry.standing.name.lower(),
        "is_in_use": folder is not None and folder.resolve() == used,
        "folder": str(folder) if folder else None,
        "size_bytes": entry.disk_bytes,
        "download_bytes": entry.download_bytes,
        "partial_bytes": entry.partial_bytes,
        "memory_bytes": entry.memory_bytes,
        "languages": list(entry.languages),
        "licence": entry.licence,
        "source": entry.source,
        "good_for": entry.summary,
    }


def _standing(entry: ModelEntry, *, is_used: bool) -> str:
    if is_used:
        return "in use"
    if entry.partial_bytes and entry.download_bytes:
        return f"{min(entry.partial_bytes / entry.download_bytes, 1):.0%} loaded"
    return "installed" if entry.standing.name == "INSTALLED" else ""


def _size(size_bytes: int) -> str:
    from handy_qwen.models.room import size_text

    return size_text(size_bytes) if size_bytes else "?"


def run_info(options: argparse.Namespace) -> int:
    """Show what is known of a model without loading it."""
    from handy_qwen.engine.manifest import MANIFEST_FILE, load_manifest
    from handy_qwen.engine.published import is_published_layout
    from handy_qwen.models.installed import find_model
    from handy_qwen.models.origin import load_origin
    from handy_qwen.models.room import size_text

    model = find_model(asked_or_used(options.model))
    facts = [("name", model.name), ("folder", str(model.folder))]
    if (model.folder / MANIFEST_FILE).is_file():
        manifest = load_manifest(model.folder)
        facts += [("preset", manifest.preset), *manifest.precision.items()]
        facts += [
            ("longest pass", f"{manifest.pass_s:.0f} s"),
            ("languages", ", ".join(manifest.config.languages)),
        ]
        facts += [("licence", manifest.licence), ("note", manifest.notice)]
    elif is_published_layout(model.folder):
        facts += [("layout", "published ONNX files")]
    else:
        raise ModelMissingError(model.folder / MANIFEST_FILE)
    facts += [("size", size_text(model.size_bytes))]
    if origin := load_origin(model.folder):
        facts += [
            ("from", " ".join(filter(None, (origin.source, origin.revision)))),
            ("commit", origin.commit),
        ]
    write("".join(f"{key + ':':20} {value}\n" for key, value in facts if value))
    return 0


def run_convert(options: argparse.Namespace) -> int:
    """Convert a model, and say what the rounding costs if asked to."""
    from handy_qwen.bench.wer import Scorer, find_recordings
    from handy_qwen.convert.archive import opened_source
    from handy_qwen.convert.package import Details, check_destination, convert
    from handy_qwen.engine.manifest import is_package
    from handy_qwen.models.installed import InstalledModel

    if options.recordings and not options.report:
        raise UsageError("--recordings is of use only with --report.")
    progress, place = ProgressLine(), options.destination.resolve()
    check_destination(place)
    if is_package(place):
        _check_may_go(place, is_asked=options.replace)
    if options.recordings:  # what the report will need is found out before the work begins
        Scorer()
        find_recordings(options.recordings)
    details, preset = Details(name=place.name), PRESETS[options.preset]
    facts: dict[str, object] = {"name": details.name, "folder": str(place)}
    try:
        with stoppable():
            unpacked = opened_source(options.source, place, lambda part: progress.show("unpacking", part))
            with unpacked as source:  # once for all the conversions
                convert(source, place, preset, details, progress=progress.show)
                progress.clear()
                size = _size(InstalledModel(details.name, place).size_bytes)
                ready = f"{place} is ready, {size}. Use it: handy-qwen model use {shlex.quote(str(place))}"
                (say if options.json else _write_line)(ready)  # whatever becomes of the report
                if options.report:
                    report, lines = _report(source, options, progress)
                    facts |= report
                    progress.clear()
                    if not options.json:
                        write("\n".join(["", *lines]))
    finally:
        progress.clear()
    if options.json:
        write(f"{json.dumps(facts, indent=2)}\n")
    return 0


def _check_may_go(package: Path, *, is_asked: bool) -> None:
    """A package is replaced only if that was asked for, and with it nothing that is not its own."""
    from handy_qwen.engine.manifest import other_files
    from handy_qwen.models.origin import ORIGIN_FILE

    if not is_asked:
        raise UsageError(
            f"{package} is a package already.", "Name another folder, or say --replace to have it replaced."
        )
    others = [name for name in other_files(package) if name != ORIGIN_FILE]
    if others:
        problem = f"{package} also holds {others[0]}, which would be lost."
        raise ConversionError(problem, "Move it somewhere else first.")


def _write_line(text: str) -> None:
    write(f"{text}\n")


def _report(
    source: Path, options: argparse.Namespace, progress: ProgressLine
) -> tuple[dict[str, object], list[str]]:
    """What the rounding costs, for programs and for people."""
    from handy_qwen import paths
    from handy_qwen.audio.files import load
    from handy_qwen.bench.fidelity import measure_fidelity, measure_presets
    from handy_qwen.bench.wer import find_recordings
    from handy_qwen.engine.sessions import default_threads

    recordings = find_recordings(options.recordings) if options.recordings else []
    clips = [load(path) for path in sorted(paths.asset("speech").glob("*.flac"))]
    preset, threads = PRESETS[options.preset], default_threads()
    found = measure_fidelity(
        source, options.destination, preset, clips, threads=threads, progress=progress.show
    )
    lines = [f"{found.clips} clips, {found.tokens} tokens, against float32", ""]
    lines += [f"{'part':16} {'form':30} {'features':>9} {'logits':>9} {'same choice':>12}"]
    lines += [
        f"{part.part:16} {part.form:30} {part.features:9.2%} {part.logits:9.2%} {part.agreement:12.1%}"
        for part in found.parts
    ]
    result = asdict(found)
    if recordings:
        voice_model = paths.asset("vad/silero_vad_16k_op15.onnx")
        scores = measure_presets(
            source, options.destination, recordings, voice_model=voice_model, threads=threads
        )
        lines += ["", *(f"{name:16} word error rate {score.rate:.2%}" for name, score in scores.items())]
        result["word_error_rates"] = {name: score.rate for name, score in scores.items()}
    return result, [*lines, ""]


def run_check(options: argparse.Namespace) -> int:
    """Compare all checksums that are known, load the model, and let it run."""
    from handy_qwen.models.installed import find_model
    from handy_qwen.models.making import try_out
    from handy_qwen.models.origin import check_files

    model = find_model(asked_or_used(options.model))
    has_checksums = check_files(model.folder)
    try_out(model.folder)
    demo.check_sentence(model.folder)
    if options.json:
        write(json.dumps({"name": model.name, "is_compared": has_checksums, "works": True}) + "\n")
    else:
        whole = (
            "whole, and it works"
            if has_checksums
            else "it works (nothing is known to compare its files with)"
        )
        write(f"{model.name}: {whole}\n")
    return 0
