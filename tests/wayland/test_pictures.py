"""Pictures of the app on this desktop, to be looked at: ``--pictures`` takes them, into /tmp of the root."""

from __future__ import annotations

import time

import pytest

from tests.wayland.desk import Target


@pytest.fixture
def picture(session, desktop, request):
    """Takes a picture of the whole screen by this name."""
    if not request.config.getoption("--pictures"):
        pytest.skip("only with --pictures")

    def take(name):
        time.sleep(4)  # until it is there, and has faded or slid in
        session.screenshot(f"/tmp/picture-{desktop.__name__.lower()}-{name}.png")

    return take


def test_pictures_of_overlay_guide_and_settings(session, dictation, picture):
    session.start_panel()
    target = Target(session, "qt")
    try:
        dictation.app.run("start")
        dictation.app.wait_for_phase("recording")
        session.say(dictation.speech)
        picture("overlay")
        dictation.app.run("stop")
        assert dictation.arrives_in(target)
    finally:
        target.close()
    for window in ("setup", "settings", "correct"):
        dictation.app.run(window)
        picture(window)
