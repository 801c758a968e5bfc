"""Another user of the machine, by a process of his: he reads nothing that was said, and drives nothing.

Runs as root only, which alone can become somebody else. The program runs with its home in a place that
everybody may enter, so that it is the program itself that keeps others out.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from handy_qwen.control import ControlServer, Endpoint, InstanceLock, ask
from handy_qwen.errors import ControlError
from tests.e2e.app import SPOKEN, App
from tests.e2e.desk import QtTarget

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or os.geteuid() != 0, reason="only root can become another user"
    ),
]
NOBODY = 65_534
INTRUDER = """
import json, os, socket, sys
done = []
def attempt(what, path, act):
    try:
        act()
    except OSError:
        return
    done.append([what, path])
for path in json.load(sys.stdin):
    if os.path.isdir(path):
        attempt("listed", path, lambda: os.listdir(path))
        attempt("created in", path, lambda: open(os.path.join(path, "planted"), "x"))
        attempt("renamed", path, lambda: os.rename(path, path + "-away"))
    else:
        attempt("read", path, lambda: open(path, "rb").read(1))
        attempt("opened for writing", path, lambda: open(path, "r+b"))
        attempt("deleted", path, lambda: os.unlink(path))
        attempt("linked", path, lambda: os.link(path, "/tmp/handy-qwen-linked"))
        attempt("called", path, lambda: socket.socket(socket.AF_UNIX).connect(path))
print(json.dumps(done))
"""


def as_nobody(code, given=""):
    """Run Python code as another user, and return what it prints."""
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", code],
        input=given,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


@pytest.fixture
def open_place():
    """A folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp(prefix="open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


class OpenApp(App):
    """The program with its home where everybody may look."""

    def __init__(self, desktop, home):
        super().__init__(desktop, "open")
        self.home = home
        self.env["HANDY_QWEN_HOME"] = str(home)


def test_what_the_program_writes_is_for_its_user_alone(desktop, open_place):
    with OpenApp(desktop, open_place / "home") as app:
        editor = desktop.open(QtTarget)
        app.dictate("chairs")
        assert editor.wait_for_text(SPOKEN["chairs"]) == SPOKEN["chairs"]
        editor.close()
        app.wait_for_phase("idle")
        everything = sorted(app.home.rglob("*"))
        names = {path.name for path in everything}
        assert {"settings.toml", "history.db", "control.sock", "handy-qwen.log", "instance.lock"} <= names
        assert any(path.suffix == ".wav" for path in everything)
        done = json.loads(as_nobody(INTRUDER, json.dumps([str(path) for path in (app.home, *everything)])))
        harmless = [["listed", str(app.home)], ["listed", str(app.home / "data")]]
        assert [one for one in done if one not in harmless] == []
        assert app.run("status").returncode == 0, "and the program lives on"


@pytest.mark.expects_log
def test_a_caller_of_another_user_is_refused_even_where_the_folder_is_open(open_place):
    server = ControlServer(Endpoint(open_place / "run"), lambda command: {"heard": command})
    server.start()
    try:
        (open_place / "run").chmod(0o777)
        (open_place / "run" / "control.sock").chmod(0o777)
        code = f"""
import socket
caller = socket.socket(socket.AF_UNIX)
caller.connect({str(open_place / "run" / "control.sock")!r})
try:
    caller.sendall(b'{{"protocol": 1, "command": "last"}}\\n')
    print(repr(caller.recv(1000)))
except (ConnectionResetError, BrokenPipeError):
    print(b"")
"""
        assert as_nobody(code).strip() == "b''"
        assert ask(Endpoint(open_place / "run"), "status")["heard"] == "status"
    finally:
        server.close()


def test_a_folder_that_somebody_else_has_put_there_is_not_used_nor_touched(open_place):
    shared = open_place / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    as_nobody(f"import os; os.mkdir({str(shared / 'run')!r}); os.chmod({str(shared / 'run')!r}, 0o777)")
    with (
        closing(ControlServer(Endpoint(shared / "run"), lambda _: {})) as server,
        pytest.raises(ControlError),
    ):
        server.start()
    assert (shared / "run").stat().st_mode & 0o777 == 0o777
    with pytest.raises(ControlError):
        InstanceLock(shared / "run").acquire()
    assert not (shared / "run" / "instance.lock").exists()


def test_a_link_that_somebody_else_has_put_there_leads_nowhere(open_place):
    shared, victim = open_place / "shared", open_place / "victim"
    victim.mkdir()
    victim.chmod(0o755)
    shared.mkdir()
    shared.chmod(0o1777)
    as_nobody(f"import os; os.symlink({str(victim)!r}, {str(shared / 'run')!r})")
    with (
        closing(ControlServer(Endpoint(shared / "run"), lambda _: {})) as server,
        pytest.raises(ControlError),
    ):
        server.start()
    with pytest.raises(ControlError):
        InstanceLock(shared / "run").acquire()
    assert not list(victim.iterdir())
    assert victim.stat().st_mode & 0o777 == 0o755


def test_a_socket_of_somebody_else_is_not_talked_to(open_place):
    shared = open_place / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    code = f"""
import os, socket, sys
os.mkdir({str(shared / "run")!r}, 0o755)
server = socket.socket(socket.AF_UNIX)
server.bind({str(shared / "run" / "control.sock")!r})
os.chmod({str(shared / "run" / "control.sock")!r}, 0o777)
server.listen(1)
print("there", flush=True)
caller, _ = server.accept()
print(repr(caller.recv(1000)))
"""
    trap = subprocess.Popen(
        ["/usr/bin/python3", "-I", "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
    )
    with trap:
        assert trap.stdout.readline() == "there\n"
        with pytest.raises(ControlError, match="not running"):
            ask(Endpoint(shared / "run"), "last")
        assert trap.stdout.readline() == "b''\n", "not even what was asked is told"
