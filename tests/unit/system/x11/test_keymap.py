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
    list(
        zip("aé€я🙂\n\t'", (0x61, 0xE9, 0x10020AC, 0x100044F, 0x101F642, 0xFF0D, 0xFF09, 0x27), strict=True)
    ),
)
def test_the_keysym_for_a_spare_key(character, keysym):
    assert km.keysyms_of(character)[0] == keysym


@pytest.mark.parametrize(
    ("character", "keysym"),
    [
        *zip("яёї", (0x6D1, 0x6A3, 0x6A7), strict=True),
        *zip("λ\u03c3ς", (0x7EB, 0x7F2, 0x7F3), strict=True),
        *zip("łאสش€", (0x1B3, 0xCE0, 0xDCA, 0x5D4, 0x20AC), strict=True),
    ],
)
def test_layouts_may_name_a_character_by_its_old_keysym(character, keysym):
    assert keysym in km.keysyms_of(character)


@pytest.mark.parametrize("character", "Άώύ")
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


def keymap(x, codes):
    """The map in force on ``x``, whose keys are ``codes``, empty but for what was changed."""
    plain = km.parse(wire([((ONE,), 1, 1, (0,))] * 22))
    changed = {
        code: km.parse(wire([((TWO,), 2, 1, pair)], code)).keys[code] for code, pair in x.mapping.items()
    }
    return km.Keymap(plain.types, {code: plain.keys[code] for code in codes} | changed)


def spare_keys(x, codes, reserved=()):
    spare = SpareKeys(x)
    spare.adopt(keymap(x, codes), reserved)
    return spare


def test_spare_keys_take_two_characters_each_and_neighbors_change_together():
    x = FakeX()
    spare = spare_keys(x, {10, 11, 12, 20}, reserved=[20])
    assert spare.capacity == 6
    spare.assign([1, 2, 3])
    assert x.requests == [(10, 2)]
    assert x.mapping == {10: (1, 2), 11: (3, 3)}
    spare.assign([4])
    assert spare.stroke(4) == km.Stroke(11, km.SHIFT)
    assert x.mapping[11] == (3, 4)
    assert not spare.needs_change([1, 2, 3, 4])


def test_the_longest_unused_character_makes_room():
    spare = spare_keys(FakeX(), {10})
    for wanted in ([1, 2], [1], [3]):
        spare.assign(wanted)
    assert spare.stroke(2) is None
    assert spare.stroke(1) == km.Stroke(10, 0)
    assert spare.stroke(3) == km.Stroke(10, km.SHIFT)


def test_characters_stay_for_the_next_text_unless_somebody_else_has_changed_their_key():
    x = FakeX()
    spare = spare_keys(x, {10, 11})
    spare.assign([1, 2, 3])
    spare.adopt(keymap(x, {10, 11}), reserved=[])
    assert spare.stroke(2) == km.Stroke(10, km.SHIFT)
    assert not spare.needs_change([1, 2, 3])
    x.mapping[10] = (99, 99)
    spare.adopt(keymap(x, {10, 11}), reserved=[])
    assert spare.stroke(1) is None
    assert spare.stroke(3) == km.Stroke(11, 0)
    assert spare.codes == {11}


def test_all_is_given_back_and_what_a_crash_left_is_found_again():
    x = FakeX(leftovers=[10, 11])
    x.mapping = {10: (5, 5), 11: (6, 6)}
    spare = spare_keys(x, {10, 11, 12})
    assert spare.codes == {10, 11, 12}
    assert spare.is_in_use
    spare.release()
    assert x.mapping == {10: (0, 0), 11: (0, 0)}
    assert x.properties == {}
    assert not spare.is_in_use
