"""Fixtures for all tests."""

import logging

import pytest


@pytest.fixture(autouse=True)
def no_unexpected_warnings(request, caplog):
    """A test that logs a warning or worse fails, unless it says it expects one."""
    yield
    if request.node.get_closest_marker("expects_log"):
        return
    loud = [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.WARNING]
    assert not loud, f"unexpected log: {loud}"


@pytest.fixture
def app_home(tmp_path, monkeypatch):
    """A home of its own for the program under test: settings, models, logs, socket."""
    monkeypatch.setenv("HANDY_QWEN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
