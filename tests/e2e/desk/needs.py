"""What the virtual desktop needs from the system, and what happens to a test when it is not there.

A missing program skips the test with the package to install as the reason. With
HANDY_QWEN_REQUIRE_DESKTOP=1 (continuous integration) it fails instead, so that a green run means
that the tests ran.
"""

import functools
import os
import shutil
import subprocess
import sys

import pytest

REQUIRE_VARIABLE = "HANDY_QWEN_REQUIRE_DESKTOP"
LIBEXEC = "/usr/libexec"  # programs that only programs call
SYSTEM_PYTHON = "/usr/bin/python3"  # the one the distribution's GTK bindings belong to

PACKAGES = {  # program -> Debian package
    "Xvfb": "xvfb",
    "openbox": "openbox",
    "trayer": "trayer",
    "dbus-daemon": "dbus-daemon",
    "at-spi-bus-launcher": "at-spi2-core",
    "setxkbmap": "x11-xkb-utils",
    "xterm": "xterm",
    "xclip": "xclip",
    "xdotool": "xdotool",
    "import": "imagemagick",
    "pulseaudio": "pulseaudio",
    "pactl": "pulseaudio-utils",
    "paplay": "pulseaudio-utils",
}
SOUND = ("pulseaudio", "pactl", "paplay")


@functools.cache
def _has_gtk() -> bool:
    code = "import gi; gi.require_version('Gtk', '3.0'); from gi.repository import Gtk"
    try:
        return subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def missing(*, sound: bool = True, gtk: bool = True) -> list[str]:
    """The Debian packages to install before a virtual desktop can be started. Empty: all is there."""
    if not sys.platform.startswith("linux"):
        return ["a Linux system"]
    programs = [program for program in PACKAGES if sound or program not in SOUND]
    path = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{LIBEXEC}"
    packages = {PACKAGES[program] for program in programs if shutil.which(program, path=path) is None}
    if gtk and not _has_gtk():
        packages |= {"python3-gi", "gir1.2-gtk-3.0"}
    return sorted(packages)


def require(*, sound: bool = True, gtk: bool = True) -> None:
    """Skip the running test, or fail it where the desktop must be there, if a program is missing."""
    packages = missing(sound=sound, gtk=gtk)
    if not packages:
        return
    reason = f"the virtual desktop needs: {' '.join(packages)}"
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
