"""All external programs, with the Debian packages that provide them; and required libraries.

``dev.py`` installs them, and a test compares the list with the calls in the code, in both directions.
Ubuntu's packages have the same names; libraries whose package ends in ``t64`` there and on Debian 13 are
found under their old names, too.
"""

from __future__ import annotations

from enum import Enum


class Use(Enum):
    """The user of a program, and so when it must be installed."""

    TRY = "the program, always"
    CI = "the tests"
    OPTIONAL = "the program, where it is there; the user installs it"
    PACKAGING = "what is in packaging/, on Debian"
    WINE = "packaging/wine.py, on Debian"
    BENCH = "measurements by hand"
    WAYLAND = "the tests on Wayland desktops, in a Debian 13 of their own"


_PROGRAMS = {  # packages, followed by "=" and their programs, unless that is one of the same name
    Use.TRY: "dash=sh",
    Use.CI: """
        at-spi2-core=at-spi-bus-launcher bash coreutils=cat,env,false,sleep dash=sh dbus-bin=dbus-send
        dbus-daemon dpkg-dev=dpkg-parsechangelog fish groff-base=groff imagemagick=import libglib2.0-bin=gio
        mount=mount,umount openbox openssl pulseaudio pulseaudio-utils=pactl,paplay,parec,parecord python3
        strace trayer x11-xkb-utils=setxkbmap x11-xserver-utils=xset,xsetroot xclip xdg-desktop-portal
        xdotool xinput xterm xvfb=Xvfb zsh
    """,
    Use.OPTIONAL: """
        gnome-control-center libglib2.0-bin=gsettings pulseaudio-utils=pactl systemsettings
        wl-clipboard=wl-copy,wl-paste wtype xclip xdg-utils=xdg-open xsel ydotool
    """,
    Use.PACKAGING: """
        appstream=appstreamcli apt=apt-config,apt-get binutils=objdump
        coreutils=basename,chroot,cp,dirname,ln,mkdir,mktemp,mv,rm,true dash=sh debootstrap
        desktop-file-utils=desktop-file-validate dpkg=dpkg,dpkg-deb,dpkg-query dpkg-dev=dpkg-shlibdeps
        espeak-ng findutils=find,xargs git lintian man-db=man mount sed sudo util-linux=unshare
    """,
    Use.WINE: "binutils=as,ld git xvfb=xvfb-run",
    Use.BENCH: "apt=apt-get coreutils=chroot,cp,env debootstrap dpkg=dpkg-query mount=mount,umount",
    Use.WAYLAND: """
        coreutils=dd,stty dbus-bin=dbus-send,dbus-update-activation-environment dbus-daemon foot
        gnome-settings-daemon=gsd-media-keys gnome-shell=gnome-extensions,gnome-shell grim kded6
        kwin-wayland=kwin_wayland
        libglib2.0-bin=gdbus,gsettings pipewire pipewire-pulse plasma-workspace=plasmashell python3
        pulseaudio-utils=pactl,paplay sway=sway,swaymsg wireplumber wl-clipboard=wl-copy,wl-paste xterm
    """,
}
PROGRAMS: dict[Use, dict[str, str]] = {
    use: {
        package: (programs or package).replace(",", " ")
        for package, _, programs in (one.partition("=") for one in packages.split())
    }
    for use, packages in _PROGRAMS.items()
}
"""The programs of each package, separated by spaces."""

ELSEWHERE = "ISCC appimagetool codesign hdiutil hyprctl niri npm xcrun notepad open osascript"
"""Programs that Debian does not have: packagers for Windows and macOS, desktops, and one downloaded
separately. npm is in a package of its name, unless it came with a newer Node.js."""

LIBRARIES: dict[Use, str] = {
    Use.TRY: (  # for PortAudio, and for Qt on X11
        "libportaudio2 libgl1 libegl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libxkbcommon0 libxcb-cursor0"
        " libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxcb-xkb1 libxkbcommon-x11-0"
    ),
    # Without qt6-wayland KDE's portal starts on XWayland and refuses keyboards.
    Use.WAYLAND: (
        "adwaita-icon-theme at-spi2-core breeze ca-certificates dbus dconf-gsettings-backend"
        " fonts-dejavu-core fonts-noto-color-emoji gir1.2-atspi-2.0 gir1.2-gtk-3.0 gir1.2-gtk-4.0"
        " gnome-shell-extension-appindicator gsettings-desktop-schemas hicolor-icon-theme kglobalacceld"
        " libegl1 libgl1 libgl1-mesa-dri libportaudio2 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1"
        " libxcb-shape0 libxcb-xkb1 libxkbcommon-x11-0 mutter plasma-desktop plasma-integration procps"
        " python3-gi python3-venv qt6-wayland wtype xdg-desktop-portal xdg-desktop-portal-gnome"
        " xdg-desktop-portal-gtk xdg-desktop-portal-kde xdg-desktop-portal-wlr xwayland"
    ),
    Use.CI: (  # a font, PortAudio's plugin for the sound server, physical keys, a GTK window
        "fonts-dejavu-core libasound2-plugins libxi6 libxtst6 python3-gi gir1.2-gtk-3.0"
    ),
    Use.WINE: "debootstrap util-linux xauth",  # for fresh.py and xvfb-run
}


def packages(*uses: Use) -> list[str]:
    """The packages for ``uses``, without duplicates."""
    found = [name for use in uses for name in (*PROGRAMS[use], *LIBRARIES.get(use, "").split())]
    return list(dict.fromkeys(found))
