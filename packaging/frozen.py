"""Builds the folder with the program, Python and all libraries, and verifies that it is complete."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import icons
import product

FOLDER = product.BUILD / "frozen" / product.NAME
ORIGINS = product.BUILD / "origins.json"  # of all files; exists if the folder is complete and verified
NEW_ORIGINS = product.BUILD / "origins.new.json"
CHECKPOINT = product.ROOT / "tests" / "data" / "demo-checkpoint"
SENTENCE = "Please send the report to Anna on Monday."


def program() -> Path:
    """The frozen program."""
    if sys.platform == "darwin":
        return FOLDER.parent / f"{product.TITLE}.app" / "Contents" / "MacOS" / product.NAME
    return FOLDER / (f"{product.NAME}.exe" if sys.platform == "win32" else product.NAME)


def build() -> None:
    """Build the folder with PyInstaller from the installed package, and check it."""
    product.BUILD.mkdir(exist_ok=True)
    ORIGINS.unlink(missing_ok=True)
    if sys.platform == "win32":
        icons.write_ico(product.BUILD / "icons" / "handy-qwen.ico")
        (product.BUILD / "version.txt").write_text(version_resource(), encoding="utf-8")
    elif sys.platform == "darwin":
        icons.write_icns(product.BUILD / "icons" / "handy-qwen.icns")
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    command += ["--distpath", str(FOLDER.parent), "--workpath", str(product.BUILD / "pyinstaller")]
    subprocess.run([*command, str(product.PACKAGING / "handy-qwen.spec")], check=True, cwd=product.BUILD)
    check(program())
    NEW_ORIGINS.replace(ORIGINS)


def metadata() -> list[tuple[str, str]]:
    """The METADATA of the program and its dependencies: doctor reports their versions."""
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
    """Compare the frozen program with its source: modules, engine, a conversion."""
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
    """The result of a self-test: {module: "" or error}."""
    return dict(json.loads(run(command)))


def run(command: list[str]) -> str:
    """Run ``command`` and return its output; exit if it failed."""
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=600)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def elf_files(folder: Path) -> Iterator[Path]:
    """All Linux programs and libraries under ``folder``."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink():
            with file.open("rb") as content:
                if content.read(4) == b"\x7fELF":
                    yield file


def lowest_glibc(folder: Path) -> str:
    """The oldest glibc that all libraries under ``folder`` load with, such as "2.36". Needs objdump."""
    newest = (2, 0)
    for file in elf_files(folder):
        done = subprocess.run(["objdump", "-T", str(file)], capture_output=True, text=True, check=False)
        versions = re.findall(r"\(?GLIBC_(\d+)\.(\d+)", done.stdout)
        newest = max([newest, *((int(major), int(minor)) for major, minor in versions)])
    return ".".join(map(str, newest))


# --- what the frozen program holds and what it leaves out ---------------------------------------------
#
# Unused files are left out, and on Linux the system's libraries. libasound, for one, looks for its plugins
# where its own distribution puts them, so that a copy of Debian's would not work elsewhere; of GTK, X11 and
# GL a process must use the desktop's. ``check`` detects missing files: it imports every module and has the
# program transcribe and convert.

Entry = tuple[str, str, str]  # PyInstaller's: path in the folder, source, kind

HIDDEN_IMPORTS = ["pynput.keyboard", "pynput.mouse"] if sys.platform == "win32" else []

_UNUSED_MODULES = "IPython PIL matplotlib numpy.f2py pytest readline setuptools tkinter pydoc doctest pdb"
# FFmpeg (av) would double the size; M4A and videos are an extra of the Python package.
EXCLUDED_MODULES = ["av", *_UNUSED_MODULES.split()]

_QT = "*PySide6/"
UNUSED = (  # patterns of paths in the folder
    _QT + "*translations/[!q]*",  # of those, only Qt's own buttons and dialogs: qtbase_*
    _QT + "*translations/qt[!b]*",
    "*/locale/*.po*",  # of which the .mo files are made
    _QT + "*plugins/egldeviceintegrations/*",  # screens without a window system
    _QT + "*plugins/platforms/*eglfs*",
    _QT + "*plugins/platforms/*linuxfb*",
    _QT + "*plugins/platforms/*minimal*",
    _QT + "*plugins/platforms/*vkkhr*",
    _QT + "*plugins/platforms/*vnc*",
    _QT + "*plugins/generic/*",
    _QT + "*plugins/networkinformation/*",
    _QT + "*plugins/tls/*",
    _QT + "*plugins/imageformats/*q[!s]*",  # all icons are SVG
    _QT + "*QtNetwork.*",
    "*Qt6EglFS*",
    "*Qt6EglFs*",
    "*Qt6Network.*",
    "*.dist-info/RECORD",
    "*.dist-info/direct_url.json",  # where it was built
    "*.dist-info/uv_*.json",
    "*.dist-info/sboms/*",
    "*.dist-info/licenses/*",  # the licences of all are in one file
    "*/onnx/backend/test/*",
)

SYSTEM_LIBRARIES_SHIPPED = (  # required by Python and Qt, and missing or different on some desktops
    r"libpython3\.\d+|libssl|libcrypto|libffi|libsqlite3|libbz2|liblzma|libmpdec"
    r"|libxcb-(cursor|icccm|image|keysyms|render-util|shape|util|xkb)|libxkbcommon(-x11)?"
)
_SYSTEM = re.compile(r"/(usr/)?lib(64)?/([a-z0-9_]+-linux-gnu/)?lib[^/]+\.so[.\d]*")
_SHIPPED = re.compile(rf"({SYSTEM_LIBRARIES_SHIPPED})\.so[.\d]*")


def wanted(entries: Iterable[Entry]) -> list[Entry]:
    """The entries to include in the folder."""
    return [entry for entry in entries if is_wanted(entry[0], entry[1])]


def is_wanted(place: str, source: str) -> bool:
    """Whether to include the file ``source`` at ``place`` in the folder."""
    place = place.replace("\\", "/")
    if any(fnmatch.fnmatchcase(place, pattern) for pattern in UNUSED):
        return False
    return not is_of_the_system(source) or is_shipped(place)


def is_of_the_system(source: str) -> bool:
    """Whether ``source`` is a library of this Linux system (and not one of a Python package)."""
    return _SYSTEM.fullmatch(source) is not None


def is_shipped(place: str) -> bool:
    """Whether a library of the system is copied nevertheless."""
    return _SHIPPED.fullmatch(place.rsplit("/", 1)[-1]) is not None


# --- the version that Windows shows among the properties of the program's file -----------------------


def version_resource() -> str:
    """The text of a PyInstaller version file.

    Source: PyInstaller 6 manual, "Capturing Windows Version Data"; VERSIONINFO in the Windows documentation.
    """
    version, numbers = product.version(), version_numbers()
    texts = {
        "CompanyName": product.PUBLISHER,
        "FileDescription": product.TITLE,
        "FileVersion": version,
        "InternalName": product.NAME,
        "LegalCopyright": f"© {product.PUBLISHER}, MIT licence",
        "OriginalFilename": f"{product.NAME}.exe",
        "ProductName": product.TITLE,
        "ProductVersion": version,
    }
    lines = ",\n      ".join(f"StringStruct({name!r}, {text!r})" for name, text in texts.items())
    return f"""VSVersionInfo(
  ffi=FixedFileInfo(filevers={numbers}, prodvers={numbers}, mask=0x3F, flags=0, OS=0x40004, fileType=1),
  kids=[
    StringFileInfo([StringTable('040904B0', [
      {lines}
    ])]),
    VarFileInfo([VarStruct('Translation', [0x409, 1200])]),
  ],
)
"""


def version_numbers() -> tuple[int, ...]:
    """The version in Windows' format: four numbers."""
    return (*map(int, product.version().split(".")), 0)
