"""``handy-qwen model``: list, look at, convert and check models."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.cli.terminal import ProgressLine, stoppable, write
from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS

if TYPE_CHECKING:
    from handy_qwen.cli.transcribe import Subparsers


def add_parser(commands: Subparsers) -> None:
    """Add the commands to the program's parser."""
    parser = commands.add_parser("model", help="list, look at, convert and check models")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = verbs.add_parser("list", help="the models on this machine")
    listing.add_argument("--json", action="store_true", help="for other programs")
    listing.set_defaults(command=run_list)

    info = verbs.add_parser("info", help="what a model is")
    info.add_argument("model", nargs="?", default="", metavar="NAME|DIR")
    info.set_defaults(command=run_info)

    conversion = verbs.add_parser("convert", help="make a package of an official checkpoint")
    conversion.add_argument("source", type=Path, metavar="SRC", help="the checkpoint's folder, or a .tar.gz or .zip of it")
    conversion.add_argument("destination", type=Path, metavar="DST", help="the package's folder, to be made")
    summaries = "; ".join(f"{preset.name}: {preset.summary}" for preset in PRESETS.values())
    conversion.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default=DEFAULT_PRESET,
        help=f"how precisely to keep it. {summaries}",
    )
    conversion.set_defaults(command=run_convert)

    check = verbs.add_parser("check", help="whether a model is whole and works")
    check.add_argument("model", nargs="?", default="", metavar="NAME|DIR")
    check.set_defaults(command=run_check)


def run_list(options: argparse.Namespace) -> int:
    """List the models on this machine."""
    from handy_qwen.models.installed import installed_models

    models = installed_models()
    if options.json:
        rows = [{"name": m.name, "folder": str(m.folder), "size_bytes": m.size_bytes} for m in models]
        write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
        return 0
    for model in models:
        write(f"{model.name:28} {model_size(model.size_bytes):>8}   {model.folder}\n")
    return 0


def run_info(options: argparse.Namespace) -> int:
    """Show what is known of a model without loading it."""
    from handy_qwen.engine.manifest import MANIFEST_FILE, load_manifest
    from handy_qwen.models.installed import find_model

    model = find_model(options.model)
    facts = [("name", model.name), ("folder", str(model.folder)), ("size", model_size(model.size_bytes))]
    if (model.folder / MANIFEST_FILE).is_file():
        manifest = load_manifest(model.folder)
        facts += [("preset", manifest.preset), *manifest.precision.items()]
        facts += [
            ("longest pass", f"{manifest.pass_s:.0f} s"),
            ("languages", ", ".join(manifest.config.languages)),
        ]
        facts += [("licence", manifest.licence), ("note", manifest.notice)]
    else:
        facts += [("layout", "published ONNX files")]
    write("".join(f"{key + ':':20} {value}\n" for key, value in facts if value))
    return 0


def run_convert(options: argparse.Namespace) -> int:
    """Convert a checkpoint."""
    from handy_qwen.convert.package import Details, convert

    progress = ProgressLine()
    details = Details(name=options.destination.resolve().name)
    try:
        with stoppable():
            convert(
                options.source, options.destination, PRESETS[options.preset], details, progress=progress.show
            )
    finally:
        progress.clear()
    return 0


def run_check(options: argparse.Namespace) -> int:
    """Compare all hashes, load the model, and let it run."""
    from handy_qwen.engine.manifest import MANIFEST_FILE, find_damage, load_manifest
    from handy_qwen.models.installed import find_model, load_recognizer

    model = find_model(options.model)
    if (model.folder / MANIFEST_FILE).is_file():
        find_damage(model.folder, load_manifest(model.folder))
    recognizer = load_recognizer(str(model.folder))
    try:
        recognizer.self_test()
    finally:
        recognizer.close()
    write(f"{model.name}: whole, and it works\n")
    return 0


def model_size(size_bytes: int) -> str:
    """A size for people."""
    return f"{size_bytes / 1e9:.2f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"
