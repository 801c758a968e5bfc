"""``handy-qwen model``: list, look at, convert and check; what changes the shelf is in ``model_changes``."""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.cli.options import asked_or_used, used_folder
from handy_qwen.cli.terminal import ProgressLine, UsageError, complain, say, stoppable, write
from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS
from handy_qwen.errors import ConversionError, ModelMissingError

if TYPE_CHECKING:
    from handy_qwen.cli.transcribe import Subparsers
    from handy_qwen.core.models import ModelEntry
from collections.abc import Callable

from handy_qwen.cli.terminal import agrees
from handy_qwen.errors import InstallationError

if TYPE_CHECKING:
    from handy_qwen.cli.terminal import InstallProgress
    from handy_qwen.cli.transcribe import Subparsers
    from handy_qwen.models.installed import InstalledModel
from functools import partial

from handy_qwen import paths
from handy_qwen.cli.terminal import interruptible
from handy_qwen.errors import EngineError

if TYPE_CHECKING:
    from handy_qwen.cli.transcribe import Subparsers


def add_parser(commands: Subparsers) -> None:
    """Add the commands to the program's parser."""
    parser = commands.add_parser("model", help="list, install, choose, check and remove models")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = verbs.add_parser("list", help="the models on this machine, and those that can be installed")
    listing.add_argument("--json", action="store_true", help="for other programs")
    listing.set_defaults(command=run_list)

    add_parsers(verbs)

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
    from handy_qwen.models.storage import size_text

    return size_text(size_bytes) if size_bytes else "?"


def run_info(options: argparse.Namespace) -> int:
    """Show what is known of a model without loading it."""
    from handy_qwen.engine.qwen3.manifest import MANIFEST_FILE, load_manifest
    from handy_qwen.engine.qwen3.published import is_published_layout
    from handy_qwen.models.installed import find_model, load_origin
    from handy_qwen.models.storage import size_text

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
    from handy_qwen.convert.package import Details, check_destination, convert
    from handy_qwen.convert.source import opened_source
    from handy_qwen.engine.qwen3.manifest import is_package
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
    from handy_qwen.engine.qwen3.manifest import other_files
    from handy_qwen.models.installed import ORIGIN_FILE

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
    from handy_qwen.engine import default_threads

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
    from handy_qwen.models.installed import check_files, find_model
    from handy_qwen.models.installing import self_test

    model = find_model(asked_or_used(options.model))
    has_checksums = check_files(model.folder)
    self_test(model.folder)
    check_sentence(model.folder)
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


def add_parsers(verbs: Subparsers) -> None:
    """Add the verbs to those of ``model``."""
    install = verbs.add_parser(
        "install",
        help="download a model and make it ready",
        description="Download a model, compare its checksums, convert it if need be, and try it out. What "
        "was interrupted goes on where it was. HF_ENDPOINT names another hub or a mirror, HF_HOME the shared "
        "cache, HF_HUB_OFFLINE=1 forbids the network; a token is sent only if HF_TOKEN is set.",
    )
    install.add_argument("model", metavar="NAME", help="a name of: handy-qwen model list")
    install.add_argument("--revision", help="another branch, tag or commit of its repository")
    install.add_argument(
        "--keep-source", type=Path, metavar="DIR", help="move what was downloaded there; else it is deleted"
    )
    install.set_defaults(command=run_install)

    importing = verbs.add_parser("import", help="install a model from a folder or an archive")
    importing.add_argument(
        "source", type=Path, metavar="SRC", help="official checkpoint, published ONNX model, or package"
    )
    importing.add_argument(
        "--name", default="", help="what to call it; else as the folder or archive is called"
    )
    importing.set_defaults(command=run_import)
    for parser in (install, importing):
        parser.add_argument(
            "--preset",
            choices=tuple(PRESETS),
            default="",
            help=f"see: convert (default: {DEFAULT_PRESET}; not for published ONNX models)",
        )

    use = verbs.add_parser("use", help="let a model write the texts; a running app takes it up by itself")
    use.add_argument("model", metavar="NAME|DIR")
    use.set_defaults(command=run_use)

    remove = verbs.add_parser("remove", help="delete an installed model, or an unfinished download")
    remove.add_argument("model", metavar="NAME")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    remove.set_defaults(command=run_remove)

    path = verbs.add_parser("path", help="the folder of a model, or of all")
    path.add_argument("model", nargs="?", default="", metavar="NAME")
    path.set_defaults(command=run_path)
    for parser in (install, importing, use, remove, path):
        parser.add_argument("--json", action="store_true", help="for other programs")


def run_install(options: argparse.Namespace) -> int:
    """Download, convert, try out."""
    from dataclasses import replace

    from handy_qwen.models.catalogue import read_catalogue
    from handy_qwen.models.installed import installed_models
    from handy_qwen.models.installing import install

    catalogue = read_catalogue()
    if catalogue.problem:
        say(f"handy-qwen: {catalogue.problem}")
    model = catalogue.find(options.model)
    if options.revision:
        model = replace(model, revision=options.revision)
    is_special = options.revision or options.preset or options.keep_source
    if is_special and model.name in {one.name for one in installed_models()}:
        raise InstallationError(
            f"{model.name} is installed already.",
            f"To have it in another form, remove it first: handy-qwen model remove {model.name}",
        )
    if options.keep_source and options.keep_source.exists():
        raise UsageError(f"{options.keep_source} exists already.", "Name a folder to be made.")
    keep: Path | None = options.keep_source.absolute() if options.keep_source else None
    return _run(
        lambda progress: install(model, progress.tell, preset=options.preset, keep_source=keep),
        options,
        "What has been downloaded is kept; the same command goes on with it.",
    )


def run_import(options: argparse.Namespace) -> int:
    """Copy or convert, try out."""
    from handy_qwen.models.installing import import_model

    return _run(
        lambda progress: import_model(
            options.source, progress.tell, name=options.name, preset=options.preset
        ),
        options,
        "Nothing was left behind.",
    )


def run_use(options: argparse.Namespace) -> int:
    """Write the setting."""
    from handy_qwen import paths
    from handy_qwen.models.catalogue import read_catalogue
    from handy_qwen.models.installed import find_model, installed_models
    from handy_qwen.settings import change

    is_known = options.model in {one.name for one in read_catalogue().models}
    is_installed = options.model in {one.name for one in installed_models()}
    if is_known and not is_installed:
        raise InstallationError(
            f"{options.model} is not installed yet.", f"Install it: handy-qwen model install {options.model}"
        )
    model = find_model(options.model)
    _check_is_model(model.folder)
    named = model.name if is_installed else str(model.folder.resolve())  # it counts everywhere
    change(paths.settings_file(), model=named)
    _write_done(options, model, f"{model.name} writes the texts from now on\n")
    return 0


def _check_is_model(folder: Path) -> None:
    """Complain of what could not write texts, before it is chosen."""
    from handy_qwen.engine.qwen3.manifest import MANIFEST_FILE, load_manifest
    from handy_qwen.engine.qwen3.published import is_published_layout

    if (folder / MANIFEST_FILE).is_file():
        load_manifest(folder)
    elif not is_published_layout(folder):
        raise InstallationError(
            f"{folder} is no installed model.", "Import it: handy-qwen model import FOLDER"
        )


def run_remove(options: argparse.Namespace) -> int:
    """Ask, and delete."""
    from handy_qwen.cli.options import read_settings, used_folder
    from handy_qwen.models.installed import find_model, installed_models
    from handy_qwen.models.installing import check_removable, discard_download, partial_bytes, remove
    from handy_qwen.models.storage import size_text

    is_installed = options.model in {model.name for model in installed_models()}
    if not is_installed and (partial := partial_bytes(options.model)):
        _check_agrees(options, f"Delete the unfinished download of {options.model}, {size_text(partial)}?")
        discard_download(options.model)
        _write_done(options, None, f"the download of {options.model} is deleted\n")
        return 0
    model = find_model(options.model)
    check_removable(model.name)
    if read_settings().model and used_folder() == model.folder.resolve():  # by its name or its folder
        raise InstallationError(
            f"{model.name} is in use.", "Choose another one first: handy-qwen model use NAME"
        )
    _check_agrees(options, f"Delete {model.name}, {size_text(model.size_bytes)}?")
    remove(model.name)
    _write_done(options, model, f"{model.name} is deleted\n")
    return 0


def run_path(options: argparse.Namespace) -> int:
    """Tell where it is."""
    from handy_qwen import paths
    from handy_qwen.models.installed import find_model

    folder = find_model(options.model).folder if options.model else paths.models_dir()
    write(json.dumps({"folder": str(folder)}) + "\n" if options.json else f"{folder}\n")
    return 0


def _run(
    work: Callable[[InstallProgress], InstalledModel], options: argparse.Namespace, interrupted: str
) -> int:
    from handy_qwen.cli.terminal import InstallProgress

    progress = InstallProgress()
    try:
        with stoppable():
            model = work(progress)
    except KeyboardInterrupt:
        progress.clear()
        say(f"handy-qwen: interrupted. {interrupted}")
        raise
    finally:
        progress.clear()
    _write_done(options, model, f"{model.name} is installed: {model.folder}\n")
    return 0


def _write_done(options: argparse.Namespace, model: InstalledModel | None, text: str) -> None:
    facts = {"name": model.name if model else options.model, "folder": str(model.folder) if model else None}
    write(json.dumps(facts, ensure_ascii=False) + "\n" if options.json else text)


def _check_agrees(options: argparse.Namespace, question: str) -> None:
    if not (options.yes or agrees(question)):
        raise InstallationError("Nothing was deleted.")


SENTENCE = "Please send the report to Anna on Monday."
"""What ``speech/report.flac`` says."""


def add_demo_parser(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    parser = commands.add_parser(
        "demo",
        help="transcribe the speech that ships with the program",
        description="Transcribe three short recordings with the demo model: no microphone, no download.",
    )
    parser.set_defaults(command=run_demo)


def check_sentence(folder: Path) -> None:
    """If ``folder`` is a package of the demo model, have it write what is known to be said.

    Raises:
        EngineError: It writes something else, or cannot be run.
    """
    from handy_qwen.audio.files import load
    from handy_qwen.engine.qwen3.manifest import MANIFEST_FILE, load_manifest
    from handy_qwen.models.installed import demo_model, load_recognizer

    is_package = (folder / MANIFEST_FILE).is_file()
    if not is_package or load_manifest(folder).source != load_manifest(demo_model().folder).source:
        return
    recognizer = load_recognizer(str(folder.resolve()))
    try:
        heard = recognizer.transcribe(load(paths.asset("speech/report.flac")), exact=True).text
    finally:
        recognizer.close()
    if heard != SENTENCE:
        raise EngineError("The demo model hears other words than are said.", "Install or convert it again.")


def run_demo(_options: argparse.Namespace) -> int:
    """Transcribe the recordings that ship with the program, with the demo model."""
    from handy_qwen.audio.files import load
    from handy_qwen.cli.transcribe import opened
    from handy_qwen.core.models import DEMO
    from handy_qwen.engine.api import Cancel

    cancel = Cancel()
    with opened(DEMO, None) as recognizer:
        for path in sorted(paths.asset("speech").glob("*.flac")):
            samples = load(path)
            transcribe = partial(recognizer.transcribe, samples, exact=True, cancel=cancel)
            transcript = interruptible(transcribe, cancel)
            seconds = transcript.timings.total_s
            write(f"{path.name:14} {transcript.duration_s:4.1f} s in {seconds:.2f} s   {transcript.text}\n")
    return 0
