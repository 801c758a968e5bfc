"""What Qt's side of the app says and hears."""

import sys

import pytest

from handy_qwen.app.desktop import greeting
from handy_qwen.core.types import Hotkey, Mode
from handy_qwen.settings import Settings

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
