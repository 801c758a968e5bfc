"""From keys to hotkeys: what completes a chord, what ends it, what joins it, and what was missed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.core.events import EscapePressed, KeyDown, KeyJoined, KeyUp, LockPressed
from handy_qwen.system.hotkeys.tracker import STALE_S, Binding, Tracker

CTRL_L, CTRL_R, SHIFT, ALT, ESCAPE, D, F9, BUTTON = 1, 2, 3, 4, 9, 10, 19, -1
CTRL = frozenset({CTRL_L, CTRL_R})
RIGHT_CTRL = Binding(0, (frozenset({CTRL_R}),))
CTRL_D = Binding(1, (CTRL,), frozenset({D}))
PLAIN_F9 = Binding(2, (), frozenset({F9}))
CTRL_ALT = Binding(3, (CTRL, frozenset({ALT})))
KEYS = (CTRL_L, CTRL_R, SHIFT, ALT, ESCAPE, D, F9, BUTTON)


class Keyboard:
    """A keyboard whose real state may differ from what is reported."""

    def __init__(self, *bindings):
        self.really_down = set()
        self.tracker = Tracker(
            bindings,
            modifiers=frozenset({CTRL_L, CTRL_R, SHIFT, ALT}),
            escape=frozenset({ESCAPE}),
            is_down=self.really_down.__contains__,
        )

    def press(self, code, at_s=0.0):
        self.really_down.add(code)
        return self.tracker.press(code, at_s)

    def release(self, code, at_s=0.0):
        self.really_down.discard(code)
        return self.tracker.release(code, at_s)

    def play(self, *codes):
        """Positive steps press; a code inside a tuple is let go."""
        events = []
        for code in codes:
            events += self.release(code[0]) if isinstance(code, tuple) else self.press(code)
        return events


def down(hotkey):
    return KeyDown(hotkey, 0)


def up(hotkey):
    return KeyUp(hotkey, 0)


@pytest.mark.parametrize(
    ("bindings", "steps", "events"),
    [
        # repeats are one press
        ([PLAIN_F9], [F9, F9, F9, (F9,), F9], [down(2), up(2), down(2)]),
        # with one modifier more it is another chord
        *(([CTRL_D, PLAIN_F9], [extra, CTRL_L, D, F9], []) for extra in (SHIFT, ALT)),
        # the key before its modifier is no chord, and the other side is another key
        ([CTRL_D], [D, CTRL_L], []),
        ([RIGHT_CTRL], [CTRL_L], []),
        # a lone modifier goes down among ordinary keys, but not among other modifiers or in a drag
        ([RIGHT_CTRL], [D, CTRL_R], [down(0)]),
        ([RIGHT_CTRL], [SHIFT, CTRL_R], []),
        ([RIGHT_CTRL], [BUTTON, CTRL_R], []),
        ([PLAIN_F9], [BUTTON, F9], [down(2)]),
        # what goes down beside a lone modifier joins it once, and nothing joins a chord that has a key
        *(
            ([RIGHT_CTRL], [CTRL_R, other, (other,), F9, (CTRL_R,)], [down(0), KeyJoined(0, 0), up(0)])
            for other in (D, SHIFT, BUTTON)
        ),
        ([PLAIN_F9], [F9, D, BUTTON], [down(2)]),
        # a chord that begins with a lone hotkey takes over from it
        ([RIGHT_CTRL, CTRL_D], [CTRL_R, D], [down(0), KeyJoined(0, 0), down(1)]),
        # two modifiers make a lone hotkey in either order
        ([CTRL_ALT], [CTRL_L, ALT, (CTRL_L,)], [down(3), up(3)]),
        ([CTRL_ALT], [ALT, CTRL_R, (ALT,)], [down(3), up(3)]),
    ],
)
def test_what_completes_a_hotkey_what_joins_it_and_what_ends_it(bindings, steps, events):
    assert Keyboard(*bindings).play(*steps) == events


def test_with_latched_modifiers_a_key_is_the_hotkey_that_they_make_of_it():
    keyboard = Keyboard(RIGHT_CTRL, CTRL_D, PLAIN_F9)
    assert keyboard.tracker.press(D, 0.0, latched=1) == [KeyDown(1, 0)]
    assert keyboard.tracker.press(D, 0.0, latched=-1) == [], "a repeat; the latch is used up by then"
    assert keyboard.play(CTRL_L, (CTRL_L,)) == [], "modifiers hold nothing here"
    assert keyboard.play((D,)) == [KeyUp(1, 0)]
    assert keyboard.tracker.press(F9, 0.0, latched=-1) == [], "with them it is another chord"
    assert keyboard.play((F9,), F9) == [KeyDown(2, 0)]
    assert keyboard.tracker.press(CTRL_R, 0.0, latched=-1) == [KeyDown(0, 0)], "a lone one is itself"


@pytest.mark.parametrize("first", [CTRL_L, CTRL_R, D])
def test_any_member_ends_a_chord(first):
    keyboard = Keyboard(CTRL_D)
    assert keyboard.play(CTRL_L, D) == [KeyDown(1, 0)]
    keyboard.play(CTRL_R)
    assert keyboard.play((first,)) == ([KeyUp(1, 0)] if first == D else [])
    assert keyboard.play((CTRL_L,), (CTRL_R,)) == ([] if first == D else [KeyUp(1, 0)])


def test_escape_is_reported_while_watched_and_only_by_itself_or_with_the_hotkey():
    keyboard = Keyboard(RIGHT_CTRL)
    assert keyboard.play(ESCAPE, (ESCAPE,)) == []
    keyboard.tracker.is_escape_watched = True
    assert keyboard.play(ESCAPE, (ESCAPE,)) == [EscapePressed(0)]
    assert keyboard.play(ALT, ESCAPE, (ESCAPE,), (ALT,)) == []
    assert keyboard.play(CTRL_R, ESCAPE) == [KeyDown(0, 0), KeyJoined(0, 0), EscapePressed(0)]


def test_a_missed_release_is_found():
    keyboard = Keyboard(RIGHT_CTRL)
    keyboard.press(CTRL_R)
    assert keyboard.tracker.reconcile(1.0) == []
    keyboard.really_down.clear()
    assert keyboard.tracker.is_hotkey_down
    assert keyboard.tracker.reconcile(2.0) == [KeyUp(0, 2.0)]
    assert not keyboard.tracker.is_hotkey_down


def test_a_key_pressed_anew_since_the_state_was_asked_is_not_let_go():
    keyboard = Keyboard(PLAIN_F9)
    keyboard.press(F9, 1.0)
    keyboard.really_down.clear()
    missing = keyboard.tracker.missing(1.5)
    keyboard.release(F9, 1.6)
    keyboard.press(F9, 1.7)
    assert keyboard.tracker.forget(missing, 1.8) == []
    assert keyboard.tracker.is_hotkey_down


@pytest.mark.parametrize(("age_s", "is_doubted"), [(STALE_S, True), (STALE_S / 2, False)])
def test_only_an_old_press_that_stands_in_the_way_is_doubted(age_s, is_doubted):
    keyboard = Keyboard(RIGHT_CTRL)
    keyboard.press(SHIFT, 0.0)
    keyboard.really_down.clear()
    assert keyboard.press(CTRL_R, age_s) == ([KeyDown(0, age_s)] if is_doubted else [])


def test_a_missed_release_does_not_keep_escape_from_cancelling():
    keyboard = Keyboard(RIGHT_CTRL)
    keyboard.tracker.is_escape_watched = True
    keyboard.press(ALT, 0.0)
    keyboard.really_down.clear()
    assert keyboard.press(ESCAPE, 5.0) == [EscapePressed(5.0)]


def test_modifiers_held_when_listening_begins_count():
    keyboard = Keyboard(CTRL_D)
    keyboard.tracker.assume([CTRL_L], 0.0)
    assert keyboard.play(D) == [KeyDown(1, 0)]


def test_letting_go_ends_every_hotkey():
    keyboard = Keyboard(PLAIN_F9, RIGHT_CTRL)
    keyboard.play(F9, CTRL_R)
    assert keyboard.tracker.hotkeys_down == (2, 0)
    assert keyboard.tracker.release_all(3.0) == [KeyUp(2, 3.0), KeyUp(0, 3.0)]
    assert keyboard.tracker.release_all(4.0) == []


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.booleans(), st.booleans()), max_size=60))
def test_every_hotkey_goes_down_and_up_in_turn_and_ends_up_when_nothing_is_held(steps):
    keyboard = Keyboard(RIGHT_CTRL, CTRL_D, PLAIN_F9, CTRL_ALT)
    keyboard.tracker.is_escape_watched = True
    events = []
    for at_s, (code, is_press, is_lost) in enumerate(steps):
        if is_press:
            events += keyboard.press(code, at_s)
        elif is_lost:
            keyboard.really_down.discard(code)
        else:
            events += keyboard.release(code, at_s)
    keyboard.really_down.clear()
    events += keyboard.tracker.reconcile(len(steps))
    down = set()
    for event in events:
        match event:
            case KeyDown():
                assert event.hotkey not in down
                down.add(event.hotkey)
            case KeyUp():
                down.remove(event.hotkey)
            case KeyJoined():
                assert event.hotkey in down
    assert not down
    assert not keyboard.tracker.is_hotkey_down


def test_a_touch_is_any_key_or_button_but_hotkeys_modifiers_and_the_escape_that_cancels():
    keyboard = Keyboard(RIGHT_CTRL, PLAIN_F9)
    for code in (CTRL_R, F9, SHIFT):
        keyboard.press(code, at_s=5.0)
        keyboard.release(code)
    keyboard.tracker.is_escape_watched = True
    keyboard.press(ESCAPE, at_s=6.0)
    assert keyboard.tracker.touched_s < 0
    keyboard.release(ESCAPE)
    keyboard.tracker.is_escape_watched = False
    for at_s, code in enumerate((D, BUTTON, ESCAPE), 10):
        keyboard.press(code, at_s)
        keyboard.release(code)
        assert keyboard.tracker.touched_s == at_s
    keyboard.press(CTRL_R, at_s=20.0)
    keyboard.press(D, at_s=21.0)
    assert keyboard.tracker.touched_s == 21.0, "a shortcut may change the text"


def test_the_key_that_locks_joins_no_hotkey_while_it_is_watched():
    keyboard = Keyboard(RIGHT_CTRL, PLAIN_F9)
    assert keyboard.play(CTRL_R, D, (D,), (CTRL_R,)) == [down(0), KeyJoined(0, 0), up(0)]
    keyboard.tracker.lock = frozenset({D})
    assert keyboard.play(D, (D,)) == [], "without a hotkey it is a key like any other"
    assert keyboard.play(CTRL_R, D, (D,), (CTRL_R,)) == [down(0), LockPressed(0), up(0)]
    assert keyboard.play(F9, D, (D,), (F9,)) == [down(2), LockPressed(0), up(2)]
    assert keyboard.play(CTRL_R, SHIFT, D, (D,), (SHIFT,), (CTRL_R,)) == [down(0), KeyJoined(0, 0), up(0)]


def test_a_modifier_that_was_missed_makes_the_chord_and_two_do_not():
    really_down = {ALT}
    ctrl_alt_d = Binding(0, (CTRL, frozenset({ALT})), frozenset({D}))
    tracker = Tracker(
        [ctrl_alt_d],
        modifiers=frozenset({CTRL_L, CTRL_R, SHIFT, ALT}),
        escape=frozenset({ESCAPE}),
        is_down=really_down.__contains__,
        was_missed=really_down.__contains__,
    )
    tracker.press(CTRL_L, 0)
    assert tracker.press(D, 0) == [down(0)]
    tracker.release_all(0)
    really_down.add(CTRL_L)
    assert tracker.press(D, 0) == []
