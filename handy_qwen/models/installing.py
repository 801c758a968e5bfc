"""Installs models: from the catalogue, or from a folder or archive on a machine without a network.

    install(read_catalogue().find("qwen3-asr-0.6b"), tell)
    import_model(Path("checkpoint.tar.gz"), tell)

An official checkpoint is converted; a published ONNX model or our own package is linked or copied. The model
is put in place once it has run. Pickled weights are never opened.

Threads: everything here is slow and runs on one thread of the caller's, never Qt's. ``tell`` is called there,
at most ten times a second, also while the network is silent. To pause, raise CancelledError from ``tell``:
downloaded data is kept and resumed next time, in this process or another, also after a kill. (During the test
of a model, a second or two, ``tell`` is not called.)

Two processes do not collide: the second waits (InstallStage.WAITING) and finds the model installed. A model
in use is replaced by renaming, and processes that have it open keep the old one.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen import paths
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS
from handy_qwen.convert.source import (
    SUFFIXES,
    check_config,
    check_is_source,
    model_type,
    opened_source,
    repository_name,
)
from handy_qwen.core.models import DEMO, InstallStage
from handy_qwen.engine import load_model
from handy_qwen.engine.qwen3.manifest import MANIFEST_FILE, is_package, load_manifest, sha256_of
from handy_qwen.engine.qwen3.published import is_published_layout
from handy_qwen.errors import EngineError, HandyError, InstallationError
from handy_qwen.message import Message
from handy_qwen.models.catalogue import CatalogueModel, Layout
from handy_qwen.models.installed import (
    ORIGIN_FILE,
    VOICE_MODEL,
    InstalledModel,
    Origin,
    check_files,
    demo_model,
)
from handy_qwen.models.storage import (
    ModelPaths,
    check_disk,
    check_memory,
    disk_errors,
    is_reserved,
    link_or_copy,
    write_all,
)

if TYPE_CHECKING:
    from handy_qwen.models.download import Meter, OnProgress

_MOST_NAME = 64
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_PICKLES = {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".msgpack", ".h5"}
_PUBLISHED = {".onnx", ".data", ".json", ".txt", ".md"}
_EMBEDDING = "embed_tokens.bin"  # of a published model: unquantized
_MODEL = "qwen3_asr"
_PIECE_BYTES = 1 << 20


def install(
    model: CatalogueModel, tell: OnProgress, *, preset: str = "", keep_source: Path | None = None
) -> InstalledModel:
    """Install ``model``, resuming a partial download. An intact installed one is left unchanged.

    ``tell`` is called on this thread and may raise CancelledError. ``preset`` is the precision for a
    checkpoint; "" is the default. Downloaded files move to ``keep_source``; without it, they are deleted once
    the model is in place.

    DownloadError: it could not be downloaded. CancelledError: raised by ``tell``. Downloaded data is kept
    then, unless it is corrupt. InstallationError: there is no space, or a folder cannot be written.
    ConversionError, EngineError: the repository has another kind of model, or it does not run.
    """
    if model.layout is Layout.SHIPPED:
        return demo_model()
    from handy_qwen.models.download import Download, Meter  # the hub's library is slow to import

    meter, places = Meter(tell), ModelPaths(model.name)
    check_memory(model.memory_of(preset))
    meter.enter(InstallStage.WAITING)
    with places.locked(meter.keep_alive):
        if is_whole(places.final):
            shutil.rmtree(places.work, ignore_errors=True)
            return InstalledModel(model.name, places.final)
        places.begin()
        is_checkpoint = model.layout is Layout.CHECKPOINT
        look = partial(check_config, called=model.repository) if is_checkpoint else _ignore
        listing, files = Download(model, places, meter).run(look)
        fetched = {file.name: file.sha256 or file.git_sha1 for file in files}
        origin = Origin(model.repository, model.revision, listing.commit, fetched, {})
        may_link = keep_source is None  # files that the user keeps may change
        made = _make(
            places, places.source, origin, meter, preset=preset, licence=model.licence, may_link=may_link
        )
        places.finish(keep_source)
    return made


def _ignore(_path: Path) -> None:
    """Published ONNX models have a config.json of another kind."""


def import_model(source: Path, tell: OnProgress, *, name: str = "", preset: str = "") -> InstalledModel:
    """Install the model in ``source``, a folder or an archive, which is left unchanged.

    It is called ``name``, by default like ``source``. ``tell`` and ``preset`` as for ``install``.
    InstallationError, ConversionError, EngineError: it is not a model, does not run, or cannot be written.
    CancelledError: raised by ``tell``. Nothing is left behind.
    """
    from handy_qwen.models.download import Meter

    check_is_source(source)
    places = ModelPaths(name or name_for(source))
    if places.name == DEMO or not _NAME.fullmatch(places.name) or len(places.name) > _MOST_NAME:
        raise InstallationError(
            Message("A model cannot be called {name}.", name=repr(places.name)),
            Message("Choose another with --name."),
        )
    meter, origin, is_archive = Meter(tell), Origin(source.name, "", "", {}, {}), not source.is_dir()
    meter.enter(InstallStage.WAITING)
    with places.locked(meter.keep_alive):
        if is_whole(places.final):
            raise InstallationError(
                Message("There is a model {name} already.", name=places.name),
                Message("Remove it first, or choose another name with --name."),
            )
        places.begin()
        try:
            if is_archive:
                meter.enter(InstallStage.UNPACKING)
            with opened_source(source, places.package, meter.share) as folder:
                return _make(places, folder, origin, meter, preset=preset, may_link=is_archive)
        finally:  # but keep a partial download of the same name
            left = places.package if places.partial_bytes() else places.work
            shutil.rmtree(left, ignore_errors=True)


def name_for(source: Path) -> str:
    """The name for the model in ``source``."""
    name = repository_name(source).lower()
    for ending in SUFFIXES:
        name = name.removesuffix(ending)
    name = re.sub(r"[^a-z0-9._-]+", "-", name)[:_MOST_NAME].strip("-._") or "imported"
    return f"model-{name}" if is_reserved(name) else name


def is_whole(folder: Path) -> bool:
    """Whether ``folder`` has an intact model; InstallationError if it has something else."""
    if not folder.exists():
        return False
    if not is_package(folder) and not is_published_layout(folder):
        raise InstallationError(
            Message("{folder} exists and isn't a model.", folder=folder),
            Message("Move it elsewhere or remove it."),
        )
    try:
        check_files(folder)
    except (EngineError, OSError):  # to be installed again
        return False
    return True


def self_test(folder: Path) -> None:
    """Load and run the model in ``folder``. EngineError: it does not work."""
    recognizer = load_model(folder, voice_model=paths.asset(VOICE_MODEL))
    try:
        recognizer.self_test()
    finally:
        recognizer.close()


def _make(
    places: ModelPaths,
    source: Path,
    origin: Origin,
    meter: Meter,
    *,
    preset: str = "",
    licence: str = "",
    may_link: bool,
) -> InstalledModel:
    """Make a model from ``source``, whatever its layout, and put it in place.

    ``may_link``: nobody else will ever write to the files of ``source``. Raises EngineError, ConversionError,
    InstallationError or CancelledError.
    """
    if is_package(source):
        if preset:
            raise InstallationError(
                Message("{source} is a package, which cannot be converted again.", source=origin.source),
                Message("Import it without --preset, or the checkpoint that it was made of."),
            )
        _take(places.package, source, {*load_manifest(source).files, MANIFEST_FILE}, meter, may_link=may_link)
    elif is_published_layout(source) and not preset:
        _take(places.package, source, set(_published_files(source)), meter, may_link=may_link)
    elif is_published_layout(source) or any(source.glob("*.safetensors")):
        meter.enter(InstallStage.CONVERTING)
        convert(
            source,
            places.package,
            PRESETS[preset or DEFAULT_PRESET],
            Details(places.name, licence=licence),
            progress=lambda _what, part: meter.share(part),
        )
    else:
        raise _refusal(source, origin.source)
    with disk_errors(places.package):
        if not is_package(places.package):  # a package's manifest has the checksums
            files = {path.name: sha256_of(path) for path in sorted(places.package.iterdir())}
            origin = replace(origin, files=files)
        origin.save(places.package)
    meter.enter(InstallStage.TESTING)
    check_files(places.package)
    self_test(places.package)
    places.put_in_place()
    return InstalledModel(places.name, places.final)


def _take(package: Path, source: Path, names: set[str], meter: Meter, *, may_link: bool) -> None:
    total = sum((source / name).stat().st_size for name in names)
    if not may_link:
        check_disk(package.parent, total)
    meter.enter(InstallStage.CHECKING, total)
    with disk_errors(package):
        package.mkdir(parents=True)
        for name in sorted(names):
            if may_link:
                link_or_copy(source / name, package / name)
                meter.add((package / name).stat().st_size)
                continue
            with (source / name).open("rb") as file, (package / name).open("xb", buffering=0) as out:
                while piece := file.read(_PIECE_BYTES):
                    write_all(out, piece)
                    meter.add(len(piece))


def _published_files(folder: Path) -> list[str]:
    return [
        path.name
        for path in folder.iterdir()
        if path.is_file()
        and (path.suffix in _PUBLISHED or path.name == _EMBEDDING)
        and not path.name.startswith(".")
        and path.name != ORIGIN_FILE
    ]


def _refusal(source: Path, called: str) -> HandyError:
    pickled = sorted(path.name for path in source.iterdir() if path.suffix in _PICKLES)
    if pickled:
        return InstallationError(
            Message(
                "{model} has its weights in {file}, a pickle, which can run any program "
                "when it is opened; it is never read.",
                model=called,
                file=pickled[0],
            ),
            Message("Get the model with safetensors."),
        )
    if model_type(source / "config.json").startswith(_MODEL):
        return InstallationError(
            Message("{model} is incomplete: its weights, model.safetensors, are not there.", model=called),
            Message("Download it again, or let it be downloaded: handy-qwen model install NAME."),
        )
    return InstallationError(
        Message("{model} isn't a model Handy Qwen knows.", model=called),
        Message(
            "Give an official checkpoint (config.json, safetensors, tokenizer), a published ONNX model "
            "(decoder_init.onnx, ...), or a Handy Qwen package (manifest.json)."
        ),
    )
