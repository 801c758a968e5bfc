"""From keys to takes: each gesture by itself, and what holds for any sequence of events."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.core.events import (
    EscapePressed,
    HotkeysFailed,
    KeyDown,
    KeyJoined,
    KeyUp,
    ModelUnloaded,
    Request,
    Requested,
    Ticked,
)
from handy_qwen.core.gestures import Begin, Cancel, End, Gestures, Lock, Purpose, closed, step
from handy_qwen.core.types import LIMITS, Mode
from handy_qwen.errors import HandyError

AUTO, HOLD, TOGGLE = Mode.AUTO, Mode.HOLD, Mode.TOGGLE
LATE_S = 60.0


class Hands:
    """Plays a sequence of events and wakes the machine whenever it asked for it, as the cycle does."""

    def __init__(self, mode=AUTO):
        self.mode = mode
        self.state = Gestures()
        self.wake_at_s = None
        self.calls = []
        self.times = []

    def send(self, *events):
        for event in events:
            at_s = getattr(event, "at_s", None)
            while at_s is not None and self.wake_at_s is not None and self.wake_at_s < at_s:
                before = self.wake_at_s
                self._step(Ticked(before))
                assert self.wake_at_s is None or self.wake_at_s > before, "woken for nothing, for ever"
            self._step(event)
        return self.calls

    def _step(self, event):
        self.state, calls, self.wake_at_s = step(self.state, event, self.mode)
        self.calls.extend(calls)
        self.times.extend([getattr(event, "at_s", None)] * len(calls))


def tap(at_s, hotkey=0, lasts_s=0.1):
    return KeyDown(hotkey, at_s), KeyUp(hotkey, at_s + lasts_s)


# --- one gesture each ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", list(Mode))
def test_a_take_begins_the_moment_the_key_goes_down(mode):
    assert Hands(mode).send(KeyDown(3, 1.0)) == [Begin(3)]


@pytest.mark.parametrize("mode", [AUTO, HOLD])
def test_letting_go_of_a_held_key_ends_the_take_after_no_more_than_the_bounce_time(mode):
    hands = Hands(mode)
    hands.send(KeyDown(0, 1.0), KeyUp(0, 3.0), Ticked(LATE_S))
    assert hands.calls == [Begin(0), End()]
    assert hands.times[1] == pytest.approx(3.0 + LIMITS.bounce_s)


def test_a_press_of_exactly_the_limit_was_held():
    assert Hands().send(KeyDown(0, 0.0), KeyUp(0, LIMITS.hold_s), Ticked(LATE_S)) == [Begin(0), End()]


def test_a_short_press_in_hold_mode_ends_the_take_all_the_same():
    assert Hands(HOLD).send(*tap(1.0), Ticked(LATE_S)) == [Begin(0), End()]


@pytest.mark.parametrize("mode", [AUTO, TOGGLE])
def test_a_tap_leaves_the_take_open_until_the_next_tap(mode):
    hands = Hands(mode)
    assert hands.send(*tap(1.0), Ticked(LATE_S)) == [Begin(0)]
    assert hands.send(*tap(61.0), Ticked(2 * LATE_S)) == [Begin(0), End()]


def test_a_long_press_in_toggle_mode_leaves_the_take_open():
    assert Hands(TOGGLE).send(KeyDown(0, 1.0), KeyUp(0, 5.0), Ticked(LATE_S)) == [Begin(0)]


def test_a_key_held_instead_of_tapped_ends_a_hands_free_take_before_it_comes_up():
    hands = Hands()
    hands.send(*tap(1.0), KeyDown(0, 10.0), Ticked(10.0 + LIMITS.hold_s))
    assert hands.calls == [Begin(0), End()]
    assert hands.send(KeyUp(0, 12.0), Ticked(LATE_S)) == [Begin(0), End()]
    assert hands.state == Gestures()


def test_a_double_tap_locks_the_take_and_one_more_tap_ends_it():
    hands = Hands()
    assert hands.send(*tap(1.0), *tap(1.3), Ticked(5.0)) == [Begin(0), Lock()]
    assert hands.state.take.is_locked
    assert hands.send(*tap(30.0), Ticked(LATE_S)) == [Begin(0), Lock(), End()]


def test_a_third_tap_soon_after_the_lock_ends_the_take():
    assert Hands().send(*tap(1.0), *tap(1.3), *tap(1.5), Ticked(5.0)) == [Begin(0), Lock(), End()]


def test_there_is_no_double_tap_in_toggle_mode():
    assert Hands(TOGGLE).send(*tap(1.0), *tap(1.3), Ticked(5.0)) == [Begin(0), End()]


def test_a_second_press_that_is_held_is_talk_and_ends_when_let_go():
    hands = Hands()
    hands.send(*tap(1.0), KeyDown(0, 1.3), Ticked(3.0))
    assert hands.calls == [Begin(0)]
    assert hands.send(KeyUp(0, 4.0), Ticked(5.0)) == [Begin(0), End()]


# --- shortcuts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", list(Mode))
def test_a_shortcut_cancels_the_take_its_modifier_began(mode):
    hands = Hands(mode)
    hands.send(KeyDown(0, 1.0), KeyJoined(0, 1.2), KeyJoined(0, 1.4), KeyUp(0, 1.5), Ticked(2.0))
    assert hands.calls == [Begin(0), Cancel()]
    assert hands.state == Gestures()


def test_a_key_that_joins_late_does_not_throw_the_speech_away():
    hands = Hands()
    hands.send(KeyDown(0, 1.0), KeyJoined(0, 1.0 + LIMITS.join_s), KeyUp(0, 9.0), Ticked(LATE_S))
    assert hands.calls == [Begin(0), End()]


@pytest.mark.parametrize("at_s", [1.2, 20.0])
def test_a_shortcut_during_a_hands_free_take_leaves_it_alone(at_s):
    hands = Hands()
    hands.send(*tap(1.0), KeyDown(0, at_s), KeyJoined(0, at_s + 0.1), KeyUp(0, at_s + 0.2), Ticked(30.0))
    assert hands.calls == [Begin(0)]
    assert hands.send(*tap(40.0), Ticked(LATE_S)) == [Begin(0), End()]


def test_a_tap_after_a_shortcut_is_not_the_second_of_two():
    hands = Hands()
    hands.send(*tap(1.0), KeyDown(0, 1.2), KeyJoined(0, 1.21), KeyUp(0, 1.22), *tap(1.3), Ticked(3.0))
    assert hands.calls == [Begin(0), End()]


def test_a_key_that_joins_after_the_release_changes_nothing():
    hands = Hands()
    hands.send(KeyDown(0, 1.0), KeyUp(0, 1.9), KeyJoined(0, 1.91), Ticked(2.0))
    assert hands.calls == [Begin(0), End()]


# --- bounce and lost events ---------------------------------------------------------------------------


def test_a_bouncing_key_is_one_press():
    hands = Hands()
    hands.send(KeyDown(0, 1.0), KeyUp(0, 1.005), KeyDown(0, 1.01))  # as it goes down
    hands.send(KeyUp(0, 4.0), KeyDown(0, 4.008), KeyUp(0, 4.012), Ticked(LATE_S))  # and as it comes up
    assert hands.calls == [Begin(0), End()]
    assert hands.times[1] == pytest.approx(4.012 + LIMITS.bounce_s)


def test_a_release_reported_twice_counts_from_the_first():
    hands = Hands(HOLD)
    hands.send(KeyDown(0, 1.0), KeyUp(0, 2.0), KeyUp(0, 2.02), Ticked(LATE_S))
    assert hands.calls == [Begin(0), End()]
    assert hands.times[1] == pytest.approx(2.0 + LIMITS.bounce_s)


def test_a_release_of_a_key_that_never_went_down_is_ignored():
    assert Hands().send(KeyUp(0, 1.0), KeyJoined(0, 1.1), Ticked(LATE_S)) == []


def test_a_quick_second_press_is_not_taken_for_a_bounce_when_the_wake_up_came_late():
    state, _, _ = step(Gestures(), KeyDown(0, 1.0), HOLD)
    state, _, _ = step(state, KeyUp(0, 2.0), HOLD)
    _, calls, _ = step(state, KeyDown(0, 2.1), HOLD)
    assert calls == (End(), Begin(0))


# --- several hotkeys ----------------------------------------------------------------------------------


def test_another_hotkey_is_ignored_while_one_is_held():
    hands = Hands()
    hands.send(KeyDown(0, 1.0), KeyDown(1, 2.0), KeyUp(0, 3.0), KeyUp(1, 4.0), Ticked(LATE_S))
    assert hands.calls == [Begin(0), End()]
    assert hands.state == Gestures()


def test_another_hotkey_takes_over_from_a_hands_free_take():
    hands = Hands()
    hands.send(*tap(1.0, hotkey=0), KeyDown(1, 5.0), KeyUp(1, 8.0), Ticked(LATE_S))
    assert hands.calls == [Begin(0), End(), Begin(1), End()]


# --- requests, escape, failures -----------------------------------------------------------------------


def test_requests_open_and_close_takes():
    def ask(what, at_s):
        return Requested(what, at_s)

    hands = Hands()
    hands.send(ask(Request.START, 1), ask(Request.START, 2), ask(Request.STOP, 3), ask(Request.STOP, 4))
    assert hands.calls == [Begin(None), End()]
    hands.send(ask(Request.TOGGLE, 5), ask(Request.TOGGLE, 6), ask(Request.CANCEL, 7))
    assert hands.calls[2:] == [Begin(None), End()]
    hands.send(ask(Request.START, 8), ask(Request.CANCEL, 9), ask(Request.COPY_LAST, 10))
    assert hands.calls[4:] == [Begin(None), Cancel()]


@pytest.mark.parametrize("hotkey", [0, 1])
def test_a_tap_of_any_hotkey_ends_a_take_that_was_asked_for(hotkey):
    hands = Hands()
    hands.send(Requested(Request.START, 1.0), *tap(1.1, hotkey), Ticked(LATE_S))
    assert hands.calls == [Begin(None), End()]


def test_a_key_still_held_when_its_take_was_stopped_means_nothing_until_pressed_anew():
    hands = Hands()
    hands.send(KeyDown(0, 1.0), Requested(Request.STOP, 2.0), KeyJoined(0, 2.5), KeyUp(0, 3.0), Ticked(4.0))
    assert hands.calls == [Begin(0), End()]
    hands.send(KeyDown(0, 5.0))
    assert hands.calls == [Begin(0), End(), Begin(0)]


def test_escape_cancels_an_open_take_and_nothing_else():
    hands = Hands()
    assert hands.send(EscapePressed(0.5)) == []
    assert hands.send(KeyDown(0, 1.0), EscapePressed(2.0), KeyUp(0, 3.0), Ticked(4.0)) == [Begin(0), Cancel()]


def test_a_take_that_ended_by_itself_leaves_nothing_behind():
    hands = Hands()
    hands.send(KeyDown(0, 1.0))
    hands.state = closed(hands.state)
    assert hands.send(KeyUp(0, 2.0), Ticked(3.0)) == [Begin(0)]
    assert hands.send(KeyDown(0, 4.0)) == [Begin(0), Begin(0)]


def test_when_the_listener_dies_the_take_of_a_key_ends_and_that_of_a_request_goes_on():
    dead = HotkeysFailed(HandyError("Gone."))
    hands = Hands()
    assert hands.send(KeyDown(0, 1.0), dead) == [Begin(0), End()]
    assert hands.state == Gestures()
    assert hands.send(Requested(Request.START, 2.0), KeyDown(0, 2.5), dead) == [Begin(0), End(), Begin(None)]
    assert hands.state.press is None
    assert hands.state.down == frozenset()


def test_other_events_pass_by():
    assert step(Gestures(), ModelUnloaded(), AUTO) == (Gestures(), (), None)


# --- what holds for any sequence ----------------------------------------------------------------------

HOTKEYS = st.integers(0, 2)
EVENTS = st.one_of(
    st.tuples(st.just(KeyDown), HOTKEYS),
    st.tuples(st.just(KeyUp), HOTKEYS),
    st.tuples(st.just(KeyJoined), HOTKEYS),
    st.tuples(st.just(Requested), st.sampled_from(list(Request))),
    st.tuples(st.just(EscapePressed)),
    st.tuples(st.just(Ticked)),
    st.just((HotkeysFailed, HandyError("Gone."))),
)
PAUSES_S = st.sampled_from([0.0, 0.005, 0.02, 0.05, 0.1, 0.25, 0.4, 1.5])
HISTORIES = st.lists(st.tuples(EVENTS, PAUSES_S), max_size=40)


def play(history, mode):
    hands, now_s = Hands(mode), 100.0
    for (kind, *facts), pause_s in history:
        now_s += pause_s
        hands.send(kind(*facts) if kind is HotkeysFailed else kind(*facts, now_s))
    return hands, now_s


@settings(max_examples=400)
@given(history=HISTORIES, mode=st.sampled_from(list(Mode)))
def test_takes_begin_and_end_in_turn(history, mode):
    hands, _ = play(history, mode)
    is_open = is_locked = False
    for call in hands.calls:
        match call:
            case Begin():
                assert not is_open
                is_open, is_locked = True, False
            case Lock():
                assert is_open
                assert not is_locked, "locked twice"
                is_locked = True
            case _:
                assert is_open
                is_open = False
    assert is_open == (hands.state.take is not None)
    assert (hands.state.take is not None and hands.state.take.is_locked) == (is_open and is_locked)


@settings(max_examples=400)
@given(history=HISTORIES, mode=st.sampled_from(list(Mode)))
def test_every_take_can_be_ended_by_its_own_key(history, mode):
    hands, now_s = play(history, mode)
    hands.send(*(KeyUp(hotkey, now_s) for hotkey in range(3)), Ticked(now_s + 5))
    assert hands.state.down == frozenset()
    assert hands.state.press is None
    if hands.state.take is not None:
        hands.send(*tap(now_s + 10, hands.state.take.hotkey or 0), Ticked(now_s + 20))
    assert hands.state == Gestures()
    assert hands.wake_at_s is None


@settings(max_examples=400)
@given(history=HISTORIES, mode=st.sampled_from(list(Mode)))
def test_a_press_that_means_something_belongs_to_a_key_that_is_down_and_to_an_open_take(history, mode):
    state = play(history, mode)[0].state
    if state.press is not None:
        assert state.take is not None
        assert state.press.hotkey in state.down
        if state.press.purpose is not Purpose.END:
            assert state.press.hotkey == state.take.hotkey
    assert {hotkey for hotkey, _ in state.releases} <= state.down


@settings(max_examples=200)
@given(history=HISTORIES, held_s=st.floats(LIMITS.hold_s + 0.001, 600), mode=st.sampled_from([AUTO, HOLD]))
def test_speech_held_for_long_is_never_thrown_away_but_on_request(history, held_s, mode):
    hands, now_s = play(history, mode)
    hands.send(*(KeyUp(hotkey, now_s) for hotkey in range(3)), Requested(Request.STOP, now_s + 1))
    hands.calls.clear()
    hands.send(KeyDown(0, now_s + 2), KeyUp(0, now_s + 2 + held_s), Ticked(now_s + 1000))
    assert hands.calls == [Begin(0), End()]
