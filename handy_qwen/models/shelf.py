"""All models, installed or not, as the windows and the command line show them."""

from __future__ import annotations

from handy_qwen.core.models import DEMO, ModelEntry, ModelStatus
from handy_qwen.engine.qwen3.manifest import is_package, load_manifest
from handy_qwen.errors import HandyError
from handy_qwen.languages import ALL_LANGUAGES
from handy_qwen.models.catalogue import Catalogue, CatalogueModel, Layout, read_catalogue
from handy_qwen.models.installed import InstalledModel, installed_models, load_origin
from handy_qwen.models.installing import partial_bytes


def shelf_entries(catalogue: Catalogue | None = None) -> tuple[ModelEntry, ...]:
    """First the catalogue's models in its order, then what else is installed. Any thread; reads the disk.

    What needs knowledge of the running program is left out: which one is in use, what is being done.

    Raises:
        EngineError: The folder of models may not be read.
        InstallationError: The shipped catalogue is damaged.
    """
    catalogue = catalogue or read_catalogue()
    installed = {model.name: model for model in installed_models()}
    known = [_known(model, installed.pop(model.name, None)) for model in catalogue.models]
    return (*known, *(_unknown(model) for model in installed.values()))


def _known(model: CatalogueModel, here: InstalledModel | None) -> ModelEntry:
    partial = 0 if here else partial_bytes(model.name)
    standing = ModelStatus.INSTALLED if here else ModelStatus.PAUSED if partial else ModelStatus.AVAILABLE
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
        memory_bytes=model.memory_bytes,
        standing=standing,
        is_recommended=model.is_recommended,
        is_permanent=model.layout is Layout.SHIPPED,
        partial_bytes=partial,
    )


def _unknown(model: InstalledModel) -> ModelEntry:
    languages, licence = ALL_LANGUAGES, ""
    if is_package(model.folder):
        try:
            manifest = load_manifest(model.folder)
        except HandyError:  # loading it will say what is wrong
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
        standing=ModelStatus.INSTALLED,
        is_imported=True,
        is_permanent=model.name == DEMO,
    )
