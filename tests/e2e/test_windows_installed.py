"""The installer for Windows, under Wine: it installs, updates and removes, whatever happens meanwhile.

For all users, but for the last test.
"""

import contextlib
import json
import os
import shutil
import sqlite3
import time

import pytest
import soundfile

from handy_qwen import __version__
from tests.conftest import ROOT
from tests.e2e.app import SPOKEN
from tests.e2e.desk.processes import wait_until
from tests.e2e.desk.wine import WineApp, WineDesktop, WineQtTarget, windows_path, wine_folder

wine_folder()
pytestmark = pytest.mark.desktop
FOLDER = r"C:\Program Files\Handy Qwen"
PROGRAM = rf"{FOLDER}\handy-qwen.exe"
RUN_KEY = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run"
OWN_PLACE = "AppData/Local/Programs/Handy Qwen"  # of a user who installs it for himself, in his folder
OWN_FOLDER = r"C:\users\root\AppData\Local\Programs\Handy Qwen"
OWN_PATH_KEY = r"HKCU\Environment"
UNINSTALL_KEY = r"Software\Microsoft\Windows\CurrentVersion\Uninstall"
PATH_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
QUIET = ("/VERYSILENT", "/SUPPRESSMSGBOXES")
SILENT = (*QUIET, "/ALLUSERS")
TASKS = "/TASKS=desktopicon,path"  # an update keeps them
OLD_VERSION = "0.0.9"  # of the older installer; its program is ours, and tells our version
LINKS = (
    "ProgramData/Microsoft/Windows/Start Menu/Programs/Handy Qwen/Handy Qwen.lnk",
    "users/Public/Desktop/Handy Qwen.lnk",
)
SETTINGS = """set_up = true
smart_spacing = false
[[replacements]]
heard = "qwen"
written = "Qwen"
"""
SETUP_S, TEXT_S = 600.0, 60.0
MUTEX = "HandyQwen"
STILL_RUNNING = 7  # of Inno Setup: PrepareToInstall found that it cannot go on
KILLS = int(os.environ.get("HANDY_QWEN_KILLS", "10"))
# What Windows shows of a program: pefile comes with PyInstaller.
LOOK = """
import json, sys, pefile
file = pefile.PE(sys.argv[1])
tables = [table for info in file.FileInfo[0] for table in getattr(info, "StringTable", [])]
texts = {key.decode(): value.decode() for table in tables for key, value in table.entries.items()}
kind = pefile.RESOURCE_TYPE["RT_GROUP_ICON"]
(icons,) = [one for one in file.DIRECTORY_ENTRY_RESOURCE.entries if one.id == kind]
place = icons.directory.entries[0].directory.entries[0].data.struct
group = file.get_data(place.OffsetToData, place.Size)
print(json.dumps([texts, [group[at] or 256 for at in range(6, len(group), 14)]]))
"""


class Installed(WineApp):
    """The installed program, with its usual folders."""

    def __init__(self, desktop, name, program=PROGRAM):
        super().__init__(desktop, name, command=(program,))
        self.env = dict(desktop.env)
        local = desktop.prefix / "drive_c/users/root/AppData/Local"
        self.home, self.runtime = local / "handy-qwen", local / "Temp/handy-qwen"
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "settings.toml").write_text(SETTINGS)


class Setup:
    """The installers of this and of an older version, and what is installed."""

    def __init__(self, desktop):
        folders = (wine_folder() / "checkout" / "dist", ROOT / "dist")
        folder = next((one for one in folders if self._file(one, OLD_VERSION).is_file()), None)
        if folder is None:
            pytest.skip("needs the installers: packaging/dev.py test-windows package")
        self.desktop = desktop
        self.files = {one: windows_path(self._file(folder, one)) for one in (OLD_VERSION, __version__)}
        self.portable = self._file(folder, __version__).with_suffix(".zip")
        self.place = desktop.prefix / "drive_c/Program Files/Handy Qwen"
        self._calls = 0
        self.path_before = self.path()

    @staticmethod
    def _file(folder, version):
        return folder / f"handy-qwen-{version}-windows-amd64.exe"

    @property
    def versions(self):
        """Those whose libraries are there."""
        return sorted(path.name.removeprefix("_internal-") for path in self.place.glob("_internal*"))

    def call(self, *command):
        """Run a Windows program to its end: its exit status and what it says."""
        self._calls += 1
        return self.desktop.windows_program(f"call-{self._calls}", *command, timeout_s=SETUP_S)

    def install(self, version=__version__, *options):
        return self.call(self.files[version], *SILENT, *options)[0]

    def uninstall(self):
        status = self.call(rf"{FOLDER}\unins000.exe", *QUIET)[0]
        # What was called has ended before: a copy of it deletes the files, and that one.
        wait_until(lambda: not self.versions, "the libraries to go", timeout_s=SETUP_S)
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not self.place.exists(), "the rest to go", timeout_s=TEXT_S)
        return status

    def parts(self):
        """What the program says of each of its modules; None if it does not start."""
        status, said = self.call(PROGRAM, "--self-test")
        return said if status == 0 and '"handy_qwen.cli": ""' in said else None

    def path(self, key=PATH_KEY):
        """The folders in which commands are looked for, of all users or of one."""
        return self.call("reg", "query", key, "/v", "Path")[1].rpartition("SZ    ")[2].split(";")

    def told_version(self, root="HKLM"):
        """What the list of installed programs says; empty if it does not name ours."""
        listed = self.call("reg", "query", rf"{root}\{UNINSTALL_KEY}", "/s")[1]
        return "".join(line.split()[-1] for line in listed.splitlines() if "DisplayVersion" in line)


def target_of(link):
    """What a shortcut starts. Wine writes no AppUserModelID into one. Source: MS-SHLLINK, 2.1 to 2.3."""
    data = link.read_bytes()
    info = 78 + int.from_bytes(data[76:78], "little")  # behind the header and the list of shell items
    path = info + int.from_bytes(data[info + 16 : info + 20], "little")
    return data[path : data.index(0, path)].decode("ascii")


def kept(home):
    """All of the user's data: each file, and what is in the history. While the program does not run."""
    files = [path for path in home.rglob("*") if path.is_file() and path.parent.name != "Logs"]
    database = home / "history" / "history.db"
    held = {
        str(path.relative_to(home)): path.read_bytes() for path in files if database.name not in path.name
    }
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as history:
        return held | {"history": list(history.iterdump())}


def filled(app):
    """Use the program, so that its user has data; those data. It has ended then."""
    shutil.copytree(ROOT / "assets" / "demo-model", app.home / "models" / "mine", dirs_exist_ok=True)
    with app:
        app.run("start")
        app.speak("chairs")
        app.run("stop")
        wait_until(app.last, "the text", timeout_s=TEXT_S)
    data = kept(app.home)
    assert {"settings.toml", "history", "models/mine/manifest.json"} <= set(data)
    assert any(name.endswith(".wav") for name in data)
    return data


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
    if setup.versions != [__version__]:
        shutil.rmtree(setup.place, ignore_errors=True)
        assert setup.install(__version__, TASKS) == 0
    return setup


def ended(app):
    """Have the program end that an update has started."""
    pid = app.status()["pid"]
    app.run("quit")
    wait_until(lambda: not is_alive(app.desktop, pid), "its end", timeout_s=TEXT_S)


def is_alive(desk, pid):
    try:
        desk.ask("costs", pid=pid)
    except RuntimeError:  # psutil finds no such process
        return False
    return True


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


def test_windows_is_told_of_it(desk, installed):
    links = [desk.prefix / "drive_c" / link for link in LINKS]
    assert [target_of(link) for link in links] == [PROGRAM, PROGRAM]
    assert installed.path() == [*installed.path_before, FOLDER]
    assert installed.told_version() == __version__
    look = desk.start("look", *desk.python("-c", LOOK, PROGRAM))
    assert look.wait(TEXT_S) == 0
    texts, sizes = json.loads((desk.folder / "look.log").read_text("utf-8"))
    assert (texts["ProductName"], texts["FileVersion"]) == ("Handy Qwen", __version__)
    assert {16, 32, 48, 256} <= set(sizes)


def test_the_portable_program_runs_where_it_is_unpacked(desk, setup):
    folder = desk.folder / "Jörgs Stick"
    shutil.unpack_archive(setup.portable, folder)
    (program,) = folder.rglob("handy-qwen.exe")
    assert SPOKEN["report"] in setup.call(windows_path(program), "demo")[1]


@pytest.mark.parametrize(("before", "after"), [(OLD_VERSION, __version__), (__version__, OLD_VERSION)])
def test_an_update_ends_the_running_program_and_starts_it_again(desk, installed, before, after):
    """A step back is an update like any other."""
    assert installed.versions == [before] or installed.install(before) == 0
    app = Installed(desk, f"before-{after}")
    data = filled(app)
    app.start()
    pid = app.status()["pid"]
    assert installed.install(after) == 0
    assert app.process.wait(TEXT_S) == 0, app.output()
    assert (installed.versions, installed.told_version()) == ([after], after)
    wait_until(lambda: app.status().get("is_ready"), "the new version", timeout_s=TEXT_S)
    assert app.status()["pid"] != pid
    ended(app)
    assert kept(app.home) == data
    assert installed.path() == [*installed.path_before, FOLDER]


def test_what_is_said_until_an_update_is_in_the_history_after_it(desk, installed):
    app = Installed(desk, "speaking")
    app.start()
    before = histories(app)
    assert app.run("start").returncode == 0
    app.speak("meeting")
    said_s = soundfile.info(app.wav("meeting")).duration
    assert installed.install() == 0
    assert app.process.wait(TEXT_S) == 0, app.output()

    def new():
        return [one for one in histories(app) if one not in before and one["text"]]

    wait_until(lambda: app.status().get("is_ready"), "the new version", timeout_s=TEXT_S)
    (take,) = wait_until(new, "the text", timeout_s=TEXT_S)
    assert take["duration_s"] > said_s
    ended(app)


def histories(app):
    """The dictations that the program knows of."""
    return json.loads(app.run("history", "list", "--json").stdout)


def test_an_update_over_a_program_that_cannot_be_ended_changes_nothing(desk, installed):
    mutex = desk.ask("hold_mutex", name=MUTEX)
    try:
        assert installed.install(OLD_VERSION) == STILL_RUNNING
    finally:
        desk.ask("release", handle=mutex)
    assert (installed.versions, installed.told_version()) == ([__version__], __version__)
    assert installed.parts()


def test_an_update_that_is_killed_leaves_a_program_that_starts(desk, installed):
    assert installed.install(OLD_VERSION) == 0
    old = desk.folder / "old"
    shutil.copytree(installed.place, old)
    began_s = time.monotonic()
    assert installed.install() == 0
    took_s = time.monotonic() - began_s
    parts = installed.parts()
    assert parts
    left = []  # what there was after each
    for number in range(KILLS):
        shutil.rmtree(installed.place)
        shutil.copytree(old, installed.place)
        process = desk.start(f"killed-{number}", "wine", installed.files[__version__], *SILENT)
        time.sleep(took_s * (number + 0.5) / KILLS)
        killed = desk.ask("kill_named", part="windows-amd64")
        process.wait(TEXT_S)
        left.append(installed.versions if killed else "it had ended")
        assert installed.parts() == parts, f"{took_s:.1f} s: {left}"
    assert [OLD_VERSION, __version__] in left, (
        f"never while it put the libraries there: {took_s:.1f} s: {left}"
    )
    assert installed.install() == 0
    assert (installed.parts(), installed.versions) == (parts, [__version__])


def test_it_is_uninstalled_while_it_runs_and_the_users_data_stays(desk, installed):
    app = Installed(desk, "last")
    data = filled(app)
    app.start()
    assert app.run("autostart", "on").returncode == 0
    assert f'"{PROGRAM}" --hidden' in installed.call("reg", "query", RUN_KEY)[1]
    assert installed.uninstall() == 0
    assert app.process.wait(TEXT_S) == 0, app.output()
    left = sorted(str(path.relative_to(installed.place)) for path in installed.place.rglob("*"))
    assert (left, installed.place.exists()) == ([], False)
    assert "Handy Qwen" not in installed.call("reg", "query", RUN_KEY)[1]
    assert not [link for link in LINKS if (desk.prefix / "drive_c" / link).exists()]
    assert (installed.path(), installed.told_version()) == (installed.path_before, "")
    assert kept(app.home) == data


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


def test_what_a_user_installs_alone_is_nothing_to_the_machine(desk, setup):
    """So it needs no administrator: Wine's user is one, and would not be refused."""
    shutil.rmtree(setup.place, ignore_errors=True)
    user = desk.prefix / "drive_c/users/root"
    links = [
        user / "AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Handy Qwen/Handy Qwen.lnk",
        user / "Desktop/Handy Qwen.lnk",
    ]
    program, machine = rf"{OWN_FOLDER}\handy-qwen.exe", machine_registry(setup)
    for version in (OLD_VERSION, __version__):
        assert setup.call(setup.files[version], *QUIET, "/CURRENTUSER", TASKS)[0] == 0
        assert setup.told_version("HKCU") == version
    app = Installed(desk, "own", program)
    data = filled(app)
    assert [target_of(link) for link in links] == [program, program]
    assert setup.path(OWN_PATH_KEY)[-1] == OWN_FOLDER
    assert not setup.place.exists()
    assert setup.call(rf"{OWN_FOLDER}\unins000.exe", *QUIET)[0] == 0
    wait_until(lambda: not (user / OWN_PLACE).exists(), "the program to go", timeout_s=SETUP_S)
    assert setup.told_version("HKCU") == ""
    assert OWN_FOLDER not in setup.path(OWN_PATH_KEY)
    assert not [link for link in links if link.exists()]
    assert kept(app.home) == data
    assert machine_registry(setup) == machine


def machine_registry(setup):
    """What the registry has for all users of what an installer could write there."""
    keys = (UNINSTALL_KEY, r"Software\Microsoft\Windows\CurrentVersion\Run")
    said = [setup.call("reg", "query", rf"HKLM\{key}", "/s")[1] for key in keys]
    return [*said, setup.path()]
