"""Every command where a home or an output is missing: a sentence and an exit status, no traceback."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from handy_qwen import paths
from handy_qwen.cli import build_parser
from handy_qwen.errors import HandyError
from tests.conftest import CHECKPOINT, ROOT

pytestmark = pytest.mark.unix("homes and descriptors of POSIX")

SPEECH = str(ROOT / "assets" / "speech" / "report.flac")
APP = "start stop toggle cancel retry bring-back paste quit status setup models files correct last"
COMMANDS = dict.fromkeys(["", *APP.split()], ()) | {  # one call of each command that there is
    "help": ("models",),
    "transcribe": (SPEECH,),
    "history list": (),
    "history show": ("last",),
    "history search": ("word",),
    "history export": (),
    "history retry": ("last",),
    "history restore": ("last",),
    "history star": ("1",),
    "history delete": ("1",),
    "words list": (),
    "words import": (str(ROOT / "README.md"),),
    "words export": ("{}/words.txt",),
    "demo": (),
    "model list": (),
    "model install": ("qwen3-asr-0.6b",),
    "model import": (str(CHECKPOINT),),
    "model use": ("demo",),
    "model check": ("demo",),
    "model remove": ("qwen3-asr-0.6b",),
    "model path": (),
    "model info": ("demo",),
    "model convert": (str(CHECKPOINT), "{}/package"),
    "bench": ("--seconds", "1", "--tokens", "2", "--rounds", "1"),
    "doctor": ("--listen", "0"),
    "autostart": ("on",),
    "settings list": (),
    "settings get": ("mode",),
    "settings set": ("mode", "hold"),
    "settings add": ("custom_words", "word"),
    "settings remove": ("custom_words", "word"),
    "settings reset": ("mode",),
    "settings edit": (),
    "settings export": ("{}/backup.toml",),
    "settings import": (str(ROOT / "README.md"),),
    "uninstall": (),
}
MAY_WORK = {
    "transcribe",
    "demo",
    "model check",
    "model convert",
    "model info",
    "model list",
    "bench",
    "doctor",
}
MAY_WORK |= {"help", "uninstall", "model path", "history list", "history export"}  # they only read the home


def leaves(parser, before=""):
    """All commands that a parser knows, with those that have a second word."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from list(leaves(below, f"{before}{name} ")) or [f"{before}{name}"]


def test_no_command_is_left_out():
    assert set(leaves(build_parser())) | {""} == set(COMMANDS)


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """A user whom the system gives no home, and who has named none."""
    import pwd

    def nobody(_uid):
        raise KeyError("getpwuid(): uid not found")

    for name in list(os.environ):
        if name.startswith(("XDG_", "HANDY_QWEN_", "HF_")):
            monkeypatch.delenv(name)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    (tmp_path / "file").touch()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.mark.expects_log
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("home", [None, "file"])
@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_home_every_command_says_so_or_works(homeless, run, command, home, monkeypatch):
    if home:
        monkeypatch.setenv("HOME", str(homeless / home))
    status, out, err = run(*command.split(), *(one.format(homeless) for one in COMMANDS[command]))
    assert status in ({0, 1} if command in MAY_WORK else {1})
    assert status == 0 or err.strip() or "PROBLEM" in out
    assert "Traceback" not in out + err
    assert list(Path.cwd().iterdir()) == [], "nothing is written to where the user happens to be"


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("place", [paths.config_dir, paths.data_dir, paths.log_dir, paths.runtime_dir])
@pytest.mark.parametrize("home", [None, "", "home"])
def test_there_is_no_place_without_a_home(place, home, monkeypatch):
    if home is not None:
        monkeypatch.setenv("HOME", home)
    for own in ("", "~/own"):
        monkeypatch.setenv("HANDY_QWEN_HOME", own)
        with pytest.raises(HandyError, match=r"no home directory.*HANDY_QWEN_HOME"):
            place()


# --- outputs that are missing -------------------------------------------------------------------------------


def run_in_shell(command, redirections, tmp_path):
    """Run a command as a shell does with ``redirections``."""
    environment = os.environ | {"HANDY_QWEN_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        environment.pop(name, None)
    line = f'{sys.executable} -m handy_qwen "$@" {redirections}'
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line, "bash", *command],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


COMPLAINTS = {
    ">&-": "There is no standard output.",
    ">/dev/full": "Can't write to standard output: ",
}
WRITING = [["--help"], ["history", "--help"], ["autostart", "status"]]


@pytest.mark.parametrize("command", WRITING)
@pytest.mark.parametrize("redirections", COMPLAINTS)
def test_an_output_that_cannot_be_written_is_a_failure(command, redirections, tmp_path):
    if redirections == ">/dev/full" and not Path("/dev/full").exists():
        pytest.skip("Linux has one")
    done = run_in_shell(command, redirections, tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"handy-qwen: {COMPLAINTS[redirections]}")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    ("command", "redirections"),
    [(["--help"], "| true"), (["demo"], "2>&1 | true"), (["demo"], "| head -n 1")],
)
def test_a_reader_that_has_gone_ends_the_program_quietly(command, redirections, tmp_path):
    done = run_in_shell(command, redirections, tmp_path)
    assert done.returncode in {0, 1}, "what was written before the reader went was written"
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "Broken" not in done.stderr


@pytest.mark.parametrize("redirections", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize(
    ("command", "status"), [(["model", "path"], 0), (["status"], 1), (["--nonsense"], 2)]
)
def test_complaints_that_nobody_can_read_change_nothing(command, status, redirections, tmp_path):
    done = run_in_shell(command, redirections, tmp_path)
    assert done.returncode == status
    assert done.stderr == ""
    assert bool(done.stdout) == (status == 0), "complaints do not go to stdout instead"


def test_with_nothing_open_at_all_no_file_of_ours_takes_their_places(tmp_path):
    """The first files a program opens would get the numbers 0, 1 and 2, and what is said goes into them."""
    done = run_in_shell(["autostart", "status"], "0<&- >&- 2>&-", tmp_path)
    assert done.returncode == 1
    done = run_in_shell(["transcribe", "-"], "0<&-", tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
