"""The controller and the cycle together, on fakes and without a thread; then the thread itself."""

import logging
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from handy_qwen.core import effects as fx
from handy_qwen.core.events import Configured, KeyDown, KeyUp, Noted, Progressed, Request, Requested, Ticked
from handy_qwen.core.state import NOTICE_S
from handy_qwen.core.types import Hotkey, Mode, Rules
from handy_qwen.core.view import Choices, NoticeKind, Phase
from handy_qwen.errors import HandyError, InsertError, InsertReason
from handy_qwen.runtime.controller import AGAIN_S, Controller
from tests.fakes import FakeClock, fake_ports

SECRET = "my diary says so"
RULES = Rules(hotkeys=(Hotkey("ctrl_r"),), mode=Mode.HOLD, context=("Qwen",))


class Program:
    """A controller with fakes around it."""

    def __init__(self):
        self.clock = FakeClock()
        self.views = []
        self.controller = Controller(self.run, self.views.append, self.clock)
        blocks = [np.full(160, 0.1, np.float32)]
        self.ports = fake_ports(self.controller.post, self.controller.attempt, blocks=blocks, text=SECRET)

    def run(self, effect):
        self.ports.run(effect)

    def configure(self):
        return self.play(Configured(RULES, Choices()))

    def play(self, *events):
        for event in events:
            self.controller.post(event)
        self.controller.run_pending()
        return self

    def wait(self, seconds):
        self.clock.now_s += seconds
        self.controller.run_pending()
        return self

    def dictate(self):
        self.play(KeyDown(0, self.clock())).wait(1)
        return self.play(KeyUp(0, self.clock())).wait(0.1)


def test_a_press_and_a_release_put_the_text_into_the_window():
    program = Program().configure().dictate()
    assert program.ports.inserter.texts == [SECRET]
    assert program.ports.transcriber.begun == [(1, (), ("Qwen",))]
    assert len(program.ports.transcriber.fed) == 1
    assert program.ports.cues.played == ["started", "stopped"]
    assert program.ports.hotkeys.hotkeys == RULES.hotkeys
    assert not program.ports.hotkeys.is_escape_wanted


def test_the_views_tell_the_story_in_order():
    phases = [view.phase for view in Program().configure().dictate().views]
    assert list(dict.fromkeys(phases)) == [Phase.LOADING, Phase.IDLE, Phase.RECORDING, Phase.TRANSCRIBING]
    assert phases[-1] is Phase.IDLE


def test_the_same_view_is_not_shown_twice():
    program = Program().configure()
    before = len(program.views)
    program.play(Ticked(program.clock()), Ticked(program.clock()))
    assert len(program.views) == before


def test_time_that_passes_wakes_the_cycle():
    program = Program().configure().play(Requested(Request.SHOW, 100.0))
    assert len(program.views[-1].notices) == 1
    assert program.wait(NOTICE_S + 0.1).views[-1].notices == ()


@pytest.mark.expects_log
def test_an_effect_that_fails_is_reported_and_the_next_take_works():
    program = Program().configure()
    program.ports.recorder.error = HandyError("No microphone.", "Plug one in.")
    program.dictate()
    assert [notice.title for notice in program.views[-1].notices] == ["No microphone."]
    program.ports.recorder.error = None
    program.dictate()
    assert program.ports.inserter.texts == [SECRET]


@pytest.mark.expects_log
def test_an_effect_that_breaks_is_reported_without_its_details():
    program = Program().configure()
    program.ports.recorder.error = RuntimeError("boom")
    program.dictate()
    assert [notice.title for notice in program.views[-1].notices] == ["Something went wrong."]


@pytest.mark.expects_log
def test_hotkeys_that_cannot_be_set_are_a_lasting_problem():
    program = Program()
    program.ports.hotkeys.error = HandyError("The key is taken.")
    program.configure()
    assert program.views[-1].phase is Phase.PROBLEM


@pytest.mark.expects_log
def test_a_failing_clean_up_of_a_take_that_is_gone_is_only_logged():
    program = Program().configure()
    program.play(Requested(Request.START, 100.0))
    program.ports.transcriber.cancel = None  # calling it raises TypeError
    program.play(Requested(Request.CANCEL, 100.0))
    assert [notice.kind for notice in program.views[-1].notices] == [NoticeKind.INFO]


@pytest.mark.expects_log
def test_nothing_the_user_said_is_logged(caplog):
    caplog.set_level(logging.DEBUG)
    program = Program().configure()
    program.ports.inserter.error = InsertError("It did not work.", InsertReason.NO_FOCUS)
    program.dictate()
    program.play(Requested(Request.COPY_LAST, 100.0))
    assert program.ports.inserter.copied == [SECRET]
    assert caplog.records
    assert SECRET not in caplog.text
    assert "diary" not in caplog.text


@pytest.mark.expects_log
def test_a_broken_listener_or_an_unknown_event_does_not_end_the_cycle():
    def refuse(_view):
        raise RuntimeError("no screen")

    done = []
    controller = Controller(done.append, refuse, FakeClock())
    controller.post("no event")
    controller.post(Configured(RULES, Choices()))
    controller.run_pending()
    assert fx.ListenFor(RULES.hotkeys) in done


@pytest.mark.expects_log
def test_hotkeys_that_fail_after_others_were_chosen_do_not_stay_a_problem():
    program = Program()
    late = []
    program.ports.hotkeys.start = late.append
    program.configure().play(Configured(replace(RULES, hotkeys=(Hotkey("f8"),)), Choices()))

    def fail():
        raise HandyError("No.")

    program.controller.attempt(fx.ListenFor(late[0]), fail)
    program.controller.run_pending()
    assert program.views[-1].phase is Phase.IDLE


@pytest.mark.expects_log
def test_a_view_that_could_not_be_shown_is_shown_with_the_next_event():
    shown, errors = [], [RuntimeError("odd")]

    def show(view):
        if view.notices and errors:
            raise errors.pop()
        shown.append(view)

    controller = Controller(lambda _: None, show, FakeClock())
    for event in (Configured(RULES, Choices()), Noted("One.", ""), Progressed(7)):
        controller.post(event)
    controller.run_pending()
    assert [notice.title for notice in shown[-1].notices] == ["One."]


def test_what_was_shown_last_is_shown_again_when_asked_for():
    program = Program().configure()
    seen = program.views[-1]
    program.views.clear()
    program.controller.show_again()
    program.controller.run_pending()
    assert program.views == [seen]


@pytest.mark.expects_log
def test_a_step_that_fails_whenever_its_time_has_come_does_not_keep_the_thread_busy(monkeypatch):
    program = Program().configure().play(Requested(Request.SHOW, 100.0))
    tried_s = []

    def fail(turn):
        tried_s.append(turn.at_s)
        raise RuntimeError("odd")

    monkeypatch.setattr("handy_qwen.core.dictation._look_at_clock", fail)
    for _ in range(40):
        program.wait(NOTICE_S / 10)
    assert 2 < len(tried_s) < 40
    assert min(np.diff(tried_s)) >= AGAIN_S


@pytest.mark.expects_log
def test_an_event_that_cannot_be_handled_is_reported(monkeypatch):
    program = Program().configure()

    def fail(_turn, _take):
        raise RuntimeError("odd")

    monkeypatch.setattr("handy_qwen.core.delivery.has_text", fail)
    program.dictate()
    assert [notice.title for notice in program.views[-1].notices] == ["Something went wrong."]


def test_the_thread_handles_events_wakes_itself_and_ends():
    stopped = threading.Event()

    def run(effect):
        if isinstance(effect, fx.StopRecording):
            stopped.set()

    controller = Controller(run, lambda _: None)
    controller.start()
    controller.post(Configured(RULES, Choices()))
    controller.post(KeyDown(0, time.monotonic()))
    controller.post(KeyUp(0, time.monotonic()))  # counts only when it is too late to be a bounce
    assert stopped.wait(30)
    controller.stop(30)
    controller.stop(30)
    assert not any(thread.name == "dictation" for thread in threading.enumerate())
