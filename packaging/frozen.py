"""Builds the folder with the program, Python and all libraries, and proves that nothing is missing in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import icons
import product
import windows_version

FOLDER = product.BUILD / "frozen" / product.NAME
ORIGINS = product.BUILD / "origins.json"
CHECKPOINT = product.ROOT / "tests" / "data" / "demo-checkpoint"
SENTENCE = "Please send the report to Anna on Monday."


def program() -> Path:
    """The frozen program."""
    if sys.platform == "darwin":
        return FOLDER.parent / f"{product.TITLE}.app" / "Contents" / "MacOS" / product.NAME
    return FOLDER / (f"{product.NAME}.exe" if sys.platform == "win32" else product.NAME)


def build() -> None:
    """Have PyInstaller build the folder from the installed package, and check it."""
    product.BUILD.mkdir(exist_ok=True)
    if sys.platform == "win32":
        icons.write_ico(product.BUILD / "icons" / "handy-qwen.ico")
        (product.BUILD / "version.txt").write_text(windows_version.resource(), encoding="utf-8")
    elif sys.platform == "darwin":
        icons.write_icns(product.BUILD / "icons" / "handy-qwen.icns")
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    command += ["--distpath", str(FOLDER.parent), "--workpath", str(product.BUILD / "pyinstaller")]
    subprocess.run([*command, str(product.PACKAGING / "handy-qwen.spec")], check=True, cwd=product.BUILD)
    check(program())


def metadata() -> list[tuple[str, str]]:
    """The METADATA of the program and of what it asks for: the doctor tells their versions."""
    from PyInstaller.utils.hooks import copy_metadata

    found: list[tuple[str, str]] = list(copy_metadata(product.NAME))
    for line in requires(product.NAME) or []:
        name = re.split(r"[ ;<>=!~\[(]", line, maxsplit=1)[0]
        try:
            found += copy_metadata(name)
        except PackageNotFoundError:  # for another system, or an extra
            continue
    return found


def check(program: Path) -> None:
    """Compare the frozen program with the one it was made of.

    Raises:
        SystemExit: A module cannot be imported there, or the engine or the conversion does not work.
    """
    entry = [sys.executable, str(product.PACKAGING / "entry.py"), "--self-test"]
    there, here = imports([str(program), "--self-test"]), imports(entry)
    differing = {name: there.get(name, "it is not there") for name in here if there.get(name) != here[name]}
    if differing or not here:
        sys.exit(f"In the frozen program cannot be imported: {json.dumps(differing, indent=1)}")
    said = run([str(program), "demo"])
    if SENTENCE not in said:
        sys.exit(f"The frozen program does not recognize its own speech:\n{said}")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        run([str(program), "model", "convert", str(CHECKPOINT), str(model)])
        run([str(program), "model", "check", str(model)])
    print(f"{program}: {len(here)} modules, demo and conversion are well")


def imports(command: list[str]) -> dict[str, str]:
    """What a self-test found: {module: "" or error}."""
    return dict(json.loads(run(command)))


def run(command: list[str]) -> str:
    """Run ``command`` and return what it wrote to stdout.

    Raises:
        SystemExit: It failed.
    """
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=600)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def lowest_glibc(folder: Path) -> str:
    """The oldest glibc that all libraries under ``folder`` load with, such as "2.36". Needs objdump."""
    newest = (2, 0)
    for file in folder.rglob("*"):
        if file.is_symlink() or not file.is_file() or file.open("rb").read(4) != b"\x7fELF":
            continue
        done = subprocess.run(["objdump", "-T", str(file)], capture_output=True, text=True, check=False)
        versions = re.findall(r"\(?GLIBC_(\d+)\.(\d+)", done.stdout)
        newest = max([newest, *((int(major), int(minor)) for major, minor in versions)])
    return ".".join(map(str, newest))
