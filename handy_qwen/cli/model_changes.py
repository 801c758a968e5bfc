"""``handy-qwen model install|import|use|remove|path``: what changes which models there are."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen.cli.terminal import UsageError, agrees, say, stoppable, write
from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS
from handy_qwen.errors import InstallationError

if TYPE_CHECKING:
    from handy_qwen.cli.install_progress import InstallProgress
    from handy_qwen.cli.transcribe import Subparsers
    from handy_qwen.models.installed import InstalledModel


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
    from handy_qwen.models.importing import import_model

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
    _report(options, model, f"{model.name} writes the texts from now on\n")
    return 0


def _check_is_model(folder: Path) -> None:
    """Complain of what could not write texts, before it is chosen."""
    from handy_qwen.engine.manifest import MANIFEST_FILE, load_manifest
    from handy_qwen.engine.published import is_published_layout

    if (folder / MANIFEST_FILE).is_file():
        load_manifest(folder)
    elif not is_published_layout(folder):
        raise InstallationError(
            f"{folder} is no installed model.", "Import it: handy-qwen model import FOLDER"
        )


def run_remove(options: argparse.Namespace) -> int:
    """Ask, and delete."""
    from handy_qwen.cli.choice import read_settings, used_folder
    from handy_qwen.models.installed import find_model, installed_models
    from handy_qwen.models.installing import check_removable, discard, partial_bytes, remove
    from handy_qwen.models.room import size_text

    is_installed = options.model in {model.name for model in installed_models()}
    if not is_installed and (partial := partial_bytes(options.model)):
        _check_agrees(options, f"Delete the unfinished download of {options.model}, {size_text(partial)}?")
        discard(options.model)
        _report(options, None, f"the download of {options.model} is deleted\n")
        return 0
    model = find_model(options.model)
    check_removable(model.name)
    if read_settings().model and used_folder() == model.folder.resolve():  # by its name or its folder
        raise InstallationError(
            f"{model.name} is in use.", "Choose another one first: handy-qwen model use NAME"
        )
    _check_agrees(options, f"Delete {model.name}, {size_text(model.size_bytes)}?")
    remove(model.name)
    _report(options, model, f"{model.name} is deleted\n")
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
    from handy_qwen.cli.install_progress import InstallProgress

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
    _report(options, model, f"{model.name} is installed: {model.folder}\n")
    return 0


def _report(options: argparse.Namespace, model: InstalledModel | None, text: str) -> None:
    facts = {"name": model.name if model else options.model, "folder": str(model.folder) if model else None}
    write(json.dumps(facts, ensure_ascii=False) + "\n" if options.json else text)


def _check_agrees(options: argparse.Namespace, question: str) -> None:
    if not (options.yes or agrees(question)):
        raise InstallationError("Nothing was deleted.")
