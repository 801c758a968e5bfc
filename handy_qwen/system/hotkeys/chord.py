"""Key names and chords, as in the settings file.

A chord is names joined by "+": any number of modifiers and at most one other key, in any usual order, case
and spelling; ``str()`` gives the canonical form, and ``label()`` one for people, which can be parsed as well.

    "Ctrl + Alt + D" -> ctrl+alt+d     "RightCtrl" -> ctrl_r     "AltGr" -> altgr     "F9" -> f9

A chord of modifiers only ("ctrl_r", "ctrl+super") is *lone*: it is observed without being taken from the
focused program, so the modifier still works. Each system's module maps names to key codes. "ctrl" is either
Ctrl key, "ctrl_l" and "ctrl_r" one of them. Where the layout makes the right Alt AltGr, "alt_r" and "altgr"
both name it, and "alt" does not.
"""

from __future__ import annotations

import difflib
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from handy_qwen.core.types import Hotkey
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.message import Message

SIDES = {  # a modifier's name -> the keys it may mean
    "ctrl": ("ctrl_l", "ctrl_r"),
    "alt": ("alt_l", "alt_r"),
    "shift": ("shift_l", "shift_r"),
    "super": ("super_l", "super_r"),
}
MODIFIERS = tuple(  # in canonical order
    name
    for family in ("fn", "ctrl", "alt", "altgr", "shift", "super")
    for name in (family, *SIDES.get(family, ()))
)
LAYER = "fn"
"""A modifier that the keyboard has already applied to other keys: Fn+F9 is also F9."""

_MODIFIER_LABELS = {
    "fn": "Fn",
    "ctrl": "Ctrl",
    "alt": "Alt",
    "altgr": "AltGr",
    "shift": "Shift",
    "super": "Super",
}
_PLATFORM_LABELS = {
    "darwin": {"ctrl": "Control", "alt": "Option", "super": "Command"},
    "win32": {"super": "Win"},
}

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SIGN_NAMES = "minus equal bracketleft bracketright semicolon apostrophe grave backslash comma period slash"
_SIGNS = dict(zip(_SIGN_NAMES.split(), "-=[];'`\\,./", strict=True)) | {"plus": ""}
"""The name of a key -> its label (US keyboard)."""
_NAMED_KEYS = (
    "space enter tab backspace escape insert delete home end page_up page_down up down left right pause "
    "scroll_lock num_lock caps_lock print_screen menu media_play_pause media_stop media_next media_previous "
    "volume_up volume_down volume_mute microphone_mute"
)
_LABELS = {name: name.replace("_", " ").title() for name in _NAMED_KEYS.split()}
_LABELS |= {
    "escape": "Esc",
    "media_play_pause": "Play/Pause",
    "media_stop": "Stop",
    "media_next": "Next Track",
    "media_previous": "Previous Track",
    "volume_mute": "Mute",
}
_LABELS |= {f"f{n}": f"F{n}" for n in range(1, 25)}
_LABELS |= {f"kp_{n}": f"Keypad {n}" for n in range(10)}
_LABELS |= {f"mouse{n}": f"Mouse {n}" for n in range(4, 13)}  # on the side; 4 is "back", 5 "forward"
_LABELS |= {"wheel_left": "Wheel Left", "wheel_right": "Wheel Right"}  # tilting is a tap each time
_LABELS |= {name: name.upper() for name in (*_LETTERS, *"0123456789")}
_LABELS |= {name: sign or "Plus" for name, sign in _SIGNS.items()}

KEYS = tuple(_LABELS)
SINGLE_KEYS = (*(name for name in MODIFIERS if name not in SIDES), *KEYS)
"""Names of single keys. Where two are the same key, the first is its name."""
_TYPING = {*_LETTERS, *"0123456789", *_SIGNS}  # with or without Shift, these only type
_NEEDS_MODIFIER = _TYPING | {"space", "enter", "tab", "backspace", "escape"}

_OTHER_NAMES = """
    fn=globe,function,🌐 ctrl=control,ctl,strg alt=option,opt super=win,windows,cmd,command,meta
    altgr=iso_level3_shift,alt_gr enter=return escape=esc insert=ins delete=del
    page_up=pgup,pageup,prior page_down=pgdn,pagedown,next pause=break
    print_screen=print,prtsc,printscreen scroll_lock=scrolllock num_lock=numlock
    caps_lock=caps,capslock menu=apps space=spacebar media_play_pause=play,play_pause
    volume_mute=mute mouse4=mouse_back mouse5=mouse_forward
"""
_ALIASES = {
    other: name
    for name, others in (one.split("=") for one in _OTHER_NAMES.split())
    for other in others.split(",")
}
_ALIASES |= {sign: name for name, sign in _SIGNS.items() if sign}
_ALIASES |= {
    label.lower().replace(" ", "_"): name for name, label in _LABELS.items() if label.lower() != name
}

PRESSED_BY_US = tuple(
    frozenset(chord) for chord in (("shift", "insert"), ("ctrl", "enter"), ("super", "enter"))
)
"""Chords that this program presses itself on X11 and Wayland: to paste, and after a text (``submit``)."""

_TRIGGER_MODIFIERS = {"ctrl": "CTRL", "alt": "ALT", "shift": "SHIFT", "super": "LOGO"}
_TRIGGER_NAMES = """
    enter=Return tab=Tab backspace=BackSpace escape=Escape page_up=Page_Up page_down=Page_Down
    scroll_lock=Scroll_Lock num_lock=Num_Lock caps_lock=Caps_Lock print_screen=Print
    media_play_pause=XF86AudioPlay media_stop=XF86AudioStop media_next=XF86AudioNext
    media_previous=XF86AudioPrev volume_up=XF86AudioRaiseVolume volume_down=XF86AudioLowerVolume
    volume_mute=XF86AudioMute microphone_mute=XF86AudioMicMute
"""
_TRIGGER_KEYS = dict(one.split("=") for one in _TRIGGER_NAMES.split())  # the others have our names
_TRIGGER_KEYS |= {name: name.capitalize() for name in ("insert", "delete", "home", "end", "pause", "menu")}
_TRIGGER_KEYS |= {name: name.capitalize() for name in ("up", "down", "left", "right")}
_TRIGGER_KEYS |= {f"f{n}": f"F{n}" for n in range(1, 25)}
_TRIGGER_KEYS |= {f"kp_{n}": f"KP_{n}" for n in range(10)}


@dataclass(frozen=True, slots=True)
class Chord:
    """A parsed hotkey. ``key`` is empty if the chord is made of modifiers only."""

    modifiers: tuple[str, ...]
    key: str = ""

    @property
    def is_lone(self) -> bool:
        """Whether it consists of modifiers only, which continue to work as such."""
        return not self.key

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in canonical order."""
        return (*self.modifiers, self.key) if self.key else self.modifiers

    def __str__(self) -> str:
        return "+".join(self.names)

    def label(self, platform: str) -> str:
        """The label on the keyboard of ``platform`` (a value of ``sys.platform``)."""
        return "+".join(_label(name, platform) for name in self.names)


def trigger(chord: Chord) -> str:
    """``chord`` in the syntax of the portal and sway; empty for lone modifiers, AltGr and mouse buttons."""
    families = [name.partition("_")[0] for name in chord.modifiers]
    is_button = chord.key.startswith(("mouse", "wheel"))
    if chord.is_lone or is_button or any(family not in _TRIGGER_MODIFIERS for family in families):
        return ""
    modifiers = (_TRIGGER_MODIFIERS[family] for family in families)
    return "+".join([*modifiers, _TRIGGER_KEYS.get(chord.key, chord.key)])


def labels(hotkeys: Sequence[Hotkey], platform: str = sys.platform) -> str:
    """``hotkeys`` worded for people: "Right Ctrl and F9". Raises HotkeyError: one is invalid."""
    return " and ".join(parse_chord(hotkey.chord).label(platform) for hotkey in hotkeys)


def parse_chord(text: str) -> Chord:
    """Parse a chord. Raises HotkeyError: INVALID; the hint suggests an alternative."""
    names = [_name(part, text) for part in _parts(text)]
    if not names:
        raise _invalid(Message("No hotkey is set."), Message("Name a key, such as Right Ctrl or F9."))
    modifiers = tuple(name for name in MODIFIERS if name in names)
    keys = [name for name in names if name not in MODIFIERS]
    if len(names) != len(set(names)) or _is_redundant(modifiers):
        raise _invalid(
            Message('The hotkey "{text}" names a key twice.', text=text), Message("Name each key once.")
        )
    if len(keys) > 1:
        raise _invalid(
            Message(
                'The hotkey "{text}" has two keys that are not modifiers: {one} and {other}.',
                text=text,
                one=_LABELS[keys[0]],
                other=_LABELS[keys[1]],
            ),
            Message("Use one key, with Ctrl, Alt, Shift or Super if you like."),
        )
    chord = Chord(modifiers, keys[0] if keys else "")
    _refuse_typing(chord)
    return chord


def chords_of(hotkeys: Sequence[Hotkey], *, knows_own_keys: bool) -> list[Chord]:
    """The chords of ``hotkeys``, in order. Raises HotkeyError: one is INVALID, or two are alike.

    ``knows_own_keys``: the listener lets keys through that this program sends. If not, a hotkey that the
    program presses itself would never reach its window.
    """
    chords: list[Chord] = []
    for hotkey in hotkeys:
        chord = parse_chord(hotkey.chord)
        label = chord.label(sys.platform)
        for other in chords:
            if _may_be_same(chord, other):
                twice = Message("The hotkey {keys} is set twice.", keys=label)
                both = Message(
                    "The same keys make the hotkeys {one} and {other}.",
                    one=other.label(sys.platform),
                    other=label,
                )
                raise _invalid(
                    twice if chord == other else both, Message("Give each language a hotkey of its own.")
                )
        families = frozenset(name.partition("_")[0] for name in chord.modifiers) | {chord.key}
        if not knows_own_keys and families in PRESSED_BY_US:
            ours = Message("Handy Qwen presses {keys} itself, after a text, if you want that.", keys=label)
            if chord.key == "insert":
                ours = Message("Handy Qwen presses {keys} itself, to insert text.", keys=label)
            raise _instead(ours, _LABELS[chord.key])
        chords.append(chord)
    return chords


def require_unlike(hotkeys: Sequence[Hotkey], place: int) -> None:
    """Raise a HotkeyError if the hotkey at ``place`` is invalid, or like another, named by its number."""
    chord = parse_chord(hotkeys[place].chord)
    for number, hotkey in enumerate(hotkeys, start=1):
        if number != place + 1 and _may_be(hotkey, chord):
            label = parse_chord(hotkey.chord).label(sys.platform)
            title = Message("Hotkey {number} is {keys} already.", number=number, keys=label)
            hint = Message("Choose a different key for this one.")
            raise _invalid(title, hint)


def _may_be(hotkey: Hotkey, chord: Chord) -> bool:
    try:
        return _may_be_same(parse_chord(hotkey.chord), chord)
    except HotkeyError:  # invalid, hence a different one
        return False


def missing_key(name: str) -> HotkeyError:
    """The error for a keyboard without the key ``name``."""
    title = Message("This keyboard has no key {key}.", key=_label(name, sys.platform))
    hint = Message("Choose another, such as F9.")
    return _invalid(title, hint)


def _parts(text: str) -> list[str]:
    """Split at "+", except where "+" is the key itself: "ctrl++"."""
    text = text.strip().lower()
    if text == "+" or text.endswith("++"):
        text = text[:-1] + "plus"
    return [part.strip() for part in text.split("+")] if text else []


def _name(part: str, text: str) -> str:
    name = _plain(part)
    if name in MODIFIERS or name in _LABELS:
        return name
    known = [*MODIFIERS, *_LABELS, *_ALIASES]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not part:
        problem = Message('The hotkey "{text}" has a "+" with no key beside it.', text=text)
        remedy = Message("Write it like Ctrl+Alt+D.")
        raise _invalid(problem, remedy)
    hint = Message("Examples: Right Ctrl, F9, Ctrl+Alt+D.")
    if close:
        meant = str(close[0])
        hint = Message("Did you mean {key}?", key=_label(_ALIASES.get(meant, meant), sys.platform))
    raise _invalid(Message('There is no key named "{part}" (hotkey "{text}").', part=part, text=text), hint)


def _plain(part: str) -> str:
    """The canonical name for a usual spelling of ``part``; otherwise ``part`` normalized."""
    name = part if part in _ALIASES else part.replace(" ", "_").replace("-", "_").strip("_")
    name = _ALIASES.get(name, name)
    for side, suffix in (("right", "_r"), ("left", "_l"), ("r", "_r"), ("l", "_l")):
        for rest in (name.removeprefix(side), name.removesuffix(side)):
            family = rest.strip("_")
            family = _ALIASES.get(family, family)
            if rest != name and family in SIDES:
                return family + suffix
    return name


def _is_redundant(modifiers: tuple[str, ...]) -> bool:
    """Whether one modifier includes another: "ctrl" already means "ctrl_l" or "ctrl_r"."""
    return any(side in modifiers for family, sides in SIDES.items() if family in modifiers for side in sides)


def _may_be_same(one: Chord, other: Chord) -> bool:
    """Whether the same keys can make both: "ctrl+d" and "ctrl_r+d"."""
    return one.key == other.key and any(
        all(_keys(name) & _keys(match) for name, match in zip(one.modifiers, order, strict=True))
        for order in itertools.permutations(other.modifiers)
        if len(order) == len(one.modifiers)
    )


def _keys(modifier: str) -> frozenset[str]:
    """The keys that ``modifier`` may mean. AltGr is another name for the right Alt."""
    return frozenset({"alt_r"} if modifier == "altgr" else SIDES.get(modifier, (modifier,)))


def _refuse_typing(chord: Chord) -> None:
    is_plain = not chord.modifiers
    is_shifted = all(name.startswith(("shift", "altgr")) for name in chord.modifiers)
    label, key = chord.label(sys.platform), _LABELS.get(chord.key, "")
    if is_plain and chord.key in _TYPING:
        raise _instead(Message("{key} alone would stop you typing {key}.", key=label), key)
    if is_plain and chord.key in _NEEDS_MODIFIER:
        raise _instead(Message("{key} alone would no longer work in any program.", key=label), key)
    if is_shifted and chord.key in _TYPING:
        raise _instead(Message("{keys} would stop you typing that character.", keys=label), key)


def _label(name: str, platform: str) -> str:
    if name in _LABELS:
        return _LABELS[name]
    family, _, side = name.partition("_")
    label = _PLATFORM_LABELS.get(platform, {}).get(family, _MODIFIER_LABELS[family])
    return {"l": "Left ", "r": "Right ", "": ""}[side] + label


def _invalid(title: Message, hint: Message, proposal: str = "") -> HotkeyError:
    return HotkeyError(title, HotkeyReason.INVALID, hint, proposal)


def _instead(title: Message, key: str) -> HotkeyError:
    """The error that refuses ``key`` and suggests it with modifiers."""
    proposal = parse_chord(f"ctrl+alt+{key}").label(sys.platform)
    return _invalid(title, Message("Try {keys}.", keys=proposal), proposal)
