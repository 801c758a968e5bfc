"""The microphone is tried without a window, a device or a speaker."""

import numpy as np
import pytest

from handy_qwen.app import microphone
from handy_qwen.app.microphone import BUSY, INTERRUPTED, STARTING, MicrophonePresenter
from handy_qwen.core.events import (
    EndCause,
    Failed,
    Heard,
    MicrophoneChanged,
    Muted,
    RecordingBegan,
    RecordingEnded,
)
from handy_qwen.core.view import Doing, Voice
from handy_qwen.errors import HandyError, MicrophoneError, MicrophoneReason

SECOND = 16_000


class Recorder:
    def __init__(self):
        self.is_taking, self.is_heard = False, False
        self.sink = self.post = None

    def is_recording(self):
        return self.is_taking

    def listen(self, sink, post):
        self.is_heard, self.sink, self.post = True, sink, post

    def stop_listening(self):
        self.is_heard = False


class Player:
    def __init__(self):
        self.played, self.on_end, self.stops = [], None, 0

    def play(self, sound, on_end):
        self.stop()
        self.played.append(np.concatenate(sound))
        self.on_end = on_end

    def stop(self):
        self.stops += 1
        if self.on_end is not None:
            self.finish(None)

    def finish(self, error):
        on_end, self.on_end = self.on_end, None
        on_end(error)


class Page:
    """What a page sees, and what the microphone's thread does."""

    def __init__(self, *, is_built=True):
        self.tests, self.chores = [], []
        self.presenter = MicrophonePresenter(self.chores.append)
        self.recorder, self.player = Recorder(), Player()
        if is_built:
            self.presenter.connect(self.recorder, self.player)

    def open(self):
        self.presenter.listen(self.tests.append)
        if self.recorder.post:
            self.recorder.post(RecordingBegan(0, "Desk"))
        return self

    def say(self, seconds, level=0.1):
        for _ in range(round(seconds * 50)):
            wave = level * np.sin(np.arange(320) / 3)
            self.recorder.sink(np.clip(wave, -1, 1).astype(np.float32))

    def tell(self, event):
        self.recorder.post(event)

    @property
    def test(self):
        return self.tests[-1]


@pytest.fixture
def page():
    return Page().open()


def test_the_microphone_is_listened_to_from_the_page_s_coming_to_its_going(page):
    assert page.recorder.is_heard
    assert page.test.device == "Desk"
    page.presenter.leave()
    assert not page.recorder.is_heard
    assert page.test.device == ""
    assert page.player.stops


def test_a_page_that_comes_while_the_program_starts_gets_its_microphone_then():
    page = Page(is_built=False).open()
    assert not page.recorder.is_heard
    page.presenter.record()
    assert page.test.problem == STARTING
    page.presenter.connect(page.recorder, page.player)
    for chore in page.chores:
        chore()
    assert page.recorder.is_heard


def test_a_page_that_has_gone_before_the_program_has_started_gets_none():
    page = Page(is_built=False).open()
    page.presenter.leave()
    page.presenter.connect(page.recorder, page.player)
    for chore in page.chores:
        chore()
    assert not page.recorder.is_heard


@pytest.mark.parametrize(("level", "voice"), [(0.1, Voice.GOOD), (0.005, Voice.QUIET), (5.0, Voice.CLIPPING)])
def test_how_a_voice_arrives_is_judged_when_somebody_speaks(page, level, voice):
    page.say(1.0, level)
    assert page.test.voice is Voice.UNKNOWN
    page.tell(Heard(0, 1.0))
    assert page.test.voice is voice


def test_a_verdict_is_about_the_last_seconds_only(page):
    page.say(1.0, 5.0)
    page.say(microphone.JUDGED_S, 0.1)
    page.tell(Heard(0, 1.0))
    assert page.test.voice is Voice.GOOD


def test_a_muted_microphone_is_told_until_the_next_sound(page):
    page.tell(Muted(0, is_muted=True))
    assert page.test.voice is Voice.SILENT
    page.tell(Muted(0, is_muted=False))
    assert page.test.voice is Voice.UNKNOWN


def test_five_seconds_are_recorded_and_played_back(page):
    page.say(1.0, 0.2)  # no part of it
    page.presenter.record()
    assert page.test.doing is Doing.RECORDING
    page.say(6.0)
    assert page.test.doing is Doing.PLAYING
    (played,) = page.player.played
    assert len(played) == 5 * SECOND
    assert np.abs(played).max() < 0.11
    page.player.finish(None)
    assert (page.test.doing, page.test.has_recording) == (Doing.LISTENING, True)
    page.presenter.play()
    assert page.test.doing is Doing.PLAYING
    np.testing.assert_array_equal(page.player.played[1], played)


def test_a_recording_that_is_ended_early_is_played_and_a_playing_one_stopped(page):
    page.presenter.record()
    page.say(2.0)
    page.presenter.stop()
    assert page.test.doing is Doing.PLAYING
    assert len(page.player.played[0]) == 2 * SECOND
    page.presenter.stop()
    assert page.test.doing is Doing.LISTENING


def test_nothing_is_recorded_while_somebody_dictates(page):
    page.recorder.is_taking = True
    page.tell(RecordingEnded(0, EndCause.STOPPED, 1.0, is_dead=False))
    assert page.test.problem is None
    page.presenter.record()
    assert page.test.problem == BUSY
    page.tell(RecordingBegan(0, "Desk"))
    assert page.test.problem is None


def test_a_dictation_ends_what_is_recorded_here(page):
    page.presenter.record()
    page.say(2.0)
    page.tell(RecordingEnded(0, EndCause.STOPPED, 1.0, is_dead=False))
    assert page.test.problem == INTERRUPTED
    assert not page.test.has_recording
    assert page.player.played == []
    page.tell(RecordingBegan(0, "Desk"))
    assert page.test.problem == INTERRUPTED, "it can still be read"
    page.presenter.record()
    assert page.test.problem is None


def test_a_dictation_ends_what_is_played_here(page):
    page.presenter.record()
    page.say(6.0)
    page.tell(RecordingEnded(0, EndCause.STOPPED, 1.0, is_dead=False))
    assert page.player.on_end is None
    assert page.test.doing is Doing.LISTENING
    assert page.test.has_recording


def test_what_was_recorded_is_forgotten_with_the_page(page):
    page.presenter.record()
    page.say(6.0)
    page.presenter.leave()
    page.open()
    assert not page.test.has_recording
    page.presenter.play()
    assert len(page.player.played) == 1


def test_why_nothing_is_heard_is_told_until_something_is(page):
    page.tell(Failed(0, MicrophoneError("It is busy.", MicrophoneReason.BUSY, "Close it.")))
    assert (page.test.problem.title, page.test.problem.hint, page.test.device) == (
        "It is busy.",
        "Close it.",
        "",
    )
    page.presenter.record()
    assert page.test.problem.title == "It is busy."
    page.tell(RecordingBegan(0, "Headset"))
    assert (page.test.problem, page.test.device) == (None, "Headset")
    page.tell(MicrophoneChanged(0, "Desk"))
    assert page.test.device == "Desk"


def test_speakers_that_do_not_work_are_told(page):
    page.presenter.record()
    page.say(6.0)
    page.player.finish(HandyError("The speakers cannot be used."))
    assert page.test.problem.title == "The speakers cannot be used."
    assert page.test.doing is Doing.LISTENING


def test_what_comes_late_after_the_page_is_nothing(page):
    page.presenter.leave()
    count = len(page.tests)
    page.tell(RecordingBegan(0, "Desk"))
    page.tell(Heard(0, 1.0))
    assert len(page.tests) == count
