"""Collects the licences of everything in the frozen program in one text. A missing one stops the build.

Each file that PyInstaller took comes from this project, a Python package, Python itself, or a Debian package,
and so does its licence; missing ones are in ``licences/``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import product
from frozen import is_of_the_system

TEXTS = product.PACKAGING / "licences"
LACKING = {  # Python packages whose wheels have no licence text -> those in ``licences/``
    "pyside6-essentials": ("Qt.txt", "LGPL-3.txt", "GPL-3.txt", "ICU.txt"),
    "shiboken6": ("Qt.txt", "LGPL-3.txt", "GPL-3.txt"),
    "flatbuffers": ("Apache-2.0.txt",),
    "hf-xet": ("Apache-2.0.txt",),
}
OF_THE_BUILDER = "pyinstaller"  # its loader is in every frozen program
PYTHON = "Python"
_NAME = re.compile(r"(?i)(licen[cs]e|copying|notice|thirdpartynotices)([-._].*)?")
_RULE = "\n" + "=" * 100 + "\n"


class LicenceError(Exception):
    """Something in the program has no licence text."""


def collect(origins: Path, *, has_system: bool) -> str:
    """The licences of a program, from its files' origins, written to ``origins`` by the .spec.

    ``has_system``: it includes Debian libraries other than Python's. Raises LicenceError: one is missing.
    """
    table = json.loads(origins.read_text(encoding="utf-8"))
    modules = {source for source in table["modules"].values() if source not in {None, "", "-"}}  # namespaces
    sources = {*table["files"].values(), *modules}
    packages, system, has_python = sort_out(sources)
    parts = [_own()]
    if has_python:
        parts.append((PYTHON, python_text()))
    parts += [(name, package_text(name)) for name in sorted({*packages, OF_THE_BUILDER})]
    if has_system:
        parts += [(name, debian_text(name)) for name in sorted(debian_packages(system))]
    head = f"{product.TITLE} {product.version()} and what it is made of, with the licence of each.\n"
    return head + "".join(f"{_RULE}{name}{_RULE}\n{text.strip()}\n" for name, text in parts)


def sort_out(sources: Iterable[str]) -> tuple[set[str], set[str], bool]:
    """The Python packages in ``sources``, the system's files, and whether Python is included."""
    owners = _owners()
    standard = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
    packages, system, has_python, unknown = set(), set(), False, set()
    for source in sources:
        path = Path(source).resolve()
        if source in owners or str(path) in owners:
            packages.add(owners.get(source) or owners[str(path)])
        elif is_of_the_system(source) and "libpython" not in path.name:
            system.add(source)
        elif _is_python(path, standard):
            has_python = True
        elif not path.is_relative_to(product.ROOT):  # made by this build, or part of PyInstaller's work on it
            unknown.add(source)
    if unknown:
        raise LicenceError(f"Nobody knows where these come from: {sorted(unknown)}")
    packages.discard(product.NAME)
    return packages, system, has_python


def package_text(name: str) -> str:
    """The licence of a Python package. Raises LicenceError: none is known."""
    files = metadata.distribution(name).files or []
    texts = [file for file in files if _NAME.fullmatch(file.name) and file.suffix not in {".py", ".pyc"}]
    if texts:
        return "\n\n".join(_read(Path(str(file.locate()))) for file in sorted(texts, key=str))
    if name not in LACKING:
        raise LicenceError(f"The Python package {name} has no licence text; put it into {TEXTS}.")
    return "\n\n".join(_read(TEXTS / text) for text in LACKING[name])


def python_text() -> str:
    """The licence of the included Python. Raises LicenceError: not found."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for place in (
        Path(f"/usr/share/doc/libpython{version}-stdlib/copyright"),
        Path(sysconfig.get_path("stdlib")) / "LICENSE.txt",
        Path(sys.base_prefix) / "LICENSE.txt",
    ):
        if place.is_file():
            return _read(place)
    raise LicenceError("Python's own licence is not to be found.")


def debian_packages(sources: Iterable[str]) -> set[str]:
    """The Debian packages of the system's libraries. Raises LicenceError: one has none."""
    found = set()
    for source in sources:
        path = str(Path(source).resolve())
        for name in (path, path.removeprefix("/usr")):  # dpkg knows the path at which a file was installed
            done = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                found.add(done.stdout.split(":")[0])
                break
        else:
            raise LicenceError(f"{source} belongs to no package.")
    return found


def debian_text(package: str) -> str:
    """The licence of a Debian package. Raises LicenceError: not found."""
    copyright_file = Path(f"/usr/share/doc/{package}/copyright")
    if not copyright_file.is_file():
        raise LicenceError(f"{copyright_file} is missing.")
    return _read(copyright_file)


def _own() -> tuple[str, str]:
    """This project's licence, and those of included works by others."""
    assets = product.ROOT / "assets"
    texts = [_read(product.ROOT / "LICENSE")]
    texts += ["The voice detector:\n\n" + _read(assets / "vad" / "LICENSE")]
    texts += ["The demo model and the sample speech:\n\n" + _read(assets / "demo-model" / "README.md")]
    texts += ["The check speech:\n\n" + _read(assets / "check-speech" / "README.md")]
    return product.TITLE, "\n\n".join(texts)


def _owners() -> dict[str, str]:
    """The Python package of each installed file."""
    owners = {}
    for distribution in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        place = Path(str(distribution.locate_file(""))).resolve()  # once: it is slow
        for file in distribution.files or []:
            owners[os.path.normpath(place / file)] = name
    return owners


def _is_python(path: Path, standard: list[Path]) -> bool:
    if sys.platform == "win32":  # it contains nothing else, and the standard library somewhere
        standard = [*standard, Path(sys.base_prefix).resolve()]
    of_python = any(path.is_relative_to(folder) for folder in standard) and "site-packages" not in path.parts
    return of_python or (path.is_relative_to(sys.base_prefix) and "python" in path.name.lower())


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")
