"""A key of the desktop's own that is bound to the program: what is written, checked and taken back."""

import os

import pytest

from handy_qwen.errors import HotkeyError
from handy_qwen.system.entries import launch_for
from handy_qwen.system.hotkeys.own_keys import OFFERED, own_key, own_keys

pytestmark = pytest.mark.linux("desktops of Linux")

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

    def written(name, text):
        file = tmp_path / "config" / name
        file.parent.mkdir(parents=True)
        file.write_bytes(text.encode())
        return file

    make.store, make.programs, make.written = store, programs, written
    return make


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


def test_in_a_sandbox_nothing_is_offered_and_the_command_is_that_of_the_host(desktop):
    assert desktop("GNOME") is not None
    environment = {"XDG_CURRENT_DESKTOP": "GNOME", "FLATPAK_ID": "io.github.handy_qwen"}
    assert own_key("F9", environment) is None, "gsettings is there, and writes into the sandbox"
    assert '"flatpak run io.github.handy_qwen toggle"' in own_keys(environment)


def test_a_program_that_is_not_on_path_is_named_by_its_place(desktop):
    (desktop.programs / "handy-qwen").unlink()
    assert launch_for({}).command[0] in desktop("niri").lines()[0]


@pytest.mark.parametrize(
    "before",
    [
        "",
        "// mine",
        'binds {\n    Mod+T { spawn "foot"; }\n}\n',
        "a\nbinds {\n}",
        "// mine\r\nbinds {\r\n    Mod+T { quit; }\r\n}\r\n",
    ],
)
def test_on_niri_it_is_put_among_the_binds_checked_first_and_taken_out_again(desktop, before):
    file = desktop.written("niri/config.kdl", before)
    key = desktop("niri")
    for _ in range(2):  # a second time it is written anew
        key.bind()
    text = file.read_bytes().decode()
    lines = text.splitlines()
    assert lines.count("binds {") == 1
    assert text.count("handy-qwen") == 1
    assert text == (desktop.store / "validated").read_bytes().decode()
    assert key.is_bound()
    key.unbind()
    assert not key.is_bound()
    left = file.read_bytes().decode()
    assert left == before or left.splitlines() == [*before.splitlines(), "binds {", "}"]


def test_what_niri_does_not_take_is_not_written(desktop):
    file = desktop.written("niri/config.kdl", "// Mod+X\n")
    with pytest.raises(HotkeyError, match="niri doesn't take"):
        desktop("niri").bind()
    assert file.read_text() == "// Mod+X\n"
    assert list(file.parent.iterdir()) == [file]


def test_on_hyprland_it_is_checked_and_what_the_file_says_is_in_force(desktop):
    file = desktop.written("hypr/hyprland.conf", "monitor = ,preferred,auto,1")
    key = desktop("Hyprland")
    key.bind()
    assert file.read_text().splitlines()[0] == "monitor = ,preferred,auto,1"
    assert "bindr = , F9, exec, handy-qwen stop" in file.read_text()
    assert (desktop.store / "said").read_text().splitlines() == [
        "keyword bind , F9, exec, handy-qwen start",
        "keyword bindr , F9, exec, handy-qwen stop",
        "reload config-only",
    ]
    key.unbind()
    assert file.read_text() == "monitor = ,preferred,auto,1\n"
    assert (desktop.store / "said").read_text().count("reload config-only\n") == 2


def test_what_hyprland_does_not_take_is_neither_written_nor_in_force(desktop):
    file = desktop.written("hypr/hyprland.conf", "")
    with pytest.raises(HotkeyError, match="Hyprland doesn't take"):
        desktop("Hyprland", "X").bind()
    assert not file.read_text()
    assert (desktop.store / "said").read_text().endswith("reload config-only\n")


IN_FILES = pytest.mark.parametrize(
    ("name", "place"), [("niri", "niri/config.kdl"), ("Hyprland", "hypr/hyprland.conf")]
)


@IN_FILES
def test_a_key_that_is_not_bound_any_more_is_offered_and_replaces_the_other(desktop, name, place):
    file = desktop.written(place, "")
    desktop(name, "F9").bind()
    assert not desktop(name, "F10").is_bound()
    desktop(name, "F10").bind()
    assert desktop(name, "F10").is_bound()
    assert "F9" not in file.read_text()


@IN_FILES
def test_it_is_found_again_where_the_user_has_indented_it_or_changed_the_line_ends(desktop, name, place):
    file = desktop.written(place, "")
    desktop(name).bind()
    file.write_bytes(b"".join(b"  " + line + b"\r\n" for line in file.read_bytes().splitlines()))
    assert desktop(name).is_bound()


@IN_FILES
def test_without_the_last_line_of_the_block_nothing_of_the_users_is_taken_out(desktop, name, place):
    file = desktop.written(place, "")
    key = desktop(name)
    key.bind()
    text = "".join(line for line in file.read_text().splitlines(keepends=True) if "end:" not in line)
    file.write_text(text + "mine\n")
    for change in (key.bind, key.unbind):
        with pytest.raises(HotkeyError, match="no “end: Handy Qwen”"):
            change()
    assert file.read_text() == text + "mine\n"


@IN_FILES
def test_no_file_is_made_in_place_of_the_configuration_that_is_in_force_without_it(desktop, name, place):
    file = desktop.written(place, "")
    file.unlink()
    assert not desktop(name).is_bound()
    with pytest.raises(HotkeyError, match="can't be read"):
        desktop(name).bind()
    assert not list(file.parent.iterdir())


@IN_FILES
def test_a_link_and_who_may_read_and_write_the_file_stay(desktop, tmp_path, name, place):
    file = desktop.written(place, "")
    mine = file.rename(tmp_path / "mine")
    file.symlink_to(mine)
    before = os.umask(0o002)
    try:
        for mode in (0o600, 0o664):
            mine.chmod(mode)
            desktop(name).bind()
            assert file.is_symlink()
            assert "handy-qwen" in mine.read_text()
            assert mine.stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)


def test_a_folder_that_cannot_be_written_to_is_an_error_to_show(desktop, monkeypatch):
    desktop.written("niri/config.kdl", "")

    def refuse(**_options):
        raise PermissionError

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    with pytest.raises(HotkeyError, match=r"can't be written \(PermissionError\)"):
        desktop("niri").bind()


def test_niri_with_another_file_gets_no_offer(desktop):
    assert desktop("niri") is not None
    assert own_key("F9", {"XDG_CURRENT_DESKTOP": "niri", "NIRI_CONFIG": "/mine.kdl"}) is None


def test_a_place_with_a_blank_is_quoted_as_each_desktop_does(desktop, tmp_path):
    (desktop.programs / "handy-qwen").unlink()
    image = str(tmp_path / "my apps" / "image")
    keys = {
        name: own_key("F9", {"XDG_CURRENT_DESKTOP": name, "APPIMAGE": image})
        for name in ("niri", "Hyprland", "GNOME")
    }
    assert f'spawn "{image}" "toggle";' in keys["niri"].lines()[0]
    assert keys["Hyprland"].lines()[0].endswith(f"exec, '{image}' start")
    assert keys["GNOME"].lines()[0].endswith(f"'{image}' toggle")
    keys["GNOME"].bind()
    written = [file.read_text().strip() for file in desktop.store.glob("*.command")]
    assert written == [f"\"'{image}' toggle\""], "gsettings takes no other text that begins with a quote"
    assert keys["GNOME"].is_bound()


def test_on_gnome_it_is_a_custom_shortcut_beside_the_users(desktop):
    key = desktop("GNOME")
    listed = desktop.store / "org.gnome.settings-daemon.plugins.media-keys.custom-keybindings"
    listed.write_text("['/mine/']")
    for _ in range(2):
        key.bind()
    assert listed.read_text().count("handy-qwen") == 1
    assert "/mine/" in listed.read_text()
    values = sorted(file.read_text() for file in desktop.store.glob("*custom-keybinding:*"))
    assert values == ['"F9"\n', '"Handy Qwen"\n', '"handy-qwen toggle"\n']
    assert key.is_bound()
    assert not desktop("GNOME", "F10").is_bound()
    key.unbind()
    assert listed.read_text() == "['/mine/']\n"
    assert not list(desktop.store.glob("*custom-keybinding:*"))


def test_where_gnome_does_not_say_which_shortcuts_there_are_none_is_written(desktop):
    listed = desktop.store / "org.gnome.settings-daemon.plugins.media-keys.custom-keybindings"
    listed.write_text("['/mine/']")
    (desktop.programs / "gsettings").write_text(GSETTINGS.replace("get)", "get) exit 1 ;; never)"))
    for change in (desktop("GNOME").bind, desktop("GNOME").unbind):
        with pytest.raises(HotkeyError, match="GNOME doesn't say"):
            change()
    assert listed.read_text() == "['/mine/']"


def test_a_file_that_cannot_be_read_is_an_error_without_its_content(desktop):
    file = desktop.written("niri/config.kdl", "")
    file.write_bytes(b"\xff\xfe secret")
    with pytest.raises(HotkeyError, match="UnicodeDecodeError") as refused:
        desktop("niri").bind()
    assert "secret" not in str(refused.value) + refused.value.hint
