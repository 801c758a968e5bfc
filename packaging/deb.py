"""Builds the .deb from the frozen folder, on the oldest supported Debian.

    /usr/lib/handy-qwen      the folder, without the libraries that Debian has itself
    /usr/bin/handy-qwen      a link to the program in it
    /usr/share               menu entry, AppStream data, icons, manual, completions, licences

Debian's libraries are dependencies instead of being shipped, so that its security updates apply;
dpkg-shlibdeps determines which, and their versions. Only Python itself is shipped: later releases have
another one. PortAudio is loaded by name at run time, which dpkg-shlibdeps does not see.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import linux_files
import product
from frozen import FOLDER, ORIGINS, elf_files, is_of_the_system

LOADED_BY_NAME = "libportaudio2"
OPTIONAL = ("libqgtk3.so",)  # Qt skips plugins whose libraries are missing: GTK exists where GNOME does
COMPRESSION = ("-Zzstd", "-z12")  # xz makes it a tenth smaller and takes ten times as long, also to install
SECTION, PRIORITY = "utils", "optional"
MAINTAINER = f"{product.PUBLISHER} <handy-qwen@localhost>"
DESCRIPTION = """\
 Dictation for the whole desktop: hold a key, speak, let go, and the words
 stand in whatever window has the focus. Speech is recognized on your own
 processor with Qwen3-ASR, in 30 languages; nothing you say leaves the
 machine.
 .
 A tiny demo model is included to show that everything works. For everyday
 use, a full model is fetched or converted by the program.
"""


def build() -> Path:
    """Build the package and return its file."""
    product.DIST.mkdir(exist_ok=True)
    file = product.DIST / f"{product.NAME}_{product.version()}_{product.machine()}.deb"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        stage(root)
        program = root / "usr" / "lib" / product.NAME
        write_control(root, depends_of(program, Path(folder)))
        os.utime(root)
        command = ["dpkg-deb", "--root-owner-group", *COMPRESSION, "--build"]
        subprocess.run([*command, str(root), str(file)], check=True)
    return file


def stage(root: Path) -> None:
    """Lay out all files under ``root``."""
    program = root / "usr" / "lib" / product.NAME
    shutil.copytree(FOLDER, program, symlinks=True)
    for library in libraries_of_debian(json.loads(ORIGINS.read_text(encoding="utf-8"))["files"]):
        (program / product.libraries() / library).unlink(missing_ok=True)
    link = root / "usr" / "bin" / product.NAME
    link.parent.mkdir(parents=True)
    link.symlink_to(f"../lib/{product.NAME}/{product.NAME}")
    linux_files.write_share(root / "usr" / "share")
    about = root / "usr" / "share" / "doc" / product.NAME
    about.mkdir(parents=True)
    (about / "copyright").write_text(linux_files.licence_text(has_system=False), encoding="utf-8")
    whole = (product.ROOT / "CHANGELOG.md").read_bytes()
    (about / "CHANGELOG.md.gz").write_bytes(gzip.compress(whole, mtime=0))
    (about / "changelog.gz").write_bytes(gzip.compress(changelog().encode(), mtime=0))
    set_modes(root)


def changelog() -> str:
    """The changelog in Debian's format, with a link to the full one. Source: deb-changelog(5)."""
    day = datetime.fromisoformat(product.release_date()).replace(tzinfo=UTC)
    return (
        f"{product.NAME} ({product.version()}) stable; urgency=medium\n\n"
        f"  * Version {product.version()}; CHANGELOG.md.gz tells what is new.\n\n"
        f" -- {MAINTAINER}  {format_datetime(day)}\n"
    )


def libraries_of_debian(files: dict[str, str]) -> list[str]:
    """The libraries in the folder that Debian has: all but Python's."""
    return [place for place, source in files.items() if is_of_the_system(source) and "libpython" not in place]


def set_modes(root: Path) -> None:
    """Set the file permissions required by Debian's policy."""
    for path in root.rglob("*"):
        if path.is_symlink():
            continue
        is_program = path.is_file() and path.name == product.NAME and path.parent.name == product.NAME
        path.chmod(0o755 if path.is_dir() or is_program else 0o644)
    root.chmod(0o755)


def depends_of(program: Path, work: Path) -> str:
    """The packages that the libraries and programs under ``program`` need, with versions."""
    (work / "debian").mkdir()
    (work / "debian" / "control").write_text(
        f"Source: {product.NAME}\n\nPackage: {product.NAME}\nArchitecture: any\n"
    )
    binaries = [file for file in elf_files(program) if file.name not in OPTIONAL]
    folders = sorted({str(file.parent) for file in binaries})
    command = ["dpkg-shlibdeps", "-O", "--ignore-missing-info", "--warnings=0"]
    command += [f"-l{folder}" for folder in folders] + [f"-e{file}" for file in binaries]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"dpkg-shlibdeps failed:\n{done.stderr}")
    found = done.stdout.strip().removeprefix("shlibs:Depends=").split(", ")
    return ", ".join(sorted({*found, LOADED_BY_NAME}))


def write_control(root: Path, depends: str) -> None:
    """Write the package's metadata: control, md5sums."""
    folder = root / "DEBIAN"
    files = sorted(path for path in (root / "usr").rglob("*") if path.is_file() and not path.is_symlink())
    size_kb = sum(-(-path.stat().st_size // 1024) for path in files)
    folder.mkdir(mode=0o755)
    (folder / "control").write_text(
        f"Package: {product.NAME}\n"
        f"Version: {product.version()}\n"
        f"Architecture: {product.machine()}\n"
        f"Maintainer: {MAINTAINER}\n"
        f"Installed-Size: {size_kb}\n"
        f"Depends: {depends}\n"
        "Recommends: libasound2-plugins | pipewire-alsa, pulseaudio-utils\n"
        "Suggests: libgtk-3-0, xdg-desktop-portal\n"
        f"Section: {SECTION}\nPriority: {PRIORITY}\n"
        f"Description: {product.SUMMARY[0].lower() + product.SUMMARY[1:]}\n{DESCRIPTION}",
        encoding="utf-8",
    )
    sums = (f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in files)
    (folder / "md5sums").write_text("".join(sums), encoding="utf-8")
