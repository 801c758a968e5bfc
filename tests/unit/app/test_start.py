"""What the tray must not wait for, and what a second start does."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from handy_qwen import app, paths
from handy_qwen.control import ControlServer, Endpoint, InstanceLock
from handy_qwen.errors import ControlError, HandyError
from handy_qwen.system.entries import Launch

HEAVY = ("regex", "numpy", "onnxruntime", "sounddevice", "soxr", "soundfile", "Xlib", "psutil")


@pytest.mark.parametrize(
    "module",
    ["handy_qwen.app.desktop, handy_qwen.ui.desk", "handy_qwen.app.program", "handy_qwen.cli"],
)
def test_nothing_heavy_is_imported_before_the_tray_or_a_command(module):
    heavy = HEAVY if module.startswith("handy_qwen.app") else (*HEAVY, "PySide6", "handy_qwen.core.text")
    code = f"import sys, {module}; print(*sorted(set({heavy!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.fixture
def running(app_home):
    lock = InstanceLock(paths.runtime_dir())
    assert lock.acquire()
    yield app_home
    lock.release()


@pytest.mark.usefixtures("running")
def test_a_second_start_shows_the_first(capsys):
    shown = []
    server = ControlServer(Endpoint(paths.runtime_dir()), lambda command: shown.append(command) or {})
    server.start()
    try:
        assert app.main() == 0
        assert app.main(is_hidden=True) == 0
    finally:
        server.close()
    assert shown == ["show", "status"]  # nobody wants to see a window at login
    assert capsys.readouterr().err.count("running already") == 2


@pytest.mark.usefixtures("running")
def test_a_first_instance_that_never_answers_is_an_error(monkeypatch):
    monkeypatch.setattr(app, "SHOW_S", 0.2)
    with pytest.raises(ControlError, match="not running"):
        app.main()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_without_a_display_the_app_says_so_and_lets_go_of_the_lock(app_home, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(HandyError, match="no display"):
        app.main()
    lock = InstanceLock(paths.runtime_dir())
    assert lock.acquire()
    lock.release()
    assert not paths.log_dir().exists()
    assert app_home.exists()


def test_a_restart_keeps_paths_with_spaces_whole_on_windows(app_home, tmp_path, monkeypatch):  # noqa: ARG001
    begun = []

    def leave(status):
        raise SystemExit(status)

    monkeypatch.setattr(app.subprocess, "Popen", lambda command, **how: begun.append((command, how["cwd"])))
    monkeypatch.setattr(app.os, "_exit", leave)
    launch = Launch(("C:/Program Files/Handy Qwen/handy-qwen.exe", "--hidden"), tmp_path)
    with pytest.raises(SystemExit):
        app.start_again(launch, {}, is_debug=True, platform="win32")
    assert begun == [(["C:/Program Files/Handy Qwen/handy-qwen.exe", "--debug"], tmp_path)]


def test_a_restart_becomes_the_program_anew_once_the_lock_is_free(app_home, tmp_path, monkeypatch):  # noqa: ARG001
    begun = []
    launch = Launch(("/opt/handy-qwen", "--hidden"), tmp_path, {"HANDY_QWEN_HOME": "/second"})

    def execute(program, command, environment):
        lock = InstanceLock(paths.runtime_dir())
        assert lock.acquire(), "the next one finds it taken"
        lock.release()
        assert "PULSE_SOURCE" not in environment, "the next one would take it for the user's"
        begun.append((program, command, environment["HANDY_QWEN_HOME"], Path.cwd()))

    def run(**_):
        monkeypatch.setenv("PULSE_SOURCE", "of a microphone")
        return True

    monkeypatch.setattr(app, "_run_alone", run)
    monkeypatch.setattr(app, "launch_for", lambda _environment: launch)
    monkeypatch.setattr(app.os, "execve", execute)
    monkeypatch.setattr(app, "start_again", partial(app.start_again, platform="linux"))  # on Windows as well
    monkeypatch.chdir(tmp_path.parent)
    app.main(is_hidden=True)
    assert begun == [("/opt/handy-qwen", ["/opt/handy-qwen"], "/second", tmp_path)]


END = """
import threading
from handy_qwen import app
from handy_qwen.app import desktop
class AtPythonsEnd:
    def __del__(self):
        print("Python's own end", flush=True)
kept = AtPythonsEnd()
def run(**_):
    threading.Thread(target=threading.Event().wait, name="a library's", daemon=True).start()
    {then}
desktop.run, app.check_display = run, lambda _: None
raise SystemExit(app.main(is_hidden=True))
"""


@pytest.mark.parametrize(
    ("then", "status", "said"), [("return False", 0, ""), ("1 / 0", 1, "ZeroDivisionError")]
)
@pytest.mark.usefixtures("app_home")
def test_a_thread_that_is_left_is_never_there_at_pythons_own_end(then, status, said):
    """It may be in native code, in which Python would crash; but an error is told all the same."""
    code = END.format(then=then)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert bool(done.stdout) == bool(status)
