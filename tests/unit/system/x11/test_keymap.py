"""Keymaps as the X server sends them, and which key gives which character."""

import struct

import pytest

pytest.importorskip("Xlib", reason="python-xlib is installed on Linux only")
from handy_qwen.system.x11 import keymap as km
from handy_qwen.system.x11.keyboard import LEFTOVERS, SpareKeys

ONE, TWO, ALPHABETIC, FOUR = range(4)
LEVEL3 = 1 << 7


def key_type(mask, entries, *, preserve=False):
    head = struct.pack(
        "=BBHBBBx", mask, mask, 0, 1 + max(entries.values(), default=0), len(entries), preserve
    )
    body = b"".join(struct.pack("=BBBBHxx", 1, mods, level, mods, 0) for mods, level in entries.items())
    return head + body + (b"\0" * 4 * len(entries) if preserve else b"")


TYPES = [
    key_type(0, {}),
    key_type(km.SHIFT, {km.SHIFT: 1}),
    key_type(km.SHIFT | km.LOCK, {km.SHIFT: 1, km.LOCK: 1}, preserve=True),
    key_type(km.SHIFT | LEVEL3, {km.SHIFT: 1, LEVEL3: 2, km.SHIFT | LEVEL3: 3}),
]


def wire(keys, first=8):
    """The answer to XkbGetMap from its ninth byte on; ``keys`` are (types by group, width, info, symbols)."""
    head = struct.pack(
        "=2xBBHBBBBHB", 8, 255, 3, 0, len(TYPES), len(TYPES), first, sum(len(k[3]) for k in keys), len(keys)
    )
    body = b"".join(TYPES)
    for types, width, info, symbols in keys:
        padded = (*types, 0, 0, 0, 0)[:4]
        body += struct.pack(f"=6BH{len(symbols)}I", *padded, info, width, len(symbols), *symbols)
    return head.ljust(32, b"\0") + body


@pytest.fixture
def layout():
    return km.parse(
        wire(
            [
                ((ALPHABETIC, ALPHABETIC), 2, 2, (ord("q"), ord("Q"), 0x6CA, 0x6EA)),  # 8: us, ru
                ((FOUR,), 4, 1, (ord("2"), ord("@"), 0x20AC, 0)),  # 9: a digit, with AltGr
                ((), 0, 0, ()),  # 10: spare
                ((ONE,), 1, 1, (km.SHIFT_L,)),  # 11
                ((ONE,), 1, 1, (km.LEVEL3,)),  # 12
            ]
        )
    )


def test_a_letter_is_found_with_and_without_shift(layout):
    ways = layout.strokes(0, 0, (0, km.SHIFT))
    assert ways[ord("q")] == km.Stroke(8, 0)
    assert ways[ord("Q")] == km.Stroke(8, km.SHIFT)


def test_the_group_in_force_decides_what_a_key_gives(layout):
    ways = layout.strokes(1, 0, (0, km.SHIFT))
    assert ways[0x6CA] == km.Stroke(8, 0)
    assert ord("q") not in ways
    assert ways[ord("2")] == km.Stroke(9, 0), "a key with one group keeps it"


def test_a_locked_modifier_is_taken_into_account(layout):
    ways = layout.strokes(0, km.LOCK, (0, km.SHIFT))
    assert ways[ord("Q")] == km.Stroke(8, 0)
    assert ways[ord("q")] == km.Stroke(8, km.SHIFT)
    assert ways[ord("2")] == km.Stroke(9, 0)


def test_the_third_level_is_used_when_it_may_be(layout):
    assert 0x20AC not in layout.strokes(0, 0, (0, km.SHIFT))
    assert layout.strokes(0, 0, (0, km.SHIFT, LEVEL3))[0x20AC] == km.Stroke(9, LEVEL3)


@pytest.mark.parametrize(("info", "expected"), [(0x02, 0), (0x42, 1), (0x82 | 0x10, 1), (0x82 | 0x30, 0)])
def test_a_group_that_a_key_lacks_is_wrapped_clamped_or_redirected(info, expected):
    layout = km.parse(wire([((ONE, ONE), 1, info, (ord("a"), ord("b")))]))
    assert layout.strokes(2, 0, (0,)) == {ord("ab"[expected]): km.Stroke(8, 0)}


def test_keys_without_symbols_are_spare(layout):
    assert layout.empty() == [10]


@pytest.mark.parametrize(
    ("character", "keysym"),
    [
        ("a", 0x61),
        ("é", 0xE9),
        ("€", 0x10020AC),
        ("я", 0x100044F),
        ("🙂", 0x101F642),
        ("\n", 0xFF0D),
        ("\t", 0xFF09),
        ("'", 0x27),
    ],
)
def test_the_keysym_for_a_spare_key(character, keysym):
    assert km.keysyms_of(character)[0] == keysym


@pytest.mark.parametrize(
    ("character", "keysym"),
    [
        ("я", 0x6D1),  # Cyrillic_ya
        ("ё", 0x6A3),  # Cyrillic_io
        ("ї", 0x6A7),  # Ukrainian_yi
        ("ł", 0x1B3),  # lstroke
        ("א", 0xCE0),  # hebrew_aleph
        ("λ", 0x7EB),  # Greek_lamda
        ("\u03c3", 0x7F2),  # Greek_sigma
        ("ς", 0x7F3),  # Greek_finalsmallsigma
        ("ส", 0xDCA),  # Thai_sosua
        ("ش", 0x5D4),  # Arabic_sheen
        ("€", 0x20AC),  # EuroSign
    ],
)
def test_layouts_may_name_a_character_by_its_old_keysym(character, keysym):
    assert keysym in km.keysyms_of(character)


@pytest.mark.parametrize("character", ["Ά", "ώ", "ύ"])
def test_old_keysyms_in_another_order_than_their_character_set_are_not_guessed(character):
    assert len(km.keysyms_of(character)) == 1


class FakeX:
    """A display whose keyboard mapping can be changed."""

    def __init__(self, leftovers=()):
        self.mapping = {}
        self.requests = []
        self.properties = {LEFTOVERS: list(leftovers)} if leftovers else {}

    def screen(self):
        return self

    @property
    def root(self):
        return self

    def intern_atom(self, name):
        return name

    def get_full_property(self, name, _):
        value = self.properties.get(name)
        return None if value is None else type("Property", (), {"value": value})

    def change_property(self, name, _, __, value):
        self.properties[name] = value

    def delete_property(self, name):
        self.properties.pop(name, None)

    def change_keyboard_mapping(self, first, symbols):
        self.requests.append((first, len(symbols)))
        self.mapping.update({first + place: pair for place, pair in enumerate(symbols)})

    def sync(self):
        """Nothing waits."""


def empty_keymap(x, codes):
    keys = [
        ((ONE,), 1, 1, (0,)) if c in codes and c not in x.mapping else ((), 0, 0, ()) for c in range(8, 30)
    ]
    plain = km.parse(wire(keys))
    changed = {
        code: km.parse(wire([((TWO,), 2, 1, pair)], code)).keys[code] for code, pair in x.mapping.items()
    }
    full = {code: key for code, key in plain.keys.items() if code in codes} | changed
    return km.Keymap(plain.types, full)


def test_spare_keys_take_two_characters_each_and_neighbors_change_together():
    x = FakeX()
    spare = SpareKeys(x)
    spare.adopt(empty_keymap(x, {10, 11, 12, 20}), reserved=[20])
    assert spare.capacity == 6
    spare.assign([1, 2, 3])
    assert x.requests == [(10, 2)]
    assert x.mapping == {10: (1, 2), 11: (3, 3)}
    spare.assign([4])
    assert spare.stroke(4) == km.Stroke(11, km.SHIFT)
    assert x.mapping[11] == (3, 4)
    assert not spare.needs_change([1, 2, 3, 4])


def test_the_longest_unused_character_makes_room():
    x = FakeX()
    spare = SpareKeys(x)
    spare.adopt(empty_keymap(x, {10}), reserved=[])
    spare.assign([1, 2])
    spare.assign([1])  # used again
    spare.assign([3])
    assert spare.stroke(2) is None
    assert spare.stroke(1) == km.Stroke(10, 0)
    assert spare.stroke(3) == km.Stroke(10, km.SHIFT)


def test_characters_stay_where_they_are_for_the_next_text():
    x = FakeX()
    spare = SpareKeys(x)
    spare.adopt(empty_keymap(x, {10, 11}), reserved=[])
    spare.assign([1, 2])
    spare.adopt(empty_keymap(x, {10, 11}), reserved=[])
    assert spare.stroke(2) == km.Stroke(10, km.SHIFT)
    assert not spare.needs_change([1, 2])


def test_a_keyboard_that_somebody_else_has_changed_is_seen():
    x = FakeX()
    spare = SpareKeys(x)
    spare.adopt(empty_keymap(x, {10, 11}), reserved=[])
    spare.assign([1, 2, 3])
    x.mapping[10] = (99, 99)
    spare.adopt(empty_keymap(x, {10, 11}), reserved=[])
    assert spare.stroke(1) is None
    assert spare.stroke(3) == km.Stroke(11, 0)
    assert spare.codes == {11}


def test_all_is_given_back_and_what_a_crash_left_is_found_again():
    x = FakeX(leftovers=[10, 11])
    x.mapping = {10: (5, 5), 11: (6, 6)}
    spare = SpareKeys(x)
    spare.adopt(empty_keymap(x, {10, 11, 12}), reserved=[])
    assert spare.codes == {10, 11, 12}
    assert spare.is_in_use
    spare.release()
    assert x.mapping == {10: (0, 0), 11: (0, 0)}
    assert x.properties == {}
    assert not spare.is_in_use
