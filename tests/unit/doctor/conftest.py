"""What all tests of doctor share."""

import pytest

from handy_qwen.audio import portaudio


@pytest.fixture(autouse=True)
def one_portaudio(monkeypatch):
    """Each report has its own Library; in one process only the first could end PortAudio at exit."""
    monkeypatch.setattr(portaudio.atexit, "register", lambda _function: None)
