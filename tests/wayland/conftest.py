"""One desktop for all tests of a run, with the app on it as its user has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.wayland.desk import App, Gnome, Kwin, Session, Sway, Target
from tests.wayland.dictation import Dictation

DESKTOPS: dict[str, type[Session]] = {"gnome": Gnome, "kwin": Kwin, "sway": Sway}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which desktop, and how often."""
    parser.addoption("--desktop", choices=DESKTOPS, required=True)
    parser.addoption("--pictures", action="store_true", help="take pictures to look at")
    parser.addoption("--times", type=int, default=1, help="how often each dictation is done")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Do what is marked as ``repeated`` that often."""
    if metafunc.definition.get_closest_marker("repeated"):
        metafunc.fixturenames.append("repetition")
        metafunc.parametrize("repetition", range(metafunc.config.getoption("--times")))


@pytest.fixture(scope="session")
def desktop(request: pytest.FixtureRequest) -> type[Session]:
    """The desktop that was asked for."""
    return DESKTOPS[request.config.getoption("--desktop")]


@pytest.fixture(scope="session")
def session(desktop: type[Session]) -> Iterator[Session]:
    """A session without the app."""
    with desktop() as session:
        yield session


@pytest.fixture(scope="session")
def dictation(session: Session) -> Iterator[Dictation]:
    """The app, after its first dictation: all questions have been answered."""
    app = App(session)
    try:
        dictation = Dictation(session, app)
        dictation.answer_questions()
        yield dictation
    finally:
        app.stop()


@pytest.fixture
def target(session: Session, dictation: Dictation) -> Iterator[Target]:
    """A window with the focus. A take that a test has left behind is not the next one's."""
    target = Target(session, "qt")
    yield target
    if dictation.app.status().get("phase") == "recording":
        dictation.app.run("cancel")
    target.close()
