"""Everything a developer or a new machine needs, one word each. Only Python's own library, no installation.

usage: python3 packaging/dev.py COMMAND

    try      install the program into .venv and let it transcribe the speech that ships with it
    ci       install what the tests need, too, then at once: check, test (all of them, on a virtual desktop)
    check    ruff and mypy
    test     the tests; further arguments go to pytest, e.g. test tests/unit -k tokenizer
    coverage the tests, and which lines of the program they never reach
    installed the tests of the app, on the handy-qwen of an installed package
    fmt      format the code
    translations  find the sentences to translate, bring all languages up to date, say what is missing
    lock     write uv.lock, of which packages are built, with the newest libraries that pyproject.toml allows
    test-wayland  the app on GNOME, KDE and sway, headless; see wayland.py
    fresh    run try and ci on bare systems of Debian 12 and 13; see fresh.py
    test-windows the Windows program, under Wine: unit tests, the app, the installer; see wine.py

On Debian and Ubuntu missing system libraries are installed with apt-get (through sudo unless root);
elsewhere their names are printed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fresh
import product
import programs
import wayland
from programs import Use

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

OLDEST_PYTHON = (3, 11)

FOR_TESTS = ["-e", ".[video]", "--group", "test"]  # sound in videos is tested, too

# Packages for .venv.
PYTEST = ["-m", "pytest", "-q"]
SPREAD = [
    "--dist",
    "loadfile",
    "--max-worker-restart",
    "0",
]  # otherwise xdist hangs after a worker has crashed
DESKTOP_SPREAD = ["--numprocesses", "5", *SPREAD, "--no-loadscope-reorder"]  # they mostly wait
DESKTOP_TESTS = [*PYTEST, *DESKTOP_SPREAD, "tests/e2e"]
OTHER_TESTS = [*PYTEST, "--numprocesses", "logical", *SPREAD, "tests/unit", "tests/golden"]
CHECKS = [
    ["-m", "ruff", "check", "."],
    ["-m", "ruff", "format", "--check", "."],
    ["-m", "mypy"],
]
for _system in ("win32", "darwin"):  # code for one system cannot be reached on the others
    _own = ["--platform", _system, "--cache-dir", f".mypy_cache/{_system}", "--no-warn-unreachable"]
    CHECKS.append(["-m", "mypy", *_own, "handy_qwen", "packaging"])
NICENESS = 10  # of jobs beside the desktop tests, which depend on timing


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    if not arguments or arguments[0] not in COMMANDS:
        print(__doc__)
        return 2
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        print(f"Python {oldest} or newer is needed; this is {sys.version.split()[0]}.")
        return 1
    # Set in containers; it would recompile the program at each of its many starts in tests.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return COMMANDS[arguments[0]](arguments[1:])


def try_out(_arguments: Sequence[str]) -> int:
    """Install the program and demonstrate it."""
    print(
        "Installing Handy Qwen into .venv and trying it: some minutes the first time (230 MB to download),"
        " then seconds.",
        flush=True,
    )
    need_system(programs.packages(Use.TRY))
    need_python(["-e", "."])
    status = run([str(PYTHON), "-m", "handy_qwen", "demo"])
    if status == 0:
        print(f"It works. The app: {PYTHON.with_name('handy-qwen')}    A full model: see README.md")
    return status


def ci(_arguments: Sequence[str]) -> int:
    """Install everything for the tests and run everything."""
    need_all()
    return side_by_side(DESKTOP_TESTS, OTHER_TESTS, *CHECKS)


def need_all() -> None:
    """Install what all tests need."""
    need_system(programs.packages(Use.TRY, Use.CI))
    need_python(FOR_TESTS)
    os.environ["HANDY_QWEN_REQUIRE_DESKTOP"] = "1"  # do not skip tests without a screen


def need_tools(*modules: str) -> None:
    """Install what the tests need into .venv unless it is there: ``try`` does not install it."""
    look = f"import importlib.util as u, sys; sys.exit(any(u.find_spec(one) is None for one in {modules}))"
    if not has_pip() or subprocess.run([PYTHON, "-c", look], check=False).returncode:
        need_python(FOR_TESTS)


def check(_arguments: Sequence[str]) -> int:
    """Lint, formatting, types."""
    need_tools("ruff", "mypy")
    return side_by_side(*CHECKS, niceness=0)


def test(arguments: Sequence[str]) -> int:
    """Run the tests selected by pytest's ``arguments``, or all."""
    need_tools("pytest", "xdist")
    if arguments:
        return run([str(PYTHON), *PYTEST, *arguments])
    return side_by_side(DESKTOP_TESTS, OTHER_TESTS)


def coverage(_arguments: Sequence[str]) -> int:
    """Run the tests with coverage. Programs started by tests are not measured."""
    need_all()
    return test([*DESKTOP_SPREAD, "--cov", "handy_qwen", "--cov-report", "term:skip-covered"])


def installed(_arguments: Sequence[str]) -> int:
    """Run the tests of the app on an installed package."""
    program = shutil.which("handy-qwen")
    if program is None:
        sys.exit("Install a package first: there is no handy-qwen on PATH.")
    need_all()
    os.environ["HANDY_QWEN_TEST_COMMAND"] = program
    return test(["tests/e2e/test_app.py", "tests/e2e/test_app_start.py", "tests/e2e/test_first_run.py"])


def test_windows(arguments: Sequence[str]) -> int:
    """Run the tests of the Windows program."""
    need_all()
    need_system([*programs.packages(Use.WINE), *([] if shutil.which("npm") else ["npm"])])
    need_python([product.UV])
    return run([str(PYTHON), str(ROOT / "packaging" / "wine.py"), *arguments])


def translations(_arguments: Sequence[str]) -> int:
    """Update the translations, and compile them for a checkout."""
    need_python(["babel"])
    return run([str(PYTHON), str(ROOT / "packaging" / "translations.py")])


def lock(_arguments: Sequence[str]) -> int:
    """Resolve the newest compatible versions, for all systems and Pythons."""
    need_python([product.UV])
    return run([str(PYTHON), "-m", "uv", "lock", "--upgrade"])


def fmt(_arguments: Sequence[str]) -> int:
    """Format the code and fix what ruff can fix."""
    need_tools("ruff")
    return run([str(PYTHON), "-m", "ruff", "check", "--fix", "-q", "."]) or run(
        [str(PYTHON), "-m", "ruff", "format", "."]
    )


COMMANDS = {
    "try": try_out,
    "ci": ci,
    "check": check,
    "test": test,
    "coverage": coverage,
    "installed": installed,
    "fmt": fmt,
    "translations": translations,
    "lock": lock,
    "fresh": fresh.fresh,
    "test-windows": test_windows,
    "test-wayland": wayland.test_wayland,
}


def need_system(wanted: list[str]) -> None:
    """Install missing Debian packages."""
    if not sys.platform.startswith("linux"):
        return
    if not (shutil.which("apt-get") and shutil.which("dpkg-query")):
        print(f"If something is missing, your system's packages for these are needed:\n{' '.join(wanted)}")
        return
    if sys.prefix == sys.base_prefix and not has_venv():
        wanted = [*wanted, "python3-venv"]
    missing = [name for name in wanted if not is_installed(name)]
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run([*prefix, "apt-get", "update", "-qq"])
    if run([*prefix, *command], environment):
        sys.exit(f"These packages could not be installed: {' '.join(missing)}")


def has_venv() -> bool:
    """Whether this Python can create virtual environments with pip (Debian's own cannot)."""
    return (
        subprocess.run(
            [sys.executable, "-c", "import ensurepip"], capture_output=True, check=False
        ).returncode
        == 0
    )


def is_installed(package: str) -> bool:
    """Whether a Debian package is installed, under its own name or that of Ubuntu since 24.04."""
    query = ["dpkg-query", "-W", "-f", "${Status}\n", package, f"{package}t64"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return any(line.endswith(" installed") for line in done.stdout.splitlines())


def need_python(requirements: Sequence[str]) -> None:
    """Create .venv and install into it. A second call is fast, as pip checks first."""
    if not has_pip() and run([sys.executable, "-m", "venv", "--clear", str(VENV)]):
        sys.exit("No virtual environment could be made.")
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    if install([*pip, "pip>=25.1"]) or install([*pip, *requirements]):  # groups came with pip 25.1
        sys.exit("The Python packages could not be installed.")


def install(command: Sequence[str]) -> int:
    """Run pip and show what takes time: downloads, builds and the installation."""
    print("+", " ".join(command), flush=True)
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            if shown := progress(line):
                print(f"  {shown}", flush=True)
    return pip.returncode


def progress(line: str) -> str:
    """A line of pip's output for people; empty if it is unimportant."""
    words = line.split()
    if words[:1] == ["Downloading"] and not words[1].endswith(".metadata"):
        return f"downloading {words[1].rpartition('/')[2].partition('-')[0]} {' '.join(words[2:])}".rstrip()
    if words[:3] == ["Installing", "collected", "packages:"]:
        return f"installing {len(words) - 3} packages"
    return line.strip() if words[:2] == ["Building", "wheel"] else ""


def has_pip() -> bool:
    """Whether .venv exists and is complete; its creation may have been interrupted."""
    return (
        PYTHON.exists()
        and subprocess.run([PYTHON, "-m", "pip", "-V"], capture_output=True, check=False).returncode == 0
    )


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> int:
    """Print and run a command."""
    print("+", " ".join(command), flush=True)
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def side_by_side(first: Sequence[str], *others: Sequence[str], niceness: int = NICENESS) -> int:
    """Run .venv's Python for several jobs in parallel and return 1 if one fails.

    The output of ``first`` is shown live; that of the others, which run at low priority, when they end.
    """
    with ThreadPoolExecutor(len(others)) as pool:
        running = [pool.submit(run_behind, arguments, niceness) for arguments in others]
        statuses = [run([str(PYTHON), *first]), *(one.result() for one in running)]
    return int(any(statuses))


def run_behind(arguments: Sequence[str], niceness: int) -> int:
    """Run .venv's Python at a lower priority; print its output when it has ended."""
    command = [str(PYTHON), *arguments]
    with tempfile.TemporaryFile() as said:  # a pipe would stay open for processes left by tests
        with subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT) as process:
            if sys.platform != "win32":
                os.setpriority(os.PRIO_PROCESS, process.pid, niceness)
        said.seek(0)
        sys.stdout.flush()
        sys.stdout.buffer.write(f"\n+ {' '.join(command)}\n".encode() + said.read())  # in its own encoding
        sys.stdout.flush()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
