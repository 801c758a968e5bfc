"""Every program that is called by name, with the Debian package it comes from; and the libraries beside them.

``dev.py`` installs by this list, and a test holds the calls in the code against it, in both directions.
Ubuntu's packages have the same names; libraries whose package ends in ``t64`` there and on Debian 13 are
found under their old names, too.
"""

from __future__ import annotations

from enum import Enum


class Use(Enum):
    """Who calls a program, and so when it must be there."""

    TRY = "the program, always"
    CI = "the tests"
    OPTIONAL = "the program, where it is there; the user installs it"
    PACKAGING = "what is in packaging/, on Debian"
    BENCH = "measurements by hand"


PROGRAMS: dict[Use, dict[str, str]] = {  # package -> its programs
    Use.TRY: {"dash": "sh"},
    Use.CI: {
        "at-spi2-core": "at-spi-bus-launcher",
        "bash": "bash",
        "coreutils": "cat env false sleep",
        "dash": "sh",
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
        "python3": "python3",
        "strace": "strace",
        "trayer": "trayer",
        "x11-xkb-utils": "setxkbmap",
        "x11-xserver-utils": "xset xsetroot",
        "xclip": "xclip",
        "xdg-desktop-portal": "xdg-desktop-portal",
        "xdotool": "xdotool",
        "xinput": "xinput",
        "xterm": "xterm",
        "xvfb": "Xvfb",
        "zsh": "zsh",
    },
    Use.OPTIONAL: {
        "gnome-control-center": "gnome-control-center",
        "pulseaudio-utils": "pactl",
        "systemsettings": "systemsettings",
        "wl-clipboard": "wl-copy wl-paste",
        "wtype": "wtype",
        "xclip": "xclip",
        "xdg-utils": "xdg-open",
        "xsel": "xsel",
        "ydotool": "ydotool",
    },
    Use.PACKAGING: {
        "appstream": "appstreamcli",
        "apt": "apt-config apt-get",
        "binutils": "objdump",
        "coreutils": "basename chroot cp dirname ln md5sum mkdir mktemp mv rm true",
        "dash": "sh",
        "debootstrap": "debootstrap",
        "desktop-file-utils": "desktop-file-validate",
        "dpkg": "dpkg dpkg-deb dpkg-query",
        "dpkg-dev": "dpkg-shlibdeps",
        "espeak-ng": "espeak-ng",
        "findutils": "find xargs",
        "git": "git",
        "lintian": "lintian",
        "man-db": "man",
        "mount": "mount",
        "sed": "sed",
        "sudo": "sudo",
        "util-linux": "unshare",
    },
    Use.BENCH: {
        "apt": "apt-get",
        "coreutils": "chroot cp env",
        "debootstrap": "debootstrap",
        "dpkg": "dpkg-query",
        "mount": "mount umount",
    },
}

ELSEWHERE = "ISCC appimagetool codesign hdiutil xcrun notepad open osascript"
"""Programs that no Debian has: makers of packages for Windows and macOS, and one that is fetched by hand."""

LIBRARIES: dict[Use, str] = {
    Use.TRY: (  # what a bare system lacks for PortAudio, and for Qt on X11
        "libportaudio2 libgl1 libegl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libxkbcommon0 libxcb-cursor0"
        " libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxcb-xkb1 libxkbcommon-x11-0"
    ),
    Use.CI: (  # a font, PortAudio's way to the sound server, keys of a real keyboard, a window of GTK
        "fonts-dejavu-core libasound2-plugins libxi6 libxtst6 python3-gi gir1.2-gtk-3.0"
    ),
}


def packages(*uses: Use) -> list[str]:
    """The packages that ``uses`` need, each once."""
    found = [name for use in uses for name in (*PROGRAMS[use], *LIBRARIES.get(use, "").split())]
    return list(dict.fromkeys(found))
