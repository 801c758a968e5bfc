"""Starting at login: the entries of three systems and the command in them; the registry is a stand-in."""

import errno
import os
import plistlib
import shutil
import subprocess
from pathlib import Path
from unittest.mock import Mock

import pytest

from handy_qwen.errors import HandyError
from handy_qwen.paths import APP_ID
from handy_qwen.system.entries import (
    APPROVED,
    FILE,
    NAME,
    RUN,
    Launch,
    MacAutostart,
    State,
    WindowsAutostart,
    XdgAutostart,
    autostart_for,
    desktop_file,
    launch_for,
)
from tests.waiting import wait_until

LAUNCH = Launch(("/usr/bin/env", "--hidden"))


class Registry:
    """As much of winreg as is used: keys are dictionaries by their path."""

    HKEY_CURRENT_USER, KEY_SET_VALUE, REG_SZ = object(), 2, 1

    def __init__(self, *, is_locked=False):
        self.keys = {}
        self.is_locked = is_locked

    class Key(dict):
        """An opened key."""

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    def OpenKey(self, root, path, _reserved=0, access=1):  # noqa: N802  as in winreg
        assert root is self.HKEY_CURRENT_USER
        if self.is_locked and access == self.KEY_SET_VALUE:
            raise PermissionError(5, "Access is denied")
        if path not in self.keys:
            raise FileNotFoundError(2, "no such key")
        return self.keys[path]

    def CreateKeyEx(self, root, path, _reserved, access):  # noqa: N802
        self.keys.setdefault(path, self.Key())
        return self.OpenKey(root, path, 0, access)

    def SetValueEx(self, key, name, _reserved, kind, value):  # noqa: N802
        assert kind == self.REG_SZ
        key[name] = value

    def QueryValueEx(self, key, name):  # noqa: N802
        if name not in key:
            raise FileNotFoundError(2, "no such value")
        return key[name], self.REG_SZ

    def DeleteValue(self, key, name):  # noqa: N802
        if name not in key:
            raise FileNotFoundError(2, "no such value")
        del key[name]


@pytest.fixture(params=["xdg", "windows", "macos"])
def autostart(request, tmp_path):
    made = {
        "xdg": lambda: XdgAutostart(tmp_path / "autostart"),
        "windows": lambda: WindowsAutostart(Registry()),
        "macos": lambda: MacAutostart(tmp_path / "LaunchAgents"),
    }
    return made[request.param]()


def test_it_is_off_until_it_is_turned_on_and_off_again_after_it_was_turned_off(autostart):
    assert not autostart.state().is_on
    autostart.turn_on(LAUNCH)
    state = autostart.state()
    assert state.is_on
    assert state.command == LAUNCH.command
    assert not state.is_broken
    autostart.turn_off()
    assert not autostart.state().is_on
    autostart.turn_off()


def test_turning_it_on_again_replaces_what_is_started(autostart):
    autostart.turn_on(Launch(("/gone/handy-qwen", "--hidden")))
    assert autostart.state().is_broken
    autostart.turn_on(LAUNCH)
    assert autostart.state().command == LAUNCH.command


SECOND = str(Path("/tmp/second").absolute())


# --- the command ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "is_frozen", "launch"),
    [
        # of an AppImage the file is started, not where it is mounted
        (
            {"APPIMAGE": "/home/me/Handy Qwen.AppImage"},
            True,
            Launch(("/home/me/Handy Qwen.AppImage", "--hidden")),
        ),
        ({}, True, Launch(("/opt/x", "--hidden"))),
        # a second instance is started as itself
        (
            {"HANDY_QWEN_HOME": SECOND},
            True,
            Launch(("/opt/x", "--hidden"), variables={"HANDY_QWEN_HOME": SECOND}),
        ),
        # of a Flatpak the interpreter is the runtime's; in a sandbox of something else nothing is different
        ({"FLATPAK_ID": APP_ID}, False, Launch(("/app/bin/handy-qwen", "--hidden"))),
        ({"FLATPAK_ID": "com.editor"}, True, Launch(("/opt/x", "--hidden"))),
        # it is passed the environment of the terminal, which may be an AppImage
        ({"FLATPAK_ID": APP_ID, "APPIMAGE": "/x"}, False, Launch(("/app/bin/handy-qwen", "--hidden"))),
        # not installed, and no checkout
        ({}, False, Launch(("/opt/x", "-m", "handy_qwen", "--hidden"))),
    ],
)
def test_this_copy_is_started_however_it_was_installed(tmp_path, environment, is_frozen, launch):
    assert launch_for(environment, executable="/opt/x", is_frozen=is_frozen, checkout=tmp_path) == launch


@pytest.mark.parametrize(("platform", "name"), [("linux", "handy-qwen"), ("win32", "handy-qwen.exe")])
def test_of_an_installed_one_the_script_beside_the_interpreter_is_started(tmp_path, platform, name):
    (tmp_path / name).touch()
    launch = launch_for({}, platform=platform, executable=str(tmp_path / "python"), is_frozen=False)
    assert launch == Launch((str(tmp_path / name), "--hidden"))


def test_a_checkout_that_is_not_installed_is_started_in_its_folder(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    launch = launch_for({}, executable="/usr/bin/python3", is_frozen=False, checkout=tmp_path)
    assert launch == Launch(("/usr/bin/python3", "-m", "handy_qwen", "--hidden"), tmp_path)


# --- Linux ------------------------------------------------------------------------------------------


def test_the_entry_lies_where_the_environment_says(tmp_path):
    told = autostart_for({"XDG_CONFIG_HOME": str(tmp_path / "c")}, platform="linux", home=tmp_path)
    assert told.place == str(tmp_path / "c" / "autostart" / FILE)
    for environment in ({}, {"XDG_CONFIG_HOME": "relative"}):
        usual = autostart_for(environment, platform="linux", home=tmp_path)
        assert usual.place == str(tmp_path / ".config" / "autostart" / FILE)


@pytest.mark.usefixtures("symbolic_links")
def test_an_entry_that_is_a_link_stays_one(tmp_path):
    real, place = tmp_path / "dotfiles" / FILE, tmp_path / "autostart" / FILE
    for folder in (real.parent, place.parent):
        folder.mkdir()
    place.symlink_to(real)
    autostart_for({"XDG_CONFIG_HOME": str(tmp_path)}, platform="linux", home=tmp_path).turn_on(LAUNCH)
    assert place.is_symlink()
    assert "/usr/bin/env" in real.read_text(encoding="utf-8")


@pytest.fixture
def sandboxed(monkeypatch, tmp_path):
    """The autostart of a Flatpak, of which the portal answers with ``answer``."""
    from tests.unit.system.bus import FakeBus

    def make(answer):
        bus = FakeBus({"RequestBackground": answer})
        monkeypatch.setattr("handy_qwen.system.portal.connect", lambda _bus: bus)
        monkeypatch.setattr("handy_qwen.system.entries.ASKED_S", 0.5)
        environment = {"FLATPAK_ID": APP_ID, "XDG_CONFIG_HOME": str(tmp_path)}
        return bus, autostart_for(environment, platform="linux", home=tmp_path)

    return make


@pytest.mark.linux("the portal is on Linux only")
def test_for_a_sandbox_the_portal_writes_the_entry(sandboxed):
    bus, autostart = sandboxed((0, {"background": ("b", True), "autostart": ("b", True)}))
    autostart.turn_on(Launch(LAUNCH.command, variables={"HANDY_QWEN_HOME": "/second"}))
    assert autostart.state() == State(is_on=True, command=LAUNCH.command)
    autostart.turn_off()
    assert not autostart.state().is_on
    (_, (_, on)), (_, (_, off)) = bus.calls
    assert on["autostart"] == ("b", True)
    assert on["commandline"] == ("as", ["env", "HANDY_QWEN_HOME=/second", *LAUNCH.command])
    assert off["autostart"] == ("b", False)
    assert bus.is_closed


@pytest.mark.linux("the portal is on Linux only")
@pytest.mark.parametrize(
    "answer", [(0, {"background": ("b", True), "autostart": ("b", False)}), (0, {}), (1, {}), (2, {}), None]
)
def test_a_sandbox_that_the_portal_does_not_let_start_is_told_so(sandboxed, answer):
    _, autostart = sandboxed(answer)
    with pytest.raises(HandyError, match="doesn't let Handy Qwen start at login") as raised:
        autostart.turn_on(LAUNCH)
    assert "run in the background" in str(raised.value.hint)
    assert not autostart.state().is_on


@pytest.mark.linux("the portal is on Linux only")
def test_a_sandbox_that_may_no_longer_run_in_the_background_is_not_started(sandboxed):
    bus, autostart = sandboxed((0, {"autostart": ("b", True)}))
    autostart.turn_on(LAUNCH)
    bus.answers["RequestBackground"] = (1, {})  # also where the entry was removed
    autostart.turn_off()
    assert not autostart.state().is_on


@pytest.mark.linux("the portal is on Linux only")
@pytest.mark.parametrize("answer", [(2, {}), None])
def test_an_entry_of_a_sandbox_that_the_portal_did_not_remove_stays(sandboxed, answer):
    bus, autostart = sandboxed((0, {"autostart": ("b", True)}))
    autostart.turn_on(LAUNCH)
    bus.answers["RequestBackground"] = answer
    with pytest.raises(HandyError, match="could not be turned off"):
        autostart.turn_off()
    assert autostart.state().is_on


@pytest.mark.linux("the portal is on Linux only")
def test_a_sandbox_without_room_for_the_note_is_not_started_at_login(sandboxed, monkeypatch):
    bus, autostart = sandboxed((0, {"autostart": ("b", True)}))
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("handy_qwen.system.entries.replace_file", Mock(side_effect=full))
    with pytest.raises(HandyError):
        autostart.turn_on(LAUNCH)
    assert bus.calls == [], "else nothing could turn it off again"


@pytest.mark.linux("the portal is on Linux only")
def test_a_sandbox_that_ends_while_the_desktop_asks_can_still_be_turned_off(sandboxed, monkeypatch):
    bus, autostart = sandboxed((0, {"autostart": ("b", True)}))
    with monkeypatch.context() as ended:
        ended.setattr("handy_qwen.system.portal.PortalSession.ask", Mock(side_effect=SystemExit))
        with pytest.raises(SystemExit):
            autostart.turn_on(LAUNCH)
    autostart.turn_off()
    (_, (_, off)) = bus.calls[-1]
    assert off["autostart"] == ("b", False)


@pytest.mark.linux("the portal is on Linux only")
def test_the_portal_is_not_asked_to_remove_what_it_never_wrote(sandboxed):
    bus, autostart = sandboxed((0, {}))
    autostart.turn_off()
    assert bus.calls == []


@pytest.mark.parametrize(
    "program",
    [
        "/usr/bin/handy-qwen",
        "/home/a b/handy qwen",
        '/o"dd/$HOME/`x`',
        "/back\\slash/100%/x",
        "/it's;here&there",
    ],
)
def test_any_path_survives_the_quoting(program, tmp_path):
    autostart = XdgAutostart(tmp_path)
    autostart.turn_on(Launch((program, "--hidden"), variables={"HANDY_QWEN_HOME": "/tmp/a b=c"}))
    assert autostart.state().command == (program, "--hidden")


@pytest.mark.unix("an entry of XDG, with paths of Linux")
def test_the_entry_is_valid(tmp_path):
    path = tmp_path / FILE
    path.write_text(desktop_file(Launch(("/a b/handy-qwen", "--hidden"), tmp_path)), encoding="utf-8")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "[Desktop Entry]"
    assert 'Exec="/a b/handy-qwen" --hidden' in lines
    assert f"Path={tmp_path}" in lines
    assert all(line.count("=") >= 1 for line in lines[1:])


@pytest.mark.skipif(shutil.which("gio") is None, reason="gio, which reads entries as desktops do, is missing")
def test_a_desktop_starts_the_program_with_its_variable(tmp_path):
    script, shown = tmp_path / "a $b" / "100% s`h'o\"w", tmp_path / "shown"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nprintf "%s|%s" "$1" "$HANDY_QWEN_HOME" > {shown}\n', encoding="utf-8")
    script.chmod(0o755)
    entry = tmp_path / FILE
    launch = Launch((str(script), "--hidden"), variables={"HANDY_QWEN_HOME": "/tmp/x y"})
    entry.write_text(desktop_file(launch), encoding="utf-8")
    subprocess.run(["gio", "launch", str(entry)], check=True, timeout=30)
    wait_until(lambda: shown.exists() and shown.read_text(encoding="utf-8"), "the program")
    assert shown.read_text(encoding="utf-8") == "--hidden|/tmp/x y"


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ("Exec=/usr/bin/env\nHidden=true", State(is_on=False, command=("/usr/bin/env",))),
        ("Exec=/usr/bin/env\nX-GNOME-Autostart-enabled=false", State(is_on=False, command=("/usr/bin/env",))),
        ('Exec="/usr/bin/env', State(is_on=True)),  # somebody broke it
    ],
)
def test_an_entry_is_read_as_the_desktop_or_somebody_left_it(lines, state, tmp_path):
    (tmp_path / FILE).write_text(f"[Desktop Entry]\n{lines}\n", encoding="utf-8")
    assert XdgAutostart(tmp_path).state() == state


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(HandyError, match="autostart entry"):
        XdgAutostart(tmp_path / "autostart").turn_on(LAUNCH)


def test_a_file_where_the_folder_should_be_is_told_and_nothing_is_left_behind(tmp_path):
    (tmp_path / "autostart").touch()
    with pytest.raises(HandyError, match="autostart entry"):
        XdgAutostart(tmp_path / "autostart").turn_on(LAUNCH)
    assert [path.name for path in tmp_path.iterdir()] == ["autostart"]


# --- Windows ----------------------------------------------------------------------------------------


def test_a_path_with_spaces_is_quoted_in_the_registry_and_other_programs_entries_stay():
    registry, launch = Registry(), Launch((r"C:\Program Files\Handy Qwen\handy-qwen.exe", "--hidden"))
    registry.keys[RUN] = Registry.Key({"Other": "other.exe"})
    autostart = WindowsAutostart(registry)
    autostart.turn_on(launch)
    assert registry.keys[RUN][NAME] == r'"C:\Program Files\Handy Qwen\handy-qwen.exe" --hidden'
    assert autostart.state().command == launch.command
    autostart.turn_off()
    assert registry.keys[RUN] == {"Other": "other.exe"}


def test_what_task_manager_switched_off_is_off_and_turning_it_on_takes_that_back():
    registry = Registry()
    autostart = WindowsAutostart(registry)
    autostart.turn_on(LAUNCH)
    registry.keys[APPROVED] = Registry.Key({NAME: b"\x03" + bytes(11), "Other": b"\x03"})
    assert not autostart.state().is_on
    autostart.turn_on(LAUNCH)
    assert autostart.state().is_on
    assert registry.keys[APPROVED] == {"Other": b"\x03"}, "other programs' entries stay"
    registry.keys[APPROVED][NAME] = b"\x02" + bytes(11)
    assert autostart.state().is_on


@pytest.mark.parametrize(
    "launch",
    [
        Launch(("python.exe", "-m", "handy_qwen"), folder=Path("checkout")),
        Launch(("handy-qwen.exe",), variables={"HANDY_QWEN_HOME": "x"}),
        Launch(("C:\\" + "x" * 300,)),
    ],
)
def test_what_the_run_key_cannot_say_is_refused(launch):
    registry = Registry()
    with pytest.raises(HandyError):
        WindowsAutostart(registry).turn_on(launch)
    assert not registry.keys


def test_a_registry_that_refuses_is_told():
    registry = Registry(is_locked=True)
    registry.keys[RUN] = Registry.Key({NAME: "x"})
    with pytest.raises(HandyError, match="Windows won't let"):
        WindowsAutostart(registry).turn_on(LAUNCH)
    with pytest.raises(HandyError, match="Windows won't let"):
        WindowsAutostart(registry).turn_off()


# --- macOS ------------------------------------------------------------------------------------------


def test_the_launch_agent_says_what_launchd_needs(tmp_path):
    autostart = autostart_for({}, platform="darwin", home=tmp_path)
    autostart.turn_on(Launch(("/Applications/Handy Qwen.app/x", "--hidden"), tmp_path, {"A": "b"}))
    path = tmp_path / "Library" / "LaunchAgents" / f"{APP_ID}.plist"
    agent = plistlib.loads(path.read_bytes())
    assert agent["Label"] == APP_ID
    assert agent["ProgramArguments"] == ["/Applications/Handy Qwen.app/x", "--hidden"]
    assert agent["RunAtLoad"] is True
    assert "KeepAlive" not in agent, "it must stay quit once it was quit"
    assert agent["WorkingDirectory"] == str(tmp_path)
    assert agent["EnvironmentVariables"] == {"A": "b"}


@pytest.mark.parametrize(
    "text", [b"", b"<plist><dict>", b"bplist00", b"<plist version='1.0'><array/></plist>"]
)
def test_a_launch_agent_that_somebody_broke_is_off(text, tmp_path):
    (tmp_path / f"{APP_ID}.plist").write_bytes(text)
    assert not MacAutostart(tmp_path).state().is_on
