"""From keys pressed to the name of a hotkey, on three systems."""

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent

from handy_qwen.system.hotkeys.chord import parse_chord
from handy_qwen.ui.key_cap import Capture, Pressed, pressed


def key(code, *, scan=0, virtual=0, modifiers=Qt.KeyboardModifier.NoModifier):
    return QKeyEvent(QEvent.Type.KeyPress, code, modifiers, scan, virtual, 0)


@pytest.mark.parametrize(
    ("platform", "event", "name"),
    [
        ("linux", key(Qt.Key.Key_Control, virtual=0xFFE4), "ctrl_r"),
        ("linux", key(Qt.Key.Key_Control, virtual=0xFFE3), "ctrl_l"),
        ("linux", key(Qt.Key.Key_AltGr, virtual=0xFE03), "altgr"),
        ("linux", key(Qt.Key.Key_Super_L, virtual=0xFFEB), "super_l"),
        ("win32", key(Qt.Key.Key_Control, scan=0x11D), "ctrl_r"),
        ("win32", key(Qt.Key.Key_Control, scan=0x01D), "ctrl_l"),
        ("win32", key(Qt.Key.Key_Shift, scan=0x036), "shift_r"),
        ("darwin", key(Qt.Key.Key_Alt, virtual=0x3D), "alt_r"),
        ("darwin", key(Qt.Key.Key_Control, virtual=0x37), "super_l"),  # Qt calls Command "Control"
    ],
)
def test_modifiers_are_told_apart_by_their_side(platform, event, name):
    assert pressed(event, platform) == Pressed(modifier=name)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (Qt.Key.Key_F1, "f1"),
        (Qt.Key.Key_F24, "f24"),
        (Qt.Key.Key_D, "d"),
        (Qt.Key.Key_7, "7"),
        (Qt.Key.Key_Space, "space"),
        (Qt.Key.Key_PageDown, "page_down"),
        (Qt.Key.Key_Pause, "pause"),
        (Qt.Key.Key_Menu, "menu"),
    ],
)
def test_keys_have_the_names_of_the_settings(code, name):
    for platform in ("linux", "win32", "darwin"):
        assert pressed(key(code), platform) == Pressed(key=name)
    assert parse_chord(f"ctrl+alt+{name}").key == name


@pytest.mark.parametrize(
    "code", [Qt.Key.Key_Kanji, Qt.Key.Key_Exclam, Qt.Key.Key_unknown, Qt.Key.Key_CapsLock]
)
def test_a_key_without_a_name_is_nothing(code):
    assert pressed(key(code), "linux") == Pressed()


def play(*steps):
    """Steps like "+ctrl_r" and "-ctrl_r"; a key without a modifier's name is another key. What came out."""
    capture, found = Capture(), []
    for step in steps:
        name = step[1:]
        is_modifier = name.partition("_")[0] in {"ctrl", "alt", "altgr", "shift", "super"}
        one = Pressed(modifier=name) if is_modifier else Pressed(key=name)
        found.append(capture.press(one) if step[0] == "+" else capture.release(one))
    return [chord for chord in found if chord]


@pytest.mark.parametrize(
    ("steps", "chord"),
    [
        (("+ctrl_r", "-ctrl_r"), "ctrl_r"),
        (("+f9",), "f9"),
        (("+ctrl_l", "+alt_l", "+d"), "ctrl+alt+d"),
        (("+shift_r", "+ctrl_r", "+f9"), "ctrl+shift+f9"),
        (("+super_l", "+ctrl_l", "-super_l", "-ctrl_l"), "ctrl+super"),
        (("+ctrl_l", "+ctrl_r", "-ctrl_l", "-ctrl_r"), "ctrl_l"),
    ],
)
def test_what_is_pressed_becomes_a_chord(steps, chord):
    assert play(*steps) == [chord]
    assert str(parse_chord(chord)) == chord


def test_a_modifier_held_before_is_not_taken_for_one_that_was_pressed():
    assert play("-ctrl_r", "+f9") == ["f9"]


def test_modifiers_of_a_finished_chord_do_not_become_one_of_their_own():
    assert play("+ctrl_l", "+d", "-ctrl_l") == ["ctrl+d"]


def test_the_modifier_of_a_key_without_a_name_does_not_become_the_hotkey():
    capture = Capture()
    capture.press(Pressed(modifier="ctrl_l"))
    assert capture.press(Pressed()) == ""
    assert capture.release(Pressed(modifier="ctrl_l")) == ""
    assert capture.press(Pressed(modifier="ctrl_l")) == ""
    assert capture.release(Pressed(modifier="ctrl_l")) == "ctrl_l", "pressed anew it does"


@pytest.mark.parametrize(
    ("code", "scan", "platform", "name"),
    [
        (Qt.Key.Key_Tools, 191, "linux", "f13"),
        (0, 202, "linux", "f24"),
        (Qt.Key.Key_MicMute, 198, "linux", "microphone_mute"),
        (Qt.Key.Key_Tools, 191, "win32", ""),
        (Qt.Key.Key_Kanji, 203, "linux", ""),
    ],
)
def test_function_keys_beyond_the_twelfth_are_known_by_their_place(code, scan, platform, name):
    assert pressed(key(code, scan=scan), platform) == Pressed(key=name)


@pytest.mark.parametrize("platform", ["linux", "win32"])
@pytest.mark.parametrize(
    ("code", "name"),
    [(Qt.Key.Key_5, "kp_5"), (Qt.Key.Key_Enter, ""), (Qt.Key.Key_Home, ""), (Qt.Key.Key_Insert, "")],
)
def test_a_key_of_the_keypad_is_not_taken_for_the_one_of_that_name_elsewhere(platform, code, name):
    """Else the hotkey would be a key that was not pressed."""
    assert pressed(key(code, modifiers=Qt.KeyboardModifier.KeypadModifier), platform) == Pressed(key=name)


def test_the_arrow_keys_of_a_mac_are_themselves_though_qt_counts_them_as_keypad():
    modifiers = Qt.KeyboardModifier.KeypadModifier
    assert pressed(key(Qt.Key.Key_Up, modifiers=modifiers), "darwin") == Pressed(key="up")
