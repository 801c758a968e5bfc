"""A model small enough for tests, as the catalogue would have it, and how to fetch it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from handy_qwen.models.catalogue import CatalogueModel, Layout
from handy_qwen.models.download import Download, RetryPolicy
from handy_qwen.models.meter import Meter, OnProgress
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


def download(tell: OnProgress = lambda _progress: None, **changes: Any) -> ModelPaths:
    """Fetch the tiny model into its place, and return that."""
    places = ModelPaths("tiny")
    places.begin()
    Download(replace(TINY, **changes), places, Meter(tell), IMPATIENT).run()
    return places
