"""KWin of Plasma 6, headless, with KDE's portals and a keyboard by KWin's fake-input protocol.

It runs as a window of a headless sway: without a GPU KWin paints with QPainter, and then takes no screenshots
itself. KWin keeps the global shortcuts (kglobalacceld is a part of it).
``start_panel`` brings Plasma's panel up, for the tray; it needs plasma-desktop.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.e2e.desk.processes import wait_until
from tests.wayland.desk.keyboards import KWinKeyboard
from tests.wayland.desk.mouse import click_on_kwin, point_on_kwin
from tests.wayland.desk.session import WATCHER, Session


class Kwin(Session):
    name = "kwin"
    desktop = "KDE"
    answers_to_keyboard = ("Share",)  # shortcuts it grants without a question (and opens System Settings)

    def start_compositor(self) -> None:
        self.env |= {
            "KWIN_WAYLAND_NO_PERMISSION_CHECKS": "1",  # for the keyboard
            "KWIN_SCREENSHOT_NO_PERMISSION_CHECKS": "1",
            "XDG_MENU_PREFIX": "plasma-",
        }
        outer = self.folder / "outer.conf"
        outer.write_text(
            "xwayland disable\ndefault_border none\noutput HEADLESS-1 resolution 1280x800\n"
            f"exec env > {self.folder}/outer-told\n"
        )
        settings = {"WLR_BACKENDS": "headless", "WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman"}
        self.start("outer-sway", "sway", "-c", outer, env=settings)
        outer_told = self.folder / "outer-told"
        wait_until(lambda: outer_told.exists() and "SWAYSOCK" in outer_told.read_text(), "the outer sway")
        self._outer = next(
            line.split("=", 1)[1]
            for line in outer_told.read_text().splitlines()
            if line.startswith("WAYLAND_DISPLAY=")
        )
        told, teller = self.folder / "kwin-told", self.folder / "tell.sh"
        teller.write_text(f"#!/bin/sh\nenv > {told}.new && mv {told}.new {told}\n")
        teller.chmod(0o755)
        x11 = ["--xwayland"] if self.xwayland else []
        self.start(
            "kwin",
            "kwin_wayland",
            "--wayland-display",
            self._outer,
            "--width",
            "1280",
            "--height",
            "800",
            "--no-lockscreen",
            "--socket",
            "wayland-desk",
            *x11,
            teller,
        )
        self.wait_for_socket("wayland-desk")
        # Only now: with these two, and without plasma-integration, KWin itself crashes at its start.
        self.env |= {"KDE_FULL_SESSION": "true", "KDE_SESSION_VERSION": "6"}
        wait_until(
            lambda: self.has_bus_name("org.kde.kglobalaccel") and self.has_bus_name("org.kde.KWin"),
            "KWin",
            60,
        )
        if self.xwayland:
            # Started when first used. KWin tells the programs it starts itself where it is.
            wait_until(told.exists, "XWayland's place")
            words = dict(line.split("=", 1) for line in told.read_text().splitlines() if "=" in line)
            self.env |= {name: words[name] for name in ("DISPLAY", "XAUTHORITY") if name in words}

    def start_keyboard(self) -> None:
        self.keyboard = KWinKeyboard(self.env)
        self.keyboard.tap("shift")

    def screenshot(self, path: str | Path) -> None:
        outside = {"WAYLAND_DISPLAY": self._outer}
        for corner in (
            (2, 2),
            (4, 4),
            (6, 6),
        ):  # KWin in a window shows what it has painted when it paints again
            self.run("grim", path, env=outside)
            point_on_kwin(self.env, corner)
            time.sleep(0.3)
        self.run("grim", path, env=outside)

    def click(self, x: int, y: int) -> None:
        """See ``Session``."""
        click_on_kwin(self.env, (x, y))

    def start_panel(self) -> None:
        """Plasma's panel with its tray; takes some seconds and 250 MB of memory."""
        self._daemon = self.start("kded6", "kded6")
        self._panel = self.start("plasmashell", "plasmashell", "--no-respawn")
        wait_until(
            lambda: self.has_bus_name(WATCHER) and self.has_bus_name("org.kde.plasmashell"),
            "the panel",
            60,
        )

    def restart_panel(self) -> None:
        """See ``Session``: panel and kded6, which has the list of the tray's icons."""
        for process in (self._panel, self._daemon):
            self.processes.stop(process)
        wait_until(lambda: not self.has_bus_name(WATCHER), "the end of the panel")
        self.start_panel()
