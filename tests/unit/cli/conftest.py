"""Running commands in this process, and an app that answers them."""

import contextlib
import io
from typing import NamedTuple

import pytest

from handy_qwen import paths
from handy_qwen.cli import main
from handy_qwen.control import ControlServer, Endpoint


class Result(NamedTuple):
    """What a command did."""

    status: int | str | None
    out: str
    err: str


@pytest.fixture
def run(capsys):
    """Runs a command line and returns its ``Result``; wrong usage has status 2."""

    def run(*words):
        capsys.readouterr()
        status: int | str | None
        try:
            status = main([*map(str, words)])
        except SystemExit as end:
            status = end.code
        return Result(status, *capsys.readouterr())

    return run


@pytest.fixture
def answers(monkeypatch):
    """Types an answer at the terminal for a command to read."""

    def answers(text):
        terminal = io.StringIO(text)
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", terminal)

    return answers


@pytest.fixture
def running_app(app_home):  # noqa: ARG001  its socket is there
    """Runs an app that answers commands by a function, in a ``with``."""

    @contextlib.contextmanager
    def running_app(answer):
        server = ControlServer(Endpoint(paths.runtime_dir()), answer)
        server.start()
        try:
            yield
        finally:
            server.close()

    return running_app
