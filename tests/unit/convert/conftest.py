"""A small checkpoint to convert, and a place for packages."""

import pytest

from tests.golden.random_checkpoint import write_random_checkpoint


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """A checkpoint of random weights; not to be changed."""
    folder = tmp_path_factory.mktemp("random") / "Qwen3-ASR"
    write_random_checkpoint(folder)
    return folder


@pytest.fixture
def place(tmp_path):
    """An empty folder to put packages into."""
    folder = tmp_path / "packages"
    folder.mkdir()
    return folder
