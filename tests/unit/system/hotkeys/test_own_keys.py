"""What users of desktops without hotkeys for programs are told."""

import pytest

from handy_qwen.system.entries import launch_for
from handy_qwen.system.hotkeys.own_keys import own_keys

pytestmark = pytest.mark.linux("desktops of Linux")


@pytest.mark.parametrize(
    ("desktop", "lines"),
    [
        ("sway", ["bindsym --no-repeat F9 exec {} start", "bindsym --release F9 exec {} stop"]),
        ("sway:wlroots", ["bindsym --no-repeat F9 exec {} start"]),
        ("Hyprland", ["bind = , F9, exec, {} start", "bindr = , F9, exec, {} stop"]),
        ("niri", ['F9 repeat=false { spawn "handy-qwen" "toggle"; }']),
        ("ubuntu:GNOME", ["{} toggle"]),
        ("", ['"{} start"', '"{} stop"', '"{} toggle"']),
    ],
)
def test_the_lines_are_those_of_the_desktop(monkeypatch, tmp_path, desktop, lines):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "handy-qwen").touch(mode=0o755)
    hint = own_keys({"XDG_CURRENT_DESKTOP": desktop})
    for line in lines:
        assert line.replace("{}", "handy-qwen", 1) in hint


def test_a_program_that_is_not_on_path_is_named_by_its_place(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    command = launch_for({}).command[0]
    assert f"exec {command} start" in own_keys({"XDG_CURRENT_DESKTOP": "sway"})
