"""Back ends on systems of our own."""

import sys
import threading

import pytest

from handy_qwen.system.insert import macos, windows
from handy_qwen.system.insert.macos import MacOS
from handy_qwen.system.insert.windows import Windows
from handy_qwen.system.session import Kind, Session
from tests.unit.system.insert.fake_mac import FakeMac
from tests.unit.system.insert.fake_systems import FakeWindows

SYSTEMS: dict[str, tuple[type[FakeWindows | FakeMac], type[Windows | MacOS], Kind]] = {
    "windows": (FakeWindows, Windows, Kind.WINDOWS),
    "macos": (FakeMac, MacOS, Kind.MACOS),
}


@pytest.fixture
def fake(request):
    """The system that the parameter, or the test's module, names."""
    name = getattr(request, "param", request.module.__name__.rpartition("_")[2])
    return SYSTEMS[name][0]()


@pytest.fixture
def backend(fake, monkeypatch):
    """The back end on ``fake``, in a hurry."""
    system, kind = next((made, kind) for cls, made, kind in SYSTEMS.values() if type(fake) is cls)
    if kind is Kind.MACOS:
        for name, module in fake.modules.items():
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(macos, "consent", fake.consents.__getitem__)
    else:
        monkeypatch.setattr(windows, "Win32", lambda: fake)
    monkeypatch.setattr(system, "RELEASE_WAIT_S", 0.05)
    monkeypatch.setattr(system, "FETCH_WAIT_S", 0.5)
    monkeypatch.setattr(system, "RESTORE_AFTER_S", 0.05)
    made = system(Session(kind), threading.Event().wait)
    yield made
    made.close()
