"""A hub on this machine, and a program that knows no other."""

import os
import random

import pytest
from huggingface_hub import close_session, constants

from tests.hub.server import FakeHub
from tests.hub.tiny import CHECKPOINT, REPOSITORY


@pytest.fixture(scope="session", autouse=True)
def session():
    """One HTTP client for all tests: making one reads all certificates of the system."""
    yield
    close_session()


@pytest.fixture
def hub_home(app_home, tmp_path, monkeypatch):
    """A home for the program, and no cache that it could share with others."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name in ("HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return app_home


@pytest.fixture
def repository(tmp_path):
    """Files of no meaning under the names of a checkpoint; the weights are as many as ten pieces."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "config.json").write_bytes(b"{}" * 200)
    (folder / "tokenizer.json").write_bytes(b'{"a":1}' * 900)
    (folder / "README.md").write_bytes(b"not wanted")
    (folder / "model.safetensors").write_bytes(random.Random(7).randbytes(655_360))
    return folder


@pytest.fixture
def hub(repository, hub_home, monkeypatch):
    """Serves ``repository``."""
    assert not hub_home.exists()
    with FakeHub(repository, REPOSITORY) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


@pytest.fixture
def real_hub(hub_home, monkeypatch):
    """Serves the demo model's checkpoint."""
    assert not hub_home.exists()
    with FakeHub(CHECKPOINT, REPOSITORY) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served
