"""The app on current Wayland desktops: GNOME, KDE Plasma and sway, headless, in a Debian 13 root.

    sudo python3 packaging/dev.py test-wayland [FOLDER] [gnome|kwin|sway ...] [further arguments for pytest]

Without a desktop, all of them. FOLDER (default: build/wayland) keeps the root with the desktops for the next
time: 2.6 GB, created in some ten minutes. The tests are in tests/wayland; each desktop takes some minutes.
Status 0: all passed. ``--times N`` does each dictation N times.

What runs is the working tree, installed with pip in the root. Needs root, debootstrap, and permission to
create namespaces; mounts and processes end with this command.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import programs
from fresh import ROOT, SUITES, bare_system, inside, lacks_for_chroot, reach
from programs import Use

RELEASE = "debian13"
SOURCE = "srv/source"
APP = "/srv/handy"  # of the venv, in the root
DESKTOPS = ("gnome", "kwin", "sway")

SET_UP = """
set -eu
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d # no service starts in here
chmod 755 /usr/sbin/policy-rc.d
mkdir -p /tmp/.X11-unix
chmod 1777 /tmp/.X11-unix # for XWayland
if [ "$(cat /srv/packages 2>/dev/null)" != "$*" ]; then
    apt-get update -q
    apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io "$@"
    echo "$*" > /srv/packages
fi
id tester > /dev/null 2>&1 || useradd -m -u 1000 -s /bin/bash tester
[ -x {app}/bin/pip ] || python3 -m venv {app}
{app}/bin/pip install -q --disable-pip-version-check /{source} 'pytest>=8.3'
"""
TEST = """
exec setpriv --reuid=tester --regid=tester --clear-groups env -i HOME=/tmp LANG=C.UTF-8 TERM="$TERM" \\
    PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={checkout} \\
    {app}/bin/python -m pytest -c {checkout}/tests/wayland/pytest.ini --rootdir={checkout} \\
    -p no:cacheprovider "$@"
"""


def test_wayland(arguments: Sequence[str]) -> int:
    """Run the tests on the desktops in ``arguments``; 0 if all passed."""
    options, further = _parse(arguments)
    if lacks := lacks_for_chroot():
        print(f"This needs {lacks}.")
        return 1
    folder = options.folder.resolve()
    for cache in ("apt", "pip"):
        (folder / cache).mkdir(parents=True, exist_ok=True)
    root = bare_system(folder, RELEASE)
    environment, places = reach(root, SUITES[RELEASE])
    places = [*places, str(ROOT)]
    _copy_source(root / SOURCE)
    set_up = SET_UP.format(app=APP, source=SOURCE)
    if inside(root, folder, environment, places, set_up, *programs.packages(Use.WAYLAND)):
        print("The desktops could not be set up.")
        return 1
    statuses, summary = [], []
    for desktop in options.desktops:
        began_s = time.monotonic()
        print(f"--- {desktop} ---", flush=True)
        report = root / "tmp" / f"{desktop}.xml"
        report.unlink(missing_ok=True)
        test = TEST.format(app=APP, checkout=ROOT)
        tests = [str(ROOT / "tests" / "wayland"), "--desktop", desktop, f"--junitxml=/tmp/{report.name}"]
        statuses.append(inside(root, folder, environment, places, test, *tests, *further))
        took_min = (time.monotonic() - began_s) / 60
        summary += [f"{desktop}: exit status {statuses[-1]}, {took_min:.1f} min", *_told(report)]
    print("--- summary ---", *summary, sep="\n")
    return max(statuses)


def _told(report: Path) -> list[str]:
    """How many tests passed, and each failure with its first message."""
    if not report.exists():
        return ["    it did not come to an end"]
    cases = ElementTree.parse(report).findall(".//testcase")
    kinds = Counter(case[0].tag if len(case) else "passed" for case in cases)
    lines = ["    " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))]
    for case in cases:
        for found in (*case.findall("failure"), *case.findall("error")):
            said = found.get("message", "").partition("\n")[0]
            lines.append(f"    {found.tag}: {case.get('name')}: {said}")
    return lines


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The folder, the desktops, and pytest's arguments: everything from the first option on."""
    first = next((place for place, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    parser = argparse.ArgumentParser(prog="dev.py test-wayland", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="FOLDER|" + "|".join(DESKTOPS))
    options = parser.parse_args(arguments[:first] if arguments[:1] not in (["-h"], ["--help"]) else ["-h"])
    options.desktops = [word for word in options.words if word in DESKTOPS] or list(DESKTOPS)
    folders = [word for word in options.words if word not in DESKTOPS]
    if len(folders) > 1:
        parser.error(f"at most one folder, and of desktops {', '.join(DESKTOPS)}")
    options.folder = Path(folders[0]) if folders else ROOT / "build" / "wayland"
    return options, list(arguments[first:])


def _copy_source(place: Path) -> None:
    """Copy the files that git tracks or does not ignore: building writes beside them."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, capture_output=True, check=True).stdout.decode().split("\0")
    for name in names:
        if name and (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
