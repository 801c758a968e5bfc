"""What all tests of doctor share."""

import atexit

import pytest


@pytest.fixture(autouse=True)
def one_portaudio(monkeypatch):
    """Each report has its own Library; in one process only the first could end PortAudio at exit."""
    monkeypatch.setattr(atexit, "register", lambda _function: None)
