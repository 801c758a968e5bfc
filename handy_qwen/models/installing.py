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

import shutil
from pathlib import Path

from handy_qwen.core.shelf import Stage
from handy_qwen.errors import EngineError, InstallationError
from handy_qwen.models.catalogue import CatalogueModel, Layout
from handy_qwen.models.fetching import Patience, disk_error
from handy_qwen.models.installed import InstalledModel, demo_model, find_model
from handy_qwen.models.lock import locked
from handy_qwen.models.meter import Meter, Tell
from handy_qwen.models.origin import Origin, check_files
from handy_qwen.models.places import Places
from handy_qwen.models.room import check_memory


def install(
    model: CatalogueModel,
    tell: Tell,
    *,
    preset: str = "",
    keep_source: Path | None = None,
    patience: Patience | None = None,
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
    from handy_qwen.models.making import Recipe, make

    meter, places = Meter(tell), Places(model.name)
    check_memory(model.memory_bytes)
    places.make()
    meter.enter(Stage.WAITING)
    with locked(places.lock, meter.keep_alive):
        if is_whole(places.final):
            shutil.rmtree(places.work, ignore_errors=True)
            return InstalledModel(model.name, places.final)
        places.begin()
        listing, files = Download(model, places, meter, patience or Patience()).run()
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
    from handy_qwen.engine.manifest import is_package
    from handy_qwen.engine.published import is_published_layout

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
    return Places(name).partial_bytes()


def discard(name: str) -> None:
    """Delete what is here of the unfinished ``name``.

    Raises:
        InstallationError: It could not be deleted, or is being worked on by another process.
    """
    places = Places(name)
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
    if model.folder != Places(model.name).final:
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
    places = Places(name)
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
