"""Back ends on systems of our own."""

import threading

import pytest

from handy_qwen.system.insert.macos import MacOS
from handy_qwen.system.insert.windows import Windows
from handy_qwen.system.session import Kind, Session
from tests.unit.system.insert.fake_systems import FakeMac, FakeWindows

SYSTEMS = {
    "windows": (FakeWindows, Windows, Kind.WINDOWS, "windows.Win32"),
    "macos": (FakeMac, MacOS, Kind.MACOS, "macos.Quartz"),
}


@pytest.fixture
def fake(request):
    """The system that the parameter, or the test's module, names."""
    name = getattr(request, "param", request.module.__name__.rpartition("_")[2])
    return SYSTEMS[name][0]()


@pytest.fixture
def backend(fake, monkeypatch):
    """The back end on ``fake``, in a hurry."""
    system, kind, api = next(made for cls, *made in SYSTEMS.values() if type(fake) is cls)
    monkeypatch.setattr(f"handy_qwen.system.insert.{api}", lambda: fake)
    monkeypatch.setattr(system, "RELEASE_WAIT_S", 0.05)
    monkeypatch.setattr(system, "FETCH_WAIT_S", 0.5)
    monkeypatch.setattr(system, "RESTORE_AFTER_S", 0.05)
    made = system(Session(kind), threading.Event().wait)
    yield made
    made.close()
