"""Time and the cycle: after any event the next wake-up lies ahead, and time alone ends every take."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.core import effects as fx
from handy_qwen.core import events as ev
from handy_qwen.core.dictation import step
from handy_qwen.core.events import Request
from handy_qwen.core.gestures import wake_at_s
from handy_qwen.core.recovery import TRANSCRIBING_S
from handy_qwen.core.state import Dictation, Stage
from handy_qwen.core.types import Limits, Mode
from handy_qwen.core.view import Choices, NoticeKind, Phase
from tests.dictation import KEYS, RULES, TAKES, UNTIMED, Desk

HOUR_S = 3600.0
MOST_WAKE_UPS = 150  # without anything else happening: some deadlines for each take and each notice


def test_a_take_whose_longest_time_passed_while_the_machine_slept_ends_and_is_transcribed():
    desk = Desk().down().begun(1)
    desk.oversleep(8 * HOUR_S)
    assert desk.done(fx.StopRecording) == [fx.StopRecording(1)]
    assert desk.recorded(1).done(fx.Transcribe) == [fx.Transcribe(1)]


def test_a_sleep_that_the_clock_does_not_count_is_part_of_the_take():
    desk = Desk().down().begun(1).play(ev.Slept(RULES.max_take_s - 10)).wait(5)
    assert desk.done(fx.StopRecording) == []
    assert desk.wait(6).done(fx.StopRecording) == [fx.StopRecording(1)]


def test_a_sleep_makes_nobody_late_who_was_to_answer():
    desk = Desk().say(1).play(ev.Slept(8 * HOUR_S)).wait(60)
    assert desk.notices == []
    assert desk.hear(1, "Hello.").inserted == ["Hello."]


def test_a_text_is_awaited_as_long_as_the_engine_moves_and_no_longer():
    desk = Desk().say(1).keep(1, 10)
    for _ in range(20):
        desk.wait(0.9 * TRANSCRIBING_S).play(ev.Progressed(1))
    assert desk.view.phase is Phase.TRANSCRIBING
    desk.wait(TRANSCRIBING_S + 1)
    assert [one.kind for one in desk.view.notices] == [NoticeKind.FAILED]
    assert "saved" in desk.view.notices[0].hint
    assert desk.done(fx.CancelTranscription) == [fx.CancelTranscription(1)]
    assert [one.take for one in desk.done(fx.KeepFailure)] == [1]
    assert desk.now.takes == ()
    assert desk.ask(Request.RETRY).done(fx.Replay)[0].entry == 10


def test_a_take_is_not_late_while_the_engine_is_at_work_on_another_or_loads_its_model():
    desk = Desk().say(1).say(2).wait(0.9 * TRANSCRIBING_S).play(ev.ModelLoading("m"))
    desk.wait(0.9 * TRANSCRIBING_S).hear(1, "One.").wait(0.9 * TRANSCRIBING_S)
    assert [take.number for take in desk.now.takes if take.stage is Stage.TRANSCRIBING] == [2]


def test_a_take_tried_again_while_another_is_spoken_is_not_late_before_the_engine_comes_to_it():
    desk = Desk(replace(RULES, max_take_s=7200.0, silence_s=0.0)).say(1).keep(1, 10)
    desk.fail(1).ask(Request.START).begun(2)
    desk.ask(Request.RETRY).replayed(3)
    desk.wait(1.5 * TRANSCRIBING_S)
    assert desk.done(fx.CancelTranscription) == [fx.CancelTranscription(1)]
    desk.ask(Request.CANCEL).wait(0.9 * TRANSCRIBING_S)
    assert [take.number for take in desk.now.takes] == [3]
    assert desk.wait(0.2 * TRANSCRIBING_S).now.takes == ()


def test_a_model_that_does_not_load_is_reported_until_it_is_there():
    desk = Desk().play(ev.ModelLoading("m")).wait(TRANSCRIBING_S - 1)
    assert desk.view.phase is Phase.LOADING
    desk.wait(2)
    assert desk.view.phase is Phase.PROBLEM
    assert "won't load" in desk.view.notices[0].title
    desk.play(ev.ModelReady("m", ()))
    assert (desk.view.phase, desk.notices) == (Phase.IDLE, [])


@pytest.mark.parametrize("mode", Mode)
def test_a_key_that_goes_up_while_an_effect_blocks_still_ends_its_take(mode):
    desk = Desk(replace(RULES, mode=mode)).down().begun(1).wait(1)
    desk.play(ev.KeyUp(0, desk.at_s))
    desk.oversleep(2.5)
    assert (desk.view.phase is Phase.RECORDING) == (mode is Mode.TOGGLE)
    assert wake_at_s(desk.now.gestures, desk.now.rules.limits) is None


# --- for any sequence of events and any clock ---------------------------------------------------------

RULES_OF_SOMEBODY = st.builds(
    lambda mode, silence_s, max_take_s, hold_s: replace(
        RULES, mode=mode, silence_s=silence_s, max_take_s=max_take_s, limits=Limits(hold_s=hold_s)
    ),
    st.sampled_from(Mode),
    st.sampled_from([0.0, 0.01, 20.0]),
    st.sampled_from([5.0, 900.0, 7200.0]),
    st.sampled_from([0.1, 0.3, 2.0]),
)
TIMED = st.one_of(  # made of the time at which they happened, which may be a while before they are handled
    st.builds(lambda key, by: lambda at_s: ev.KeyDown(key, at_s, is_injected=by), KEYS, st.booleans()),
    st.builds(lambda key: lambda at_s: ev.KeyUp(key, at_s), KEYS),
    st.builds(lambda key: lambda at_s: ev.KeyJoined(key, at_s), KEYS),
    st.just(ev.EscapePressed),
    st.just(ev.Ticked),
    st.builds(lambda what: lambda at_s: ev.Requested(what, at_s), st.sampled_from(Request)),
    st.builds(lambda take: lambda at_s: ev.Heard(take, at_s), TAKES),
)
CONFIGURED = st.builds(lambda rules: lambda _at_s: ev.Configured(rules, Choices()), RULES_OF_SOMEBODY)
PASSES_S = st.sampled_from([0.0, 0.001, 0.02, 0.4, 2.5, 61.0, 8 * HOUR_S])
LAGS_S = st.sampled_from([0.0, 0.001, 0.05, 3.0])
STEPS = st.lists(
    st.tuples(st.one_of(TIMED, UNTIMED.map(lambda event: lambda _at_s: event), CONFIGURED), PASSES_S, LAGS_S),
    max_size=30,
)


def advanced(now, event, at_s):
    """One step, after which the next wake-up must lie ahead."""
    now, _ = step(now, event, at_s)
    assert now.wake_at_s is None or now.wake_at_s > at_s, "it would be woken again at once, for ever"
    return now


@settings(max_examples=400)
@given(RULES_OF_SOMEBODY, STEPS)
def test_after_any_event_the_next_wake_up_lies_ahead_and_time_alone_ends_every_take(rules, steps):
    now, at_s = advanced(Dictation(), ev.Configured(rules, Choices()), 100.0), 100.0
    for make, passes_s, lag_s in steps:
        at_s += passes_s
        now = advanced(now, make(at_s - lag_s), at_s)
    for _ in range(MOST_WAKE_UPS):  # every part of the program is silent from now on
        if now.wake_at_s is None:
            break
        at_s = now.wake_at_s
        now = advanced(now, ev.Ticked(at_s), at_s)
    assert now.wake_at_s is None, "it goes on waking itself"
    assert now.takes == (), "a take waits for ever"
    assert all(one.is_lasting for one in now.notices)
