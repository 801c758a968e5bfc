"""The portal listener with the real xdg-desktop-portal, in front of a backend of the test's own."""

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from handy_qwen.core.events import EscapePressed, HotkeysAssigned, HotkeysFailed, KeyDown, KeyUp
from handy_qwen.core.types import Hotkey
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.system.hotkeys import portal
from handy_qwen.system.hotkeys.portal import PortalHotkeys
from tests.e2e.desk.processes import Processes, wait_until

FRONTEND = Path("/usr/libexec/xdg-desktop-portal")
PORTAL_FILE = """[portal]
DBusName=org.freedesktop.impl.portal.desktop.fake
Interfaces=org.freedesktop.impl.portal.GlobalShortcuts;
UseIn=fake
"""

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.skipif(
        not FRONTEND.exists() or shutil.which("dbus-daemon") is None,
        reason="install xdg-desktop-portal and dbus-daemon",
    ),
]


class PortalDesk:
    """A session bus with a portal."""

    def __init__(self, folder, **environment):
        self.folder = folder
        self.processes = Processes(folder)
        portals = folder / "portals"
        portals.mkdir()
        (portals / "fake.portal").write_text(PORTAL_FILE)
        home = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PATH": "/usr/bin:/bin"}
        desktop = {"XDG_DESKTOP_PORTAL_DIR": str(portals), "XDG_CURRENT_DESKTOP": "fake"}
        self.env = home | desktop | environment

    def __enter__(self):
        self.bus = self.processes.start_telling(
            "dbus",
            lambda fd: ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--print-address={fd}"],
            env=self.env,
        )
        self.env["DBUS_SESSION_BUS_ADDRESS"] = self.bus
        self.backend = self.processes.start(
            "backend",
            [sys.executable, "-m", "tests.e2e.portal_backend"],
            env=self.env | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said = queue.SimpleQueue()
        threading.Thread(target=self._read, name="read-backend", daemon=True).start()
        assert self.said.get(timeout=60) == "ready"
        self.start_frontend()
        return self

    def start_frontend(self):
        self.frontend = self.processes.start("frontend", [str(FRONTEND)], env=self.env)
        wait_until(self._has_portal, "the portal")

    def restart_frontend(self):
        """As after a crash: no session was closed."""
        self.frontend.kill()
        wait_until(lambda: not self._has_portal(), "the portal's end")
        self.start_frontend()

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.backend.stdin.close()
        self.processes.stop_all()

    def tell(self, line):
        self.backend.stdin.write(line + "\n")
        self.backend.stdin.flush()

    def bound(self, count):
        """The next ``count`` shortcuts that were asked for."""
        lines = []
        while len(lines) < count:
            line = self.said.get(timeout=60)
            lines += [line] if line.startswith("bind") else []
        return lines

    def _read(self):
        with contextlib.suppress(ValueError):
            for line in self.backend.stdout:
                self.said.put(line.strip())

    def _has_portal(self):
        command = ["dbus-send", f"--bus={self.bus}", "--print-reply", "--dest=org.freedesktop.DBus", "/"]
        query = ["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.portal.Desktop"]
        answer = subprocess.run([*command, *query], capture_output=True, text=True, check=False)
        return "boolean true" in answer.stdout


@pytest.fixture
def desk(tmp_path):
    with PortalDesk(tmp_path) as desk:
        yield desk


@pytest.fixture
def heard():
    return queue.SimpleQueue()


@pytest.fixture
def listener(desk, heard, monkeypatch):
    monkeypatch.setattr(PortalHotkeys, "RETRY_S", [0.1] * 100)
    listener = PortalHotkeys(heard.put, bus=desk.bus)
    yield listener
    listener.stop()
    listener.stop()


def next_event(heard):
    """But that the desktop assigned the keys, which comes before anything else."""
    event = heard.get(timeout=60)
    return next_event(heard) if isinstance(event, HotkeysAssigned) else event


def test_a_shortcut_of_the_desktop_goes_down_and_up(desk, listener, heard):
    listener.start([Hotkey("ctrl+alt+d"), Hotkey("f9", language="German"), Hotkey("ctrl_r")])
    assert desk.bound(4) == [
        "bind dictate-ctrl-alt-d CTRL+ALT+d",
        "bind dictate-f9 F9",
        "bind dictate-3 -",  # a modifier alone: the user chooses
        "bind cancel -",
    ]
    for line in ("press dictate-f9", "press dictate-f9", "release dictate-f9", "release dictate-f9"):
        desk.tell(line)
    desk.tell("press dictate-ctrl-alt-d")
    first, second, third = next_event(heard), next_event(heard), next_event(heard)
    assert (type(first), first.hotkey) == (KeyDown, 1)
    assert (type(second), second.hotkey) == (KeyUp, 1)
    assert (type(third), third.hotkey) == (KeyDown, 0)
    assert first.at_s <= second.at_s <= third.at_s
    listener.stop()
    assert isinstance(next_event(heard), KeyUp), "what is down comes up at the end"


def test_what_the_desktop_assigned_is_told_and_its_settings_are_asked_for(desk, listener, heard, monkeypatch):
    """This portal, of version 1, cannot show them: a desktop of that age has a program that does."""
    started = []
    monkeypatch.setattr(portal, "run", lambda *command: started.append(command) or True)
    listener.start([Hotkey("f9"), Hotkey("f8")])
    assert heard.get(timeout=60) == HotkeysAssigned(("a key", "a key"), cancel="a key")
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "KDE")
    listener.configure()
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "ubuntu:GNOME")
    listener.configure()
    assert started == [
        ("systemsettings", "kcm_keys"),
        ("gnome-control-center", "applications", "io.github.handy_qwen"),
    ]
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "sway")
    with pytest.raises(HotkeyError, match="could not be opened"):
        listener.configure()
    desk.tell("press dictate-f9")
    assert isinstance(next_event(heard), KeyDown), "the session goes on"


def test_the_cancel_shortcut_is_reported_only_while_it_is_wanted(desk, listener, heard):
    listener.start([Hotkey("f9")])
    desk.bound(2)
    desk.tell("press cancel")
    desk.tell("press dictate-f9")
    assert isinstance(next_event(heard), KeyDown)
    listener.watch_escape(True)
    desk.tell("press cancel")
    assert isinstance(next_event(heard), EscapePressed)


def test_other_hotkeys_replace_those_before(desk, listener, heard):
    listener.start([Hotkey("f9")])
    assert desk.bound(2)[0] == "bind dictate-f9 F9"
    listener.start([Hotkey("f8")])
    assert desk.bound(2)[0] == "bind dictate-f8 F8"
    desk.tell("press dictate-f8")
    assert isinstance(next_event(heard), KeyDown)
    with pytest.raises(HotkeyError) as refused:
        listener.start([Hotkey("f8"), Hotkey("F8")])
    assert refused.value.reason is HotkeyReason.INVALID


def test_a_session_that_is_lost_is_made_anew(desk, listener, heard):
    listener.start([Hotkey("f9")])
    desk.bound(2)
    desk.tell("press dictate-f9")
    assert isinstance(next_event(heard), KeyDown)
    desk.tell("close")
    assert isinstance(next_event(heard), KeyUp)
    assert desk.bound(2)[0] == "bind dictate-f9 F9"
    desk.tell("press dictate-f9")
    assert isinstance(next_event(heard), KeyDown)


def test_a_bus_that_is_gone_is_reported(desk, heard, monkeypatch):
    monkeypatch.setattr(PortalHotkeys, "RETRY_S", [0.01, 0.01])
    listener = PortalHotkeys(heard.put, bus=desk.bus)
    listener.start([Hotkey("f9")])
    desk.processes.stop_all()
    failed = next_event(heard)
    assert isinstance(failed, HotkeysFailed)
    assert failed.error.reason is HotkeyReason.UNSUPPORTED_DESKTOP
    listener.stop()


def test_a_portal_that_crashed_is_asked_anew(desk, listener, heard):
    listener.start([Hotkey("f9")])
    desk.bound(2)
    desk.tell("press dictate-f9")
    assert isinstance(next_event(heard), KeyDown)
    desk.restart_frontend()
    assert isinstance(next_event(heard), KeyUp), "nobody would tell of the release"
    assert desk.bound(2)[0] == "bind dictate-f9 F9"
    desk.tell("press dictate-f9")
    assert isinstance(next_event(heard), KeyDown)
    assert not listener.has_died()


def test_what_was_bound_counts_and_not_the_code_of_the_answer(tmp_path, heard):
    """GNOME 48 answers 2 ("other") when all went well."""
    with PortalDesk(tmp_path, CODE="2") as desk:
        listener = PortalHotkeys(heard.put, bus=desk.bus)
        listener.start([Hotkey("f9")])
        desk.bound(2)
        desk.tell("press no-such-shortcut")
        desk.tell("press dictate-f9")
        assert isinstance(next_event(heard), KeyDown), "and nothing was reported as failed"
        listener.stop()


def test_a_desktop_without_the_portal_is_an_error_at_the_start(tmp_path, heard):
    processes = Processes(tmp_path)
    bus = processes.start_telling(
        "dbus",
        lambda fd: ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--print-address={fd}"],
        env={"XDG_DATA_DIRS": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    listener = PortalHotkeys(heard.put, bus=bus)
    with pytest.raises(HotkeyError) as refused:
        listener.start([Hotkey("f9")])
    assert refused.value.reason is HotkeyReason.UNSUPPORTED_DESKTOP
    assert "handy-qwen toggle" in refused.value.hint
    listener.stop()
    processes.stop_all()
