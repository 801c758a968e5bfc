"""What becomes of recording, hotkeys and microphone around a sleep of the machine."""

import pytest

from handy_qwen.app.surroundings import Surroundings
from handy_qwen.core.events import HotkeysDied, Request, Requested, Slept
from handy_qwen.core.types import WhileRecording
from tests.fakes import FakeRecorder


def surroundings(posted, recorder, platform="linux"):
    return Surroundings(posted.append, recorder, lambda: WhileRecording.OFF, platform)


@pytest.mark.usefixtures("app_home")
def test_before_a_sleep_the_recording_ends_and_is_waited_for():
    posted, recorder = [], FakeRecorder(lambda _: None)
    looks = iter([True, True])
    recorder.is_recording = lambda: next(looks, False)
    surroundings(posted, recorder)._on_sleep()
    (asked,) = posted
    assert isinstance(asked, Requested)
    assert asked.what is Request.STOP
    assert next(looks, None) is None


@pytest.mark.parametrize(
    ("platform", "is_recording", "is_anew"),
    [("linux", False, False), ("win32", False, True), ("darwin", False, True), ("win32", True, False)],
)
@pytest.mark.usefixtures("app_home")
def test_hotkeys_are_listened_for_anew_where_the_system_forgets_who_listens(platform, is_recording, is_anew):
    posted, recorder = [], FakeRecorder(lambda _: None)
    if is_recording:
        recorder.start(1, lambda _: None)
    surroundings(posted, recorder, platform).has_slept(8.0)
    assert posted == [Slept(8.0), *([HotkeysDied()] if is_anew else [])]
    assert recorder.woken == 1
