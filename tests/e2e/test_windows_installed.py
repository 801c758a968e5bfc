"""The installer for Windows, under Wine: it installs, updates and removes, whatever happens meanwhile.

For all users: Wine does not know the user's own program folder (FOLDERID_UserProgramFiles).
"""

import contextlib
import os
import random
import shutil
import time

import pytest

from tests.conftest import ROOT
from tests.e2e.app import SPOKEN
from tests.e2e.desk.processes import wait_until
from tests.e2e.desk.wine import WineApp, WineDesktop, WineQtTarget, windows_path, wine_folder

wine_folder()
pytestmark = pytest.mark.desktop
FOLDER = r"C:\Program Files\Handy Qwen"
PROGRAM = rf"{FOLDER}\handy-qwen.exe"
RUN_KEY = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run"
SILENT = ("/VERYSILENT", "/SUPPRESSMSGBOXES", "/ALLUSERS")
SETTINGS = "set_up = true\nsmart_spacing = false\n"
SETUP_S, TEXT_S = 600.0, 60.0
MUTEX = "HandyQwen"
STILL_RUNNING = 7  # of Inno Setup: PrepareToInstall found that it cannot go on
KILLS = int(os.environ.get("HANDY_QWEN_KILLS", "2"))


class Installed(WineApp):
    """The installed program, with its usual folders."""

    def __init__(self, desktop, name):
        super().__init__(desktop, name, command=(PROGRAM,))
        self.env = dict(desktop.env)
        local = desktop.prefix / "drive_c/users/root/AppData/Local"
        self.home, self.runtime = local / "handy-qwen", local / "Temp/handy-qwen"
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "settings.toml").write_text(SETTINGS)


class Setup:
    """The installer, and what it has installed."""

    def __init__(self, desktop):
        folders = (wine_folder() / "checkout" / "dist", ROOT / "dist")
        built = [file for folder in folders for file in sorted(folder.glob("handy-qwen-*-windows-amd64.exe"))]
        if not built:
            pytest.skip("needs the installer: packaging/dev.py test-windows package")
        self.desktop = desktop
        self.file = windows_path(built[0])
        self.portable = built[0].with_suffix(".zip")
        self.version = built[0].name.split("-")[2]
        self.place = desktop.prefix / "drive_c/Program Files/Handy Qwen"
        self._calls = 0

    @property
    def libraries(self):
        """The folders of libraries that are there."""
        return sorted(path.name for path in self.place.glob("_internal*"))

    def call(self, *command):
        """Run a Windows program to its end: its exit status and what it says."""
        self._calls += 1
        return self.desktop.windows_program(f"call-{self._calls}", *command, timeout_s=SETUP_S)

    def install(self):
        return self.call(self.file, *SILENT)[0]

    def uninstall(self):
        return self.call(rf"{FOLDER}\unins000.exe", "/VERYSILENT", "/SUPPRESSMSGBOXES")[0]

    def make_other(self, version):
        """Make what is installed look as if it were of that version, whose name must be as long."""
        ours, other = f"_internal-{self.version}", f"_internal-{version}"
        assert len(ours) == len(other)
        (self.place / ours).rename(self.place / other)
        program = self.place / "handy-qwen.exe"
        data = program.read_bytes()
        assert ours.encode() in data
        program.write_bytes(data.replace(ours.encode(), other.encode()))

    def starts(self):
        """Whether the program finds all its parts."""
        status, said = self.call(PROGRAM, "--version")
        return status == 0 and self.version in said


@pytest.fixture(scope="module")
def desk():
    with WineDesktop() as desktop:
        yield desktop


@pytest.fixture(scope="module")
def setup(desk):
    return Setup(desk)


@pytest.fixture
def installed(setup):
    """The program, installed once."""
    if setup.libraries != [f"_internal-{setup.version}"]:
        shutil.rmtree(setup.place, ignore_errors=True)
        assert setup.install() == 0
    return setup


def test_it_is_installed_and_dictates(desk, installed):
    assert SPOKEN["report"] in installed.call(PROGRAM, "demo")[1]
    window = desk.open(WineQtTarget)
    with Installed(desk, "first") as app:
        window.focus()
        app.dictate("chairs")
        wait_until(window.text, "the text", timeout_s=TEXT_S)
        said = app.run("last").stdout.strip()  # on a busy machine the virtual microphone loses some of it
        assert said
        assert window.wait_for_text(said, TEXT_S) == said
    window.close()


def test_the_portable_program_runs_where_it_is_unpacked(desk, setup):
    folder = desk.folder / "Jörgs Stick"
    shutil.unpack_archive(setup.portable, folder)
    (program,) = folder.rglob("handy-qwen.exe")
    assert SPOKEN["report"] in setup.call(windows_path(program), "demo")[1]


@pytest.mark.parametrize("other", ["0.0.9", "9.9.9"])
def test_an_update_ends_the_running_program_and_starts_it_again(desk, installed, other):
    installed.make_other(other)
    app = Installed(desk, f"before-{other}")
    app.__enter__()
    before = app.status()["pid"]
    assert installed.install() == 0
    assert app.process.wait(TEXT_S) == 0, app.output()
    assert installed.libraries == [f"_internal-{installed.version}"]
    wait_until(lambda: app.status().get("is_ready"), "the new version", timeout_s=TEXT_S)
    assert app.status()["pid"] != before
    assert (app.home / "settings.toml").read_text() == SETTINGS
    app.run("quit")
    wait_until(lambda: not app.status(), "its end", timeout_s=TEXT_S)


def test_an_update_over_a_program_that_cannot_be_ended_changes_nothing(desk, installed):
    installed.make_other("0.0.9")
    mutex = desk.ask("hold_mutex", name=MUTEX)
    try:
        assert installed.install() == STILL_RUNNING
    finally:
        desk.ask("release", handle=mutex)
    assert installed.libraries == ["_internal-0.0.9"]
    assert installed.starts()


def test_an_update_that_is_killed_leaves_a_program_that_starts(desk, installed):
    began_s = time.monotonic()
    assert installed.install() == 0
    took_s = time.monotonic() - began_s
    chance = random.Random(7)
    for number in range(KILLS):
        if installed.libraries == [f"_internal-{installed.version}"]:
            installed.make_other("0.0.9")
        process = desk.start(f"killed-{number}", "wine", installed.file, *SILENT)
        time.sleep(took_s * (number + chance.random()) / KILLS)
        desk.ask("kill_named", part="windows-amd64")
        process.wait(TEXT_S)
        assert installed.starts(), f"{number}: {installed.libraries}"
    assert installed.install() == 0
    assert installed.starts()
    assert installed.libraries == [f"_internal-{installed.version}"]


def test_it_is_uninstalled_while_it_runs_and_the_users_data_stays(desk, installed):
    app = Installed(desk, "last")
    app.__enter__()
    assert app.run("autostart", "on").returncode == 0
    assert "--hidden" in installed.call("reg", "query", RUN_KEY)[1]
    assert installed.uninstall() == 0
    assert app.process.wait(TEXT_S) == 0, app.output()
    # What was called has ended before: a copy of it deletes the files, and that one.
    wait_until(lambda: not installed.libraries, "the libraries to go", timeout_s=SETUP_S)
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not installed.place.exists(), "the rest to go", timeout_s=TEXT_S)
    left = sorted(str(path.relative_to(installed.place)) for path in installed.place.rglob("*"))
    assert (left, installed.place.exists()) == ([], False)
    assert "Handy Qwen" not in installed.call("reg", "query", RUN_KEY)[1]
    assert (app.home / "settings.toml").read_text() == SETTINGS


def test_the_uninstaller_asks_about_the_users_data_and_deletes_it_if_told_so(desk, installed):
    app = Installed(desk, "asked")
    desk.start("uninstaller", "wine", rf"{FOLDER}\unins000.exe")
    answered = set()
    for question, keys in {
        "whether at all": ("Alt_L", "y"),
        "whether the data as well": ("Alt_L", "y"),
        "that it is done": ("Return",),
    }.items():
        box = wait_until(lambda: message_boxes(desk) - answered, question, timeout_s=SETUP_S)
        answered.update(box)
        (hwnd,) = box
        desk.ask("activate", hwnd=hwnd)
        wait_until(lambda one=hwnd: desk.ask("foreground")["hwnd"] == one, "the focus")
        desk.screenshot(f"windows-uninstall-{len(answered)}")
        desk.hardware.chord(*keys)
    wait_until(lambda: not installed.place.exists(), "the program to go", timeout_s=TEXT_S)
    assert not app.home.exists()


def message_boxes(desk):
    """The windows in which the uninstaller asks."""
    shown = desk.ask("windows")
    return {one["hwnd"] for one in shown if one["class"] == "#32770" and "Uninstall" in one["title"]}
