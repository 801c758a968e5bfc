"""The builders, which are scripts beside each other and no package."""

import importlib
import sys

import pytest

from tests.conftest import ROOT

PACKAGING = ROOT / "packaging"


@pytest.fixture(scope="session")
def builder():
    """Import a module of ``packaging/`` by its name, without leaving it in the others' way."""
    before = set(sys.modules)
    sys.path.insert(0, str(PACKAGING))
    yield importlib.import_module
    sys.path.remove(str(PACKAGING))
    for name in set(sys.modules) - before:
        source = getattr(sys.modules[name], "__file__", None) or ""
        if source.startswith(str(PACKAGING)):
            del sys.modules[name]
