"""A mouse that a compositor takes for a real one, for as long as a click takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from handy_qwen.system.wayland.wire import SEAT, Connection, Interface, Thing
from tests.wayland.desk.keyboards import FAKE_INPUT

VIRTUAL = Interface(
    "zwlr_virtual_pointer_v1", ("motion uff", "motion_absolute uuuuu", "button uuu", "axis uuf", "frame")
)
MANAGER = Interface("zwlr_virtual_pointer_manager_v1", ("create_virtual_pointer on",))
LEFT = 0x110
SETTLE_S = 0.4  # until the programs know that there is a mouse, and where it is


def click_on_sway(environment: Mapping[str, str], place: tuple[int, int], screen: tuple[int, int]) -> None:
    """Click at ``place`` of a screen of that size."""
    connection = _connected(environment)
    mouse = connection.bind(MANAGER, 1).ask("create_virtual_pointer", connection.bind(SEAT, 1), made=VIRTUAL)

    def press(is_down: bool) -> None:
        mouse.ask("button", 0, LEFT, int(is_down))
        mouse.ask("frame")

    connection.roundtrip()
    time.sleep(SETTLE_S)
    mouse.ask("motion_absolute", 0, *place, *screen)
    mouse.ask("frame")
    _click(connection, press)


def click_on_kwin(environment: Mapping[str, str], place: tuple[int, int]) -> None:
    """Click at ``place``. KWin must run with KWIN_WAYLAND_NO_PERMISSION_CHECKS=1."""
    connection, mouse = _move_on_kwin(environment, place)
    _click(connection, lambda is_down: mouse.ask("button", LEFT, int(is_down)))


def point_on_kwin(environment: Mapping[str, str], place: tuple[int, int]) -> None:
    """Move the pointer to ``place``."""
    connection, _mouse = _move_on_kwin(environment, place)
    connection.roundtrip()
    connection.close()


def _move_on_kwin(environment: Mapping[str, str], place: tuple[int, int]) -> tuple[Connection, Thing]:
    connection = _connected(environment)
    mouse: Thing = connection.bind(FAKE_INPUT, 4)
    mouse.ask("authenticate", "desk", "tests")
    connection.roundtrip()
    mouse.ask("pointer_motion_absolute", *(value * 256 for value in place))
    return connection, mouse


def _click(connection: Connection, press: Callable[[bool], object]) -> None:
    connection.roundtrip()
    time.sleep(SETTLE_S)
    for is_down in (True, False):
        press(is_down)
        connection.roundtrip()
        time.sleep(0.05)
    time.sleep(SETTLE_S)
    connection.close()


def _connected(environment: Mapping[str, str]) -> Connection:
    return Connection(str(Path(environment["XDG_RUNTIME_DIR"]) / environment["WAYLAND_DISPLAY"]))
