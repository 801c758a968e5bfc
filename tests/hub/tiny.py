"""A model small enough for tests, as the catalogue would have it, and how to fetch it."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from handy_qwen.models.catalogue import CatalogueModel, Layout
from handy_qwen.models.download import Download, Meter, OnProgress, RetryPolicy
from handy_qwen.models.storage import ModelPaths

CHECKPOINT = Path(__file__).parents[1] / "data" / "demo-checkpoint"
REPOSITORY = "somebody/tiny"
IMPATIENT = RetryPolicy(tries=4, first_s=0.0, most_s=0.2, most_asked_s=1.5)
TINY = CatalogueModel(
    "tiny",
    "Tiny",
    Layout.CHECKPOINT,
    REPOSITORY,
    files=("config.json", "model.safetensors | model-*.safetensors", "tokenizer.json | vocab.json"),
    optional=("merges.txt",),
)


def as_in_a_cache(place: Path, blob: Path) -> None:
    """Make ``place`` a link to ``blob``, or a copy on Windows, as the hub's own library does."""
    if os.name == "nt":
        shutil.copyfile(blob, place)
    else:
        place.symlink_to(blob)


def download(tell: OnProgress = lambda _progress: None, **changes: Any) -> ModelPaths:
    """Fetch the tiny model into its place, and return that."""
    places = ModelPaths("tiny")
    places.begin()
    Download(replace(TINY, **changes), places, Meter(tell), IMPATIENT).run()
    return places
