"""Every program that is called by name, with the Debian package it comes from; and the libraries beside them.

``dev.py`` installs by this list, and a test holds the calls in the code against it, in both directions.
Ubuntu's packages have the same names; libraries whose package ends in ``t64`` there and on Debian 13 are
found under their old names, too.
"""

from __future__ import annotations

from enum import Enum


class Use(Enum):
    """Who needs a program, and so when it is installed."""

    TRY = "the program, always"
    CI = "tests"
    BUILD = "the makers of packages, on Linux"
    OPTIONAL = "the program, where it is there; the user installs it"
    BENCH = "measurements by hand"
    ELSEWHERE = "Windows or macOS, or in no package of Debian's"


PROGRAMS: dict[Use, dict[str, str]] = {  # package -> its programs
    Use.TRY: {"dash": "sh", "python3": "python3"},
    Use.CI: {
        "bash": "bash",
        "coreutils": "cat env sleep",
        "dbus-bin": "dbus-send",
        "dbus-daemon": "dbus-daemon",
        "dpkg-dev": "dpkg-parsechangelog",
        "fish": "fish",
        "groff-base": "groff",
        "imagemagick": "import",
        "libglib2.0-bin": "gio",
        "mount": "mount umount",
        "openbox": "openbox",
        "openssl": "openssl",
        "pulseaudio": "pulseaudio",
        "pulseaudio-utils": "pactl paplay parec parecord",
        "strace": "strace",
        "trayer": "trayer",
        "x11-xkb-utils": "setxkbmap xkbcomp",
        "x11-xserver-utils": "xset xsetroot",
        "xclip": "xclip",
        "xdotool": "xdotool",
        "xinput": "xinput",
        "xterm": "xterm",
        "xvfb": "Xvfb",
        "zsh": "zsh",
    },
    Use.BUILD: {
        "appstream": "appstreamcli",
        "binutils": "objdump",
        "coreutils": "md5sum",
        "desktop-file-utils": "desktop-file-validate",
        "dpkg": "dpkg dpkg-deb",
        "dpkg-dev": "dpkg-shlibdeps",
        "lintian": "lintian",
        "man-db": "man",
    },
    Use.OPTIONAL: {"wl-clipboard": "wl-copy wl-paste", "wtype": "wtype", "ydotool": "ydotool"},
}

LIBRARIES: dict[Use, str] = {
    Use.TRY: (  # what a bare system lacks for PortAudio, and for Qt on X11
        "libportaudio2 libgl1 libegl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libxkbcommon0 libxcb-cursor0"
        " libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxcb-xkb1 libxkbcommon-x11-0"
    ),
    Use.CI: (  # fonts, the sound server's plugins, the portal's service, GTK for a window to write into
        "fonts-dejavu-core libasound2-plugins libxtst6 libxi6 xdg-desktop-portal python3-gi gir1.2-gtk-3.0"
    ),
}


def packages(*uses: Use) -> list[str]:
    """The packages that ``uses`` need, each once."""
    found = [name for use in uses for name in (*PROGRAMS.get(use, {}), *LIBRARIES.get(use, "").split())]
    return list(dict.fromkeys(found))
