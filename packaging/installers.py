"""The installer for Windows and the disk image for macOS, from the frozen program.

The Windows installer was tested under Wine; the disk image has not been made yet.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import zipfile
from pathlib import Path

import frozen
import licences
import product

INNO_SETUP = "ISCC"  # environment variable with the compiler's path, unless it is in its default folder
COMPRESSION = "COMPRESSION"  # environment variable with another compression: "none" saves minutes
_INNO_PLACES = (r"C:\Program Files (x86)\Inno Setup 6\ISCC.exe", r"C:\Program Files\Inno Setup 6\ISCC.exe")


def build_windows() -> Path:
    """Build the installer with Inno Setup, and return its file."""
    known = [os.environ.get(INNO_SETUP), shutil.which("ISCC"), *_INNO_PLACES]
    compiler = next((place for place in known if place and Path(place).is_file()), None)
    if compiler is None:
        raise SystemExit(f"Inno Setup 6 is needed; {INNO_SETUP} can name its ISCC.exe.")
    complete()
    script = product.PACKAGING / "windows" / "handy-qwen.iss"
    facts = [f"/D{name}={value}" for name, value in windows_facts().items()]
    subprocess.run([compiler, "/Qp", *facts, str(script)], check=True)
    return product.DIST / product.file_name("windows", ".exe")


def build_portable() -> Path:
    """Pack the folder, with its licences, into a portable .zip."""
    complete()
    file = product.DIST / product.file_name("windows", ".zip")
    date = time.gmtime(product.source_date_s())[:6]  # ZipFile.write() would store the local time
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(path for path in frozen.FOLDER.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(frozen.FOLDER.parent).as_posix(), date)
            entry.external_attr = 0o100644 << 16  # the same under any umask
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return file


def complete() -> None:
    """Add licences to the folder, and set all file times to that of the sources."""
    product.DIST.mkdir(exist_ok=True)
    (frozen.FOLDER / "LICENSES.txt").write_text(_licences(), encoding="utf-8-sig")
    shutil.copy(product.BUILD / "icons" / "handy-qwen.ico", frozen.FOLDER)
    date_s = product.source_date_s()
    for path in frozen.FOLDER.rglob("*"):
        os.utime(path, (date_s, date_s))


def windows_facts() -> dict[str, str]:
    """The parameters of the Inno Setup script."""
    return {
        "Name": product.NAME,
        "Title": product.TITLE,
        "Version": product.version(),
        "Publisher": product.PUBLISHER,
        "InstallerId": product.INSTALLER_ID,
        "AppId": product.APP_ID,
        "Libraries": product.libraries(),
        "Mutex": product.MUTEX,
        "Compression": os.environ.get(COMPRESSION, "lzma2/max"),
        "Source": str(frozen.FOLDER),
        "Output": str(product.DIST),
        "FileName": product.file_name("windows", ""),
    }


def build_macos() -> Path:
    """Sign the app, build the disk image and return its file."""
    product.DIST.mkdir(exist_ok=True)
    app = frozen.FOLDER.parent / f"{product.TITLE}.app"
    (app / "Contents" / "Resources" / "LICENSES.txt").write_text(_licences(), encoding="utf-8")
    file = product.DIST / product.file_name("macos", ".dmg")
    folder = product.PACKAGING / "macos"
    command = ["sh", str(folder / "make-dmg.sh"), str(app), str(folder / "entitlements.plist"), str(file)]
    subprocess.run([*command, product.TITLE], check=True)
    return file


def _licences() -> str:
    return licences.collect(frozen.ORIGINS, has_system=False)
