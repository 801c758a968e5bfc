"""What becomes a hotkey of the keys that are pressed until all are up."""

import sys

import pytest

from handy_qwen.core.types import CaptureStep
from handy_qwen.system.hotkeys.chord import SINGLE_KEYS, parse_chord
from handy_qwen.system.hotkeys.tracker import PATIENCE_S, Capture

CODES = {name: code for code, name in enumerate(SINGLE_KEYS)}


class Keys:
    """Presses keys by name; a name in capitals has none for the capture."""

    def __init__(self, held=()):
        self.steps = []
        self.capture = Capture(self.steps.append, 0.0, [CODES[name] for name in held])

    def __call__(self, *moves, at_s=0.0):
        for move in moves:
            name = move[1:]
            code = CODES.get(name, 1000)
            if move[0] == "+":
                self.capture.press(code, name if name in CODES else "", at_s)
            else:
                self.capture.release(code)
        return [(one.step, one.keys) for one in self.steps]


@pytest.mark.parametrize(
    ("moves", "chord"),
    [
        ("+ctrl_r -ctrl_r", "ctrl_r"),
        ("+altgr -altgr", "altgr"),
        ("+ctrl_l +ctrl_r -ctrl_r -ctrl_l", "ctrl_l"),
        ("+super_l +ctrl_r -super_l -ctrl_r", "ctrl+super"),
        ("+f9 -f9", "f9"),
        ("+mouse4 -mouse4", "mouse4"),
        ("+alt_r +ctrl_l +d -ctrl_l -d -alt_r", "ctrl+alt+d"),
        ("+shift_l +f9 -f9 +f8 -shift_l -f8", "shift+f8"),
        ("+a +ctrl_l -a -ctrl_l", "a"),
        ("+NAMELESS +f8 -NAMELESS -f8", "f8"),
    ],
)
def test_all_that_was_held_is_the_hotkey_once_it_is_let_go(moves, chord):
    keys = Keys()
    *_, last = keys(*moves.split())
    assert last[0] is CaptureStep.CHOSEN
    typing = chord == "a"  # which is refused later, in words
    assert last[1] == "A" if typing else str(parse_chord(last[1])) == chord
    assert keys.capture.is_over
    assert keys("+f9", "-f9")[-1] == last, "it is over"


def test_what_is_held_is_shown_and_a_key_without_a_name_is_told():
    keys = Keys()
    assert keys("+ctrl_l", "+ctrl_l", "+d") == [
        (CaptureStep.HOLDING, f"{parse_chord('ctrl_l').label(sys.platform)}+…"),
        (CaptureStep.HOLDING, "Ctrl+D"),
    ]
    keys = Keys()
    assert keys("+shift_l", "+NAMELESS", "-NAMELESS", "-shift_l")[1:] == [(CaptureStep.NAMELESS, "")]
    assert not keys.capture.is_over, "it goes on"


@pytest.mark.parametrize(("key", "step"), [("escape", CaptureStep.OVER), ("backspace", CaptureStep.CLEARED)])
def test_escape_and_backspace_alone_mean_something_and_with_others_are_keys(key, step):
    assert Keys()(f"+{key}", f"-{key}")[-1] == (step, "")
    last = Keys()("+ctrl_l", f"+{key}", f"-{key}", "-ctrl_l")[-1]
    assert (last[0], str(parse_chord(last[1]))) == (CaptureStep.CHOSEN, f"ctrl+{key}")


def test_keys_that_were_down_before_mean_nothing_until_they_come_up():
    keys = Keys(held=["enter"])
    assert keys("+enter", "-enter") == []
    assert keys("+f9", "-f9")[-1] == (CaptureStep.CHOSEN, "F9")


def test_it_ends_when_no_key_came_for_long_and_by_request_once():
    keys = Keys()
    keys("+ctrl_l", at_s=5.0)
    keys.capture.check(PATIENCE_S + 4.9)
    assert not keys.capture.is_over
    keys.capture.check(PATIENCE_S + 5.0)
    keys.capture.end()
    assert keys()[-1:] == [(CaptureStep.OVER, "")]
    assert len(keys.steps) == 2
