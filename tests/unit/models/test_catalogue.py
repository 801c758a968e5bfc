"""The shipped catalogue, and the user's own."""

import pytest

from handy_qwen.convert.presets import DEFAULT_PRESET
from handy_qwen.core.models import ModelStatus
from handy_qwen.errors import InstallationError
from handy_qwen.languages import ALL_LANGUAGES
from handy_qwen.models.catalogue import Layout, read_catalogue, user_catalogue
from handy_qwen.models.installed import model_entries

OWN = """
[[models]]
name = "mine"
repository = "me/mine"
layout = "checkpoint"
files = ["config.json", "a.safetensors | b-*.safetensors"]
languages = ["de"]
"""


@pytest.fixture(autouse=True)
def home(app_home):
    """The user has no catalogue of his own, or that of the test."""
    return app_home


def write_own(text):
    user_catalogue().parent.mkdir(parents=True, exist_ok=True)
    user_catalogue().write_text(text, encoding="utf-8")


def test_official_and_published_models_and_the_demo_are_there():
    catalogue = read_catalogue()
    assert catalogue.problem is None
    repositories = {model.repository for model in catalogue.models}
    assert {"Qwen/Qwen3-ASR-0.6B", "Qwen/Qwen3-ASR-1.7B"} <= repositories
    assert {"andrewleech/qwen3-asr-0.6b-onnx", "andrewleech/qwen3-asr-1.7b-onnx"} <= repositories
    for model in catalogue.models:
        assert model.good_for.endswith(".")
        assert model.disk_bytes
        assert model.memory_bytes
        assert model.licence
        assert set(model.languages) <= set(ALL_LANGUAGES)
        assert (model.layout is Layout.SHIPPED) == (model.download_bytes == 0)
    assert [model.name for model in catalogue.models if model.is_recommended] == ["qwen3-asr-0.6b"]


def test_entries_of_the_user_are_added_and_replace_shipped_ones():
    write_own(OWN + OWN.replace('"mine"', '"qwen3-asr-0.6b"'))
    catalogue = read_catalogue()
    assert catalogue.find("mine").languages == ("German",)
    assert catalogue.find("qwen3-asr-0.6b").repository == "me/mine"
    assert catalogue.find("qwen3-asr-1.7b").repository == "Qwen/Qwen3-ASR-1.7B"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"mine"', '"../mine"', "name"),
        ('"mine"', '"Mine"', "name"),
        ('"me/mine"', '"https://evil.example/x"', "repository"),
        ('"me/mine"', '"me/../mine"', "repository"),
        ('"checkpoint"', '"pickle"', "pickle"),
        ('"config.json"', '"../config.json"', "files"),
        ('"config.json"', "5", "files"),
        ('["de"]', '["xx"]', "languages"),
        ("languages", "langages", "langages"),
        ("[[models]]", "[models]", ""),
        ("files =", "disk_bytes = -1\nfiles =", "disk_bytes"),
        ("files =", 'smaller = "smallest"\nfiles =', "smaller"),
        ("files =", 'smaller = [{preset = "tiny"}]\nfiles =', "tiny"),
        ("files =", 'smaller = [{preset = "smallest", disk_bytes = -1}]\nfiles =', "disk_bytes"),
        ("files", "files ?", ""),
    ],
)
def test_a_catalogue_that_cannot_be_meant_is_told_and_the_shipped_one_stays(old, new, words):
    write_own(OWN.replace(old, new, 1))
    catalogue = read_catalogue()
    assert isinstance(catalogue.problem, InstallationError)
    assert words in catalogue.problem.title
    assert catalogue.find("qwen3-asr-0.6b").repository == "Qwen/Qwen3-ASR-0.6B"


def test_a_repository_is_as_good_as_a_name():
    catalogue = read_catalogue()
    assert catalogue.find("Qwen/Qwen3-ASR-0.6B") == catalogue.find("qwen3-asr-0.6b")
    tuned = catalogue.find("somebody/Qwen3-ASR-0.6B")
    assert (tuned.name, tuned.repository, tuned.layout.value) == (
        "somebody-qwen3-asr-0.6b",
        "somebody/Qwen3-ASR-0.6B",
        "checkpoint",
    )
    assert tuned.files[0] == "config.json"
    assert catalogue.find("Qwen/Qwen3-ASR-1.7B-hf").disk_bytes == catalogue.find("qwen3-asr-1.7b").disk_bytes


@pytest.mark.parametrize("asked", ["a/../b", "/a", "a/", "a/b/c", "https://x.example/a", "../x", "a\\b"])
def test_what_is_no_repository_is_an_unknown_name(asked):
    with pytest.raises(InstallationError, match="can be installed"):
        read_catalogue().find(asked)


@pytest.mark.parametrize("name", ["qwen3-asr-0.6b", "qwen3-asr-1.7b"])
def test_smaller_forms_need_less_and_say_what_they_cost(name):
    usual, *smaller = read_catalogue().find(name).forms
    assert usual.preset == DEFAULT_PRESET
    for form in smaller:
        assert 0 < form.disk_bytes < usual.disk_bytes
        assert 0 < form.memory_bytes < usual.memory_bytes
        assert form.cost.endswith(".")


def test_an_unknown_name_is_answered_with_those_that_are_known():
    with pytest.raises(InstallationError) as caught:
        read_catalogue().find("qwen")
    assert "qwen3-asr-0.6b, qwen3-asr-1.7b" in caught.value.hint


def test_the_shelf_has_what_can_be_installed_and_the_demo():
    shelf = {entry.name: entry for entry in model_entries()}
    assert shelf["qwen3-asr-0.6b"].status is ModelStatus.AVAILABLE
    assert shelf["qwen3-asr-0.6b"].room_bytes > shelf["qwen3-asr-0.6b"].download_bytes
    assert shelf["demo"].status is ModelStatus.INSTALLED
    assert shelf["demo"].is_permanent
