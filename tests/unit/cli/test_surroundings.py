"""Every command where a home or an output is missing: a sentence and an exit status, no traceback."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from handy_qwen import paths
from handy_qwen.cli import build_parser, main
from handy_qwen.errors import HandyError
from tests.conftest import CHECKPOINT, ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="homes and descriptors of POSIX")

SPEECH = str(ROOT / "assets" / "speech" / "report.flac")
COMMANDS = {  # one call of each command that there is
    "": (),
    "start": (),
    "stop": (),
    "toggle": (),
    "cancel": (),
    "retry": (),
    "bring-back": (),
    "paste": (),
    "quit": (),
    "status": (),
    "setup": (),
    "settings": (),
    "models": (),
    "help": ("models",),
    "last": (),
    "transcribe": (SPEECH,),
    "history list": (),
    "history show": ("last",),
    "history search": ("word",),
    "history export": (),
    "history retry": ("last",),
    "history restore": ("last",),
    "history star": ("1",),
    "history delete": ("1",),
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
    "help",
}
MAY_WORK |= {
    "uninstall",
    "model path",
    "history list",
    "history export",
}  # an unwritable home may be looked into


def leaves(parser, before=""):
    """All commands that a parser knows, with those that have a second word."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from list(leaves(below, f"{before}{name} ")) or [f"{before}{name}"]


def test_no_command_is_left_out():
    assert set(leaves(build_parser())) | {""} == set(COMMANDS)


@pytest.fixture(params=["none", "a file"])
def homeless(request, monkeypatch, tmp_path):
    """A user without a home of any use."""
    import pwd

    def nobody(_uid):
        raise KeyError("getpwuid(): uid not found")

    for name in list(os.environ):
        if name.startswith(("XDG_", "HANDY_QWEN_", "HF_")):
            monkeypatch.delenv(name)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    (tmp_path / "file").touch()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    homes = {
        "relative": "home",
        "empty": "",
        "a file": str(tmp_path / "file"),
        "not to be made": "/proc/home",
    }
    if request.param == "none":
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", homes[request.param])
    return tmp_path


@pytest.mark.expects_log
@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_home_every_command_says_so_or_works(homeless, command, capsys):
    arguments = [one.format(homeless) for one in COMMANDS[command]]
    status = main([*command.split(), *arguments])
    said = capsys.readouterr()
    assert status in ({0, 1} if command in MAY_WORK else {1})
    assert status == 0 or said.err.strip() or "PROBLEM" in said.out
    assert "Traceback" not in said.out + said.err
    assert list(Path.cwd().iterdir()) == [], "nothing is written to where the user happens to be"


@pytest.mark.parametrize("place", [paths.config_dir, paths.data_dir, paths.log_dir, paths.runtime_dir])
@pytest.mark.parametrize("home", [None, "", "home"])
def test_there_is_no_place_without_a_home(place, home, monkeypatch):
    import pwd

    def nobody(_uid):
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in [*os.environ]:
        if name.startswith("XDG_") or name in {"HOME", "HANDY_QWEN_HOME"}:
            monkeypatch.delenv(name)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    with pytest.raises(HandyError, match=r"no home directory.*HANDY_QWEN_HOME"):
        place()
    monkeypatch.setenv("HANDY_QWEN_HOME", "~/own")
    with pytest.raises(HandyError, match="no home directory"):
        place()


# --- outputs that are missing -------------------------------------------------------------------------------


def run(command, redirections, tmp_path):
    """Run a command as a shell would with ``redirections``."""
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
    ">/dev/full": "Standard output cannot be written to: ",
}
WRITING = [["--help"], ["history", "--help"], ["autostart", "status"]]


@pytest.mark.parametrize("command", WRITING)
@pytest.mark.parametrize("redirections", COMPLAINTS)
def test_an_output_that_cannot_be_written_is_a_failure(command, redirections, tmp_path):
    if redirections == ">/dev/full" and not Path("/dev/full").exists():
        pytest.skip("Linux has one")
    done = run(command, redirections, tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"handy-qwen: {COMPLAINTS[redirections]}")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    ("command", "redirections"),
    [(["--help"], "| true"), (["demo"], "2>&1 | true"), (["demo"], "| head -n 1")],
)
def test_a_reader_that_has_gone_ends_the_program_quietly(command, redirections, tmp_path):
    done = run(command, redirections, tmp_path)
    assert done.returncode in {0, 1}, "what was written before the reader went was written"
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "Broken" not in done.stderr


@pytest.mark.parametrize("redirections", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize(
    ("command", "status"), [(["model", "path"], 0), (["status"], 1), (["--nonsense"], 2)]
)
def test_complaints_that_nobody_can_read_change_nothing(command, status, redirections, tmp_path):
    done = run(command, redirections, tmp_path)
    assert done.returncode == status
    assert done.stderr == ""
    assert bool(done.stdout) == (status == 0), "complaints do not go to stdout instead"


def test_with_nothing_open_at_all_no_file_of_ours_takes_their_places(tmp_path):
    """The first files a program opens would get the numbers 0, 1 and 2, and what is said goes into them."""
    done = run(["autostart", "status"], "0<&- >&- 2>&-", tmp_path)
    assert done.returncode == 1
    done = run(["transcribe", "-"], "0<&-", tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
