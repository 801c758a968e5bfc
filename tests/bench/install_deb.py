"""Installs the .deb on a bare Debian and lets it prove itself there; prints figures as JSON.

    sudo python -m tests.bench.install_deb dist/handy-qwen_0.1.0_amd64.deb [--tests] [--base FOLDER]

The bare system is made with debootstrap (Debian 12, its smallest variant) in a folder, and entered with
chroot; the package brings what it depends on with apt. Screen, sound server, keyboard and the window that is
written into are the virtual desktop of tests/e2e, outside of that folder: inside there is nothing but what
apt installed. The two share one folder for sockets and homes. Needs root, debootstrap, and what tests need.

``--base`` names a folder with a bare system that is kept and copied; it is made if it is not there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SENTENCE = "Please send the report to Anna on Monday."
SUITE, MIRROR = "bookworm", "http://deb.debian.org/debian"
PROGRAM = "/usr/bin/handy-qwen"
APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y")


def main() -> int:
    options = parse()
    base = options.base or Path(tempfile.mkdtemp(prefix="bare-")) / "base"
    make_base(base)
    root = Path(tempfile.mkdtemp(prefix="installed-"))
    shared = Path(tempfile.mkdtemp(prefix="shared-"))
    tempfile.tempdir = os.environ["TMPDIR"] = str(shared)
    figures: dict[str, object] = {
        "package": options.deb.name,
        "package_mb": megabytes(options.deb.stat().st_size),
    }
    try:
        subprocess.run(["cp", "-a", f"{base}/.", str(root)], check=True)
        with mounted(root, shared):
            figures |= prove(root, options.deb, is_tested=options.tests)
    finally:
        remove(root)
        shutil.rmtree(shared)
        if options.base is None:
            shutil.rmtree(base.parent)
    print(json.dumps(figures, indent=2))
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("deb", type=Path)
    parser.add_argument("--base", type=Path, metavar="FOLDER", help="keep the bare system there")
    parser.add_argument("--tests", action="store_true", help="run tests/e2e/test_app.py against it as well")
    return parser.parse_args()


def make_base(base: Path) -> None:
    """Make the bare system, if it is not there."""
    if not (base / "var" / "lib" / "dpkg" / "status").exists():
        subprocess.run(["debootstrap", "--variant=minbase", SUITE, str(base), MIRROR], check=True)


@contextlib.contextmanager
def mounted(root: Path, shared: Path) -> Iterator[None]:
    """A /proc, a /dev/shm and the folder ``shared`` in the bare system; gone afterwards."""
    place = Path(f"{root}{shared}")
    mounts = [
        ["-t", "proc", "proc", str(root / "proc")],
        ["-t", "tmpfs", "tmpfs", str(root / "dev" / "shm")],
        ["--bind", str(shared), str(place)],
    ]
    done = []
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    try:
        for mount in mounts:
            Path(mount[-1]).mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", *mount], check=True)
            done.append(mount[-1])
        yield
    finally:
        for mount_point in reversed(done):
            subprocess.run(["umount", "--lazy", mount_point], check=True)


def remove(root: Path) -> None:
    """Delete the bare system, if nothing of this one is mounted there any more."""
    if f" {root}/" in Path("/proc/self/mounts").read_text(encoding="utf-8"):
        raise SystemExit(f"Something is still mounted under {root}: it is left as it is.")
    shutil.rmtree(root)


def prove(root: Path, deb: Path, *, is_tested: bool) -> dict[str, object]:
    """Install, use and remove the package in ``root``."""
    inside(root, *APT, "update")
    before = files_of(root)
    shutil.copy(deb, root / deb.name)
    began = time.monotonic()
    inside(root, *APT, "install", f"/{deb.name}")
    (root / deb.name).unlink()
    figures: dict[str, object] = {"install_s": round(time.monotonic() - began, 1)}
    size_kb = inside(root, "dpkg-query", "-W", "-f", "${Installed-Size}", "handy-qwen")
    figures["installed_mb"] = megabytes(int(size_kb) * 1024)
    figures["packages_that_came_along"] = len(files_of(root, "/var/lib/dpkg/info", "*.list")) - len(
        [name for name in before if name.startswith("/var/lib/dpkg/info/") and name.endswith(".list")]
    )
    heard = inside(root, PROGRAM, "demo")
    assert SENTENCE in heard, heard
    figures |= dictate(root)
    if is_tested:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/e2e/test_app.py"]
        environment = os.environ | {"HANDY_QWEN_TEST_COMMAND": f"chroot {root} {PROGRAM}"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        print(done.stdout[-3000:], file=sys.stderr)
        figures["tests_of_the_app"] = done.stdout.strip().splitlines()[-1]
    inside(root, *APT, "purge", "handy-qwen")
    figures["left_after_removal"] = sorted(
        name for name in files_of(root) - before if "handy" in name.lower()
    )
    return figures


def dictate(root: Path) -> dict[str, object]:
    """Start the app on the virtual desktop and dictate; how long it takes to get there."""
    os.environ["HANDY_QWEN_TEST_COMMAND"] = f"chroot {root} {PROGRAM}"
    from tests.e2e.app import SPOKEN, App
    from tests.e2e.desk import Desktop, QtTarget
    from tests.e2e.desk.processes import wait_until

    with Desktop() as desktop:
        editor = desktop.open(QtTarget)
        app = App(desktop, settings='[[hotkeys]]\nchord = "ctrl_r"\n')
        began = time.monotonic()
        with app:
            wait_until(lambda: app.status().get("phase") == "idle", "the model", timeout_s=60)
            app.dictate("chairs")
            text = editor.wait_for_text(SPOKEN["chairs"], timeout_s=60)
            dictated_s = time.monotonic() - began
            log = app.output()
            desktop.screenshot("installed-deb")
        assert text == SPOKEN["chairs"], text
        return {"tray_s": tray_s(log), "first_dictation_s": round(dictated_s, 1), "text": text}


def tray_s(log: str) -> float:
    """From the first line of the log to the one that tells of the tray."""
    stamps = [line for line in log.splitlines() if "starts" in line or "tray and overlay are there" in line]
    first, last = (seconds_of(line) for line in (stamps[0], stamps[-1]))
    return round(last - first, 2)


def seconds_of(line: str) -> float:
    """The time of day of a line of the log."""
    clock = next(word for word in line.split() if word.count(":") == 2)
    hours, minutes, seconds = clock.replace(",", ".").rstrip("Z").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def inside(root: Path, *command: str) -> str:
    """Run ``command`` in the bare system and return what it wrote to stdout."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["chroot", str(root), *command], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def files_of(root: Path, under: str = "", pattern: str = "*") -> set[str]:
    """The files of the bare system, without what is mounted into it."""
    mounts = ("/proc/", "/tmp/", "/dev/", "/var/cache/", "/var/log/")
    names = set()
    for folder, below, files in os.walk(f"{root}{under}"):
        inner = folder.removeprefix(str(root)) + "/"
        below[:] = [name for name in below if not f"{inner}{name}/".startswith(mounts)]
        names |= {inner + name for name in (*files, *below) if Path(name).match(pattern)}
    return names


def megabytes(size_bytes: int) -> float:
    return round(size_bytes / 1e6, 1)


if __name__ == "__main__":
    sys.exit(main())
