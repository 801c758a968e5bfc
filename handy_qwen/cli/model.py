"""``handy-qwen model`` and ``demo``: list, install, choose, check, convert and remove models; try one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen import paths
from handy_qwen.cli.options import (
    Subparsers,
    add_command,
    add_group,
    asked_or_used,
    read_settings,
    used_folder,
)
from handy_qwen.cli.terminal import (
    InstallProgress,
    ProgressLine,
    UsageError,
    agrees,
    complain,
    interruptible,
    say,
    stoppable,
    width,
    wrapped,
    write,
    write_json,
)
from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS
from handy_qwen.errors import ConversionError, EngineError, InstallationError, ModelMissingError
from handy_qwen.message import Message
from handy_qwen.shell import quoted

if TYPE_CHECKING:
    from handy_qwen.core.models import ModelEntry, Progress
    from handy_qwen.models.catalogue import CatalogueModel
    from handy_qwen.models.installed import InstalledModel

_SMALLEST = "smallest"
SENTENCE = "Please send the report to Anna on Monday."
"""The words of a recording that ships with the program."""
_INSTALLING = """
Download a model, compare its checksums, convert it if need be, and try it out. An interrupted download goes
on where it stopped. NAME may also be a repository with a checkpoint of Qwen3-ASR, such as
Qwen/Qwen3-ASR-0.6B-hf. HF_ENDPOINT names another hub or a mirror, HF_HOME the shared cache, HF_HUB_OFFLINE=1
forbids the network; a token is sent only if HF_TOKEN is set.
"""
_EXAMPLES = (
    "handy-qwen model list",
    "handy-qwen model install qwen3-asr-0.6b",
    "handy-qwen model use qwen3-asr-0.6b",
)
_DEMO = "Transcribe three short recordings with the demo model: no microphone, no download."


def add_parsers(commands: Subparsers) -> None:
    """Add the commands to the program's parser."""
    add_command(commands, "demo", _run_demo, "transcribe three sample recordings, to try it out", _DEMO)
    verbs = add_group(commands, "model", "list, install, choose, check and remove models", _EXAMPLES)[1]
    meaning = "list the models you have and can install"
    add_command(verbs, "list", _run_list, meaning, has_json=True)
    meaning = "download and set up a model"
    install = add_command(verbs, "install", _run_install, meaning, _INSTALLING, has_json=True)
    install.add_argument("model", metavar="NAME", help="as shown by: handy-qwen model list")
    install.add_argument("--revision", help="a branch, tag or commit of its repository")
    meaning = "keep the downloaded files there (default: delete them)"
    install.add_argument("--keep-source", type=Path, metavar="DIR", help=meaning)
    meaning = "install a model from a folder or an archive"
    importing = add_command(verbs, "import", _run_import, meaning, has_json=True)
    importing.add_argument(
        "source", type=Path, metavar="SRC", help="official checkpoint, published ONNX model, or package"
    )
    importing.add_argument(
        "--name", default="", help="its name here (default: the name of the folder or archive)"
    )
    for parser in (install, importing):
        meaning = f"see: convert (default: {DEFAULT_PRESET}; not for published ONNX models)"
        parser.add_argument("--preset", choices=tuple(PRESETS), default="", help=meaning)
    meaning = "switch to this model, also in the running app"
    add_command(verbs, "use", _run_use, meaning, has_json=True).add_argument("model", metavar="NAME|DIR")
    meaning = "delete a model or an unfinished download"
    remove = add_command(verbs, "remove", _run_remove, meaning, has_json=True)
    remove.add_argument("model", metavar="NAME")
    remove.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    path = add_command(
        verbs, "path", _run_path, "print the folder of a model, or of all models", has_json=True
    )
    info = add_command(verbs, "info", _run_info, "show details of a model")
    _add_convert(verbs)
    check = add_command(verbs, "check", _run_check, "check that a model is complete and works", has_json=True)
    for parser, form in ((path, "NAME"), (info, "NAME|DIR"), (check, "NAME|DIR")):
        parser.add_argument("model", nargs="?", default="", metavar=form)


def _add_convert(verbs: Subparsers) -> None:
    meaning = "convert an official checkpoint into a package"
    parser = add_command(verbs, "convert", _run_convert, meaning, has_json=True)
    parser.add_argument(
        "source", type=Path, metavar="SRC", help="folder of a checkpoint, or a .tar.gz or .zip of it"
    )
    parser.add_argument("destination", type=Path, metavar="DST", help="folder to create for the package")
    summaries = "; ".join(f"{preset.name}: {preset.summary}" for preset in PRESETS.values())
    meaning = f"how precisely to keep it. {summaries}"
    parser.add_argument("--preset", choices=tuple(PRESETS), default=DEFAULT_PRESET, help=meaning)
    parser.add_argument("--replace", action="store_true", help="replace the package at DST")
    meaning = "compare each part with float32 on real speech; needs room for the model in float32"
    parser.add_argument("--report", action="store_true", help=meaning)
    meaning = "with --report: word error rate of each preset on these"
    parser.add_argument("--recordings", type=Path, metavar="DIR", help=meaning)


# --- looking -----------------------------------------------------------------------------------------


def _run_list(options: argparse.Namespace) -> int:
    from handy_qwen.models.catalogue import read_catalogue
    from handy_qwen.models.installed import installed_models, model_entries

    catalogue = read_catalogue()
    if catalogue.problem:
        complain(catalogue.problem)
    folders = {model.name: model.folder for model in installed_models()}
    used = used_folder()
    entries = sorted(model_entries(catalogue), key=lambda entry: entry.name not in folders)
    if options.json:
        write_json([_row(entry, folders, used) for entry in entries])
        return 0
    sizes = f"{'DOWNLOAD':>9} {'ON DISK':>9} {'MEMORY':>9}"
    write(_listed(f"{'NAME':22} {'STATE':12} {sizes}", "FOLDER OR USE"))
    for entry in entries:
        download = "" if entry.is_permanent else _size(entry.download_bytes)
        sizes = f"{download:>9} {_size(entry.disk_bytes):>9} {_size(entry.memory_bytes):>9}"
        folder = folders.get(entry.name)
        status = _status(entry, is_used=folder is not None and folder.resolve() == used)
        write(_listed(f"{entry.name:22} {status:12} {sizes}", str(folder or entry.summary or entry.source)))
        for form in () if folder else entry.forms[1:]:
            name, sizes = (
                f"  --preset {form.preset}",
                f"{_size(form.disk_bytes):>9} {_size(form.memory_bytes):>9}",
            )
            write(_listed(f"{name:45} {sizes}", form.cost))
    return 0


def _listed(facts: str, words: str) -> str:
    """A line of the list; on a narrow terminal the words go below."""
    line = f"{facts}   {words}"
    if not sys.stdout.isatty() or len(line) <= width():
        return f"{line}\n"
    return "\n".join([facts, *wrapped(words, " " * 6)]) + "\n"


def _row(entry: ModelEntry, folders: dict[str, Path], used: Path | None) -> dict[str, object]:
    folder = folders.get(entry.name)
    return {
        "name": entry.name,
        "title": entry.title,
        "status": entry.status.name.lower(),
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
        "forms": [asdict(form) for form in entry.forms],
        "fidelity": list(entry.fidelity),
    }


def _status(entry: ModelEntry, *, is_used: bool) -> str:
    if is_used:
        return "in use"
    if entry.partial_bytes and entry.download_bytes:
        return f"{min(entry.partial_bytes / entry.download_bytes, 1):.0%} loaded"
    return "installed" if entry.status.name == "INSTALLED" else ""


def _size(size_bytes: int) -> str:
    from handy_qwen.models.storage import size_text

    return size_text(size_bytes) if size_bytes else "?"


def _run_info(options: argparse.Namespace) -> int:
    from handy_qwen.engine.qwen3.manifest import MANIFEST_FILE, load_manifest
    from handy_qwen.engine.qwen3.published import is_published_layout
    from handy_qwen.models.installed import fidelity_of, find_model, load_origin, needed_memory
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
    facts += [("precision", " ".join(fidelity_of(model.folder)))]
    facts += [("size", size_text(model.size_bytes)), ("memory", size_text(needed_memory(model)))]
    if origin := load_origin(model.folder):
        facts += [
            ("from", " ".join(filter(None, (origin.source, origin.revision)))),
            ("commit", origin.commit),
        ]
    write("".join(f"{key + ':':20} {value}\n" for key, value in facts if value))
    return 0


def _run_check(options: argparse.Namespace) -> int:
    """Verify all known checksums, load the model, and run it."""
    from handy_qwen.models.installed import check_files, fidelity_of, find_model
    from handy_qwen.models.installing import self_test

    model = find_model(asked_or_used(options.model))
    has_checksums = check_files(model.folder)
    self_test(model.folder)
    check_sentence(model.folder)
    fidelity = fidelity_of(model.folder)
    if options.json:
        facts = {"name": model.name, "is_compared": has_checksums, "works": True, "fidelity": list(fidelity)}
        write(json.dumps(facts, ensure_ascii=False) + "\n")
    else:
        unknown = "working (there are no checksums to compare its files with)"
        write(f"{model.name}: {'complete and working' if has_checksums else unknown}\n")
        write("".join(f"{sentence}\n" for sentence in fidelity))
    return 0


def check_sentence(folder: Path) -> None:
    """Raise an EngineError if ``folder`` is the demo model and does not write the known sentence."""
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
        title = Message("The demo model doesn't transcribe its own sample correctly.")
        hint = Message("Install or convert it again.")
        raise EngineError(title, hint)


def _run_demo(_options: argparse.Namespace) -> int:
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


# --- changing which models there are -----------------------------------------------------------------


def _run_install(options: argparse.Namespace) -> int:
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
            Message("{name} is installed already.", name=model.name),
            Message(
                "To install it with another preset, remove it first: handy-qwen model remove {name}",
                name=model.name,
            ),
        )
    if options.keep_source and options.keep_source.exists():
        title = Message("{folder} exists already.", folder=options.keep_source)
        hint = Message("Name a folder that doesn't exist yet.")
        raise UsageError(title, hint)
    keep: Path | None = options.keep_source.absolute() if options.keep_source else None
    preset = options.preset or _fitting_preset(model)
    wanted = partial(install, model, preset=preset, keep_source=keep)
    _run(wanted, options, "What was downloaded is kept; run the same command to continue.")
    return 0


def _fitting_preset(model: CatalogueModel) -> str:
    """The preset for this machine's memory; "" is the usual one. Asks, or fails, if it costs accuracy."""
    from psutil import virtual_memory

    from handy_qwen.core.models import fitting_form, is_short
    from handy_qwen.models.storage import size_text

    machine_bytes = virtual_memory().total
    form = fitting_form(model.forms, machine_bytes)
    if not is_short(machine_bytes, model.memory_bytes) or form is None:
        return ""
    needed, available = size_text(model.memory_bytes), size_text(machine_bytes)
    problem = f"{model.title} needs {needed} of memory; this computer has {available}."
    other = f'The form "{form.preset}" needs {size_text(form.memory_bytes)}. {form.cost}'.strip()
    if not sys.stdin.isatty():
        choice = Message(
            "Choose one: --preset {preset}, or --preset {other}.", preset=form.preset, other=DEFAULT_PRESET
        )
        raise InstallationError(Message("{problem} {other}", problem=problem, other=other), choice)
    return form.preset if agrees(f"{problem} {other} Install that form?") else ""


def _run_import(options: argparse.Namespace) -> int:
    from handy_qwen.models.installing import import_model

    wanted = partial(import_model, options.source, name=options.name, preset=options.preset)
    _tell_if_short(_run(wanted, options, "Nothing was left behind."))
    return 0


def _tell_if_short(model: InstalledModel) -> None:
    """Warn if this machine has little memory for a converted model, and which form needs less."""
    from psutil import virtual_memory

    from handy_qwen.core.models import is_short
    from handy_qwen.models.installed import needed_memory, preset_of

    machine_bytes, needed_bytes = virtual_memory().total, needed_memory(model)
    if not is_short(machine_bytes, needed_bytes):
        return
    needed, available = _size(needed_bytes), _size(machine_bytes)
    say(f"handy-qwen: {model.name} needs {needed} of memory; this computer has {available}.")
    if preset_of(model.folder) not in {"", _SMALLEST}:
        say(f"Made of the checkpoint with --preset {_SMALLEST}, it needs less, and makes more mistakes.")


def _run_use(options: argparse.Namespace) -> int:
    from handy_qwen.models.catalogue import read_catalogue
    from handy_qwen.models.installed import find_model, installed_models
    from handy_qwen.settings import change

    is_known = options.model in {one.name for one in read_catalogue().models}
    is_installed = options.model in {one.name for one in installed_models()}
    if is_known and not is_installed:
        title = Message("{model} is not installed yet.", model=options.model)
        hint = Message("Install it: handy-qwen model install {model}", model=options.model)
        raise InstallationError(title, hint)
    model = find_model(options.model)
    _check_is_model(model.folder)
    named = model.name if is_installed else str(model.folder.resolve())  # valid in any folder
    change(paths.settings_file(), model=named)
    _write_done(options, model, f"{model.name} is now in use\n")
    return 0


def _check_is_model(folder: Path) -> None:
    """Reject a folder without a usable model before it is chosen."""
    from handy_qwen.engine.qwen3.manifest import MANIFEST_FILE, load_manifest
    from handy_qwen.engine.qwen3.published import is_published_layout

    if (folder / MANIFEST_FILE).is_file():
        load_manifest(folder)
    elif not is_published_layout(folder):
        title = Message("{folder} isn't an installed model.", folder=folder)
        hint = Message("Import it: handy-qwen model import FOLDER")
        raise InstallationError(title, hint)


def _run_remove(options: argparse.Namespace) -> int:
    from handy_qwen.models.installed import (
        check_removable,
        discard_download,
        find_model,
        installed_models,
        remove,
    )
    from handy_qwen.models.storage import ModelPaths, size_text

    is_installed = options.model in {model.name for model in installed_models()}
    if not is_installed and (here_bytes := ModelPaths(options.model).partial_bytes()):
        _check_agrees(options, f"Delete the unfinished download of {options.model}, {size_text(here_bytes)}?")
        discard_download(options.model)
        _write_done(options, None, f"the download of {options.model} is deleted\n")
        return 0
    model = find_model(options.model)
    check_removable(model.name)
    if read_settings().model and used_folder() == model.folder.resolve():  # by its name or its folder
        title = Message("{name} is in use.", name=model.name)
        hint = Message("Choose another one first: handy-qwen model use NAME")
        raise InstallationError(title, hint)
    _check_agrees(options, f"Delete {model.name}, {size_text(model.size_bytes)}?")
    remove(model.name)
    _write_done(options, model, f"{model.name} is deleted\n")
    return 0


def _run_path(options: argparse.Namespace) -> int:
    from handy_qwen.models.installed import find_model

    folder = find_model(options.model).folder if options.model else paths.models_dir()
    write(json.dumps({"folder": str(folder)}) + "\n" if options.json else f"{folder}\n")
    return 0


def _run(
    work: Callable[[Callable[[Progress], None]], InstalledModel],
    options: argparse.Namespace,
    interrupted: str,
) -> InstalledModel:
    progress = InstallProgress()
    try:
        with stoppable():
            model = work(progress.tell)
    except KeyboardInterrupt:
        progress.clear()
        say(f"handy-qwen: interrupted. {interrupted}")
        raise
    finally:
        progress.clear()
    _write_done(options, model, f"{model.name} is installed: {model.folder}\n")
    return model


def _write_done(options: argparse.Namespace, model: InstalledModel | None, text: str) -> None:
    facts = {"name": model.name if model else options.model, "folder": str(model.folder) if model else None}
    write(json.dumps(facts, ensure_ascii=False) + "\n" if options.json else text)


def _check_agrees(options: argparse.Namespace, question: str) -> None:
    if not (options.yes or agrees(question)):
        raise InstallationError(Message("Nothing was deleted."))


# --- converting --------------------------------------------------------------------------------------


def _run_convert(options: argparse.Namespace) -> int:
    from handy_qwen.bench.accuracy import Scorer, find_recordings
    from handy_qwen.convert.package import Details, check_destination, convert
    from handy_qwen.convert.source import opened_source
    from handy_qwen.engine.qwen3.manifest import is_package
    from handy_qwen.models.installed import InstalledModel

    if options.recordings and not options.report:
        raise UsageError(Message("--recordings only works with --report."))
    progress, place = ProgressLine(), options.destination.resolve()
    check_destination(place)
    if is_package(place):
        _check_may_go(place, is_asked=options.replace)
    if options.recordings:  # requirements of the report are checked before the work begins
        Scorer()
        find_recordings(options.recordings)
    details, preset = Details(name=place.name), PRESETS[options.preset]
    facts: dict[str, object] = {"name": details.name, "folder": str(place)}
    try:
        with stoppable():
            unpacked = opened_source(options.source, place, lambda part: progress.show("unpacking", part))
            with unpacked as source:  # once for all conversions
                convert(source, place, preset, details, progress=progress.show)
                progress.clear()
                made = InstalledModel(details.name, place)
                size = _size(made.size_bytes)
                ready = f"{place} is ready, {size}. Use it: handy-qwen model use {quoted(str(place))}"
                if options.json:
                    say(ready)
                else:
                    write(f"{ready}\n")  # even if the report fails
                _tell_if_short(made)
                if options.report:
                    report, lines = _report(source, options, progress)
                    facts |= report
                    progress.clear()
                    if not options.json:
                        write("\n".join(["", *lines]))
    finally:
        progress.clear()
    if options.json:
        write_json(facts)
    return 0


def _check_may_go(package: Path, *, is_asked: bool) -> None:
    """Replace a package only on request, and never files that are not its own."""
    from handy_qwen.engine.qwen3.manifest import other_files
    from handy_qwen.models.installed import ORIGIN_FILE

    if not is_asked:
        title = Message("{folder} is a package already.", folder=package)
        hint = Message("Name another folder, or pass --replace.")
        raise UsageError(title, hint)
    others = [name for name in other_files(package) if name != ORIGIN_FILE]
    if others:
        problem = Message(
            "{folder} also holds {others}, which would be lost.", folder=package, others=others[0]
        )
        raise ConversionError(problem, Message("Move it somewhere else first."))


def _report(
    source: Path, options: argparse.Namespace, progress: ProgressLine
) -> tuple[dict[str, object], list[str]]:
    """The cost of quantization, for programs and for people."""
    from handy_qwen.audio.files import load
    from handy_qwen.bench.accuracy import find_recordings, measure_fidelity, measure_presets
    from handy_qwen.engine import default_threads

    recordings = find_recordings(options.recordings) if options.recordings else []
    clips = [load(path) for path in sorted(paths.asset("speech").glob("*.flac"))]
    preset, threads = PRESETS[options.preset], default_threads()
    found = measure_fidelity(
        source, options.destination, preset, clips, threads=threads, progress=progress.show
    )
    lines = [f"{found.clips} clips, {found.tokens} tokens, against float32", ""]
    lines += [f"{'part':16} {'form':36} {'features':>9} {'logits':>9} {'same choice':>12}"]
    lines += [
        f"{part.part:16} {part.form:36} {part.features:9.2%} {part.logits:9.2%} {part.agreement:12.1%}"
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
