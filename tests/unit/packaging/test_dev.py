"""What the developer's commands show while they work."""

import io
import os
import sys

import psutil
import pytest


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Collecting numpy>=2.0", ""),
        ("  Downloading numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (6.6 kB)", ""),
        (
            "Downloading numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl (16.9 MB)",
            "downloading numpy (16.9 MB)",
        ),
        (
            "Downloading https://a.b/c/PySide6_Essentials-6.11.whl (95 MB)",
            "downloading PySide6_Essentials (95 MB)",
        ),
        ("Installing collected packages: numpy, onnx, soxr", "installing 3 packages"),
        ("Requirement already satisfied: numpy in ./lib", ""),
        ("", ""),
    ],
)
def test_what_takes_time_is_shown(builder, line, expected):
    assert builder("dev").progress(line) == expected


def test_pip_is_heard_line_by_line_and_its_failure_is_not_lost(builder, capfd):
    said = "print('Collecting a'); print('Downloading a-1.whl (2 MB)', flush=True); raise SystemExit(3)"
    assert builder("dev").install([sys.executable, "-c", said]) == 3
    assert capfd.readouterr().out.splitlines()[1:] == ["  downloading a (2 MB)"]


def test_try_says_at_once_what_it_does_and_how_long(builder, monkeypatch, capsys):
    dev = builder("dev")
    said = []
    for name in ("need_system", "need_python", "run"):
        monkeypatch.setattr(dev, name, lambda *_: said.append(capsys.readouterr().out) or 0)
    assert dev.try_out([]) == 0
    assert "minutes" in said[0]
    assert "MB" in said[0]


@pytest.mark.parametrize("command", ["check", "test", "fmt"])
@pytest.mark.parametrize("has_them", [True, False])
def test_what_try_has_not_installed_is_installed_first(builder, monkeypatch, command, has_them):
    dev, done = builder("dev"), []
    monkeypatch.setattr(dev, "PYTHON", sys.executable)
    monkeypatch.setattr(dev, "has_pip", lambda: True)
    monkeypatch.setattr(dev, "need_python", lambda _requirements: done.append("install"))
    for name in ("run", "side_by_side"):
        monkeypatch.setattr(dev, name, lambda *_, **__: done.append("work") or 1)
    if not has_them:
        looked = dev.need_tools
        monkeypatch.setattr(dev, "need_tools", lambda *names: looked(*names, "no_such_module"))
    assert dev.COMMANDS[command]([]) == 1
    assert done[0] == ("work" if has_them else "install")
    assert done[-1] == "work"


@pytest.mark.parametrize("wrong", [None, 0, 1])
def test_of_what_runs_side_by_side_all_is_heard_and_what_fails_counts(builder, capfd, monkeypatch, wrong):
    monkeypatch.setattr(builder("dev"), "PYTHON", sys.executable)
    ends = [f"print('said by {n}', flush=True){'; os.abort()' * (n == wrong)}" for n in range(3)]
    commands = [["-c", f"import os; {end}"] for end in ends]
    assert builder("dev").side_by_side(*commands) == (wrong is not None)
    said = capfd.readouterr().out.splitlines()
    assert sorted(line for line in said if line.startswith("said by")) == [f"said by {n}" for n in range(3)]


def test_what_a_terminal_has_no_letters_for_is_no_failure(builder, capfd, monkeypatch):
    monkeypatch.setattr(builder("dev"), "PYTHON", sys.executable)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    command = ["-c", "import os; os.write(1, 'Grüße…'.encode())"]
    assert builder("dev").side_by_side(["-c", ""], command) == 0
    assert "Grüße…" in sys.stdout.buffer.getvalue().decode()
    capfd.readouterr()


def test_what_a_test_leaves_behind_is_not_waited_for(builder, capfd, monkeypatch):
    monkeypatch.setattr(builder("dev"), "PYTHON", sys.executable)
    sleep = "[sys.executable, '-c', 'import time; time.sleep(90)']"
    leave = f"import subprocess, sys; print(subprocess.Popen({sleep}).pid)"
    assert builder("dev").side_by_side(["-c", ""], ["-c", leave]) == 0
    left = psutil.Process(int(capfd.readouterr().out.split()[-1]))
    assert left.status() != psutil.STATUS_ZOMBIE
    left.kill()


@pytest.mark.parametrize(
    ("words", "expected", "status"),
    [(["unit"], ["set up", "unit"], 0), (["app"], ["set up", "app"], 1), ([], ["set up", "unit", "app"], 1)],
)
def test_the_steps_on_windows_that_are_named_run_or_all_and_one_that_fails_counts(  # noqa: PLR0917
    builder, monkeypatch, tmp_path, words, expected, status
):
    wine, ran = builder("wine"), []
    monkeypatch.setattr(wine.fresh, "lacks_for_chroot", lambda: "")
    monkeypatch.setattr(wine, "set_up", lambda _folder: ran.append("set up") or 0)
    steps = {"unit": lambda _folder: ran.append("unit") or 0, "app": lambda _folder: ran.append("app") or 3}
    monkeypatch.setattr(wine, "STEPS", steps)
    assert wine.test_windows([str(tmp_path), *words]) == status
    assert ran == expected


def test_a_step_on_windows_that_breaks_hides_no_other_and_what_failed_stands_at_the_end(
    builder, monkeypatch, tmp_path, capsys
):
    wine = builder("wine")
    monkeypatch.setattr(wine.fresh, "lacks_for_chroot", lambda: "")
    monkeypatch.setattr(wine, "set_up", lambda _folder: 0)

    def breaks(_folder):
        raise OSError("no room")

    def fails(folder):
        (folder / "app.log").write_text("FAILED tests/a.py::test_it - no\n== 1 failed, 2 passed in 3.5s ==\n")
        return 1

    (tmp_path / "old.log").write_text("FAILED of an earlier run")
    os.utime(tmp_path / "old.log", (0, 0))
    monkeypatch.setattr(wine, "STEPS", {"unit": breaks, "app": fails})
    assert wine.test_windows([str(tmp_path)]) == 1
    summary = capsys.readouterr().out.partition("--- summary ---")[2].split("\n")
    assert [line.split(", ")[0].strip() for line in summary if line] == [
        "unit: exit status 1",
        "app: exit status 1",
        "FAILED tests/a.py::test_it - no",
        "== 1 failed",
    ]
