"""Autostart on macOS: a launch agent of the user's, started at login in the graphical session.

It is only written: loading it at once would start a second instance. The system lists it under Login Items.

Not run on macOS: written from the documentation, and tested as a file.
Source: man launchd.plist.
"""

from __future__ import annotations

import plistlib
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from handy_qwen.system.autostart.entry import State, remove, write_whole
from handy_qwen.system.autostart.launch import Launch

LABEL = "io.github.handy_qwen"


class MacAutostart:
    """The agent in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{LABEL}.plist"

    @property
    def place(self) -> str:
        """The file."""
        return str(self._path)

    def state(self) -> State:
        """Read the file."""
        try:
            agent = plistlib.loads(self._path.read_bytes())
        except (OSError, plistlib.InvalidFileException, ExpatError, ValueError):
            return State(is_on=False)
        if not isinstance(agent, dict):
            return State(is_on=False)
        command = agent.get("ProgramArguments", [])
        is_on = agent.get("RunAtLoad") is True and agent.get("Disabled") is not True
        return State(is_on=is_on, command=tuple(map(str, command)) if isinstance(command, list) else ())

    def turn_on(self, launch: Launch) -> None:
        """Write the file.

        Raises:
            HandyError: It cannot be written.
        """
        write_whole(self._path, plistlib.dumps(agent_of(launch)))

    def turn_off(self) -> None:
        """Remove the file.

        Raises:
            HandyError: It cannot be removed.
        """
        remove(self._path)


def agent_of(launch: Launch) -> dict[str, Any]:
    """What the system is told."""
    agent: dict[str, Any] = {
        "Label": LABEL,
        "ProgramArguments": list(launch.command),
        "RunAtLoad": True,
        "ProcessType": "Interactive",
        "LimitLoadToSessionType": "Aqua",
    }
    if launch.folder:
        agent["WorkingDirectory"] = str(launch.folder)
    if launch.variables:
        agent["EnvironmentVariables"] = dict(launch.variables)
    return agent
