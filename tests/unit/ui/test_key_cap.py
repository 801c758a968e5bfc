"""From keys pressed to the name of a hotkey, on three systems."""

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent

from handy_qwen.system.hotkeys.chord import parse_chord
from handy_qwen.ui.key_cap import Capture, Pressed, pressed

KEY, KEYPAD = Qt.Key, Qt.KeyboardModifier.KeypadModifier
EVERYWHERE = ("linux", "win32", "darwin")


def key(code, *, scan=0, virtual=0, modifiers=Qt.KeyboardModifier.NoModifier):
    return QKeyEvent(QEvent.Type.KeyPress, code, modifiers, scan, virtual, 0)


@pytest.mark.parametrize(
    ("platform", "event", "name"),
    [
        ("linux", key(KEY.Key_Control, virtual=0xFFE4), "ctrl_r"),
        ("linux", key(KEY.Key_Control, virtual=0xFFE3), "ctrl_l"),
        ("linux", key(KEY.Key_AltGr, virtual=0xFE03), "altgr"),
        ("linux", key(KEY.Key_Super_L, virtual=0xFFEB), "super_l"),
        ("win32", key(KEY.Key_Control, scan=0x11D), "ctrl_r"),
        ("win32", key(KEY.Key_Control, scan=0x01D), "ctrl_l"),
        ("win32", key(KEY.Key_Shift, scan=0x036), "shift_r"),
        ("darwin", key(KEY.Key_Alt, virtual=0x3D), "alt_r"),
        ("darwin", key(KEY.Key_Control, virtual=0x37), "super_l"),  # Qt calls Command "Control"
    ],
)
def test_modifiers_are_told_apart_by_their_side(platform, event, name):
    assert pressed(event, platform) == Pressed(modifier=name)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        *((KEY.Key_F1, "f1"), (KEY.Key_F24, "f24"), (KEY.Key_D, "d"), (KEY.Key_7, "7")),
        *((KEY.Key_Space, "space"), (KEY.Key_PageDown, "page_down"), (KEY.Key_ScrollLock, "scroll_lock")),
        *((KEY.Key_Pause, "pause"), (KEY.Key_Menu, "menu"), (KEY.Key_MediaNext, "media_next")),
    ],
)
def test_keys_have_the_names_of_the_settings(code, name):
    assert [pressed(key(code), platform) for platform in EVERYWHERE] == [Pressed(key=name)] * 3
    assert parse_chord(f"ctrl+alt+{name}").key == name


@pytest.mark.parametrize(
    ("event", "platforms", "name"),
    [
        # A key without a name is nothing.
        *((key(code), ("linux",), "") for code in (KEY.Key_Kanji, KEY.Key_Exclam, KEY.Key_CapsLock)),
        (key(KEY.Key_unknown), ("linux",), ""),
        # Function keys beyond the twelfth are known by their place.
        (key(KEY.Key_Tools, scan=191), ("linux",), "f13"),
        (key(0, scan=202), ("linux",), "f24"),
        (key(KEY.Key_MicMute, scan=198), ("linux",), "microphone_mute"),
        (key(KEY.Key_Tools, scan=191), ("win32",), ""),
        (key(KEY.Key_Kanji, scan=203), ("linux",), ""),
        # A key of the keypad is not the one of that name elsewhere: else another would be the hotkey.
        (key(KEY.Key_5, modifiers=KEYPAD), ("linux", "win32"), "kp_5"),
        (key(KEY.Key_Enter, modifiers=KEYPAD), ("linux", "win32"), ""),
        (key(KEY.Key_Home, modifiers=KEYPAD), ("linux", "win32"), ""),
        # But on a Mac Qt counts the arrow keys as keypad.
        (key(KEY.Key_Up, modifiers=KEYPAD), ("darwin",), "up"),
    ],
)
def test_keys_with_names_of_their_own_or_none(event, platforms, name):
    assert all(pressed(event, platform) == Pressed(key=name) for platform in platforms)


def play(*steps):
    """Steps like "+ctrl_r" and "-ctrl_r", "+?" for a key without a name. What came out."""
    capture, found = Capture(), []
    for step in steps:
        name = step[1:].strip("?")
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
        (("-ctrl_r", "+f9"), "f9"),  # held before, and not pressed
        (("+ctrl_l", "+d", "-ctrl_l"), "ctrl+d"),  # the modifier is no hotkey of its own
        (("+ctrl_l", "+?", "-ctrl_l", "+ctrl_l", "-ctrl_l"), "ctrl_l"),  # only when pressed anew
    ],
)
def test_what_is_pressed_becomes_a_chord(steps, chord):
    assert play(*steps) == [chord]
    assert str(parse_chord(chord)) == chord


def test_the_modifier_of_a_key_without_a_name_does_not_become_the_hotkey():
    assert play("+ctrl_l", "+?", "-ctrl_l") == []
