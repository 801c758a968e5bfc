"""Installs a model of the catalogue: room? -> download -> checksums -> convert -> let it run -> in place.

    from handy_qwen.models.catalogue import read_catalogue
    from handy_qwen.models.installing import install

    install(read_catalogue().find("qwen3-asr-0.6b"), tell)

Threads: everything here is slow and runs on one thread of the caller's, never Qt's; ``tell`` is called there,
at most ten times a second, also while the network is silent. Raising CancelledError from ``tell`` is how to
pause: what has been fetched stays and is gone on with next time, in this process or another, also after a
kill. (While a model is being tried out, a second or two, nothing is told.)

Two processes do not collide: the second waits (Stage.WAITING) and finds the model installed. A model in use
can be installed again: it is replaced by renaming, and whoever has it open keeps what he has.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from handy_qwen import paths
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS
from handy_qwen.convert.source import SUFFIXES, check_is_source, model_type, opened_source, repository_name
from handy_qwen.core.models import DEMO, InstallStage
from handy_qwen.engine import load_model
from handy_qwen.engine.qwen3.manifest import MANIFEST_FILE, is_package, load_manifest, sha256_of
from handy_qwen.engine.qwen3.published import is_published_layout
from handy_qwen.errors import EngineError, InstallationError, ModelCorruptError
from handy_qwen.models.catalogue import CatalogueModel, Layout
from handy_qwen.models.download import link_or_copy
from handy_qwen.models.fetching import RetryPolicy, disk_error, write_all, writing
from handy_qwen.models.installed import (
    ORIGIN_FILE,
    VOICE_MODEL,
    InstalledModel,
    Origin,
    check_files,
    demo_model,
    find_model,
)
from handy_qwen.models.meter import Meter, OnProgress
from handy_qwen.models.storage import ModelPaths, check_disk, check_memory, locked


def install(
    model: CatalogueModel,
    tell: OnProgress,
    *,
    preset: str = "",
    keep_source: Path | None = None,
    patience: RetryPolicy | None = None,
) -> InstalledModel:
    """Install ``model``, going on with what is here of it. One that is here and whole is left as it is.

    Args:
        model: What to install.
        tell: Told how far it is, on this thread; may raise CancelledError.
        preset: How precisely to keep a checkpoint; "" for the usual way. A published model has none.
        keep_source: Where to move what was fetched; without it, it is deleted once the model stands.
        patience: With the network.

    Raises:
        CancelledError: ``tell`` did; what has been fetched is kept.
        DownloadError: It could not be fetched; what has come is kept, unless it is wrong.
        InstallationError: There is no room for it, or a folder cannot be written.
        ConversionError, EngineError: What was fetched is not a model, or does not run.
    """
    if model.layout is Layout.SHIPPED:
        return demo_model()
    from handy_qwen.models.download import Download  # the hub's library takes a while to import

    meter, places = Meter(tell), ModelPaths(model.name)
    check_memory(model.memory_bytes)
    places.make()
    meter.enter(InstallStage.WAITING)
    with locked(places.lock, meter.keep_alive):
        if is_whole(places.final):
            shutil.rmtree(places.work, ignore_errors=True)
            return InstalledModel(model.name, places.final)
        places.begin()
        listing, files = Download(model, places, meter, patience or RetryPolicy()).run()
        fetched = {file.name: file.sha256 or file.git_sha1 for file in files}
        origin = Origin(model.repository, model.revision, listing.commit, fetched, {})
        recipe = Recipe(origin, preset, model.licence, may_link=keep_source is None)  # he may change it
        made = make(places.source, places, recipe, meter)
        places.finish(keep_source)
    return made


def is_whole(folder: Path) -> bool:
    """Whether a model stands in ``folder`` whose files are all as they were written.

    Raises:
        InstallationError: Something else stands there.
    """
    from handy_qwen.engine.qwen3.manifest import is_package
    from handy_qwen.engine.qwen3.published import is_published_layout

    if not folder.exists():
        return False
    if not is_package(folder) and not is_published_layout(folder):
        raise InstallationError(f"{folder} exists and is no model.", "Move it elsewhere or remove it.")
    try:
        check_files(folder)
    except (EngineError, OSError):  # to be installed again
        return False
    return True


def partial_bytes(name: str) -> int:
    """How much of the unfinished download of ``name`` is here. Any thread."""
    return ModelPaths(name).partial_bytes()


def discard_download(name: str) -> None:
    """Delete what is here of the unfinished ``name``.

    Raises:
        InstallationError: It could not be deleted, or is being worked on by another process.
    """
    places = ModelPaths(name)
    if not places.work.exists():
        return
    with locked(places.lock, lambda: _refuse(name)):
        try:
            shutil.rmtree(places.work)
        except OSError as exc:
            raise disk_error(places.work, exc) from exc


def check_removable(name: str) -> None:
    """Refuse what ``remove`` would refuse, before anybody is asked.

    Raises:
        EngineError: There is no such model.
        InstallationError: It ships with the program, or is a folder that was not installed.
    """
    model = find_model(name)
    if model.folder == demo_model().folder:
        raise InstallationError(
            f"{model.name} is part of Handy Qwen and cannot be removed.", "It takes no more space."
        )
    if model.folder != ModelPaths(model.name).final:
        raise InstallationError(
            f"{model.folder} is not among the installed models.", "Delete the folder yourself if you want to."
        )


def remove(name: str) -> None:
    """Delete the installed ``name``, and what is here of an unfinished one. Whoever has it open keeps it.

    Raises:
        EngineError: There is no such model.
        InstallationError: It ships with the program, could not be deleted, or another process works on it.
    """
    check_removable(name)
    places = ModelPaths(name)
    places.make()
    with locked(places.lock, lambda: _refuse(name)):
        try:
            places.begin()
            places.final.rename(places.package)  # out of sight first: what is half gone is no model
            shutil.rmtree(places.work)
        except OSError as exc:
            raise InstallationError(
                f"{places.final} could not be deleted: {exc.strerror}.", "Look at its permissions."
            ) from exc


def _refuse(name: str) -> None:
    raise InstallationError(f"{name} is being installed by another process.", "Stop that first.")


_PICKLES = {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".msgpack", ".h5"}
_PUBLISHED = {".onnx", ".data", ".json", ".txt", ".md"}
_EMBEDDING = "embed_tokens.bin"  # of a published model: plain numbers
_MODEL = "qwen3_asr"
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make it, and what to write down of it.

    ``preset`` "" converts a checkpoint with the usual one; a published model is taken as it is and has none.
    """

    origin: Origin
    preset: str = ""
    licence: str = ""
    may_link: bool = True  # nobody else will ever write into the source's files


def make(source: Path, places: ModelPaths, recipe: Recipe, meter: Meter) -> InstalledModel:
    """Make the model of ``source``, whatever layout it has, and put it in place.

    Raises:
        ModelMissingError, ModelCorruptError, EngineError: ``source`` is no model, or it does not run.
        ConversionError, InstallationError: It cannot be converted, or written.
        CancelledError: The meter's listener gives up.
    """
    if is_package(source):
        if recipe.preset:
            raise InstallationError(
                f"{recipe.origin.source} is a package, which cannot be converted again.",
                "Import it without --preset, or the checkpoint that it was made of.",
            )
        _take(source, places.package, sorted({*load_manifest(source).files, MANIFEST_FILE}), recipe, meter)
    elif is_published_layout(source) and not recipe.preset:
        names = [path.name for path in sorted(source.iterdir()) if _belongs(path)]
        _take(source, places.package, names, recipe, meter)
    elif is_published_layout(source) or any(source.glob("*.safetensors")):
        _convert(source, places, recipe, meter)
    else:
        raise _refusal(source, recipe.origin.source)
    try:
        _sign(places.package, recipe.origin)
    except OSError as exc:
        raise disk_error(places.package, exc) from exc
    meter.enter(InstallStage.TESTING)
    check_files(places.package)
    self_test(places.package)
    places.put_in_place()
    return InstalledModel(places.name, places.final)


def self_test(folder: Path, threads: int | None = None) -> None:
    """Load the model in ``folder`` and let it run.

    Raises:
        EngineError: It does not.
    """
    recognizer = load_model(folder, voice_model=paths.asset(VOICE_MODEL), threads=threads)
    try:
        recognizer.self_test()
    finally:
        recognizer.close()


def _convert(source: Path, places: ModelPaths, recipe: Recipe, meter: Meter) -> None:
    meter.enter(InstallStage.CONVERTING)
    details = Details(places.name, licence=recipe.licence)
    convert(
        source,
        places.package,
        PRESETS[recipe.preset or DEFAULT_PRESET],
        details,
        progress=lambda _what, part: meter.share(part),
    )


def _take(source: Path, package: Path, names: list[str], recipe: Recipe, meter: Meter) -> None:
    total = sum((source / name).stat().st_size for name in names)
    if not recipe.may_link:
        check_disk(package.parent, total)
    meter.enter(InstallStage.CHECKING, total)
    try:
        package.mkdir(parents=True)
        for name in names:
            if recipe.may_link:
                link_or_copy(source / name, package / name)
                meter.add((package / name).stat().st_size)
            else:
                _copy(source / name, package / name, meter)
    except OSError as exc:
        raise disk_error(package, exc) from exc


def _copy(source: Path, target: Path, meter: Meter) -> None:
    with source.open("rb") as file, writing(target, "xb") as out:
        while piece := file.read(_PIECE_BYTES):
            write_all(out, piece)
            meter.add(len(piece))


def _sign(package: Path, origin: Origin) -> None:
    """Write down where it comes from, and of a published model its checksums."""
    files = {} if is_package(package) else {path.name: sha256_of(path) for path in sorted(package.iterdir())}
    files.pop(ORIGIN_FILE, None)
    Origin(origin.source, origin.revision, origin.commit, origin.fetched, files).save(package)


def _belongs(path: Path) -> bool:
    is_named_so = path.suffix in _PUBLISHED or path.name == _EMBEDDING
    return path.is_file() and is_named_so and not path.name.startswith(".") and path.name != ORIGIN_FILE


def _refusal(source: Path, called: str) -> InstallationError | ModelCorruptError:
    pickled = sorted(path.name for path in source.iterdir() if path.suffix in _PICKLES)
    if pickled:
        return InstallationError(
            f"{called} has its weights in {pickled[0]}, a pickle, which can run any program when it is "
            "opened; it is never read.",
            "Get the model with safetensors.",
        )
    if model_type(source / "config.json").startswith(_MODEL):
        return InstallationError(
            f"{called} is incomplete: its weights, model.safetensors, are not there.",
            "Download it again, or let it be downloaded: handy-qwen model install NAME.",
        )
    return InstallationError(
        f"{called} is no model that this program knows.",
        "Give an official checkpoint (config.json, safetensors, tokenizer), a published ONNX model "
        "(decoder_init.onnx, ...), or a package of ours (manifest.json).",
    )


_MOST_NAME = 64


def import_model(
    source: Path,
    tell: OnProgress,
    *,
    name: str = "",
    preset: str = "",
) -> InstalledModel:
    """Install the model in ``source``, a folder or an archive, which is left as it is.

    Args:
        source: The folder or archive.
        tell: Told how far it is, on this thread; may raise CancelledError.
        name: What to call it; without it, as ``source`` is called.
        preset: How precisely to keep a checkpoint; "" for the usual way. A published model has none.

    Raises:
        CancelledError: ``tell`` did; nothing is left behind.
        InstallationError, ConversionError, EngineError: It is no model, does not run, or cannot be written;
            nothing is left behind.
    """
    check_is_source(source)
    places = ModelPaths(name or name_for(source))
    if places.name == DEMO or not _is_name(places.name):
        raise InstallationError(f"A model cannot be called {places.name!r}.", "Choose another with --name.")
    meter = Meter(tell)
    places.make()
    meter.enter(InstallStage.WAITING)
    with locked(places.lock, meter.keep_alive):
        if is_whole(places.final):
            raise InstallationError(
                f"There is a model {places.name} already.",
                "Remove it first, or choose another name with --name.",
            )
        places.begin()
        try:
            return _import(source, places, preset, meter)
        finally:
            _tidy(places)


def name_for(source: Path) -> str:
    """What to call the model in ``source``."""
    name = repository_name(source).lower()
    for ending in SUFFIXES:
        name = name.removesuffix(ending)
    return re.sub(r"[^a-z0-9._-]+", "-", name).strip("-._")[:_MOST_NAME] or "imported"


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*", name) is not None and len(name) <= _MOST_NAME


def _import(source: Path, places: ModelPaths, preset: str, meter: Meter) -> InstalledModel:
    origin = Origin(source.name, "", "", {}, {})
    if not source.is_dir():
        meter.enter(InstallStage.UNPACKING)
    with opened_source(source, places.package, meter.share) as folder:
        may_link = not source.is_dir()  # what the user keeps, he may change
        recipe = Recipe(origin, preset, may_link=may_link)
        return make(folder, places, recipe, meter)


def _tidy(places: ModelPaths) -> None:
    """Delete what is left over, but not a download of the same name that waits to be gone on with."""
    if places.partial_bytes():
        shutil.rmtree(places.package, ignore_errors=True)
    else:
        shutil.rmtree(places.work, ignore_errors=True)
