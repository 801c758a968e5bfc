"""The models on this machine: listing, loading and removing them, and their origin.

A model is a folder in ``paths.models_dir()``, which gives its name. The demo model ships with the program and
is always there; it is used only if no other is installed, or on request.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from handy_qwen import paths
from handy_qwen.convert.presets import DEFAULT_PRESET
from handy_qwen.core.models import DEMO, ModelEntry, ModelStatus
from handy_qwen.engine import load_model
from handy_qwen.engine.api import FittedWords, Model
from handy_qwen.engine.json_files import read_object, write_object
from handy_qwen.engine.qwen3.manifest import (
    MANIFEST_FILE,
    Fidelity,
    Manifest,
    find_damage,
    is_package,
    load_manifest,
    sha256_of,
)
from handy_qwen.engine.qwen3.prompt import fit_words
from handy_qwen.engine.qwen3.published import is_published_layout
from handy_qwen.engine.qwen3.tokenizer import load_tokenizer
from handy_qwen.errors import EngineError, HandyError, InstallationError, ModelCorruptError, ModelMissingError
from handy_qwen.languages import ALL_LANGUAGES
from handy_qwen.message import Message, Number, verbatim
from handy_qwen.models.catalogue import Catalogue, CatalogueModel, Layout, read_catalogue
from handy_qwen.models.machine import clip_s_of, placement_of, threads_for
from handy_qwen.models.storage import ModelPaths, disk_errors, unfinished_downloads

VOICE_MODEL = "vad/silero_vad_16k_op15.onnx"
"""The voice detector, among the assets."""
ORIGIN_FILE = "origin.json"
"""The origin of an installed model. A published model has no manifest: its checksums are here, too."""
WORKING_BYTES = 300_000_000
"""Memory for the program itself and a long take."""
_SHARE = 1.25  # memory in use relative to the size of a package: its weights, and copies in other layouts
_EXACT = "exact"
UNMEASURED = Message("How close it comes to full precision was not measured.")


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model folder."""

    name: str
    folder: Path

    @property
    def size_bytes(self) -> int:
        """The total size of its files."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


def installed_models() -> list[InstalledModel]:
    """All models, by name; the demo model last. EngineError: the folder of models cannot be read."""
    folder = paths.models_dir()
    try:
        found = sorted(path for path in folder.iterdir() if _is_model(path))
    except FileNotFoundError:
        found = []
    except OSError as exc:
        raise EngineError(
            Message(
                "The folder of models, {folder}, cannot be read: {reason}.",
                folder=folder,
                reason=exc.strerror,
            ),
            Message("Check its permissions."),
        ) from exc
    return [*(InstalledModel(path.name, path) for path in found), demo_model()]


def demo_model() -> InstalledModel:
    """The model that ships with the program."""
    return InstalledModel(DEMO, paths.asset("demo-model"))


def find_model(asked: str) -> InstalledModel:
    """The model called ``asked``, or the one in the folder ``asked``; the first installed if it is empty.

    EngineError: there is none; the hint lists the available ones.
    """
    models = installed_models()
    if not asked:
        return models[0]
    for model in models:
        if model.name == asked:
            return model
    folder = Path(os.path.expanduser(asked))  # noqa: PTH111  Path's own raises for a user it does not know
    if folder.is_dir():
        return InstalledModel(folder.resolve().name, folder)
    names = ", ".join(model.name for model in models)
    raise EngineError(
        Message("There is no model {asked}.", asked=repr(asked)),
        Message("Give an installed model ({names}) or a model folder.", names=names),
    )


def load_recognizer(asked: str = "", threads: int | None = None, *, use_devices: bool = False) -> Model:
    """Load the model that ``find_model`` finds, with the shipped voice detector.

    It is named after its folder, even if that was renamed. Without ``threads``, the measured number is used;
    with ``use_devices``, the parts measured to be faster on a graphics card or the like run there.
    EngineError, ModelMissingError, ModelCorruptError.
    """
    voice_model = paths.asset(VOICE_MODEL)
    found = find_model(asked)
    threads = threads or threads_for(found.folder)
    placement = placement_of(found.folder) if use_devices else None
    return load_model(
        found.folder, voice_model=voice_model, threads=threads, name=found.name, placement=placement
    )


def fit_custom_words(asked: str, words: Sequence[str]) -> FittedWords:
    """Which of ``words`` the model ``asked`` reads, by its tokenizer alone; EngineError as ``find_model``."""
    return fit_words(load_tokenizer(find_model(asked).folder), words)


def _is_model(folder: Path) -> bool:
    is_hidden = folder.name.startswith(".")  # under construction
    try:
        return not is_hidden and ((folder / MANIFEST_FILE).is_file() or is_published_layout(folder))
    except PermissionError:  # another user's
        return False


@dataclass(frozen=True, slots=True)
class Origin:
    """Repository and commit, or the name of an archive or folder; SHA-256 of the ``files``."""

    source: str
    revision: str
    commit: str
    fetched: dict[str, str]  # file as downloaded -> SHA-256, or SHA-1 of the git blob
    files: dict[str, str]

    def save(self, folder: Path) -> None:
        """Write it into ``folder``. OSError: it cannot be written."""
        write_object(folder / ORIGIN_FILE, asdict(self))


def load_origin(folder: Path) -> Origin | None:
    """The origin of the model in ``folder``; None if unknown."""
    try:
        origin = Origin(**read_object(folder / ORIGIN_FILE))
    except (OSError, ValueError, TypeError):
        return None
    texts = (origin.source, origin.revision, origin.commit)
    tables = (origin.fetched, origin.files)
    good = all(isinstance(text, str) for text in texts) and all(isinstance(table, dict) for table in tables)
    return origin if good else None


def check_files(folder: Path) -> bool:
    """Verify the recorded checksum of each file; False if there are none.

    ModelMissingError: a file is missing. ModelCorruptError: one has changed.
    """
    if (folder / MANIFEST_FILE).is_file():
        find_damage(folder, load_manifest(folder))
        return True
    origin = load_origin(folder)
    if origin is None or not origin.files:
        return False
    for name, sha256 in origin.files.items():
        path = folder / Path(name).name
        if not path.is_file():
            raise ModelMissingError(path)
        if sha256_of(path) != sha256:
            raise ModelCorruptError(path, Message("its contents have changed"))
    return True


def model_entries(catalogue: Catalogue | None = None) -> tuple[ModelEntry, ...]:
    """All models, installed or not: the catalogue's in its order, then other installed ones.

    Any thread; reads the disk. What only the running program knows is missing: the model in use, and work in
    progress. EngineError or InstallationError if models or catalogue cannot be read.
    """
    catalogue = catalogue or read_catalogue()
    installed = {model.name: model for model in installed_models()}
    models = (*catalogue.models, *_named(catalogue, installed.values()))
    known = [_known(model, installed.pop(model.name, None)) for model in models]
    return (*known, *(_unknown(model) for model in installed.values()))


def _named(catalogue: Catalogue, installed: Iterable[InstalledModel]) -> Iterator[CatalogueModel]:
    """Models downloaded, or partly, by the name of a repository that is in no catalogue."""
    origins = {model.name: load_origin(model.folder) for model in installed}
    repositories = {name: origin.source for name, origin in origins.items() if origin and origin.commit}
    listed = {model.name for model in catalogue.models}
    for name, repository in (unfinished_downloads() | repositories).items():
        if name not in listed:
            with suppress(InstallationError):  # it was a user's entry that is gone
                model = catalogue.find(repository)
                if model.name == name:
                    yield model


def find_installable(name: str) -> CatalogueModel:
    """The entry ``name``, or a repository once requested by that name; InstallationError if neither."""
    catalogue = read_catalogue()
    named = _named(catalogue, installed_models())
    return next((model for model in named if model.name == name), None) or catalogue.find(name)


def _known(model: CatalogueModel, here: InstalledModel | None) -> ModelEntry:
    partial = 0 if here else ModelPaths(model.name).partial_bytes()
    status = ModelStatus.INSTALLED if here else ModelStatus.PAUSED if partial else ModelStatus.AVAILABLE
    return ModelEntry(
        model.name,
        model.title,
        summary=model.good_for,
        languages=model.languages,
        licence=model.licence,
        source=model.repository,
        download_bytes=model.download_bytes,
        disk_bytes=here.size_bytes if here else model.disk_bytes,
        room_bytes=model.room_bytes,
        memory_bytes=memory_of(here.folder, here.size_bytes, model) if here else model.memory_bytes,
        forms=model.forms,
        status=status,
        is_recommended=model.is_recommended,
        is_permanent=model.layout is Layout.SHIPPED,
        is_other=model.layout is Layout.PUBLISHED,
        fidelity=fidelity_of(here.folder) if here else (),
        preset=preset_of(here.folder) if here and model.forms else "",
        clip_s=clip_s_of(here.folder) if here else None,
        partial_bytes=partial,
    )


def _unknown(model: InstalledModel) -> ModelEntry:
    languages, licence = ALL_LANGUAGES, ""
    if is_package(model.folder):
        try:
            manifest = load_manifest(model.folder)
        except HandyError:  # loading it will report the problem
            languages = ()
        else:
            languages, licence = manifest.config.languages, manifest.licence
    origin = load_origin(model.folder)
    return ModelEntry(
        model.name,
        model.name,
        languages=languages,
        licence=licence,
        source=origin.source if origin else "",
        disk_bytes=model.size_bytes,
        memory_bytes=memory_of(model.folder, model.size_bytes),
        fidelity=fidelity_of(model.folder),
        clip_s=clip_s_of(model.folder),
        status=ModelStatus.INSTALLED,
        is_imported=True,
        is_permanent=model.name == DEMO,
    )


def needed_memory(model: InstalledModel) -> int:
    """The approximate memory ``model`` needs, in bytes; InstallationError for a damaged catalogue."""
    catalogue = read_catalogue()
    models = (*catalogue.models, *_named(catalogue, [model]))
    known = next((one for one in models if one.name == model.name), None)
    return memory_of(model.folder, model.size_bytes, known)


def discard_download(name: str) -> None:
    """Delete the partial download of ``name``.

    InstallationError: that failed, or another process is working on it.
    """
    places = ModelPaths(name)
    if places.work.exists():
        with places.locked(lambda: _refuse(name)), disk_errors(places.work):
            shutil.rmtree(places.work)


def check_removable(name: str) -> None:
    """Raise the errors of ``remove``: EngineError: no such model, InstallationError: not installed."""
    model = find_model(name)
    if model.folder == demo_model().folder:
        raise InstallationError(
            Message("{name} is part of Handy Qwen and cannot be removed.", name=model.name)
        )
    if model.folder != ModelPaths(model.name).final:
        raise InstallationError(
            Message("{folder} is not among the installed models.", folder=model.folder),
            Message("Delete the folder yourself if you don't need it."),
        )


def remove(name: str) -> None:
    """Delete ``name`` and its partial download; processes that have it open keep it.

    EngineError: there is no such model. InstallationError: it ships with the program, could not be deleted,
    or another process is working on it.
    """
    check_removable(name)
    places = ModelPaths(name)
    with places.locked(lambda: _refuse(name)):
        places.remove()


def _refuse(name: str) -> None:
    raise InstallationError(
        Message("{name} is being installed by another process.", name=name),
        Message("Stop that installation first."),
    )


def memory_of(folder: Path, size_bytes: int, model: CatalogueModel | None = None) -> int:
    """The approximate memory the model in ``folder`` needs, in bytes.

    ``size_bytes`` is the total size of its files, ``model`` its entry in the catalogue, which knows more.
    """
    known = 0
    if model is not None:
        manifest = _manifest(folder)
        is_ours = model.layout is Layout.CHECKPOINT
        known = model.memory_of(manifest.preset if manifest and is_ours else DEFAULT_PRESET)
    return known or round(size_bytes * _SHARE) + WORKING_BYTES


def fidelity_of(folder: Path) -> tuple[Message, ...]:
    """How close the model in ``folder`` comes to full precision, in sentences."""
    manifest = _manifest(folder)
    if manifest is None:
        return (UNMEASURED,)
    if manifest.fidelity is None:
        return (Message("It is kept in full precision."),) if manifest.preset == _EXACT else (UNMEASURED,)
    return fidelity_words(manifest.fidelity)


def preset_of(folder: Path) -> str:
    """The preset of the package in ``folder``; "" if it is unreadable or missing."""
    manifest = _manifest(folder)
    return manifest.preset if manifest else ""


def fidelity_words(fidelity: Fidelity) -> tuple[Message, ...]:
    """The measurements in a sentence, and the notes that came with them."""
    if not fidelity.clips:
        return tuple(map(verbatim, fidelity.notes)) or (UNMEASURED,)
    same = Message(
        "The same words as full precision on {same} of {all} check sentences; the scores behind the "
        "words differ by {percent} on average.",
        same=fidelity.clips_same,
        all=fidelity.clips,
        percent=_percent(fidelity.logits),
    )
    return (same, *map(verbatim, fidelity.notes))


def _percent(share: float) -> Message:
    """At most one decimal; below 0.1, two significant digits."""
    percent = 100 * share
    digits = f"{percent:.1f}" if percent >= 0.1 else f"{percent:.2g}"
    return Message("{number}%", number=Number(digits))


def _manifest(folder: Path) -> Manifest | None:
    """The manifest of an intact package; None otherwise: loading it reports the problem."""
    try:
        return load_manifest(folder) if is_package(folder) else None
    except HandyError:
        return None
