r"""Starts the program when the user logs in.

| system | module | entry |
|---|---|---|
| Linux | xdg.py | ``autostart/handy-qwen.desktop`` in XDG_CONFIG_HOME |
| Windows | windows.py | a value under ``HKCU\...\Run`` |
| macOS | macos.py | a launch agent in ``~/Library/LaunchAgents`` |

What is started is told by launch.py. All of it is the user's own: no rights are needed, and nothing else
is touched. The desktop's own switch for such entries (Task Manager, GNOME Tweaks, KDE) is respected.

Threads: reads and writes a small file or registry value; any thread.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from handy_qwen.errors import HandyError
from handy_qwen.paths import user_home
from handy_qwen.system.autostart.entry import Autostart, State
from handy_qwen.system.autostart.launch import Launch, launch_for

__all__ = ["Autostart", "Launch", "NoAutostart", "State", "autostart_for", "launch_for"]


class NoAutostart:
    """Stands in on systems that are not known."""

    place = ""

    def state(self) -> State:
        """It is never on."""
        return State(is_on=False)

    def turn_on(self, launch: Launch) -> None:
        """Say that it cannot be done.

        Raises:
            HandyError: Always.
        """
        del launch
        raise HandyError(
            "The program cannot be started at login on this system.", "Use what your desktop offers for that."
        )

    def turn_off(self) -> None:
        """Nothing is on."""


def autostart_for(
    environment: Mapping[str, str] = os.environ, *, platform: str = sys.platform, home: Path | None = None
) -> Autostart:
    """The autostart of this system. ``home`` is the user's folder; None: that of the environment.

    Raises:
        HandyError: The user has none.
    """
    home = home or user_home()
    if platform == "win32":
        import winreg  # on Windows only

        from handy_qwen.system.autostart.windows import WindowsAutostart

        return WindowsAutostart(winreg)
    if platform == "darwin":
        from handy_qwen.system.autostart.macos import MacAutostart

        return MacAutostart(home / "Library" / "LaunchAgents")
    if os.name == "posix":
        from handy_qwen.system.autostart.xdg import XdgAutostart

        told = environment.get("XDG_CONFIG_HOME", "")
        # A relative path there is to be ignored: XDG Base Directory Specification 0.8.
        folder = Path(told) if Path(told).is_absolute() else home / ".config"
        return XdgAutostart(folder / "autostart")
    return NoAutostart()
