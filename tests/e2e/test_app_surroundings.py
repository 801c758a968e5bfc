"""The machine sleeps and wakes, other programs play: the real program with a fake logind and fake players."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from tests.e2e.app import SPOKEN, App
from tests.e2e.desk.processes import wait_until

pytestmark = pytest.mark.desktop
MEETING = SPOKEN["meeting"]
SETTINGS = "smart_spacing = false\ntrailing_space = true\nwarm_s = -1\n"  # each text for itself
CONFIGURED = "Configured -> "  # in the log: other settings are in force
SLEEPS = 10


class Program:
    """One of the stand-ins: what it printed, and what it is told."""

    def __init__(self, desktop, name, *command, **options):
        self.process = desktop.start(name, sys.executable, *command, stdin=subprocess.PIPE, **options)
        self._log = desktop.folder / f"{name}.log"
        self.wait_for("ready")

    def said(self):
        return self._log.read_text(encoding="utf-8").split("\n")[:-1]

    def wait_for(self, line, count=1):
        wait_until(lambda: self.said().count(line) >= count, f"{line} from the stand-in")

    def tell(self, line):
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()


@pytest.fixture(scope="module")
def logind(desktop):
    """A bus that only the program takes for the system's, and logind on it."""
    address = desktop.processes.start_telling(
        "system-bus",
        lambda fd: ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--print-address={fd}"],
        env=desktop.env,
    )
    modules = os.pathsep.join(sys.path)
    env = desktop.env | {"DBUS_SESSION_BUS_ADDRESS": address, "PYTHONPATH": modules}
    made = Program(desktop, "logind", "-m", "tests.e2e.logind", env=env)
    made.address = address
    return made


@contextmanager
def running(desktop, name, settings, logind=None):
    app = App(desktop, name, settings)
    if logind is not None:
        app.env |= {"DBUS_SYSTEM_BUS_ADDRESS": logind.address}
    with app:
        yield app


def test_a_recording_that_the_sleep_ends_is_kept_and_the_next_one_is_heard_at_once(desktop, logind, editor):
    with running(desktop, "sleeper", SETTINGS, logind) as app:
        logind.wait_for("held up")
        for count in range(1, SLEEPS + 1):
            is_cut = count % 2 == 1  # every other time the lid is closed while somebody speaks
            if is_cut:
                desktop.hardware.down("Control_R")
                app.speak("meeting")
            logind.tell("sleep")
            logind.wait_for("released", count)  # only now the machine would sleep
            assert app.status()["phase"] != "recording"
            logind.tell("wake")
            logind.wait_for("held up", count + 1)
            if is_cut:
                desktop.hardware.up("Control_R")
            else:
                app.dictate("meeting")
            text = f"{MEETING} " * count
            assert editor.wait_for_text(text) == text


def test_after_an_unlock_and_after_a_stop_hotkeys_and_microphone_work_at_once(desktop, logind, editor):
    with running(desktop, "locker", SETTINGS, logind) as app:
        logind.tell("unlock")
        wait_until(lambda: "was unlocked" in app.output(), "the app to notice")
        app.dictate("meeting")
        assert editor.wait_for_text(f"{MEETING} ") == f"{MEETING} "
        app.process.send_signal(signal.SIGSTOP)
        time.sleep(3)  # longer than any machine is busy
        app.process.send_signal(signal.SIGCONT)
        app.dictate("meeting")
        assert editor.wait_for_text(f"{MEETING} " * 2) == f"{MEETING} " * 2


@pytest.fixture
def player(desktop):
    env = desktop.env | {"PYTHONPATH": os.pathsep.join(sys.path)}
    made = Program(desktop, "player", "-m", "tests.e2e.player", "music", env=env)
    yield made
    desktop.stop(made.process)
    (desktop.folder / "player.log").unlink()


def test_music_pauses_while_somebody_speaks_and_goes_on_unless_the_user_has_stopped_it(desktop, player):
    with running(desktop, "pauser", f'{SETTINGS}while_recording = "pause"\n') as app:
        assert app.run("start").returncode == 0
        player.wait_for("Pause")
        assert app.run("stop").returncode == 0
        player.wait_for("Play")
        player.tell("Paused")
        player.wait_for("is Paused")
        app.run("start")
        app.wait_for_phase("recording")
        time.sleep(0.5)  # longer than it takes
        app.run("cancel")
        app.wait_for_phase("idle")
        time.sleep(1.0)
        assert player.said() == ["ready", "Pause", "Play", "is Paused"], "what the user has paused stays so"
        player.tell("Playing")
        player.wait_for("is Playing")
        app.run("start")
        player.wait_for("Pause", 2)
        player.tell("Stopped")
        player.wait_for("is Stopped")
        app.run("cancel")
        time.sleep(1.0)
        assert player.said()[-1] == "is Stopped"
        before = app.output().count(CONFIGURED)
        assert app.run("settings", "set", "while_recording", "off").returncode == 0
        wait_until(lambda: app.output().count(CONFIGURED) > before, "the app to follow")
        player.tell("Playing")
        player.wait_for("is Playing", 2)
        app.run("start")
        app.wait_for_phase("recording")
        time.sleep(0.5)
        app.run("cancel")
        assert player.said()[-1] == "is Playing"


def test_music_goes_on_after_a_crash_unless_the_user_has_stopped_it(desktop, player):
    settings = f'{SETTINGS}while_recording = "pause"\n'
    for is_stopped in (False, True):
        crashed = App(desktop, "pausing-crasher", settings)
        crashed.__enter__()
        crashed.run("start")
        player.wait_for("Pause", 1 + is_stopped)
        crashed.process.kill()
        crashed.process.wait(10)
        if is_stopped:
            player.tell("Stopped")
            player.wait_for("is Stopped")
        with running(desktop, "pausing-crasher", settings) as app:
            if is_stopped:
                wait_until(lambda: not (app.home / "data" / "players.json").exists(), "the note to be read")
            else:
                player.wait_for("Play")
    assert player.said() == ["ready", "Pause", "Play", "Pause", "is Stopped"]


def test_the_volume_is_lowered_and_put_back_also_after_a_crash(desktop):
    sound = desktop.sound

    def volume():
        return sound.control("get-sink-volume", "@DEFAULT_SINK@").partition("/")[2].partition("%")[0].strip()

    sound.control("set-sink-volume", "@DEFAULT_SINK@", "80%")
    settings = f'{SETTINGS}while_recording = "lower"\n'
    crashed = App(desktop, "crasher", settings)
    crashed.__enter__()
    crashed.run("start")
    wait_until(lambda: volume() == "20", "the lower volume")
    crashed.run("cancel")
    wait_until(lambda: volume() == "80", "the volume from before")
    crashed.run("start")
    wait_until(lambda: volume() == "20", "the lower volume again")
    crashed.process.kill()
    crashed.process.wait(10)
    assert volume() == "20"
    with running(desktop, "crasher", settings):
        wait_until(lambda: volume() == "80", "the volume from before the crash")
    sound.control("set-sink-volume", "@DEFAULT_SINK@", "100%")
