"""Builds what users install, one word for each kind. Needs only Python's standard library to start.

usage: python3 packaging/build.py KIND...

    wheel      wheel and sdist, for pip, pipx and uv           any system
    frozen     the folder that the kinds below are made of     any system; checked before it is used
    deb        Debian package                                  Debian 12 with dpkg-dev
    tar        .tar.gz with an install.sh                      Linux
    appimage   AppImage                                        Linux with appimagetool
    flatpak    manifest for flatpak-builder                    any system; after wheel
    windows    installer, and a .zip that needs none           Windows with Inno Setup 6
    macos      .app in a .dmg                                  macOS
    check      menu entry, AppStream data, manual, .deb        Debian with desktop-file-utils, appstream,
               as the distribution's own tools see them        man-db, lintian
    sums       SHA256SUMS of all that is in dist/

What is made goes into dist/, the rest into build/, all from the sources as they are here. Linux programs run
on the glibc of the system they were built on and newer ones: releases are built on Debian 12 (2.36).
Two builds of a commit with the same Python make the same installer and .zip for Windows, byte for byte.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import deb
import flatpak
import frozen
import installers
import linux_files
import product

SOURCES = ("handy_qwen", "assets", "packaging")  # of the frozen folder
ENVIRONMENT = product.BUILD / "environment"
MADE_OF = ENVIRONMENT / "made-of.txt"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main(kinds: Sequence[str]) -> int:
    """Build ``kinds``, in an environment created for that, and return the exit status."""
    if not kinds or any(kind not in KINDS for kind in kinds):
        print(__doc__)
        return 2
    # Makes PyInstaller reproducible. Source: its manual, "Creating a Reproducible Build".
    os.environ |= {"SOURCE_DATE_EPOCH": str(product.source_date_s()), "PYTHONHASHSEED": "0"}
    if Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        make_environment()
        return subprocess.run([str(PYTHON), __file__, *kinds], check=False).returncode
    for kind in kinds:
        KINDS[kind]()
    return 0


def make_environment() -> None:
    """Create build/environment, again if Python or uv.lock has changed.

    It determines what is shipped: the dependencies, the tools, and the current program.
    """
    made_of = f"{sys.version} {hashlib.sha256((product.ROOT / 'uv.lock').read_bytes()).hexdigest()}"
    pip = [str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if not MADE_OF.is_file() or MADE_OF.read_text(encoding="utf-8") != made_of:
        if ENVIRONMENT.exists():
            shutil.rmtree(ENVIRONMENT)
        run([sys.executable, "-m", "venv", str(ENVIRONMENT)])
        run([*pip, product.UV])
        os.environ["UV_PROJECT_ENVIRONMENT"] = str(ENVIRONMENT)
        locked = ["sync", "--frozen", "--inexact", "--no-install-project", "--group", "package"]
        run([str(PYTHON), "-m", "uv", *locked, "--project", str(product.ROOT)])
        MADE_OF.write_text(made_of, encoding="utf-8")
    run([*pip, "--no-deps", "--no-build-isolation", "--force-reinstall", str(product.ROOT)])


def build_wheel() -> None:
    """Build wheel and sdist."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(product.DIST)]
    run([*command, str(product.ROOT)])


def build_frozen() -> None:
    """Build the folder."""
    frozen.build()
    if sys.platform == "linux":
        print(f"It needs glibc {frozen.lowest_glibc(frozen.FOLDER)} or newer.")


def packed(*builders: Callable[[], Path]) -> Callable[[], None]:
    """Builds packages from the folder, which is built first unless it is up to date."""

    def build() -> None:
        sources = [file for name in SOURCES for file in (product.ROOT / name).rglob("*")]
        newest = max(file.stat().st_mtime for file in (*sources, MADE_OF) if file.suffix != ".pyc")
        if not frozen.ORIGINS.is_file() or frozen.ORIGINS.stat().st_mtime < newest:
            build_frozen()
        for builder in builders:
            file = builder()
            print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")

    return build


def write_sums() -> None:
    """Write SHA256SUMS."""
    print(product.write_sums(product.DIST).read_text(encoding="utf-8"), end="")


KINDS: dict[str, Callable[[], None]] = {
    "wheel": build_wheel,
    "frozen": build_frozen,
    "deb": packed(deb.build),
    "tar": packed(linux_files.build_tar),
    "appimage": packed(linux_files.build_appimage),
    "flatpak": flatpak.build,
    "windows": packed(installers.build_windows, installers.build_portable),
    "macos": packed(installers.build_macos),
    "check": linux_files.check,
    "sums": write_sums,
}


def run(command: Sequence[str]) -> None:
    """Print and run a command; exit if it fails."""
    print("+", " ".join(command), flush=True)
    status = subprocess.run(command, check=False).returncode
    if status:
        sys.exit(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
