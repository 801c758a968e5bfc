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
from handy_qwen.core.gestures import Begin, Cancel, End, Gestures, Purpose, closed, step, wake_at_s
from handy_qwen.core.types import Limits, Mode
from handy_qwen.errors import HandyError

LIMITS = Limits()
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
        self.state, calls = step(self.state, event, self.mode, LIMITS)
        self.wake_at_s = wake_at_s(self.state, LIMITS)
        self.calls.extend(calls)
        self.times.extend([getattr(event, "at_s", None)] * len(calls))


def tap(at_s, hotkey=0, lasts_s=0.1):
    return KeyDown(hotkey, at_s), KeyUp(hotkey, at_s + lasts_s)


# --- keys -------------------------------------------------------------------------------------------

# Name: modes, keys, calls. Of the keys "0+1" is hotkey 0 going down at 1 s, "0-1" its coming up, and "0*1" a
# key that joins it; a late wake-up follows. Of the calls "0" begins a take for it, "." ends, "x" cancels it.
GESTURES = {
    "a take begins the moment the key goes down": (Mode, "0+1", "0"),
    "a held key ends the take when it is released": ([AUTO, HOLD], "0+1 0-3", "0."),
    "a press of exactly the limit was held": ([AUTO], "0+0 0-0.3", "0."),
    "a short press in hold mode ends the take all the same": ([HOLD], "0+1 0-1.1", "0."),
    "a tap leaves the take open": ([AUTO, TOGGLE], "0+1 0-1.1", "0"),
    "the next tap ends it": ([AUTO, TOGGLE], "0+1 0-1.1 0+40 0-40.1", "0."),
    "a long press in toggle mode leaves the take open": ([TOGGLE], "0+1 0-5", "0"),
    "a key held instead of tapped ends a hands-free take": ([AUTO], "0+1 0-1.1 0+10 0-12", "0."),
    "a third tap ends a take that two have locked": ([AUTO], "0+1 0-1.1 0+1.3 0-1.4 0+1.5 0-1.6", "0."),
    "a locked take goes on": ([AUTO], "0+1 0-1.1 0+1.3 0-1.4", "0"),
    "there is no double tap in toggle mode": ([TOGGLE], "0+1 0-1.1 0+1.3 0-1.4", "0."),
    "a second press that is held is speech until it is released": ([AUTO], "0+1 0-1.1 0+1.3 0-4", "0."),
    "a shortcut cancels the take its modifier began": (Mode, "0+1 0*1.2 0*1.4 0-1.5", "0x"),
    "a key that joins late does not discard the speech": ([AUTO], "0+1 0*2 0-9", "0."),
    "a shortcut leaves a take alone that a tap just opened": (
        [AUTO],
        "0+1 0-1.1 0+1.2 0*1.3 0-1.4 !",
        "0",
    ),
    "a shortcut leaves a hands-free take alone": ([AUTO], "0+1 0-1.1 0+20 0*20.1 0-20.2", "0"),
    "a tap ends that take": ([AUTO], "0+1 0-1.1 0+20 0*20.1 0-20.2 0+40 0-40.1", "0."),
    "a tap after a shortcut is no second of two": (
        [AUTO],
        "0+1 0-1.1 0+1.2 0*1.21 0-1.22 0+1.3 0-1.4 !",
        "0.",
    ),
    "a key that joins after the release changes nothing": ([AUTO], "0+1 0-1.9 0*1.91", "0."),
    "a bounce as the key goes down is no release": ([AUTO], "0+1 0-1.005 0+1.01 0-4", "0."),
    "a release of a key that never went down is ignored": ([AUTO], "0-1 0*1.1", ""),
    "another hotkey is ignored while one is held": ([AUTO], "0+1 1+2 0-3 1-4", "0."),
    "another hotkey takes over from a hands-free take": ([AUTO], "0+1 0-1.1 1+5 1-8", "0.1."),
}


@pytest.mark.parametrize("name", GESTURES)
def test_what_keys_mean(name):
    modes, keys, calls = GESTURES[name]
    kinds = {"+": KeyDown, "-": KeyUp, "*": KeyJoined}
    played = [
        Ticked(LATE_S) if one == "!" else kinds[one[1]](int(one[0]), float(one[2:])) for one in keys.split()
    ]
    meant = {".": End(), "x": Cancel()}
    expected = [meant.get(one) or Begin(int(one)) for one in calls]
    for mode in modes:
        assert Hands(mode).send(*played, Ticked(LATE_S)) == expected, mode


def test_the_end_of_a_take_waits_no_longer_than_a_bounce_may_last():
    hands = Hands(HOLD)
    hands.send(KeyDown(0, 1.0), KeyUp(0, 4.0), KeyDown(0, 4.008), KeyUp(0, 4.012), Ticked(LATE_S))
    assert hands.calls == [Begin(0), End()]
    assert hands.times[1] == pytest.approx(4.012 + LIMITS.bounce_s)


def test_a_release_reported_twice_counts_from_the_first():
    hands = Hands(HOLD)
    hands.send(KeyDown(0, 1.0), KeyUp(0, 2.0), KeyUp(0, 2.02), Ticked(LATE_S))
    assert hands.calls == [Begin(0), End()]
    assert hands.times[1] == pytest.approx(2.0 + LIMITS.bounce_s)


def test_a_key_held_instead_of_tapped_ends_a_hands_free_take_before_it_comes_up():
    hands = Hands()
    assert hands.send(*tap(1.0), KeyDown(0, 10.0), Ticked(10.0 + LIMITS.hold_s)) == [Begin(0), End()]


def test_a_double_tap_locks_the_take():
    hands = Hands()
    hands.send(*tap(1.0), *tap(1.3), Ticked(5.0))
    assert hands.state.take.is_locked


def test_a_quick_second_press_is_not_taken_for_a_bounce_when_the_wake_up_came_late():
    state, _ = step(Gestures(), KeyDown(0, 1.0), HOLD, LIMITS)
    state, _ = step(state, KeyUp(0, 2.0), HOLD, LIMITS)
    _, calls = step(state, KeyDown(0, 2.1), HOLD, LIMITS)
    assert calls == (End(), Begin(0))


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
    assert step(Gestures(), ModelUnloaded(), AUTO, LIMITS) == (Gestures(), ())


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
    is_open = False
    for call in hands.calls:
        match call:
            case Begin():
                assert not is_open
                is_open = True
            case _:
                assert is_open
                is_open = False
    assert is_open == (hands.state.take is not None)


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
