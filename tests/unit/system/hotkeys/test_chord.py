"""Names of keys and chords: every usual spelling, and errors that say what to write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.core.types import Hotkey
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.system.hotkeys.chord import KEYS, MODIFIERS, Chord, chords_of, parse_chord, require_unlike


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("ctrl_r", "ctrl_r"),
        ("RightCtrl", "ctrl_r"),
        ("Right Ctrl", "ctrl_r"),
        ("ctrl right", "ctrl_r"),
        ("rctrl", "ctrl_r"),
        ("Control-R", "ctrl_r"),
        ("strg", "ctrl"),
        ("left option", "alt_l"),
        ("cmd + space", "super+space"),
        ("D + alt + CTRL", "ctrl+alt+d"),
        ("F9", "f9"),
        ("AltGr", "altgr"),
        ("ISO_Level3_Shift", "altgr"),
        ("shift+Space", "shift+space"),
        ("ctrl++", "ctrl+plus"),
        ("ctrl+-", "ctrl+minus"),
        ("PgUp", "page_up"),
        ("left", "left"),
        ("ctrl+right", "ctrl+right"),
        ("mute", "volume_mute"),
        ("ctrl+super", "ctrl+super"),
        ("alt_l+alt_r", "alt_l+alt_r"),
    ],
)
def test_usual_spellings_have_one_canonical_form(written, canonical):
    assert str(parse_chord(written)) == canonical


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "No hotkey is set."),
        ("ctlr_r", "Did you mean Right Ctrl?"),
        ("f99", "Did you mean F9?"),
        ("pauze", "Did you mean Pause?"),
        ("xyzzy", "Examples: Right Ctrl"),
        ("ctrl+", 'a "+" with no key beside it'),
        ("a+b", "two keys that are not modifiers: A and B"),
        ("ctrl+ctrl+d", "names a key twice"),
        ("ctrl+ctrl_r", "names a key twice"),
        ("d", "D alone would stop you typing D. Try Ctrl+Alt+D."),
        ("shift+d", "Shift+D would stop you typing that character. Try Ctrl+Alt+D."),
        ("altgr+q", "AltGr+Q would stop you typing"),
        ("space", "Space alone"),
        ("escape", "Esc alone"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_write_instead(written, said):
    with pytest.raises(HotkeyError) as refused:
        parse_chord(written)
    assert refused.value.reason is HotkeyReason.INVALID
    assert said in str(refused.value)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("chord", "platform", "label"),
    [
        ("ctrl_r", "linux", "Right Ctrl"),
        ("alt_r", "darwin", "Right Option"),
        ("super+space", "darwin", "Command+Space"),
        ("fn", "darwin", "Fn"),
        ("globe+space", "darwin", "Fn+Space"),
        ("🌐", "darwin", "Fn"),
        ("super+space", "win32", "Win+Space"),
        ("ctrl+alt+d", "linux", "Ctrl+Alt+D"),
        ("altgr", "linux", "AltGr"),
        ("ctrl+left", "linux", "Ctrl+Left"),
        ("ctrl+comma", "linux", "Ctrl+,"),
        ("media_play_pause", "linux", "Play/Pause"),
        ("kp_5", "linux", "Keypad 5"),
    ],
)
def test_labels_read_as_on_the_keyboard(chord, platform, label):
    assert parse_chord(chord).label(platform) == label


def test_a_chord_of_modifiers_only_is_lone():
    assert parse_chord("ctrl+super").is_lone
    assert not parse_chord("ctrl+f9").is_lone


@given(modifiers=st.sets(st.sampled_from(MODIFIERS)), key=st.sampled_from(["", *KEYS]))
def test_the_canonical_form_is_read_back_as_the_same_chord(modifiers, key):
    text = "+".join([*sorted(modifiers), *([key] if key else [])])
    try:
        chord = parse_chord(text)
    except HotkeyError:
        return  # refused for a reason that another test looks at
    assert isinstance(chord, Chord)
    assert parse_chord(str(chord)) == chord
    assert set(chord.names) == modifiers | ({key} if key else set())


@given(st.text(max_size=20))
def test_any_text_is_a_chord_or_an_error_of_ours(text):
    try:
        chord = parse_chord(text)
    except HotkeyError:
        return
    assert parse_chord(str(chord)) == chord


@given(
    modifiers=st.sets(st.sampled_from(MODIFIERS)),
    key=st.sampled_from(["", *KEYS]),
    platform=st.sampled_from(["linux", "win32", "darwin"]),
)
def test_what_is_written_for_people_is_read_back_as_the_same_chord(modifiers, key, platform):
    """So that what a message proposes may be copied into the settings file."""
    try:
        chord = parse_chord("+".join([*modifiers, *([key] if key else [])]))
    except HotkeyError:
        return
    assert parse_chord(chord.label(platform)) == chord


@pytest.mark.parametrize("written", ["shift+insert", "Shift_L+Ins", "ctrl_r+return", "Win+Enter"])
def test_what_this_program_presses_itself_is_no_hotkey_where_it_would_be_taken_away(written):
    with pytest.raises(HotkeyError, match="presses") as refused:
        chords_of([Hotkey("f9"), Hotkey(written)], knows_own_keys=False)
    proposal = refused.value.hint.removeprefix("Try ").removesuffix(".")
    assert chords_of([Hotkey(proposal)], knows_own_keys=False)
    assert chords_of([Hotkey(written)], knows_own_keys=True)
    assert chords_of([Hotkey("ctrl+shift+insert")], knows_own_keys=False), "that is another chord"


def test_a_hotkey_set_twice_is_refused_however_it_is_written():
    with pytest.raises(HotkeyError, match="Right Ctrl is set twice"):
        chords_of([Hotkey("ctrl_r"), Hotkey("RightCtrl")], knows_own_keys=True)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ctrl", "ctrl_r"),
        ("ctrl_r", "ctrl"),
        ("altgr", "alt_r"),
        ("alt+f9", "altgr+f9"),
        ("ctrl_l+d", "ctrl+d"),
        ("ctrl+alt_l+d", "alt+ctrl_r+d"),
    ],
)
def test_two_hotkeys_that_the_same_keys_make_are_refused(first, second):
    """Both would go down at once, and two dictations begin."""
    with pytest.raises(HotkeyError, match="The same keys make") as refused:
        chords_of([Hotkey(first), Hotkey(second)], knows_own_keys=True)
    assert refused.value.reason is HotkeyReason.INVALID


@pytest.mark.parametrize(
    ("first", "second"),
    [("ctrl_l", "ctrl_r"), ("ctrl", "ctrl+super"), ("f9", "ctrl+f9"), ("ctrl+f8", "ctrl+f9"), ("f8", "f9")],
)
def test_hotkeys_that_are_part_of_each_other_or_beside_each_other_are_two(first, second):
    assert len(chords_of([Hotkey(first), Hotkey(second)], knows_own_keys=True)) == 2


def test_mouse_buttons_at_the_side_are_keys_as_others():
    assert [str(parse_chord(text)) for text in ("Mouse 4", "mouse_back", "Ctrl + Mouse 5")] == [
        "mouse4",
        "mouse4",
        "ctrl+mouse5",
    ]
    assert parse_chord("mouse4").label("linux") == "Mouse 4"
    for button in ("mouse1", "mouse3"):
        with pytest.raises(HotkeyError, match="no key named"):
            parse_chord(button)


def test_a_hotkey_that_another_place_has_is_refused_by_that_place():
    hotkeys = [Hotkey("f8"), Hotkey("Right Ctrl"), Hotkey("no such key"), Hotkey("ctrl")]
    require_unlike(hotkeys, 0)
    for place, number in ((1, 4), (3, 2)):
        with pytest.raises(HotkeyError, match=f"Hotkey {number} is") as refused:
            require_unlike(hotkeys, place)
        assert refused.value.reason is HotkeyReason.INVALID
    with pytest.raises(HotkeyError, match="no key named"):
        require_unlike(hotkeys, 2)
