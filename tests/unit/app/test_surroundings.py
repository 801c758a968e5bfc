"""What becomes of recording, hotkeys and microphone around a sleep of the machine."""

import pytest

from handy_qwen.app.surroundings import Surroundings
from handy_qwen.core.events import HotkeysDied, Request, Requested, Slept
from handy_qwen.core.types import WhileRecording


class FakeRecorder:
    def __init__(self, *, recording=()):
        self.recording, self.woken = list(recording), 0

    def is_recording(self):
        return self.recording.pop(0) if self.recording else False

    def wake(self):
        self.woken += 1


def surroundings(posted, recorder, platform="linux"):
    return Surroundings(posted.append, recorder, lambda: WhileRecording.OFF, platform)


@pytest.mark.usefixtures("app_home")
def test_before_a_sleep_the_recording_ends_and_is_waited_for():
    posted, recorder = [], FakeRecorder(recording=[True, True])
    surroundings(posted, recorder)._on_sleep()
    (asked,) = posted
    assert isinstance(asked, Requested)
    assert asked.what is Request.STOP
    assert recorder.recording == []


@pytest.mark.parametrize(
    ("platform", "recording", "is_anew"),
    [("linux", [], False), ("win32", [], True), ("darwin", [], True), ("win32", [True], False)],
)
@pytest.mark.usefixtures("app_home")
def test_hotkeys_are_listened_for_anew_where_the_system_forgets_who_listens(platform, recording, is_anew):
    posted, recorder = [], FakeRecorder(recording=recording)
    surroundings(posted, recorder, platform).has_slept(8.0)
    assert posted == [Slept(8.0), *([HotkeysDied()] if is_anew else [])]
    assert recorder.woken == 1
