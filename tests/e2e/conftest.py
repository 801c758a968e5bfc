"""Fixtures for tests on the virtual desktop."""

from collections.abc import Iterator

import pytest

from tests.e2e.desk import Desktop, GtkTarget, QtTarget, Target, XtermTarget, require


@pytest.fixture(scope="module")
def desktop() -> Iterator[Desktop]:
    """A desktop with window manager, tray and sound, shared by the tests of one module."""
    require()
    with Desktop() as desk:
        yield desk


@pytest.fixture(scope="module")
def silent_desktop() -> Iterator[Desktop]:
    """The same without tray and sound, for tests that need keys and windows only."""
    require(sound=False)
    with Desktop(tray=False, sound=False) as desk:
        yield desk


@pytest.fixture
def editor(desktop: Desktop) -> Iterator[QtTarget]:
    """An empty window to type into, which has the focus."""
    target = desktop.open(QtTarget)
    yield target
    target.close()


@pytest.fixture(scope="module")
def windows(bench: tuple[Desktop, object]) -> Iterator[dict[type[Target], Target]]:
    """A window of each kind on the desktop of the module's ``bench``."""
    desk, _ = bench
    kinds: tuple[type[Target], ...] = (QtTarget, GtkTarget, XtermTarget)
    opened = {kind: desk.open(kind) for kind in kinds}
    yield opened
    for window in opened.values():
        window.close()


@pytest.fixture
def window(windows: dict[type[Target], Target], request: pytest.FixtureRequest) -> Target:
    """The window of the kind that the test names, or the Qt one; empty, with the focus."""
    chosen = windows[getattr(request, "param", QtTarget)]
    chosen.focus()
    chosen.clear()
    return chosen


@pytest.fixture(autouse=True)
def no_key_stays_down(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test on a desktop no key is down; one that is fails the test, and is let go."""
    yield
    for name in ("desktop", "silent_desktop"):
        if name in request.fixturenames:
            keys = request.getfixturevalue(name).keys
            held = keys.held()
            keys.release_all()
            assert not held, f"keys left down: {held}"
