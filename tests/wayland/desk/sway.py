"""sway, headless, whose portals have screen casts only: no GlobalShortcuts, no RemoteDesktop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.desk.processes import wait_until
from tests.wayland.desk.keyboards import WlrootsKeyboard
from tests.wayland.desk.mouse import click_on_sway
from tests.wayland.desk.session import Session


class Sway(Session):
    name = "sway"
    desktop = "sway"

    def start_compositor(self) -> None:
        """See ``Session``."""
        x11 = "enable" if self.xwayland else "disable"
        bars = "bar {\n  position bottom\n}\n"  # swaybar has a tray
        config = self.folder / "sway.conf"
        config.write_text(
            f"xwayland {x11}\noutput HEADLESS-1 resolution 1280x800\nfocus_follows_mouse no\n"
            f"exec env > {self.folder}/told\n{bars}"
        )
        settings = {"WLR_BACKENDS": "headless", "WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman"}
        self.start("sway", "sway", "-c", config, env=settings)
        told = self.folder / "told"
        wait_until(lambda: told.exists() and "SWAYSOCK" in told.read_text(), "sway")
        words = dict(line.split("=", 1) for line in told.read_text().splitlines() if "=" in line)
        self.env |= {
            name: words[name] for name in ("SWAYSOCK", "WAYLAND_DISPLAY", "DISPLAY") if name in words
        }

    def start_keyboard(self) -> None:
        self.keyboard = WlrootsKeyboard(self.env)
        self.keyboard.tap("shift")

    def screenshot(self, path: str | Path) -> None:
        self.run("grim", path)

    def click(self, x: int, y: int) -> None:
        """See ``Session``."""
        click_on_sway(self.env, (x, y), self.screen)

    def tree(self) -> dict[str, Any]:
        """Sway's windows."""
        return dict(json.loads(self.run("swaymsg", "-t", "get_tree", "-r")))

    def start_panel(self) -> None:
        """See ``Session``: swaybar is there."""

    def restart_panel(self) -> None:
        """See ``Session``."""
        self.run("swaymsg", "reload")
