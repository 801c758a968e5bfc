"""Installs a model from a folder or an archive, for machines without a network.

It may be an official checkpoint (converted here), a published ONNX model or a package of ours (copied).
What an archive holds goes into one new folder, by name alone (see ``convert/archive.py``); links, devices
and bombs are refused there. Weights that are pickles are never opened.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from handy_qwen.convert.archive import SUFFIXES, check_is_source, opened_source
from handy_qwen.convert.sniffing import repository_name
from handy_qwen.core.shelf import DEMO, Stage
from handy_qwen.errors import InstallationError
from handy_qwen.models.installed import InstalledModel
from handy_qwen.models.installing import is_whole
from handy_qwen.models.lock import locked
from handy_qwen.models.making import Recipe, make
from handy_qwen.models.meter import Meter, Tell
from handy_qwen.models.origin import Origin
from handy_qwen.models.places import Places

_MOST_NAME = 64


def import_model(
    source: Path,
    tell: Tell,
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
    places = Places(name or name_for(source))
    if places.name == DEMO or not _is_name(places.name):
        raise InstallationError(f"A model cannot be called {places.name!r}.", "Choose another with --name.")
    meter = Meter(tell)
    places.make()
    meter.enter(Stage.WAITING)
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


def _import(source: Path, places: Places, preset: str, meter: Meter) -> InstalledModel:
    origin = Origin(source.name, "", "", {}, {})
    if not source.is_dir():
        meter.enter(Stage.UNPACKING)
    with opened_source(source, places.package, meter.share) as folder:
        may_link = not source.is_dir()  # what the user keeps, he may change
        recipe = Recipe(origin, preset, may_link=may_link)
        return make(folder, places, recipe, meter)


def _tidy(places: Places) -> None:
    """Delete what is left over, but not a download of the same name that waits to be gone on with."""
    if places.partial_bytes():
        shutil.rmtree(places.package, ignore_errors=True)
    else:
        shutil.rmtree(places.work, ignore_errors=True)
