"""A key of the desktop's own that is bound to the program: what is written, checked and taken back."""

import sys

import pytest

from handy_qwen.errors import HotkeyError
from handy_qwen.system.entries import launch_for
from handy_qwen.system.hotkeys.own_keys import OFFERED, own_key, own_keys

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the desktops are on Linux only")

GSETTINGS = """#!/bin/sh
file="$STORE/$(echo "$2.$3" | /usr/bin/tr / _)"
case "$1" in
get) [ -f "$file" ] && /bin/cat "$file" || echo "@as []" ;;
set) [ "$4" = "<refused>" ] && exit 1; echo "$4" > "$file" ;;
reset-recursively) /bin/rm -f "$STORE"/*custom-keybinding:* ;;
esac
"""
HYPRCTL = """#!/bin/sh
echo "$*" >> "$STORE/said"
case "$*" in *", X,"*) echo "no such key" ;; *) echo ok ;; esac
"""
NIRI = """#!/bin/sh
/bin/cat "$3" > "$STORE/validated"
! /bin/grep -q "Mod+X" "$3"
"""


@pytest.fixture
def desktop(monkeypatch, tmp_path):
    """The binding of a key on a desktop whose programs are scripts. Their files are in ``store``."""
    programs, store = tmp_path / "bin", tmp_path / "store"
    for folder in (programs, store):
        folder.mkdir()
    scripts = {"gsettings": GSETTINGS, "hyprctl": HYPRCTL, "niri": NIRI, "handy-qwen": "#!/bin/sh\n"}
    for name, text in scripts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("STORE", str(store))

    def make(name, trigger="F9"):
        environment = {"XDG_CURRENT_DESKTOP": name, "XDG_CONFIG_HOME": str(tmp_path / "config")}
        return own_key(trigger, environment)

    make.store, make.config, make.programs = store, tmp_path / "config", programs
    return make


pytestmark = pytest.mark.linux("desktops of Linux")


@pytest.mark.parametrize(
    ("name", "trigger", "lines"),
    [
        ("Hyprland", "F9", ("bind = , F9, exec, handy-qwen start", "bindr = , F9, exec, handy-qwen stop")),
        (
            "Hyprland",
            "CTRL+LOGO+d",
            ("bind = CTRL SUPER, d, exec, handy-qwen start", "bindr = CTRL SUPER, d, exec, handy-qwen stop"),
        ),
        ("niri", "F9", ('    F9 repeat=false { spawn "handy-qwen" "toggle"; }',)),
        ("niri", "CTRL+LOGO+d", ('    Ctrl+Super+d repeat=false { spawn "handy-qwen" "toggle"; }',)),
        ("ubuntu:GNOME", "F9", ("Handy Qwen: F9 -> handy-qwen toggle",)),
        ("GNOME", "CTRL+ALT+d", ("Handy Qwen: <Control><Alt>d -> handy-qwen toggle",)),
    ],
)
def test_the_lines_are_those_of_the_desktop(desktop, name, trigger, lines):
    offer = desktop(name, trigger).offer()
    assert (offer.lines, offer.is_bound) == (lines, False)
    assert offer.where


@pytest.mark.parametrize("name", ["sway", "KDE", ""])
def test_elsewhere_nothing_is_offered_and_the_commands_are_named(desktop, name):
    assert desktop(name) is None
    hint = own_keys({"XDG_CURRENT_DESKTOP": name})
    for what in ("start", "stop", "toggle"):
        assert f'"handy-qwen {what}"' in hint
    assert own_keys({"XDG_CURRENT_DESKTOP": "niri"}) == OFFERED


def test_a_program_that_is_not_on_path_is_named_by_its_place(desktop):
    (desktop.programs / "handy-qwen").unlink()
    assert launch_for({}).command[0] in desktop("niri").lines()[0]


@pytest.mark.parametrize(
    "before", ["", "// mine\n", 'binds {\n    Mod+T { spawn "foot"; }\n}\n', "a\nbinds {\n}"]
)
def test_on_niri_it_is_put_among_the_binds_checked_first_and_taken_out_again(desktop, before):
    file = desktop.config / "niri" / "config.kdl"
    file.parent.mkdir(parents=True)
    file.write_text(before)
    key = desktop("niri")
    for _ in range(2):  # a second time it is written anew
        key.bind()
    text = file.read_text()
    assert text.count("binds {") == 1
    assert text.count("handy-qwen") == 1
    assert text == (desktop.store / "validated").read_text()
    assert key.is_bound()
    key.unbind()
    assert not key.is_bound()
    left = file.read_text()
    assert left == before or left == before + "binds {\n}\n"
    assert file.stat().st_mode & 0o044, "it stays readable as it was"


def test_what_niri_does_not_take_is_not_written(desktop):
    file = desktop.config / "niri" / "config.kdl"
    file.parent.mkdir(parents=True)
    file.write_text("// Mod+X\n")
    with pytest.raises(HotkeyError, match="niri doesn't take"):
        desktop("niri").bind()
    assert file.read_text() == "// Mod+X\n"
    assert list(file.parent.iterdir()) == [file]


def test_on_hyprland_it_is_bound_at_once_and_for_the_next_start(desktop):
    file = desktop.config / "hypr" / "hyprland.conf"
    file.parent.mkdir(parents=True)
    file.write_text("monitor = ,preferred,auto,1")
    key = desktop("Hyprland")
    key.bind()
    assert file.read_text().splitlines()[0] == "monitor = ,preferred,auto,1"
    assert "bindr = , F9, exec, handy-qwen stop" in file.read_text()
    assert (desktop.store / "said").read_text().splitlines() == [
        "keyword bind , F9, exec, handy-qwen start",
        "keyword bindr , F9, exec, handy-qwen stop",
    ]
    key.unbind()
    assert file.read_text() == "monitor = ,preferred,auto,1\n"
    assert (desktop.store / "said").read_text().endswith("keyword unbind , F9\n")


def test_what_hyprland_does_not_take_is_not_written(desktop):
    with pytest.raises(HotkeyError, match="Hyprland doesn't take"):
        desktop("Hyprland", "X").bind()
    assert not (desktop.config / "hypr").exists()


def test_on_gnome_it_is_a_custom_shortcut_beside_the_users(desktop):
    key = desktop("GNOME")
    listed = desktop.store / "org.gnome.settings-daemon.plugins.media-keys.custom-keybindings"
    listed.write_text("['/mine/']")
    for _ in range(2):
        key.bind()
    assert listed.read_text().count("handy-qwen") == 1
    assert "/mine/" in listed.read_text()
    values = sorted(file.read_text() for file in desktop.store.glob("*custom-keybinding:*"))
    assert values == ["F9\n", "Handy Qwen\n", "handy-qwen toggle\n"]
    assert key.is_bound()
    key.unbind()
    assert listed.read_text() == "['/mine/']\n"
    assert not list(desktop.store.glob("*custom-keybinding:*"))


def test_a_file_that_cannot_be_read_is_an_error_without_its_content(desktop):
    file = desktop.config / "niri" / "config.kdl"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xff\xfe secret")
    with pytest.raises(HotkeyError, match="UnicodeDecodeError") as refused:
        desktop("niri").bind()
    assert "secret" not in str(refused.value) + refused.value.hint
