"""Facts shared by all packages: name, version, identifiers, texts, paths."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGING = ROOT / "packaging"
BUILD = ROOT / "build"
DIST = ROOT / "dist"

NAME = "handy-qwen"
TITLE = "Handy Qwen"
APP_ID = "io.github.handy_qwen"  # of the .desktop file, which portals rely on, and of the bundle
MUTEX = "HandyQwen"  # shows the Windows installer that the program is running
UV = "uv==0.13.9"  # reads and writes uv.lock
PUBLISHER = "The handy_qwen developers"
SUMMARY = "Hold a key, speak, release: your words appear in the focused window"
INSTALLER_ID = "7C0B1C1E-6C86-4B0C-9B8E-3C2B6C5D8A41"  # Windows knows later versions by it: never to change


def version() -> str:
    """The version, read from the package without importing it."""
    text = (ROOT / "handy_qwen" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(\d+\.\d+\.\d+)"$', text, re.MULTILINE)
    if found is None:
        raise ValueError("handy_qwen/__init__.py tells no version")
    return found[1]


def libraries() -> str:
    """The folder with the libraries, beside the frozen program; on Windows, one per version."""
    return f"_internal-{version()}" if sys.platform == "win32" else "_internal"


def description() -> str:
    """A description in one sentence, from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["description"])


def machine() -> str:
    """Debian's name of the processor: amd64 or arm64."""
    names = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    return names[platform.machine().lower()]


def file_name(system: str, suffix: str) -> str:
    """The name of a package: ``handy-qwen-0.1.0-linux-amd64.tar.gz``."""
    return f"{NAME}-{version()}-{system}-{machine()}{suffix}"


def filled(template: Path) -> str:
    """The text of ``template`` with ``@NAME@``, ``@VERSION@`` and the like replaced."""
    facts = {
        "NAME": NAME,
        "TITLE": TITLE,
        "APP_ID": APP_ID,
        "PUBLISHER": PUBLISHER,
        "SUMMARY": SUMMARY,
        "VERSION": version(),
        "INSTALLER_ID": INSTALLER_ID,
        "DATE": release_date(),
    }
    return re.sub(r"@([A-Z_]+)@", lambda found: facts[found[1]], template.read_text(encoding="utf-8"))


def release_date() -> str:
    """The date of this version in the changelog (YYYY-MM-DD); before release, the file's date."""
    changelog = ROOT / "CHANGELOG.md"
    found = re.search(
        rf"^## \[{re.escape(version())}\] - (\d{{4}}-\d\d-\d\d)$", changelog.read_text("utf-8"), re.MULTILINE
    )
    if found:
        return found[1]
    from datetime import UTC, datetime

    return datetime.fromtimestamp(changelog.stat().st_mtime, UTC).strftime("%Y-%m-%d")


def source_date_s() -> int:
    """The time of all files in a package, so that builds of a commit are reproducible.

    SOURCE_DATE_EPOCH, else the commit's time; outside a checkout the changelog's, which an sdist preserves.
    """
    if told := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(told)
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError):
        return int((ROOT / "CHANGELOG.md").stat().st_mtime)


def write_sums(folder: Path) -> Path:
    """Write ``SHA256SUMS`` of all packages in ``folder``, in the format of ``sha256sum --check``."""
    sums = folder / "SHA256SUMS"
    files = sorted(file for file in folder.iterdir() if file.is_file() and file != sums)
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    sums.write_text("".join(lines), encoding="utf-8", newline="\n")
    return sums
