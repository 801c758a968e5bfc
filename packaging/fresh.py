"""Runs the commands of the README on a new machine: a bare Debian in a folder, entered by chroot.

    sudo python3 packaging/dev.py fresh [debian12|debian13] [try|ci] [--folder DIR]

Without a release, or a command, all of them run, each on its own bare system, which is deleted afterwards.
What runs is a clone of the last commit. The bare systems and the downloads of apt and pip are cached in DIR
(default: build/fresh). This machine's way to reach Debian and PyPI (apt's and pip's configuration, proxies,
certificates) applies there as well.

Needs root and debootstrap. Mounts and processes are in separate namespaces and end with this command in any
case.
"""

from __future__ import annotations

import argparse
import configparser
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITES = {"debian12": "bookworm", "debian13": "trixie"}
COMMANDS = ("try", "ci")
HOST_FILES = "host-files"
CHECKOUT = "src/handy_qwen"  # in the bare system. The recordings for tests are beside it, as here.

MOUNTS = """
set -eu
root=$1 folder=$2 data=$3
shift 3
mount --make-rprivate / 2>/dev/null || :
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount --bind /dev "$root/dev"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -p "$root/var/cache/apt/archives" "$root/root/.cache/pip"
mount --bind "$folder/apt" "$root/var/cache/apt/archives"
mount --bind "$folder/pip" "$root/root/.cache/pip"
if [ -n "$data" ]; then
    mkdir -p "$root/src/shared/data"
    mount --bind "$data" "$root/src/shared/data"
    mount -o remount,bind,ro "$root/src/shared/data"
fi
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount --bind "$1" "$root$1"
    shift
done
shift
chroot "$root" "$@" # without exec: the shell is the first process in there and collects orphans
"""
"""Runs in a separate mount namespace: mounts are invisible outside, and need not be undone."""


def fresh(arguments: Sequence[str]) -> int:
    """Run what ``arguments`` ask for; 0 on success."""
    options = _parse(arguments)
    if lacks := lacks_for_chroot():
        print(f"This needs {lacks}.")
        return 1
    releases = [options.release] if options.release else list(SUITES)
    commands = [options.command] if options.command else list(COMMANDS)
    folder = options.folder.resolve()
    results = {}
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):  # Windows has no other
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # for the cleanup
    try:
        for release in releases:
            for command in commands:
                began_s = time.monotonic()
                status = _run(folder, release, command)
                results[f"{release} {command}"] = (status, time.monotonic() - began_s)
    finally:
        for name, (status, took_s) in results.items():
            print(f"{name}: {'ok' if status == 0 else f'exit status {status}'}, {took_s / 60:.1f} min")
    return max((status for status, _ in results.values()), default=1)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py fresh", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="|".join((*SUITES, *COMMANDS)))
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "fresh", metavar="DIR")
    options = parser.parse_args(arguments)
    options.release = options.command = None
    for word in options.words:
        what = "release" if word in SUITES else "command"
        if word not in (*SUITES, *COMMANDS) or getattr(options, what):
            parser.error(f"{word}: at most one of {', '.join(SUITES)} and one of {', '.join(COMMANDS)}")
        setattr(options, what, word)
    return options


def lacks_for_chroot() -> str:
    """The missing requirements, in words, or empty."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "root, on Linux"
    if shutil.which("debootstrap") is None:
        return "debootstrap (apt-get install debootstrap)"
    probe = ["unshare", "--mount", "--pid", "--fork", "true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return "leave to make namespaces (a container must be started with --privileged)"
    return ""


def _run(folder: Path, release: str, command: str) -> int:
    """Run ``dev.py command`` in a clean checkout on a bare ``release``; return its exit status."""
    for cache in ("apt", "pip"):
        (folder / cache).mkdir(parents=True, exist_ok=True)
    base = bare_system(folder, release)
    root = Path(tempfile.mkdtemp(prefix=f"{release}-{command}-", dir=folder))
    try:
        root.chmod(0o755)  # users other than root must get in
        do("cp", "-a", f"{base}/.", str(root))
        environment, places = reach(root, SUITES[release])
        do("git", "clone", "-q", str(ROOT), str(root / CHECKOUT))
        steps = (
            "apt-get update -qq",
            "apt-get install -qq --no-install-recommends python3",
            f"cd /{CHECKOUT}",
            f"python3 packaging/dev.py {command}",
        )
        print(f"--- {release}: {command} ---", flush=True)
        return inside(root, folder, environment, places, " && ".join(steps))
    finally:
        shutil.rmtree(root)


def bare_system(folder: Path, release: str) -> Path:
    """The bare system, created if it is missing; interrupted creation leaves none."""
    base = folder / release
    if not base.is_dir():
        began = folder / f"{release}.new"
        shutil.rmtree(began, ignore_errors=True)
        mirror = archives().get("Debian", [])[:1]  # none: debootstrap has a default
        do("debootstrap", "--variant=minbase", SUITES[release], str(began), *mirror)
        began.rename(base)
    return base


def inside(
    root: Path, folder: Path, environment: Mapping[str, str], places: list[str], script: str, *arguments: str
) -> int:
    """Run a shell script in the system at ``root``, with ``arguments``; return its exit status.

    ``folder`` has the caches; ``places`` are folders mounted at the same path.
    """
    data = Path(os.environ.get("HANDY_QWEN_TEST_DATA", ROOT.parent / "shared" / "data"))
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", MOUNTS, "sh"]
    command += [str(root), str(folder), str(data.resolve()) if data.is_dir() else "", *places, "--"]
    with subprocess.Popen([*command, "sh", "-c", script, "sh", *arguments], env=environment) as process:
        try:
            return process.wait()
        finally:
            process.kill()  # and all that runs inside; no effect if it has ended


def reach(root: Path, suite: str) -> tuple[dict[str, str], list[str]]:
    """Give the bare system the same network access as this one.

    Returns the environment for it, and the folders to mount at the same path.
    """
    debian, security = archives().get("Debian"), archives().get("Debian-Security")
    lines = [f"deb {debian[0]} {name} main" for name in (suite, f"{suite}-updates")] if debian else []
    lines += [f"deb {security[0]} {suite}-security main"] if security else []
    if lines:
        (root / "etc/apt/sources.list").write_text("\n".join(lines) + "\n", encoding="utf-8")
    dump = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True)
    (root / "etc/apt/apt.conf.d/99-as-outside").write_text(dump.stdout, encoding="utf-8")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    files = _Files(root)
    pip = _pip_configuration()
    for section in pip.sections():
        for name, value in pip.items(section):
            pip.set(section, name, files.translated(value))
    with (root / "etc/pip.conf").open("w", encoding="utf-8") as file:
        pip.write(file)
    environment = {
        name: files.translated(value) for name, value in os.environ.items() if _is_about_reaching(name)
    }
    own = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    own |= {"TERM": os.environ.get("TERM", "dumb"), "DEBIAN_FRONTEND": "noninteractive"}
    return environment | own, sorted(files.folders)


class _Files:
    """Copies files named in settings into the bare system, and collects folders that they name."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.folders: set[str] = set()

    def translated(self, value: str) -> str:
        """``value`` for use inside: a file is copied, so that no package there overwrites it."""
        return "\n".join(" ".join(map(self._word, line.split(" "))) for line in value.split("\n"))

    def _word(self, word: str) -> str:
        path = Path(word.removeprefix("file://"))
        if not path.is_absolute():
            return word
        if path.is_file():
            copy = self._root / HOST_FILES / f"{abs(hash(word)):x}-{path.name}"
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(path, copy)
            return f"/{copy.relative_to(self._root)}"
        if path.is_dir() and len(path.parts) > 2:
            self.folders.add(str(path.parent))  # a package index may refer to files beside it
        return word


def _is_about_reaching(name: str) -> bool:
    """Whether an environment variable is about network access."""
    upper = name.upper()
    return upper.startswith("PIP_") or upper.endswith(("_PROXY", "_CA_BUNDLE", "SSL_CERT_FILE"))


def _pip_configuration() -> configparser.RawConfigParser:
    """The merged pip configuration, later files overriding. Source: pip's documentation, "Configuration"."""
    own = [str(Path.home() / place) for place in (".pip/pip.conf", ".config/pip/pip.conf")]
    files = ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", *own, os.environ.get("PIP_CONFIG_FILE", os.devnull)]
    parser = configparser.RawConfigParser()
    parser.read(files, encoding="utf-8")
    return parser


def archives() -> dict[str, list[str]]:
    """The archives that apt uses here, by label; empty without Debian's apt."""
    command = ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        label, _, address = line.partition(" ")
        found.setdefault(label, []).append(address)
    return found


def do(*command: str) -> None:
    """Print and run a command."""
    print("+", *command, flush=True)
    subprocess.run(command, check=True)
