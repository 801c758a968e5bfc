"""The app where there is no X server at all."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.wayland.desk import App, Gnome, Session, Target
from tests.wayland.dictation import Dictation

RESTORED_S = 4.0  # the app waits two, since nobody tells it who fetched


@pytest.fixture(scope="module")
def without(desktop: type[Session]) -> Iterator[Dictation]:
    """The app after its first dictation."""
    with desktop(xwayland=False) as session:
        app = App(session)
        dictation = Dictation(session, app)
        dictation.answer_questions()
        yield dictation
        app.stop()


@pytest.mark.parametrize("kind", ["qt", "gtk3", "gtk4", "foot"])
def test_it_dictates_all_the_same(without, kind):
    target = Target(without.session, kind)
    try:
        without.fill_clipboards()
        target.forget_focus()
        without.hold()
        assert without.arrives_in(target), target.text()
        if isinstance(without.session, Gnome):  # whose clipboard only windows with the focus may touch
            time.sleep(RESTORED_S)  # a look would take the focus from the app's own
        else:
            assert target.has_kept_focus()
        assert without.clipboards_are_restored()
    finally:
        target.close()
