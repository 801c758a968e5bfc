"""What the running program answers to the command line."""

import json
import time
from dataclasses import replace

import pytest

from handy_qwen.app.answers import REQUESTS, Answers, status_of
from handy_qwen.core.events import Requested
from handy_qwen.core.view import Choices, Notice, NoticeKind, Phase, View, Window
from handy_qwen.errors import ControlError

SECRET = "my diary"
IDLE = View(phase=Phase.IDLE, is_listening=True)


class Desk:
    def __init__(self, view=IDLE, after=None):
        self.after = after
        self.posted, self.quits = [], []
        self.answers = Answers(self.post, lambda: self.quits.append(True))
        self.answers.on_view(view)

    def post(self, event):
        self.posted.append(event.what)
        assert isinstance(event, Requested)
        if self.after:
            self.answers.on_view(self.after)


RECORDING = View(phase=Phase.RECORDING, began_s=1.0, take=1)


@pytest.mark.parametrize(
    ("command", "before", "after"),
    [
        ("start", IDLE, RECORDING),
        ("stop", RECORDING, IDLE),
        ("toggle", IDLE, RECORDING),
        ("cancel", RECORDING, IDLE),
        ("cancel", View(waiting=1), IDLE),
        ("retry", View(can_retry=True), IDLE),
        ("bring-back", View(can_bring_back=True), IDLE),
        ("paste", View(recent=("One.",)), IDLE),
        ("paste", View(held=("One.",)), IDLE),
    ],
)
def test_commands_become_requests(command, before, after):
    desk = Desk(before, after)
    assert desk.answers.answer(command) == {}
    assert desk.posted == [REQUESTS[command]]


@pytest.mark.parametrize("window", Window)
def test_every_window_is_opened_by_its_command(window):
    opened = []
    answers = Answers(lambda _event: None, lambda: None, opened.append)
    assert answers.answer(window.value) == {}
    assert opened == [window]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("stop", "Nothing is being recorded"),
        ("cancel", "nothing to cancel"),
        ("last", "no text yet"),
        ("paste", "no text yet"),
        ("retry", "nothing to transcribe again"),
        ("bring-back", "nothing to restore"),
        ("fly", "doesn't know"),
    ],
)
def test_what_cannot_be_done_is_refused(command, error):
    desk = Desk()
    with pytest.raises(ControlError, match=error):
        desk.answers.answer(command)
    assert desk.posted == []


def test_the_last_text_is_told():
    assert Desk(View(recent=("new", "old"))).answers.answer("last") == {"text": "new"}


def test_quit_ends_the_program():
    desk = Desk()
    desk.answers.answer("quit")
    assert desk.quits == [True]


def test_the_status_is_json_and_holds_no_text():
    view = View(
        phase=Phase.RECORDING,
        began_s=time.monotonic() - 3,
        committed=SECRET,
        tentative=SECRET,
        held=(SECRET,),
        recent=(SECRET,),
        notices=(Notice(1, NoticeKind.INFO, "Cancelled."),),
        choices=Choices(model="demo", hotkeys=("Right Ctrl",)),
    )
    status = Desk(view).answers.answer("status")["status"]
    text = json.dumps(status)
    assert SECRET not in text
    assert (status["phase"], status["held"], status["model"]) == ("recording", 1, "demo")
    assert status["recording_s"] >= 3
    assert status["notices"] == [{"kind": "info", "title": "Cancelled.", "hint": "", "subject": ""}]


@pytest.mark.parametrize(
    ("view", "is_ready"),
    [
        (View(), False),
        (View(phase=Phase.PROBLEM, is_listening=True), False),
        (View(phase=Phase.RECORDING, is_loading=True, is_listening=True), False),
        (View(phase=Phase.IDLE), False),
        (IDLE, True),
    ],
)
def test_ready_means_that_a_press_would_be_answered_at_once(view, is_ready):
    assert status_of(view)["is_ready"] is is_ready


@pytest.mark.parametrize(
    ("view", "microphone"),
    [
        (View(), "Headset"),
        (View(phase=Phase.RECORDING, began_s=1.0), ""),
        (View(phase=Phase.RECORDING, began_s=1.0, device="Desk"), "Desk"),
    ],
)
def test_the_microphone_of_a_recording_is_told_once_sound_has_come_from_it(view, microphone):
    assert status_of(replace(view, choices=Choices(microphone="Headset")))["microphone"] == microphone
