"""What Qt's side of the app says and hears."""

import sys

import pytest

from handy_qwen.app.desktop import greeting, layer_of
from handy_qwen.core.types import Hotkey, Mode
from handy_qwen.settings import Settings
from handy_qwen.system.session import Kind, Session
from tests.unit.system.wayland.compositor import Compositor
from tests.unit.system.wayland.screen import Screen

pytest.importorskip("pytestqt")


@pytest.mark.parametrize(
    ("hotkeys", "mode", "has_tray", "expected"),
    [
        (("ctrl_r",), Mode.AUTO, True, "Hold Right Ctrl to dictate; the menu is in the tray."),
        (("f9", "ctrl_r"), Mode.TOGGLE, True, "Press F9 or Right Ctrl to dictate; the menu is in the tray."),
        (
            ("f9",),
            Mode.HOLD,
            False,
            "Hold F9 to dictate; there is no tray here; to quit, run handy-qwen quit.",
        ),
        ((), Mode.AUTO, True, "No hotkey is set; use handy-qwen toggle to dictate; the menu is in the tray."),
    ],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="keys have other names there")
def test_a_start_in_a_terminal_says_how_to_dictate(hotkeys, mode, has_tray, expected):
    settings = Settings(hotkeys=tuple(Hotkey(chord) for chord in hotkeys), mode=mode)
    assert greeting(settings, has_tray=has_tray) == f"Handy Qwen is running. {expected}"


@pytest.mark.linux("Wayland is on Linux only")
@pytest.mark.parametrize(("kind", "has_layer"), [(Screen, True), (Compositor, False)])
def test_the_overlay_has_a_layer_where_the_compositor_has_one(tmp_path, kind, has_layer):
    compositor = kind(tmp_path)
    opened = layer_of(Session(Kind.WAYLAND, wayland=compositor.path))
    assert (opened is not None) is has_layer
    if opened is not None:
        surface = opened(lambda *_: b"", print, print)
        assert surface is not None
        surface.close()
    compositor.close()
