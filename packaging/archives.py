"""The frozen folder as a .tar.gz and as an AppImage, for Linux systems without apt."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import linux_files
import product
from frozen import FOLDER

APPIMAGETOOL = "APPIMAGETOOL"  # the environment variable that names the tool, if it is not on PATH


def build_tar() -> Path:
    """Build the .tar.gz and return its file."""
    product.DIST.mkdir(exist_ok=True)
    file = product.DIST / product.file_name("linux", ".tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder) / f"{product.NAME}-{product.version()}"
        shutil.copytree(FOLDER, top, symlinks=True)
        linux_files.write_share(top / "share")
        (top / "LICENSES.txt").write_text(linux_files.licence_text(has_system=True), encoding="utf-8")
        readme = product.filled(linux_files.TEMPLATES / "README.txt.in")
        (top / "README.txt").write_text(readme, encoding="utf-8")
        shutil.copy(linux_files.TEMPLATES / "install.sh", top)
        with tarfile.open(file, "w:gz", compresslevel=9) as archive:
            archive.add(top, top.name, filter=_of_nobody)
    return file


def build_appimage() -> Path:
    """Build the AppImage and return its file.

    Raises:
        SystemExit: appimagetool is not there. It comes from the AppImage project, not with Debian.
    """
    tool = os.environ.get(APPIMAGETOOL) or shutil.which("appimagetool")
    if tool is None:
        raise SystemExit(f"appimagetool is needed: on PATH, or named by {APPIMAGETOOL}.")
    product.DIST.mkdir(exist_ok=True)
    file = product.DIST / product.file_name("linux", ".AppImage")
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder) / f"{product.NAME}.AppDir"
        stage_appdir(top)
        arch = {"amd64": "x86_64", "arm64": "aarch64"}[product.machine()]
        command = [tool, "--no-appstream", str(top), str(file)]
        subprocess.run(command, check=True, env={**os.environ, "ARCH": arch, "VERSION": product.version()})
    return file


def stage_appdir(top: Path) -> None:
    """Lay the AppImage's files out under ``top``. Source: AppDir specification."""
    program = top / "usr" / "lib" / product.NAME
    shutil.copytree(FOLDER, program, symlinks=True)
    linux_files.write_share(top / "usr" / "share")
    about = top / "usr" / "share" / "doc" / product.NAME
    about.mkdir(parents=True)
    (about / "copyright").write_text(linux_files.licence_text(has_system=True), encoding="utf-8")
    (top / "AppRun").symlink_to(f"usr/lib/{product.NAME}/{product.NAME}")
    share = top / "usr" / "share"
    shutil.copy(share / "applications" / f"{product.APP_ID}.desktop", top)
    shutil.copy(share / "icons" / "hicolor" / "256x256" / "apps" / f"{product.APP_ID}.png", top)
    (top / ".DirIcon").symlink_to(f"{product.APP_ID}.png")


def _of_nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Files in the archive belong to whoever unpacks it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
