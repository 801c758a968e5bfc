"""What is said of a model that is here: its memory, and how close it comes to full precision."""

import json
import shutil
from dataclasses import replace

import pytest

from handy_qwen.engine.qwen3.manifest import Fidelity, load_manifest
from handy_qwen.models.catalogue import read_catalogue
from handy_qwen.models.installed import (
    UNMEASURED,
    WORKING_BYTES,
    InstalledModel,
    fidelity_of,
    fidelity_words,
    memory_of,
    model_entries,
    needed_memory,
)
from handy_qwen.paths import asset, models_dir

GOOD = Fidelity(14, 14, 160, 160, 0.002, 0.004)
DIFFER = "the scores behind the words differ by"


@pytest.fixture
def package(app_home):  # noqa: ARG001  the folder of models is in it
    """Makes an installed package with changes of its manifest."""

    def made(name="mine", **changes):
        folder = models_dir() / name
        shutil.copytree(asset("demo-model"), folder)
        replace(load_manifest(folder), **changes).save(folder)
        return InstalledModel(name, folder)

    return made


@pytest.mark.parametrize(
    ("fidelity", "words"),
    [
        (GOOD, f"The same words as full precision on 14 of 14 check sentences; {DIFFER} 0.4% on average."),
        (
            replace(GOOD, clips_same=12, logits=0.0123),
            f"The same words as full precision on 12 of 14 check sentences; {DIFFER} 1.2% on average.",
        ),
        (
            replace(GOOD, logits=0.00004),
            f"The same words as full precision on 14 of 14 check sentences; {DIFFER} 0.004% on average.",
        ),
        (
            replace(GOOD, logits=0.0),
            f"The same words as full precision on 14 of 14 check sentences; {DIFFER} 0% on average.",
        ),
    ],
)
def test_what_was_measured_is_a_sentence(fidelity, words):
    assert fidelity_words(fidelity) == (words,)


def test_notes_follow_the_figures_and_stand_alone_without_them():
    note = "The encoder is kept in float32: anything smaller changed words."
    assert fidelity_words(replace(GOOD, notes=(note,)))[1:] == (note,)
    missing = "The check speech is missing, so the most precise form was taken."
    assert fidelity_words(Fidelity(0, 0, 0, 0, 0, 0, (missing,))) == (missing,)
    assert fidelity_words(Fidelity(0, 0, 0, 0, 0, 0)) == (UNMEASURED,)


def test_a_package_is_described_by_its_manifest(package):
    assert fidelity_of(package("a", fidelity=GOOD).folder) == fidelity_words(GOOD)
    assert fidelity_of(package("b", fidelity=None).folder) == (UNMEASURED,)
    exact = package("c", fidelity=None, preset="exact")
    assert fidelity_of(exact.folder) == ("It is kept in full precision.",)


def test_what_cannot_be_read_was_not_measured(package, tmp_path):
    assert fidelity_of(tmp_path) == (UNMEASURED,)
    damaged = package()
    (damaged.folder / "encoder.data").write_bytes(b"")
    assert fidelity_of(damaged.folder) == (UNMEASURED,)


def test_entries_of_installed_models_say_it_and_others_nothing(package):
    package("mine", fidelity=GOOD)
    entries = {entry.name: entry for entry in model_entries()}
    assert entries["mine"].fidelity == fidelity_words(GOOD)
    assert entries["demo"].fidelity
    assert entries["qwen3-asr-0.6b"].fidelity == ()


def test_memory_is_that_of_the_form_that_is_here(package):
    known = read_catalogue().find("qwen3-asr-0.6b")
    smaller = known.smaller[-1]
    assert needed_memory(package(known.name, preset="balanced")) == known.memory_bytes
    shutil.rmtree(models_dir())
    model = package(known.name, preset=smaller.preset)
    assert needed_memory(model) == smaller.memory_bytes < known.memory_bytes
    (entry,) = [entry for entry in model_entries() if entry.name == known.name]
    assert entry.memory_bytes == smaller.memory_bytes
    assert entry.disk_bytes == model.size_bytes


def test_memory_of_what_nobody_knows_is_estimated_from_its_size(package):
    model = package()
    assert needed_memory(model) == round(model.size_bytes * 1.25) + WORKING_BYTES
    known = read_catalogue().find("qwen3-asr-0.6b")
    unlisted = package("other", preset="exact")  # in a form that the catalogue has no figure for
    assert memory_of(unlisted.folder, 4_000_000_000, known) == 5_000_000_000 + WORKING_BYTES


def test_the_manifest_with_figures_is_plain_json(package):
    model = package(fidelity=GOOD)
    raw = json.loads((model.folder / "manifest.json").read_text(encoding="utf-8"))
    assert raw["fidelity"]["clips_same"] == 14
