"""The client of the compositor, and its keyboard."""

import struct
import sys

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("Wayland is on Linux only", allow_module_level=True)

from handy_qwen.system.wayland import keyboard, wire
from handy_qwen.system.wayland.keyboard import MANAGER, VirtualKeyboard
from handy_qwen.system.wayland.wire import Connection, WaylandError, offers
from tests.unit.system.wayland.compositor import PROTOCOL, Compositor


@pytest.fixture
def compositor(tmp_path):
    compositor = Compositor(tmp_path)
    yield compositor
    compositor.close()


def test_what_the_compositor_offers_is_known(compositor):
    connection = Connection(compositor.path)
    assert connection.offered["wl_seat"] == (1, 1)
    assert connection.offered[PROTOCOL.manager.name] == (2, 2)
    with pytest.raises(WaylandError, match="offers no zwp_text_input"):
        connection.bind(wire.Interface("zwp_text_input"), 1)
    connection.close()
    connection.close()


def test_no_compositor_one_that_hangs_and_one_that_ends_are_errors(compositor, tmp_path, monkeypatch):
    monkeypatch.setattr(wire, "ANSWER_S", 0.2)
    with pytest.raises(WaylandError, match="cannot be reached"):
        Connection(str(tmp_path / "none"))
    connection = Connection(compositor.path)
    compositor.is_deaf = True
    with pytest.raises(WaylandError, match="does not answer"):
        connection.roundtrip()
    compositor.drop()
    with pytest.raises(WaylandError):
        connection.roundtrip()
    connection.close()


def test_what_the_compositor_refuses_is_an_error_without_its_words(compositor):
    connection = Connection(compositor.path)
    seat = connection.bind(wire.SEAT, 1)
    seat.number = 99
    seat.ask("get_keyboard", made=wire.KEYBOARD)
    with pytest.raises(WaylandError, match=r"refuses wl_display: error 0$"):
        connection.roundtrip()
    connection.close()


@pytest.mark.parametrize(
    ("number", "size", "opcode", "body"),
    [
        (1, 0, 0, b""),  # would be read again and again
        (1, 8, 0, b""),  # an error that does not say of what
        (3, 20, 0, bytes(12)),  # a keymap without its file
    ],
)
def test_a_compositor_that_sends_nonsense_is_an_error(compositor, number, size, opcode, body):
    connection = Connection(compositor.path)
    connection._things[3] = wire.Thing(connection, wire.KEYBOARD, 3)
    compositor.babble(struct.pack("=II", number, size << 16 | opcode) + body)
    with pytest.raises(WaylandError, match="what it should not"):
        any(not connection.take_in(10) for _ in range(9))  # other events may come first, by themselves
    connection.close()


def test_the_virtual_keyboard_has_the_seats_whole_keymap_and_tells_its_modifiers(compositor):
    typist = VirtualKeyboard(compositor.path)
    typist.press((keyboard.SHIFT, 110))
    typist.close()
    assert compositor.keymaps == [b"the seat's keymap\0"]
    assert compositor.keys == [
        (42, 1), ("held", 1), (110, 1), ("held", 1), (110, 0), ("held", 1), (42, 0), ("held", 0),
    ]  # fmt: skip


def test_the_keyboard_tells_whether_its_compositor_has_ended(compositor):
    typist = VirtualKeyboard(compositor.path)
    assert typist.answers()
    assert not compositor.listens_to_keyboard(), "new keymaps would come, with files that nobody takes"
    compositor.drop()
    assert not typist.answers()
    typist.close()


@pytest.mark.parametrize("keymap", [None, b""])
def test_a_seat_without_a_keyboard_has_the_usual_keymap(tmp_path, keymap):
    """b"": its only keyboard was virtual and has gone; the keymap is none then."""
    compositor = Compositor(tmp_path, keymap=keymap)
    VirtualKeyboard(compositor.path).close()
    (used,) = compositor.keymaps
    assert used.startswith(b"xkb_keymap {")
    assert used.endswith(b"\0")
    compositor.close()


@pytest.mark.parametrize(("names", "has_one"), [({"wl_seat": 1}, False), (None, True)])
def test_where_programs_may_have_a_keyboard(tmp_path, names, has_one):
    compositor = Compositor(tmp_path, offers=names)
    assert offers(compositor.path, MANAGER) == has_one
    compositor.close()
    assert not offers(str(tmp_path / "none"), MANAGER)
