"""GNOME Shell, headless, with its portals and a keyboard by Mutter's own remote-desktop interface."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.desk.processes import wait_until
from tests.wayland.desk.keyboards import MutterKeyboard
from tests.wayland.desk.session import WATCHER, Session

EXTENSION = "ubuntu-appindicators@ubuntu.com"


class Gnome(Session):
    name = "gnome"
    desktop = "GNOME"
    answers_to_hotkeys = ("Add",)
    answers_to_keyboard = ("Allow Remote Interaction", "Share")

    def start_compositor(self) -> None:
        x11 = [] if self.xwayland else ["--no-x11"]
        self.start(
            "gnome-shell",
            "gnome-shell",
            "--headless",
            "--virtual-monitor",
            "1280x800",
            "--unsafe-mode",
            "--wayland-display",
            "wayland-desk",
            *x11,
        )
        self.wait_for_socket("wayland-desk")
        wait_until(lambda: self.has_bus_name("org.gnome.Shell.Screenshot"), "GNOME Shell", 60)
        if (
            self.xwayland
        ):  # started when first used; both are told to the session's programs on a real desktop
            found = re.search(r"public X11 display (:\d+)", self.log("gnome-shell"))
            assert found is not None
            self.env["DISPLAY"] = found[1]
            self.env["XAUTHORITY"] = str(
                next(Path(self.env["XDG_RUNTIME_DIR"]).glob(".mutter-Xwaylandauth.*"))
            )
        wait_until(
            lambda: self.evaluate("Main.layoutManager._startingUp") == "(true, 'false')",
            "the end of GNOME's start",
            60,
        )
        self.evaluate(
            "Main.overview.hide()"
        )  # it comes up at the start, and no window gets the focus under it
        wait_until(
            lambda: self.evaluate("Main.overview.visible") == "(true, 'false')", "the end of the overview"
        )

    def start_keyboard(self) -> None:
        self.keyboard = MutterKeyboard(self.env)
        self.keyboard.tap("shift")  # plugs it in; windows miss the key that does that

    def start_panel(self) -> None:
        """The panel is there; tray icons it shows with the extension AppIndicator only."""
        self.run("gsettings", "set", "org.gnome.shell", "disable-user-extensions", "false")
        self.run("gnome-extensions", "enable", EXTENSION)
        wait_until(lambda: self.has_bus_name(WATCHER), "the extension")

    def evaluate(self, javascript: str) -> str:
        """Run JavaScript in the shell (allowed by --unsafe-mode)."""
        return self.run(
            "gdbus",
            "call",
            "--session",
            "--dest",
            "org.gnome.Shell",
            "--object-path",
            "/org/gnome/Shell",
            "--method",
            "org.gnome.Shell.Eval",
            javascript,
        ).strip()

    def screenshot(self, path: str | Path) -> None:
        self.run(
            "gdbus",
            "call",
            "--session",
            "--dest",
            "org.gnome.Shell.Screenshot",
            "--object-path",
            "/org/gnome/Shell/Screenshot",
            "--method",
            "org.gnome.Shell.Screenshot.Screenshot",
            "false",
            "false",
            str(path),
        )

    def restart_panel(self) -> None:
        """See ``Session``: the extension is the panel."""
        self.run("gnome-extensions", "disable", EXTENSION)
        wait_until(lambda: not self.has_bus_name(WATCHER), "the end of the extension")
        self.start_panel()
